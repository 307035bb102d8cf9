//! Serving: changes, commands, the commit, prev.

use crate::bench::{Bench, secs, source};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::Slot;
use mcp_twin_core::spec::{Breaking, Options, Promote};
use mcp_twin_core::swap::{Cause, Command, Effect, Event, Notice, Outcome};

const SWAP: Command = Command::Swap { force: false };

fn manual(options: &mut Options) {
    options.promote = Promote::Manual;
}

#[test]
fn a_saved_change_is_swapped_in() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    assert_eq!((bench.active(), bench.prev()), (Some(2), Some(1)));
    let history = bench.history();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].what, &history[0].causes[..]), (Cause::Swap, &[Cause::Change][..]));
    assert_eq!(history[0].from.unwrap().0, 1);
    assert!(matches!(bench.notices()[..], [Notice::Swapped { previous: Some(_), .. }]));
    assert_eq!(bench.done(), ["persist", "spawn", "persist", "probe", "rehash", "prepare", "persist", "handover"]);
    let status = bench.swap.status();
    assert!(status.baking);
    assert_eq!((status.swaps, status.last_swap), (1, Some(bench.now)));
    assert_eq!((status.active.unwrap().slot, status.prev.unwrap().slot), (Slot::B, Slot::A));
}

#[test]
fn slots_alternate_and_a_third_twin_has_neither() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.pass(secs(71));
    bench.save(3);
    assert_eq!(bench.swap.status().active.unwrap().slot, Slot::A);
    bench.pass(secs(11));
    bench.save(4);
    assert_eq!(bench.swap.status().active.unwrap().slot, Slot::Extra);
}

#[test]
fn prev_is_kept_for_its_time_after_the_bake_then_drained_and_stopped() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.done();
    bench.pass(secs(10));
    assert_eq!(bench.done(), ["end bake", "persist"]);
    assert!(!bench.swap.status().baking);
    bench.pass(secs(59));
    assert_eq!(bench.prev(), Some(1));
    bench.pass(secs(1));
    assert_eq!(bench.prev(), None);
    assert_eq!(bench.done(), ["drain", "persist", "stop"]);
    assert_eq!(bench.swap.poll_timeout(), None);
}

#[test]
fn a_broken_save_leaves_the_old_code_serving_and_is_said_once() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.stillborn.insert(2);
    bench.save(2);
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::ExitedEarly)));
    assert!(matches!(bench.notices()[..], [Notice::ReloadFailed { .. }]));
    let history = bench.history();
    assert!(matches!(&history[..], [entry] if entry.what == Cause::Reload));
    // The same content again is no change.
    bench.done();
    bench.tell(Event::Changed { source: source(2) });
    assert_eq!(bench.done(), [] as [&str; 0]);
    // What serves is in the files again.
    bench.save(1);
    assert_eq!(bench.degraded(), None);
    // And then it is one.
    bench.manners.stillborn.clear();
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn only_the_latest_change_counts() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("probe");
    bench.save(2);
    bench.save(3);
    bench.manners.silent.clear();
    bench.save(4);
    assert_eq!(bench.active(), Some(4));
    assert_eq!(bench.live.len(), 2);
    assert_eq!(bench.history().len(), 1);
}

#[test]
fn files_that_move_while_the_twin_boots_begin_it_again() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("rehash");
    bench.save(2);
    let first = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Hashed { twin: first, source: source(2), touched: true });
    let second = bench.swap.status().standby.unwrap().0.twin;
    assert_ne!(first, second);
    assert!(!bench.live.contains(&first));
    // An answer for the first one is stale.
    bench.tell(Event::Hashed { twin: first, source: source(2), touched: false });
    assert_eq!(bench.stage().as_deref(), Some("warming"));
    bench.tell(Event::Touched);
    bench.tell(Event::Hashed { twin: second, source: source(2), touched: false });
    let third = bench.swap.status().standby.unwrap().0.twin;
    assert_ne!(second, third);
    bench.tell(Event::Hashed { twin: third, source: source(2), touched: false });
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn a_file_that_every_start_touches_ends_it_with_advice() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("rehash");
    bench.files = source(2);
    let id = bench.say(SWAP);
    for _ in 0..4 {
        let twin = bench.swap.status().standby.unwrap().0.twin;
        bench.tell(Event::Hashed { twin, source: source(2), touched: true });
    }
    let Outcome::Failed { fault, .. } = bench.reply(id) else { panic!("{:?}", bench.replies) };
    assert!(fault.help.unwrap().contains("--ignore"));
}

