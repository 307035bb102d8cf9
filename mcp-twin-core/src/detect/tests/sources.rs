//! Where files are looked for.

use super::Disk;
use crate::detect::{Client, Mark, Os, Scope, Source, sources};
use std::collections::BTreeSet;

fn paths(disk: &Disk, client: &str) -> Vec<String> {
    let sources = Client::named(client).unwrap().sources(&disk.machine());
    sources.iter().map(|source| source.path.to_string_lossy().into_owned()).collect()
}

fn has(disk: &Disk, client: &str, path: &str) -> bool {
    let found = paths(disk, client);
    found.iter().any(|found| found == path)
}

#[test]
fn ids_are_unique_and_every_client_has_files_on_every_system() {
    let mut ids = BTreeSet::new();
    for client in Client::all() {
        assert!(ids.insert(client.id()), "{client} is there twice");
        assert_eq!(Client::named(client.id()), Some(client));
        let plain = |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(plain(client.id()), "{}", client.id());
        for disk in [Disk::new(), Disk::new().os(Os::Macos), Disk::windows()] {
            assert!(!client.sources(&disk.machine()).is_empty(), "{client}");
        }
    }
    assert_eq!(Client::named("claude"), Client::named("claude-code"));
    assert_eq!(Client::named("no such client"), None);
}

#[test]
fn folders_of_the_three_systems() {
    let (linux, mac, windows) = (Disk::new(), Disk::new().os(Os::Macos), Disk::windows());
    for (disk, client, path) in [
        (&linux, "claude-desktop", "/home/dana/.config/Claude/claude_desktop_config.json"),
        (&mac, "claude-desktop", "/home/dana/Library/Application Support/Claude/claude_desktop_config.json"),
        (&windows, "claude-desktop", r"C:\Users\dana\AppData\Roaming\Claude\claude_desktop_config.json"),
        (&linux, "vscode", "/home/dana/.config/Code/User/mcp.json"),
        (&mac, "vscode", "/home/dana/Library/Application Support/Code/User/mcp.json"),
        (&windows, "vscode", r"C:\Users\dana\AppData\Roaming\Code\User\mcp.json"),
        (&windows, "vscode", r"C:\code\demo\.vscode\mcp.json"),
        (&windows, "goose", r"C:\Users\dana\AppData\Roaming\Block\goose\config\config.yaml"),
        (&mac, "goose", "/home/dana/.config/goose/config.yaml"),
        (&windows, "gemini-cli", r"C:\ProgramData\gemini-cli\settings.json"),
        (&windows, "claude-code", r"C:\Program Files\ClaudeCode\managed-mcp.json"),
        (&mac, "zed", "/home/dana/.config/zed/settings.json"),
        (&windows, "crush", r"C:\Users\dana\AppData\Local\crush\crush.json"),
        (&mac, "amp", "/home/dana/.config/amp/settings.json"),
        (
            &windows,
            "roo-code",
            r"C:\Users\dana\AppData\Roaming\Code\User\globalStorage\rooveterinaryinc.roo-cline\settings\mcp_settings.json",
        ),
    ] {
        assert!(has(disk, client, path), "{client}: {path} is not among {:?}", paths(disk, client));
    }
    assert!(!has(&mac, "claude-code", "/etc/claude-code/managed-mcp.json"));
}

#[test]
fn variables_move_folders() {
    let disk = Disk::new().env(&[
        ("CLAUDE_CONFIG_DIR", "/cc"),
        ("XDG_CONFIG_HOME", "/xdg"),
        ("CODEX_HOME", "~/cx"),
        ("OPENCODE_CONFIG", "/oc.json"),
        ("GEMINI_CLI_SYSTEM_SETTINGS_PATH", "/g.json"),
        ("MCP_CATALOG_PATH", "/cat.json"),
    ]);
    for (client, path) in [
        ("claude-code", "/cc/.claude.json"),
        ("goose", "/xdg/goose/config.yaml"),
        ("codex", "/home/dana/cx/config.toml"),
        ("opencode", "/oc.json"),
        ("gemini-cli", "/g.json"),
        ("mcp-inspector", "/cat.json"),
    ] {
        assert!(has(&disk, client, path), "{client}: {path}");
    }
    assert!(!paths(&Disk::new(), "opencode").iter().any(|path| path.contains("oc.json")));
    // On Windows too.
    let windows = Disk::windows().env(&[("APPDATA", r"D:\Roaming")]);
    assert!(has(&windows, "claude-desktop", r"D:\Roaming\Claude\claude_desktop_config.json"));
}

