//! The `mcp-twin` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_twin_cli::main_with_args(std::env::args_os())
}
