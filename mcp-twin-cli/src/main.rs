//! The `mcp-twin` command.

fn main() {}
