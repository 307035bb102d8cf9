//! `cargo xtask test` and `cargo xtask ci`.

use crate::exec::{Result, build, cargo, fail, output, run};
use crate::{clients, node, npm_pack, python, setup};
use std::thread;

/// What the core may not depend on: it knows no clock, no files, no network and no operating system.
const IMPURE: &[&str] = &["tokio", "hyper", "libc", "mio", "rustix"];

/// Sets up, builds the command, runs all tests. The runner's summary is the last thing printed.
pub(crate) fn test(arguments: &[String]) -> Result {
    setup::run(&[])?;
    build()?;
    node::test(&[])?;
    python::test(&[])?;
    run(&mut cargo(["test", "--workspace", "--doc", "--quiet"]))?;
    if output(&mut cargo(["nextest", "--version"])).is_ok() {
        run(cargo(["nextest", "run", "--workspace", "--no-fail-fast"]).args(arguments))
    } else {
        run(cargo(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]).args(arguments))
    }
}

/// Everything that must hold before a change is taken.
pub(crate) fn ci(_arguments: &[String]) -> Result {
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    // The one waits for the network, the other for the processor.
    let setup = thread::spawn(|| setup::run(&[]).inspect(|()| clients::fetch()));
    checks()?;
    setup.join().unwrap_or_else(|_| fail("the setup panicked"))?;
    node::dts(&["--check".to_owned()])?;
    clients::run(&[])?;
    npm()?;
    test(&[])
}

/// The packages of npm, as they are built for tests: their sizes are looked at before a release.
fn npm() -> Result {
    let out = tempfile::Builder::new().prefix("mcp-twin-packages-").tempdir()?;
    let out = out.path().to_string_lossy();
    let mut arguments = ["--out", &*out, "--profile", "dev"].map(str::to_owned).to_vec();
    if !npm_pack::has_addon() {
        arguments.push("--without-addon".to_owned());
    }
    npm_pack::run(&arguments)
}

/// All that is looked at without running anything, and then the build.
fn checks() -> Result {
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    run(cargo(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    purity()?;
    build()
}

fn purity() -> Result {
    let tree = output(&mut cargo(["tree", "-p", "mcp-twin-core", "-e", "normal", "--prefix", "none"]))?;
    let found = |name: &&&str| tree.lines().any(|line| line.split_whitespace().next() == Some(name));
    let impure: Vec<&str> = IMPURE.iter().filter(found).copied().collect();
    if impure.is_empty() {
        eprintln!("purity: mcp-twin-core depends on none of {}", IMPURE.join(", "));
        return Ok(());
    }
    fail(format!("mcp-twin-core depends on {}; see `cargo tree -p mcp-twin-core -e normal`", impure.join(", ")))
}
