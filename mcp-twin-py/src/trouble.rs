//! Errors on their way to Python.

use mcp_twin_core::Fault;
use mcp_twin_runtime::embedded::EmbedError;
use mcp_twin_runtime::fronts::AskError;
use pyo3::PyErr;
use pyo3::exceptions::PyRuntimeError;
use serde::Serialize;

/// What becomes a `TwinError`.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    code: String,
    message: String,
    help: Option<String>,
    stderr_tail: String,
}

impl Trouble {
    /// One with this code and text.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), help: None, stderr_tail: String::new() }
    }

    /// Something was said that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("python::usage", message)
    }

    /// What can only be a mistake of ours.
    pub fn bug(what: impl std::fmt::Display) -> Self {
        Self::new("python::internal", format!("a bug of mcp-twin: {what}"))
    }

    /// The same with advice.
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// As Python reads it.
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
        Self { help, ..Self::new("python::front::cannot_begin", error.to_string()) }
    }
}

impl From<AskError> for Trouble {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Hung { .. } => "python::ask::hung",
            AskError::Gone => "python::ask::gone",
            AskError::Unfinished { .. } => "python::ask::unfinished",
            _ => "python::ask::failed",
        };
        Self::new(code, error.to_string())
    }
}

/// Thrown at once, by what takes no time: the text is the JSON, which Python makes its own exception of.
impl From<Trouble> for PyErr {
    fn from(trouble: Trouble) -> Self {
        PyRuntimeError::new_err(trouble.json())
    }
}
