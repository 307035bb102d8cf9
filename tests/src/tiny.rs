//! What the tiny servers answer, over stdio and over HTTP: as little as a server can that a client takes for one.

use serde_json::{Value, json};

/// The answer to a message, if it is a request of a kind that both servers know.
#[must_use]
pub fn answer(message: &Value, version: &str, tools: &[&str]) -> Option<Value> {
    let id = message.get("id")?;
    let params = &message["params"];
    let modern = params["_meta"].get("io.modelcontextprotocol/protocolVersion").is_some();
    let mut result = match message["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tiny", "version": version},
        }),
        "server/discover" if modern => json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}),
        "ping" => json!({}),
        "tools/list" => json!({"tools": tools.iter().map(|name| tool(name)).collect::<Vec<_>>()}),
        "tools/call" => match params["name"].as_str() {
            Some("version") => text(version),
            Some("echo") => text(params["arguments"]["text"].as_str().unwrap_or_default()),
            _ => json!({"content": [], "isError": true}),
        },
        method => {
            let error = json!({"code": -32601, "message": format!("there is no method `{method}`")});
            return Some(json!({"jsonrpc": "2.0", "id": id, "error": error}));
        }
    };
    if modern {
        result["resultType"] = json!("complete");
        if params.get("name").is_none() {
            result["ttlMs"] = json!(0);
            result["cacheScope"] = json!("private");
        }
    }
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// A good result with this text.
#[must_use]
pub fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}
