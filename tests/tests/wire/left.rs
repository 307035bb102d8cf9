//! What is left alone, and what is refused.

use super::{Home, TWO};

#[test]
fn each_with_its_reason() {
    let home = Home::new();
    home.write(
        ".claude.json",
        r#"{"mcpServers": {
            "far": {"type": "http", "url": "https://example.com/mcp?key=hunter2hunter2"},
            "near": {"type": "http", "url": "http://127.0.0.1:9/mcp"},
            "bridge": {"command": "npx", "args": ["-y", "mcp-remote", "https://example.com/mcp"]},
            "installed": {"command": "uvx", "args": ["mcp-server-fetch"]},
            "wired": {"command": "mcp-twin", "args": ["run", "--", "{SERVER}", "{CODE}"]},
            "gone": {"command": "/nowhere/mcp-twin", "args": ["run", "--", "{SERVER}", "{CODE}"]},
            "off": {"command": "{SERVER}", "args": ["{CODE}"]}
        }, "projects": {"{PROJECT}": {"disabledMcpServers": ["off"]}}}"#,
    );
    home.write(
        ".claude/plugins/cache/market/plugin/1.0.0/.mcp.json",
        r#"{"mcpServers": {"plugged": {"command": "{SERVER}", "args": ["{CODE}"]}}}"#,
    );
    let before = home.everything();
    let document = home.document(&["wire", "--all", "--yes"], 0);
    assert_eq!(home.everything(), before);
    let mut reasons: Vec<(String, String)> = document["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| (left["server"].as_str().unwrap().to_owned(), left["reason"].as_str().unwrap().to_owned()))
        .collect();
    reasons.sort_unstable();
    let expected = [
        ("bridge", "bridge"),
        ("far", "remote"),
        ("gone", "moved"),
        ("installed", "nothing_to_reload"),
        ("near", "unrecorded"),
        ("off", "disabled"),
        ("plugged", "plugin"),
        ("wired", "already"),
    ];
    assert_eq!(reasons, expected.map(|(server, reason)| (server.to_owned(), reason.to_owned())));
    assert!(!document.to_string().contains("hunter2"), "{document}");
    // Named outright, what is installed gets a front all the same.
    assert_eq!(home.document(&["wire", "installed", "--dry-run"], 0)["changes"][0]["outcome"], "planned");
    let _ = home.run(&["wire", "far", "--yes"]).with_status(1);
    let _ = home.run(&["wire", "wired", "--yes"]).with_status(0);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let home = Home::new();
    let text = r#"{"mcpServers": {"x": {"command": "a"}, "x": {"command": "{SERVER}", "args": ["{CODE}"]}}}"#;
    home.write(".cursor/mcp.json", text);
    let before = home.everything();
    let report = home.run(&["wire", "x", "--yes"]).with_status(3);
    assert!(format!("{report:?}").contains("stands here a second time"), "{report:?}");
    assert_eq!(home.everything(), before);
    let document = home.document(&["wire", "--all", "--yes"], 3);
    assert_eq!(document["refused"][0]["error"]["code"], "wire::duplicate_key", "{document}");
}

#[test]
fn a_file_that_cannot_be_written_says_so_and_the_others_are_wired() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.write(".cursor/mcp.json", TWO);
    home.write(".gemini/settings.json", r#"{"mcpServers": {"gem": {"command": "{SERVER}", "args": ["{CODE}"]}}}"#);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    let document = home.document(&["wire", "--all", "--yes"], 3);
    let text = document.to_string();
    assert!(text.contains("wiring::read_only"), "{document}");
    assert!(home.read(".gemini/settings.json").contains("mcp-twin"), "{document}");
    assert_eq!(home.read(".cursor/mcp.json"), home.filled(TWO));
}

#[test]
fn an_unknown_name_is_corrected() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let report = home.run(&["wire", "fils", "--yes"]).with_status(2);
    assert!(report.stderr.contains("mcp-twin wire files"), "{report:?}");
    assert!(report.stderr.contains("files, mail"), "{report:?}");
    let report = home.run(&["wire", "--client", "cursr", "--all"]).with_status(2);
    assert!(report.stderr.contains("did you mean cursor?"), "{report:?}");
}

#[test]
fn nothing_configured_and_nothing_wired_is_no_failure() {
    let home = Home::new();
    let report = home.run(&["wire", "--all", "--yes"]).with_status(0);
    assert!(report.stdout.contains("No MCP server is configured"), "{report:?}");
    let report = home.run(&["unwire", "--all", "--yes"]).with_status(0);
    assert_eq!(report.stdout, "Nothing is wired.\n");
    let report = home.run(&["unwire", "x", "--yes"]).with_status(0);
    assert_eq!(report.stdout, "Nothing is wired.\n");
}

#[test]
fn a_server_that_is_reached_here_gets_the_address_of_its_front() {
    let home = Home::new();
    home.write(".cursor/mcp.json", r#"{"mcpServers": {"web": {"url": "http://127.0.0.1:9/mcp"}}}"#);
    let code = home.filled("{CODE}");
    let before = home.everything();
    // A front must not outlive the test, whatever happens.
    struct Front<'a>(&'a Home);
    impl Drop for Front<'_> {
        fn drop(&mut self) {
            let _ = self.0.run(&["stop", "web"]);
        }
    }
    let front = Front(&home);
    let server = ["--", env!("CARGO_BIN_EXE_tiny-server"), &code];
    let start = [&["start", "web", "--json", "--stdio", "--listen", "127.0.0.1:0"], &server[..]].concat();
    let started = home.run(&start).with_status(0).values().pop().unwrap();
    let url = started["front"]["url"].as_str().unwrap().to_owned();
    let _ = home.run(&["wire", "web", "--yes"]).with_status(0);
    assert_eq!(super::entry(&home.read(".cursor/mcp.json"), "/mcpServers/web/url"), url);
    assert_eq!(home.document(&["wire", "web", "--yes"], 0)["left"][0]["reason"], "already");
    let _ = home.run(&["unwire", "web", "--yes"]).with_status(0);
    let pid = u32::try_from(started["front"]["front_pid"].as_u64().unwrap()).unwrap();
    drop(front);
    mcp_twin_tests::process::gone(pid);
    assert_eq!(home.everything(), before);
}
