//! How entries are written: one row or more for each family of clients.

use super::{Disk, names};
use crate::detect::{Parsed, Shape, Step, Transport};

/// What is said of each server, in short: `name transport argv-or-url [names] off`.
fn told(parsed: &Parsed) -> Vec<String> {
    assert_eq!(parsed.error, None);
    let one = |server: &crate::detect::Server| {
        let what = server.url.clone().unwrap_or_else(|| server.argv.join(" "));
        let names = if server.is_stdio() { &server.env_names } else { &server.header_names };
        let off = if server.enabled { "" } else { " off" };
        format!(
            "{} {} {what} [{}]{off}",
            server.name,
            format!("{:?}", server.transport).to_lowercase(),
            names.join(",")
        )
    };
    parsed.servers.iter().map(one).collect()
}

fn path(parsed: &Parsed, at: usize) -> String {
    parsed.servers[at].site.path.iter().map(Step::to_string).collect::<Vec<_>>().join(" / ")
}

#[test]
fn every_spelling_of_a_type() {
    let entries: Vec<String> = [
        "http",
        "streamable-http",
        "streamableHttp",
        "streamable_http",
        "streamable-https",
        "STREAMABLE_HTTP",
        "remote",
        "sse",
        "SSE",
        "ws",
        "websocket",
    ]
    .iter()
    .map(|spelled| format!("\"{spelled}\": {{\"type\": \"{spelled}\", \"url\": \"https://x\"}}"))
    .collect();
    let text = format!("{{\"mcpServers\": {{{}}}}}", entries.join(","));
    let parsed = Disk::new().read("claude-code", "@/.mcp.json", &text);
    let found: Vec<_> = parsed.servers.iter().map(|server| server.transport).collect();
    let expected: Vec<_> = [Transport::Http; 7]
        .into_iter()
        .chain([Transport::Sse, Transport::Sse, Transport::Ws, Transport::Ws])
        .collect();
    assert_eq!(found, expected);
    // Nobody knows what it is.
    let text = r#"{"mcpServers": {"a": {"type": "carrier-pigeon", "url": "https://x"}, "b": {"type": "sse"}}}"#;
    assert_eq!(Disk::new().read("claude-code", "@/.mcp.json", text).skipped, ["a", "b"]);
}

#[test]
fn an_address_without_a_type_is_what_its_client_takes_it_for() {
    let text = r#"{"mcpServers": {"u": {"url": "https://u"}, "w": {"url": "wss://w"}, "h": {"httpUrl": "https://h", "url": "https://u"}}}"#;
    for (client, at, transport) in [
        ("cline", "~/.cline/data/settings/cline_mcp_settings.json", Transport::Sse),
        ("gemini-cli", "~/.gemini/settings.json", Transport::Sse),
        ("qwen-code", "~/.qwen/settings.json", Transport::Sse),
        ("cursor", "~/.cursor/mcp.json", Transport::Http),
        ("lm-studio", "~/.lmstudio/mcp.json", Transport::Http),
    ] {
        let parsed = Disk::new().read(client, at, text);
        assert_eq!(parsed.servers[0].transport, transport, "{client}");
        assert_eq!(parsed.servers[1].transport, Transport::Ws, "{client}");
    }
    let parsed = Disk::new().read("gemini-cli", "~/.gemini/settings.json", text);
    assert_eq!((parsed.servers[2].transport, parsed.servers[2].url.as_deref()), (Transport::Http, Some("https://h")));
    assert_eq!(parsed.servers[2].site.shape, Shape::Url { url: "httpUrl" });
}

#[test]
fn a_type_decides_between_a_command_and_an_address() {
    let text = r#"{"mcpServers": {"a": {"type": "http", "command": "a", "url": "https://a"}, "b": {"command": "b", "url": "https://b"},
        "c": {"type": "stdio", "command": "c", "url": "https://c"}, "d": {"type": "stdio", "url": "https://d"}}}"#;
    let parsed = Disk::new().read("cursor", "~/.cursor/mcp.json", text);
    assert_eq!(told(&parsed), ["a http https://a []", "b stdio b []", "c stdio c []", "d http https://d []"]);
}

