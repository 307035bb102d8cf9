//! Whose process a front runs in, and how it speaks there.

use crate::embedded::{Events, FrontEvent};
use crate::pipes::{nonblocking_stderr, write_stderr};
use mcp_twin_core::swap::Notice;

/// Whose process a front runs in.
#[derive(Clone, Debug)]
pub enum Ground {
    /// Its own: signals, orphans and stderr are the front's.
    Own,
    /// That of others, who hear its events: nothing of the process is touched.
    Hosted(Events),
}

impl Ground {
    /// Whether the process is that of others.
    pub fn hosted(&self) -> bool {
        matches!(self, Self::Hosted(_))
    }

    /// Before the first word.
    pub fn clear_the_throat(&self) {
        if let Self::Own = self {
            nonblocking_stderr();
        }
    }

    /// One line of the front's.
    pub fn say(&self, line: &str) {
        match self {
            Self::Own => write_stderr(&format!("mcp-twin: {line}\n")),
            Self::Hosted(events) => events.send(|| FrontEvent::Said(line.to_owned())),
        }
    }

    /// One line of a twin's stderr.
    pub fn twin_said(&self, name: &str, line: &str) {
        match self {
            Self::Own => write_stderr(&format!("[{name}] {line}\n")),
            Self::Hosted(events) => {
                events.send(|| FrontEvent::TwinSaid { twin: name.to_owned(), line: line.to_owned() });
            }
        }
    }

    /// A step of an operation is over: its code is not run again soon.
    pub fn step_over(&self) {
        #[cfg(target_os = "linux")]
        if matches!(self, Self::Own) {
            crate::process::forget_the_code();
        }
    }

    /// What became of an operation. On stderr it is said in words.
    pub fn notice(&self, notice: &Notice) {
        match self {
            Self::Own => {
                #[cfg(target_os = "linux")]
                crate::process::forget_the_code();
            }
            Self::Hosted(events) => events.send(|| FrontEvent::Notice(notice.clone())),
        }
    }
}
