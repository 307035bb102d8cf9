//! The driver, against fakes: nothing waits for real time, and after each test no twin is left that nobody ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "drive/adoption.rs"]
mod adoption;

use futures_executor::LocalPool;
use futures_util::FutureExt;
use futures_util::task::LocalSpawnExt;
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::spec::{Options, Standby, Strategy};
use mcp_twin_core::swap::record::Phase;
use mcp_twin_core::swap::{Cause, Command, ExitReport, Notice, Outcome, Status, Swap};
use mcp_twin_core::testing::{BuildScript, End, Fakes, Launch, Routed, Verdict, source};
use mcp_twin_core::{Code, Fault, Generation, TwinId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A driver on a pool of its own, and the world around it.
struct World {
    fakes: Fakes,
    handle: Handle,
    pool: LocalPool,
    /// Whether the driver has ended.
    over: Rc<Cell<bool>>,
}

/// A command that was given and may not be answered yet.
type Answer = Rc<RefCell<Option<Outcome>>>;

impl World {
    fn new(swap: Swap) -> Self {
        let fakes = Fakes::new();
        let driver = Driver::new(swap, fakes.host());
        Self::of(fakes, driver)
    }

    fn of(fakes: Fakes, (driver, handle): (Driver, Handle)) -> Self {
        let pool = LocalPool::new();
        let over = Rc::new(Cell::new(false));
        let ended = Rc::clone(&over);
        pool.spawner().spawn_local(driver.run().map(move |()| ended.set(true))).unwrap();
        Self { fakes, handle, pool, over }
    }

    /// One whose generation 1 serves.
    fn serving(swap: Swap) -> Self {
        let mut world = Self::new(swap);
        let started = world.command(Command::Start);
        assert!(matches!(started, Outcome::Started { .. }), "{started:?}");
        world
    }

    /// Runs all that can run now.
    fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    fn advance(&mut self, by: Duration) {
        self.fakes.clock.advance(by);
        self.settle();
    }

    /// Gives a command whose answer may take more than can happen now.
    fn ask(&mut self, command: Command) -> Answer {
        let answer = Answer::default();
        let (handle, slot) = (self.handle.clone(), Rc::clone(&answer));
        let asked = async move {
            let outcome = handle.command(command).await;
            *slot.borrow_mut() = Some(outcome);
        };
        self.pool.spawner().spawn_local(asked).unwrap();
        self.settle();
        answer
    }

    fn command(&mut self, command: Command) -> Outcome {
        let answer = self.ask(command);
        answer.take().expect("the command is answered without anything else happening")
    }

    /// The files become this generation, and the watcher says so.
    fn save(&mut self, generation: u32) {
        self.fakes.sources.set(source(generation));
        let handle = self.handle.clone();
        self.pool.run_until(async move {
            handle.touched().await;
            handle.changed(source(generation)).await;
        });
        self.settle();
    }

    fn status(&mut self) -> Status {
        let handle = self.handle.clone();
        self.pool.run_until(async move { handle.status().await }).expect("the driver runs")
    }

    fn active(&mut self) -> Option<Generation> {
        self.status().active.map(|view| view.source.generation)
    }

    /// Stops everything; afterwards every instance that was ever started has ended.
    fn end(mut self) -> Fakes {
        let stopped = self.command(Command::Stop);
        assert!(matches!(stopped, Outcome::Stopped { .. }), "{stopped:?}");
        assert_eq!(self.fakes.spawner.running(), []);
        assert_eq!(self.fakes.store.last().unwrap().phase, Phase::Stopped);
        self.fakes
    }
}

fn stdio() -> Swap {
    Swap::new(Options::default())
}

fn died() -> ExitReport {
    ExitReport { code: Some(3), signal: None, stderr_tail: "Error: out of luck\n".to_owned() }
}

fn fault_of(outcome: &Outcome) -> &Fault {
    match outcome {
        Outcome::Failed { fault, .. } => fault,
        other => panic!("not a failure: {other:?}"),
    }
}

#[test]
fn a_start_is_recorded_spawned_proved_and_routed() {
    let mut world = World::serving(stdio());
    assert_eq!(world.active(), Some(Generation(1)));
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.probe.begun(), [(TwinId(0), false)]);
    let phases: Vec<_> = world.fakes.store.records().iter().map(|record| record.phase).collect();
    assert_eq!(phases[..3], [Phase::Intent, Phase::Intent, Phase::Commit], "{phases:?}");
    let moved = Routed::Handover { from: None, to: TwinId(0), bake: false, moved: true };
    assert_eq!(world.fakes.traffic.calls(), [Routed::Hold, moved]);
    world.end();
}

