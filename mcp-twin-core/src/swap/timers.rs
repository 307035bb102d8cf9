//! Everything that waits, and until when. Each timer is read from the state: none can be forgotten or left behind.

use super::Swap;
use super::begin::Order;
use super::effect::{Cause, Effect};
use super::mistake::Mistake;
use super::state::{Bake, FlipStage, Life, Stage, State};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;

/// One of the things that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The stage of the operation.
    Stage,
    /// The route is on its way.
    Flip,
    /// STOPPED, or the exits after it.
    Stop,
    /// The next try while nothing serves.
    Retry,
    /// The trial of the active twin is over.
    Bake,
    /// prev was kept long enough.
    Keep,
    /// The drain of this twin is over.
    Drain(TwinId),
    /// There are too many retiring twins.
    Crowd,
    /// This twin was to end.
    Exit(TwinId),
    /// The record is not the truth.
    Rewrite,
    /// A warm twin may be made again.
    Warm,
}

impl Swap {
    /// What is armed, and for when.
    pub(crate) fn timers(&self) -> Vec<(Timer, Moment)> {
        let mut out = Vec::new();
        let memory = &self.memory;
        if let Some(at) = self.op().and_then(|op| stage_ends(&op.stage)) {
            out.push((Timer::Stage, at));
        }
        match &self.state {
            State::Serving(serving) => {
                // While the route is being moved, prev and the bake stay what the record says that they are.
                if let Some(flip) = &serving.flip {
                    out.push((Timer::Flip, flip_ends(&flip.stage)));
                } else if !self.in_window() {
                    out.extend(serving.bake.as_ref().map(|bake| (Timer::Bake, bake.until)));
                    out.extend(serving.prev.and_then(|prev| prev.until).map(|at| (Timer::Keep, at)));
                    let warm = serving.op.is_none() && serving.warm.is_none();
                    out.extend(memory.warm_after.filter(|_| warm).map(|at| (Timer::Warm, at)));
                }
            }
            State::Down(down) => out.extend(down.retry_at.map(|at| (Timer::Retry, at))),
            State::Stopping(stopping) => out.push((Timer::Stop, stopping.deadline)),
            State::Stopped | State::Starting(_) => {}
        }
        out.extend(memory.retiring.iter().filter_map(|twin| Some((Timer::Drain(*twin), self.drain_ends(*twin)?))));
        out.extend(memory.crowded_since.map(|at| (Timer::Crowd, at + super::commit::CROWD_WAIT)));
        out.extend(memory.twins.iter().filter_map(|(id, twin)| match twin.life {
            Life::Stopping { until } => Some((Timer::Exit(*id), until)),
            _ => None,
        }));
        out.extend(memory.dirty.map(|at| (Timer::Rewrite, at)));
        out
    }

    /// The timer whose time came first. Firing one may disarm or move another: they are asked for one by one.
    pub(super) fn due(&self, now: Moment) -> Option<Timer> {
        let mut due: Vec<_> = self.timers().into_iter().filter(|(_, at)| *at <= now).collect();
        due.sort_by_key(|(timer, at)| (*at, *timer));
        due.first().map(|(timer, _)| *timer)
    }

    /// The time of this timer, which is armed, has come.
    pub(crate) fn fire(&mut self, timer: Timer, now: Moment) {
        match timer {
            Timer::Stage => self.stage_over(now),
            Timer::Flip => self.flip_overdue(now),
            Timer::Stop => self.stop_overdue(now),
            Timer::Retry => self.retry(now),
            Timer::Bake if !self.in_window() => self.bake_over(now),
            Timer::Keep if !self.in_window() => self.retire_prev(now),
            Timer::Bake | Timer::Keep => {}
            Timer::Drain(twin) => self.cut(twin, now),
            Timer::Crowd => {
                self.evict(now);
            }
            Timer::Exit(twin) => self.stop_again(twin, now),
            Timer::Rewrite => self.rewrite(now),
            Timer::Warm => self.memory.warm_after = None,
        }
        self.settle(now);
    }

