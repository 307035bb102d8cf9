//! What was found to be wrong, and what mends it.

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A code that stays the same, such as `doctor::command::missing`.
    pub(crate) code: &'static str,
    /// What is wrong, in one line.
    pub(crate) what: String,
    /// What it is about: files, servers, processes.
    pub(crate) about: Vec<String>,
    /// What mends it: a command, or a sentence where there is none.
    pub(crate) fix: Vec<Fix>,
}

/// One way to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fix {
    /// To be typed as it is.
    Run(String),
    /// To be done.
    Do(String),
}

impl Finding {
    pub(crate) fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), about: Vec::new(), fix: Vec::new() }
    }

    pub(crate) fn about(mut self, about: impl IntoIterator<Item = String>) -> Self {
        for one in about {
            if !self.about.contains(&one) {
                self.about.push(one);
            }
        }
        self
    }

    pub(crate) fn run(mut self, command: impl Into<String>) -> Self {
        self.fix.push(Fix::Run(command.into()));
        self
    }

    pub(crate) fn act(mut self, sentence: impl Into<String>) -> Self {
        self.fix.push(Fix::Do(sentence.into()));
        self
    }
}

/// What one check looked at, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// What it looked at, such as `7 commands`.
    pub(crate) looked_at: String,
    /// What is wrong.
    pub(crate) found: Vec<Finding>,
}

/// A word of a command line, for a shell.
pub(crate) fn quoted(word: &str) -> String {
    shell_words::quote(word).into_owned()
}
