//! The front's own tools, for the agent behind the client (`--tools`): they stand at the end of the server's list, and a
//! call of one is answered by the front, whatever the server does at that moment.
//!
//! A tool of the server's own wins over one of ours of the same name: ours is neither listed nor answered then. While it
//! is not known whether the serving twin has such a tool, a call waits for its list. No twin is ever sent a call of ours,
//! and none counts one as open.

mod menu;
mod welcome;

pub use menu::AgentAsk;

use super::calls::{Call, Capability, Method};
use super::client::respell;
use super::diff::ListKind;
use super::era::{self, Era};
use super::frame::{self, Frame};
use super::ids::ClientId;
use super::opening::{Opening, shifted};
use super::route::Route;
use super::{Relay, RelayEvent};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// So many calls of ours may be open.
pub const AGENT_CALLS: usize = 16;

/// What is known of our own tools.
#[derive(Debug, Default)]
pub(super) struct Agent {
    /// What their names begin with; none: there are none.
    prefix: Option<Box<str>>,
    /// Those whose name the serving twin's own tools have, as bits; none: its list is not known yet.
    taken: Option<u8>,
    /// The same of the pages that the client has read since the first one.
    walked: u8,
    /// Those of which it was said.
    said: u8,
    /// Open calls.
    open: BTreeMap<u64, Form>,
    /// Those that wait until it is known whose they are.
    waiting: BTreeMap<u64, Waiting>,
    /// The client was given a list with ours alone, since no server was there.
    alone: bool,
}

/// How an answer of ours is written.
#[derive(Clone, Debug)]
pub(super) struct Form {
    modern: bool,
    /// The protocol version.
    version: String,
}

#[derive(Debug)]
struct Waiting {
    /// The request with our number, in case that it is the server's.
    line: Box<[u8]>,
    index: usize,
    ask: Result<AgentAsk, String>,
}

/// What the front answers to a call of its own tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentAnswer {
    /// For the model.
    pub text: String,
    /// The same for programs.
    pub structured: Map<String, Value>,
    /// It did not work.
    pub failed: bool,
    /// It says why the last operation failed, so that the client need not be told once more.
    pub tells: bool,
}

impl Form {
    /// Whether this revision has structured results, and titles.
    fn structured(&self) -> bool {
        self.version.as_str() >= "2025-06-18"
    }

    /// Whether it has annotations.
    fn annotated(&self) -> bool {
        self.version.as_str() >= "2025-03-26"
    }
}

impl Agent {
    /// How many calls of ours are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A call of ours is no longer open.
    pub(super) fn forget(&mut self, number: u64) {
        self.open.remove(&number);
        self.waiting.remove(&number);
    }

    fn free(&self) -> u8 {
        menu::ALL & !self.taken.unwrap_or(0)
    }
}

