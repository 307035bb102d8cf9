//! Names that meet, and entries that are one server.

use super::Disk;
use crate::detect::{
    Client, Configuration, Inventory, Scope, detect, detect_in, detect_mcp_servers, extract_script_path,
};

const USER: &str = r#"{"mcpServers": {"dup": {"command": "python", "args": ["/u.py"]}, "alone": {"command": "uvx", "args": ["x"]}},
    "projects": {"/home/dana/code": {"mcpServers": {"dup": {"command": "python", "args": ["/l.py"]}},
        "disabledMcpServers": ["alone"], "disabledMcpjsonServers": ["off"]},
        "/elsewhere": {"mcpServers": {"other": {"command": "x"}}}}}"#;
const PROJECT: &str = r#"{"mcpServers": {"dup": {"command": "python", "args": ["p.py"]}, "off": {"command": "python", "args": ["o.py"]}}}"#;

fn of<'a>(inventory: &'a Inventory, client: &'a str) -> impl Iterator<Item = &'a Configuration> {
    inventory.files.iter().filter(move |file| file.source.client.id() == client)
}

/// `scope name flags…`, with `-` before what does not count and `!` before what is off.
fn told(inventory: &Inventory, client: &str) -> Vec<String> {
    of(inventory, client)
        .flat_map(|file| file.parsed.servers.iter())
        .map(|server| {
            let hidden = if server.hidden { "-" } else { "" };
            let off = if server.enabled { "" } else { "!" };
            let flags: Vec<_> = server.flags.iter().map(ToString::to_string).collect();
            format!("{hidden}{off}{} {} {}", server.scope, server.name, flags.join(" ")).trim().to_owned()
        })
        .collect()
}

#[test]
fn claude_code_local_beats_project_beats_user() {
    // What is local is keyed by the root of the repository.
    let disk = Disk::new().with("~/code/.git", "").with("~/.claude.json", USER).with("@/.mcp.json", PROJECT);
    let inventory = detect(&disk.machine());
    assert_eq!(
        told(&inventory, "claude-code"),
        [
            "local dup scope:local shadows:project shadows:user",
            "-project dup scope:project",
            "!project off",
            "-user dup scope:user",
            "!user alone scope:user",
        ]
    );
    let local = of(&inventory, "claude-code").find(|file| file.source.scope == Scope::Local).unwrap();
    assert_eq!(local.parsed.servers_key, "projects./home/dana/code.mcpServers");
}

