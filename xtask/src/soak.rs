//! `cargo xtask soak`: the soak of the tests crate in its full size.

use crate::exec::{self, Result, cargo};

/// Builds the command and the soak, both for release, and runs it with the arguments given.
pub(crate) fn run(arguments: &[String]) -> Result {
    exec::run(&mut cargo(["build", "--release", "-p", "mcp-twin-cli"]))?;
    exec::run(cargo(["run", "--release", "-p", "mcp-twin-tests", "--bin", "soak", "--"]).args(arguments))
}
