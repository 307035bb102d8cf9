//! Batches, which only revision 2025-03-26 has: several messages in one line.
//!
//! The messages of a client's batch go their ways one by one; the answers come back as one batch once all are there. A
//! twin's batch is passed on message by message.

use super::Relay;
use super::frame;
use super::ids::ClientId;
use super::opening::Opening;
use super::outbox::Outbox;
use super::refusal::INVALID_REQUEST;
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use std::ops::Range;

/// The revision that has batches.
const VERSION: &str = "2025-03-26";

/// A longer one is refused: each of its messages may be answered with many times its bytes.
const PARTS: usize = 4096;

/// A batch of the client whose answers are being collected.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Requests without an answer.
    open: usize,
    answers: Vec<Box<[u8]>>,
}

impl Relay {
    /// Whether the session's revision has batches.
    fn has_batches(&self) -> bool {
        let settled = matches!(self.opening, Opening::Answered | Opening::Complete);
        settled && self.session.version.as_deref() == Some(VERSION)
    }

    pub(super) fn client_batch(&mut self, line: &[u8], now: Moment) {
        let parts = frame::elements(text(line));
        if !self.has_batches() || parts.is_empty() || parts.len() > PARTS {
            let message = match parts.len() {
                0 => "an empty batch is no message",
                _ if self.has_batches() => "a batch of more than 4096 messages is not taken",
                _ => "only revision 2025-03-26 has batches; send one message a line",
            };
            return self.answer_null(INVALID_REQUEST, &Fault::new(Code::BadMessage, message));
        }
        let number = self.number();
        self.batches.insert(number, Batch::default());
        self.reading = Some(number);
        for part in parts {
            self.read_client(part.as_bytes(), now);
        }
        self.reading = None;
        self.check_batch(number);
    }

    /// A twin's batch: whether it was one that its revision has.
    pub(super) fn twin_batch(&mut self, twin: TwinId, line: &[u8], now: Moment) -> bool {
        let parts = frame::elements(text(line));
        let plain = !parts.is_empty() && parts.len() <= PARTS && parts.iter().all(|part| !part.starts_with('['));
        if !plain || !self.has_batches() {
            return false;
        }
        for part in parts {
            self.read_twin(twin, part.as_bytes(), now);
        }
        true
    }

    /// A request that has just been read belongs to the batch that is being read.
    pub(super) fn join_batch(&mut self, id: &mut ClientId) {
        id.batch = self.reading;
        if let Some(batch) = id.batch.and_then(|batch| self.batches.get_mut(&batch)) {
            batch.open += 1;
        }
    }

    /// Sends the client the answer to a request: `text` with some spans replaced.
    pub(super) fn reply(&mut self, id: &ClientId, text: &str, parts: &mut [(Range<usize>, &[u8])]) {
        match id.batch {
            None => self.client.splice(text, parts),
            Some(batch) => {
                let mut line = Outbox::default();
                line.splice(text, parts);
                let line = line.last_line(0).into();
                self.collect(batch, line);
            }
        }
    }

    /// One answer of a batch.
    pub(super) fn collect(&mut self, number: u64, line: Box<[u8]>) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.answers.push(line);
        }
        self.leave_batch(number);
    }

    /// An answer to what is no request at all.
    pub(super) fn collect_stray(&mut self, number: u64, line: Box<[u8]>) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.answers.push(line);
        }
    }

    /// A request of a batch is closed.
    pub(super) fn leave_batch(&mut self, number: u64) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.open = batch.open.saturating_sub(1);
        }
        self.check_batch(number);
    }

    fn check_batch(&mut self, number: u64) {
        if self.reading == Some(number) || self.batches.get(&number).is_none_or(|batch| batch.open > 0) {
            return;
        }
        let answers = self.batches.remove(&number).map(|batch| batch.answers).unwrap_or_default();
        // A batch of notifications, or one that was cancelled as a whole, has no answer.
        if !answers.is_empty() {
            let line = [b"[", answers.join(&b","[..]).as_slice(), b"]"].concat();
            self.client.push_bytes(&line);
        }
    }
}

/// The text of a line that was read as a JSON array.
fn text(line: &[u8]) -> &str {
    let text = std::str::from_utf8(line).unwrap_or_default();
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii()
}
