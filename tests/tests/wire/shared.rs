//! What a project shares is hidden, not edited.

use super::{Home, entry, words};
use serde_json::Value;

const SHARED: &str = r#"{
  "mcpServers": {
    "x": { "command": "{SERVER}", "args": ["{CODE}"], "env": { "TOKEN": "${TOKEN}" }, "timeout": 9000 }
  }
}
"#;

fn local(home: &Home) -> Value {
    let project = home.project().to_str().unwrap().replace('/', "~1");
    entry(&home.read(".claude.json"), &format!("/projects/{project}/mcpServers"))
}

#[test]
fn a_local_entry_hides_a_shared_one_and_carries_its_command() {
    let home = Home::new();
    home.write("project/.mcp.json", SHARED);
    home.write(".claude.json", "{\n  \"numStartups\": 1\n}\n");
    let before = home.everything();
    let document = home.document(&["wire", "x", "--yes"], 0);
    assert_eq!((&document["changes"][0]["how"], &document["changes"][0]["scope"]), (&"shadow".into(), &"local".into()));
    assert_eq!(home.read("project/.mcp.json"), home.filled(SHARED));
    let hiding = &local(&home)["x"];
    assert_eq!((&hiding["env"]["TOKEN"], &hiding["timeout"]), (&"${TOKEN}".into(), &9000.into()));
    home.serves(&words(hiding));
    // The hidden one is not wired on top of it, and the hiding one is no source of a command.
    let again = home.document(&["wire", "--all", "--yes"], 0);
    assert_eq!(again["changes"].as_array().map(Vec::len), Some(0), "{again}");
    let reasons: Vec<_> =
        again["left"].as_array().unwrap().iter().map(|left| left["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["already", "hidden"]);
    let _ = home.run(&["unwire", "x", "--yes"]).with_status(0);
    assert_eq!(home.everything(), before);
}

#[test]
fn values_are_not_copied_into_another_file() {
    let home = Home::new();
    let text = SHARED.replace("${TOKEN}", "hunter2hunter2");
    home.write("project/.mcp.json", &text);
    home.write(".claude.json", "{}");
    let before = home.everything();
    let report = home.run(&["wire", "x", "--yes"]).with_status(1);
    assert!(report.stdout.contains("has values in its env (TOKEN)"), "{report:?}");
    assert!(!report.stdout.contains("hunter2") && !report.stderr.contains("hunter2"), "{report:?}");
    assert_eq!(home.everything(), before);
}

#[test]
fn others_files_that_a_project_shares_are_changed_on_purpose_only() {
    let home = Home::new();
    home.write("project/.cursor/mcp.json", super::TWO);
    let before = home.everything();
    let left = home.document(&["wire", "files", "--yes"], 1);
    assert_eq!(left["left"][0]["reason"], "shared", "{left}");
    assert_eq!(home.everything(), before);
    let _ = home.run(&["wire", "files", "--scope", "project", "--yes"]).with_status(0);
    home.serves(&words(&entry(&home.read("project/.cursor/mcp.json"), "/mcpServers/files")));
}

#[test]
fn all_readers_of_a_file_are_named() {
    let home = Home::new();
    home.write("project/.mcp.json", SHARED);
    let report = home.run(&["wire", "x", "--scope", "project", "--dry-run"]).with_status(0);
    assert!(report.stdout.contains("read this file too") && report.stdout.contains("Cursor"), "{}", report.stdout);
}
