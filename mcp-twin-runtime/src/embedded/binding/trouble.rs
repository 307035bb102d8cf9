//! Errors on their way to another language.

use crate::embedded::EmbedError;
use crate::fronts::AskError;
use mcp_twin_core::Fault;
use serde::Serialize;

/// What becomes a `TwinError` there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    code: String,
    message: String,
    help: Option<String>,
    stderr_tail: String,
}

impl Trouble {
    /// One with this code and text.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), help: None, stderr_tail: String::new() }
    }

    /// Something was said that cannot be.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("twin::usage", message)
    }

    /// The system did not do what it always does.
    #[must_use]
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new("twin::internal", message)
    }

    /// What can only be a mistake of ours.
    #[must_use]
    pub fn bug(what: impl std::fmt::Display) -> Self {
        Self::internal(format!("a bug of mcp-twin: {what}"))
    }

    /// The front has ended.
    #[must_use]
    pub fn gone() -> Self {
        Fault::new(mcp_twin_core::Code::Stopped, "the front has ended").into()
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// As JSON: `code`, `message`, `help` (or null), `stderr_tail`.
    #[must_use]
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
        Self { help, ..Self::new("twin::front::cannot_begin", error.to_string()) }
    }
}

impl From<AskError> for Trouble {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Hung { .. } => "twin::ask::hung",
            AskError::Gone => "twin::ask::gone",
            AskError::Unfinished { .. } => "twin::ask::unfinished",
            _ => "twin::ask::failed",
        };
        Self::new(code, error.to_string())
    }
}
