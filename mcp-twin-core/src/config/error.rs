//! What is wrong with a configuration file, and where.

use super::place::{Excerpt, Place};
use std::fmt;
use std::ops::Range;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it is.
    pub place: Place,
    /// What is wrong, and what is wanted.
    pub message: String,
    /// The known key that was probably meant.
    pub nearest: Option<&'static str>,
    code: &'static str,
    excerpt: Excerpt,
}

/// Every mistake of one file, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigError {
    pub(super) fn new(code: &'static str, text: &str, span: &Range<usize>, message: impl Into<String>) -> Self {
        Self {
            place: Place::of(text, span.start),
            message: message.into(),
            nearest: None,
            code,
            excerpt: Excerpt::of(text, span),
        }
    }

    /// The same mistake; a key that was probably meant is named.
    pub(super) fn meant(mut self, nearest: Option<&'static str>) -> Self {
        self.nearest = nearest;
        if let Some(nearest) = nearest {
            self.message = format!("{}; did you mean `{nearest}`?", self.message);
        }
        self
    }

    /// A code that stays the same: `config::syntax`, `config::unknown_key`, `config::value`, `config::shape`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The line and what is meant in it, underlined. What may be a secret is hidden: values of `env`, arguments.
    #[must_use]
    pub fn excerpt(&self) -> String {
        self.excerpt.text(self.place.line)
    }

    /// File, line, column and what is wrong in one line, then the excerpt.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        format!("{file}:{}: {}\n{}", self.place, self.message, self.excerpt())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigErrors {
    /// `None` if there are none.
    pub(super) fn some(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(|error| error.place);
        (!errors.is_empty()).then_some(Self(errors))
    }

    pub(super) fn one(error: ConfigError) -> Self {
        Self(vec![error])
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    /// All of them, as [`ConfigError::text`] says each.
    #[must_use]
    pub fn text(&self, file: &str) -> String {
        self.iter().map(|error| error.text(file)).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.iter().map(ConfigError::to_string).collect();
        f.write_str(&lines.join("; "))
    }
}

impl std::error::Error for ConfigErrors {}