#[test]
fn windsurf_and_antigravity_have_a_key_of_their_own() {
    let text = r#"{"mcpServers": {"a": {"serverUrl": "https://a", "headers": {"X": "1"}},
        "b": {"command": "node", "args": ["b.js"], "serverUrl": "https://b", "disabled": true}}}"#;
    let windsurf = Disk::new().read("windsurf", "~/.codeium/windsurf/mcp_config.json", text);
    assert_eq!(told(&windsurf), ["a http https://a [X]", "b stdio node b.js [] off"]);
    let antigravity = Disk::new().read("antigravity", "~/.gemini/config/mcp_config.json", text);
    assert_eq!(told(&antigravity), ["a http https://a [X]", "b http https://b [] off"]);
    assert_eq!(antigravity.servers[0].site.shape, Shape::Url { url: "serverUrl" });
}

#[test]
fn codex_in_toml() {
    let text = "model = \"x\" # keep\n[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"-y\", \"pkg\"]\nenv = { K = \"v\" }\nenv_vars = [\"HOME\", \"K\", { name = \"T\" }]\nenabled = false\n\n[mcp_servers.\"b c\"]\nurl = \"https://b\"\nbearer_token_env_var = \"B\"\nhttp_headers = { X = \"1\" }\nenv_http_headers = { Y = \"Z\" }\ntype = \"http\"\n";
    let parsed = Disk::new().read("codex", "~/.codex/config.toml", text);
    assert_eq!(told(&parsed), ["a stdio npx -y pkg [K,HOME,T] off", "b c http https://b [X,Y,Authorization]"]);
    assert_eq!(path(&parsed, 1), "mcp_servers / b c");
    // It refuses the whole file for one such entry.
    let text = "[mcp_servers.a]\ncommand = \"a\"\n[mcp_servers.b]\ncommand = \"b\"\nurl = \"https://b\"\n";
    let parsed = Disk::new().read("codex", "~/.codex/config.toml", text);
    let error = parsed.error.unwrap();
    assert_eq!((error.code(), parsed.servers.len()), ("detect::parse::refused", 0));
    assert!(error.to_string().contains("`b`"), "{error}");
}

#[test]
fn opencode_with_arrays_and_both_of_its_keys() {
    let text = r#"{ // keep
        "mcp": {"a": {"type": "local", "command": ["bun", "x.ts"], "environment": {"K": "v"}, "enabled": false},
                "b": {"type": "remote", "url": "https://b", "headers": {"X": "1"}}, "c": {"enabled": false},}}"#;
    let parsed = Disk::new().read("opencode", "~/.config/opencode/opencode.json", text);
    assert_eq!(told(&parsed), ["a stdio bun x.ts [K] off", "b http https://b [X]"]);
    assert_eq!((parsed.servers_key.as_str(), parsed.skipped.as_slice()), ("mcp", &["c".to_owned()][..]));
    assert_eq!((path(&parsed, 0).as_str(), parsed.servers[0].site.shape), ("mcp / a", Shape::Array));
    let newer = Disk::new().read(
        "opencode",
        "~/.config/opencode/opencode.json",
        r#"{"mcp": {"servers": {"a": {"command": ["a"]}}}}"#,
    );
    assert_eq!((newer.servers_key.as_str(), names(&newer)), ("mcp.servers", vec!["a"]));
    // A server may be called so.
    let text = r#"{"mcp": {"servers": {"type": "local", "command": ["a"]}}}"#;
    let parsed = Disk::new().read("opencode", "~/.config/opencode/opencode.json", text);
    assert_eq!((parsed.servers_key.as_str(), names(&parsed)), ("mcp", vec!["servers"]));
}

#[test]
fn goose_in_yaml() {
    let text = "GOOSE_MODEL: x\nextensions:\n  developer: {type: builtin, enabled: true, bundled: true}\n  a:\n    type: stdio\n    cmd: uvx # keep\n    args: [pkg, 1]\n    envs: {K: v}\n    env_keys: [T]\n    enabled: false\n  b: {type: streamable_http, uri: 'http://localhost:3000/mcp', headers: {X: $X}}\n  c: {type: platform}\n  d: {type: sse, uri: 'https://d'}\n";
    let parsed = Disk::new().read("goose", "~/.config/goose/config.yaml", text);
    assert_eq!(
        told(&parsed),
        ["a stdio uvx pkg 1 [K,T] off", "b http http://localhost:3000/mcp [X]", "d sse https://d []"]
    );
    assert_eq!(parsed.skipped, ["developer", "c"]);
    assert_eq!(parsed.servers[0].site.shape, Shape::Words { command: "cmd" });
    assert_eq!(parsed.servers[1].site.shape, Shape::Url { url: "uri" });
    assert_eq!(parsed.servers[1].all_flags(), ["loopback"]);
}

