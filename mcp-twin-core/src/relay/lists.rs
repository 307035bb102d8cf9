//! The lists of a twin: fetched page by page, kept in canonical form.

use super::diff::ListKind;
use super::era::Era;
use super::probe::{Errand, Stage, What, error_text};
use super::route::Timer;
use super::twin::Twin;
use super::{Relay, compare, frame};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A list that does not end: so many pages, so many bytes.
const PAGES: usize = 1000;
const BYTES: usize = 64 << 20;

/// A list that changed while it was fetched is fetched anew so often.
const AGAIN: usize = 2;

/// From the end of the opening to the first fetch of the serving twin's lists.
const BASELINE: Duration = Duration::from_secs(1);

/// All kinds, in the order of [`index`].
pub(super) const KINDS: [ListKind; 4] = [ListKind::Tools, ListKind::Prompts, ListKind::Resources, ListKind::Templates];

/// The lists of one twin.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    lists: [Option<Arc<List>>; 4],
    /// The twin said that the list changed since it was fetched.
    touched: [bool; 4],
}

/// One list in canonical form: entries by key (name or URI), in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) entries: Vec<(String, String)>,
}

impl List {
    /// How much a client reads for it.
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, json)| json.len()).sum()
    }
}

/// A list that is being fetched.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    pages: usize,
    bytes: usize,
    /// The twin said meanwhile that the list changed.
    touched: bool,
    /// How often it was begun again for that.
    again: usize,
    entries: Vec<(String, String)>,
}

fn index(kind: ListKind) -> usize {
    match kind {
        ListKind::Tools => 0,
        ListKind::Prompts => 1,
        ListKind::Resources => 2,
        ListKind::Templates => 3,
    }
}

/// The `list_changed` that announces a kind: tools, prompts, resources (and their templates).
pub(super) fn notice_of(kind: ListKind) -> usize {
    index(kind).min(2)
}

/// Capability, method, member of the result and key of an entry.
fn names(kind: ListKind) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        ListKind::Tools => ("tools", "tools/list", "tools", "name"),
        ListKind::Prompts => ("prompts", "prompts/list", "prompts", "name"),
        ListKind::Resources => ("resources", "resources/list", "resources", "uri"),
        ListKind::Templates => ("resources", "resources/templates/list", "resourceTemplates", "uriTemplate"),
    }
}

impl Lists {
    /// The kinds that a server with these capabilities has.
    pub(super) fn declared(capabilities: &Map<String, Value>) -> Vec<ListKind> {
        let has = |kind: &ListKind| capabilities.get(names(*kind).0).is_some_and(|value| !value.is_null());
        KINDS.into_iter().filter(has).collect()
    }

    pub(super) fn list(&self, kind: ListKind) -> Option<&List> {
        self.lists[index(kind)].as_deref()
    }

    /// Whether this list is known and as far as we know still so.
    pub(super) fn is_fresh(&self, kind: ListKind) -> bool {
        self.lists[index(kind)].is_some() && !self.touched[index(kind)]
    }

    /// Takes over what is known here and not of these.
    pub(super) fn learn(&mut self, other: &Self) {
        for (own, other) in self.lists.iter_mut().zip(&other.lists) {
            if own.is_none() {
                own.clone_from(other);
            }
        }
    }

    pub(super) fn set(&mut self, kind: ListKind, list: List, touched: bool) {
        self.lists[index(kind)] = Some(Arc::new(list));
        self.touched[index(kind)] = touched;
    }

    /// Hash of the canonical lists (FNV-1a, 64 bits: it goes into records and must not change between releases).
    pub(super) fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
        };
        for kind in KINDS {
            eat(names(kind).1.as_bytes());
            for (_, json) in self.list(kind).map(|list| list.entries.as_slice()).unwrap_or_default() {
                eat(json.as_bytes());
            }
        }
        hash
    }

    /// Whether a client that saw these lists must be told of the others: they differ, or it cannot be known.
    pub(super) fn differ(&self, new: &Self, kind: ListKind) -> bool {
        match (self.list(kind), new.list(kind)) {
            (None, None) => false,
            (Some(old), Some(new_list)) => self.touched[index(kind)] || new.touched[index(kind)] || old != new_list,
            _ => true,
        }
    }
}

