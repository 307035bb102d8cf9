//! Keys, as what they mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The line above.
    Up,
    /// The line below.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first line.
    First,
    /// The last line.
    Last,
    /// Start a fresh standby.
    Reload,
    /// Switch to the standby.
    Swap,
    /// Go back.
    Rollback,
    /// Show the logs.
    Logs,
    /// Show what the keys do.
    Help,
    /// Leave this page.
    Back,
    /// End it.
    Quit,
}

/// What stands under `?`: the key and what it does.
pub(crate) const HELP: [(&str, &str); 9] = [
    ("↑ ↓ or k j", "choose a server; in the logs: scroll, also PgUp PgDn Home End"),
    ("r", "reload: start a fresh standby from the files and verify it; traffic stays"),
    ("s", "swap: switch traffic to the verified standby; reloads first if there is none"),
    ("b", "roll back to the code before the last swap, at once"),
    ("l", "the last lines of the server's log; Esc goes back"),
    ("?", "this page"),
    ("q or Ctrl-C", "end; the servers go on"),
    ("", "A key is for every front of the chosen server: one for each client over stdio."),
    ("", "p50, p99: of the last minute, of the slowest front. Errors: since the front's start."),
];

impl Key {
    /// What a key means; none if it means nothing.
    pub(crate) fn of(key: KeyEvent) -> Option<Self> {
        let held = key.modifiers.intersection(KeyModifiers::CONTROL | KeyModifiers::ALT);
        if held == KeyModifiers::CONTROL {
            return (key.code == KeyCode::Char('c')).then_some(Self::Quit);
        }
        if !held.is_empty() {
            return None;
        }
        Some(match key.code {
            KeyCode::Up | KeyCode::Char('k') => Self::Up,
            KeyCode::Down | KeyCode::Char('j') => Self::Down,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home | KeyCode::Char('g') => Self::First,
            KeyCode::End | KeyCode::Char('G') => Self::Last,
            KeyCode::Char('r') => Self::Reload,
            KeyCode::Char('s') => Self::Swap,
            KeyCode::Char('b') => Self::Rollback,
            KeyCode::Char('l') => Self::Logs,
            KeyCode::Char('?' | 'h') => Self::Help,
            KeyCode::Esc => Self::Back,
            KeyCode::Char('q') => Self::Quit,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_held_with_another_mean_something_else() {
        let key = |code, modifiers| Key::of(KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('r'), KeyModifiers::NONE), Some(Key::Reload));
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Key::Last));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Quit));
        assert_eq!(key(KeyCode::Char('r'), KeyModifiers::CONTROL), None);
        assert_eq!(key(KeyCode::Char('b'), KeyModifiers::ALT), None);
        assert_eq!(key(KeyCode::Char('x'), KeyModifiers::NONE), None);
    }
}
