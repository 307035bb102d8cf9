//! What goes to the client: whole lines, in the order in which they were said, as fast as it reads them.

use crate::pipes::Output;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// More than this waiting for the client, and the server is not read on.
pub const SLOW: usize = 1 << 20;
/// More than this, and the client itself is not read on: it only asks and does not listen.
pub const STUCK: usize = 16 << 20;

/// The client's end of the output.
#[derive(Debug)]
pub struct Mouth {
    output: Output,
    waiting: Mutex<Waiting>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
    /// Nobody reads any more.
    gone: bool,
}

impl Waiting {
    fn left(&self) -> usize {
        self.bytes.len() - self.written
    }
}

impl Mouth {
    /// An output that nothing was written to. [`Mouth::speak`] has to run.
    #[must_use]
    pub fn new(output: Output) -> Self {
        Self { output, waiting: Mutex::default(), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Says one line. Whoever may wait asks for [`Mouth::room`] first.
    pub fn say(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if !waiting.gone {
            waiting.bytes.extend_from_slice(line);
            waiting.bytes.push(b'\n');
            self.filled.notify_one();
        }
    }

    /// Returns when no more than `bytes` wait, or nobody reads any more.
    pub async fn room(&self, bytes: usize) {
        self.until(|waiting| waiting.gone || waiting.left() <= bytes).await;
    }

    /// Returns when nobody reads any more.
    pub async fn gone(&self) {
        tokio::select! {
            () = self.until(|waiting| waiting.gone) => {}
            () = self.output.reader_gone() => {}
        }
    }

    /// Returns when all that was said is out of this process, or nobody reads it.
    pub async fn flushed(&self) {
        self.room(0).await;
        if !self.lock().gone {
            self.output.flushed().await;
        }
    }

    /// Writes, until nobody reads any more.
    pub async fn speak(&self) {
        while !self.lock().gone {
            self.filled.notified().await;
            self.output.when_writable(|| self.write()).await;
        }
    }

    /// Writes what is accepted; false if the client has to read first.
    fn write(&self) -> bool {
        let mut waiting = self.lock();
        let before = waiting.left();
        let mut fits = true;
        while waiting.left() > 0 && fits {
            match self.output.try_write(&waiting.bytes[waiting.written..]) {
                Ok(written) => waiting.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => fits = false,
                Err(_) => {
                    *waiting = Waiting { gone: true, ..Waiting::default() };
                }
            }
        }
        let keep = waiting.left();
        if keep == 0 {
            waiting.written = 0;
            waiting.bytes.clear();
            if waiting.bytes.capacity() > SLOW {
                waiting.bytes = Vec::new();
            }
        } else if waiting.written > SLOW {
            // What is written is given back now and then: a client that is always behind would never let it go.
            let written = std::mem::take(&mut waiting.written);
            waiting.bytes.drain(..written);
        }
        if waiting.gone || keep < before {
            self.emptied.notify_waiters();
        }
        fits
    }

    async fn until(&self, enough: impl Fn(&Waiting) -> bool) {
        loop {
            // Listening begins before the look, so that no notice is missed between look and wait.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if enough(&self.lock()) {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    fn on_a_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn a_client_that_does_not_read_is_waited_for_and_loses_nothing() {
        on_a_runtime(async {
            let (mut theirs, ours) = std::io::pipe().unwrap();
            let mouth = Arc::new(Mouth::new(Output::new(ours.into()).unwrap()));
            let speaking = tokio::spawn({
                let mouth = Arc::clone(&mouth);
                async move { mouth.speak().await }
            });
            let line = vec![b'x'; SLOW + (256 << 10)];
            mouth.say(&line);
            mouth.say(b"last");
            assert!(timeout(Duration::from_millis(50), mouth.room(SLOW)).await.is_err(), "a full pipe has no room");
            let reading = std::thread::spawn(move || {
                let mut all = vec![0; SLOW + (256 << 10) + 6];
                theirs.read_exact(&mut all).unwrap();
                (all, theirs)
            });
            timeout(Duration::from_secs(20), mouth.flushed()).await.unwrap();
            let (all, theirs) = reading.join().unwrap();
            assert!(all.ends_with(b"x\nlast\n"));
            drop(theirs);
            timeout(Duration::from_secs(20), mouth.gone()).await.unwrap();
            mouth.say(b"to nobody");
            timeout(Duration::from_secs(20), speaking).await.unwrap().unwrap();
            timeout(Duration::from_secs(20), mouth.flushed()).await.unwrap();
        });
    }
}
