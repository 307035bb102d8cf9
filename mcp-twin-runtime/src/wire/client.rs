//! The client's end of a wire.

use super::Wire;
use crate::pipes::{Input, Line, Lines};
use std::sync::Arc;
use std::time::Duration;

/// How long answers that are still owed keep a front alive after the end of the client's input.
const OWED: Duration = Duration::from_secs(60);

/// How a client's session came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEnd {
    /// Its input ended, and everything it asked was answered (or 60 s have passed).
    Finished,
    /// Nobody reads what we write any more.
    Gone,
}

impl Wire {
    /// Relays the client's input until the session is over, and says how it ended.
    pub async fn serve_client(&self, input: Input, max_message: usize) -> ClientEnd {
        tokio::select! {
            () = self.read_client(Lines::new(input, max_message)) => {}
            end = self.over() => return end,
        }
        self.with(|relay, now| relay.client_eof(now));
        let client = Arc::clone(&self.lock().client);
        tokio::select! {
            end = self.over() => end,
            () = client.reader_gone() => ClientEnd::Gone,
            () = tokio::time::sleep(OWED) => ClientEnd::Finished,
        }
    }

    /// Returns when everything that the client was sent is out of this process.
    pub async fn flushed(&self) {
        let client = Arc::clone(&self.lock().client);
        client.flushed().await;
    }

    async fn read_client(&self, mut lines: Lines) {
        while let Ok(true) = lines.fill().await {
            let recorder = self.recorder();
            let record = |line: &[u8]| recorder.iter().for_each(|recorder| recorder.client(line));
            self.with(|relay, now| {
                while let Some(line) = lines.next_line() {
                    match line {
                        Line::Whole(line) => {
                            record(line);
                            relay.client_line(line, now);
                        }
                        Line::Oversize(beginning) => relay.client_oversize(beginning, now),
                    }
                }
            });
        }
    }

    async fn over(&self) -> ClientEnd {
        loop {
            let end = self.lock().end;
            if let Some(end) = end {
                return end;
            }
            self.shared.over.notified().await;
        }
    }
}
