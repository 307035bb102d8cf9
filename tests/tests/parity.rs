//! What every surface must find alike: Rust here, Node and Python by the same file, `tests/fixtures/parity.json`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_core::detect::{Machine, Os, detect_mcp_servers, extract_script_path};
use mcp_twin_core::port::{assign_ports, hash_code};
use mcp_twin_runtime::machine::Disk;
use mcp_twin_tests::tools;
use serde_json::{Value, json};
use std::path::Path;

/// A folder that is nowhere, so that what is found is what the words say.
const CWD: &str = "/nowhere/project";

const NAMES: &[&str] = &[
    "",
    "a",
    "inbox-collab",
    "my-api-server",
    "phi-proxy",
    "MCP",
    "server_1",
    "größe",
    "日本語",
    "🦀",
    "a b",
    "polygenelubricants",
    "a-very-long-name-that-goes-beyond-what-a-32-bit-number-can-hold-without-wrapping-around",
];

const LINES: &[&[&str]] = &[
    &["python", "server.py"],
    &["python3", "-u", "-X", "dev", "src/server.py", "--port", "1"],
    &["python", "-m", "notes.server"],
    &["python", "-c", "print(1)"],
    &["node", "build/index.js"],
    &["node", "--enable-source-maps", "--import", "tsx", "src/index.ts"],
    &["npx", "-y", "@modelcontextprotocol/server-everything"],
    &["npx", "tsx", "src/index.ts"],
    &["uv", "run", "server.py"],
    &["uv", "--directory", "/srv/notes", "run", "server.py"],
    &["env", "A=1", "python", "server.py"],
    &["sh", "-c", "exec python server.py"],
    &["deno", "run", "-A", "main.ts"],
    &["bun", "run", "index.ts"],
    &["docker", "run", "-i", "image"],
    &["/opt/tools/server"],
    &["mcp-twin", "run", "--", "python", "server.py"],
];

/// A machine: its files, below a folder that has a home and a project.
const FILES: &[(&str, &str)] = &[
    ("project/server.py", ""),
    (
        "project/.mcp.json",
        r#"{"mcpServers": {
  "notes": {"command": "python3", "args": ["server.py"], "env": {"TOKEN": "a-secret"}},
  "wired": {"command": "mcp-twin", "args": ["run", "--name", "wired", "--", "node", "index.js"]},
  "remote": {"type": "http", "url": "https://example.com/mcp"}
}}"#,
    ),
    ("home/files/main.ts", ""),
    (
        "home/.cursor/mcp.json",
        "{\n  \"mcpServers\": {\"files\": {\"command\": \"npx\", \"args\": [\"tsx\", \"${userHome}/files/main.ts\"]}}\n}\n",
    ),
    (
        "home/.codex/config.toml",
        "[mcp_servers.off]\ncommand = \"node\"\nargs = [\"off.js\"]\nenabled = false\n\n[mcp_servers.mail]\ncommand = \"uv\"\n\
         args = [\"run\", \"mail.py\"]\n",
    ),
];

/// What is detected on it; the folder is written as `ROOT`.
fn detected() -> Value {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().canonicalize().unwrap();
    for (path, text) in FILES {
        let path = place.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (home, project) = (place.join("home"), place.join("project"));
    let os = Os::named(std::env::consts::OS);
    let machine = Machine { os, home: &home, project: Some(&project), env: &|_| None, look: &Disk };
    let mut servers = detect_mcp_servers(&machine);
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    let text = serde_json::to_string(&servers).unwrap().replace(place.to_str().unwrap(), "ROOT");
    let files: serde_json::Map<String, Value> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())).collect();
    json!({"files": files, "servers": serde_json::from_str::<Value>(&text).unwrap()})
}

fn found() -> Value {
    let names: Vec<Value> = NAMES
        .iter()
        .map(|name| json!({"name": name, "hash": hash_code(name), "ports": <[u16; 2]>::from(assign_ports(name))}))
        .collect();
    let commands: Vec<Value> = LINES
        .iter()
        .map(|line| {
            let args: Vec<String> = line[1..].iter().map(|&word| word.to_owned()).collect();
            let script = extract_script_path(line[0], &args, Path::new(CWD), &Disk);
            json!({"command": line[0], "args": args, "scriptPath": script})
        })
        .collect();
    json!({"cwd": CWD, "names": names, "commands": commands, "detected": detected()})
}

#[test]
fn the_fixture_says_what_rust_finds() {
    let path = tools::fixture("parity.json");
    let text = serde_json::to_string_pretty(&found()).unwrap() + "\n";
    if std::env::var_os("MCP_TWIN_WRITE_PARITY").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(known, text, "run this test with MCP_TWIN_WRITE_PARITY=1 if that is what is wanted");
    // A fixture in which nothing is found would prove nothing.
    assert!(known.contains("/nowhere/project/build/index.js") && known.contains("\"scriptPath\": null"));
    assert!(known.contains("ROOT/home/files/main.ts") && known.contains("ROOT/project/server.py"));
}
