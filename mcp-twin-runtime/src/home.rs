//! The state directory: `$MCP_TWIN_HOME`, else `~/.mcp-twin`.

use std::path::PathBuf;

/// The state directory, not necessarily there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(pub PathBuf);
