//! What a server's table holds beside the options, and what a table of `[[notify]]` holds.

use crate::notify::{Event, Kind};

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct KeyInfo {
    /// Its name.
    pub key: &'static str,
    /// What it takes.
    pub kind: KeyKind,
    /// What it is, in one line.
    pub help: &'static str,
    /// Whether `[defaults]` may have it too.
    pub in_defaults: bool,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A table of texts.
    Variables,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A text with an address, or a port as a number.
    Address,
    /// A whole number, 1 to 100000.
    Count,
    /// A duration, such as `30m`.
    Duration,
}

const fn key(key: &'static str, kind: KeyKind, help: &'static str) -> KeyInfo {
    KeyInfo { key, kind, help, in_defaults: false }
}

/// Every key of a server's table that is no option, in the order in which they are shown.
pub const KEYS: &[KeyInfo] = &[
    key("name", KeyKind::Text, "the server's name, where that is another one than the table's"),
    key("command", KeyKind::Text, "the program that runs the server, without arguments"),
    key("args", KeyKind::Texts, "its arguments"),
    key("env", KeyKind::Variables, "variables for the server beside those that mcp-twin itself has"),
    key(
        "cwd",
        KeyKind::Text,
        "the folder that the server runs in, as seen from this file; by default this file's folder",
    ),
    key("transport", KeyKind::Choice(&["stdio", "http"]), "how the server itself is spoken to"),
    KeyInfo {
        in_defaults: true,
        ..key(
            "watch",
            KeyKind::Texts,
            "files, folders (their source files) and globs that count as the server's code, as seen from mcp-twin.toml",
        )
    },
    KeyInfo { in_defaults: true, ..key("ignore", KeyKind::Texts, "globs of files that do not count") },
    key("listen", KeyKind::Address, "over HTTP: where to listen, ADDRESS:PORT or a port of 127.0.0.1"),
    key("path", KeyKind::Text, "over HTTP: the path of the endpoint, at the front and at the server"),
    key(
        "token_file",
        KeyKind::Text,
        "over HTTP: a file whose first line is a token that clients must send, as seen from this file",
    ),
    key("max_sessions", KeyKind::Count, "over HTTP: how many sessions there may be at once"),
    key("session_idle", KeyKind::Duration, "over HTTP: how long a session may lie idle before it makes room"),
];

/// Every key of a table of `[[notify]]`.
pub const NOTIFY_KEYS: &[KeyInfo] = &[
    key(
        "kind",
        KeyKind::Choice(&Kind::WORDS),
        "how it wants its messages: a JSON document by POST, as Slack or as Discord, on the desktop",
    ),
    key(
        "url",
        KeyKind::Text,
        "where messages go; that of Slack or Discord is a secret and belongs into url_env or url_file",
    ),
    key("url_env", KeyKind::Text, "the variable of mcp-twin's environment that holds the URL"),
    key("url_file", KeyKind::Text, "a file whose first line is the URL, as seen from this file"),
    key(
        "events",
        KeyKind::Words(&Event::WORDS),
        "what is told: failed, rolled_back, crashed, down, swapped, waiting [default: all but swapped]",
    ),
    key("secret_env", KeyKind::Text, "of a webhook: the variable that holds the secret which signs its messages"),
    key("secret_file", KeyKind::Text, "of a webhook: a file whose first line is that secret, as seen from this file"),
    key(
        "headers_env",
        KeyKind::Variables,
        "of a webhook: headers, each by the variable that holds its value, such as { Authorization = \"HOOK_AUTH\" }",
    ),
];