#[test]
fn a_change_whose_starts_touch_the_files_serves_under_no_name() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("rehash");
    bench.save(2);
    for found in 3..=6 {
        let twin = bench.swap.status().standby.unwrap().0.twin;
        bench.files = source(found);
        bench.tell(Event::Hashed { twin, source: source(found), touched: true });
    }
    let status = bench.swap.status();
    assert!(status.standby.is_none(), "{status:?}");
    assert_eq!(status.active.unwrap().source.hash, None);
    // What the last start wrote is a change like any other, once the watcher says so.
    bench.tell(Event::Changed { source: source(6) });
    assert!(bench.swap.status().standby.is_some());
}

#[test]
fn reload_verifies_and_never_promotes() {
    let mut bench = Bench::stdio(|_| {}).serving();
    let Outcome::Verified { active, standby, .. } = bench.ask(Command::Reload) else { panic!("not verified") };
    assert_eq!(active.unwrap().source, standby.source);
    assert_eq!(bench.stage().as_deref(), Some("verified"));
    assert!(matches!(bench.notices()[..], [Notice::Waiting { .. }]));
    // Somebody takes it.
    assert!(matches!(bench.ask(SWAP), Outcome::Swapped { .. }));
    assert!(matches!(bench.ask(SWAP), Outcome::NothingNewer { .. }));
}

#[test]
fn swap_reloads_first_where_nothing_stands_by() {
    let mut bench = Bench::stdio(manual).serving();
    assert!(matches!(bench.ask(SWAP), Outcome::NothingNewer { .. }));
    bench.files = source(2);
    let Outcome::Swapped { previous, active, .. } = bench.ask(SWAP) else { panic!("{:?}", bench.replies) };
    assert_eq!((previous.unwrap().source, active.source), (source(1), source(2)));
}

#[test]
fn under_manual_a_verified_standby_waits_for_its_word_and_no_longer_than_its_time() {
    let mut bench = Bench::stdio(manual).serving();
    bench.save(2);
    assert_eq!((bench.active(), bench.stage().as_deref()), (Some(1), Some("verified")));
    assert!(bench.swap.status().waiting.is_some());
    bench.pass(secs(30 * 60));
    assert_eq!((bench.stage(), bench.degraded()), (None, Some(Code::StandbyExpired)));
    assert_eq!(bench.live.len(), 1);
}

#[test]
fn a_begin_again_drops_the_approval_of_a_swap_and_says_so() {
    let mut bench = Bench::stdio(manual).serving();
    bench.manners.silent.insert("probe");
    bench.files = source(2);
    let id = bench.say(SWAP);
    bench.manners.silent.clear();
    bench.save(3);
    assert_eq!(bench.active(), Some(1));
    let Outcome::Verified { standby, .. } = bench.reply(id) else { panic!("{:?}", bench.replies) };
    assert_eq!(standby.source, source(3));
}

#[test]
fn those_who_join_each_get_their_answer_once() {
    let mut bench = Bench::stdio(manual).serving();
    bench.manners.silent.insert("rehash");
    bench.files = source(2);
    let first = bench.say(Command::Reload);
    let second = bench.say(Command::Reload);
    let third = bench.say(SWAP);
    assert!(bench.replies.is_empty());
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Hashed { twin, source: source(2), touched: false });
    assert!(matches!(bench.reply(first), Outcome::Verified { .. }));
    assert!(matches!(bench.reply(second), Outcome::Verified { .. }));
    assert!(matches!(bench.reply(third), Outcome::Swapped { .. }));
    assert_eq!(bench.history().len(), 1);
    assert_eq!(bench.history()[0].causes, [Cause::Reload, Cause::Swap]);
}

