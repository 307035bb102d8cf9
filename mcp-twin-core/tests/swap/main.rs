//! The swap machine through its public interface: each row of its transition table, and whatever may come at random.

mod bench;
mod ends;
mod random;
mod recovery;
mod starts;
mod swaps;
