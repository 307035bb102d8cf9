//! What people see of an edit, and what they never see.

use super::super::diff;
use super::*;

const SECRET: &str = "hunter2hunter2";

#[test]
fn the_lines_around_an_edit_without_their_secrets() {
    let text = r#"{
  "oauthAccount": "hunter2hunter2",
  "mcpServers": {
    "b": {"command": "x", "env": {"K": "hunter2hunter2"}}, // "K": "hunter2hunter2"
    // the next one
    "a": {
      "type": "stdio",
      "headers": {"Authorization": "Bearer hunter2hunter2"},
      "apiToken": "hunter2hunter2",
      "env": {
        "API_KEY": "hunter2hunter2"
      },
      "command": "node",
      "args": ["s.js", "--port", "3000", "--api-key", "hunter2hunter2", "--token=hunter2hunter2", "-e", "K=hunter2hunter2",
        "https://u:hunter2hunter2@host/mcp?key=hunter2hunter2"],
      "code": 12345678
    },
    "c": {"headers": {"X": "hunter2hunter2"}, "args": ["hunter2hunter2"]}
  }
}
"#;
    let text = text.replace("the next one", "hunter2hunter2=1 for the next one");
    let wired = wired(&text, &site(Syntax::Jsonc, "mcpServers/a", WORDS), &run());
    let forth = diff(text.as_bytes(), &wired.text, &wired.undo, "mcp.json");
    let back = diff(&wired.text, text.as_bytes(), &wired.undo, "mcp.json");
    assert!(!forth.contains(SECRET) && !back.contains(SECRET), "{forth}");
    insta::assert_snapshot!(forth);
}

#[test]
fn the_same_in_the_other_syntaxes() {
    let toml = "# K=hunter2hunter2\n[mcp_servers.a]\nenv = { K = \"hunter2hunter2\" }\nhttp_headers = { K = '''\nhunter2hunter2\n''' }\ncommand = \"node\"\n";
    let yaml = "# K: hunter2hunter2\nextensions:\n  a:\n    envs:\n      K: |\n        hunter2hunter2\n      L: hunter2hunter2\n    cmd: node # K=hunter2hunter2\n    headers: {K: hunter2hunter2}\n";
    let list = "mcpServers:\n- name: a\n  command: node\n  env: {K: hunter2hunter2}\n- name: b\n  env: {K: 'hunter2hunter2'}\n";
    let mut made = String::new();
    for (syntax, text, at, shape) in [
        (Syntax::Toml, toml, "mcp_servers/a", WORDS),
        (Syntax::Yaml, yaml, "extensions/a", Shape::Words { command: "cmd" }),
        (Syntax::Yaml, list, "mcpServers/0", WORDS),
    ] {
        let wired = wired(text, &site(syntax, at, shape), &run());
        made.push_str(&diff(text.as_bytes(), &wired.text, &wired.undo, "config"));
    }
    assert!(!made.contains(SECRET), "{made}");
    insta::assert_snapshot!(made);
}

#[test]
fn what_is_kept_for_the_way_back_holds_no_values() {
    let text = "{\"m\": {\"a\": {\"command\": \"node\", \"args\": [\"--token\", \"hunter2hunter2\"], \"env\": {\"K\": \"hunter2hunter2\"}}}}";
    let wired = wired(text, &site(Syntax::Json, "m/a", WORDS), &run());
    let kept = serde_json::to_string(&wired.undo).unwrap();
    assert!(!kept.contains(SECRET), "{kept}");
    let address = "{\"m\": {\"a\": {\"url\": \"http://h/?k=hunter2hunter2\"}}}";
    let to = Change::Address { url: "http://x".to_owned() };
    let wired = super::wired(address, &site(Syntax::Json, "m/a", Shape::Url { url: "url" }), &to);
    assert!(!format!("{:?}", wired.undo).contains(SECRET), "{:?}", wired.undo);
}

#[test]
fn text_that_cannot_be_read_is_not_shown() {
    let text = "{\"m\": {\"a\": {\"command\": \"node\"}}}";
    let wired = wired(text, &site(Syntax::Json, "m/a", WORDS), &run());
    let shown = diff(text.as_bytes(), b"{\"m\": hunter2hunter2", &wired.undo, "mcp.json");
    assert_eq!(shown, "mcp.json: not shown, since it cannot be read without its secrets\n");
}
