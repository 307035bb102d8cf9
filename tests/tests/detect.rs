//! What is found in the configurations of clients, and servers that are named in place of their command.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, PATIENCE, User, until};
use serde_json::Value;
use std::process::Stdio;

/// A server that says whether it has its key, and where it runs. It holds neither value as it is written: a copy of its code is
/// kept.
const SERVER: &str = r#"
import json, os, sys

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = {}
    if message["method"] == "initialize":
        known = sys.argv[1:] in ([], ["n3k0t"[::-1]])
        keys = {"t3rc3s"[::-1]: "has its key", None: "has no key"}
        key = keys.get(os.environ.get("API_KEY"), "has another key") if known else "was started with " + sys.argv[1]
        info = {"name": key, "version": os.getcwd()}
        capabilities = {"tools": {}}
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": capabilities, "serverInfo": info}
    elif message["method"] == "tools/list":
        result = {"tools": []}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

/// A user with five clients, one file of which is broken.
fn five_clients() -> User {
    let user = User::new();
    user.write("inbox/server.py", SERVER);
    user.write("inbox/pyproject.toml", "");
    user.write(
        ".config/Claude/claude_desktop_config.json",
        r#"{"mcpServers": {"inbox-collab": {"command": "python3", "args": ["~/inbox/server.py", "--api-key", "s3cr3t"],
            "env": {"API_KEY": "s3cr3t"}}}}"#,
    );
    user.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {
            "inbox": {"command": "/opt/mcp-twin", "args": ["run", "--", "python3", "~/inbox/server.py", "--api-key", "s3cr3t"],
                "env": {"API_KEY": "s3cr3t"}},
            "linear": {"url": "https://dana:s3cr3t@example.com/mcp?key=s3cr3t", "headers": {"Authorization": "Bearer s3cr3t"}},
            "off": {"command": "uvx", "args": ["mcp-server-git"], "disabled": true}}}"#,
    );
    user.write(".codex/config.toml", "[mcp_servers.notes]\ncommand = \"node\"\nargs = [\"~/notes.js\"]\n");
    user.write(".codeium/windsurf/mcp_config.json", "{\"mcpServers\": {\n  \"a\": {\"command\": \"x\",}\n}}");
    user.write("project/.mcp.json", r#"{"mcpServers": {"shop": {"command": "python3", "args": ["server.py"]}}}"#);
    user
}

fn server<'a>(document: &'a Value, name: &str) -> &'a Value {
    let servers = document["servers"].as_array().unwrap();
    servers.iter().find(|server| server["name"] == name).unwrap_or_else(|| panic!("no {name}: {document:#}"))
}

#[test]
fn every_server_is_found_once_with_all_of_its_places() {
    let user = five_clients();
    let report = user.cli(&["detect", "--json"]).with_status(0);
    let found = &report.values()[0];
    let names: Vec<&str> =
        found["servers"].as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    // One and the same behind mcp-twin and without it.
    let inbox = server(found, "inbox-collab");
    let places = inbox["places"].as_array().unwrap();
    assert_eq!((&places[0]["client"], &places[1]["client"]), (&"claude-desktop".into(), &"cursor".into()));
    assert_eq!(
        (&places[0]["twinned"], &places[1]["twinned"], &places[1]["name"]),
        (&false.into(), &true.into(), &"inbox".into())
    );
    let pattern = user.home().join("inbox/**/*.py").to_string_lossy().into_owned();
    assert!(inbox["watch"].as_array().unwrap().contains(&pattern.into()), "{inbox:#}");
    assert_eq!(inbox["env"], serde_json::json!(["API_KEY"]));
    assert_eq!(server(found, "linear")["headers"], serde_json::json!(["Authorization"]));
    assert_eq!(server(found, "off")["enabled"], false);
    let problem = &found["problems"][0];
    assert_eq!((&problem["line"], &problem["clients"][0]), (&2.into(), &"Windsurf".into()), "{found:#}");
    let text = user.cli(&["detect"]).with_status(0).stdout;
    for wanted in ["inbox-collab", "Cursor", "linear", "(disabled)", "mcp_config.json:2:", "1 file cannot be read"] {
        assert!(text.contains(wanted), "no {wanted}: {text}");
    }
    for told in [&text, &report.stdout] {
        assert!(!told.contains("s3cr3t"), "a secret is shown: {told}");
    }
}

