//! The world under mcp-twin: the only crate that knows an operating system.

pub mod bare;
pub mod bridge;
pub mod config;
pub mod control;
pub mod embedded;
pub mod files;
mod front;
pub mod fronts;
pub mod history;
pub mod home;
pub mod http;
pub mod logs;
pub mod machine;
pub mod pipes;
pub mod ports;
pub mod process;
pub mod record;
pub mod run;
pub mod serve;
pub mod servers;
pub mod session;
pub mod sources;
pub mod store;
pub mod twins;
pub mod watcher;
pub mod wire;
pub mod wiring;
