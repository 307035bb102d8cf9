//! Values of variables and headers, and what is secret in an address, are in nothing that can be shown.

use super::Disk;
use crate::detect::detect;

const CANARY: &str = "s3cr3t";

#[test]
fn no_value_of_a_variable_or_header_can_be_printed() {
    let disk = Disk::new()
        .env(&[("MY_TOKEN", CANARY)])
        .with(
            "@/.mcp.json",
            r#"{"mcpServers": {
                "a": {"command": "node", "args": ["a.js", "${MY_TOKEN}"], "env": {"K": "s3cr3t", "T": "${MY_TOKEN}"}},
                "b": {"type": "http", "url": "https://u:s3cr3t@b.example/?key=s3cr3t#s3cr3t",
                      "headers": {"Authorization": "Bearer s3cr3t", "X": "${MY_TOKEN}"}},
                "c": {"command": "sh", "args": ["-c", "node c.js"], "env": {"K": "s3cr3t"}}}}"#,
        )
        .with("~/.codex/config.toml", "[mcp_servers.d]\nurl = 'https://d.example'\nhttp_headers = { X = 's3cr3t' }\n")
        .with("~/.config/goose/config.yaml", "extensions:\n  e: {type: stdio, cmd: e, envs: {K: s3cr3t}}\n")
        .with(
            "~/.config/opencode/opencode.json",
            r#"{"mcp": {"f": {"command": ["f"], "environment": {"K": "s3cr3t"}}}}"#,
        )
        .with("@/.cursor/mcp.json", r#"{"mcpServers": {"g": {"command": "g", "env": {"K": "s3cr3t"}}, "h": s3cr3t}}"#)
        .with("~/.gemini/settings.json", "{\"mcpServers\": {\"i\": {\"command\": \"i\", \"env\": \"s3cr3t\"}}, s3cr3t")
        .with("@/librechat.yaml", "mcpServers:\n  j: {command: j, env: [s3cr3t]}\n  k: s3cr3t: s3cr3t\n")
        .with("@/.grok/config.toml", "[mcp_servers.l]\ncommand = 'l'\nenv = { K = s3cr3t }\n");
    let inventory = detect(&disk.machine());
    assert!(inventory.files.len() >= 9, "{}", inventory.files.len());
    assert!(inventory.files.iter().filter(|file| file.parsed.error.is_some()).count() >= 4);
    let said: String =
        inventory.files.iter().filter_map(|file| Some(file.parsed.error.as_ref()?.to_string())).collect();
    for text in [format!("{inventory:#?}"), serde_json::to_string(&inventory).unwrap(), said] {
        let at = text.find(CANARY).map(|at| &text[at.saturating_sub(200)..at + 6]);
        assert_eq!(at, None, "a secret is shown");
    }
    let json = serde_json::to_value(&inventory).unwrap().to_string();
    for name in ["\"K\"", "\"Authorization\"", "\"T\"", "https://b.example/?key=***"] {
        assert!(json.contains(name), "{name} is shown");
    }
}
