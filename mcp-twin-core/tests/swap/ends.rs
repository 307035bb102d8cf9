//! Twins that owe answers, and how many may live.

use crate::bench::{Bench, secs};
use mcp_twin_core::ids::TwinId;
use mcp_twin_core::spec::{Options, Standby};
use mcp_twin_core::swap::{Cause, Effect, Event};
use std::time::Duration;

/// Every twin that is left owes an answer, and prev goes at the next swap.
fn busy() -> Bench {
    let mut bench = Bench::stdio(|options| options.bake = Duration::ZERO).serving();
    bench.manners.busy.extend((0..20).map(TwinId));
    bench
}

fn save(bench: &mut Bench, code: u32) {
    bench.save(code);
    bench.pass(Duration::from_millis(1));
}

#[test]
fn a_twin_that_owes_an_answer_is_not_cut() {
    let mut bench = busy();
    save(&mut bench, 2);
    bench.pass(secs(24 * 3600));
    assert_eq!(bench.swap.status().retiring.len(), 1);
    assert!(bench.live.contains(&TwinId(0)));
    bench.tell(Event::Drained { twin: TwinId(0) });
    assert!(!bench.live.contains(&TwinId(0)));
}

#[test]
fn a_fourth_waits_half_a_minute_for_the_oldest() {
    let mut bench = busy();
    for code in 2..=5 {
        save(&mut bench, code);
    }
    assert_eq!((bench.active(), bench.swap.status().retiring.len()), (Some(5), 3));
    bench.log.clear();
    save(&mut bench, 6);
    assert_eq!((bench.active(), bench.stage().as_deref()), (Some(5), Some("committing")));
    assert!(bench.live.len() <= 6);
    bench.pass(secs(30));
    assert_eq!(bench.active(), Some(6));
    assert!(bench.log.iter().any(|effect| matches!(effect, Effect::Cut { twin: TwinId(0), .. })));
    assert_eq!(bench.swap.status().retiring.len(), 3);
}

#[test]
fn one_without_an_open_call_goes_first() {
    let mut bench = busy();
    for code in 2..=5 {
        save(&mut bench, code);
    }
    bench.tell(Event::Owes { twin: TwinId(1), open_calls: false, human: false });
    bench.log.clear();
    save(&mut bench, 6);
    assert_eq!(bench.active(), Some(6));
    assert!(bench.log.iter().any(|effect| matches!(effect, Effect::Cut { twin: TwinId(1), .. })));
}

#[test]
fn a_prev_that_owes_nothing_needs_no_place() {
    let mut bench = busy();
    for code in 2..=5 {
        save(&mut bench, code);
    }
    bench.manners.busy.remove(&TwinId(3));
    save(&mut bench, 6);
    assert_eq!(bench.active(), Some(6));
}

#[test]
fn under_serve_a_drain_ends_and_a_human_gets_more_time() {
    let short = |options: &mut Options| options.bake = Duration::ZERO;
    let mut bench = Bench::http(short).serving();
    bench.manners.busy.extend((0..9).map(TwinId));
    save(&mut bench, 2);
    save(&mut bench, 3);
    bench.tell(Event::Owes { twin: TwinId(0), open_calls: false, human: true });
    save(&mut bench, 4);
    assert!(bench.live.contains(&TwinId(0)) && bench.live.contains(&TwinId(1)));
    bench.pass(secs(31));
    assert!(bench.live.contains(&TwinId(0)) && !bench.live.contains(&TwinId(1)));
    bench.pass(secs(600));
    assert!(!bench.live.contains(&TwinId(0)));
}

#[test]
fn a_spawn_waits_until_fewer_than_six_live() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.extend(["probe", "stop"]);
    for code in 2..=9 {
        bench.save(code);
    }
    let spawned = bench.log.iter().filter(|effect| matches!(effect, Effect::Spawn { .. })).count();
    assert_eq!(spawned, 5);
    bench.manners.silent.clear();
    bench.tell(Event::Exited { twin: TwinId(1), exit: crate::bench::exit("") });
    assert_eq!(bench.active(), Some(9));
}

#[test]
fn a_stop_without_an_answer_is_asked_for_again() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.extend(["probe", "stop"]);
    bench.save(2);
    bench.save(1);
    bench.log.clear();
    bench.pass(secs(11));
    assert_eq!(bench.done(), ["stop"]);
}

#[test]
fn over_http_a_warm_twin_of_the_same_source_stands_by_and_takes_over() {
    let mut bench = Bench::http(|options| options.standby = Standby::Warm).serving();
    assert_eq!(bench.live.len(), 2);
    let first = bench.twin();
    bench.die(first);
    assert_eq!((bench.state(), bench.active(), bench.degraded()), ("serving".to_owned(), Some(1), None));
    assert_eq!(bench.swap.status().swaps, 0, "the same code goes on");
    assert!(bench.history().iter().all(|entry| matches!(entry.what, Cause::Start | Cause::Crash)));
    bench.pass(secs(1));
    assert_eq!(bench.live.len(), 2, "another one stands by");
    // An operation takes its place.
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
    assert_eq!(bench.live.len(), 2);
}
