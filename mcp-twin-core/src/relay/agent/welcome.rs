//! The `tools` capability in the answer to an opening: with tools of our own there is one, and they may come and go.

use crate::relay::frame;
use std::ops::Range;

/// What is written where in a `result` so that it declares `tools.listChanged`; nothing if it does.
pub(super) fn edit(result: &str) -> Option<(Range<usize>, String)> {
    let Some(capabilities) = frame::member(result, "capabilities").filter(|raw| raw.starts_with('{')) else {
        // Without any it is no answer of MCP's; it is not made one.
        return None;
    };
    let Some(tools) = frame::member(capabilities, "tools") else {
        return Some(first_of(result, capabilities, r#""tools":{"listChanged":true}"#));
    };
    if !tools.starts_with('{') {
        return Some((frame::span(result, tools), r#"{"listChanged":true}"#.to_owned()));
    }
    match frame::member(tools, "listChanged") {
        Some("true") => None,
        Some(flag) => Some((frame::span(result, flag), "true".to_owned())),
        None => Some(first_of(result, tools, r#""listChanged":true"#)),
    }
}

/// A member more, in front of the others of an object.
fn first_of(whole: &str, object: &str, member: &str) -> (Range<usize>, String) {
    let at = frame::span(whole, object).start + 1;
    let alone = object.get(1..).unwrap_or_default().trim_ascii_start().starts_with('}');
    (at..at, format!("{member}{}", if alone { "" } else { "," }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_is_written() {
        for (result, wanted) in [
            (r#"{"capabilities":{},"x":1e2}"#, r#"{"capabilities":{"tools":{"listChanged":true}},"x":1e2}"#),
            (
                r#"{"a":1,"capabilities":{ "logging":{} }}"#,
                r#"{"a":1,"capabilities":{"tools":{"listChanged":true}, "logging":{} }}"#,
            ),
            (r#"{"capabilities":{"tools":{}}}"#, r#"{"capabilities":{"tools":{"listChanged":true}}}"#),
            (r#"{"capabilities":{"tools":{ "x":1}}}"#, r#"{"capabilities":{"tools":{"listChanged":true, "x":1}}}"#),
            (r#"{"capabilities":{"tools":null}}"#, r#"{"capabilities":{"tools":{"listChanged":true}}}"#),
            (
                r#"{"capabilities":{"tools":{"listChanged":false}}}"#,
                r#"{"capabilities":{"tools":{"listChanged":true}}}"#,
            ),
            (
                r#"{"capabilities":{"tools":{"listChanged":true}}}"#,
                r#"{"capabilities":{"tools":{"listChanged":true}}}"#,
            ),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            (r#"{"capabilities":7}"#, r#"{"capabilities":7}"#),
        ] {
            let mut written = result.to_owned();
            if let Some((at, text)) = edit(result) {
                written.replace_range(at, &text);
            }
            assert_eq!(written, wanted);
        }
    }
}
