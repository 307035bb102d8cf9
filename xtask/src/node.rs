//! The npm package `mcp-twin` while it is developed: its addon, its types, its tests.

use crate::exec::{Result, build, cargo, fail, output, program, root, run, target, tools};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the addon, checks the types, runs the tests.
pub(crate) fn test(_arguments: &[String]) -> Result {
    addon()?;
    types()?;
    let mut tests: Vec<PathBuf> = fs::read_dir(package().join("test"))?.flatten().map(|entry| entry.path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    tests.sort();
    if tests.is_empty() {
        return fail("there are no tests of the npm package");
    }
    run(program(node(), ["--test", "--test-reporter=spec"]).args(tests).env("MCP_TWIN_TOOLS", tools()))
}

/// Writes `native.d.ts`; with `--check` it says whether it is up to date, and leaves it alone.
pub(crate) fn dts(arguments: &[String]) -> Result {
    let file = package().join("native.d.ts");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let definitions = target().join("tmp/dts");
    let _ = fs::remove_dir_all(&definitions);
    fs::create_dir_all(&definitions)?;
    // The macros write them as they are expanded, which the second variable forces.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    run(cargo(["check", "--quiet", "-p", "mcp-twin-node"])
        .env("NAPI_TYPE_DEF_TMP_FOLDER", &definitions)
        .env("NAPI_FORCE_BUILD_MCP_TWIN_NODE", now.to_string()))?;
    let cli = tools().join("napi/node_modules/@napi-rs/cli/dist/index.js");
    run(program(node(), [package().join("native.mjs")]).arg(cli).arg(&definitions))?;
    let after = fs::read_to_string(&file)?;
    if before == after || !arguments.iter().any(|argument| argument == "--check") {
        return Ok(());
    }
    fs::write(&file, before)?;
    fail("mcp-twin-node/native.d.ts is not what the addon exports: run `cargo xtask dts` and commit it")
}

/// Builds the addon and puts it where the package looks for it first.
fn addon() -> Result {
    build()?;
    let platform = output(program(node(), ["-p", "require('./lib/platform.js').platform()"]).current_dir(package()))?;
    let (before, after) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = target().join(format!("debug/{before}mcp_twin_node{after}"));
    let place = package().join(format!("mcp-twin.{}.node", platform.trim()));
    // Another file in its place: one that a process has loaded must not change under it.
    let beside = place.with_extension("new");
    fs::copy(built, &beside)?;
    Ok(fs::rename(beside, place)?)
}

/// A strict look at the types, as a program sees them that has the package and the SDK installed.
fn types() -> Result {
    let folder = target().join("tmp/types");
    let _ = fs::remove_dir_all(&folder);
    let modules = folder.join("node_modules");
    fs::create_dir_all(modules.join("@types"))?;
    link(&package(), &modules.join("mcp-twin"))?;
    link(&tools().join("types/node_modules/@types/node"), &modules.join("@types/node"))?;
    link(&tools().join("types/node_modules/undici-types"), &modules.join("undici-types"))?;
    for name in ["@modelcontextprotocol", "zod"] {
        link(&tools().join("typescript/node_modules").join(name), &modules.join(name))?;
    }
    for name in ["types.ts", "tsconfig.json"] {
        fs::copy(package().join("test").join(name), folder.join(name))?;
    }
    fs::write(folder.join("package.json"), "{\"private\": true, \"type\": \"module\"}\n")?;
    let tsc = tools().join("types/node_modules/typescript/bin/tsc");
    // Those of others are not ours to check, and ours are checked below.
    run(program(node(), [&tsc]).args(["--skipLibCheck", "-p"]).arg(&folder).current_dir(&folder))?;
    let own = ["index.d.ts", "index.d.mts", "native.d.ts"].map(|name| package().join(name));
    let roots = tools().join("types/node_modules/@types");
    run(program(node(), [&tsc])
        .args([
            "--noEmit",
            "--strict",
            "--target",
            "es2022",
            "--module",
            "nodenext",
            "--lib",
            "es2022,esnext.disposable,dom",
        ])
        .args(["--types", "node", "--typeRoots"])
        .arg(roots)
        .args(own)
        .current_dir(&folder))
}

fn link(to: &Path, at: &Path) -> Result {
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, at)?;
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(to, at)?;
    Ok(())
}

fn package() -> PathBuf {
    root().join("mcp-twin-node")
}

fn node() -> PathBuf {
    tools().join("bin/node")
}
