//! Where the entry of one server stands in a file, and how it is written there.

use jsonc_parser::ParseOptions;
use serde::Serialize;
use std::fmt;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// JSON and nothing else: its reader refuses comments and trailing commas.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Jsonc => "JSON with comments",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        })
    }
}

impl Syntax {
    /// How JSON is read, with comments and trailing commas or without. The reader's own default is nearer to JSON5, which no
    /// client reads.
    pub(crate) fn options(strict: bool) -> ParseOptions {
        ParseOptions {
            allow_comments: !strict,
            allow_trailing_commas: !strict,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        }
    }
}

/// One step from a document's root towards an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Into the member of this name. A key is one step however it looks: `amp.mcpServers` is one key.
    Key(String),
    /// Into the element at this index, from 0.
    Index(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// How an entry says what is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `command: "node"`, `args: ["server.js"]`, the former under the key `command` names (Goose says `cmd`).
    Words {
        /// The key of the command.
        command: &'static str,
    },
    /// `command: ["node", "server.js"]`, as opencode has it.
    Array,
    /// `command: {path: "node", args: ["server.js"]}`, the old form of Zed.
    Program,
    /// `url: "http://…"`, under the key `url` names (`httpUrl`, `serverUrl`, `uri`).
    Url {
        /// The key of the address.
        url: &'static str,
    },
}

/// Where one entry stands and how it is written: all that an edit needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// How the file is written.
    pub syntax: Syntax,
    /// From the root to the object that holds the command; for Cline's `transport: {…}` that is the nested object.
    pub path: Vec<Step>,
    /// How the entry says what is run.
    pub shape: Shape,
}