#[test]
fn a_part_of_it_can_be_asked_for() {
    let user = five_clients();
    let names = |arguments: &[&str]| -> Vec<String> {
        let report = user.cli(&[&["detect", "--json"], arguments].concat()).with_status(0);
        let servers = report.values()[0]["servers"].as_array().unwrap().clone();
        servers.iter().map(|server| server["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["--client", "codex"]), ["notes"]);
    assert_eq!(names(&["--scope", "project"]), ["shop"]);
    assert_eq!(names(&["--client", "claude-code", "--project", "../inbox"]), [] as [&str; 0]);
    assert_eq!(names(&["--client", "claude-code", "--client", "codex"]), ["shop", "notes"]);
    let wrong = user.cli(&["detect", "--client", "curser"]).with_status(2);
    assert!(wrong.stderr.contains("mcp-twin detect --client cursor"), "{wrong:?}");
    let nowhere = user.cli(&["detect", "--project", "nowhere"]).with_status(2);
    assert!(nowhere.stderr.contains("there is no such folder"), "{nowhere:?}");
}

#[test]
fn a_machine_with_nothing_says_so_in_one_line() {
    let report = User::new().cli(&["detect"]).with_status(0);
    assert_eq!((report.stdout.lines().count(), report.stderr.as_str()), (1, ""), "{report:?}");
    assert!(report.stdout.contains("claude mcp add"), "{report:?}");
}

#[test]
fn the_document_has_what_its_schema_says() {
    let user = five_clients();
    let schema = user.cli(&["detect", "--schema"]).with_status(0).values().remove(0);
    let document = user.cli(&["detect", "--json"]).with_status(0).values().remove(0);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys(&schema["properties"]), keys(&document));
    for (part, name) in [("servers", "DetectedServer"), ("files", "DetectedFile"), ("problems", "Problem")] {
        assert_eq!(keys(&schema["$defs"][name]["properties"]), keys(&document[part][0]), "{part}");
    }
}

/// Opens a server by its name and gives back what it says of itself.
fn opened(user: &User, words: &[&str]) -> (String, String) {
    let client = Client::spawn(user.command(words).env("MY_TOKEN", "t0k3n"));
    let info = client.open()["serverInfo"].clone();
    let status = client.close();
    assert!(status.success(), "{status}: {}", client.inbox().stderr_text());
    (info["name"].as_str().unwrap().to_owned(), info["version"].as_str().unwrap().to_owned())
}

#[test]
fn a_name_runs_what_its_entry_says_with_values_that_are_never_stored() {
    let user = User::new();
    user.write("inbox/server.py", SERVER);
    let config = user.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {"Inbox": {"command": "python3", "args": ["server.py", "${env:MY_TOKEN}"], "cwd": "~/inbox",
            "env": {"API_KEY": "s3cr3t"}}}}"#,
    );
    let inbox = std::fs::canonicalize(user.home().join("inbox")).unwrap().to_string_lossy().into_owned();
    let has_key = ("has its key".to_owned(), inbox.clone());
    // Detected, then recorded.
    assert_eq!(opened(&user, &["run", "inbox"]), has_key);
    let known = std::fs::read_to_string(user.state().join("servers.json")).unwrap();
    assert!(known.contains(r#""name": "inbox""#) && known.contains("API_KEY"), "{known}");
    assert_eq!(opened(&user, &["run", "inbox"]), has_key);
    assert!(!user.keeps("s3cr3t") && !user.keeps("t0k3n"), "a value was stored");
    // The entry is gone: what was recorded still runs, with what is known of it.
    std::fs::remove_file(config).unwrap();
    assert_eq!(opened(&user, &["run", "inbox"]), ("was started with ${env:MY_TOKEN}".to_owned(), inbox));
}

#[test]
fn an_entry_that_runs_mcp_twin_gives_only_what_stands_behind_it() {
    let user = User::new();
    let server = user.write("server.py", SERVER);
    user.write(
        ".cursor/mcp.json",
        r#"{"mcpServers": {
            "wired": {"command": "mcp-twin", "args": ["run", "--name", "wired", "--", "python3", "~/server.py"]},
            "itself": {"command": "mcp-twin", "args": ["run", "itself"]},
            "remote": {"url": "http://127.0.0.1:1/mcp"}}}"#,
    );
    assert!(server.exists());
    assert_eq!(opened(&user, &["run", "wired"]).0, "has no key");
    let refused = |name: &str| user.cli(&["run", name]).with_status(2).stderr;
    assert!(refused("itself").contains("names no command"), "{}", refused("itself"));
    assert!(refused("remote").contains("mcp-twin run --url http://127.0.0.1:1/mcp"), "{}", refused("remote"));
    let unknown = refused("wird");
    assert!(unknown.contains("did you mean: wired") && unknown.contains("available: wired"), "{unknown}");
}

