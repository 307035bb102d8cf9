//! A command that could not be carried out at all: what is wrong, and what to do instead.

use crate::document;
use crate::exit::Exit;
use crate::render::style::{BAD, DIM, GOOD, paint};
use crate::screen::Screen;
use std::fmt::Write as _;

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
    /// Label and text of each line of advice.
    advice: Vec<(&'static str, String)>,
    /// A text that is shown as it is (clap's help for an empty command line).
    verbatim: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "cli::usage", message)
    }

    /// The command line is empty: the help says it all.
    pub(crate) fn usage_help(help: String) -> Self {
        Self { verbatim: Some(help), ..Self::usage("a command is needed") }
    }

    /// Nothing is known of a server of that name.
    pub(crate) fn unknown_server(name: &str) -> Self {
        Self::new(Exit::Usage, "cli::server::unknown", format!("no server `{name}` is known"))
    }

    /// Several servers could be meant.
    pub(crate) fn ambiguous_server(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "cli::server::ambiguous", message)
    }

    /// There is no front to ask.
    pub(crate) fn no_front(message: impl Into<String>) -> Self {
        Self::new(Exit::NoFront, "cli::front::none", message)
    }

    /// The server's own command cannot be run.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self::new(Exit::Broken, "twin::spawn::not_executable", message)
    }

    /// The answer is no.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::No, code, message)
    }

    /// Something of this machine is in the way.
    pub(crate) fn configuration(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Configuration, code, message)
    }

    /// A fault of a front's.
    pub(crate) fn of(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(exit, code, message)
    }

    /// The same failure with the line that was meant.
    pub(crate) fn did_you_mean(self, line: impl Into<String>) -> Self {
        self.advise("did you mean", line)
    }

    /// The same failure with a line that may have been meant.
    pub(crate) fn or_perhaps(self, line: impl Into<String>) -> Self {
        self.advise("to run a server", line)
    }

    /// The same failure with one more line of advice.
    pub(crate) fn advise(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.advice.push((label, text.into()));
        self
    }

    /// Shows it: as text on standard error, or as a document on standard output. Returns the exit status.
    pub(crate) fn show(&self, json: bool) -> Exit {
        if json {
            Screen::json(&self.document());
        } else {
            Screen::error(&self.text());
        }
        self.exit
    }

    /// It as a document.
    pub(crate) fn document(&self) -> document::Failed {
        let advice = self.advice.iter().map(|(label, text)| format!("{label}: {text}")).collect();
        document::Failed {
            exit: self.exit.status(),
            error: document::Error { code: self.code.to_owned(), message: self.message.clone(), advice },
        }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The text with its colours.
    pub(crate) fn text(&self) -> String {
        if let Some(text) = &self.verbatim {
            return text.clone();
        }
        let mut text = format!("{} {}\n", paint(BAD, "error:"), self.message);
        for (label, advice) in &self.advice {
            let mut lines = advice.lines();
            let first = lines.next().unwrap_or_default();
            let gap = if first.is_empty() { "" } else { " " };
            let _ = writeln!(text, "  {}{gap}{}", paint(DIM, &format!("{label}:")), paint(GOOD, first));
            for line in lines {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }

    /// The status that [`Failure::show`] returns.
    #[cfg(test)]
    pub(crate) fn exit_status(&self) -> u8 {
        self.exit.status()
    }

    fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), advice: Vec::new(), verbatim: None }
    }
}

/// What follows the message of a panic.
pub(crate) fn bug_report() -> String {
    format!(
        "{} this is a bug of mcp-twin, not of your server\n  {} {}/issues\n  {} the lines above, `mcp-twin --version` \
         ({}), and what you did\n",
        paint(BAD, "error:"),
        paint(DIM, "please report it:"),
        env!("CARGO_PKG_REPOSITORY"),
        paint(DIM, "please include:"),
        env!("CARGO_PKG_VERSION"),
    )
}
