//! The probe of a later twin: F's own `initialize`, `initialized`, all declared lists, and the gate.

use super::calls::Capability;
use super::diff::ListKind;
use super::era::{self, Era};
use super::lists::Lists;
use super::opening::{Opening, Welcome};
use super::route::Timer;
use super::{Relay, RelayEvent, compare};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::swap::ProbeReport;
use crate::time::Moment;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::Duration;

/// How long a probe waits for the lists of the serving twin before it compares with those last known.
const BASELINE: Duration = Duration::from_secs(2);

/// F's own notification that an opening is complete.
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// How far a twin is.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Spawned; no probe was asked for.
    #[default]
    Attached,
    /// To be probed; sent nothing yet, because the client's opening is not there, not answered or not complete.
    Waiting { force: bool },
    /// It has the client's own opening in hand.
    Opening,
    /// It has F's replay of the opening in hand.
    Replay { force: bool },
    /// Its lists are being fetched.
    Listing { force: bool, server: Option<String> },
    /// Its lists are there; those of the serving twin, if one serves, are being fetched.
    Comparing { force: bool, server: Option<String>, with: Option<TwinId> },
    /// It can take over.
    Ready,
    /// It cannot.
    Failed,
}

impl Stage {
    /// Whether somebody waits for the end of the probe.
    pub(super) fn is_probing(&self) -> bool {
        !matches!(self, Self::Attached | Self::Ready | Self::Failed)
    }
}

/// A request of our own to a twin.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) twin: TwinId,
    pub(super) what: What,
}

/// What an errand is for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The replay of the opening.
    Replay,
    /// What a twin that serves can do: nobody has asked it (modern).
    Discover,
    /// One page of the tasks, for this call of the client.
    Tasks(u64),
    /// One page of a list.
    List(ListKind),
    /// Set the log level; the level as JSON.
    Level(Box<str>),
    /// Subscribe to this URI, as JSON.
    Subscribe(Box<str>),
    /// Unsubscribe from it.
    Unsubscribe(Box<str>),
    /// A call of the front's own.
    Tool,
}

impl Relay {
    pub(super) fn begin_probe(&mut self, twin: TwinId, force: bool, now: Moment) {
        let state = self.twins.entry(twin).or_default();
        if state.stage.is_probing() || matches!(state.stage, Stage::Ready) {
            return;
        }
        state.stage = Stage::Waiting { force };
        match self.opening {
            Opening::Asked(_) => self.offer_opening(now),
            // The client sends before it opens: this twin is there to answer.
            Opening::Waiting => {
                self.release(now);
                self.offer_listens(twin);
            }
            Opening::Answered => {}
            Opening::Complete => self.replay(twin, force),
        }
    }

    /// Begins the probes that waited for the end of the opening.
    pub(super) fn probe_waiting(&mut self, _now: Moment) {
        let waiting = self.twins.iter().filter_map(|(twin, state)| match state.stage {
            Stage::Waiting { force } => Some((*twin, force)),
            _ => None,
        });
        for (twin, force) in waiting.collect::<Vec<_>>() {
            self.replay(twin, force);
        }
    }

    fn replay(&mut self, twin: TwinId, force: bool) {
        let number = self.number();
        let line = self.replay_line(number);
        let Some(state) = self.twins.get_mut(&twin) else { return };
        state.stage = Stage::Replay { force };
        state.out.push_bytes(&line);
        self.errands.insert(number, Errand { twin, what: What::Replay });
        self.event(RelayEvent::Probing(twin));
    }

