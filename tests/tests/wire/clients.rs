//! Each client's own form: wired, served, unwired.

use super::{Home, words};
use serde_json::Value;

/// A configuration with the server `x` in it, and how to find that again.
struct Case {
    client: &'static str,
    file: &'static str,
    text: &'static str,
    /// Where the entry stands.
    at: &'static str,
    /// What the command line needs beyond the client.
    flags: &'static [&'static str],
    parse: fn(&str) -> Value,
    /// The keys of command and arguments.
    keys: [&'static str; 2],
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn jsonc(text: &str) -> Value {
    jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}

fn toml(text: &str) -> Value {
    item(text.parse::<toml_edit::DocumentMut>().unwrap().as_item())
}

fn item(item: &toml_edit::Item) -> Value {
    match item {
        toml_edit::Item::Value(value) => self::value(value),
        toml_edit::Item::Table(table) => table.iter().map(|(key, below)| (key.to_owned(), self::item(below))).collect(),
        other => panic!("{other:?}"),
    }
}

fn value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Boolean(yes) => (*yes.value()).into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Array(items) => items.iter().map(self::value).collect(),
        toml_edit::Value::InlineTable(table) => {
            table.iter().map(|(key, below)| (key.to_owned(), self::value(below))).collect()
        }
        other => panic!("{other:?}"),
    }
}

impl Case {
    fn is_wired_serves_and_is_unwired(&self) {
        let home = Home::new();
        home.write(self.file, self.text);
        let before = home.everything();
        let text = home.read(self.file);

        let args = [&["wire", "x", "--client", self.client, "--yes"], self.flags].concat();
        let document = home.document(&args, 0);
        assert_eq!(document["changes"][0]["outcome"], "wired", "{document}");
        assert_eq!(document["changes"].as_array().unwrap().len(), 1, "{document}");
        let wired = home.read(self.file);
        let (old, new) = ((self.parse)(&text), (self.parse)(&wired));
        assert_eq!(self.without_command(&old), self.without_command(&new), "more than the command changed:\n{wired}");
        home.serves(&self.command(&new));
        // A second time there is nothing to do.
        let again = home.document(&args, 0);
        assert_eq!(again["left"][0]["reason"], "already", "{again}");
        assert_eq!(home.read(self.file), wired);

        let undone = home.document(&["unwire", "x", "--yes"], 0);
        assert_eq!(
            (&undone["changes"][0]["outcome"], &undone["changes"][0]["exact"]),
            (&"unwired".into(), &true.into())
        );
        assert_eq!(home.everything(), before);
    }

    fn command(&self, root: &Value) -> Vec<String> {
        let entry = root.pointer(self.at).unwrap();
        let [command, args] = self.keys;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match &entry[command] {
            Value::Array(words) => words.iter().map(text).collect(),
            Value::Object(_) => {
                let program = &entry[command];
                words(&serde_json::json!({"command": program["path"], "args": program["args"]}))
            }
            other => words(&serde_json::json!({"command": other, "args": entry[args]})),
        }
    }

    fn without_command(&self, root: &Value) -> Value {
        let mut root = root.clone();
        let entry = root.pointer_mut(self.at).unwrap().as_object_mut().unwrap();
        for key in self.keys {
            entry.remove(key);
        }
        root
    }
}

const WORDS: [&str; 2] = ["command", "args"];

#[test]
fn claude_code_user() {
    let text = "{\n\t\"numStartups\": 7,\n\t\"mcpServers\": {\n\t\t\"x\": {\"type\": \"stdio\", \"command\": \"{SERVER}\", \"args\": [\"{CODE}\"], \"env\": {\"K\": \"v\"}}\n\t},\n\t\"projects\": {}\n}";
    Case {
        client: "claude-code",
        file: ".claude.json",
        text,
        at: "/mcpServers/x",
        flags: &[],
        parse: json,
        keys: WORDS,
    }
    .is_wired_serves_and_is_unwired();
}

#[test]
fn claude_code_local() {
    let text = r#"{"projects": {"{PROJECT}": {"allowedTools": [], "mcpServers": {"x": {"command": "{SERVER}", "args": ["{CODE}"]}}}}}"#;
    let home = Home::new();
    home.write(".claude.json", text);
    let before = home.everything();
    let _ = home.run(&["wire", "--all", "--yes"]).with_status(0);
    let project = home.project().to_str().unwrap().replace('/', "~1");
    let entry = super::entry(&home.read(".claude.json"), &format!("/projects/{project}/mcpServers/x"));
    home.serves(&words(&entry));
    let _ = home.run(&["unwire", "--scope", "local", "--all", "--yes"]).with_status(0);
    assert_eq!(home.everything(), before);
}

