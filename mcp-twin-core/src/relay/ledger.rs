//! What a new twin must be told of the session: log level and subscriptions.

use super::calls::{Call, LEDGER, Method};
use super::opening::Opening;
use super::probe::{Stage, What, error_text};
use super::route::Timer;
use super::{Relay, RelayEvent};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a swap waits for ledger requests that the old twin has in flight.
const IN_FLIGHT: Duration = Duration::from_secs(1);
/// How long a new twin may take for the ledger.
const TAKE: Duration = Duration::from_secs(5);

/// So many subscriptions are brought to a new twin.
const SUBSCRIPTIONS: usize = 4096;

/// Accepted state of the session, each value as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    level: Option<Box<str>>,
    uris: BTreeSet<Box<str>>,
}

impl Ledger {
    /// As it can be written down: the level, and the URIs, each as JSON.
    pub(super) fn saved(&self) -> (Option<String>, Vec<String>) {
        (self.level.as_deref().map(str::to_owned), self.uris.iter().map(ToString::to_string).collect())
    }

    /// What was written down.
    pub(super) fn restore(&mut self, level: Option<&str>, uris: &[String]) {
        self.level = level.map(Into::into);
        self.uris = uris.iter().map(|uri| uri.as_str().into()).collect();
    }
}

/// A twin that is being prepared to take over.
#[derive(Debug)]
pub(super) struct Preparing {
    pub(super) twin: TwinId,
    /// When it is given up.
    until: Moment,
    /// The old twin's time for its ledger requests is over: what it answers later is brought to the new one afterwards.
    patient: bool,
    /// `Prepared` was said.
    done: bool,
}

impl Relay {
    pub(super) fn begin_prepare(&mut self, twin: TwinId, now: Moment) {
        let ready =
            self.twins.get(&twin).is_some_and(|state| matches!(state.stage, Stage::Ready) && !state.out.is_shut());
        if !ready {
            let fault = Fault::new(Code::Host, "the twin is not ready");
            return self.event(RelayEvent::PrepareFailed(twin, fault));
        }
        if let Some(old) = self.preparing.take() {
            self.timers.remove(&(old.until, Timer::Prepare(old.twin)));
        }
        self.timers.retain(|(_, timer)| *timer != Timer::Prepare(twin));
        self.timers.insert((now + IN_FLIGHT, Timer::Prepare(twin)));
        self.preparing = Some(Preparing { twin, until: now + TAKE, patient: true, done: false });
        self.sync_ledger(twin, now);
        self.check_prepared(now);
    }