#[test]
fn one_name_of_two_servers_is_asked_back() {
    let user = User::new();
    user.write("server.py", SERVER);
    let entry = |file: &str| format!(r#"{{"mcpServers": {{"api": {{"command": "python3", "args": ["{file}"]}}}}}}"#);
    user.write(".cursor/mcp.json", &entry("~/server.py"));
    user.write(".claude.json", &entry("~/other.py"));
    let asked = user.cli(&["run", "api"]).with_status(2).stderr;
    assert!(asked.contains("api@cursor") && asked.contains("api@claude-code"), "{asked}");
    assert_eq!(opened(&user, &["run", "api@cursor"]).0, "has no key");
}

#[test]
fn start_and_status_offer_what_is_configured() {
    let user = five_clients();
    let refused = user.cli(&["start"]).with_status(2).stderr;
    assert!(refused.contains("mcp-twin start inbox-collab") && refused.contains("mcp-twin start shop"), "{refused}");
    let idle = user.cli(&["status"]).with_status(5).stderr;
    assert!(idle.contains("available: shop, inbox-collab, notes"), "{idle}");
    let started = user.cli(&["start", "inbox-collab"]).with_status(0);
    assert!(started.stdout.contains("Started twins for inbox-collab"), "{started:?}");
    let status = user.cli(&["status"]).with_status(0).stdout;
    assert_eq!(status.lines().last(), Some("Available: shop, notes"), "{status}");
    let available = user.cli(&["status", "--json"]).with_status(0).values()[0]["available"].clone();
    assert_eq!(available, serde_json::json!(["shop", "notes"]));
    let _ = user.cli(&["stop", "inbox-collab"]).with_status(0);
}

/// Types into a terminal what stands behind its question.
const TERMINAL: &str = r#"
import os, pty, sys

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "start"])
said, answered = b"", False
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    said += part
    # Down to the second, and enter.
    if not answered and b"Which server" in said and b"second" in said:
        os.write(terminal, b"\x1b[B\r")
        answered = True
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn on_a_terminal_start_asks_which_one() {
    let user = User::new();
    user.write("server.py", SERVER);
    user.write(
        ".claude.json",
        r#"{"mcpServers": {"first": {"command": "python3", "args": ["~/first.py"]},
            "second": {"command": "python3", "args": ["~/server.py"]}}}"#,
    );
    let mcp_twin = mcp_twin_tests::tools::mcp_twin().to_string_lossy().into_owned();
    let words = ["python3", "-c", TERMINAL, &mcp_twin].map(str::to_owned);
    let mut asked = user
        .process(&words)
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    let status = until("an answer to the question", || {
        assert!(begun.elapsed() < PATIENCE, "nobody asked");
        asked.try_wait().unwrap()
    });
    let said = std::io::read_to_string(asked.stdout.take().unwrap()).unwrap();
    assert!(status.success() && said.contains("Started twins for second"), "{status}: {said}");
    let _ = user.cli(&["stop", "second"]).with_status(0);
}
