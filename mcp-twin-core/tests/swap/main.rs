//! The swap machine through its public interface: each row of its transition table, and whatever may come at random.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "it is a crate of its own")]

mod bench;
mod checks;
mod copies;
mod ends;
mod random;
mod recovery;
mod rollbacks;
mod starts;
mod swaps;
