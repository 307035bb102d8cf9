//! What the end-to-end tests stand on: projects in temporary folders, a strict client on plain threads, and eyes for
//! processes and files that should not be there.
//!
//! The same [`Client`] drives a front (`mcp-twin run -- CMD`) and the bare server (`CMD`), so that what a test blames on
//! the front can be tried without it.
//!
//! Most of it knows Unix, its interpreters and `/proc`. The tests of `systems.rs` run everywhere, and use the rest.
// A failed expectation is how a test fails; nothing in here ever ships.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(unix)]
pub mod cable;
pub mod cli;
pub mod client;
#[cfg(unix)]
pub mod conformance;
#[cfg(unix)]
pub mod console;
pub mod hook;
#[cfg(unix)]
pub mod http;
pub mod http_client;
#[cfg(unix)]
pub mod http_load;
pub mod inbox;
#[cfg(unix)]
pub mod inspector;
#[cfg(unix)]
pub mod interop;
#[cfg(unix)]
pub mod killer;
#[cfg(unix)]
pub mod led;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod project;
pub mod record;
#[cfg(unix)]
pub mod server;
#[cfg(unix)]
pub mod soak;
#[cfg(unix)]
pub mod talker;
pub mod tiny;
pub mod tools;
#[cfg(unix)]
pub mod user;
pub mod wait;

#[cfg(unix)]
pub use cable::Cable;
pub use cli::Report;
pub use client::Client;
#[cfg(unix)]
pub use console::Console;
#[cfg(unix)]
pub use http::{Http, Served};
pub use http_client::HttpClient;
pub use inbox::{Books, Id};
#[cfg(unix)]
pub use led::Led;
#[cfg(unix)]
pub use project::Project;
#[cfg(unix)]
pub use server::Server;
#[cfg(unix)]
pub use user::User;
pub use wait::{PATIENCE, until};