#[test]
fn continue_has_a_list_or_what_others_have() {
    let text = "name: x\nmcpServers:\n  - name: a\n    command: node\n    args: [a.js]\n  - name: b\n    type: sse\n    url: https://b\n    requestOptions: {headers: {X: '1'}}\n  - just a word\n";
    let parsed = Disk::new().read("continue", "~/.continue/config.yaml", text);
    assert_eq!(told(&parsed), ["a stdio node a.js []", "b sse https://b [X]"]);
    assert_eq!((path(&parsed, 1).as_str(), parsed.skipped.as_slice()), ("mcpServers / [1]", &["[2]".to_owned()][..]));
    let json = r#"{"mcpServers": {"c": {"command": "c"}}, /* from elsewhere */}"#;
    let disk = Disk::new().with("@/.continue/mcpServers/c.json", json);
    assert_eq!(told(&disk.read("continue", "@/.continue/mcpServers/c.json", json)), ["c stdio c []"]);
}

#[test]
fn merge_keys_and_anchors_of_yaml() {
    let text = "base: &base\n  command: node\n  env: {K: v}\nmcpServers:\n  a:\n    <<: *base\n    args: [a.js]\n  b:\n    <<: [*base, {command: python}]\n    command: bun\n";
    let parsed = Disk::new().read("librechat", "@/librechat.yaml", text);
    assert_eq!(told(&parsed), ["a stdio node a.js [K]", "b stdio bun [K]"]);
    assert!(parsed.merge_keys && parsed.servers[0].all_flags().contains(&"yaml-merge-key".to_owned()));
    let plain =
        Disk::new().read("librechat", "@/librechat.yaml", "mcpServers:\n  a: {command: a, args: ['*.js', '&x']}\n");
    assert!(!plain.merge_keys);
}

#[test]
fn zed_in_both_of_its_forms() {
    let text = r#"{"context_servers": {
        "a": {"source": "custom", "command": "deno", "args": ["run", "a.ts"], "env": {"K": "v"}},
        "b": {"command": {"path": "/bin/b", "args": ["x"], "env": {"L": "v"}}},
        "c": {"source": "extension", "settings": {}},
        "d": {"url": "https://d", "headers": {"X": "1"}},},}"#;
    let parsed = Disk::new().read("zed", "~/.config/zed/settings.json", text);
    assert_eq!(told(&parsed), ["a stdio deno run a.ts [K]", "b stdio /bin/b x [L]", "d http https://d [X]"]);
    assert_eq!((parsed.skipped.as_slice(), parsed.servers[1].site.shape), (&["c".to_owned()][..], Shape::Program));
}

