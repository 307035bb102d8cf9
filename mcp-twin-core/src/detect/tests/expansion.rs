//! References to variables, each client by its own rules.

use super::{Disk, HOME, PROJECT};
use crate::detect::Os;

/// The second word of a command that a client's file holds, and its flags.
fn word(disk: &Disk, client: &str, at: &str, text: &str) -> (String, Vec<String>) {
    let entry = match client {
        "codex" => format!("[mcp_servers.s]\ncommand = \"run\"\nargs = ['{text}']\n"),
        "goose" => format!("extensions:\n  s:\n    type: stdio\n    cmd: run\n    args: ['{text}']\n"),
        "continue" => format!("mcpServers:\n  - name: s\n    command: run\n    args: ['{text}']\n"),
        "opencode" => format!("{{\"mcp\": {{\"s\": {{\"type\": \"local\", \"command\": [\"run\", \"{text}\"]}}}}}}"),
        "vscode" => format!("{{\"servers\": {{\"s\": {{\"command\": \"run\", \"args\": [\"{text}\"]}}}}}}"),
        "crush" => format!("{{\"mcp\": {{\"s\": {{\"command\": \"run\", \"args\": [\"{text}\"]}}}}}}"),
        _ => format!("{{\"mcpServers\": {{\"s\": {{\"command\": \"run\", \"args\": [\"{text}\"]}}}}}}"),
    };
    let parsed = disk.read(client, at, &entry);
    let server = parsed.servers.first().unwrap_or_else(|| panic!("{client}: {parsed:?}"));
    let flags = server.flags.iter().map(ToString::to_string).collect();
    (server.argv[1].clone(), flags)
}

#[test]
fn each_client_replaces_what_it_knows_and_nothing_else() {
    let disk = Disk::new().env(&[("X", "v"), ("EMPTY", "")]);
    let places = [
        ("claude-code", "@/.mcp.json"),
        ("claude-desktop", "~/.config/Claude/claude_desktop_config.json"),
        ("cursor", "@/.cursor/mcp.json"),
        ("vscode", "@/.vscode/mcp.json"),
        ("gemini-cli", "~/.gemini/settings.json"),
        ("opencode", "~/.config/opencode/opencode.json"),
        ("codex", "~/.codex/config.toml"),
        ("goose", "~/.config/goose/config.yaml"),
        ("continue", "~/.continue/config.yaml"),
        ("kiro", "~/.kiro/settings/mcp.json"),
        ("crush", "~/.config/crush/crush.json"),
    ];
    let rows: [(&str, &[(&str, &str)]); 9] = [
        (
            "a${X}b",
            &[("claude-code", "avb"), ("gemini-cli", "avb"), ("kiro", "avb"), ("goose", "avb"), ("crush", "avb")],
        ),
        ("${X:-d}", &[("claude-code", "v"), ("gemini-cli", "v"), ("crush", "v")]),
        ("${Y:-d}", &[("claude-code", "d"), ("gemini-cli", "d"), ("crush", "d")]),
        ("${Y:-}", &[("claude-code", ""), ("gemini-cli", ""), ("crush", "")]),
        ("${env:X}", &[("cursor", "v"), ("vscode", "v")]),
        ("$X", &[("gemini-cli", "v"), ("goose", "v"), ("crush", "v")]),
        ("{env:X}/{env:X}", &[("opencode", "v/v")]),
        ("${workspaceFolder}${/}x", &[("cursor", "/home/dana/code/demo/x"), ("vscode", "/home/dana/code/demo/x")]),
        ("${CLAUDE_PROJECT_DIR}", &[("claude-code", PROJECT)]),
    ];
    for (text, known) in rows {
        for (client, at) in places {
            let expected = known.iter().find(|(name, _)| *name == client).map_or(text, |(_, value)| value);
            assert_eq!(word(&disk, client, at, text).0, expected, "{client}: {text}");
        }
    }
    assert_eq!(word(&disk, "vscode", "@/.vscode/mcp.json", "${userHome}").0, HOME);
    assert_eq!(word(&disk, "vscode", "@/.vscode/mcp.json", "${workspaceFolderBasename}").0, "demo");
}

