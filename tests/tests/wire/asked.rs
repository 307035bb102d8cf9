//! Nothing is changed without the user's word.

use super::{Home, TWO, entry, words};
use mcp_twin_tests::tools;
use std::process::Stdio;

#[test]
fn a_dry_run_changes_nothing() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    let report = home.run(&["wire", "--all", "--yes", "--dry-run"]).with_status(0);
    assert!(report.stdout.contains("+      \"command\":"), "the diff is shown: {}", report.stdout);
    assert!(!report.stdout.contains("hunter2"), "{}", report.stdout);
    assert!(home.everything() == before && !home.state().exists(), "a dry run leaves nothing behind");
}

#[test]
fn without_a_terminal_the_diff_is_shown_and_nothing_is_changed() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    for arguments in [&["wire", "files"][..], &["wire", "--all"], &["init"]] {
        let report = home.run(arguments).with_status(2);
        assert!(report.stdout.contains("+      \"command\":"), "{report:?}");
        assert!(report.stderr.contains("--yes"), "{report:?}");
        let mut json = arguments.to_vec();
        json.push("--json");
        assert_eq!(home.run(&json).with_status(2).values()[0]["changes"][0]["outcome"], "planned");
    }
    let _ = home.run(&["wire"]).with_status(2);
    assert!(home.everything() == before && !home.state().exists());
    let _ = home.run(&["wire", "files", "--yes"]).with_status(0);
    let wired = home.everything();
    for arguments in [&["unwire", "files"][..], &["unwire"]] {
        let report = home.run(arguments).with_status(2);
        assert!(report.stderr.contains("mcp-twin unwire"), "{report:?}");
    }
    assert_eq!(home.everything(), wired);
}

#[test]
fn init_wires_all_and_says_what_is_next() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    let report = home.run(&["init", "--yes"]).with_status(0);
    for part in ["I detected these MCP servers", "files  Cursor, user", "What to do next", "mcp-twin status"] {
        assert!(report.stdout.contains(part), "no {part}: {}", report.stdout);
    }
    for server in ["files", "mail"] {
        home.serves(&words(&entry(&home.read(".cursor/mcp.json"), &format!("/mcpServers/{server}"))));
    }
    let _ = home.run(&["init", "--yes"]).with_status(0);
    let _ = home.run(&["unwire", "--all", "--yes"]).with_status(0);
    assert_eq!(home.everything(), before);
}

/// Runs mcp-twin at a terminal: each of `keys` is typed once its prompt (a part of it) is there.
fn at_a_terminal(home: &Home, keys: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    // A terminal of its own, with a deadline for everything.
    const DRIVER: &str = r"
import json, os, pty, select, sys, time
keys, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(argv[0], argv)
seen, at, end = b'', 0, time.monotonic() + 30
while time.monotonic() < end:
    if keys and keys[0][0].encode() in seen[at:]:
        at = len(seen)
        os.write(fd, keys.pop(0)[1].encode())
    if select.select([fd], [], [], 0.1)[0]:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        seen += more
else:
    os.kill(pid, 9)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff)
";
    let keys = serde_json::to_string(keys).unwrap();
    let mut command = home.command("python3");
    command.args(["-c", DRIVER, &keys]).arg(tools::mcp_twin()).args(arguments).env("TERM", "xterm");
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn at_a_terminal_the_user_is_asked() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    for no in ["n", "\u{3}", "\u{1b}"] {
        // The prompt is whole once it hides the cursor.
        let (status, text) = at_a_terminal(&home, &[("[?25l", no)], &["wire", "files"]);
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("Change 1 entry in 1 file?") && text.contains("Nothing was changed"), "{text}");
        assert!(text.rfind("[?25h") > text.rfind("[?25l"), "the cursor is there again: {text:?}");
        assert_eq!(home.everything(), before);
    }
    let (status, text) = at_a_terminal(&home, &[("Change 1 entry in 1 file?", "y")], &["wire", "files"]);
    assert_eq!(status, 0, "{text}");
    assert!(home.read(".cursor/mcp.json").contains("mcp-twin"), "{text}");
    let (status, text) = at_a_terminal(&home, &[("Take back 1 entry in 1 file?", "y")], &["unwire", "files"]);
    assert_eq!(status, 0, "{text}");
    assert_eq!(home.everything(), before);
}

#[test]
fn init_lets_the_user_select() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    let skip = [("Skip for now", "\u{1b}[A"), ("Skip for now", "\r")];
    let (status, text) = at_a_terminal(&home, &skip, &["init"]);
    assert_eq!(status, 0, "{text}");
    assert_eq!(home.everything(), before, "{text}");
    // The second way; then the first of the two servers is unmarked.
    let some = [("Skip for now", "\u{1b}[B"), ("Skip for now", "\r"), ("mail", " "), ("mail", "\r"), ("file?", "y")];
    let (status, text) = at_a_terminal(&home, &some, &["init"]);
    assert_eq!(status, 0, "{text}");
    let now = home.read(".cursor/mcp.json");
    assert!(!entry(&now, "/mcpServers/files/command").to_string().contains("mcp-twin"), "{now}");
    assert!(entry(&now, "/mcpServers/mail/command").to_string().contains("mcp-twin"), "{now}");
}
