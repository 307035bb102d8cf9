//! A front that was killed and started again, its twins living on (HTTP): what the driver makes of the record.

use super::{World, died};
use mcp_twin_core::drive::Driver;
use mcp_twin_core::host::Instance;
use mcp_twin_core::spec::{Options, Promote, Standby, Strategy, Transport};
use mcp_twin_core::swap::record::Phase;
use mcp_twin_core::swap::{Command, Outcome, Record, Swap};
use mcp_twin_core::testing::{End, Fakes, Routed, Verdict, source};
use mcp_twin_core::{Code, Fault, Generation, TwinId};
use std::time::Duration;

const FIRST_PORT: u16 = 8100;

fn options() -> Options {
    Options { standby: Standby::OnDemand, settle: Duration::ZERO, ..Options::defaults(Transport::Http) }
}

/// A front over HTTP whose generation 1 serves.
fn serving() -> World {
    let fakes = Fakes::new();
    fakes.spawner.ports_from(FIRST_PORT);
    let driver = Driver::new(Swap::new(options()).durable(), fakes.host());
    let mut world = World::of(fakes, driver);
    assert!(matches!(world.command(Command::Start), Outcome::Started { .. }));
    world
}

/// The record that a front leaves which is killed now.
fn killed(world: World) -> Record {
    let record = world.fakes.store.last().unwrap();
    serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap()
}

/// The next front: these twins live, the files are those of this generation.
fn restarted(record: Record, live: &[TwinId], files: u32, change: impl FnOnce(Swap, &Fakes) -> Swap) -> World {
    restarted_with(options(), record, live, files, change)
}

fn restarted_with(
    options: Options,
    record: Record,
    live: &[TwinId],
    files: u32,
    change: impl FnOnce(Swap, &Fakes) -> Swap,
) -> World {
    let fakes = Fakes::new();
    fakes.spawner.ports_from(FIRST_PORT);
    fakes.sources.set(source(files));
    let adopted: Vec<(TwinId, Box<dyn Instance>)> =
        live.iter().map(|twin| (*twin, fakes.spawner.adopt(*twin))).collect();
    let now = fakes.host().clock.now();
    let swap = change(Swap::recover(options, record, live, source(files), now), &fakes);
    let driver = Driver::with_adopted(swap, fakes.host(), adopted);
    let mut world = World::of(fakes, driver);
    world.settle();
    world
}

fn plain(swap: Swap, _: &Fakes) -> Swap {
    swap
}

#[test]
fn the_port_of_a_twin_is_shown_and_recorded() {
    let mut world = serving();
    world.save(2);
    let status = world.status();
    assert_eq!(status.active.unwrap().port, Some(FIRST_PORT + 1));
    assert_eq!(status.prev.unwrap().port, Some(FIRST_PORT));
    let record = world.fakes.store.last().unwrap();
    let ports: Vec<_> = record.twins.iter().map(|twin| twin.port).collect();
    assert_eq!(ports, [Some(FIRST_PORT), Some(FIRST_PORT + 1)]);
    world.end();
}

#[test]
fn a_twin_that_lives_serves_again_and_nothing_is_spawned() {
    let record = killed(serving());
    let mut world = restarted(record.clone(), &[TwinId(0)], 1, plain);
    let status = world.status();
    assert_eq!(status.active.map(|view| (view.twin, view.port)), Some((TwinId(0), Some(FIRST_PORT))));
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    let moved = Routed::Handover { from: None, to: TwinId(0), bake: false, moved: true };
    assert_eq!(world.fakes.traffic.calls(), [moved]);
    assert_eq!(world.fakes.spawner.orders(), []);
    assert_eq!(world.fakes.spawner.swept(), [[TwinId(0)]]);
    let last = world.fakes.store.last().unwrap();
    assert_eq!((last.active, last.twins), (Some(TwinId(0)), record.twins));
    assert!(last.epoch > record.epoch);
    assert_eq!(world.end().spawner.ended(TwinId(0)), Some(End::Stopped));
}

#[test]
fn an_adopted_twin_whose_code_changed_meanwhile_is_swapped() {
    let mut world = restarted(killed(serving()), &[TwinId(0)], 2, plain);
    assert_eq!(world.active(), Some(Generation(2)));
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    assert_eq!(world.status().prev.map(|view| view.twin), Some(TwinId(0)));
    let outcome = world.command(Command::Rollback { to: None });
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    world.end();
}

#[test]
fn the_death_of_an_adopted_twin_is_heard() {
    let mut world = restarted(killed(serving()), &[TwinId(0)], 1, plain);
    world.fakes.spawner.exit(TwinId(0), died());
    world.settle();
    assert_eq!(world.status().state, "starting");
    world.advance(options().backoff);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    assert_eq!(world.active(), Some(Generation(1)));
    world.end();
}

#[test]
fn a_twin_that_died_before_the_route_reached_it_is_started_again() {
    let mut world = restarted(killed(serving()), &[TwinId(0)], 1, |swap, fakes| {
        fakes.traffic.refuse_handover(Fault::new(Code::Host, "it does not answer"));
        fakes.spawner.exit(TwinId(0), died());
        swap
    });
    world.advance(options().backoff);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    assert_eq!(world.fakes.spawner.running(), [TwinId(1)]);
    world.end();
}

