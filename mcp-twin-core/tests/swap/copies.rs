//! Code that the files no longer hold, started again from a copy.

use crate::bench::{Bench, secs, source};
use mcp_twin_core::error::Code;
use mcp_twin_core::ids::Generation;
use mcp_twin_core::swap::{Cause, Command, Effect, Event, Kept, Outcome, Swap};

fn back_to(generation: u32) -> Command {
    Command::Rollback { to: Some(Generation(generation)) }
}

fn kept(generations: &[u32]) -> Event {
    let copies = generations.iter().map(|generation| Kept { source: source(*generation), why_not: None });
    Event::Kept { copies: copies.collect() }
}

/// Three generations served; the first is no longer a twin, but kept.
fn third(bench: Bench) -> Bench {
    let mut bench = bench.serving();
    bench.save(2);
    // Past the bake: else the first would stay.
    bench.pass(secs(11));
    bench.save(3);
    assert_eq!(bench.prev(), Some(2));
    bench.tell(kept(&[1]));
    bench.log.clear();
    bench
}

#[test]
fn a_rollback_starts_the_copy_whatever_the_files_hold() {
    let mut bench = third(Bench::of(Swap::new(Default::default()).building()));
    let Outcome::RolledBack { left, active, why: None } = bench.ask(back_to(1)) else { panic!("{:?}", bench.replies) };
    assert_eq!((left.unwrap().source, active.source), (source(3), source(1)));
    let history = bench.history();
    assert!(
        matches!(&history[..], [entry] if entry.what == Cause::Rollback && entry.from == Some(Generation(3))),
        "{history:?}"
    );
    // It is neither built nor compared with the files.
    assert!(
        bench.log.iter().all(|effect| !matches!(effect, Effect::Spawn { kept: false, .. } | Effect::Rehash { .. }))
    );
    assert_eq!(bench.done()[..5], ["persist", "spawn", "persist", "probe", "prepare"]);
    // What the files hold was left: a word about it brings it back, a change of nothing does not.
    bench.log.clear();
    bench.tell(Event::Changed { source: source(3) });
    assert_eq!(bench.done(), [] as [&str; 0]);
    assert_eq!(bench.disk.as_ref().unwrap().rejected, Some(source(3)));
    bench.save(4);
    assert_eq!(bench.active(), Some(4));
}

#[test]
fn what_is_not_kept_is_said_with_the_reason_and_nothing_changes() {
    let mut bench = third(Bench::stdio(|_| {}));
    let why_not = Some("its files are larger than 32MiB".to_owned());
    bench.tell(Event::Kept { copies: vec![Kept { source: source(1), why_not }] });
    bench.log.clear();
    let Outcome::Failed { fault, active: Some(_) } = bench.ask(back_to(1)) else { panic!("{:?}", bench.replies) };
    assert_eq!(fault.code, Code::CodeGone);
    assert!(fault.message.ends_with("no longer there: its files are larger than 32MiB"), "{}", fault.message);
    assert!(matches!(&bench.log[..], [Effect::Reply { .. }]));
    assert_eq!(bench.active(), Some(3));
}

#[test]
fn a_copy_that_does_not_start_leaves_what_serves() {
    let mut bench = third(Bench::stdio(|_| {}));
    bench.manners.stillborn.insert(1);
    assert!(
        matches!(bench.ask(back_to(1)), Outcome::Failed { active: Some(active), .. } if active.source == source(3))
    );
    assert_eq!((bench.active(), bench.degraded()), (Some(3), Some(Code::ExitedEarly)));
    assert_eq!(bench.disk.as_ref().unwrap().rejected, None);
    bench.save(4);
    assert_eq!(bench.active(), Some(4));
}

#[test]
fn a_save_goes_before_a_copy_that_is_not_ready() {
    let mut bench = third(Bench::stdio(|_| {}));
    bench.manners.silent.insert("probe");
    let asked = bench.say(back_to(1));
    // The watcher still had this one to tell.
    bench.tell(Event::Changed { source: source(3) });
    assert_eq!(bench.stage().as_deref(), Some("warming"));
    bench.manners.silent.clear();
    bench.save(4);
    assert!(matches!(bench.reply(asked), Outcome::Superseded { by: Generation(4) }), "{:?}", bench.replies);
    assert_eq!(bench.active(), Some(4));
}

#[test]
fn a_copy_that_crashes_is_started_again_and_not_what_was_left() {
    let mut bench = third(Bench::stdio(|_| {}));
    bench.ask(back_to(1));
    bench.pass(secs(120));
    let twin = bench.twin();
    bench.log.clear();
    bench.die(twin);
    bench.pass(secs(1));
    assert_eq!((bench.active(), bench.state().as_str()), (Some(1), "serving"));
    assert!(bench.log.iter().any(|effect| matches!(effect, Effect::Spawn { kept: true, .. })));
    // What was left stays left.
    bench.log.clear();
    bench.tell(Event::Changed { source: source(3) });
    assert_eq!(bench.done(), [] as [&str; 0]);
}

#[test]
fn without_a_serving_twin_the_copy_is_the_start() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.stillborn.insert(2);
    bench.files = source(2);
    assert!(matches!(bench.ask(Command::Start), Outcome::Failed { .. }));
    bench.tell(kept(&[1]));
    let Outcome::RolledBack { active, .. } = bench.ask(back_to(1)) else { panic!("{:?}", bench.replies) };
    assert_eq!((active.source, bench.state().as_str()), (source(1), "serving"));
}
