//! The two output streams. Colours are written always and taken out here where the stream is not a terminal
//! (`NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` have their say).

use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where texts go. A reader that went away (`mcp-twin status | head -1`) is no failure of ours.
pub(crate) struct Screen;

impl Screen {
    /// Writes to standard output.
    pub(crate) fn print(text: &str) {
        let _ = Self::printed(text);
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

impl Screen {
    /// Writes one JSON document in one line; whether somebody still reads.
    pub(crate) fn json_line(document: &impl Serialize) -> bool {
        let mut out = std::io::stdout().lock();
        let text = serde_json::to_string(document).unwrap_or_default() + "\n";
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    /// Writes to standard output; whether somebody still reads.
    pub(crate) fn printed(text: &str) -> bool {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }
}

/// A line on a terminal that says what is waited for, and how long already. It is gone when this is dropped.
pub(crate) struct Waiting {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    /// Begins after a moment, so that what is quick says nothing. Only where standard error is a terminal.
    pub(crate) fn begin(what: String) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let (end, ended) = channel::<()>();
        let began = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut pause = Duration::from_millis(400);
            let mut shown = false;
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                Screen::error(&format!("\r\u{1b}[K{what} … {} s", began.elapsed().as_secs()));
                (shown, pause) = (true, Duration::from_secs(1));
            }
            if shown {
                Screen::error("\r\u{1b}[K");
            }
        });
        Some(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
