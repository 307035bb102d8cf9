//! Running other programs, and where things are.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What takes less, in seconds, is not worth a line.
const SHOWN: u64 = 2;

/// Why a task ended without success: a sentence for the person who ran it.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// How a task ends.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Ends a task with a reason.
pub(crate) fn fail<T>(why: impl Into<String>) -> Result<T> {
    Err(Failure(why.into()))
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

/// Where `cargo xtask setup` puts the tools of the tests.
pub(crate) fn tools() -> PathBuf {
    std::env::var_os("MCP_TWIN_TOOLS").map_or_else(|| root().join("target/tools"), PathBuf::from)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The command under test: `$MCP_TWIN_BIN`, else what `cargo build` made.
pub(crate) fn mcp_twin() -> PathBuf {
    std::env::var_os("MCP_TWIN_BIN").map_or_else(|| target().join("debug/mcp-twin"), PathBuf::from)
}

/// `cargo`, from the root of the repository.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// A program, from the root of the repository.
pub(crate) fn program<S: AsRef<OsStr>>(name: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Builds all that tests run and load: the command, the addon, the module, the servers of tests, the tests themselves.
///
/// Always all of it: what `-p` would build has the features that one package asks for, and everything below it would be built
/// once more for each.
pub(crate) fn build() -> Result {
    run(&mut cargo(["build", "--workspace", "--lib", "--bins", "--tests"]))
}

/// Runs a command in the foreground, saying first what it is, and after it how long it took.
pub(crate) fn run(command: &mut Command) -> Result {
    eprintln!("$ {}", shown(command));
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).status();
    let took = begun.elapsed().as_secs();
    if took >= SHOWN {
        eprintln!("  {took} s");
    }
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => fail(format!("`{}` ended with {status}", shown(command))),
        Err(error) => fail(format!("`{}` could not be started: {error}", shown(command))),
    }
}

/// Runs a command quietly and gives back its standard output; the rest is shown only if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => fail(format!(
            "`{}` ended with {}\n{}{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(format!("`{}` could not be started: {error}", shown(command))),
    }
}

/// The value behind `--name` in the arguments of a task.
pub(crate) fn option<'a>(arguments: &'a [String], name: &str) -> Result<Option<&'a str>> {
    match arguments.iter().position(|argument| argument == name) {
        None => Ok(None),
        Some(at) => match arguments.get(at + 1) {
            Some(value) => Ok(Some(value)),
            None => fail(format!("`{name}` wants a value")),
        },
    }
}

/// The number behind `--name`, or `otherwise`.
pub(crate) fn number(arguments: &[String], name: &str, otherwise: u32) -> Result<u32> {
    match option(arguments, name)? {
        None => Ok(otherwise),
        Some(text) => text.parse().or_else(|_| fail(format!("`{name} {text}`: that is not a number"))),
    }
}

/// The words of a command.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
