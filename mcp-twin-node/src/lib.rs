//! The Rust part of the npm package `mcp-twin`: fronts in a Node process, and what else of mcp-twin a program asks for.
//!
//! It has no logic of its own: the fronts are those of [`mcp_twin_runtime::embedded`], and the manners of JavaScript (promises,
//! events, classes, errors) are those of the files in `lib/`. Between the two go numbers and texts of JSON.

mod link;
mod machine;

pub use link::Link;
pub use machine::{assign_ports, detect_mcp_servers, extract_script_path, hash_code, version};