    /// Sends a twin what it lacks of the ledger, and takes back what it has too much.
    pub(super) fn sync_ledger(&mut self, twin: TwinId, _now: Moment) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if state.ledger_open > 0 || state.out.is_shut() || !state.initialized {
            return;
        }
        if state.ledger == self.ledger {
            if !self.has_listens(twin) {
                let open = self.sync_listens(twin);
                if let Some(state) = self.twins.get_mut(&twin) {
                    state.ledger_open = open;
                }
            }
            return;
        }
        let declares = |name: &str| state.capabilities.contains_key(name);
        let subscribes = state.capabilities.get("resources").and_then(|value| value.get("subscribe"));
        let subscribes = subscribes.and_then(Value::as_bool).unwrap_or(false);
        let mut wants = Vec::new();
        if let Some(level) = self.ledger.level.clone().filter(|level| state.ledger.level.as_ref() != Some(level))
            && declares("logging")
        {
            wants.push(What::Level(level));
        }
        if subscribes {
            wants.extend(state.ledger.uris.difference(&self.ledger.uris).cloned().map(What::Unsubscribe));
            wants.extend(self.ledger.uris.difference(&state.ledger.uris).cloned().map(What::Subscribe));
        }
        state.ledger_open = wants.len();
        for what in wants {
            let (method, member, value) = match &what {
                What::Level(level) => ("logging/setLevel", "level", level),
                What::Unsubscribe(uri) => ("resources/unsubscribe", "uri", uri),
                What::Subscribe(uri) => ("resources/subscribe", "uri", uri),
                _ => continue,
            };
            let params = format!("\"{member}\":{value}");
            self.send_errand(twin, what, method, &params);
        }
    }

    /// A twin has taken, or refused, one entry of the ledger.
    pub(super) fn ledger_taken(&mut self, twin: TwinId, now: Moment) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.ledger_open = state.ledger_open.saturating_sub(1);
        }
        self.sync_ledger(twin, now);
        self.check_prepared(now);
    }

    /// A twin answered a request of the ledger that we made.
    pub(super) fn ledger_answered(&mut self, twin: TwinId, what: &What, answer: Result<&str, &str>, now: Moment) {
        let Some(state) = self.twins.get_mut(&twin) else { return };
        state.ledger_open = state.ledger_open.saturating_sub(1);
        // What it refuses counts as brought: asking again would not help.
        let name = match what {
            What::Level(level) => {
                state.ledger.level = Some(level.clone());
                "the log level".to_owned()
            }
            What::Subscribe(uri) => {
                state.ledger.uris.insert(uri.clone());
                if answer.is_err() {
                    state.unsubscribed.push(uri.clone());
                }
                format!("the subscription to {uri}")
            }
            What::Unsubscribe(uri) => {
                state.ledger.uris.remove(uri);
                format!("the end of the subscription to {uri}")
            }
            _ => return,
        };
        let served = state.served;
        if let Err(error) = answer {
            self.log(twin, format!("refused {name}: {}", error_text(error)));
        }
        self.sync_ledger(twin, now);
        if served && self.active() == Some(twin) {
            self.tell_unsubscribed(twin);
        }
        self.check_prepared(now);
    }

    /// Whether the client's next ledger request must wait: the ledger is being brought to a twin, or one that was sent
    /// before it is still open elsewhere and would be applied after it.
    pub(super) fn ledger_queues(&self) -> bool {
        self.preparing.is_some() || self.is_open_elsewhere(LEDGER, self.active())
    }

    /// Whether the client has so many subscriptions that no more are taken.
    pub(super) fn has_many_subscriptions(&self) -> bool {
        let bytes = || self.ledger.uris.iter().map(|uri| uri.len()).sum::<usize>();
        self.ledger.uris.len() >= SUBSCRIPTIONS || bytes() > self.limits.hold_bytes
    }

    /// A ledger request was closed: those that queued behind it may go.
    pub(super) fn release_ledger(&mut self, now: Moment) {
        if self.active().is_some() && !self.held.is_empty() && !self.ledger_queues() {
            self.release(now);
        }
    }

    /// A twin accepted a ledger request of the client.
    pub(super) fn ledger_changed(&mut self, twin: TwinId, call: &Call, now: Moment) {
        let Some(entry) = call.entry.clone() else { return };
        let change = |ledger: &mut Ledger| match call.method {
            Method::SetLevel => ledger.level = Some(entry.clone()),
            Method::Subscribe => {
                ledger.uris.insert(entry.clone());
            }
            Method::Unsubscribe => {
                ledger.uris.remove(&entry);
            }
            _ => {}
        };
        change(&mut self.ledger);
        self.revision += 1;
        if let Some(state) = self.twins.get_mut(&twin) {
            change(&mut state.ledger);
        }
        // One that the old twin answers after the flip is brought to the new one.
        if let Some(active) = self.active().filter(|active| *active != twin) {
            self.sync_ledger(active, now);
        }
        if let Some(preparing) = self.preparing.as_ref().map(|preparing| preparing.twin).filter(|new| *new != twin) {
            self.sync_ledger(preparing, now);
        }
    }

    /// Another twin serves: the client is told to read what it is subscribed to. What changed between the old twin's last
    /// word and the new twin's first, nobody else can tell it; and a subscription that the new one refused is silent.
    pub(super) fn tell_updated(&mut self, twin: TwinId, first: bool) {
        if first {
            return self.tell_unsubscribed(twin);
        }
        if let Some(state) = self.twins.get_mut(&twin) {
            state.unsubscribed = self.ledger.uris.iter().cloned().collect();
        }
        self.tell_unsubscribed(twin);
    }

    /// The new twin refused a subscription: the client is told to read, so that it sees the truth.
    pub(super) fn tell_unsubscribed(&mut self, twin: TwinId) {
        let uris = self.twins.get_mut(&twin).map(|twin| std::mem::take(&mut twin.unsubscribed)).unwrap_or_default();
        for uri in uris.into_iter().filter(|_| self.session.told_flag("resources", "subscribe")) {
            self.client.push(&format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{{\"uri\":{uri}}}}}"
            ));
        }
    }

    /// Whether the twin that is being prepared has everything.
    pub(super) fn check_prepared(&mut self, _now: Moment) {
        let Some(twin) = self.preparing.as_ref().map(|preparing| preparing.twin) else { return };
        let taken = self.twins.get(&twin).is_some_and(|state| state.ledger_open == 0);
        let elsewhere = self.is_open_elsewhere(LEDGER, Some(twin));
        let Some(preparing) = &mut self.preparing else { return };
        let settled = !preparing.patient || !elsewhere;
        let asked = matches!(self.opening, Opening::Asked(_));
        if !preparing.done && taken && settled && !asked {
            preparing.done = true;
            self.timers.retain(|(_, timer)| *timer != Timer::Prepare(twin));
            self.event(RelayEvent::Prepared(twin));
        }
    }

    pub(super) fn prepare_expired(&mut self, twin: TwinId, now: Moment) {
        let Some(preparing) = self.preparing.as_mut().filter(|preparing| preparing.twin == twin && !preparing.done)
        else {
            return;
        };
        let until = preparing.until;
        if preparing.patient && until > now {
            preparing.patient = false;
            if let Opening::Asked(_) = self.opening {
                return self.prepare_failed(Fault::new(Code::Host, "the client's opening is not answered yet"), now);
            }
            self.timers.insert((until, Timer::Prepare(twin)));
            self.check_prepared(now);
        } else {
            let message = "the new server did not answer when it was told the client's log level and subscriptions";
            self.prepare_failed(Fault::new(Code::ProtocolBroken, message), now);
        }
    }

    pub(super) fn prepare_lost(&mut self, twin: TwinId, fault: &Fault, now: Moment) {
        if self.preparing.as_ref().is_some_and(|preparing| preparing.twin == twin) {
            self.prepare_failed(fault.clone(), now);
        }
    }

    fn prepare_failed(&mut self, fault: Fault, now: Moment) {
        let Some(preparing) = self.preparing.take() else { return };
        self.timers.retain(|(_, timer)| *timer != Timer::Prepare(preparing.twin));
        if !preparing.done {
            self.event(RelayEvent::PrepareFailed(preparing.twin, fault));
        }
        // The client's ledger requests waited for the swap.
        self.release(now);
    }
}