#[test]
fn a_reload_that_a_saved_change_joins_is_verified_then_promoted() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("rehash");
    bench.files = source(2);
    let id = bench.say(Command::Reload);
    bench.tell(Event::Changed { source: source(2) });
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Hashed { twin, source: source(2), touched: false });
    assert!(matches!(bench.reply(id), Outcome::Verified { .. }));
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn a_verified_twin_is_looked_at_once_more_at_the_commit() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("handover");
    bench.save(2);
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.manners.silent.clear();
    bench.tell(Event::Exited { twin, exit: crate::bench::exit("late") });
    assert_eq!(bench.stage().as_deref(), Some("committing"));
    bench.tell(Event::HandoverRefused { twin, fault: Fault::new(Code::Host, "no") });
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::DiedBeforeCommit)));
    assert_eq!(bench.disk.as_ref().unwrap().active, Some(bench.twin()));
}

#[test]
fn a_change_while_the_route_moves_waits_its_turn() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("handover");
    bench.save(2);
    bench.save(3);
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.manners.silent.clear();
    bench.tell(Event::HandedOver { twin });
    assert_eq!(bench.active(), Some(3));
}

#[test]
fn a_commit_within_a_bake_keeps_the_last_that_finished_its_own() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.save(2);
    bench.save(3);
    assert_eq!((bench.active(), bench.prev()), (Some(3), Some(1)));
    assert_eq!(bench.live.len(), 2);
}

#[test]
fn a_breaking_change_waits_where_the_policy_says_so() {
    let mut bench = Bench::stdio(|options| options.breaking = Breaking::Wait).serving();
    bench.manners.breaking.extend([2, 3]);
    bench.save(2);
    assert_eq!(bench.active(), Some(1));
    assert!(matches!(&bench.notices()[..], [Notice::Waiting { breaking, .. }] if breaking.len() == 1));
    // Somebody who was told takes it.
    assert!(matches!(bench.ask(SWAP), Outcome::Swapped { .. }));
    // Somebody who was not is told first.
    bench.files = source(3);
    let Outcome::Failed { fault, .. } = bench.ask(SWAP) else { panic!("{:?}", bench.replies) };
    assert_eq!(fault.code, Code::BreakingWaits);
    bench.log.clear();
    assert!(matches!(bench.ask(SWAP), Outcome::Swapped { .. }));
    assert!(!bench.log.iter().any(|effect| matches!(effect, Effect::Probe { .. })), "what waits is taken as it is");
    // `--force` takes it at once.
    bench.manners.breaking.insert(4);
    bench.files = source(4);
    assert!(matches!(bench.ask(Command::Swap { force: true }), Outcome::Swapped { .. }));
    // By default it is swapped and said.
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.breaking.insert(2);
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn force_is_passed_on_to_the_probe() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.files = source(2);
    bench.say(Command::Swap { force: true });
    assert!(bench.log.iter().any(|effect| matches!(effect, Effect::Probe { force: true, .. })));
    // A probe that was already asked without it is asked anew.
    bench.manners.silent.insert("probe");
    bench.save(3);
    bench.manners.silent.clear();
    bench.log.clear();
    assert!(matches!(bench.ask(Command::Swap { force: true }), Outcome::Swapped { .. }));
    assert!(bench.log.iter().any(|effect| matches!(effect, Effect::Probe { force: true, .. })));
}

#[test]
fn a_ready_twin_must_stay_ready() {
    let mut bench = Bench::http(|options| options.settle = secs(5)).serving_after(secs(5));
    bench.save(2);
    bench.pass(secs(4));
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Unhealthy { twin, fault: Fault::new(Code::ProbeTimeout, "it fell over") });
    assert_eq!((bench.active(), bench.degraded()), (Some(1), Some(Code::ProbeTimeout)));
    bench.save(3);
    bench.pass(secs(5));
    assert_eq!(bench.active(), Some(3));
}
