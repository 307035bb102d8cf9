//! Bytes on their way to one destination, and which messages its pipe has accepted.

use std::collections::VecDeque;
use std::ops::Range;

/// A buffer that grew beyond this is given back once it is empty.
const KEPT: usize = 256 << 10;

/// So much must have been accepted before a queue is moved to the front of its buffer.
const MOVED: usize = 64 << 10;

/// A queue of whole lines with a read cursor.
///
/// A message whose newline was not accepted stays in the buffer as a whole, however much of it was written: should the
/// pipe break, it can still go elsewhere.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// Everything before it was accepted.
    cursor: usize,
    /// Requests among the lines, or answers: where each begins and ends, and its number.
    marks: VecDeque<Mark>,
    /// The destination accepts nothing any more; lines to it are dropped.
    shut: bool,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    start: usize,
    end: usize,
    call: u64,
}

impl Outbox {
    /// What is to be written next.
    pub(super) fn output(&self) -> &[u8] {
        self.bytes.get(self.cursor..).unwrap_or_default()
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.cursor
    }

    /// Appends a line as it is.
    pub(super) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends a line as it is.
    pub(super) fn push_bytes(&mut self, text: &[u8]) {
        if self.shut {
            return;
        }
        self.bytes.reserve(text.len() + 1);
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
    }

    /// Appends a line in which some spans are replaced. The spans must lie in the text and not overlap.
    pub(super) fn splice(&mut self, text: &str, parts: &mut [(Range<usize>, &[u8])]) {
        if self.shut {
            return;
        }
        parts.sort_unstable_by_key(|(span, _)| span.start);
        let text = text.as_bytes();
        self.bytes.reserve(text.len() + 1 + parts.iter().map(|(_, new)| new.len()).sum::<usize>());
        let mut at = 0;
        for (span, new) in parts {
            self.bytes.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            self.bytes.extend_from_slice(new);
            at = span.end;
        }
        self.bytes.extend_from_slice(text.get(at..).unwrap_or_default());
        self.bytes.push(b'\n');
    }

    /// Remembers that the line that began at `start` (see [`Outbox::end`]) is the request `call`, or the answer to it.
    pub(super) fn mark(&mut self, start: usize, call: u64) {
        self.marks.push_back(Mark { start, end: self.bytes.len(), call });
    }

    /// Where the next line will begin, for [`Outbox::mark`].
    pub(super) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// The call that the next line belongs to, if it was marked and nothing of it was accepted.
    pub(super) fn leading(&self) -> Option<u64> {
        self.marks.front().filter(|mark| mark.start == self.cursor).map(|mark| mark.call)
    }

    /// The last line, given where it began, without its newline.
    pub(super) fn last_line(&self, start: usize) -> &[u8] {
        self.bytes.get(start..self.bytes.len().saturating_sub(1)).unwrap_or_default()
    }

    /// So many bytes were accepted; says which requests were accepted with their newline.
    pub(super) fn written(&mut self, bytes: usize, mut accepted: impl FnMut(u64)) {
        self.cursor = (self.cursor + bytes).min(self.bytes.len());
        while let Some(mark) = self.marks.front().filter(|mark| mark.end <= self.cursor) {
            accepted(mark.call);
            self.marks.pop_front();
        }
        if self.cursor == self.bytes.len() {
            if self.bytes.capacity() > KEPT {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
            self.cursor = 0;
        } else if self.cursor >= MOVED {
            self.compact();
        }
    }

    /// Whether the destination accepts nothing any more.
    pub(super) fn is_shut(&self) -> bool {
        self.shut
    }

    /// The destination accepts nothing any more: takes out the requests whose newline was not accepted, with their lines,
    /// and forgets everything else.
    pub(super) fn shut(&mut self) -> Vec<(u64, Box<[u8]>)> {
        self.shut = true;
        let bytes = std::mem::take(&mut self.bytes);
        self.cursor = 0;
        std::mem::take(&mut self.marks)
            .into_iter()
            .map(|mark| (mark.call, bytes.get(mark.start..mark.end - 1).unwrap_or_default().into()))
            .collect()
    }

    /// Takes out the requests of which not one byte was accepted, and everything that stands between and behind them.
    pub(super) fn take_unbegun(&mut self) -> Vec<(u64, Box<[u8]>)> {
        let first = self.marks.iter().position(|mark| mark.start >= self.cursor).unwrap_or(self.marks.len());
        let taken: Vec<_> = self
            .marks
            .drain(first..)
            .map(|mark| (mark.call, mark.start, self.bytes.get(mark.start..mark.end - 1).unwrap_or_default().into()))
            .collect();
        if let Some((_, start, _)) = taken.first() {
            self.bytes.truncate(*start);
        }
        taken.into_iter().map(|(call, _, line)| (call, line)).collect()
    }

    /// Drops what was accepted, up to the beginning of the first message that was not accepted as a whole.
    fn compact(&mut self) {
        let from = self.marks.front().map_or(self.cursor, |mark| mark.start.min(self.cursor));
        // Moving the rest must be paid for by what is dropped.
        if from < self.bytes.len() - from {
            return;
        }
        self.bytes.drain(..from);
        self.bytes.shrink_to(KEPT);
        self.cursor -= from;
        for mark in &mut self.marks {
            mark.start -= from;
            mark.end -= from;
        }
    }
}

/// A number as decimal digits, without an allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    digits: [u8; 20],
    start: usize,
}

