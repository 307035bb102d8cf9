//! Colours, always as meaning, never as decoration.

use anstyle::{AnsiColor, Style};
use std::fmt;

/// Fine, or what to type.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Broken.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Less important than the rest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// The name that a block is about.
pub(crate) const NAME: Style = Style::new().bold();

/// A text in a style.
pub(crate) fn paint(style: Style, text: &str) -> impl fmt::Display {
    format!("{style}{text}{style:#}")
}

/// What a server wrote, made harmless for a terminal: no escape sequences, no control characters but tabs.
pub(crate) fn harmless(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_write_to_the_terminal() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m\ttab"), "red\ttab");
        assert!(!harmless("title \u{1b}]0;x\u{7} bell \u{7} \u{9b}2J").chars().any(|c| c.is_control()));
    }
}
