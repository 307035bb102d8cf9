//! A record in memory.

use super::shared::Shared;
use crate::host::StateStore;
use crate::swap::{HistoryEntry, Record};
use async_trait::async_trait;

/// Keeps every record and every line of history.
///
/// ```
/// use futures_util::FutureExt;
/// use mcp_twin_core::host::StateStore;
/// use mcp_twin_core::swap::Record;
/// use mcp_twin_core::testing::MemoryStore;
///
/// let store = MemoryStore::default();
/// store.fail(Some("disk full"));
/// # let json = r#"{"schema":1,"epoch":0,"phase":"stopped","active":null,"active_source":null,"prev":null,
/// #   "rejected":null,"op":null,"twins":[],"last_good":null}"#;
/// # let record: Record = serde_json::from_str(json).unwrap();
/// assert_eq!(store.save(&record).now_or_never(), Some(Err("disk full".to_owned())));
/// store.fail(None);
/// assert_eq!(store.save(&record).now_or_never(), Some(Ok(())));
/// assert_eq!(store.last(), Some(record));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Shared<Kept>);

#[derive(Debug, Default)]
struct Kept {
    fails: Option<String>,
    held: bool,
    begun: usize,
    records: Vec<Record>,
    history: Vec<HistoryEntry>,
}

impl MemoryStore {
    /// From now on no record can be written, for this reason; `None`: it can again.
    pub fn fail(&self, why: Option<&str>) {
        self.0.change(|kept| kept.fails = why.map(str::to_owned));
    }

    /// Writes take until [`release`](Self::release).
    pub fn hold(&self) {
        self.0.change(|kept| kept.held = true);
    }

    /// Writes end at once, those that wait too.
    pub fn release(&self) {
        self.0.change(|kept| kept.held = false);
    }

    /// How many writes were begun, those that failed included.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.0.read(|kept| kept.begun)
    }

    /// Every record that was written, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.0.read(|kept| kept.records.clone())
    }

    /// The record as it is.
    #[must_use]
    pub fn last(&self) -> Option<Record> {
        self.0.read(|kept| kept.records.last().cloned())
    }

    /// The history, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<HistoryEntry> {
        self.0.read(|kept| kept.history.clone())
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn save(&self, record: &Record) -> Result<(), String> {
        self.0.change(|kept| kept.begun += 1);
        self.0.wait(|kept| (!kept.held).then_some(())).await;
        self.0.change(|kept| match &kept.fails {
            Some(why) => Err(why.clone()),
            None => {
                kept.records.push(record.clone());
                Ok(())
            }
        })
    }

    async fn history(&self, entry: &HistoryEntry) {
        self.0.change(|kept| kept.history.push(entry.clone()));
    }
}
