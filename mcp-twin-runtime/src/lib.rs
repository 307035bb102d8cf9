//! The world under mcp-twin: the only crate that knows an operating system.

pub mod control;
pub mod files;
pub mod fronts;
pub mod history;
pub mod home;
pub mod logs;
pub mod ports;
pub mod run;
pub mod servers;
pub mod store;
