//! How text is written: to a width, and with a meaning that colours only underline.

use super::Tone;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// What there is to write with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    /// Whether colours are wanted. Without them some things are bold, and nothing else differs.
    pub(super) colours: bool,
}

impl Ink {
    /// The style of a tone.
    pub(super) fn of(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Good => self.colour(Color::Green),
            Tone::Warn => self.colour(Color::Yellow),
            Tone::Bad => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// Of less importance.
    pub(super) fn dim(self) -> Style {
        if self.colours { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }

    /// What a part is about.
    pub(super) fn name(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn colour(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text of exactly so many columns: what is too long ends with `…`.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let text = text.replace('\t', "  ");
    let whole = width(&text);
    if whole <= columns {
        return format!("{text}{}", " ".repeat(columns - whole));
    }
    let mut cut = String::new();
    let mut used = 0;
    let mut buffer = [0; 4];
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut buffer));
        if used + wide + 1 > columns {
            break;
        }
        cut.push(c);
        used += wide;
    }
    if columns > used {
        cut.push('…');
        used += 1;
    }
    cut + &" ".repeat(columns.saturating_sub(used))
}

/// The same at the right.
pub(super) fn right(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let text = fitted.trim_end();
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// A text in lines of so many columns at most, broken between words where that can be.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let gap = usize::from(!line.is_empty());
            if width(&line) + gap + width(&word) <= columns {
                line.extend(std::iter::repeat_n(' ', gap));
                line += &word;
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            let rest = split_off(&mut word, columns);
            lines.push(std::mem::replace(&mut word, rest));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Cuts a word that is longer than a line; at least one character stays.
fn split_off(word: &mut String, columns: usize) -> String {
    let mut used = 0;
    let mut buffer = [0; 4];
    let at = word.char_indices().skip(1).find(|(at, c)| {
        if used == 0 {
            used = width(word.get(..*at).unwrap_or_default());
        }
        used += width(c.encode_utf8(&mut buffer));
        used > columns
    });
    at.map_or_else(String::new, |(at, _)| word.split_off(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_the_columns_that_it_is_given() {
        for (text, columns, wanted) in [
            ("abc", 5, "abc  "),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("abcd", 1, "…"),
            ("abcd", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日… "),
            ("a\tb", 5, "a  b "),
        ] {
            assert_eq!(fit(text, columns), wanted, "{text} {columns}");
        }
        assert_eq!((right("7", 3), right("12345", 4)), ("  7".to_owned(), "123…".to_owned()));
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("日本語日本語", 4), ["日本", "語日", "本語"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
        assert_eq!(wrap("日本", 1), ["日", "本"], "what fits nowhere is written all the same");
    }
}
