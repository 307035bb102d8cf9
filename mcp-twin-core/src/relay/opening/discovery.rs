//! The opening of the modern era, and the way from there to the handshake.

use super::{Opening, Session};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::relay::calls::{Call, Method};
use crate::relay::era::{Envelope, Era};
use crate::relay::frame::Frame;
use crate::relay::ids::ClientId;
use crate::relay::probe::Stage;
use crate::relay::refusal::{self, METHOD_NOT_FOUND};
use crate::relay::{Relay, RelayEvent};
use crate::swap::ProbeReport;
use crate::time::Moment;

impl Relay {
    /// The client sends `server/discover` before anything else was settled.
    pub(in crate::relay) fn ask_discovery(
        &mut self,
        frame: &Frame<'_>,
        id: ClientId,
        raw_id: &str,
        envelope: Envelope,
        now: Moment,
    ) {
        self.session = Session::modern(envelope);
        self.ask_opening(frame, id, raw_id, Method::Discover, now);
    }

    pub(super) fn is_discovery(&self, number: u64) -> bool {
        self.calls.get(&number).is_some_and(|call| call.method == Method::Discover)
    }

    /// Whether the client has chosen the handshake, so that `server/discover` is unknown here.
    pub(in crate::relay) fn is_legacy(&self) -> bool {
        match &self.opening {
            Opening::Waiting => false,
            Opening::Asked(asked) => !self.is_discovery(asked.call),
            Opening::Answered => true,
            Opening::Complete => self.session.era == Era::Legacy,
        }
    }

    /// Whether the era is settled, and is the modern one.
    pub(in crate::relay) fn is_modern(&self) -> bool {
        matches!(self.opening, Opening::Complete) && self.session.era == Era::Modern
    }

    /// The metadata of a request, if it may settle the era.
    pub(in crate::relay) fn settling(&self, params: Option<&str>) -> Option<Box<Envelope>> {
        if self.is_legacy() || self.session.firm { None } else { Envelope::read(params).map(Box::new) }
    }

    /// `initialize` comes before `server/discover` is answered: a client that has waited long enough for that answer.
    ///
    /// A discovery that no twin has seen is refused and not delivered (a server that has seen one may refuse `initialize`
    /// afterwards); one that is at a twin already becomes a request like any other.
    pub(super) fn overtake(&mut self, number: u64) {
        let owner = self.calls.get(&number).and_then(Call::owner);
        self.forget_opening(owner);
        if owner.is_some() {
            if let Some(call) = self.calls.get_mut(&number) {
                self.calls_bytes = self.calls_bytes.saturating_sub(call.weight());
                call.method = Method::Other;
                call.again = None;
                self.calls_bytes += call.weight();
            }
        } else if let Some(call) = self.close(number) {
            self.refuse_discovery(&call.id);
        }
    }

    /// The opening is no longer asked for; the twin that has it waits for the next one.
    pub(in crate::relay) fn forget_opening(&mut self, owner: Option<TwinId>) {
        self.opening = Opening::Waiting;
        self.session = Session::default();
        self.refuse_modern_listens();
        if let Some(state) = owner.and_then(|owner| self.twins.get_mut(&owner))
            && let Stage::Opening = state.stage
        {
            state.stage = Stage::Waiting { force: false };
        }
    }

    /// From the modern era back to the beginning: twins that were proved in it do not fit what comes.
    pub(super) fn reopen(&mut self) {
        self.forget_opening(None);
        let active = self.active();
        for (_, state) in self.twins.iter_mut().filter(|(twin, _)| Some(**twin) != active) {
            if let Stage::Ready = state.stage {
                state.stage = Stage::Failed;
            }
        }
    }

    /// Answers `server/discover` as a server of the legacy era does.
    pub(in crate::relay) fn refuse_discovery(&mut self, id: &ClientId) {
        let fault = Fault::new(Code::BadMessage, "method not found: this session opens with `initialize`");
        let error = refusal::object(METHOD_NOT_FOUND, &fault);
        self.answer(id, "error", &error);
    }

    /// A request with metadata was answered: its version is the session's, and its era is settled if it was not.
    pub(in crate::relay) fn settle_by(&mut self, envelope: Envelope, twin: TwinId, now: Moment) {
        match self.opening {
            Opening::Waiting => {
                self.session = Session { firm: true, opener: Some(twin), ..Session::modern(envelope) };
                self.session.version = Some(self.session.asked.clone());
                let Some(state) = self.twins.get_mut(&twin) else { return };
                state.initialized = true;
                if std::mem::replace(&mut state.stage, Stage::Ready).is_probing() {
                    self.event(RelayEvent::Probing(twin));
                    self.event(RelayEvent::Ready(twin, ProbeReport::default()));
                }
                self.complete_opening(None, now);
                self.arm_held(now);
                self.release(now);
            }
            Opening::Complete if self.session.era == Era::Modern => {
                let told = std::mem::take(&mut self.session.told);
                let (opener, announced) = (self.session.opener, self.session.announced);
                self.session = Session { firm: true, told, opener, announced, ..Session::modern(envelope) };
                self.session.version = Some(self.session.asked.clone());
            }
            _ => {}
        }
    }
}
