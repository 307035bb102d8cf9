//! `tasks/list` of the legacy era while more than one twin has tasks: one answer with the tasks of all of them.

use super::Relay;
use super::calls::Method;
use super::frame;
use super::ids::ClientId;
use super::probe::What;
use crate::ids::TwinId;
use crate::time::Moment;
use std::time::Duration;

/// A list that does not end: so many pages, so many bytes.
const PAGES: usize = 100;
const BYTES: usize = 16 << 20;
/// What has come until then is the answer.
const WAIT: Duration = Duration::from_secs(5);

/// A list that is being put together.
#[derive(Debug, Default)]
pub(super) struct Merge {
    left: usize,
    pages: usize,
    bytes: usize,
    /// Raw tasks.
    tasks: Vec<String>,
}

impl Relay {
    /// The twins that a `tasks/list` without a cursor must ask, if it is more than the one that serves.
    pub(super) fn task_listers(&self, method: Method, params: Option<&str>) -> Option<Vec<TwinId>> {
        if method != Method::TaskList || params.is_some_and(|params| frame::member(params, "cursor").is_some()) {
            return None;
        }
        let active = self.active()?;
        let lists = |twin: &TwinId| {
            let tasks = self.twins.get(twin).and_then(|state| state.capabilities.get("tasks"));
            !self.is_closed(*twin) && tasks.is_some_and(|tasks| tasks.get("list").is_some())
        };
        let others = self.owners.task_twins().into_iter().filter(|twin| *twin != active && lists(twin));
        let mut twins: Vec<TwinId> = others.collect();
        if twins.is_empty() {
            return None;
        }
        twins.extend(Some(active).filter(lists));
        Some(twins)
    }

    /// Asks all of them.
    pub(super) fn merge_tasks(&mut self, id: ClientId, params: Option<&str>, twins: &[TwinId], now: Moment) {
        let number = self.number();
        self.open_call(number, id, (Method::TaskList, None), params, None, now);
        self.set_deadline(number, Some(now + WAIT));
        self.merges.insert(number, Merge { left: twins.len(), ..Merge::default() });
        for twin in twins {
            self.send_errand(*twin, What::Tasks(number), "tasks/list", "");
        }
    }

    /// One page, or an error: then the tasks of this twin are left out.
    pub(super) fn tasks_answered(&mut self, number: u64, twin: TwinId, answer: Result<&str, &str>, now: Moment) {
        let Some(merge) = self.merges.get_mut(&number) else { return };
        let page = answer.unwrap_or("{}");
        let tasks = frame::member(page, "tasks").map(frame::elements).unwrap_or_default();
        merge.tasks.extend(tasks.into_iter().map(str::to_owned));
        merge.pages += 1;
        merge.bytes += page.len();
        let cursor = frame::member(page, "nextCursor").filter(|cursor| cursor.starts_with('"') && *cursor != "\"\"");
        match cursor.filter(|_| merge.pages < PAGES && merge.bytes < BYTES) {
            Some(cursor) => {
                let params = format!("\"cursor\":{cursor}");
                self.send_errand(twin, What::Tasks(number), "tasks/list", &params);
            }
            None => self.lister_done(number, now),
        }
    }

    /// A twin will say no more to this list.
    pub(super) fn lister_done(&mut self, number: u64, now: Moment) {
        let Some(merge) = self.merges.get_mut(&number) else { return };
        merge.left = merge.left.saturating_sub(1);
        if merge.left == 0 {
            self.answer_merged(number, now);
        }
    }

    /// Answers with what has come. Whether there was such a list.
    pub(super) fn answer_merged(&mut self, number: u64, now: Moment) -> bool {
        let Some(merge) = self.merges.remove(&number) else { return false };
        self.errands.retain(|_, errand| !matches!(errand.what, What::Tasks(of) if of == number));
        // A client that has cancelled it wants no answer.
        if let Some(call) = self.close(number) {
            self.answer(&call.id, "result", &format!("{{\"tasks\":[{}]}}", merge.tasks.join(",")));
            self.after_close(call.method, None, now);
        }
        true
    }
}
