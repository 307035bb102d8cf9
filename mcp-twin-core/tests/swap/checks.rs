//! The check before a swap.

use crate::bench::{Bench, secs};
use mcp_twin_core::error::Code;
use mcp_twin_core::spec::{Check, Options, Promote, Standby};
use mcp_twin_core::swap::{Command, Event, Outcome, PhaseName};

fn checked(options: &mut Options) {
    options.check = Some(Check::Command("./smoke".to_owned()));
}

/// Generation 2 is saved, and its check is not answered.
fn in_check(change: impl FnOnce(&mut Options)) -> Bench {
    let mut bench = Bench::stdio(|options| {
        checked(options);
        change(options);
    })
    .serving();
    bench.manners.silent.insert("examine");
    bench.save(2);
    assert_eq!((bench.active(), bench.stage().as_deref()), (Some(1), Some("checking")));
    bench
}

#[test]
fn new_code_is_tried_before_the_files_are_looked_at_again() {
    let mut bench = Bench::stdio(checked).serving();
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
    let phases: Vec<_> = bench.history()[0].phases.iter().map(|(name, _)| *name).collect();
    assert!(phases.windows(3).any(|all| all == [PhaseName::Probe, PhaseName::Check, PhaseName::Verify]), "{phases:?}");
    let done = bench.done();
    assert_eq!(done, ["persist", "spawn", "persist", "probe", "examine", "rehash", "prepare", "persist", "handover"]);
}

#[test]
fn where_nothing_serves_nothing_is_tried() {
    let mut bench = Bench::stdio(checked);
    bench.manners.untrue.insert(1);
    bench.say(Command::Start);
    assert_eq!(bench.active(), Some(1));
    assert!(!bench.done().contains(&"examine"));
}

#[test]
fn a_failed_check_keeps_the_old_code_until_the_files_change_or_somebody_says_reload() {
    let mut bench = Bench::stdio(checked).serving();
    bench.manners.untrue.insert(2);
    bench.save(2);
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::CheckFailed)));
    assert!(bench.live.len() == 1, "the failed twin lives");
    bench.done();
    bench.tell(Event::Changed { source: bench.files });
    assert_eq!(bench.done(), [] as [&str; 0]);
    assert!(matches!(bench.ask(Command::Reload), Outcome::Failed { fault, .. } if fault.code == Code::CheckFailed));
    // The database is up again.
    bench.manners.untrue.clear();
    assert!(matches!(bench.ask(Command::Swap { force: false }), Outcome::Swapped { .. }));
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn under_manual_only_what_passed_waits() {
    let mut bench = Bench::stdio(|options| {
        checked(options);
        options.promote = Promote::Manual;
    })
    .serving();
    bench.save(2);
    assert_eq!(bench.stage().as_deref(), Some("verified"));
    bench.done();
    assert!(matches!(bench.ask(Command::Swap { force: false }), Outcome::Swapped { .. }));
    assert!(!bench.done().contains(&"examine"), "what was tried is tried again");
}

#[test]
fn a_check_that_does_not_end_is_a_failed_one() {
    let mut bench = in_check(|options| options.check_timeout = secs(3));
    bench.pass(secs(9));
    assert_eq!((bench.active(), bench.degraded(), bench.stage()), (Some(1), Some(Code::CheckFailed), None));
    assert_eq!(bench.live.len(), 1);
}

#[test]
fn a_newer_save_ends_the_check() {
    let mut bench = in_check(|_| {});
    bench.manners.silent.clear();
    bench.save(3);
    assert_eq!((bench.active(), bench.stage()), (Some(3), None));
}

#[test]
fn where_the_old_twin_dies_a_failed_check_is_better_than_nothing() {
    let mut bench = in_check(|options| options.bake = secs(0));
    let (serving, standby) = (bench.twin(), bench.swap.status().standby.unwrap().0.twin);
    // Somebody approved of the new code, so it goes on as a start.
    bench.say(Command::Swap { force: false });
    bench.die(serving);
    assert_eq!(bench.state(), "starting");
    bench.tell(Event::ExamineFailed { twin: standby, fault: mcp_twin_core::Fault::new(Code::CheckFailed, "no") });
    assert_eq!((bench.active(), bench.twin()), (Some(2), standby));
}

#[test]
fn a_spare_of_the_same_code_is_not_tried() {
    let mut bench = Bench::http(|options| {
        checked(options);
        options.standby = Standby::Warm;
    });
    bench.manners.untrue.insert(1);
    bench.say(Command::Start);
    bench.pass(secs(600));
    assert!(bench.swap.status().warm_ready, "{:?}", bench.swap.status());
    assert!(!bench.done().contains(&"examine"));
}

#[test]
fn an_answer_that_nothing_waits_for_changes_nothing() {
    let mut bench = Bench::stdio(checked).serving();
    let twin = bench.twin();
    bench.tell(Event::Examined { twin });
    bench.tell(Event::ExamineFailed { twin, fault: mcp_twin_core::Fault::new(Code::CheckFailed, "no") });
    assert_eq!((bench.active(), bench.degraded(), bench.done()), (Some(1), None, Vec::new()));
}