#[test]
fn a_saved_change_is_swapped_in_and_the_old_twin_is_kept_for_its_time() {
    let mut world = World::serving(stdio());
    world.save(2);
    assert_eq!(world.active(), Some(Generation(2)));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1)]);
    let moved = Routed::Handover { from: Some(TwinId(0)), to: TwinId(1), bake: true, moved: true };
    assert_eq!(world.fakes.traffic.calls()[2..], [Routed::Prepare(TwinId(1)), moved]);
    world.advance(Options::default().bake);
    assert_eq!(world.fakes.traffic.calls().last(), Some(&Routed::EndBake(TwinId(1))));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1)]);
    world.advance(Options::default().keep_old);
    assert_eq!(world.fakes.spawner.ended(TwinId(0)), Some(End::Stopped));
    assert_eq!(world.fakes.spawner.running(), [TwinId(1)]);
    world.end();
}

#[test]
fn other_options_count_for_what_comes_next() {
    let mut world = World::serving(stdio());
    let (handle, bake) = (world.handle.clone(), Duration::from_secs(77));
    let options = Options { bake, keep_old: Duration::ZERO, strategy: Strategy::Handoff, ..Options::default() };
    world.pool.run_until(async move { handle.reconfigure(options).await });
    world.save(2);
    // Side by side, as the machine began: another strategy would have to end a twin that serves.
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1)]);
    world.advance(bake - Duration::from_millis(1));
    assert!(world.status().baking);
    world.advance(Duration::from_millis(1));
    assert!(!world.status().baking);
    assert_eq!(world.fakes.spawner.running(), [TwinId(1)]);
    world.end();
}

#[test]
fn a_warm_twin_that_nobody_wants_any_more_is_ended() {
    let warm = Options { standby: Standby::Warm, ..Options::default() };
    let mut world = World::serving(Swap::new(warm));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1)]);
    let handle = world.handle.clone();
    world.pool.run_until(async move { handle.reconfigure(Options::default()).await });
    world.settle();
    assert_eq!(world.fakes.spawner.running(), [TwinId(0)]);
    world.end();
}

#[test]
fn an_old_twin_that_owes_an_answer_lives_until_it_gave_it() {
    let mut world = World::serving(stdio());
    world.fakes.traffic.busy(TwinId(0));
    world.save(2);
    world.advance(Options::default().bake);
    world.advance(Options::default().keep_old);
    assert_eq!(world.status().retiring.len(), 1);
    world.advance(Duration::from_secs(3600));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1)]);
    world.fakes.traffic.free(TwinId(0));
    world.settle();
    assert_eq!(world.fakes.spawner.ended(TwinId(0)), Some(End::Stopped));
    world.end();
}

#[test]
fn a_probe_that_fails_leaves_the_old_twin_serving() {
    let mut world = World::serving(stdio());
    world.fakes.probe.next(Verdict::NotReady(Fault::new(Code::ProbeRefused, "no thanks")));
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!(fault_of(&outcome).code, Code::ProbeRefused);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    let failed = |notice: &Notice| matches!(notice, Notice::ReloadFailed { generation: Generation(2), .. });
    assert!(world.fakes.observer.notices().iter().any(failed));
    world.end();
}

