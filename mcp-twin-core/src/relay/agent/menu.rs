//! The tools themselves: their names, what a model reads about them, and the arguments that they take.

use super::Form;
use crate::ids::Generation;
use crate::relay::frame;
use serde_json::{Map, Value, json};

/// So many lines of the log are given at most, and without a wish.
const LOG_LINES: (usize, usize) = (500, 60);
/// The same for operations of the history.
const OPERATIONS: (usize, usize) = (100, 10);

/// What the agent behind a client asks of the front itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentAsk {
    /// How the server is.
    Status,
    /// Start the code as it is now, prove it, and let it take over.
    Reload {
        /// Whether it takes over; none: as `--promote` and `--breaking` say.
        promote: Option<bool>,
    },
    /// Promote the verified standby, or reload first.
    Swap {
        /// Also take what lost a capability or emptied a list.
        force: bool,
    },
    /// Go back.
    Rollback {
        /// The generation wanted; none: the previous one.
        to: Option<Generation>,
    },
    /// The last lines of the log.
    Logs {
        /// How many.
        lines: usize,
        /// Only those of the server process in this slot, `A` or `B`.
        twin: Option<char>,
    },
    /// The last operations.
    History {
        /// How many.
        limit: usize,
    },
}

/// Names without their prefix, in the order in which they are listed.
pub(super) const NAMES: [&str; 6] = ["status", "reload", "swap", "rollback", "logs", "history"];

/// All of them.
pub(super) const ALL: u8 = (1 << NAMES.len()) - 1;

/// Which of the tools a name is.
pub(super) fn index(prefix: &str, name: &str) -> Option<usize> {
    let rest = name.strip_prefix(prefix)?;
    NAMES.iter().position(|known| *known == rest)
}

/// The full name of one of them.
pub(super) fn name(prefix: &str, index: usize) -> String {
    format!("{prefix}{}", NAMES.get(index).copied().unwrap_or_default())
}

/// The entries of `tools/list` for those of `which`, with commas between them.
pub(super) fn entries(prefix: &str, which: u8, form: &Form) -> String {
    let wanted = (0..NAMES.len()).filter(|index| which & (1 << index) != 0);
    wanted.map(|index| entry(prefix, index, form).to_string()).collect::<Vec<_>>().join(",")
}

fn entry(prefix: &str, index: usize, form: &Form) -> Value {
    let [status, reload, swap, _, logs, history] = NAMES.map(|name| format!("{prefix}{name}"));
    let (title, about, input, output, hints) = match index {
        0 => (
            "Status of this MCP server",
            format!(
                "How this MCP server stands: which generation of its code serves, whether newer code waits or failed, and \
                 why (with the end of the server's stderr). Ask it when a tool of this server fails, is missing, or behaves \
                 as before your edit. Answered by mcp-twin, which runs the server, also while the server itself is broken. \
                 For the whole log: {logs}."
            ),
            object(&json!({})),
            status_form(),
            Hints::READS,
        ),
        1 => (
            "Reload this MCP server",
            "Start this MCP server anew from its files as they are now, check it, and switch to it if it is healthy; no call \
             in progress is lost, and if the new code is broken the old code goes on serving. Call it after you have edited \
             the server's source: it answers when the reload has ended, with what changed in the tools, or with the error \
             and the server's stderr so that you can repair the code and reload again. After a success the server's new or \
             changed tools can be called (list them again if they are missing)."
                .to_owned(),
            object(&json!({"promote": {"type": "boolean", "description": format!(
                "true: switch to the new code once it is healthy. false: only check it and keep it waiting for {swap}. \
                 Left out: as the server's own settings say, usually true."
            )}})),
            outcome_form(),
            Hints::CHANGES,
        ),
        2 => (
            "Switch to the checked code",
            format!(
                "Switch this MCP server to newer code that was checked and waits, or reload it first if none waits. Use it \
                 when {status} or {reload} says that a generation waits, for example because it breaks something: read \
                 what it breaks before you do."
            ),
            object(&json!({"force": {"type": "boolean", "description":
                "Also take code that lost a capability or now has an empty list. Only on the user's wish."}})),
            outcome_form(),
            Hints::CHANGES,
        ),
        3 => (
            "Go back to earlier code",
            format!(
                "Go back to the code of this MCP server that served before the last switch (its files are not changed). Use \
                 it when the new code is worse than the old one and you cannot repair it at once; {history} shows the \
                 generations."
            ),
            object(&json!({"to": {"type": "integer", "minimum": 1, "description":
                "The generation to go back to. Left out: the previous one."}})),
            outcome_form(),
            Hints { idempotent: false, ..Hints::CHANGES },
        ),
        4 => (
            "Log of this MCP server",
            "The last lines that this MCP server wrote to its stderr, and what mcp-twin did with it. Read it to find out \
             why the server or one of its tools fails."
                .to_owned(),
            object(&json!({
                "lines": {"type": "integer", "minimum": 1, "maximum": LOG_LINES.0, "description":
                    format!("How many lines at most. Left out: {}.", LOG_LINES.1)},
                "twin": {"type": "string", "enum": ["A", "B"], "description":
                    "Only lines of the server process in this slot; the status says which slot serves."},
            })),
            json!({"type": "object", "properties": {
                "lines": {"type": "array", "items": {"type": "string"}},
                "folder": {"type": "string", "description": "Where the log files are."},
            }, "required": ["lines"]}),
            Hints::READS,
        ),
        _ => (
            "History of this MCP server",
            "What was tried with this MCP server and how it ended, the newest first: starts, reloads, switches, rollbacks, \
             failures with their reasons."
                .to_owned(),
            object(&json!({"limit": {"type": "integer", "minimum": 1, "maximum": OPERATIONS.0, "description":
                format!("How many at most. Left out: {}.", OPERATIONS.1)}})),
            json!({"type": "object", "properties": {"operations": {"type": "array", "items": {"type": "object"}}},
                "required": ["operations"]}),
            Hints::READS,
        ),
    };
    let mut entry = Map::new();
    entry.insert("name".to_owned(), Value::from(name(prefix, index)));
    if form.structured() {
        entry.insert("title".to_owned(), Value::from(title));
    }
    entry.insert("description".to_owned(), Value::from(about));
    entry.insert("inputSchema".to_owned(), input);
    if form.structured() {
        entry.insert("outputSchema".to_owned(), output);
    }
    if form.annotated() {
        entry.insert("annotations".to_owned(), hints.value(title));
    }
    Value::Object(entry)
}

