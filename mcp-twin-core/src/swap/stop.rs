//! `stop`: STOPPED first, so that a crash in between stays stopped; then every twin ends.

use super::Swap;
use super::effect::{Cause, Effect, HistoryEntry, Outcome};
use super::journal::WRITE_WAIT;
use super::mistake::Mistake;
use super::state::{Life, State, Stopping};
use crate::error::{Code, Fault};
use crate::ids::CommandId;
use crate::time::Moment;

impl Swap {
    pub(super) fn stop(&mut self, id: CommandId, now: Moment) {
        match &mut self.state {
            State::Stopping(stopping) => return stopping.waiting.push(id),
            State::Stopped => return self.reply(id, Outcome::Stopped { ended: Vec::new() }),
            State::Starting(_) | State::Serving(_) | State::Down(_) => {}
        }
        let from = self.active_view().map(|view| view.source);
        let stopped = Fault::new(Code::Stopped, "the server was stopped").with_help("start it with `mcp-twin reload`");
        let refused = Outcome::Failed { active: None, fault: stopped };
        self.drop_op(&refused, now);
        // A command that came before the stop, and waited for the route, starts nothing after it.
        for earlier in std::mem::take(&mut self.memory.deferred) {
            self.reply(earlier.id, refused.clone());
        }
        if let Some(flip) = self.serving_mut().and_then(|serving| serving.flip.take())
            && let super::state::Why::Command(waiting) = flip.why
        {
            self.reply(waiting, refused);
        }
        self.memory.change = None;
        self.memory.failed = None;
        let ended = self.memory.twins.keys().filter_map(|twin| self.view(*twin)).collect();
        let deadline = now + WRITE_WAIT;
        self.state = State::Stopping(Stopping { write: None, deadline, waiting: vec![id], ended });
        if self.mistake(Mistake::StopUnwritten) {
            return self.end_all(now);
        }
        let seq = self.persist();
        if let State::Stopping(stopping) = &mut self.state {
            stopping.write = Some(seq);
        }
        if let Some(source) = from.or(self.memory.active_source) {
            self.memory.active_source = Some(source);
        }
    }

    /// STOPPED is on disk, or cannot be written: all twins end.
    pub(super) fn end_all(&mut self, now: Moment) {
        let bound = now + self.stop_bound();
        if let State::Stopping(stopping) = &mut self.state {
            stopping.write = None;
            stopping.deadline = bound;
        }
        let fault = Fault::new(Code::Stopped, "the server was stopped").with_help("start it with `mcp-twin reload`");
        self.out(Effect::Refuse { fault });
        for twin in self.memory.twins.keys().copied().collect::<Vec<_>>() {
            self.stop_twin(twin, now);
        }
        self.memory.crowded_since = None;
    }

    /// Whether the last twin has ended just now.
    pub(super) fn stop_finished(&mut self, _now: Moment) -> bool {
        let State::Stopping(stopping) = &self.state else { return false };
        let over =
            stopping.write.is_none() && self.memory.twins.values().all(|twin| matches!(twin.life, Life::Dead(_)));
        if over {
            self.say_stopped();
        }
        over
    }

    /// Every twin has ended, or was given up.
    pub(super) fn say_stopped(&mut self) {
        let State::Stopping(stopping) = std::mem::replace(&mut self.state, State::Stopped) else { return };
        let outcome = Outcome::Stopped { ended: stopping.ended };
        if let Some(source) = self.memory.active_source {
            self.out(Effect::History(HistoryEntry {
                what: Cause::Stop,
                causes: vec![Cause::Stop],
                generation: source.generation,
                source,
                from: Some(source.generation),
                outcome: outcome.clone(),
                phases: Vec::new(),
            }));
        }
        for id in stopping.waiting {
            self.reply(id, outcome.clone());
        }
    }
}
