//! A front that was restarted, and its record.

use crate::bench::{Bench, secs, source};
use mcp_twin_core::spec::{Options, Promote, Standby, Transport};
use mcp_twin_core::swap::record::Phase;
use mcp_twin_core::swap::{Command, Effect, Event, Record, Swap};

fn options() -> Options {
    let mut options = Options::defaults(Transport::Http);
    options.standby = Standby::OnDemand;
    options.settle = std::time::Duration::ZERO;
    options
}

/// The front is killed; what lives is what the bench says.
fn restart(bench: &Bench, options: Options, files: u32) -> Bench {
    let record = bench.disk.clone().unwrap();
    let text = serde_json::to_string(&record).unwrap();
    let read: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(read, record);
    let live: Vec<_> = bench.live.iter().copied().collect();
    let mut next = Bench::of(Swap::recover(options, read, &live, source(files), bench.now));
    next.files = source(files);
    next.live.clone_from(&bench.live);
    next.take();
    next.tell(Event::Touched);
    next
}

#[test]
fn the_serving_twin_is_adopted_and_the_rest_is_swept() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.manners.silent.insert("probe");
    bench.save(2);
    assert_eq!(bench.live.len(), 2);
    let active = bench.twin();
    let next = restart(&bench, options(), 1);
    assert_eq!((next.active(), next.route), (Some(1), Some(active)));
    assert_eq!(next.live.len(), 1);
    assert!(matches!(&next.log[0], Effect::Sweep { keep } if *keep == [active]));
    assert!(next.disk.as_ref().unwrap().epoch > bench.disk.as_ref().unwrap().epoch);
}

#[test]
fn it_ends_by_looking_at_the_files() {
    let bench = Bench::http(|_| {}).serving();
    let next = restart(&bench, options(), 2);
    assert_eq!(next.active(), Some(2));
}

#[test]
fn a_rejected_source_stays_rejected() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.save(2);
    bench.say(Command::Rollback { to: None });
    let next = restart(&bench, options(), 2);
    assert_eq!(next.active(), Some(1));
    assert!(next.degraded().is_some());
}

#[test]
fn the_other_committed_twin_serves_if_the_active_is_gone() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.save(2);
    let active = bench.twin();
    bench.live.remove(&active);
    let mut next = restart(&bench, options(), 1);
    assert_eq!(next.active(), Some(1));
    next.pass(secs(1));
    assert_eq!(next.disk.as_ref().unwrap().active, Some(next.twin()));
}

#[test]
fn with_nothing_alive_the_code_is_started_again() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.live.clear();
    assert_eq!(restart(&bench, options(), 1).active(), Some(1));
    let mut manual = options();
    manual.promote = Promote::Manual;
    assert_eq!(restart(&bench, manual.clone(), 1).active(), Some(1));
    assert_eq!(restart(&bench, manual, 2).state(), "down");
}

#[test]
fn a_stopped_server_stays_stopped() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.say(Command::Stop);
    assert_eq!(bench.disk.as_ref().unwrap().phase, Phase::Stopped);
    let next = restart(&bench, options(), 1);
    assert_eq!(next.state(), "stopped");
    assert!(next.live.is_empty());
}

#[test]
fn a_crash_between_commit_and_route_serves_the_new_twin() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.manners.silent.insert("handover");
    bench.save(2);
    let next = restart(&bench, options(), 2);
    assert_eq!(next.active(), Some(2));
    assert!(next.swap.status().baking, "its bake begins anew");
}

#[test]
fn new_twins_never_bear_a_number_of_the_record() {
    let bench = Bench::http(|_| {}).serving();
    let old = bench.twin();
    let mut next = restart(&bench, options(), 1);
    next.save(2);
    assert!(next.twin() > old);
}