#[test]
fn a_silent_probe_runs_out_of_time() {
    let mut world = World::serving(stdio());
    world.fakes.probe.next(Verdict::Silent);
    world.fakes.sources.set(source(2));
    let answer = world.ask(Command::Swap { force: false });
    world.advance(Options::default().start_timeout - Duration::from_millis(1));
    assert_eq!(*answer.borrow(), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(fault_of(answer.borrow().as_ref().unwrap()).code, Code::ProbeTimeout);
    assert_eq!(world.fakes.spawner.running(), [TwinId(0)]);
    world.end();
}

#[test]
fn the_start_time_out_does_not_run_before_the_probe_can_begin() {
    let mut world = World::new(stdio());
    world.fakes.probe.close();
    let answer = world.ask(Command::Start);
    world.advance(Duration::from_secs(86_400));
    assert_eq!((answer.borrow().clone(), world.fakes.probe.checked()), (None, vec![]));
    world.fakes.probe.open();
    world.settle();
    assert!(matches!(*answer.borrow(), Some(Outcome::Started { .. })));
    world.end();
}

#[test]
fn a_twin_that_cannot_be_spawned_fails_the_swap() {
    let mut world = World::serving(stdio());
    world.fakes.spawner.next(Launch::Refused(Fault::new(Code::NotExecutable, "no such file")));
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!(fault_of(&outcome).code, Code::NotExecutable);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    world.end();
}

#[test]
fn a_twin_that_exits_at_boot_is_told_with_its_last_words() {
    let mut world = World::serving(stdio());
    world.fakes.spawner.next(Launch::Exits(died()));
    world.fakes.probe.next(Verdict::Silent);
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!((fault_of(&outcome).code, fault_of(&outcome).first_line()), (Code::ExitedEarly, "Error: out of luck"));
    world.end();
}

#[test]
fn a_refused_handover_leaves_the_route_where_it_was() {
    let mut world = World::serving(stdio());
    world.fakes.traffic.refuse_handover(Fault::new(Code::Host, "not ready at this instant"));
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!(fault_of(&outcome).message, "not ready at this instant");
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0)]);
    world.end();
}

#[test]
fn a_rollback_goes_back_to_the_twin_that_was_kept() {
    let mut world = World::serving(stdio());
    world.save(2);
    let outcome = world.command(Command::Rollback { to: None });
    assert!(matches!(outcome, Outcome::RolledBack { why: None, .. }), "{outcome:?}");
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.spawner.orders().len(), 2, "nothing was started for it");
    world.end();
}

#[test]
fn a_trial_that_fails_goes_back_by_itself() {
    let mut world = World::serving(stdio());
    world.save(2);
    world.fakes.traffic.fail_bake(TwinId(1), Fault::new(Code::BakeErrors, "too many refusals"));
    world.settle();
    assert_eq!(world.active(), Some(Generation(1)));
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    world.end();
}

#[test]
fn a_trial_that_is_over_cannot_fail_any_more() {
    let mut world = World::serving(stdio());
    world.save(2);
    world.advance(Options::default().bake);
    world.fakes.traffic.fail_bake(TwinId(1), Fault::new(Code::BakeErrors, "too late"));
    world.settle();
    assert_eq!(world.active(), Some(Generation(2)));
    world.end();
}

#[test]
fn a_newer_change_takes_the_place_of_a_running_probe() {
    let mut world = World::serving(stdio());
    world.fakes.probe.next(Verdict::Silent);
    world.save(2);
    assert_eq!(world.fakes.probe.checked(), [TwinId(0), TwinId(1)]);
    world.save(3);
    assert_eq!(world.active(), Some(Generation(3)));
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    // Its answer comes too late for anybody.
    world.fakes.probe.of(TwinId(1), Verdict::ready());
    world.settle();
    assert_eq!(world.active(), Some(Generation(3)));
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(2)));
    world.end();
}

