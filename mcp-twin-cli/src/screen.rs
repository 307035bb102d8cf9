//! The two output streams. Colours are written always and taken out here where the stream is not a terminal
//! (`NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` have their say).

use serde::Serialize;
use std::io::Write as _;

/// Where texts go. A reader that went away (`mcp-twin status | head -1`) is no failure of ours.
pub(crate) struct Screen;

impl Screen {
    /// Writes to standard output.
    pub(crate) fn print(text: &str) {
        let mut out = anstream::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes to standard error.
    pub(crate) fn error(text: &str) {
        let mut err = anstream::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Writes one JSON document to standard output.
    pub(crate) fn json(document: &impl Serialize) {
        // A document of ours cannot fail to serialise: its keys are strings.
        if let Ok(text) = serde_json::to_string_pretty(document) {
            Self::print(&(text + "\n"));
        }
    }
}
