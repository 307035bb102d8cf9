//! The last of a twin's stderr, for the reason of a failure.

use std::collections::VecDeque;

/// How much is kept, in bytes.
pub const KEPT: usize = 32 << 10;

/// The last 32 KB of a stream of bytes, as text that begins at the start of a line.
#[derive(Clone, Debug, Default)]
pub struct StderrTail {
    // Grows with what comes, so that a silent twin costs nothing.
    bytes: VecDeque<u8>,
    cut: bool,
}

impl StderrTail {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read; the oldest goes.
    pub fn push(&mut self, read: &[u8]) {
        let read = if read.len() > KEPT {
            self.cut = true;
            &read[read.len() - KEPT..]
        } else {
            read
        };
        let over = (self.bytes.len() + read.len()).saturating_sub(KEPT);
        // Whether what is left begins a line is known by the last byte that goes.
        if over > 0 {
            self.cut = self.bytes.drain(..over).next_back() != Some(b'\n');
        }
        self.bytes.extend(read);
    }

    /// What is kept, without the rest of a line whose beginning is gone. Bytes that are no UTF-8 become `U+FFFD`.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let start = match bytes.iter().position(|byte| *byte == b'\n') {
            // A single line longer than all is better cut than gone.
            Some(end) if self.cut && end + 1 < bytes.len() => end + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }

    /// Whether nothing came yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_kept_whole() {
        let mut tail = StderrTail::new();
        assert!(tail.is_empty());
        tail.push(b"no line end");
        tail.push(b" yet\nsecond");
        assert_eq!(tail.text(), "no line end yet\nsecond");
    }

    #[test]
    fn the_newest_is_kept_from_the_start_of_a_line() {
        for chunk in [1, 7, 100, 5000, 100_000] {
            let mut tail = StderrTail::new();
            let all: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
            all.as_bytes().chunks(chunk).for_each(|part| tail.push(part));
            let text = tail.text();
            assert!(text.len() <= KEPT && text.len() > KEPT - 20, "{chunk}: {}", text.len());
            assert!(all.ends_with(&text) && text.starts_with("line "), "{chunk}: {:?}", &text[..20]);
        }
    }

    #[test]
    fn a_line_that_just_fits_is_not_lost() {
        let mut tail = StderrTail::new();
        tail.push(b"gone\n");
        let whole = format!("{}\n", "x".repeat(KEPT - 1));
        tail.push(whole.as_bytes());
        assert_eq!(tail.text(), whole);
    }

    #[test]
    fn one_endless_line_is_cut() {
        let mut tail = StderrTail::new();
        tail.push(&vec![b'x'; 3 * KEPT]);
        assert_eq!(tail.text().len(), KEPT);
        tail.push(b"\n");
        assert_eq!(tail.text().len(), KEPT);
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let mut tail = StderrTail::new();
        tail.push(b"a\xffb");
        assert_eq!(tail.text(), "a\u{fffd}b");
    }
}
