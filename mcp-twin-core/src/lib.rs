//! The pure heart of mcp-twin: everything it decides, nothing it does.
//!
//! A *front* keeps an MCP client connected while the *server* behind it runs as *twins*: a fresh twin is started beside
//! the serving one, proved healthy, and takes over; the old one finishes what it began. This crate holds the machines
//! that decide each step ([`swap::Swap`]), that carry one client session over a changing twin ([`relay::Relay`]), that
//! give every server its ports ([`port`]) and that read what a command line really runs ([`detect::launch`]).
//!
//! There is no clock, file, network, environment, thread or randomness in here. Time comes in as a [`Moment`], the world
//! as events, and effects go out; [`drive`] runs a machine against your own adapters (the traits in [`host`]).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod config;
pub mod control;
pub mod detect;
pub mod drive;
pub mod error;
pub mod host;
pub mod ids;
pub mod notify;
pub mod port;
pub mod redact;
pub mod relay;
pub mod spec;
pub mod swap;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod watch;
pub mod wire;

pub use error::{Code, Fault};
pub use ids::{Generation, ProcessIdentity, Slot, Source, SourceHash, TwinId};
pub use time::Moment;