    /// The client's own opening is in hand at this twin, but was answered in another way: what the twin says to it counts
    /// as the answer to a replay.
    pub(super) fn adopt_opening(&mut self, number: u64, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.stage = Stage::Replay { force: false };
            self.errands.insert(number, Errand { twin, what: What::Replay });
        }
    }

    /// An answer to an errand: `Ok` the result, `Err` the error, both as written.
    pub(super) fn errand_answered(&mut self, number: u64, answer: Result<&str, &str>, now: Moment) {
        let Some(errand) = self.errands.remove(&number) else { return };
        match (errand.what, answer) {
            (What::Replay, Ok(result)) => self.replay_answered(errand.twin, result, now),
            (What::Replay, Err(error)) => {
                let message = format!("the new server refused the client's opening: {}", error_text(error));
                let help = match self.session.era {
                    Era::Legacy => "the client opened its session with `initialize`: the new server must answer that",
                    Era::Modern => "the client speaks 2026-07-28: the new server must answer `server/discover`",
                };
                self.not_ready(errand.twin, Fault::new(Code::ProbeRefused, message).with_help(help));
            }
            (What::Tasks(of), answer) => self.tasks_answered(of, errand.twin, answer, now),
            (What::Tool, answer) => self.tool_answered(number, errand.twin, answer, now),
            (What::Discover, answer) => self.discovered(errand.twin, answer, now),
            (What::List(kind), answer) => self.page_answered(errand.twin, kind, answer, now),
            (what, answer) => self.ledger_answered(errand.twin, &what, answer, now),
        }
    }

    fn replay_answered(&mut self, twin: TwinId, result: &str, now: Moment) {
        let Some(Stage::Replay { force }) = self.twins.get(&twin).map(|twin| &twin.stage) else { return };
        let force = *force;
        let welcome = Welcome::read(result);
        let version = self.session.version.clone().unwrap_or_default();
        let speaks = match self.session.era {
            Era::Legacy => vec![Cow::from(&welcome.version)],
            Era::Modern => era::versions(result),
        };
        if !speaks.contains(&Cow::from(&version)) {
            let speaks = speaks.join(", ");
            let message = format!(
                "the new server speaks protocol version {}, the client's session {version}",
                if speaks.is_empty() { "(none)" } else { &speaks }
            );
            let fault =
                Fault::new(Code::VersionChanged, message).with_help("reconnect the client to use the new server");
            return self.not_ready(twin, fault);
        }
        let missing = missing(&self.session.told, &welcome.capabilities);
        if !missing.is_empty() && !force {
            let message = format!("the new server no longer has what the client was told of: {}", missing.join(", "));
            let help = "`mcp-twin swap --force` swaps all the same; reconnecting the client settles it anew";
            return self.not_ready(twin, Fault::new(Code::CapabilityLost, message).with_help(help));
        }
        let lost = lost(&self.session.told, &welcome.capabilities);
        let known = |kind: &ListKind| self.twins.get(&twin).is_some_and(|state| state.lists.is_fresh(*kind));
        let kinds: Vec<_> = Lists::declared(&welcome.capabilities).into_iter().filter(|kind| !known(kind)).collect();
        if let Some(state) = self.twins.get_mut(&twin) {
            state.capabilities = welcome.capabilities;
            state.lost = lost;
            state.initialized = true;
            if self.session.era == Era::Legacy {
                state.out.push(INITIALIZED);
            }
            state.stage = Stage::Listing { force, server: welcome.server };
        }
        for kind in kinds {
            self.fetch(twin, kind);
        }
        self.fetched(twin, now);
    }

    /// The serving twin said what it can do: nobody had asked it, and the client goes by what it sees.
    fn discovered(&mut self, twin: TwinId, answer: Result<&str, &str>, now: Moment) {
        match answer {
            Ok(result) => {
                let capabilities = Welcome::read(result).capabilities;
                if self.session.told.is_empty() {
                    self.session.told.clone_from(&capabilities);
                }
                // One that can do nothing is not asked what it can do once more.
                let nothing = capabilities.is_empty();
                if let Some(state) = self.twins.get_mut(&twin) {
                    state.capabilities = capabilities;
                }
                if !nothing {
                    self.fetch_baseline(twin);
                }
            }
            Err(error) => self.log(twin, format!("refused server/discover: {}", error_text(error))),
        }
        self.fetched(twin, now);
    }

    pub(super) fn not_ready(&mut self, twin: TwinId, fault: Fault) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if state.stage.is_probing() {
            state.stage = Stage::Failed;
            state.fetches.clear();
            self.errands.retain(|_, errand| errand.twin != twin);
            self.timers.retain(|(_, timer)| *timer != Timer::Baseline(twin));
            self.event(RelayEvent::NotReady(twin, fault));
        }
    }

    /// A list of this twin has come, or none is to come: the probe may be over, or others may wait for it.
    pub(super) fn fetched(&mut self, twin: TwinId, now: Moment) {
        let active = self.active();
        let compared = active == Some(twin) || (active.is_none() && self.is_compared_with(twin));
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if !state.fetches.is_empty() {
            return;
        }
        if let Stage::Listing { force, server } = &mut state.stage {
            let (force, server) = (*force, server.take());
            state.stage = Stage::Comparing { force, server, with: active };
            let waits = active.filter(|active| *active != twin).is_some_and(|active| self.refresh(active));
            if waits {
                self.timers.insert((now + BASELINE, Timer::Baseline(twin)));
            } else {
                self.compare(twin);
            }
        } else if compared {
            // Requests may be held since the comparison began: it is that twin's lists all the same that the client knows.
            self.known = state.lists.clone();
            self.learn_taken();
            self.compare_waiting();
        }
    }

    fn is_compared_with(&self, twin: TwinId) -> bool {
        self.twins.values().any(|other| matches!(other.stage, Stage::Comparing { with, .. } if with == Some(twin)))
    }

    /// The lists of the serving twin will not come in time.
    pub(super) fn baseline_expired(&mut self, twin: TwinId) {
        self.compare(twin);
    }

    /// The serving twin is gone: waiting probes compare with what was last known.
    pub(super) fn baseline_lost(&mut self, _now: Moment) {
        if self.active().is_none() {
            self.compare_waiting();
        }
    }

    fn compare_waiting(&mut self) {
        let waiting = self.twins.iter().filter(|(_, twin)| matches!(twin.stage, Stage::Comparing { .. }));
        for twin in waiting.map(|(twin, _)| *twin).collect::<Vec<_>>() {
            self.compare(twin);
        }
    }

    fn compare(&mut self, twin: TwinId) {
        self.timers.retain(|(_, timer)| *timer != Timer::Baseline(twin));
        let Some(state) = self.twins.get_mut(&twin) else { return };
        let Stage::Comparing { force, server, .. } = &mut state.stage else { return };
        let (force, server) = (*force, server.take());
        let emptied = compare::emptied(&self.known, &state.lists);
        if !force && !emptied.is_empty() {
            let message = format!("a list that was not empty now is: {}", emptied.join(", "));
            let help = "`mcp-twin swap --force` swaps all the same";
            return self.not_ready(twin, Fault::new(Code::CapabilityLost, message).with_help(help));
        }
        let report =
            ProbeReport { lists_hash: state.lists.hash(), diff: compare::diff(&self.known, &state.lists), server };
        state.stage = Stage::Ready;
        self.event(RelayEvent::Ready(twin, report));
    }
}

