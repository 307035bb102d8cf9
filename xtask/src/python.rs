//! The Python package `mcp-twin`: its module, its tests, its wheel.

use crate::exec::{Result, build, cargo, fail, option, output, program, root, run, target, tools};
use std::fs;
use std::path::PathBuf;

/// Builds the module, checks the types, runs the tests.
pub(crate) fn test(arguments: &[String]) -> Result {
    module()?;
    let package = package();
    let python = || program(harness("python"), ["-m"]);
    let path = package.join("python");
    run(python().args(["mypy", "python/mcp_twin"]).current_dir(&package))?;
    run(python()
        .args(["mypy.stubtest", "mcp_twin"])
        .current_dir(&package)
        .env("MYPYPATH", &path)
        .env("PYTHONPATH", &path))?;
    run(python()
        .args(["pytest", "-q", "-n", "2", "tests"])
        .args(arguments)
        .current_dir(&package)
        .env("PYTHONPATH", &path))?;
    run(python()
        .args(["pytest", "-q", "-p", "mcp_twin.pytest_plugin"])
        .current_dir(root().join("examples/python-harness"))
        .env("PYTHONPATH", &path))
}

/// Builds the wheel: the module, and the command as its script.
pub(crate) fn wheel(arguments: &[String]) -> Result {
    let out = option(arguments, "--out")?.map_or_else(|| target().join("wheels"), PathBuf::from);
    let out = std::path::absolute(out)?;
    let profile = option(arguments, "--profile")?.unwrap_or("dist");
    let folder = if profile == "dev" { "debug" } else { profile };
    run(&mut cargo(["build", "--profile", profile, "-p", "mcp-twin-cli"]))?;
    // What stands in `<name>-<version>.data/scripts` is put beside the Python that the wheel is installed for.
    let scripts = package().join("data/scripts");
    fs::create_dir_all(&scripts)?;
    let name = format!("mcp-twin{}", std::env::consts::EXE_SUFFIX);
    fs::copy(target().join(folder).join(&name), scripts.join(&name))?;
    let built =
        run(program(harness("maturin"), ["build", "--profile", profile, "--out"]).arg(&out).current_dir(package()));
    fs::remove_dir_all(package().join("data"))?;
    built?;
    eprintln!("the wheel is in {}", out.display());
    Ok(())
}

/// Builds the module and puts it into the package.
fn module() -> Result {
    build()?;
    let (before, after) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = target().join(format!("debug/{before}_native{after}"));
    let place = package().join("python/mcp_twin").join(if cfg!(windows) { "_native.pyd" } else { "_native.abi3.so" });
    // Another file in its place: one that a process has loaded must not change under it.
    let beside = place.with_extension("new");
    fs::copy(built, &beside)?;
    fs::rename(beside, place)?;
    if output(&mut program(harness("python"), ["--version"])).is_err() {
        return fail("the Python of the tests does not run: `cargo xtask setup` installs it");
    }
    Ok(())
}

fn package() -> PathBuf {
    root().join("mcp-twin-py")
}

fn harness(name: &str) -> PathBuf {
    tools().join("harness").join(if cfg!(windows) { "Scripts" } else { "bin" }).join(name)
}
