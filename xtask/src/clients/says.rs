//! How each client says that it is connected to a server, and which tools it has of it.

use serde_json::Value;
use std::collections::BTreeSet;

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// `claude mcp list`.
    ClaudeList,
    /// `claude -p … --output-format stream-json`: its line `system/init`.
    ClaudeInit,
    /// `gemini mcp list`.
    GeminiList,
    /// `opencode mcp list`.
    OpencodeList,
    /// `codex app-server`: the answer to `mcpServerStatus/list`.
    CodexStatus,
    /// `mcp-inspector --cli --method tools/list --format json`.
    InspectorTools,
}

/// What a client sees of a server that it is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The names of its tools; `None` where the client does not show them.
    pub(super) tools: Option<BTreeSet<String>>,
}

/// The id of the request whose answer is waited for.
const ASKED: i64 = 2;

impl Says {
    /// What the client is to be told first, a line each. Where there is something its input stays open until
    /// [`Says::enough`].
    pub(super) fn question(self) -> Vec<String> {
        if self != Self::CodexStatus {
            return Vec::new();
        }
        let initialize = r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"xtask","version":"1"}}}"#;
        let status = format!(r#"{{"id":{ASKED},"method":"mcpServerStatus/list","params":{{}}}}"#);
        vec![initialize.into(), r#"{"method":"initialized"}"#.into(), status]
    }

    /// Whether this line answers the question.
    pub(super) fn enough(self, line: &str) -> bool {
        self == Self::CodexStatus && answer(line).is_some()
    }

    /// What is seen of the server `name`; `None`: it is not connected, or nothing is said of it.
    pub(super) fn read(self, said: &str, name: &str) -> Option<Seen> {
        let plain = plain(said);
        let line = |wanted: &dyn Fn(&str) -> bool| plain.lines().any(wanted).then_some(Seen { tools: None });
        match self {
            Self::ClaudeList => {
                line(&|line| line.starts_with(&format!("{name}: ")) && line.trim_end().ends_with("- ✔ Connected"))
            }
            Self::GeminiList => {
                line(&|line| line.starts_with(&format!("✓ {name}: ")) && line.trim_end().ends_with("- Connected"))
            }
            Self::OpencodeList => line(&|line| line.trim_end().ends_with(&format!("✓ {name} connected"))),
            Self::ClaudeInit => plain.lines().find_map(|line| init(line, name)),
            Self::CodexStatus => plain.lines().find_map(answer).and_then(|answer| status(&answer, name)),
            Self::InspectorTools => {
                let answer: Value = serde_json::from_str(plain.trim()).ok()?;
                let tools = answer["result"]["tools"].as_array()?;
                Some(names(tools.iter().filter_map(|tool| tool["name"].as_str())))
            }
        }
    }
}

fn init(line: &str, name: &str) -> Option<Seen> {
    let line: Value = serde_json::from_str(line).ok()?;
    let ours = |server: &Value| server["name"] == name && server["status"] == "connected";
    if line["subtype"] != "init" || !line["mcp_servers"].as_array()?.iter().any(ours) {
        return None;
    }
    let prefix = format!("mcp__{name}__");
    let tools = line["tools"].as_array()?.iter().filter_map(Value::as_str);
    Some(names(tools.filter_map(|tool| tool.strip_prefix(&prefix))))
}

fn answer(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["id"] == ASKED).then_some(line)
}

fn status(answer: &Value, name: &str) -> Option<Seen> {
    let server = answer["result"]["data"].as_array()?.iter().find(|server| server["name"] == name)?;
    // Of a server that it cannot reach it lists the name alone.
    server["serverInfo"].as_object()?;
    Some(names(server["tools"].as_object()?.keys().map(String::as_str)))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Seen {
    Seen { tools: Some(names.map(str::to_owned).collect()) }
}

/// The text without the escapes that colour it.
fn plain(said: &str) -> String {
    let mut plain = String::with_capacity(said.len());
    let mut rest = said;
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = behind.find(|letter: char| letter.is_ascii_alphabetic());
        rest = end.map_or("", |end| &behind[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests;