impl Digits {
    /// The digits of `number`.
    pub(super) fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            start = at;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// As bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(outbox: &mut Outbox, bytes: usize) -> Vec<u64> {
        let mut calls = Vec::new();
        outbox.written(bytes, |call| calls.push(call));
        calls
    }

    fn with(lines: &[(&str, Option<u64>)]) -> Outbox {
        let mut outbox = Outbox::default();
        for (line, call) in lines {
            let start = outbox.end();
            outbox.push(line);
            if let Some(call) = call {
                outbox.mark(start, *call);
            }
        }
        outbox
    }

    #[test]
    fn a_request_is_accepted_with_its_newline_only() {
        let mut outbox = with(&[("abc", Some(1)), ("de", Some(2))]);
        assert_eq!(outbox.leading(), Some(1));
        assert!(accepted(&mut outbox, 3).is_empty());
        assert_eq!(outbox.leading(), None, "it is begun");
        assert_eq!(accepted(&mut outbox, 1), [1]);
        assert_eq!(outbox.leading(), Some(2));
        assert_eq!(outbox.output(), b"de\n");
        assert_eq!(accepted(&mut outbox, 3), [2]);
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn what_was_half_written_can_go_elsewhere_whole() {
        let big = "x".repeat(KEPT * 3);
        let mut outbox = with(&[("first", Some(1)), (&big, Some(2)), ("note", None), ("last", Some(3))]);
        assert_eq!(accepted(&mut outbox, 6 + KEPT * 2), [1]);
        let unseen = outbox.shut();
        assert_eq!(unseen.iter().map(|(call, line)| (*call, line.len())).collect::<Vec<_>>(), [(2, big.len()), (3, 4)]);
        assert_eq!(outbox.waiting(), 0);
        outbox.push("for nobody");
        outbox.splice("for nobody", &mut []);
        assert!(outbox.output().is_empty() && outbox.is_shut());
    }

    #[test]
    fn what_was_not_begun_can_be_taken_back() {
        let mut outbox = with(&[("one", Some(1)), ("two", Some(2)), ("note", None), ("three", Some(3))]);
        accepted(&mut outbox, 5);
        assert_eq!(outbox.take_unbegun(), [(3, b"three".as_slice().into())]);
        assert_eq!(outbox.output(), b"wo\nnote\n");
        assert_eq!(accepted(&mut outbox, 3), [2]);
    }

    #[test]
    fn memory_goes_back_after_a_big_message() {
        let mut outbox = with(&[(&"x".repeat(10 << 20), None)]);
        accepted(&mut outbox, (10 << 20) + 1);
        assert_eq!(outbox.bytes.capacity(), 0);
        outbox.push("small");
        accepted(&mut outbox, 6);
        assert!(outbox.bytes.capacity() > 0, "a small buffer is reused");
    }

    #[test]
    fn a_long_queue_is_compacted() {
        let mut outbox = Outbox::default();
        for call in 0..1000 {
            let start = outbox.end();
            outbox.push(&"y".repeat(999));
            outbox.mark(start, call);
        }
        assert_eq!(accepted(&mut outbox, 900_500).len(), 900);
        assert!(outbox.bytes.len() < 200_000);
        assert_eq!(accepted(&mut outbox, 500), [900]);
        assert_eq!(accepted(&mut outbox, 99_000).len(), 99);
    }

    #[test]
    fn spans_are_replaced_in_any_order() {
        let mut outbox = Outbox::default();
        outbox.splice("abcdef", &mut [(4..5, b"EE"), (0..1, b"")]);
        assert_eq!(outbox.output(), b"bcdEEf\n");
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 12345, u64::MAX] {
            assert_eq!(Digits::new(number).bytes(), number.to_string().as_bytes());
        }
    }
}