fn object(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn status_form() -> Value {
    json!({"type": "object", "properties": {
        "server": {"type": "string"},
        "state": {"type": "string", "description": "serving, starting, handoff, down, stopping or stopped"},
        "healthy": {"type": "boolean", "description": "The newest code serves."},
        "active": {"type": ["object", "null"], "description": "The process that serves."},
        "standby": {"type": ["object", "null"], "description": "The process that is being checked, or waits."},
        "waits_for_swap": {"type": "boolean"},
        "failure": {"type": ["object", "null"], "description": "Why newer code does not serve."},
    }, "required": ["state", "healthy"]})
}

fn outcome_form() -> Value {
    json!({"type": "object", "properties": {
        "outcome": {"type": "string",
            "description": "swapped, started, verified, nothing_newer, rolled_back, superseded, stopped or failed"},
        "ok": {"type": "boolean"},
        "ms": {"type": "integer", "description": "How long it took, in milliseconds."},
        "active": {"type": ["object", "null"], "description": "The process that serves now."},
        "waits_for_swap": {"type": "boolean"},
        "changes": {"type": "array", "items": {"type": "object"}, "description": "What differs in the lists."},
        "breaking": {"type": "array", "items": {"type": "string"}},
        "failure": {"type": ["object", "null"]},
    }, "required": ["outcome", "ok"]})
}

struct Hints {
    reads: bool,
    idempotent: bool,
}

impl Hints {
    const READS: Self = Self { reads: true, idempotent: true };
    /// The server's process is exchanged; nothing that anybody made is destroyed.
    const CHANGES: Self = Self { reads: false, idempotent: true };

    fn value(&self, title: &str) -> Value {
        json!({"title": title, "readOnlyHint": self.reads, "destructiveHint": false,
            "idempotentHint": self.idempotent, "openWorldHint": false})
    }
}

/// Reads the arguments of a call, as written.
///
/// # Errors
/// What is wrong with them, as a sentence for the model.
pub(super) fn read(index: usize, arguments: Option<&str>) -> Result<AgentAsk, String> {
    let raw = arguments.filter(|raw| *raw != "null").unwrap_or("{}");
    let mut given = Arguments(match serde_json::from_str(raw) {
        Ok(Value::Object(given)) => given,
        _ => return Err("`arguments` is not a JSON object.".to_owned()),
    });
    let ask = match index {
        0 => AgentAsk::Status,
        1 => AgentAsk::Reload { promote: given.switch("promote")? },
        2 => AgentAsk::Swap { force: given.switch("force")?.unwrap_or(false) },
        3 => {
            let to = given.number("to", u32::MAX as usize)?;
            AgentAsk::Rollback { to: to.and_then(|to| u32::try_from(to).ok()).map(Generation) }
        }
        4 => AgentAsk::Logs {
            lines: given.number("lines", LOG_LINES.0)?.unwrap_or(LOG_LINES.1),
            twin: given.slot("twin")?,
        },
        _ => AgentAsk::History { limit: given.number("limit", OPERATIONS.0)?.unwrap_or(OPERATIONS.1) },
    };
    match given.0.keys().next() {
        Some(unknown) => Err(format!("There is no argument `{}`.", super::super::client::excerpt(unknown.as_bytes()))),
        None => Ok(ask),
    }
}

struct Arguments(Map<String, Value>);

impl Arguments {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn switch(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(on)),
            Some(_) => Err(format!("`{name}` must be true or false.")),
        }
    }

    fn number(&mut self, name: &str, most: usize) -> Result<Option<usize>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number.filter(|number| (1..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("`{name}` must be a whole number from 1 to {most}.")),
        }
    }

    fn slot(&mut self, name: &str) -> Result<Option<char>, String> {
        match self.take(name).as_ref().map(Value::as_str) {
            None => Ok(None),
            Some(Some("A" | "a")) => Ok(Some('A')),
            Some(Some("B" | "b")) => Ok(Some('B')),
            Some(_) => Err(format!("`{name}` must be \"A\" or \"B\".")),
        }
    }
}

