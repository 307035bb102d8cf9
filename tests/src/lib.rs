//! What the end-to-end tests stand on: projects in temporary folders, a strict client on plain threads, and eyes for
//! processes and files that should not be there.
//!
//! The same [`Client`] drives a front (`mcp-twin run -- CMD`) and the bare server (`CMD`), so that what a test blames on
//! the front can be tried without it.
// A failed expectation is how a test fails; nothing in here ever ships.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod cli;
pub mod client;
pub mod inbox;
pub mod inspector;
pub mod interop;
pub mod process;
pub mod project;
pub mod record;
pub mod server;
pub mod soak;
pub mod talker;
pub mod tools;
pub mod wait;

pub use cli::Report;
pub use client::Client;
pub use inbox::{Books, Id};
pub use project::Project;
pub use server::Server;
pub use wait::{PATIENCE, until};
