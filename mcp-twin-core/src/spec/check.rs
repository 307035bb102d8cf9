//! What is tried on a twin before it takes over.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// So begins the text of a check that calls a tool.
const TOOL: &str = "tool:";

/// What is tried on a ready twin before it takes over from another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A command line for a shell: status 0 is the good end.
    Command(String),
    /// A tool of the twin itself: a result without `isError` is the good end.
    Tool {
        /// Its name.
        tool: String,
        /// Its arguments: the text of a JSON object.
        args: String,
    },
}

impl Check {
    /// The check that calls this tool.
    #[must_use]
    pub fn tool(tool: &str, args: &Map<String, Value>) -> Self {
        Self::Tool { tool: tool.to_owned(), args: Value::Object(args.clone()).to_string() }
    }
}

/// As [`Options::set`](crate::spec::Options::set) reads it.
impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => out.write_str(line),
            Self::Tool { tool, args } if args == "{}" => write!(out, "{TOOL}{tool}"),
            Self::Tool { tool, args } => write!(out, "{TOOL}{tool}={args}"),
        }
    }
}

/// Reads a command line, `tool:NAME`, `tool:NAME={"a": 1}`, or `none`.
///
/// # Errors
/// What is wanted instead, as a fragment.
pub(super) fn read(text: &str) -> Result<Option<Check>, String> {
    let text = text.trim();
    let Some(call) = text.strip_prefix(TOOL) else {
        return match text {
            "" => Err("a command line, `tool:NAME`, `tool:NAME={\"a\": 1}` or `none` is wanted".to_owned()),
            "none" => Ok(None),
            line => Ok(Some(Check::Command(line.to_owned()))),
        };
    };
    let (tool, args) = call.split_once('=').unwrap_or((call, "{}"));
    let tool = tool.trim();
    if tool.is_empty() {
        return Err("the name of a tool is wanted after `tool:`".to_owned());
    }
    match serde_json::from_str(args) {
        Ok(Value::Object(args)) => Ok(Some(Check::tool(tool, &args))),
        Ok(_) => Err("the arguments of the tool must be a JSON object such as `{\"a\": 1}`".to_owned()),
        Err(error) => Err(format!("the arguments of the tool are no JSON: {error}")),
    }
}

/// Writes it as [`read`] reads it.
pub(super) fn show(check: Option<Check>) -> String {
    check.map_or_else(|| "none".to_owned(), |check| check.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Check, read, show};

    #[test]
    fn each_form_is_read_as_it_is_written() {
        for text in ["none", "./smoke.sh --fast", "tool:ping", "tool:ping={\"b\":1,\"a\":[\"=\"]}"] {
            assert_eq!(show(read(text).unwrap()), text);
        }
        assert_eq!(read(" tool: ping = {} ").unwrap(), Some(Check::Tool { tool: "ping".into(), args: "{}".into() }));
    }

    #[test]
    fn what_is_no_check_says_what_is_wanted() {
        for (text, wanted) in [
            ("", "a command line"),
            ("tool:", "the name of a tool"),
            ("tool:a=[1]", "a JSON object"),
            ("tool:a={", "no JSON"),
        ] {
            assert!(read(text).unwrap_err().contains(wanted), "{text}");
        }
    }
}
