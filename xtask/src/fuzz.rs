//! `cargo xtask fuzz`: the search among the tests of the relay, in its full size.

use crate::exec::{Result, cargo, number, run as exec};

/// The test; `cargo xtask ci` runs it too, with fewer inputs.
const TEST: &str = "relay::tests::fuzz::whatever_comes_is_survived_within_bounds";

/// Runs it with `--inputs N`, from `--seed N` on; what it says last is how far it came.
pub(crate) fn run(arguments: &[String]) -> Result {
    let (inputs, seed) = (number(arguments, "--inputs", 1_000_000)?, number(arguments, "--seed", 1)?);
    // The profile of tests: optimised, but with its checks for overflow.
    let mut test = cargo(["test", "-p", "mcp-twin-core", "--lib", "--", "--exact", TEST, "--nocapture"]);
    test.env("MCP_TWIN_FUZZ_INPUTS", inputs.to_string()).env("MCP_TWIN_FUZZ_SEED", seed.to_string());
    exec(&mut test)
}
