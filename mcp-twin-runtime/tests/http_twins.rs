//! HTTP twins as real processes: they outlive the front that started them, and only what is proven to be one is taken for
//! one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "http_twins/adoption.rs"]
mod adoption;
#[path = "http_twins/ends.rs"]
mod ends;
#[path = "http_twins/front.rs"]
mod front;
#[path = "http_twins/output.rs"]
mod output;
#[path = "http_twins/ports.rs"]
mod ports;
#[path = "http_twins/rig.rs"]
mod rig;
