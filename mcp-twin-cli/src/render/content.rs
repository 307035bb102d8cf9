//! What a tool answered, for people.

use super::style::harmless;
use serde_json::Value;
use std::fmt::Write as _;

/// The text of a result, and one line for each item that is none. Where there is no item at all: what is structured.
pub(crate) fn text(result: &Value) -> String {
    let mut text = String::new();
    for item in result["content"].as_array().into_iter().flatten() {
        let line = match item["text"].as_str() {
            Some(words) if item["type"] == "text" => words.lines().map(harmless).collect::<Vec<_>>().join("\n"),
            _ => format!("[{}]", other(item)),
        };
        let _ = writeln!(text, "{line}");
    }
    let structured = &result["structuredContent"];
    if text.is_empty() && !structured.is_null() {
        let _ = writeln!(text, "{}", serde_json::to_string_pretty(structured).unwrap_or_default());
    }
    text
}

/// An item that is no text, in short.
fn other(item: &Value) -> String {
    let kind = harmless(item["type"].as_str().unwrap_or("an item without a type"));
    let of = |value: &Value| value.as_str().map(harmless);
    let resource = &item["resource"];
    let (what, bytes) = match item["type"].as_str() {
        Some("image" | "audio") => (of(&item["mimeType"]), decoded(&item["data"])),
        Some("resource") => {
            (of(&resource["uri"]), resource["text"].as_str().map(str::len).or(decoded(&resource["blob"])))
        }
        Some("resource_link") => (of(&item["uri"]), None),
        _ => (None, None),
    };
    let bytes = bytes.map(|bytes| format!("{bytes} bytes"));
    let what = [what, bytes].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if what.is_empty() { kind } else { format!("{kind} {what}") }
}

/// How many bytes a text in base64 stands for.
fn decoded(data: &Value) -> Option<usize> {
    data.as_str().map(|data| data.trim_end_matches('=').len() * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_shown_and_the_rest_is_named() {
        let result = json!({"content": [
            {"type": "text", "text": "one\ntwo \u{1b}[31mred"},
            {"type": "image", "mimeType": "image/png", "data": "AAAA"},
            {"type": "audio", "mimeType": "audio/wav", "data": "AAA="},
            {"type": "resource", "resource": {"uri": "file:///x", "text": "abc"}},
            {"type": "resource", "resource": {"uri": "file:///y", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "file:///z"},
            {"type": "new"},
        ]});
        insta::assert_snapshot!(text(&result));
        assert_eq!(text(&json!({"structuredContent": {"a": 1}})), "{\n  \"a\": 1\n}\n");
        assert_eq!(text(&json!({"content": []})), "");
    }
}