impl Relay {
    /// Offers the client tools of the front's own whose names begin with `prefix`, or none (any more). The client is told
    /// if its list differs by that.
    pub fn offer_tools(&mut self, prefix: Option<&str>, now: Moment) {
        if self.agent.prefix.as_deref() == prefix {
            return;
        }
        self.agent.prefix = prefix.map(Into::into);
        (self.agent.said, self.agent.walked) = (0, 0);
        self.learn_taken();
        let settled = matches!(self.opening, Opening::Answered | Opening::Complete);
        if settled && self.session.era == Era::Modern {
            self.stale[0] |= self.publish_change(0);
        } else if settled && self.session.told_flag("tools", "listChanged") {
            self.stale[0] = true;
            self.client.push(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        } else if settled && !self.limits.many {
            self.log(
                None,
                "the client cannot be told that the list of tools changed: it sees that when it connects anew",
            );
        }
        self.release_agent(now);
    }

    /// The answer to [`RelayEvent::Asked`]. One to a call that the client has cancelled goes nowhere.
    pub fn answer_agent(&mut self, number: u64, answer: &AgentAnswer, now: Moment) {
        let Some(form) = self.agent.open.get(&number).cloned() else { return };
        let Some(call) = self.close(number) else { return };
        if answer.tells {
            self.untold = None;
        }
        let mut result = Map::new();
        if form.modern {
            result.insert("resultType".to_owned(), Value::from("complete"));
        }
        result.insert("content".to_owned(), json!([{"type": "text", "text": answer.text}]));
        if form.structured() && !answer.structured.is_empty() {
            result.insert("structuredContent".to_owned(), Value::Object(answer.structured.clone()));
        }
        result.insert("isError".to_owned(), Value::from(answer.failed));
        self.answer(&call.id, "result", &Value::Object(result).to_string());
        self.after_close(call.method, None, now);
        self.check_finished();
    }

    // Calls.

    /// Which of our tools a request calls, if it is not known to be the server's.
    pub(super) fn agent_tool(&self, method: Method, params: Option<&str>) -> Option<usize> {
        let prefix = self.agent.prefix.as_deref().filter(|_| method == Method::ToolCall)?;
        let name = frame::member(params?, "name").and_then(frame::string)?;
        menu::index(prefix, &name).filter(|index| self.agent.free() & (1 << index) != 0)
    }

    /// The client calls one of our tools.
    pub(super) fn call_agent(&mut self, frame: &Frame<'_>, id: ClientId, raw_id: &str, index: usize, now: Moment) {
        let bytes: usize = self.agent.waiting.values().map(|waiting| waiting.line.len()).sum();
        if self.agent.open.len() >= AGENT_CALLS || bytes > self.limits.hold_bytes {
            let message = "too many calls of the tools of mcp-twin are open; repeat this one once they are answered";
            return self.answer_error(&id, &Fault::new(Code::Busy, message));
        }
        let number = self.number();
        let form = self.form_of(frame.params);
        let ask = menu::read(index, frame.params.and_then(|params| frame::member(params, "arguments")));
        self.open_call(number, id, (Method::Agent, None), frame.params, None, now);
        self.agent.open.insert(number, form);
        if self.is_undecided() {
            let line = respell(frame, raw_id, number);
            self.agent.waiting.insert(number, Waiting { line, index, ask });
            let at = self.hold_deadline(now);
            self.set_deadline(number, at);
            self.fetch_to_decide();
        } else {
            self.ask_front(number, ask, now);
        }
    }

    fn ask_front(&mut self, number: u64, ask: Result<AgentAsk, String>, now: Moment) {
        self.set_deadline(number, None);
        match ask {
            Ok(ask) => self.event(RelayEvent::Asked(number, ask)),
            Err(text) => self.answer_agent(number, &AgentAnswer { text, failed: true, ..AgentAnswer::default() }, now),
        }
    }

    /// Whether it is still to be found out if a call is one of ours: the opening is not answered, or the list of the twin
    /// that serves, or is about to, is not there.
    fn is_undecided(&self) -> bool {
        match (&self.opening, &self.route) {
            (Opening::Asked(_), _) => true,
            (Opening::Waiting, _) | (_, Route::Refusing(_)) => false,
            _ if self.agent.taken.is_some() => false,
            (_, Route::Holding) => self.failure.is_none(),
            (_, Route::To(twin)) => self.can_be_listed(*twin),
        }
    }

    /// Whether this twin's list can be asked for.
    fn can_be_listed(&self, twin: TwinId) -> bool {
        self.twins.get(&twin).is_some_and(|state| {
            let asked = self.session.era == Era::Modern && state.capabilities.is_empty();
            state.initialized && !state.out.is_shut() && (asked || has_tools(&state.capabilities))
        })
    }

    fn fetch_to_decide(&mut self) {
        if let Some(twin) = self.active().filter(|_| self.agent.taken.is_none()) {
            self.fetch_baseline(twin);
        }
    }

    /// Sends on what waited to be known as ours, or as the server's.
    pub(super) fn release_agent(&mut self, now: Moment) {
        if self.agent.waiting.is_empty() {
            return;
        }
        if self.is_undecided() {
            // Until the opening is answered they share its fate.
            let timeless = |number: &u64| self.calls.get(number).is_some_and(|call| call.deadline.is_none());
            let at = self.hold_deadline(now);
            for number in self.agent.waiting.keys().copied().filter(timeless).collect::<Vec<_>>() {
                self.set_deadline(number, at);
            }
            return self.fetch_to_decide();
        }
        for (number, waiting) in std::mem::take(&mut self.agent.waiting) {
            self.decide(number, waiting, now);
        }
    }

    fn decide(&mut self, number: u64, waiting: Waiting, now: Moment) {
        if self.agent.free() & (1 << waiting.index) != 0 && self.agent.prefix.is_some() {
            return self.ask_front(number, waiting.ask, now);
        }
        self.agent.open.remove(&number);
        if let Some(call) = self.calls.get_mut(&number) {
            (call.method, call.needs) = (Method::ToolCall, Some(Capability::Tools));
            self.set_deadline(number, None);
            self.reroute(number, waiting.line, now);
        }
    }

    /// The list did not come in time: the call is answered. Whether it was one of ours.
    pub(super) fn agent_expired(&mut self, number: u64, now: Moment) -> bool {
        let Some(waiting) = self.agent.waiting.remove(&number) else { return false };
        self.decide(number, waiting, now);
        true
    }

    // The list.

    /// Whether the client of this request may see our tools.
    fn offers_to(&self, settling: bool) -> bool {
        let told = || self.session.announced || has_tools(&self.session.told);
        self.agent.prefix.is_some() && (settling || self.session.era == Era::Modern || told())
    }

    /// Whether `tools/list` is for us alone to answer: the server has no tools, or none is there.
    pub(super) fn lists_alone(&self, method: Method, params: Option<&str>) -> bool {
        if method != Method::List(ListKind::Tools) || has_cursor(params) || !self.offers_to(false) {
            return false;
        }
        match (&self.opening, &self.route) {
            (Opening::Asked(_) | Opening::Waiting, _) | (_, Route::Holding) => false,
            (_, Route::Refusing(_)) => true,
            (_, Route::To(twin)) => self.twins.get(twin).is_some_and(|state| {
                // In the modern era it may not have been asked yet what it can do.
                let known = !state.capabilities.is_empty() || self.session.era == Era::Legacy;
                known && !has_tools(&state.capabilities)
            }),
        }
    }

    /// Answers `tools/list` with ours alone.
    pub(super) fn list_alone(&mut self, id: &ClientId, params: Option<&str>) {
        let form = self.form_of(params);
        self.agent.alone = !matches!(self.route, Route::To(_));
        self.answer_alone(id, &form);
    }

    /// The same in place of an error, for a list that could not be had. Whether it was answered.
    ///
    /// `missing`: a server that is not there may have tools too.
    pub(super) fn list_in_place(&mut self, call: &Call, missing: bool) -> bool {
        let list = call.method == Method::List(ListKind::Tools) && call.entry.is_none();
        if !list || !self.offers_to(call.settles.is_some()) {
            return false;
        }
        let form = self.form_of(None);
        self.agent.alone = missing;
        self.answer_alone(&call.id, &Form { modern: form.modern || call.settles.is_some(), ..form });
        true
    }

    fn answer_alone(&mut self, id: &ClientId, form: &Form) {
        let prefix = self.agent.prefix.clone().unwrap_or_default();
        let tools = menu::entries(&prefix, self.agent.free(), form);
        let result = if form.modern {
            format!(r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":0,"cacheScope":"private"}}"#)
        } else {
            format!(r#"{{"tools":[{tools}]}}"#)
        };
        self.answer(id, "result", &result);
    }

    /// Where our tools go in a page of the server's, if it is the last one.
    pub(super) fn menu_in(&mut self, twin: TwinId, call: &Call, frame: &Frame<'_>) -> Option<(Range<usize>, String)> {
        if call.method != Method::List(ListKind::Tools) || !self.offers_to(call.settles.is_some()) {
            return None;
        }
        let prefix = self.agent.prefix.clone()?;
        let result = frame.result?;
        let tools = frame::member(result, "tools").filter(|tools| tools.starts_with('[') && tools.ends_with(']'))?;
        let here = menu::taken_in(&prefix, tools);
        if call.entry.is_none() {
            self.agent.walked = 0;
        }
        self.agent.walked |= here;
        let last = frame::member(result, "nextCursor").is_none_or(|cursor| matches!(cursor, "null" | "\"\""));
        if self.active() == Some(twin) {
            self.agent.taken = match self.agent.taken {
                _ if last => Some(self.agent.walked),
                taken => taken.map(|taken| taken | here),
            };
            self.say_taken();
        }
        if !last {
            return None;
        }
        self.agent.alone = false;
        let mut form = self.form_of(None);
        if let Some(envelope) = &call.settles {
            form = Form { modern: true, version: envelope.version.clone() };
        }
        let entries = menu::entries(&prefix, self.agent.free() & !self.agent.walked, &form);
        if entries.is_empty() {
            return None;
        }
        let empty = tools.get(1..tools.len() - 1).is_none_or(|inner| inner.trim_ascii().is_empty());
        let end = frame.span(tools).end - 1;
        Some((end..end, format!("{}{entries}", if empty { "" } else { "," })))
    }

    /// The list of the twin that serves is known, or another twin serves.
    pub(super) fn learn_taken(&mut self) {
        let Some(prefix) = self.agent.prefix.as_deref() else { return };
        let Some(state) = self.active().and_then(|active| self.twins.get(&active)) else { return };
        let none = || (!state.capabilities.is_empty() && !has_tools(&state.capabilities)).then_some(0);
        let taken = state.lists.list(ListKind::Tools).map(|list| {
            let indices = list.entries.iter().filter_map(|(name, _)| menu::index(prefix, name));
            indices.fold(0, |taken, index| taken | 1 << index)
        });
        self.agent.taken = taken.or_else(none);
        self.say_taken();
    }

    fn say_taken(&mut self) {
        let Some(prefix) = self.agent.prefix.clone() else { return };
        let taken = self.agent.taken.unwrap_or(0);
        let news = taken & !self.agent.said;
        self.agent.said = taken;
        for index in (0..menu::NAMES.len()).filter(|index| news & (1 << index) != 0) {
            self.event(RelayEvent::Taken(menu::name(&prefix, index)));
        }
    }

    /// Whether the client's list is missing what a server now has, so that it must be told.
    pub(super) fn listed_alone(&self) -> bool {
        self.agent.alone
    }

    // The opening.

    /// What is written where in the answer to an opening so that the client knows of our tools.
    pub(super) fn announcement(&self, result: &str) -> Option<(Range<usize>, String)> {
        self.agent.prefix.as_ref()?;
        welcome::edit(result)
    }

    /// The same for an answer to `server/discover` that opened nothing.
    pub(super) fn announced_in(&self, frame: &Frame<'_>) -> Option<(Range<usize>, String)> {
        let result = frame.result?;
        self.announcement(result).map(|(at, text)| (shifted(at, frame.span(result).start), text))
    }

    /// Whether the client is told of them.
    pub(super) fn announces(&self) -> bool {
        self.agent.prefix.is_some()
    }

    fn form_of(&self, params: Option<&str>) -> Form {
        let named = era::version(params);
        let modern = named.is_some() || self.session.era == Era::Modern;
        let version = named.map(std::borrow::Cow::into_owned).or_else(|| self.session.version.clone());
        Form { modern, version: version.unwrap_or_default() }
    }

    /// Nobody is there to answer this call.
    pub fn refuse_agent(&mut self, number: u64, fault: &Fault, now: Moment) {
        self.fail(number, fault, now);
        self.check_finished();
    }
}

fn has_tools(capabilities: &Map<String, Value>) -> bool {
    capabilities.get("tools").is_some_and(|tools| !tools.is_null())
}

/// Whether a list is asked for from a certain page on.
fn has_cursor(params: Option<&str>) -> bool {
    params.and_then(|params| frame::member(params, "cursor")).is_some_and(|cursor| cursor != "null")
}
