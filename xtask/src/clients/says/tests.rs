//! Real words of the clients, shortened.

use super::{Says, Seen};

#[track_caller]
fn sees(says: Says, said: &str, wanted: Option<Option<&[&str]>>) {
    let wanted =
        wanted.map(|tools| Seen { tools: tools.map(|tools| tools.iter().map(|tool| (*tool).to_owned()).collect()) });
    assert_eq!(says.read(said, "clock"), wanted, "{said}");
}

#[test]
fn lists_of_servers() {
    let claude = |state: &str| format!("Checking MCP server health…\n\nclock: python3 /p/server.py - {state}\n");
    sees(Says::ClaudeList, &claude("✔ Connected"), Some(None));
    sees(Says::ClaudeList, &claude("✘ Failed to connect — CONNECTION_CLOSED"), None);
    sees(Says::ClaudeList, &claude("⏸ Pending approval"), None);
    sees(Says::ClaudeList, "other: python3 - ✔ Connected\n", None);

    let gemini =
        |mark, state| format!("Configured MCP servers:\n\n{mark} clock: python3 /p/server.py (stdio) - {state}\n");
    sees(Says::GeminiList, &gemini("✓", "Connected"), Some(None));
    sees(Says::GeminiList, &gemini("✗", "Disconnected"), None);
    sees(Says::GeminiList, &gemini("○", "Disabled"), None);

    let opencode =
        |row| format!("┌  MCP Servers\n│\n●  {row}\n│      \u{1b}[90mpython3 /p/server.py\n│\n└  1 server(s)\n");
    sees(Says::OpencodeList, &opencode("✓ clock \u{1b}[90mconnected"), Some(None));
    sees(Says::OpencodeList, &opencode("✗ clock \u{1b}[90mfailed"), None);
    sees(Says::OpencodeList, &opencode("○ clock \u{1b}[90mdisabled"), None);
}

#[test]
fn lists_of_tools() {
    let init = |status: &str| {
        format!(
            r#"{{"type":"system","subtype":"init","tools":["Bash","mcp__clock__echo","mcp__other__a"],"mcp_servers":[{{"name":"clock","status":"{status}","source":"local"}}]}}"#
        ) + "\n{\"type\":\"result\"}\n"
    };
    sees(Says::ClaudeInit, &init("connected"), Some(Some(&["echo"])));
    sees(Says::ClaudeInit, &init("failed"), None);

    let codex = |info| {
        format!(
            r#"{{"id":2,"result":{{"data":[{{"name":"clock","serverInfo":{info},"tools":{{"echo":{{}},"version":{{}}}}}}]}}}}"#
        )
    };
    let said = format!("{{\"id\":1,\"result\":{{}}}}\n{}\n", codex(r#"{"name":"fixture-plain"}"#));
    sees(Says::CodexStatus, &said, Some(Some(&["echo", "version"])));
    sees(Says::CodexStatus, &codex("null"), None);
    sees(Says::CodexStatus, "{\"id\":1,\"result\":{}}\n", None);

    sees(Says::InspectorTools, r#"{"result":{"tools":[{"name":"echo"}]}}"#, Some(Some(&["echo"])));
    sees(Says::InspectorTools, "", None);
    sees(Says::InspectorTools, r#"{"error":{"code":"connect_failed"}}"#, None);
}

#[test]
fn only_the_answer_is_enough() {
    assert!(Says::CodexStatus.enough(r#"{"id":2,"result":{}}"#));
    assert!(!Says::CodexStatus.enough(r#"{"id":1,"result":{}}"#));
    assert!(!Says::ClaudeInit.enough(r#"{"id":2,"result":{}}"#));
}