impl Twin {
    /// It says that this list changed.
    pub(super) fn touch(&mut self, kind: ListKind) {
        self.lists.touched[index(kind)] = true;
        if let Some(fetch) = self.fetches.get_mut(&kind) {
            fetch.touched = true;
        }
    }
}

impl Relay {
    /// Begins to fetch one list of a twin.
    pub(super) fn fetch(&mut self, twin: TwinId, kind: ListKind) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        state.fetches.insert(kind, Fetch::default());
        self.ask_page(twin, kind, None);
    }

    fn ask_page(&mut self, twin: TwinId, kind: ListKind, cursor: Option<&str>) {
        let params = cursor.map(|cursor| format!("\"cursor\":{cursor}")).unwrap_or_default();
        self.send_errand(twin, What::List(kind), names(kind).1, &params);
    }

    /// Sends a twin a request of our own, and gives its number; `params` are the members of its params.
    pub(super) fn send_errand(&mut self, twin: TwinId, what: What, method: &str, params: &str) -> u64 {
        let number = self.number();
        let line = self.request_line(number, method, params);
        if let Some(state) = self.twins.get_mut(&twin) {
            state.out.push(&line);
            self.errands.insert(number, Errand { twin, what });
        }
        number
    }

    /// The line of a request of our own. In the modern era it carries the client's metadata.
    pub(super) fn request_line(&self, number: u64, method: &str, params: &str) -> String {
        let meta = match self.session.era {
            Era::Legacy => String::new(),
            Era::Modern => format!("\"_meta\":{}{}", self.session.meta, if params.is_empty() { "" } else { "," }),
        };
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"{method}\",\"params\":{{{meta}{params}}}}}")
    }

    /// The lists of the serving twin are fetched a moment later, so that they do not stand in the way of the client's own
    /// first requests.
    pub(super) fn want_baseline(&mut self, twin: TwinId, now: Moment) {
        let modern = self.session.era == Era::Modern;
        let unknown = |state: &Twin| {
            let unseen = |kind: &ListKind| state.lists.list(*kind).is_none();
            Lists::declared(&state.capabilities).iter().any(unseen) || (modern && state.capabilities.is_empty())
        };
        if self.active() == Some(twin) && self.twins.get(&twin).is_some_and(|state| state.initialized && unknown(state))
        {
            self.timers.retain(|(_, timer)| *timer != Timer::Lists(twin));
            self.timers.insert((now + BASELINE, Timer::Lists(twin)));
        }
    }

    /// Fetches the lists of the serving twin that are not known yet; nothing before it has `initialized`.
    pub(super) fn fetch_baseline(&mut self, twin: TwinId) {
        let Some(state) = self.twins.get(&twin) else { return };
        if self.active() != Some(twin)
            || !state.initialized
            || state.out.is_shut()
            || !matches!(state.stage, Stage::Ready)
        {
            return;
        }
        if state.capabilities.is_empty() && self.session.era == Era::Modern {
            // The client began without asking what the server can do.
            if !self.asks_what_it_can_do(twin) {
                self.send_errand(twin, What::Discover, "server/discover", "");
            }
            return;
        }
        let unknown = |kind: &ListKind| state.lists.list(*kind).is_none() && !state.fetches.contains_key(kind);
        for kind in Lists::declared(&state.capabilities).into_iter().filter(unknown).collect::<Vec<_>>() {
            self.fetch(twin, kind);
        }
    }

    fn asks_what_it_can_do(&self, twin: TwinId) -> bool {
        self.errands.values().any(|errand| errand.twin == twin && matches!(errand.what, What::Discover))
    }

    /// Fetches what is not fresh of the serving twin's lists; says whether anything is to come.
    pub(super) fn refresh(&mut self, twin: TwinId) -> bool {
        let Some(state) = self.twins.get(&twin) else { return false };
        if !state.initialized || state.out.is_shut() {
            return false;
        }
        if state.capabilities.is_empty() && self.session.era == Era::Modern {
            self.fetch_baseline(twin);
            return self.asks_what_it_can_do(twin);
        }
        let wanted = |kind: &ListKind| !state.lists.is_fresh(*kind) && !state.fetches.contains_key(kind);
        for kind in Lists::declared(&state.capabilities).into_iter().filter(wanted).collect::<Vec<_>>() {
            self.fetch(twin, kind);
        }
        self.twins.get(&twin).is_some_and(|state| !state.fetches.is_empty())
    }

    pub(super) fn page_answered(&mut self, twin: TwinId, kind: ListKind, answer: Result<&str, &str>, now: Moment) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        let Some(fetch) = state.fetches.get_mut(&kind) else { return };
        let end = match answer {
            Ok(page) => add_page(fetch, kind, page),
            // A server may declare a capability without every list of it.
            Err(error) if frame::member(error, "code") == Some("-32601") => Ok(None),
            Err(error) => Err(error_text(error)),
        };
        match end {
            Ok(Some(cursor)) => {
                let cursor = cursor.to_owned();
                self.ask_page(twin, kind, Some(&cursor));
            }
            // Some servers add to their lists once they are initialized, and say so: what came may be the old list.
            Ok(None) if fetch.touched && fetch.again < AGAIN => {
                *fetch = Fetch { again: fetch.again + 1, ..Fetch::default() };
                self.ask_page(twin, kind, None);
            }
            Ok(None) => {
                let mut entries = std::mem::take(&mut fetch.entries);
                entries.sort();
                let touched = fetch.touched;
                state.fetches.remove(&kind);
                state.lists.set(kind, List { entries }, touched);
                self.fetched(twin, now);
            }
            Err(why) => {
                state.fetches.remove(&kind);
                let method = names(kind).1;
                if state.stage.is_probing() {
                    let message = format!("the new server's answer to {method} is not a valid list: {why}");
                    self.not_ready(twin, Fault::new(Code::ListFailed, message));
                } else {
                    self.log(twin, format!("its answer to {method} is not a valid list: {why}"));
                    self.fetched(twin, now);
                }
            }
        }
    }

    /// Notes which lists the client must be told of when the route goes to this twin.
    pub(super) fn plan_changes(&mut self, to: TwinId, first: bool) {
        if first {
            return;
        }
        let Some(state) = self.twins.get(&to) else { return };
        for kind in KINDS {
            let (capability, ..) = names(kind);
            let told = self.session.era == Era::Modern || self.session.told_flag(capability, "listChanged");
            match (self.known.differ(&state.lists, kind), told) {
                (true, true) => self.owed_changes[notice_of(kind)] = true,
                // It cannot be told, but people can.
                (true, false) => self.stale[notice_of(kind)] = true,
                (false, _) => {}
            }
        }
    }

    /// Tells the client of changed lists, each once no older answer about it can follow.
    pub(super) fn send_owed_changes(&mut self) {
        for notice in 0..3 {
            let Some(owed) = self.owed_changes.get(notice).copied() else { continue };
            let active = self.active();
            if !owed || active.is_none() || self.is_open_elsewhere(notice, active) {
                continue;
            }
            self.owed_changes[notice] = false;
            self.stale[notice] = true;
            if self.session.era == Era::Modern {
                // Only who listens can be told; the others see it when what they keep has expired.
                self.publish_change(notice);
                continue;
            }
            let what = ["tools", "prompts", "resources"][notice];
            self.client.push(&format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{what}/list_changed\"}}"));
        }
    }
}

/// Adds one page; says with which cursor it goes on.
fn add_page<'a>(fetch: &mut Fetch, kind: ListKind, page: &'a str) -> Result<Option<&'a str>, String> {
    let (_, _, member, key) = names(kind);
    fetch.pages += 1;
    fetch.bytes += page.len();
    if fetch.pages > PAGES || fetch.bytes > BYTES {
        return Err(format!("it does not end ({} pages, {} bytes)", fetch.pages, fetch.bytes));
    }
    let entries = frame::member(page, member).ok_or_else(|| format!("`{member}` is missing"))?;
    let entries: Vec<&RawValue> = serde_json::from_str(entries).map_err(|error| format!("`{member}`: {error}"))?;
    for entry in entries {
        let name = frame::member(entry.get(), key).and_then(frame::string);
        let name = name.ok_or_else(|| format!("an entry of `{member}` has no `{key}`"))?;
        fetch.entries.push((name.into_owned(), compare::canonical(entry)));
    }
    Ok(frame::member(page, "nextCursor").filter(|cursor| cursor.starts_with('"') && *cursor != "\"\""))
}
