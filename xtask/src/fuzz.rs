//! `cargo xtask fuzz`: the searches among the tests of the core, in their full size.

use crate::exec::{Result, cargo, fail, number, run as exec};

/// The tests; `cargo xtask ci` runs them too, with fewer inputs.
const TESTS: &[(&str, &str)] = &[
    ("relay", "relay::tests::fuzz::whatever_comes_is_survived_within_bounds"),
    ("detect", "detect::tests::fuzz::whatever_is_in_a_file_there_is_an_answer"),
    ("wire", "wire::tests::fuzz::whatever_stands_there_is_survived"),
];

/// Runs them, or the one that is named, with `--inputs N`, from `--seed N` on; what each says last is how far it came.
pub(crate) fn run(arguments: &[String]) -> Result {
    let (inputs, seed) = (number(arguments, "--inputs", 1_000_000)?, number(arguments, "--seed", 1)?);
    let named = arguments.first().filter(|word| !word.starts_with("--"));
    let asked: Vec<_> = TESTS.iter().filter(|(name, _)| named.is_none_or(|named| named == name)).collect();
    if asked.is_empty() {
        return fail("the searches are called `relay`, `detect` and `wire`");
    }
    for (_, test) in asked {
        // The profile of tests: optimised, but with its checks for overflow.
        let mut test = cargo(["test", "-p", "mcp-twin-core", "--lib", "--", "--exact", test, "--nocapture"]);
        test.env("MCP_TWIN_FUZZ_INPUTS", inputs.to_string()).env("MCP_TWIN_FUZZ_SEED", seed.to_string());
        exec(&mut test)?;
    }
    Ok(())
}
