//! What a twin hands out and a client brings back later: such a request goes to the twin that knows it.
//!
//! The states of a multi round-trip request (modern), the cursors of a list, tasks, and elicitations by URL. A twin owes
//! answers while a state is fresh, a task runs, or an elicitation is open.

use super::Relay;
use super::calls::{Ask, Call, Method};
use super::era::Era;
use super::frame;
use super::ids::Token;
use super::route::Timer;
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// So many of each kind are remembered; the oldest is forgotten first.
const KEPT: usize = 1024;

/// Things by key, the oldest forgotten when there are too many.
#[derive(Debug)]
struct Kept<K, V> {
    by_key: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Clone, V> Kept<K, V> {
    /// Keeps one; gives back what took its place or had to go for it.
    fn insert(&mut self, key: K, value: V) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(&key).into_iter().collect();
        while self.order.len() >= KEPT {
            gone.extend(self.order.pop_front().and_then(|oldest| self.by_key.remove(&oldest)));
        }
        self.order.push_back(key.clone());
        self.by_key.insert(key, value);
        gone
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.by_key.remove(key)?;
        self.order.retain(|other| other != key);
        Some(value)
    }

    fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.by_key.retain(|_, value| keep(value));
        self.order.retain(|key| self.by_key.contains_key(key));
    }
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// `requestState` values, by hash.
    states: Kept<u64, Due>,
    /// Cursors, by method and hash.
    cursors: Kept<(Method, u64), TwinId>,
    /// Tasks of twins, by the hash of their id.
    tasks: Kept<u64, Task>,
    /// Tasks of the client that a twin asked for, by the hash of their id.
    lent: Kept<u64, TwinId>,
    /// Elicitations by URL that are open, by the hash of their id.
    links: Kept<u64, Due>,
}

/// Something that a twin owes until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    twin: TwinId,
    until: Option<(Moment, u64)>,
}

#[derive(Debug)]
struct Task {
    due: Due,
    /// Its end was seen.
    over: bool,
    /// The progress token of the request that began it, by hash: it stays valid.
    token: Option<u64>,
}

/// Where a request belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// To whoever serves.
    Any,
    /// To this twin.
    Twin(TwinId),
    /// To one that is gone.
    Gone(Fault),
}

impl Owners {
    /// Whether a twin owes something that is no open request.
    pub(super) fn owes(&self, twin: TwinId) -> bool {
        let due = |due: &Due| due.twin == twin;
        self.states.by_key.values().any(due)
            || self.links.by_key.values().any(due)
            || self.tasks.by_key.values().any(|task| task.due.twin == twin && !task.over)
            || self.lent.by_key.values().any(|owner| *owner == twin)
    }

    /// The twins that have tasks.
    pub(super) fn task_twins(&self) -> Vec<TwinId> {
        let mut twins: Vec<TwinId> = self.tasks.by_key.values().map(|task| task.due.twin).collect();
        twins.sort_unstable();
        twins.dedup();
        twins
    }

    /// Whether this task, or this progress token of a task, is one of the twin's.
    pub(super) fn has_task(&self, twin: TwinId, id: &u64) -> bool {
        self.tasks.by_key.get(id).is_some_and(|task| task.due.twin == twin)
    }

    pub(super) fn has_progress(&self, twin: TwinId, token: &Token) -> bool {
        let token = Some(hash_of(token));
        let of = |task: &Task| task.due.twin == twin && !task.over && task.token == token;
        self.tasks.by_key.values().any(of)
    }

    /// Who asked for this task of the client.
    pub(super) fn borrower(&self, id: &u64) -> Option<TwinId> {
        self.lent.by_key.get(id).copied()
    }

    pub(super) fn has_link(&self, twin: TwinId, id: &u64) -> bool {
        self.links.by_key.get(id).is_some_and(|link| link.twin == twin)
    }
}

fn hash_of(token: &Token) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

/// What is remembered of a raw token: of any length, it takes the same room.
fn hash(text: &str) -> u64 {
    hash_of(&Token::read(text))
}

/// A string member of raw params or a raw result, by hash. The name is looked for first: parsing is paid only by
/// messages that can have it.
pub(super) fn named(part: Option<&str>, name: &str) -> Option<u64> {
    let part = part.filter(|part| part.contains(name) || part.contains("\\u"))?;
    frame::member(part, name).filter(|value| value.starts_with('"')).map(hash)
}

/// Whether a raw task is over (2025-11-25 and the extension use the same words).
pub(super) fn is_over(task: &str) -> bool {
    let status = frame::member(task, "status").and_then(frame::string);
    matches!(status.as_deref(), Some("completed" | "failed" | "cancelled"))
}