/// The message of a raw error object.
pub(super) fn error_text(error: &str) -> String {
    let message = super::frame::member(error, "message").and_then(super::frame::string);
    super::client::excerpt(message.as_deref().unwrap_or(error).as_bytes())
}

/// What the client was told of and the new server lacks, by path. A flag counts if it was true.
fn missing(told: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    fn walk(path: &str, told: &Map<String, Value>, new: Option<&Map<String, Value>>, missing: &mut Vec<String>) {
        for (name, value) in told {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match (value, new.and_then(|new| new.get(name))) {
                (Value::Bool(false) | Value::Null, _) | (Value::Bool(true), Some(Value::Bool(true))) => {}
                (Value::Bool(true), _) | (_, None | Some(Value::Null)) => missing.push(path),
                (Value::Object(told), new) => walk(&path, told, new.and_then(Value::as_object), missing),
                _ => {}
            }
        }
    }
    let mut paths = Vec::new();
    walk("", told, Some(new), &mut paths);
    paths
}

/// The capabilities whose methods the client may call and the new server does not know.
fn lost(told: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Capability> {
    let names = [
        ("tools", Capability::Tools),
        ("prompts", Capability::Prompts),
        ("resources", Capability::Resources),
        ("logging", Capability::Logging),
        ("completions", Capability::Completions),
        ("tasks", Capability::Tasks),
    ];
    let gone = |name: &str| told.contains_key(name) && new.get(name).is_none_or(Value::is_null);
    let mut lost: Vec<_> = names.iter().filter(|(name, _)| gone(name)).map(|(_, capability)| *capability).collect();
    let subscribe = |of: &Map<String, Value>| {
        of.get("resources").and_then(|value| value.get("subscribe")).and_then(Value::as_bool).unwrap_or(false)
    };
    if subscribe(told) && !subscribe(new) {
        lost.push(Capability::Subscriptions);
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn more_is_fine_and_less_is_named() {
        let told = map(json!({"tools": {"listChanged": true}, "logging": {}, "experimental": {"x": {"a": 1}}}));
        let more =
            map(json!({"tools": {"listChanged": true}, "logging": {}, "experimental": {"x": {"a": 2}}, "prompts": {}}));
        assert!(missing(&told, &more).is_empty());
        let less = map(json!({"tools": {}, "experimental": {}}));
        assert_eq!(missing(&told, &less), ["tools.listChanged", "logging", "experimental.x"]);
        assert_eq!(lost(&told, &less), [Capability::Logging]);
    }

    #[test]
    fn a_flag_that_was_false_may_go() {
        let told = map(json!({"resources": {"subscribe": false, "listChanged": true}}));
        assert!(missing(&told, &map(json!({"resources": {"listChanged": true}}))).is_empty());
    }
}
