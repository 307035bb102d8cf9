//! What came of the first start of a server, for whoever waits for it.

use mcp_twin_core::swap::Outcome;
use tokio::sync::watch;

/// What came of the first start. Cheap to clone; needs no runtime.
#[derive(Clone, Debug)]
pub struct First(watch::Receiver<Option<Outcome>>);

/// Tells it.
#[derive(Debug)]
pub struct Told(watch::Sender<Option<Outcome>>);

impl First {
    /// A first start that is under way, and what tells of it.
    pub fn new() -> (Told, Self) {
        let (told, first) = watch::channel(None);
        (Told(told), Self(first))
    }

    /// Waits for it; nothing if the front ended before.
    pub async fn outcome(mut self) -> Option<Outcome> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Told {
    /// It is known now.
    pub fn tell(self, outcome: Outcome) {
        self.0.send_replace(Some(outcome));
    }
}