#[test]
fn a_probe_of_a_twin_that_is_being_stopped_never_begins() {
    let mut world = World::serving(stdio());
    world.fakes.probe.close();
    world.fakes.spawner.next(Launch::IgnoresStop);
    world.save(2);
    world.save(3);
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(1), TwinId(2)]);
    world.fakes.probe.open();
    world.settle();
    assert_eq!(world.fakes.probe.checked(), [TwinId(0), TwinId(2)], "it is sent nothing on its way out");
    world.fakes.spawner.exit(TwinId(1), died());
    world.settle();
    world.end();
}

#[test]
fn a_stop_while_a_twin_is_being_spawned_ends_that_twin_too() {
    let mut world = World::serving(stdio());
    world.fakes.spawner.next(Launch::Slow);
    world.save(2);
    let answer = world.ask(Command::Stop);
    assert_eq!(world.fakes.spawner.ended(TwinId(0)), Some(End::Stopped));
    assert_eq!(*answer.borrow(), None, "a twin is still on its way");
    world.fakes.spawner.finish(TwinId(1));
    world.settle();
    assert!(matches!(*answer.borrow(), Some(Outcome::Stopped { .. })));
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    assert_eq!(world.fakes.spawner.running(), []);
}

#[test]
fn a_spawn_that_ends_long_after_it_was_given_up_leaves_no_twin() {
    let mut world = World::serving(stdio());
    world.fakes.spawner.next(Launch::Slow);
    world.fakes.sources.set(source(2));
    let answer = world.ask(Command::Swap { force: false });
    world.advance(Duration::from_secs(30));
    assert_eq!(fault_of(answer.borrow().as_ref().unwrap()).code, Code::SpawnFailed);
    world.fakes.spawner.finish(TwinId(1));
    world.settle();
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0)]);
    world.end();
}

#[test]
fn a_crash_is_told_and_the_twin_started_again_after_a_pause() {
    let mut world = World::serving(stdio());
    world.fakes.spawner.exit(TwinId(0), died());
    world.settle();
    assert_eq!(world.fakes.traffic.route(), None);
    assert_eq!(world.status().state, "starting");
    world.advance(Options::default().backoff);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    assert_eq!(world.active(), Some(Generation(1)));
    assert!(world.fakes.store.entries().iter().any(|entry| entry.what == Cause::Crash));
    world.end();
}

#[test]
fn a_crash_on_trial_goes_back_to_the_twin_that_was_kept() {
    let mut world = World::serving(stdio());
    world.save(2);
    world.fakes.spawner.exit(TwinId(1), died());
    world.settle();
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0)]);
    world.end();
}

#[test]
fn a_record_that_cannot_be_written_is_said_once_and_a_front_goes_on_in_memory() {
    let mut world = World::new(stdio());
    world.fakes.store.fail(Some("disk full"));
    assert!(matches!(world.command(Command::Start), Outcome::Started { .. }));
    world.save(2);
    assert_eq!(world.active(), Some(Generation(2)));
    let off = |notice: &&Notice| matches!(notice, Notice::StateOff { why } if why == "disk full");
    assert_eq!(world.fakes.observer.notices().iter().filter(off).count(), 1);
    world.fakes.store.fail(None);
    world.end();
}

#[test]
fn a_swap_that_cannot_be_recorded_is_refused_where_twins_outlive_the_front() {
    let mut world = World::serving(stdio().durable());
    world.fakes.store.fail(Some("disk full"));
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!(fault_of(&outcome).code, Code::NotPersisted);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    world.fakes.store.fail(None);
    world.end();
}

#[test]
fn records_are_written_one_at_a_time_and_the_newest_stays() {
    let mut world = World::serving(stdio());
    let before = world.fakes.store.begun();
    world.fakes.store.hold();
    world.save(2);
    world.save(3);
    world.save(4);
    assert_eq!(world.fakes.store.begun(), before + 1);
    world.fakes.store.release();
    world.settle();
    assert_eq!(world.active(), Some(Generation(4)));
    let last = world.fakes.store.last().unwrap();
    assert_eq!(last.active_source, Some(source(4)));
    world.end();
}