/// The names of the tools of one page, as those of ours that they take.
pub(super) fn taken_in(prefix: &str, tools: &str) -> u8 {
    frame::elements(tools)
        .into_iter()
        .filter_map(|tool| frame::member(tool, "name").and_then(frame::string))
        .filter_map(|name| index(prefix, &name))
        .fold(0, |taken, index| taken | 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_the_mistake_is_named() {
        let lines = |lines, twin| Ok(AgentAsk::Logs { lines, twin });
        for (index, arguments, wanted) in [
            (0, None, Ok(AgentAsk::Status)),
            (0, Some("null"), Ok(AgentAsk::Status)),
            (1, Some("{}"), Ok(AgentAsk::Reload { promote: None })),
            (1, Some(r#"{"promote":false}"#), Ok(AgentAsk::Reload { promote: Some(false) })),
            (2, Some(r#"{"force":true}"#), Ok(AgentAsk::Swap { force: true })),
            (3, Some(r#"{"to":3}"#), Ok(AgentAsk::Rollback { to: Some(Generation(3)) })),
            (3, Some(r#"{"to":null}"#), Ok(AgentAsk::Rollback { to: None })),
            (4, Some(r#"{"lines":500,"twin":"b"}"#), lines(500, Some('B'))),
            (4, None, lines(60, None)),
            (5, Some(r#"{"limit":1}"#), Ok(AgentAsk::History { limit: 1 })),
        ] {
            assert_eq!(read(index, arguments), wanted, "{index} {arguments:?}");
        }
        for (index, arguments, wanted) in [
            (0, r#"{"x":1}"#, "There is no argument `x`."),
            (0, "[]", "`arguments` is not a JSON object."),
            (1, r#"{"promote":"yes"}"#, "`promote` must be true or false."),
            (3, r#"{"to":0}"#, "`to` must be a whole number from 1 to 4294967295."),
            (4, r#"{"lines":501}"#, "`lines` must be a whole number from 1 to 500."),
            (4, r#"{"lines":1.5}"#, "`lines` must be a whole number from 1 to 500."),
            (4, r#"{"twin":"C"}"#, "`twin` must be \"A\" or \"B\"."),
        ] {
            assert_eq!(read(index, Some(arguments)), Err(wanted.to_owned()), "{arguments}");
        }
    }

    #[test]
    fn a_name_is_ours_with_the_prefix_only() {
        assert_eq!(index("twin_", "twin_swap"), Some(2));
        assert_eq!((index("twin_", "swap"), index("twin_", "twin_swaps"), index("x", "twin_swap")), (None, None, None));
        assert_eq!(taken_in("twin_", r#"[{"name":"twin_l\u006fgs"},{"name":"t"},{}]"#), 1 << 4);
    }

    #[test]
    fn each_revision_gets_the_members_that_it_knows() {
        let members = |version: &str| {
            let form = Form { modern: false, version: version.to_owned() };
            let entries: Vec<Value> = serde_json::from_str(&format!("[{}]", entries("t_", ALL, &form))).unwrap();
            assert_eq!(entries.len(), NAMES.len());
            let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
            assert!(entries.iter().all(|entry| keys(entry) == keys(&entries[0])));
            keys(&entries[0])
        };
        assert_eq!(members("2024-11-05"), "name description inputSchema");
        assert_eq!(members("2025-03-26"), "name description inputSchema annotations");
        assert_eq!(members("2025-06-18"), "name title description inputSchema outputSchema annotations");
        assert_eq!(members("2026-07-28"), members("2025-11-25"));
    }
}