#[test]
fn a_managed_file_hides_all_others() {
    let disk = Disk::new()
        .with("/etc/claude-code/managed-mcp.json", r#"{"mcpServers": {"m": {"command": "m"}}}"#)
        .with("~/.claude.json", USER)
        .with("@/.cursor/mcp.json", PROJECT);
    let inventory = detect(&disk.machine());
    let counted = |client: &str| told(&inventory, client).iter().filter(|line| !line.starts_with('-')).count();
    assert_eq!((counted("claude-code"), counted("cursor")), (1, 2));
}

#[test]
fn the_nearest_file_and_the_project_win_elsewhere_too() {
    let text = r#"{"mcpServers": {"a": {"command": "a"}}}"#;
    let disk = Disk::new()
        .with("~/.cursor/mcp.json", text)
        .with("@/.cursor/mcp.json", text)
        .with("~/code/.cursor/mcp.json", text);
    assert_eq!(
        told(&detect(&disk.machine()), "cursor"),
        [
            "project a scope:project shadows:project shadows:user",
            "-project a scope:project",
            // It lies above the project too, and is there once.
            "-user a scope:user",
        ]
    );
    let gemini = r#"{"mcpServers": {"a": {"command": "a"}}}"#;
    let disk = Disk::new().with("/etc/gemini-cli/settings.json", gemini).with("@/.gemini/settings.json", gemini);
    assert_eq!(
        told(&detect(&disk.machine()), "gemini-cli"),
        ["system a scope:system shadows:project", "-project a scope:project"]
    );
}

#[test]
fn one_server_in_several_clients() {
    let same = r#"{"command": "node", "args": ["/s.js"], "env": {"B": "1", "A": "2"}}"#;
    let turned = r#"{"command": "node", "args": ["/s.js"], "env": {"A": "other", "B": "values"}}"#;
    let other = r#"{"command": "node", "args": ["/s.js"]}"#;
    let disk = Disk::new()
        .with("~/.cursor/mcp.json", &format!("{{\"mcpServers\": {{\"one\": {same}, \"two\": {other}}}}}"))
        .with("~/.lmstudio/mcp.json", &format!("{{\"mcpServers\": {{\"uno\": {turned}}}}}"));
    let inventory = detect(&disk.machine());
    let groups: Vec<_> = inventory.servers.iter().map(|server| (server.name.as_str(), server.places.len())).collect();
    assert_eq!(groups, [("one", 2), ("two", 1)]);
    let (source, server) = inventory.entry(inventory.servers[0].places[1]).unwrap();
    assert_eq!((source.client.id(), server.name.as_str()), ("lm-studio", "uno"));
    // The folder makes a difference.
    let disk = Disk::new().with(
        "~/.cursor/mcp.json",
        r#"{"mcpServers": {"a": {"command": "x", "cwd": "/a"}, "b": {"command": "x", "cwd": "/b"}}}"#,
    );
    assert_eq!(detect(&disk.machine()).servers.len(), 2);
}

#[test]
fn one_file_with_several_readers() {
    let disk = Disk::new().with("@/.mcp.json", PROJECT);
    let inventory = detect(&disk.machine());
    let path = std::path::PathBuf::from(super::PROJECT).join(".mcp.json");
    let readers: Vec<_> = inventory.readers(&path).map(Client::id).collect();
    for client in ["claude-code", "copilot-cli", "vscode", "visual-studio", "cursor", "qwen-code", "air"] {
        assert!(readers.contains(&client), "{client} is not among {readers:?}");
    }
    assert_eq!(inventory.servers.len(), 2, "for all its readers, it holds two servers");
    assert_eq!(inventory.servers[0].places.len(), readers.len());
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_others_are_read() {
    let disk = Disk::new().with("~/.cursor/mcp.json", "(no permission)").with("~/.lmstudio/mcp.json", PROJECT);
    let inventory = detect(&disk.machine());
    let error = of(&inventory, "cursor").find_map(|file| file.parsed.error.clone()).unwrap();
    assert_eq!(error.code(), "detect::parse::unreadable");
    assert!(error.to_string().contains("permission denied"));
    assert_eq!(told(&inventory, "lm-studio").len(), 2);
    let only = Client::named("cursor").unwrap().sources(&disk.machine());
    assert_eq!(detect_in(&disk.machine(), only).files.len(), 1);
}

#[test]
fn the_short_form() {
    let disk =
        Disk::new().with("~/code/.git", "").with("~/.claude.json", USER).with("@/.mcp.json", PROJECT).with("/l.py", "");
    let servers = detect_mcp_servers(&disk.machine());
    let json = serde_json::to_value(servers.iter().find(|server| server.name == "dup").unwrap()).unwrap();
    assert_eq!(json, serde_json::json!({"name": "dup", "command": "python", "args": ["/l.py"], "scriptPath": "/l.py"}));
    assert!(servers.iter().all(|server| server.name != "alone"), "it is switched off");
    let args = ["x.py".to_owned()];
    assert_eq!(extract_script_path("python", &args, "/p".as_ref(), &disk), Some("/p/x.py".into()));
    assert_eq!(extract_script_path("uvx", &args[..0], "/p".as_ref(), &disk), None);
}

#[test]
fn a_plugin_may_name_the_file_of_its_servers() {
    let root = "~/.claude/plugins/cache/market/tools/1.2.0";
    let manifest = |file: &str| format!("{{\"name\": \"tools\", \"mcpServers\": \"{file}\"}}");
    let servers = r#"{"a": {"command": "node", "args": ["${CLAUDE_PLUGIN_ROOT}/a.js"]}}"#;
    let disk = |file: &str| {
        Disk::new()
            .with(&format!("{root}/.claude-plugin/plugin.json"), &manifest(file))
            .with(&format!("{root}/conf/mcp.json"), servers)
            .with("~/outside.json", servers)
    };
    let found = disk("./conf/mcp.json");
    assert_eq!(told(&detect(&found.machine()), "claude-code"), ["plugin a plugin-owned"]);
    let outside = disk("../../../../../../outside.json");
    assert_eq!(told(&detect(&outside.machine()), "claude-code"), Vec::<String>::new());
}