    fn stage_over(&mut self, now: Moment) {
        let Some(op) = self.op() else { return };
        let twin = op.twin;
        match op.stage {
            Stage::Pausing { .. } => self.record_intent(now),
            Stage::Recording { seq, .. } | Stage::Identifying { seq, .. } | Stage::Committing { seq, .. } => {
                self.write_failed(seq, "no answer in time", now);
            }
            Stage::Building { .. } => self.fail(Code::BuildFailed, "the build did not end in time", now),
            Stage::Room { .. } => self.fail(Code::RetiringFull, "six twins live and none of them ends", now),
            Stage::Spawning { .. } => self.fail(Code::SpawnFailed, "the process was not started in time", now),
            Stage::Warming { .. } if self.mistake(Mistake::LateMeansReady) => self.pass(twin, now),
            Stage::Warming { .. } => self.fail_op(self.not_ready(), now),
            Stage::Settling { .. } => self.examine(now),
            Stage::Examining { .. } => {
                self.not_good_enough(Fault::new(Code::CheckFailed, "the check did not end in time"), now);
            }
            Stage::Checking { .. } => self.fail(Code::Host, "the watched files could not be read in time", now),
            Stage::Verified { .. } => self.fail(Code::StandbyExpired, "the verified standby waited too long", now),
            Stage::Yielding { .. } => {
                let fault =
                    Fault::new(Code::Cut, "the twin had to end before it answered: two copies may not run at once")
                        .with_help("whether it did the work is not known; look before you ask again");
                self.hand_off(Some(fault), now);
            }
            Stage::Clearing { .. } => self.fail(Code::Host, "the old twin did not end", now),
            Stage::Preparing { .. } => {
                let fault = Fault::new(Code::Host, "the new twin did not take the client's state in time");
                self.prepare_failed(twin, fault, now);
            }
            Stage::Crowded { .. } => {
                self.evict(now);
            }
            Stage::Flipping { .. } => self.flip_unanswered(now),
        }
    }

    fn not_ready(&self) -> Fault {
        let seconds = self.policy.options.start_timeout.as_secs_f64();
        Fault::new(Code::ProbeTimeout, format!("the new twin was not ready within {seconds} s"))
    }

    /// The twin whose start took too long, and the fault that [`Swap::handle_timeout`] will give. Who knows what it wrote to
    /// its stderr adds that, and tells it with [`Event::Unhealthy`](super::Event::Unhealthy) first.
    #[must_use]
    pub fn overdue(&self, now: Moment) -> Option<(TwinId, Fault)> {
        let op = self.op()?;
        match op.stage {
            Stage::Warming { deadline: Some(deadline) } if deadline <= now => Some((op.twin, self.not_ready())),
            _ => None,
        }
    }

    fn fail(&mut self, code: Code, what: &str, now: Moment) {
        self.fail_op(Fault::new(code, what), now);
    }

    fn stop_overdue(&mut self, now: Moment) {
        let State::Stopping(stopping) = &self.state else { return };
        match stopping.write {
            Some(seq) => self.write_failed(seq, "no answer in time", now),
            None => self.say_stopped(),
        }
    }

    /// The back-off is over.
    fn retry(&mut self, now: Moment) {
        let State::Down(down) = &mut self.state else { return };
        down.retry_at = None;
        if let Some(files) = self.memory.files.or(self.memory.active_source).filter(|files| self.may_start(files)) {
            let order = Order { auto: true, ..Order::because(Cause::Crash) };
            self.begin(files, order, now);
        }
    }

    fn bake_over(&mut self, now: Moment) {
        let keep = now + self.policy.options.keep_old;
        let Some(serving) = self.serving_mut() else { return };
        let Some(Bake { failed: None, .. }) = serving.bake else { return };
        serving.bake = None;
        let active = serving.active;
        if let Some(prev) = &mut serving.prev {
            prev.until = Some(keep);
        }
        if let Some(source) = self.active_source() {
            self.memory.last_good = Some(source);
        }
        self.out(Effect::EndBake { twin: active });
        self.persist();
    }
}

fn stage_ends(stage: &Stage) -> Option<Moment> {
    match *stage {
        Stage::Pausing { until } | Stage::Settling { until } => Some(until),
        Stage::Verified { expires } => Some(expires),
        Stage::Warming { deadline } => deadline,
        Stage::Recording { deadline, .. }
        | Stage::Building { deadline }
        | Stage::Room { deadline }
        | Stage::Spawning { deadline }
        | Stage::Identifying { deadline, .. }
        | Stage::Examining { deadline }
        | Stage::Checking { deadline }
        | Stage::Yielding { deadline }
        | Stage::Clearing { deadline, .. }
        | Stage::Preparing { deadline }
        | Stage::Crowded { deadline }
        | Stage::Committing { deadline, .. }
        | Stage::Flipping { deadline } => Some(deadline),
    }
}

fn flip_ends(stage: &FlipStage) -> Moment {
    match *stage {
        FlipStage::Preparing { deadline } | FlipStage::Recording { deadline, .. } | FlipStage::Moving { deadline } => {
            deadline
        }
    }
}
