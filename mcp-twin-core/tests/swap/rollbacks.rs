//! The way back: a bake that fails, a crash, a rollback by command.

use crate::bench::{Bench, secs, source};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::Generation;
use mcp_twin_core::swap::{Cause, Command, Event, Notice, Outcome};

const SWAP: Command = Command::Swap { force: false };
const BACK: Command = Command::Rollback { to: None };

#[test]
fn a_failed_bake_goes_back_and_rejects() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.log.clear();
    let twin = bench.twin();
    bench.tell(Event::BakeFailed { twin, fault: Fault::new(Code::BakeErrors, "half of the calls are refused") });
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::BakeErrors)));
    assert!(matches!(&bench.notices()[..], [Notice::RolledBack { why: Some(_), .. }]));
    assert!(matches!(&bench.history()[..], [entry] if entry.causes == [Cause::Bake]));
    assert_eq!(bench.done(), ["prepare", "persist", "handover", "end bake", "drain", "stop"]);
    assert_eq!(bench.disk.as_ref().unwrap().rejected, Some(source(2)));
    bench.tell(Event::Changed { source: source(2) });
    assert_eq!(bench.done(), [] as [&str; 0]);
    // Whoever asks for it gets it.
    assert!(matches!(bench.ask(SWAP), Outcome::Swapped { .. }));
}

#[test]
fn a_crash_within_the_bake_goes_back_without_a_gap() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.log.clear();
    let twin = bench.twin();
    bench.die(twin);
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::BakeCrashed)));
    assert_eq!(bench.done()[..4], ["hold", "prepare", "persist", "handover"]);
    bench.pass(secs(120));
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn a_crash_after_the_bake_goes_back_and_tries_the_new_code_behind_it() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.pass(secs(11));
    bench.log.clear();
    let twin = bench.twin();
    bench.die(twin);
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::Crashed)));
    bench.pass(secs(1));
    assert_eq!((bench.active(), bench.degraded()), (Some(2), None));
}

#[test]
fn code_that_crashes_again_and_again_is_left_alone_after_five_times() {
    let mut bench = Bench::stdio(|options| options.bake = secs(0)).serving();
    bench.save(2);
    bench.pass(secs(1));
    for _ in 0..5 {
        assert_eq!(bench.active(), Some(2));
        let twin = bench.twin();
        bench.die(twin);
        bench.pass(secs(4));
    }
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::Crashed)));
}

#[test]
fn a_rollback_by_command_swaps_back_and_forth() {
    let mut bench = Bench::stdio(|_| {}).serving();
    let Outcome::Failed { fault, .. } = bench.ask(BACK) else { panic!("rolled back") };
    assert_eq!(fault.code, Code::NoPrevious);
    bench.save(2);
    bench.log.clear();
    let Outcome::RolledBack { left, active, why: None } = bench.ask(BACK) else { panic!("{:?}", bench.replies) };
    assert_eq!((left.unwrap().source, active.source), (source(2), source(1)));
    assert!(matches!(&bench.notices()[..], [Notice::RolledBack { why: None, .. }]));
    assert_eq!(bench.swap.status().swaps, 2, "there and back");
    assert_eq!((bench.active(), bench.prev()), (Some(1), Some(2)));
    assert_eq!(bench.degraded(), Some(Code::Superseded), "the files hold newer code");
    // A watcher event with what was left starts nothing.
    bench.log.clear();
    bench.tell(Event::Changed { source: source(2) });
    assert_eq!(bench.done(), [] as [&str; 0]);
    assert!(matches!(bench.ask(BACK), Outcome::RolledBack { .. }));
    assert_eq!((bench.active(), bench.degraded()), (Some(2), None), "it is what the files hold");
}

#[test]
fn a_rollback_ends_what_is_being_prepared() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.manners.silent.insert("probe");
    bench.files = source(3);
    let reload = bench.say(Command::Reload);
    assert!(matches!(bench.ask(BACK), Outcome::RolledBack { .. }));
    assert!(matches!(bench.reply(reload), Outcome::Superseded { .. }));
    bench.manners.silent.clear();
    bench.tell(Event::Changed { source: source(3) });
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn a_rollback_to_code_that_is_gone_changes_nothing() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.pass(secs(71));
    bench.log.clear();
    let Outcome::Failed { fault, .. } = bench.ask(BACK) else { panic!("rolled back") };
    assert_eq!(fault.code, Code::CodeGone);
    assert_eq!(bench.done(), [] as [&str; 0]);
    // Once the files hold it again it is started.
    bench.files = source(1);
    assert!(matches!(bench.ask(BACK), Outcome::RolledBack { .. }));
    assert_eq!(bench.active(), Some(1));
    assert_eq!(bench.swap.record().rejected, Some(source(2)));
}

#[test]
fn a_rollback_to_code_that_is_gone_names_what_is_kept() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.save(3);
    bench.pass(secs(11));
    bench.save(4);
    let kept = bench.prev().unwrap();
    let Outcome::Failed { fault, .. } = bench.ask(Command::Rollback { to: Some(Generation(2)) }) else {
        panic!("rolled back")
    };
    assert_eq!((fault.code, kept), (Code::CodeGone, 3));
    assert!(fault.help.unwrap().contains("generation 3 is kept"));
}
