//! The binary as its user types it: streams, colours, exit statuses, documents.

#![expect(clippy::expect_used, reason = "what a test expects")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command in an environment of its own, with an empty state directory.
fn mcp_twin(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-twin"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "MCP_TWIN_DISABLE"] {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("MCP_TWIN_HOME", home)
        .env("TERM", "xterm")
        .stdin(Stdio::null());
    command
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("it exits"), text(stdout), text(stderr))
}

#[test]
fn version_and_help_go_to_stdout() {
    let home = home();
    let version = output(mcp_twin(home.path()).arg("--version"));
    assert_eq!(version, (0, format!("mcp-twin {}\n", env!("CARGO_PKG_VERSION")), String::new()));
    let (code, out, err) = output(mcp_twin(home.path()).args(["run", "--help"]));
    assert!(code == 0 && out.contains("--watch-quiet") && err.is_empty());
    let (code, out, _) = output(mcp_twin(home.path()).args(["--version", "--json"]));
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, document["version"].as_str()), (0, Some(env!("CARGO_PKG_VERSION"))));
}

#[test]
fn an_empty_command_line_is_a_usage_error_with_help() {
    let (code, out, err) = output(&mut mcp_twin(home().path()));
    assert!(code == 2 && out.is_empty() && err.contains("Usage:") && err.contains("Exit statuses:"), "{err}");
}

#[test]
fn without_a_front_the_status_is_5_and_nothing_is_made() {
    let home = home();
    for verb in ["status", "reload", "swap", "rollback", "stop", "logs", "history"] {
        let (code, out, err) = output(mcp_twin(home.path()).arg(verb));
        assert_eq!((code, out.as_str()), (5, ""), "{verb}");
        assert!(err.starts_with("error: no server runs"), "{verb}: {err}");
        let (code, out, err) = output(mcp_twin(home.path()).args([verb, "--json"]));
        let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((code, document["exit"].as_i64(), err.as_str()), (5, Some(5), ""), "{verb}");
        assert_eq!(document["error"]["code"], "cli::front::none");
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("there").count(), 0);
}

#[test]
fn errors_are_documents_too() {
    let (code, out, _) = output(mcp_twin(home().path()).args(["--json", "run", "python", "server.py"]));
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &document["error"]["code"]), (2, &serde_json::json!("cli::usage")));
    assert_eq!(document["error"]["advice"][0], "did you mean: mcp-twin run -- python server.py");
    let unknown = output(mcp_twin(home().path()).args(["swap", "nobody", "--json"]));
    assert!(unknown.0 == 2 && unknown.1.contains("cli::server::unknown"));
    let relative = output(mcp_twin(Path::new("some/folder")).arg("status"));
    assert!(relative.0 == 3 && relative.2.contains("absolute"), "{relative:?}");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let home = home();
    let coloured = |name: &str, value: &str| {
        let (_, _, err) = output(mcp_twin(home.path()).arg("status").env(name, value));
        err.contains('\u{1b}')
    };
    assert!(!coloured("TERM", "xterm"));
    assert!(coloured("CLICOLOR_FORCE", "1"));
    assert!(!coloured("NO_COLOR", "1"));
    let (_, help, _) = output(mcp_twin(home.path()).arg("--help"));
    assert!(!help.contains('\u{1b}'));
}

#[test]
fn the_logs_of_a_server_that_ended() {
    let home = home();
    let folder = home.path().join("logs/web");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("web.log"), "one\ntwo \u{1b}[2Jcleared\nthree\n").expect("written");
    let (code, out, _) = output(mcp_twin(home.path()).args(["logs", "web", "-n", "2"]));
    assert_eq!((code, out.as_str()), (0, "two cleared\nthree\n"));
    let (_, out, _) = output(mcp_twin(home.path()).args(["logs", "--json"]));
    let document: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&document["server"], document["lines"].as_array().map(Vec::len)), (&serde_json::json!("web"), Some(3)));
}

#[cfg(unix)]
#[test]
fn disabled_it_is_the_server_itself() {
    let home = home();
    let script = "echo \"$$ $1\"; cat; exit 7";
    let mut command = mcp_twin(home.path());
    command.args(["run", "--no-watch", "--", "sh", "-c", script, "sh", "--json"]).env("MCP_TWIN_DISABLE", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let pid = child.id();
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"hello\n").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid} --json\nhello\n"));
    assert_eq!(output.status.code(), Some(7));
    let missing = mcp_twin(home.path()).args(["run", "--", "/nowhere/server"]).env("MCP_TWIN_DISABLE", "1").output();
    assert_eq!(missing.expect("it runs").status.code(), Some(4));
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = home();
    let line = format!("{} --help | head -c 1 > /dev/null", env!("CARGO_BIN_EXE_mcp-twin"));
    let shell = Command::new("sh").args(["-c", &line]).env("MCP_TWIN_HOME", home.path()).output().expect("it runs");
    assert!(shell.status.success() && shell.stderr.is_empty(), "{}", String::from_utf8_lossy(&shell.stderr));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, out, _) = output(mcp_twin(home().path()).args(["completions", shell]));
        assert!(code == 0 && out.contains("MCP_TWIN_COMPLETE"), "{shell}");
    }
    assert_eq!(output(mcp_twin(home().path()).args(["completions", "tcsh"])).0, 2);
}

#[test]
fn a_shell_is_told_commands_flags_and_servers() {
    let home = home();
    let entry = r#"{"mcpServers": {"inbox": {"command": "node", "args": ["a.js"]}}}"#;
    std::fs::write(home.path().join(".claude.json"), entry).expect("written");
    // As the script for fish asks: the words so far, the last one unfinished.
    let asked = |words: &[&str]| {
        let mut command = mcp_twin(home.path());
        command.env("MCP_TWIN_COMPLETE", "fish").arg("--").arg("mcp-twin").args(words).current_dir(home.path());
        let (code, out, _) = output(&mut command);
        assert_eq!(code, 0);
        out
    };
    assert!(asked(&["rollb"]).starts_with("rollback"));
    assert!(asked(&["run", "--watch-q"]).starts_with("--watch-quiet"));
    assert!(asked(&["start", "inb"]).starts_with("inbox\tnode a.js"), "{}", asked(&["start", "inb"]));
    assert_eq!(asked(&["stop", "inb"]), "", "it does not run");
}
