//! `cargo xtask soak`: the soak of the tests crate in its full size.

use crate::exec::{self, Result, cargo};
use crate::{conformance, setup};

/// Builds the command and the soak, both for release, and runs it with the arguments given: the load without `--interop`,
/// the matrix of servers and clients, and the Inspector's own load, with it.
pub(crate) fn run(arguments: &[String]) -> Result {
    let interop = arguments.iter().any(|argument| argument == "--interop");
    if interop {
        setup::run(&[])?;
    }
    exec::run(&mut cargo(["build", "--release", "-p", "mcp-twin-cli", "-p", "mcp-twin-tests", "--bins"]))?;
    exec::run(cargo(["run", "--release", "-p", "mcp-twin-tests", "--bin", "soak", "--"]).args(arguments))?;
    if interop && exec::option(arguments, "--only")?.is_none() {
        conformance::run(&["inspector", "--seconds", "120", "--swaps", "20"].map(str::to_owned))?;
    }
    Ok(())
}