#[test]
fn a_build_that_is_not_wanted_any_more_is_abandoned() {
    let mut world = World::serving(stdio().building());
    world.fakes.sources.next_build(BuildScript::Hangs);
    world.save(2);
    assert_eq!((world.fakes.sources.built().len(), world.fakes.sources.abandoned().len()), (2, 0));
    world.save(3);
    assert_eq!(world.fakes.sources.abandoned(), world.fakes.sources.built()[1..2]);
    assert_eq!(world.active(), Some(Generation(3)));
    world.end();
}

#[test]
fn a_build_that_fails_starts_nothing() {
    let mut world = World::serving(stdio().building());
    world.fakes.sources.next_build(BuildScript::Fails(Fault::new(Code::BuildFailed, "it does not compile")));
    world.fakes.sources.set(source(2));
    let outcome = world.command(Command::Swap { force: false });
    assert_eq!(fault_of(&outcome).code, Code::BuildFailed);
    assert_eq!(world.fakes.spawner.orders().len(), 1);
    world.end();
}

#[test]
fn under_handoff_the_old_twin_is_gone_before_the_new_one_starts() {
    let options = Options { strategy: Strategy::Handoff, ..Options::default() };
    let mut world = World::serving(Swap::new(options));
    world.fakes.traffic.busy(TwinId(0));
    world.save(2);
    assert_eq!(world.fakes.spawner.orders().len(), 1, "a call is open");
    world.fakes.spawner.next(Launch::Slow);
    world.fakes.traffic.free(TwinId(0));
    world.settle();
    assert_eq!((world.fakes.spawner.running(), world.fakes.spawner.orders().len()), (vec![], 2));
    world.fakes.spawner.finish(TwinId(1));
    world.settle();
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    world.end();
}

#[test]
fn files_touched_during_the_boot_are_tried_again() {
    let mut world = World::serving(stdio());
    world.fakes.probe.of(TwinId(1), Verdict::Silent);
    world.save(2);
    world.fakes.sources.touch();
    world.fakes.probe.of(TwinId(1), Verdict::ready());
    world.settle();
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(2)));
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    world.end();
}

#[test]
fn a_driver_without_handles_ends_and_leaves_no_instance_behind() {
    let mut world = World::serving(stdio());
    world.save(2);
    let second = world.handle.clone();
    drop(world.handle);
    world.pool.run_until_stalled();
    assert!(!world.over.get(), "a clone of the handle is left");
    drop(second);
    world.pool.run_until_stalled();
    assert!(world.over.get());
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Dropped));
    assert_eq!(world.fakes.spawner.running(), []);
}

#[test]
fn a_handle_whose_driver_is_gone_says_so() {
    let fakes = Fakes::new();
    let (driver, handle) = Driver::new(stdio(), fakes.host());
    drop(driver);
    assert_eq!(handle.status().now_or_never(), Some(None));
    let outcome = handle.command(Command::Start).now_or_never().unwrap();
    assert_eq!(fault_of(&outcome).code, Code::Stopped);
}

#[test]
fn a_start_that_takes_too_long_says_how_long_and_what_the_twin_wrote() {
    let mut world = World::new(stdio());
    world.fakes.probe.next(Verdict::Silent);
    world.fakes.probe.next(Verdict::Silent);
    world.fakes.probe.says("Traceback: no such table");
    let start = world.ask(Command::Start);
    world.advance(Options::default().start_timeout);
    let Some(Outcome::Failed { fault, .. }) = start.take() else { panic!("started") };
    assert_eq!((fault.code, fault.stderr_tail.as_str()), (Code::ProbeTimeout, "Traceback: no such table"));
    assert_eq!(fault.message, "the new twin was not ready within 60 s");
    world.advance(Duration::from_secs(1));
    let status = world.status();
    assert_eq!((status.state.as_str(), status.degraded), ("starting", Some(fault)));
    world.end();
}
