//! The `mcp-twin` command.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_twin_cli::main_with_args(std::env::args_os())
}
