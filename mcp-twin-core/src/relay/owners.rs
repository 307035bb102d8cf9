//! What a twin hands out and a client brings back later: such a request goes to the twin that knows it.
//!
//! The states of a multi round-trip request (modern), the cursors of a list, tasks, and elicitations by URL. A twin owes
//! answers while a state is fresh, a task runs or what came of it was not fetched, or an elicitation is open.

use super::Relay;
use super::calls::{Ask, Call, Method};
use super::frame::{self, Name};
use super::ids::Token;
use super::route::Timer;
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tasks::{Stage, Task};

mod tasks;

/// So many of each kind are remembered; the oldest is forgotten first.
const KEPT: usize = 1024;

static CURSOR: Name = Name::new("cursor");
static NEXT_CURSOR: Name = Name::new("nextCursor");
static STATE: Name = Name::new("requestState");
/// By which a task is named.
pub(super) static TASK: Name = Name::new("taskId");
/// By which an elicitation by URL is named.
pub(super) static LINK: Name = Name::new("elicitationId");

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
    lent: Kept<u64, Due>,
    /// Elicitations by URL that are open, by the hash of their id.
    links: Kept<u64, Due>,
}

/// Something that a twin owes until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    twin: TwinId,
    until: Option<(Moment, u64)>,
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
            || self.tasks.by_key.values().any(|task| task.due.twin == twin && task.stage != Stage::Over)
            || self.lent.by_key.values().any(due)
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

/// A string member of raw params or a raw result, by hash.
pub(super) fn named(part: Option<&str>, name: &Name) -> Option<u64> {
    name.find(part?).filter(|value| value.starts_with('"')).map(hash)
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
                let Some(cursor) = params.and_then(|params| CURSOR.find(params)) else { return Owner::Any };
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
                let task = named(params, &TASK).and_then(|id| self.owners.tasks.by_key.get(&id));
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
        // Where none is remembered none needs to be looked for.
        let params = params.filter(|_| !self.owners.states.by_key.is_empty());
        STATE.find(params?).map(hash)
    }

    fn due(&mut self, twin: TwinId, lasts: Option<Duration>, now: Moment) -> Due {
        let until = lasts.map(|lasts| (now + lasts, self.number()));
        if let Some((at, key)) = until {
            self.timers.insert((at, Timer::Owned(key)));
        }
        Due { twin, until }
    }

    /// The same debt, for as long as a state is owed at most.
    fn due_sooner(&mut self, before: Due, now: Moment) -> Due {
        let latest = now + self.limits.state_ttl;
        match before.until {
            Some((at, _)) if at <= latest => before,
            until => {
                if let Some((at, key)) = until {
                    self.timers.remove(&(at, Timer::Owned(key)));
                }
                self.due(before.twin, Some(self.limits.state_ttl), now)
            }
        }
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
        self.owners.lent.retain(|due| !passed(due));
        for task in self.owners.tasks.by_key.values_mut().filter(|task| passed(&task.due)) {
            task.stage = Stage::Over;
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
                if let Some(cursor) = NEXT_CURSOR.find(result).filter(|cursor| cursor.starts_with('"')) {
                    self.owners.cursors.insert((call.method, hash(cursor)), twin);
                }
            }
            Method::ToolCall | Method::Work => {
                if let Some(state) = call.state {
                    let used = self.owners.states.remove(&state);
                    self.undue(used);
                }
                if self.is_modern() && STATE.may_be_in(result) {
                    self.learn_state(twin, result, now);
                }
                if call.method == Method::ToolCall && TASK.may_be_in(result) {
                    self.learn_task(twin, call, result, now);
                }
            }
            Method::Task => self.task_answered(twin, result, now),
            Method::TaskResult => {
                // It is answered when the task has ended, with what came of it.
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
        let Some(state) = STATE.of(result).filter(|state| state.starts_with('"')) else { return };
        let due = self.due(twin, Some(self.limits.state_ttl), now);
        let gone = self.owners.states.insert(hash(state), due);
        self.undue(gone);
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
        let data = Some(error).filter(|error| LINK.may_be_in(error));
        let list = data.and_then(|error| frame::member(frame::member(error, "data")?, "elicitations"));
        let ids: Vec<u64> = list
            .map(frame::elements)
            .unwrap_or_default()
            .into_iter()
            .take(KEPT)
            .filter_map(|one| named(Some(one), &LINK))
            .collect();
        for id in ids {
            self.link_opened(twin, id, now);
        }
    }

    /// The client has answered a request of a twin: a task of its own, or the end of one, or a declined URL.
    pub(super) fn ask_answered(&mut self, ask: &Ask, result: Option<&str>, now: Moment) {
        if let Some(link) = &ask.link
            && result.and_then(|result| frame::member(result, "action")) != Some("\"accept\"")
        {
            self.link_closed(link);
        }
        match &ask.task {
            Some(id) => match result.filter(|_| !ask.ends_task) {
                Some(task) => self.lent_reported(id, task, now),
                None => self.lent_over(id),
            },
            None => {
                let task = result.filter(|result| TASK.may_be_in(result));
                let task = task.and_then(|result| frame::member(result, "task"));
                let Some((id, task)) = named(task, &TASK).zip(task) else { return };
                let due = Due { twin: ask.twin, until: None };
                let gone = self.owners.lent.insert(id, due);
                self.undue(gone);
                self.lent_reported(&id, task, now);
            }
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
        self.owners.lent.retain(&mut keep);
        for task in self.owners.tasks.by_key.values_mut().filter(|task| task.due.twin == twin) {
            task.stage = Stage::Over;
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
