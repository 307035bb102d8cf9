//! What is asked of the machine and answered at once: its ports, and its clients' configurations.

use mcp_twin_core::port;
use mcp_twin_runtime::embedded::binding::{self, Trouble};
use napi::{Error, Result};
use napi_derive::napi;
use std::path::PathBuf;

/// The version of mcp-twin.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The hash by which a server's ports are found.
#[napi]
pub fn hash_code(name: String) -> u32 {
    port::hash_code(&name)
}

/// The ports that the twins of a server of this name get, where nothing is in their way.
#[napi(ts_return_type = "[number, number]")]
pub fn assign_ports(name: String) -> Vec<u16> {
    let (a, b) = port::assign_ports(&name);
    vec![a, b]
}

/// The script that a command runs when it is started in `cwd` (else here), if it runs one.
#[napi]
pub fn extract_script_path(command: String, args: Vec<String>, cwd: Option<String>) -> Result<Option<String>> {
    binding::script_path(&command, &args, cwd.map(PathBuf::from)).map_err(|trouble| thrown(&trouble))
}

/// The servers that clients start by a command on this machine, seen from a project (else from here), as JSON.
#[napi(js_name = "detectMcpServers")]
pub fn detect_mcp_servers(project: Option<String>) -> Result<String> {
    let found = binding::detected(project.map(PathBuf::from)).and_then(|found| binding::text(&found));
    found.map_err(|trouble| thrown(&trouble))
}

/// An error that is thrown: its text is the JSON of the trouble.
fn thrown(trouble: &Trouble) -> Error {
    Error::from_reason(trouble.json())
}