#[test]
fn keys_with_dots_and_keys_below_others() {
    let amp = Disk::new().read("amp", "~/.config/amp/settings.json", r#"{"amp.mcpServers": {"a": {"command": "a"}}}"#);
    assert_eq!((amp.servers_key.as_str(), path(&amp, 0).as_str()), ("amp.mcpServers", "amp.mcpServers / a"));
    assert_eq!(amp.servers[0].site.path.len(), 2);
    let text = r#"{"mcp": {"servers": {"a": {"command": "a"}}}}"#;
    let code = Disk::new().read("vscode", "~/.config/Code/User/settings.json", text);
    assert_eq!((code.servers_key.as_str(), path(&code, 0).as_str()), ("mcp.servers", "mcp / servers / a"));
    assert!(code.servers[0].all_flags().contains(&"legacy-location".to_owned()));
    let container = r#"{"customizations": {"vscode": {"mcp": {"servers": {"a": {"command": "a"}}}}}}"#;
    let parsed = Disk::new().read("vscode", "@/.devcontainer/devcontainer.json", container);
    assert_eq!(parsed.servers_key, "customizations.vscode.mcp.servers");
}

#[test]
fn a_map_without_a_wrapper_counts_where_its_client_takes_it() {
    let flat = r#"{"a": {"command": "a"}, "b": {"url": "https://b"}}"#;
    for (client, at, taken) in [
        ("copilot-cli", "@/.mcp.json", true),
        ("warp", "~/.warp/.mcp.json", true),
        ("claude-code", "@/.mcp.json", false),
        ("copilot-cli", "~/.copilot/mcp-config.json", false),
    ] {
        let parsed = Disk::new().read(client, at, flat);
        assert_eq!(names(&parsed) == ["a", "b"], taken, "{client}");
        assert_eq!(parsed.servers_key, if taken { "" } else { "mcpServers" }, "{client}");
    }
    // Visual Studio reads its own key and Claude's.
    for key in ["servers", "mcpServers"] {
        let parsed = Disk::new().read(
            "visual-studio",
            "@/.mcp.json",
            &format!("{{\"{key}\": {{\"a\": {{\"command\": \"a\"}}}}}}"),
        );
        assert_eq!((parsed.servers_key.as_str(), names(&parsed)), (key, vec!["a"]));
    }
    // Settings that are no servers are not taken for some.
    assert!(!Disk::new().read("warp", "~/.warp/.mcp.json", r#"{"theme": {"name": "x"}}"#).found);
}

#[test]
fn cline_nests_and_roo_watches() {
    let text = r#"{"mcpServers": {"a": {"transport": {"type": "stdio", "command": "node", "args": ["a.js"], "cwd": "/a", "env": {"K": "v"}}},
        "b": {"transport": {"type": "streamableHttp", "url": "https://b", "headers": {"X": "1"}}, "disabled": true}}}"#;
    let parsed = Disk::new().read("cline", "~/.cline/data/settings/cline_mcp_settings.json", text);
    assert_eq!(told(&parsed), ["a stdio node a.js [K]", "b http https://b [X] off"]);
    assert_eq!(path(&parsed, 0), "mcpServers / a / transport");
    let text =
        r#"{"mcpServers": {"a": {"command": "a", "watchPaths": ["x"]}, "b": {"command": "b", "watchPaths": []}}}"#;
    let parsed = Disk::new().read("roo-code", "@/.roo/mcp.json", text);
    let watched: Vec<_> =
        parsed.servers.iter().map(|server| server.all_flags().contains(&"client-watches".to_owned())).collect();
    assert_eq!(watched, [true, false]);
    assert_eq!(parsed.servers[0].cwd.as_deref(), Some(super::PROJECT.as_ref()));
}

#[test]
fn gemini_allows_and_excludes() {
    let text = r#"{"mcp": {"allowed": ["a", "b"], "excluded": ["b"]}, "mcpServers": {"a": {"command": "a"}, "b": {"command": "b"}, "c": {"command": "c"}}}"#;
    let parsed = Disk::new().read("gemini-cli", "~/.gemini/settings.json", text);
    assert_eq!(parsed.servers.iter().map(|server| server.enabled).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn marks_of_a_file_are_kept() {
    let text = "\u{feff}{\r\n\"mcpServers\": {\"a\": {\"command\": \"a\", \"command\": \"b\"}}}\r\n";
    let parsed = Disk::new().read("cursor", "@/.cursor/mcp.json", text);
    assert!(parsed.bom && parsed.crlf);
    assert_eq!(parsed.duplicate_keys, ["mcpServers.a.command"]);
    assert_eq!(parsed.servers[0].argv, ["b"]);
    let flags = parsed.servers[0].all_flags();
    assert!(["bom", "crlf", "duplicate-key"].iter().all(|flag| flags.contains(&(*flag).to_owned())), "{flags:?}");
}

#[test]
fn null_is_nothing_and_numbers_are_words() {
    let text = r#"{"mcpServers": {"a": {"command": "a", "args": ["--port", 8931, true], "env": {"N": 1, "Z": null}, "cwd": null, "url": null},
        "b": {"command": ""}, "c": [], "d": null, "e": {"command": ["", "x"]}}}"#;
    let parsed = Disk::new().read("cursor", "@/.cursor/mcp.json", text);
    assert_eq!(told(&parsed), ["a stdio a --port 8931 true [N,Z]"]);
    assert_eq!(parsed.skipped, ["b", "c", "d", "e"]);
}

#[test]
fn vs_code_keeps_variables_in_a_file_and_may_watch() {
    let text = r#"{"servers": {"a": {"command": "node", "envFile": ".env", "dev": {"watch": "src/**/*.ts"}}}}"#;
    let parsed = Disk::new().read("vscode", "@/.vscode/mcp.json", text);
    let server = &parsed.servers[0];
    assert_eq!(server.env_file.as_deref(), Some("/home/dana/code/demo/.env".as_ref()));
    let flags = server.all_flags();
    assert!(
        flags.contains(&"client-watches".to_owned())
            && flags.contains(&"env-file:/home/dana/code/demo/.env".to_owned())
    );
}
