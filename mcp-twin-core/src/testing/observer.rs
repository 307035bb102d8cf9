//! What people were told.

use super::shared::Shared;
use crate::host::Observer;
use crate::swap::Notice;

/// Keeps every notice and every reason why an event was ignored.
#[derive(Clone, Debug, Default)]
pub struct RecordingObserver(Shared<Heard>);

#[derive(Debug, Default)]
struct Heard {
    notices: Vec<Notice>,
    ignored: Vec<&'static str>,
}

impl RecordingObserver {
    /// All notices, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.0.read(|heard| heard.notices.clone())
    }

    /// Why events changed nothing, oldest first.
    #[must_use]
    pub fn ignored(&self) -> Vec<&'static str> {
        self.0.read(|heard| heard.ignored.clone())
    }

    /// Waits for the first notice, of those that were or will be given, of which `wanted` holds.
    ///
    /// ```
    /// use futures_executor::block_on;
    /// use mcp_twin_core::host::Observer;
    /// use mcp_twin_core::swap::Notice;
    /// use mcp_twin_core::testing::RecordingObserver;
    ///
    /// let observer = RecordingObserver::default();
    /// observer.notice(&Notice::StateOff { why: "disk full".to_owned() });
    /// let notice = block_on(observer.noticed(|notice| matches!(notice, Notice::StateOff { .. })));
    /// assert_eq!(vec![notice], observer.notices());
    /// ```
    pub async fn noticed(&self, wanted: impl Fn(&Notice) -> bool) -> Notice {
        self.0.wait(|heard| heard.notices.iter().find(|notice| wanted(notice)).cloned()).await
    }
}

impl Observer for RecordingObserver {
    fn notice(&self, notice: &Notice) {
        self.0.change(|heard| heard.notices.push(notice.clone()));
    }

    fn ignored(&self, why: &'static str) {
        self.0.change(|heard| heard.ignored.push(why));
    }
}