#[test]
fn a_crash_after_the_commit_serves_the_new_twin_on_trial() {
    let mut before = serving();
    before.save(2);
    let record = killed(before);
    assert_eq!((record.active, record.prev, record.baking), (Some(TwinId(1)), Some(TwinId(0)), true));
    let mut world = restarted(record, &[TwinId(0), TwinId(1)], 2, plain);
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    assert!(world.status().baking);
    // The trial is a real one: it can still fail, and then the old twin serves.
    world.fakes.traffic.fail_bake(TwinId(1), Fault::new(Code::BakeErrors, "too many refusals"));
    world.settle();
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(0)));
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    world.end();
}

#[test]
fn in_the_middle_of_a_commit_the_new_twin_serves_if_it_lives_else_the_old() {
    for (live, serves) in [(&[TwinId(0), TwinId(1)][..], TwinId(1)), (&[TwinId(0)][..], TwinId(0))] {
        let mut before = serving();
        before.save(2);
        let mut record = killed(before);
        // COMMIT is on disk, the route has not moved: nothing was written since.
        record.phase = Phase::Commit;
        // Where the old one serves the files are newer than it: they are tried, and here never ready.
        let world = restarted(record, live, 2, |swap, fakes| {
            fakes.probe.next(Verdict::Silent);
            swap
        });
        assert_eq!(world.fakes.traffic.route(), Some(serves));
        assert_eq!(world.fakes.store.last().unwrap().active, Some(serves));
        let tried = world.fakes.spawner.orders();
        assert_eq!(tried.len(), usize::from(serves == TwinId(0)), "{tried:?}");
        world.end();
    }
}

#[test]
fn a_standby_that_was_being_prepared_is_ended_and_begun_again() {
    let mut before = serving();
    before.fakes.probe.next(Verdict::Silent);
    before.save(2);
    let record = killed(before);
    assert_eq!((record.phase, record.twins.len()), (Phase::Intent, 2));
    let mut world = restarted(record, &[TwinId(0), TwinId(1)], 2, plain);
    assert_eq!(world.fakes.spawner.ended(TwinId(1)), Some(End::Stopped));
    assert_eq!(world.fakes.spawner.swept(), [[TwinId(0)]]);
    assert_eq!((world.active(), world.fakes.traffic.route()), (Some(Generation(2)), Some(TwinId(2))));
    assert_eq!(world.fakes.spawner.running(), [TwinId(0), TwinId(2)]);
    world.end();
}

#[test]
fn with_nothing_alive_the_code_starts_again_under_new_names() {
    let mut world = restarted(killed(serving()), &[], 1, plain);
    assert_eq!((world.active(), world.fakes.traffic.route()), (Some(Generation(1)), Some(TwinId(1))));
    world.end();
    let manual = Options { promote: Promote::Manual, ..options() };
    let mut world = restarted_with(manual, killed(serving()), &[], 2, plain);
    assert_eq!((world.status().state.as_str(), world.fakes.spawner.orders().len()), ("down", 0));
    world.end();
}

#[test]
fn a_stopped_server_stays_stopped_and_what_lives_of_it_ends() {
    let mut world = serving();
    world.command(Command::Stop);
    let record = killed(world);
    let mut world = restarted(record, &[TwinId(0)], 1, plain);
    assert_eq!(world.status().state, "stopped");
    assert_eq!(world.fakes.spawner.ended(TwinId(0)), Some(End::Stopped));
    assert!(matches!(world.command(Command::Reload), Outcome::Started { .. } | Outcome::Verified { .. }));
    world.end();
}

#[test]
fn nothing_is_spawned_before_the_sweep_has_ended() {
    let mut world = restarted(killed(serving()), &[], 1, |swap, fakes| {
        fakes.spawner.slow_sweep();
        swap
    });
    assert_eq!(world.fakes.spawner.orders(), []);
    assert_eq!(world.status().state, "starting");
    world.fakes.spawner.finish_sweep();
    world.settle();
    assert_eq!(world.fakes.traffic.route(), Some(TwinId(1)));
    world.end();
}

#[test]
fn a_build_step_and_a_handoff_go_through_a_recovery() {
    let world = restarted(killed(serving()), &[TwinId(0)], 2, |swap, _| swap.building());
    assert_eq!((world.fakes.sources.built().len(), world.fakes.traffic.route()), (1, Some(TwinId(1))));
    world.end();
    let handoff = Options { strategy: Strategy::Handoff, ..options() };
    let mut world = restarted_with(handoff, killed(serving()), &[TwinId(0)], 2, plain);
    assert_eq!((world.active(), world.fakes.traffic.route()), (Some(Generation(2)), Some(TwinId(1))));
    assert_eq!(world.fakes.spawner.ended(TwinId(0)), Some(End::Stopped), "two copies may not live side by side");
    world.end();
}