#[test]
fn what_cannot_be_resolved_stays_and_is_said() {
    let disk = Disk::new().env(&[("EMPTY", "")]);
    let claude = |text: &str| word(&disk, "claude-code", "@/.mcp.json", text);
    assert_eq!(claude("${Y}"), ("${Y}".to_owned(), vec!["unset-var:Y".to_owned()]));
    assert_eq!(claude("${EMPTY}"), ("${EMPTY}".to_owned(), vec!["unset-var:EMPTY".to_owned()]));
    assert_eq!(claude("${no name}${").0, "${no name}${");
    assert_eq!(claude("${no name}${").1, Vec::<String>::new());
    let vscode = |text: &str| word(&disk, "vscode", "@/.vscode/mcp.json", text);
    assert_eq!(vscode("${input:tok}"), ("${input:tok}".to_owned(), vec!["needs-input:tok".to_owned()]));
    assert_eq!(vscode("${config:a.b}").0, "${config:a.b}");
    assert_eq!(vscode("${env:Y}").1, ["unset-var:Y"]);
    assert_eq!(word(&disk, "continue", "~/.continue/config.yaml", "${{ secrets.K }}").1, ["needs-input:K"]);
    // A dollar before a word need not be a reference.
    let gemini = word(&disk, "gemini-cli", "~/.gemini/settings.json", "$5 and $Y");
    assert_eq!(gemini, ("$5 and $Y".to_owned(), vec![]));
    let nobody = Disk::new().without_project();
    let user = word(&nobody, "vscode", "~/.config/Code/User/mcp.json", "${workspaceFolder}/x.py");
    assert_eq!(user.0, "${workspaceFolder}/x.py");
}

#[test]
fn a_secret_is_not_put_into_words() {
    let disk = Disk::new().env(&[("API_TOKEN", "hush"), ("my_key", "hush"), ("KEYBOARD", "de")]);
    let claude = |text: &str| word(&disk, "claude-code", "@/.mcp.json", text);
    for text in ["${API_TOKEN}", "--key=${my_key}", "${API_TOKEN:-none}"] {
        assert_eq!(claude(text), (text.to_owned(), vec![]));
    }
    assert_eq!(claude("${KEYBOARD}").0, "de");
}

#[test]
fn percent_signs_count_in_variables_on_windows_only() {
    let text = r#"{"mcpServers": {"s": {"command": "node", "args": ["%P%"], "env": {"PORT": "%P%", "B": "100%"}}}}"#;
    for (os, port) in [(Os::Windows, true), (Os::Linux, false)] {
        let disk = Disk::new().os(os).env(&[("P", "8931")]);
        let parsed = disk.read("gemini-cli", "~/.gemini/settings.json", text);
        let server = &parsed.servers[0];
        assert_eq!(server.argv[1], "%P%");
        assert_eq!(server.all_flags().contains(&"fixed-port:8931".to_owned()), port, "{os:?}");
    }
}

#[test]
fn an_extension_of_gemini_knows_its_folder() {
    let at = "~/.gemini/extensions/e/gemini-extension.json";
    let text =
        r#"{"mcpServers": {"s": {"command": "node", "args": ["${extensionPath}${/}s.js", "${workspacePath}"]}}}"#;
    let parsed = Disk::new().with(at, text).read("gemini-cli", at, text);
    assert_eq!(parsed.servers[0].argv[1..], ["/home/dana/.gemini/extensions/e/s.js", PROJECT]);
    assert_eq!(
        word(&Disk::new(), "gemini-cli", "~/.gemini/settings.json", "${extensionPath}").1,
        ["unset-var:extensionPath"]
    );
}

#[test]
fn a_plugin_knows_its_own_folders() {
    let at = "~/.claude/plugins/cache/market/tools/1.2.0/.mcp.json";
    let text = r#"{"s": {"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/s.js", "${CLAUDE_PLUGIN_DATA}"]}}"#;
    let disk = Disk::new().with(at, text);
    let parsed = disk.read("claude-code", at, text);
    assert_eq!(parsed.servers_key, "");
    let argv = &parsed.servers[0].argv;
    assert_eq!(argv[1], "/home/dana/.claude/plugins/cache/market/tools/1.2.0/s.js");
    assert_eq!(argv[2], "/home/dana/.claude/plugins/data/tools-market");
    assert_eq!(parsed.servers[0].twin(), "skip");
    assert!(parsed.servers[0].all_flags().contains(&"plugin-owned".to_owned()));
}
