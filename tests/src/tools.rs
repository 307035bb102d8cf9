//! Where things are: the repository, the command under test, and what `cargo xtask setup` installed.

use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let up = |folder: &Path| folder.join("tests/fixtures/servers").is_dir().then(|| folder.to_path_buf());
    here.ancestors().find_map(up).expect("the repository around the tests")
}

/// A file or folder of `tests/fixtures`.
#[must_use]
pub fn fixture(path: &str) -> PathBuf {
    root().join("tests/fixtures").join(path)
}

/// The command under test: `$MCP_TWIN_BIN`, else what cargo built beside this test.
#[must_use]
pub fn mcp_twin() -> PathBuf {
    std::env::var_os("MCP_TWIN_BIN").map_or_else(|| built("mcp-twin"), PathBuf::from)
}

/// A program that cargo built beside this test.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("the path of this test");
    // target/PROFILE/deps/test or target/PROFILE/soak
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let beside = me.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.is_file());
    beside.unwrap_or_else(|| {
        panic!(
            "no {name} beside {}: run `cargo build -p mcp-twin-cli -p mcp-twin-tests` first (or `cargo xtask test`)",
            me.display()
        )
    })
}

/// The folder of the installed tools.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("MCP_TWIN_TOOLS").map_or_else(|| root().join("target/tools"), PathBuf::from)
}

/// A Python that has the official SDK.
#[must_use]
pub fn sdk_python() -> PathBuf {
    installed("python/bin/python")
}

/// A Node that can run the Inspector.
#[must_use]
pub fn node() -> PathBuf {
    installed("bin/node")
}

/// The `node_modules` folder with the TypeScript SDK.
#[must_use]
pub fn typescript_modules() -> PathBuf {
    installed("typescript/node_modules/@modelcontextprotocol/sdk").ancestors().nth(2).expect("a folder").to_path_buf()
}

/// The `node_modules` folder with version 2 of the TypeScript SDK.
#[must_use]
pub fn typescript2_modules() -> PathBuf {
    let server = installed("typescript2/node_modules/@modelcontextprotocol/server");
    server.ancestors().nth(2).expect("a folder").to_path_buf()
}

/// The script of server-everything.
#[must_use]
pub fn everything() -> PathBuf {
    installed("everything/node_modules/@modelcontextprotocol/server-everything/dist/index.js")
}

/// The Inspector's launcher script.
#[must_use]
pub fn inspector() -> PathBuf {
    installed("inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
}

/// Both releases of the conformance suite.
pub fn conformance() {
    for release in ["conformance", "conformance-next"] {
        let _ = installed(&format!("{release}/node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    }
}

fn installed(path: &str) -> PathBuf {
    let found = folder().join(path);
    assert!(found.exists(), "{} is missing: run `cargo xtask setup` first", found.display());
    found
}