#[test]
fn folders_above_the_project_count_where_their_client_looks() {
    let disk = Disk::new()
        .with("~/.mcp.json", "{}")
        .with("~/code/.mcp.json", "{}")
        .with("~/code/opencode.json", "{}")
        .with("~/opencode.json", "{}")
        .with("~/code/.git", "");
    let project: Vec<_> = Client::named("claude-code")
        .unwrap()
        .sources(&disk.machine())
        .into_iter()
        .filter(|source| source.scope == Scope::Project)
        .map(|source| source.path)
        .collect();
    // The nearest first; its own is listed though it is not there.
    assert_eq!(
        project,
        ["/home/dana/code/demo/.mcp.json", "/home/dana/code/.mcp.json", "/home/dana/.mcp.json"]
            .map(Into::<std::path::PathBuf>::into)
    );
    assert!(has(&disk, "opencode", "/home/dana/code/opencode.json"));
    assert!(!has(&disk, "opencode", "/home/dana/opencode.json"), "beyond the repository");
    let nowhere = Disk::new().with("~/.mcp.json", "{}").without_project();
    let scopes: BTreeSet<_> = sources(&nowhere.machine()).iter().map(|source| source.scope).collect();
    assert!(
        !scopes.contains(&Scope::Project)
            || paths(&nowhere, "claude-code").iter().all(|path| !path.ends_with("/.mcp.json"))
    );
}

#[test]
fn patterns_stand_for_what_is_there() {
    let disk = Disk::new()
        .with("~/.config/Code/User/profiles/-1a/mcp.json", "{}")
        .with("~/.config/Code/User/profiles/2b/settings.json", "{}")
        .with("@/.continue/mcpServers/x.yaml", "")
        .with("@/.continue/mcpServers/y.json", "")
        .with("@/.continue/mcpServers/z.txt", "")
        .with("@/team.code-workspace", "{}")
        .with("~/.gemini/extensions/e/gemini-extension.json", "{}")
        .with("~/.codex/work.config.toml", "")
        .with("~/.kiro/agents/helper.json", "{}");
    assert!(has(&disk, "vscode", "/home/dana/.config/Code/User/profiles/-1a/mcp.json"));
    assert!(!has(&disk, "vscode", "/home/dana/.config/Code/User/profiles/2b/mcp.json"));
    assert!(has(&disk, "vscode", "/home/dana/code/demo/team.code-workspace"));
    let own: Vec<_> = paths(&disk, "continue").into_iter().filter(|path| path.starts_with(super::PROJECT)).collect();
    assert_eq!(
        own,
        ["/home/dana/code/demo/.continue/mcpServers/x.yaml", "/home/dana/code/demo/.continue/mcpServers/y.json"]
    );
    assert!(has(&disk, "gemini-cli", "/home/dana/.gemini/extensions/e/gemini-extension.json"));
    assert!(has(&disk, "codex", "/home/dana/.codex/work.config.toml"));
    assert!(!has(&disk, "codex", "/home/dana/.codex/*.config.toml"));
    assert!(has(&disk, "kiro", "/home/dana/.kiro/agents/helper.json"));
}

#[test]
fn only_what_is_known_well_is_rewritten_unasked() {
    let disk = Disk::new().with("~/.claude/plugins/cache/m/p/1/.mcp.json", "{}");
    let rewritable = |client: &str, at: &str| disk.source(client, at).rewritable();
    assert!(rewritable("claude-code", "@/.mcp.json"));
    assert!(rewritable("cursor", "~/.cursor/mcp.json"));
    assert!(!rewritable("claude-code", "/etc/claude-code/managed-mcp.json"));
    assert!(!rewritable("claude-code", "~/.claude/plugins/cache/m/p/1/.mcp.json"));
    assert!(!rewritable("vscode", "~/.config/Code/User/settings.json"));
    assert!(!rewritable("5ire", "~/.config/5ire/mcp.json"));
    assert!(!rewritable("boltai", "~/.boltai/mcp.json"));
    // A mark that a row does not state is that of its client.
    assert_eq!(disk.source("claude-desktop", "~/.config/Claude/claude_desktop_config.json").mark, Mark::ThirdParty);
    assert_eq!(disk.source("codex", "~/.codex/config.toml").mark, Mark::Run);
}

#[test]
fn a_file_that_is_named_is_read_in_the_client_s_way() {
    let disk = Disk::new();
    let named = |client: &str, scope, file: &str| {
        Source::named(Client::named(client).unwrap(), scope, file.as_ref(), &disk.machine())
    };
    let source = named("continue", Scope::Project, "/elsewhere/x.json").unwrap();
    let parsed = crate::detect::parse(&source, br#"{"mcpServers": {"a": {"command": "a"}}}"#, &disk.machine());
    assert_eq!((super::names(&parsed), parsed.servers[0].cwd.is_some()), (vec!["a"], true));
    assert!(named("boltai", Scope::Managed, "/x.json").is_none());
}
