//! After a restart of the front: a total function of the record, the twins that live, and the files.

use super::Swap;
use super::begin::Order;
use super::effect::{Cause, Effect};
use super::mistake::Mistake;
use super::record::{Phase, Record};
use super::state::{Bake, Debt, Life, Prev, Serving, State, Twin, Why};
use crate::error::{Code, Fault};
use crate::ids::{Source, TwinId};
use crate::spec::Options;
use crate::time::Moment;
use std::time::Duration;

impl Swap {
    /// The machine of a front that was restarted (HTTP). `live`: the twins of the record that are alive, have proven their
    /// identity (pid, start time, boot id, token) and answer; every other one is gone. `files`: what the files are now.
    ///
    /// The effects are ready to be polled: every other process with a token of this front is swept, the active twin of the
    /// record is adopted if it is ready, else the previous one, else the code is started again; a stopped server stays
    /// stopped. It ends by comparing the files with the active's source, as if a change had been seen.
    ///
    /// The twins themselves go to [`Driver::with_adopted`](crate::drive::Driver::with_adopted). A build step is asked for
    /// as with a new machine, before the first effect is polled: `Swap::recover(…).building()`.
    #[must_use]
    pub fn recover(options: Options, record: Record, live: &[TwinId], files: Source, now: Moment) -> Self {
        let mut swap = Self::new(options).durable();
        swap.take_over(record, live, files, now);
        swap
    }

    /// Whether a twin is one that this machine goes on with.
    pub(crate) fn knows(&self, twin: TwinId) -> bool {
        self.memory.twins.contains_key(&twin)
    }

    /// How a twin is ended that the machine does not go on with.
    pub(crate) fn stop_order(&self) -> (Duration, Duration) {
        (self.policy.options.stop_term, self.policy.options.stop_kill)
    }

    /// [`Swap::recover`] for a machine that has its options already.
    pub(super) fn take_over(&mut self, record: Record, live: &[TwinId], files: Source, now: Moment) {
        self.adopt(record, live, files, now);
        self.settle(now);
    }

    fn adopt(&mut self, record: Record, live: &[TwinId], files: Source, now: Moment) {
        let memory = &mut self.memory;
        memory.epoch = record.epoch.saturating_add(1);
        memory.next_twin = record.twins.iter().map(|twin| twin.twin.0.saturating_add(1)).max().unwrap_or(0);
        memory.next_op = record.op.as_ref().map_or(0, |op| op.id.0.saturating_add(1));
        memory.active_source = record.active_source;
        memory.rejected = record.rejected;
        memory.passed_over = record.passed_over;
        memory.last_good = record.last_good;
        memory.files = Some(files);
        let alive = |id: Option<TwinId>| id.filter(|id| live.contains(id) && record.phase != Phase::Stopped);
        let (active, prev) = (alive(record.active), alive(record.prev).filter(|prev| record.active != Some(*prev)));
        for twin in &record.twins {
            if Some(twin.twin) != active && Some(twin.twin) != prev {
                continue;
            }
            memory.twins.insert(
                twin.twin,
                Twin {
                    slot: twin.slot,
                    source: twin.source,
                    port: twin.port,
                    process: twin.process.clone(),
                    life: Life::Running,
                    report: Some(super::ProbeReport { lists_hash: twin.lists_hash, ..Default::default() }),
                    verified: true,
                    debt: Debt::Unknown,
                },
            );
        }
        let known = |id: Option<TwinId>| id.filter(|id| self.memory.twins.contains_key(id));
        let (active, prev) = (known(active), known(prev));
        if !self.mistake(Mistake::NoSweep) {
            self.out(Effect::Sweep { keep: active.into_iter().chain(prev).collect() });
        }
        if record.phase == Phase::Stopped {
            return self.stay_stopped();
        }
        self.serve_again(&record, active, prev, files, now);
    }

    fn stay_stopped(&mut self) {
        let fault = Fault::new(Code::Stopped, "the server was stopped").with_help("start it with `mcp-twin reload`");
        self.out(Effect::Refuse { fault });
        self.persist();
    }

    fn serve_again(
        &mut self,
        record: &Record,
        active: Option<TwinId>,
        prev: Option<TwinId>,
        files: Source,
        now: Moment,
    ) {
        let bake = |until| record.baking.then_some(Bake { until, failed: None });
        let serving = |active, prev| Serving {
            active,
            prev,
            warm: None,
            op: None,
            flip: None,
            bake: None,
            degraded: None,
            lost: false,
        };
        let keep = Prev { twin: TwinId(0), until: Some(now + self.policy.options.keep_old) };
        match (active, prev, record.active) {
            // A record without an active twin, but with a previous one: that one is all there is.
            (None, Some(prev), None) => self.serve_again(record, Some(prev), None, files, now),
            (Some(active), prev, _) => {
                let until = now + self.policy.options.bake;
                let baking = bake(until);
                let prev = prev.map(|twin| Prev { twin, until: keep.until.filter(|_| baking.is_none()) });
                self.state = State::Serving(Serving { bake: baking, ..serving(active, prev) });
                self.memory.change = Some(files).filter(|_| !self.mistake(Mistake::NoCompare));
                self.persist();
                self.flip_to(active, Why::Adopt, now);
            }
            (None, Some(prev), Some(gone)) => {
                // The active of the record is gone: the route goes to the other committed twin.
                self.state = State::Serving(serving(gone, Some(Prev { twin: prev, ..keep })));
                self.memory.change = Some(files).filter(|_| !self.mistake(Mistake::NoCompare));
                let fault = Fault::new(Code::Crashed, "the serving twin ended while the front was away");
                self.flip_to(prev, Why::Crash(fault), now);
            }
            (None, None, _) => {
                self.persist();
                let approved = record.op.as_ref().is_some_and(|op| op.approved && op.source.same_code(&files));
                if self.may_start(&files) || approved {
                    let order = Order { auto: true, approved, ..Order::because(Cause::Recovery) };
                    self.begin(files, order, now);
                } else {
                    self.go_down(super::change::unapproved(), None, now);
                }
            }
        }
    }

    /// The twin that was to be adopted is not ready after all.
    pub(super) fn adoption_failed(&mut self, fault: Fault, now: Moment) {
        let Some(active) = self.serving().map(|serving| serving.active) else { return };
        self.stop_twin(active, now);
        self.lost(fault, now);
    }
}