#[test]
fn claude_code_project_on_purpose() {
    let text = r#"{"mcpServers": {"x": {"command": "{SERVER}", "args": ["{CODE}"]}}}"#;
    Case {
        client: "claude-code",
        file: "project/.mcp.json",
        text,
        at: "/mcpServers/x",
        flags: &["--scope", "project"],
        parse: json,
        keys: WORDS,
    }
    .is_wired_serves_and_is_unwired();
}

#[test]
fn cursor() {
    let text = "{\r\n  \"mcpServers\": {\r\n    \"x\": {\r\n      \"command\": \"{SERVER}\",\r\n      \"args\": [\r\n        \"{CODE}\"\r\n      ]\r\n    }\r\n  }\r\n}\r\n";
    Case {
        client: "cursor",
        file: ".cursor/mcp.json",
        text,
        at: "/mcpServers/x",
        flags: &[],
        parse: json,
        keys: WORDS,
    }
    .is_wired_serves_and_is_unwired();
}

#[test]
fn a_whole_line_is_taken_apart() {
    let text = r#"{"mcpServers": {"x": {"command": "{SERVER} {CODE}"}}}"#;
    Case {
        client: "cursor",
        file: ".cursor/mcp.json",
        text,
        at: "/mcpServers/x",
        flags: &[],
        parse: json,
        keys: WORDS,
    }
    .is_wired_serves_and_is_unwired();
}

#[cfg(target_os = "linux")]
#[test]
fn vscode() {
    let text = "{\n  // mine\n  \"servers\": {\n    \"x\": {\n      \"type\": \"stdio\",\n      \"command\": \"{SERVER}\", // the server\n      \"args\": [\"{CODE}\",],\n    },\n  },\n}\n";
    let file = ".config/Code/User/mcp.json";
    Case { client: "vscode", file, text, at: "/servers/x", flags: &[], parse: jsonc, keys: WORDS }
        .is_wired_serves_and_is_unwired();
}

#[test]
fn codex() {
    let text = "# mine\nmodel = \"o\"\n\n[mcp_servers.x]\ncommand = '{SERVER}' # the server\nargs = [\n  \"{CODE}\",\n]\nstartup_timeout_sec = 20\n\n[mcp_servers.x.env]\nK = \"v\"\n";
    Case {
        client: "codex",
        file: ".codex/config.toml",
        text,
        at: "/mcp_servers/x",
        flags: &[],
        parse: toml,
        keys: WORDS,
    }
    .is_wired_serves_and_is_unwired();
}

#[test]
fn goose() {
    let text = "# mine\nextensions:\n  x:\n    type: stdio\n    enabled: true\n    cmd: {SERVER}  # the server\n    args:\n    - {CODE}\n    envs: {}\nGOOSE_MODEL: m\n";
    let file = ".config/goose/config.yaml";
    Case { client: "goose", file, text, at: "/extensions/x", flags: &[], parse: yaml, keys: ["cmd", "args"] }
        .is_wired_serves_and_is_unwired();
}

#[test]
fn opencode() {
    let text = "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"mcp\": {\n    \"x\": {\"type\": \"local\", \"command\": [\"{SERVER}\", \"{CODE}\"], \"enabled\": true}\n  }\n}\n";
    let file = ".config/opencode/opencode.json";
    Case { client: "opencode", file, text, at: "/mcp/x", flags: &[], parse: jsonc, keys: WORDS }
        .is_wired_serves_and_is_unwired();
}

#[cfg(target_os = "linux")]
#[test]
fn zed_whose_place_is_only_claimed_by_others() {
    let text = "// settings\n{\n  \"context_servers\": {\n    \"x\": {\"command\": {\"path\": \"{SERVER}\", \"args\": [\"{CODE}\"]}, \"settings\": {}}\n  },\n}\n";
    let file = ".config/zed/settings.json";
    let home = Home::new();
    home.write(file, text);
    let left = home.document(&["wire", "x", "--yes"], 1);
    assert_eq!(left["left"][0]["reason"], "unsure", "{left}");
    assert_eq!(home.read(file), home.filled(text));
    let flags = &["--force"];
    Case { client: "zed", file, text, at: "/context_servers/x", flags, parse: jsonc, keys: WORDS }
        .is_wired_serves_and_is_unwired();
}

#[test]
fn gemini() {
    let text = r#"{"theme": "d", "mcpServers": {"x": {"command": "{SERVER}", "args": ["{CODE}"], "timeout": 5000, "trust": false}}}"#;
    let file = ".gemini/settings.json";
    Case { client: "gemini-cli", file, text, at: "/mcpServers/x", flags: &[], parse: jsonc, keys: WORDS }
        .is_wired_serves_and_is_unwired();
}
