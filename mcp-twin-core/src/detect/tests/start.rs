//! What it takes to start an entry, values included.

use super::Disk;
use crate::detect::parse;

#[test]
fn values_are_read_when_it_is_started_and_are_in_no_text() {
    let text = r#"{"mcpServers": {"a": {
        "command": "/opt/mcp-twin", "args": ["run", "--name", "a", "--", "node", "a.js", "--token", "${API_TOKEN}"],
        "env": {"API_KEY": "${API_TOKEN}", "MODE": "dev", "DEPTH": 3}, "cwd": "/srv/a"
    }, "by-name": {"command": "mcp-twin", "args": ["run", "a"]}, "remote": {"url": "https://a.example/mcp"}}}"#;
    let disk = Disk::new().env(&[("API_TOKEN", "s3cr3t")]);
    let (source, machine) = (disk.source("claude-code", "@/.mcp.json"), disk.machine());
    let parsed = parse(&source, text.as_bytes(), &machine);
    assert_eq!(parsed.servers[0].original(), ["node", "a.js", "--token", "${API_TOKEN}"]);
    let start = source.start(&parsed.servers[0], text.as_bytes(), &machine).expect("it can be started");
    assert_eq!(start.command, ["node", "a.js", "--token", "s3cr3t"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(start.env, [pair("API_KEY", "s3cr3t"), pair("MODE", "dev"), pair("DEPTH", "3")]);
    let shown = format!("{start:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("dev") && shown.contains("API_KEY"), "{shown}");
    assert_eq!(source.start(&parsed.servers[1], text.as_bytes(), &machine), None);
    assert_eq!(source.start(&parsed.servers[2], text.as_bytes(), &machine), None);
    assert_eq!(parsed.servers[1].original(), [] as [&str; 0]);
    // The entry has gone since.
    assert_eq!(source.start(&parsed.servers[0], b"{}", &machine), None);
}

#[test]
fn what_stands_behind_mcp_twin_is_read_as_if_it_stood_alone() {
    let text = r#"{"mcpServers": {"a": {"command": "mcp-twin", "args": ["run", "--", "python", "server.py"]}}}"#;
    let disk = Disk::new().with("@/server.py", "");
    let (source, machine) = (disk.source("claude-code", "@/.mcp.json"), disk.machine());
    let parsed = parse(&source, text.as_bytes(), &machine);
    let launch = parsed.servers[0].original_launch(&machine).expect("a launch");
    assert_eq!(launch.script.as_deref(), Some(std::path::Path::new("/home/dana/code/demo/server.py")));
    assert!(launch.watchable());
}
