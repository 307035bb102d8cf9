//! Errors on their way to JavaScript.

use mcp_twin_core::Fault;
use mcp_twin_runtime::embedded::EmbedError;
use mcp_twin_runtime::fronts::AskError;
use serde::Serialize;

/// What becomes a `TwinError`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    stderr_tail: String,
}

impl Trouble {
    /// One with this code and text.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), help: None, stderr_tail: String::new() }
    }

    /// The same with advice.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// As JavaScript reads it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, help, stderr_tail } = fault;
        Self { code: code.to_string(), message, help, stderr_tail }
    }
}

impl From<EmbedError> for Trouble {
    fn from(error: EmbedError) -> Self {
        let help = error.help();
        Self { help, ..Self::new("node::front::cannot_begin", error.to_string()) }
    }
}

impl From<AskError> for Trouble {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Hung { .. } => "node::ask::hung",
            AskError::Gone => "node::ask::gone",
            AskError::Unfinished { .. } => "node::ask::unfinished",
            _ => "node::ask::failed",
        };
        Self::new(code, error.to_string())
    }
}
