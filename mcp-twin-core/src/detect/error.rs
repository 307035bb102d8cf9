//! Why a configuration file cannot be read.

use super::site::Syntax;

/// Why a file gives no servers. Values of the file are in no text of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The file is too long.
    #[error(
        "the file is longer than the {limit} bytes that are read; a configuration is not that long, look what is in it"
    )]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// The file is not UTF-8.
    #[error("not UTF-8 at line {line}, column {column}; save the file as UTF-8")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// The file breaks the rules of its syntax.
    #[error(
        "not valid {syntax} at line {line}, column {column}: {what}; its client cannot read it either, correct it there"
    )]
    Syntax {
        /// The syntax.
        syntax: Syntax,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// The file nests too deep.
    #[error("values nest more than {deepest} deep; no configuration does, look what is in the file")]
    TooDeep {
        /// The syntax.
        syntax: Syntax,
        /// How deep it may.
        deepest: usize,
    },
    /// What should hold servers is something else.
    #[error("`{key}` is {found} where its client expects an object of servers; correct it there")]
    WrongShape {
        /// The key, empty for the file as a whole.
        key: String,
        /// What it is.
        found: &'static str,
    },
    /// The client refuses the whole file for one server.
    #[error(
        "the client refuses the whole file, for server `{server}` has both a command and a url; remove one of them"
    )]
    Refused {
        /// The server.
        server: String,
    },
    /// The system does not let it be read.
    #[error("cannot be read: {why}")]
    Unreadable {
        /// What the system said.
        why: String,
    },
}

impl ParseError {
    /// A code that stays the same.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "detect::parse::too_large",
            Self::NotUtf8 { .. } => "detect::parse::not_utf8",
            Self::Syntax { syntax, .. } => match syntax {
                Syntax::Json | Syntax::Jsonc => "detect::parse::invalid_json",
                Syntax::Toml => "detect::parse::invalid_toml",
                Syntax::Yaml => "detect::parse::invalid_yaml",
            },
            Self::TooDeep { .. } => "detect::parse::too_deep",
            Self::WrongShape { .. } => "detect::parse::wrong_shape",
            Self::Refused { .. } => "detect::parse::refused",
            Self::Unreadable { .. } => "detect::parse::unreadable",
        }
    }

    /// Line and column, both from 1, where there is such a place.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::NotUtf8 { line, column } | Self::Syntax { line, column, .. } => Some((*line, *column)),
            _ => None,
        }
    }
}

impl serde::Serialize for ParseError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("ParseError", 4)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.serialize_field("line", &self.position().map(|(line, _)| line))?;
        fields.serialize_field("column", &self.position().map(|(_, column)| column))?;
        fields.end()
    }
}
