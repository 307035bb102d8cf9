//! Processes are not looked at here: what they were started with cannot be read on this system.

use super::Seen;

/// `None`: nobody can tell.
#[must_use]
pub fn seen() -> Option<Vec<Seen>> {
    None
}