impl Relay {
    /// To which twin a request belongs.
    pub(super) fn owner_of(&self, method: Method, params: Option<&str>) -> Owner {
        let lives = |twin: &TwinId| !self.is_closed(*twin);
        let gone = |what: &str, help: &str| Owner::Gone(Fault::new(Code::OwnerGone, what).with_help(help));
        match method {
            Method::ToolCall | Method::Work if self.is_modern() => {
                // A twin that is gone cannot take it back: the one that serves says what it thinks of it.
                let state = self.brought_state(params).and_then(|state| self.owners.states.by_key.get(&state));
                state.map(|due| due.twin).filter(lives).map_or(Owner::Any, Owner::Twin)
            }
            Method::List(_) | Method::TaskList => {
                let cursor = params.filter(|params| params.contains("cursor"));
                let Some(cursor) = cursor.and_then(|params| frame::member(params, "cursor")) else { return Owner::Any };
                match self.owners.cursors.by_key.get(&(method, hash(cursor))) {
                    None => Owner::Any,
                    Some(twin) if lives(twin) => Owner::Twin(*twin),
                    Some(_) => gone(
                        "the cursor belongs to a server process that has been replaced",
                        "fetch the list from its beginning",
                    ),
                }
            }
            Method::Task | Method::TaskResult => {
                let task = named(params, "taskId").and_then(|id| self.owners.tasks.by_key.get(&id));
                match task.map(|task| task.due.twin) {
                    None => Owner::Any,
                    Some(twin) if lives(&twin) => Owner::Twin(twin),
                    Some(_) => gone("the task is unknown: its server process has ended", "begin it anew"),
                }
            }
            _ => Owner::Any,
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let Owners { states, cursors, tasks, lent, links } = &self.owners;
        let orders =
            states.order.len() + cursors.order.len() + tasks.order.len() + lent.order.len() + links.order.len();
        orders.max(
            states.by_key.len() + cursors.by_key.len() + tasks.by_key.len() + lent.by_key.len() + links.by_key.len(),
        )
    }

    fn brought_state(&self, params: Option<&str>) -> Option<u64> {
        let params = params.filter(|params| params.contains("requestState"))?;
        frame::member(params, "requestState").map(hash)
    }

    fn due(&mut self, twin: TwinId, lasts: Option<Duration>, now: Moment) -> Due {
        let until = lasts.map(|lasts| (now + lasts, self.number()));
        if let Some((at, key)) = until {
            self.timers.insert((at, Timer::Owned(key)));
        }
        Due { twin, until }
    }

    fn undue(&mut self, gone: impl IntoIterator<Item = Due>) {
        for due in gone {
            if let Some((at, key)) = due.until {
                self.timers.remove(&(at, Timer::Owned(key)));
            }
            self.check_drained(due.twin);
        }
    }

    /// Something has been owed for long enough.
    pub(super) fn due_passed(&mut self, key: u64) {
        let passed = |due: &Due| due.until.is_some_and(|(_, other)| other == key);
        self.owners.states.retain(|due| !passed(due));
        self.owners.links.retain(|due| !passed(due));
        for task in self.owners.tasks.by_key.values_mut().filter(|task| passed(&task.due)) {
            task.over = true;
        }
        let draining: Vec<TwinId> = self.twins.keys().copied().collect();
        for twin in draining {
            self.check_drained(twin);
        }
    }

    /// What the answer to a call hands out.
    pub(super) fn learn(&mut self, twin: TwinId, call: &Call, result: &str, now: Moment) {
        match call.method {
            Method::List(_) | Method::TaskList => {
                let cursor = Some(result).filter(|result| result.contains("nextCursor"));
                let cursor = cursor.and_then(|result| frame::member(result, "nextCursor"));
                if let Some(cursor) = cursor.filter(|cursor| cursor.starts_with('"')) {
                    self.owners.cursors.insert((call.method, hash(cursor)), twin);
                }
            }
            Method::ToolCall | Method::Work => {
                if let Some(state) = call.state {
                    let used = self.owners.states.remove(&state);
                    self.undue(used);
                }
                if self.is_modern() && result.contains("requestState") {
                    self.learn_state(twin, result, now);
                }
                if call.method == Method::ToolCall && result.contains("taskId") {
                    self.learn_task(twin, call, result, now);
                }
            }
            Method::Task => self.task_reported(twin, result),
            Method::TaskResult => {
                // It is answered when the task has ended.
                if let Some(id) = call.entry.as_deref().map(hash) {
                    self.task_over(twin, &id);
                }
            }
            _ => {}
        }
    }

    /// What a refusal says: an elicitation by URL that comes first, or a task that its twin does not know.
    pub(super) fn learn_refusal(&mut self, twin: TwinId, call: &Call, error: &str, now: Moment) {
        match call.method {
            Method::Task | Method::TaskResult => {
                if let Some(id) = call.entry.as_deref().map(hash) {
                    self.task_over(twin, &id);
                }
            }
            _ => self.learn_links(twin, error, now),
        }
    }

    fn learn_state(&mut self, twin: TwinId, result: &str, now: Moment) {
        let Some(state) = frame::member(result, "requestState").filter(|state| state.starts_with('"')) else { return };
        let due = self.due(twin, Some(self.limits.state_ttl), now);
        let gone = self.owners.states.insert(hash(state), due);
        self.undue(gone);
    }

    fn learn_task(&mut self, twin: TwinId, call: &Call, result: &str, now: Moment) {
        let task = match self.session.era {
            Era::Legacy => frame::member(result, "task"),
            Era::Modern => Some(result).filter(|result| frame::member(result, "resultType") == Some("\"task\"")),
        };
        let Some(task) = task else { return };
        let Some(id) = named(Some(task), "taskId") else { return };
        let lasts = frame::member(task, "ttl").or_else(|| frame::member(task, "ttlMs"));
        let lasts = lasts.and_then(super::ids::number).map(Duration::from_millis);
        let over = is_over(task);
        let due = self.due(twin, lasts, now);
        let gone = self.owners.tasks.insert(id, Task { due, over, token: call.token.as_ref().map(hash_of) });
        self.undue(gone.into_iter().map(|task| task.due));
    }

    /// A twin says how one of its tasks stands.
    pub(super) fn task_reported(&mut self, twin: TwinId, task: &str) {
        if let Some(id) = named(Some(task), "taskId").filter(|_| is_over(task)) {
            self.task_over(twin, &id);
        }
    }

    /// A task has ended, or is unknown to its twin. It is still found there.
    pub(super) fn task_over(&mut self, twin: TwinId, id: &u64) {
        let task = self.owners.tasks.by_key.get_mut(id).filter(|task| task.due.twin == twin);
        let Some(task) = task else { return };
        task.over = true;
        let due = task.due;
        task.due.until = None;
        self.undue([due]);
    }

    /// An elicitation by URL is open: the twin will say when it is done.
    pub(super) fn link_opened(&mut self, twin: TwinId, id: u64, now: Moment) {
        let due = self.due(twin, Some(self.limits.state_ttl), now);
        let gone = self.owners.links.insert(id, due);
        self.undue(gone);
    }

    /// It is done, or was declined.
    pub(super) fn link_closed(&mut self, id: &u64) {
        let gone = self.owners.links.remove(id);
        self.undue(gone);
    }

    /// The elicitations that an error of code -32042 asks for.
    pub(super) fn learn_links(&mut self, twin: TwinId, error: &str, now: Moment) {
        let data = Some(error).filter(|error| error.contains("elicitationId"));
        let list = data.and_then(|error| frame::member(frame::member(error, "data")?, "elicitations"));
        let ids: Vec<u64> = list
            .map(frame::elements)
            .unwrap_or_default()
            .into_iter()
            .take(KEPT)
            .filter_map(|one| named(Some(one), "elicitationId"))
            .collect();
        for id in ids {
            self.link_opened(twin, id, now);
        }
    }

    /// The client has answered a request of a twin: a task of its own, or the end of one, or a declined URL.
    pub(super) fn ask_answered(&mut self, ask: &Ask, result: Option<&str>) {
        if let Some(link) = &ask.link
            && result.and_then(|result| frame::member(result, "action")) != Some("\"accept\"")
        {
            self.link_closed(link);
        }
        match &ask.task {
            Some(id) if ask.ends_task || result.is_none_or(is_over) => self.lent_over(id),
            Some(_) => {}
            None => {
                let task = result.filter(|result| result.contains("taskId"));
                let task = task.and_then(|result| frame::member(result, "task"));
                if let Some(id) = named(task, "taskId").filter(|_| !task.is_some_and(is_over)) {
                    let gone = self.owners.lent.insert(id, ask.twin);
                    gone.into_iter().for_each(|twin| self.check_drained(twin));
                }
            }
        }
    }

    /// A task of the client has ended.
    pub(super) fn lent_over(&mut self, id: &u64) {
        if let Some(twin) = self.owners.lent.remove(id) {
            self.check_drained(twin);
        }
    }

    /// A twin is gone and owes nothing more. What it handed out stays known, so that it is not taken for another twin's.
    pub(super) fn forget_owed(&mut self, twin: TwinId) {
        let mut dues = Vec::new();
        let mut keep = |due: &Due| {
            if due.twin == twin {
                dues.push(*due);
            }
            due.twin != twin
        };
        self.owners.states.retain(&mut keep);
        self.owners.links.retain(&mut keep);
        self.owners.lent.retain(|owner| *owner != twin);
        for task in self.owners.tasks.by_key.values_mut().filter(|task| task.due.twin == twin) {
            task.over = true;
            dues.push(task.due);
            task.due.until = None;
        }
        self.undue(dues);
    }

    /// The hash of the `requestState` that a request brings back.
    pub(super) fn state_of(&self, method: Method, params: Option<&str>) -> Option<u64> {
        if matches!(method, Method::ToolCall | Method::Work) && self.is_modern() {
            self.brought_state(params)
        } else {
            None
        }
    }
}
