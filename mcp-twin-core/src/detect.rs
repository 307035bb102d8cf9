//! What is configured on a machine, and what a command line really runs.
//!
//! [`sources`] says where each client keeps its servers, [`parse`] reads one such file as its client would, and [`launch`]
//! what a command line comes to; [`detect`] does it all. All of it is pure: the machine is handed in as a [`Machine`].

mod client;
mod dialect;
mod document;
mod entry;
mod error;
mod expand;
mod inventory;
pub mod launch;
mod machine;
mod parse;
mod script;
mod server;
mod shown;
mod site;
mod source;
mod start;
mod table;
mod url;

pub use client::{Client, Mark, Pickup, Scope};
pub use document::LARGEST;
pub use error::ParseError;
pub(crate) use expand::is_secret;
pub use inventory::{Configuration, Configured, Entry, Inventory, detect, detect_in, settle};
pub use machine::{Browse, Machine, Os};
pub use parse::{Parsed, parse};
pub use script::{McpServerConfig, counting, detect_mcp_servers, extract_script_path};
pub use server::{EntryFlag, Server, Transport};
pub use shown::words as shown_words;
pub use site::{Shape, Site, Step, Syntax};
pub use source::{Source, sources};
pub use start::Start;
pub(crate) use url::is_loopback;

#[cfg(test)]
mod tests;
