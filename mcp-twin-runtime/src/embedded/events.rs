//! What a front in another process says.

use mcp_twin_core::swap::Notice;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// So many events are kept for a reader that is slow.
const KEPT: usize = 1024;

/// Something that happened to a front.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontEvent {
    /// What became of an operation, or of a twin.
    Notice(Notice),
    /// A line that the front would write to its stderr.
    Said(String),
    /// A line of a twin's stderr.
    TwinSaid {
        /// Which twin, such as `A generation 3`.
        twin: String,
        /// The line.
        line: String,
    },
    /// So many events were dropped here: they were read too late.
    Missed(u64),
}

/// Where a front's events go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<FrontEvent>);

impl Events {
    /// Events, and the first who hears them.
    pub(super) fn new() -> (Self, EventStream) {
        let (events, stream) = broadcast::channel(KEPT);
        (Self(events), EventStream(stream))
    }

    /// Passes an event on, if there is anybody who reads.
    pub(crate) fn send(&self, event: impl FnOnce() -> FrontEvent) {
        if self.0.receiver_count() > 0 {
            // Without readers nothing is kept.
            let _ = self.0.send(event());
        }
    }

    /// What is left of them for whoever comes later.
    pub(super) fn later(&self) -> LateEvents {
        LateEvents(self.0.downgrade())
    }
}

/// Events of a front that may be over: it does not keep them going.
#[derive(Debug)]
pub(super) struct LateEvents(broadcast::WeakSender<FrontEvent>);

impl LateEvents {
    /// Those to come.
    pub(super) fn stream(&self) -> EventStream {
        // Of a front that is over there are none: a stream that is at its end.
        EventStream(self.0.upgrade().unwrap_or_else(|| broadcast::Sender::new(1)).subscribe())
    }
}

/// The events of a front, one after the other.
#[derive(Debug)]
pub struct EventStream(broadcast::Receiver<FrontEvent>);

impl EventStream {
    /// The next one; nothing once the front and all that speak for it are gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<FrontEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(FrontEvent::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let (events, early) = Events::new();
        drop(early);
        events.send(|| unreachable!("nobody reads"));
        let late = events.later();
        let mut stream = late.stream();
        for n in 0..KEPT + 3 {
            events.send(|| FrontEvent::Said(n.to_string()));
        }
        drop(events);
        futures_executor::block_on(async {
            assert_eq!(stream.next().await, Some(FrontEvent::Missed(3)));
            for n in 3..KEPT + 3 {
                assert_eq!(stream.next().await, Some(FrontEvent::Said(n.to_string())));
            }
            assert_eq!(stream.next().await, None);
            assert_eq!(late.stream().next().await, None);
        });
    }
}
