//! Stopped, Starting, Down.

use crate::bench::{Bench, exit, secs, source, unknown};
use mcp_twin_core::error::Code;
use mcp_twin_core::spec::{Promote, Strategy};
use mcp_twin_core::swap::record::Phase;
use mcp_twin_core::swap::{Cause, Command, Effect, Event, Notice, Outcome, PhaseName, Swap};
use std::time::Duration;

const SWAP: Command = Command::Swap { force: false };

#[test]
fn a_first_start_takes_every_step_in_order() {
    let mut bench = Bench::stdio(|_| {});
    let Outcome::Started { active } = bench.ask(Command::Start) else { panic!("not started") };
    assert_eq!(active.source, source(1));
    assert_eq!(active.pid, Some(1000));
    let history = bench.history();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].what, &history[0].causes[..]), (Cause::Start, &[Cause::Start][..]));
    let phases: Vec<_> = history[0].phases.iter().map(|(name, _)| *name).collect();
    assert_eq!(phases, [PhaseName::Spawn, PhaseName::Probe, PhaseName::Verify, PhaseName::Commit]);
    assert!(matches!(bench.notices()[..], [Notice::Swapped { previous: None, .. }]));
    assert_eq!(bench.done(), ["hold", "persist", "spawn", "persist", "probe", "rehash", "persist", "handover"]);
    assert_eq!(bench.state(), "serving");
    assert_eq!(bench.swap.poll_timeout(), None, "an idle front has no timer");
    assert_eq!(bench.swap.status().swaps, 0);
}

#[test]
fn each_write_is_waited_for_before_what_it_guards() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.silent.insert("persist");
    let mut seen = Vec::new();
    bench.say(Command::Start);
    for _ in 0..3 {
        let Some(Effect::Persist { seq, record }) = bench.log.last().cloned() else { panic!("{:?}", bench.log) };
        seen.push(record.phase);
        assert_eq!(bench.swap.status().state, "starting");
        bench.tell(Event::Persisted { seq });
    }
    assert_eq!(seen, [Phase::Intent, Phase::Intent, Phase::Commit]);
    assert_eq!(bench.state(), "serving");
}

#[test]
fn the_build_comes_before_the_spawn() {
    let mut bench = Bench::of(Swap::new(Default::default()).building());
    bench.say(Command::Start);
    assert_eq!(bench.done()[..4], ["hold", "persist", "build", "spawn"]);
    bench.manners.broken_build = true;
    bench.save(2);
    assert_eq!(bench.degraded(), Some(Code::BuildFailed));
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn the_start_time_out_runs_only_once_the_client_has_opened_the_session() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.silent.insert("probe");
    let id = bench.say(Command::Start);
    bench.pass(secs(3600));
    assert_eq!(bench.stage().as_deref(), Some("warming"));
    let twin = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Probing { twin });
    bench.pass(secs(59));
    assert_eq!(bench.stage().as_deref(), Some("warming"));
    bench.pass(secs(1));
    let Outcome::Failed { fault, active: None } = bench.reply(id) else { panic!("{:?}", bench.replies) };
    assert_eq!(fault.code, Code::ProbeTimeout);
}

#[test]
fn over_http_the_start_time_out_runs_at_once() {
    let mut bench = Bench::http(|_| {});
    bench.manners.silent.insert("probe");
    let id = bench.say(Command::Start);
    bench.pass(secs(120));
    assert!(matches!(bench.reply(id), Outcome::Failed { .. }));
}

#[test]
fn a_start_that_fails_is_down_with_the_reason_and_tries_again_ever_later() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.stillborn.insert(1);
    let Outcome::Failed { fault, .. } = bench.ask(Command::Start) else { panic!("started") };
    assert_eq!(fault.code, Code::ExitedEarly);
    assert_eq!(fault.stderr_tail, "ImportError: no");
    let mut pauses = Vec::new();
    while let Some(at) = bench.swap.poll_timeout() {
        assert_eq!(bench.state(), "down");
        pauses.push(at.since(bench.now));
        bench.pass(at.since(bench.now));
    }
    assert_eq!(pauses, [200, 400, 800, 1600].map(Duration::from_millis));
    let downs = bench.notices().iter().filter(|notice| matches!(notice, Notice::Down { .. })).count();
    assert_eq!(downs, 5);
    assert_eq!(bench.history().len(), 5);
    // Only a change, or a command, tries again.
    bench.tell(Event::Changed { source: source(1) });
    assert_eq!(bench.state(), "down");
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn the_reason_of_the_last_try_is_seen_while_the_next_one_runs() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.stillborn.insert(1);
    bench.say(Command::Start);
    bench.manners.stillborn.clear();
    bench.manners.silent.insert("probe");
    bench.pass(secs(1));
    assert_eq!((bench.state(), bench.degraded()), ("starting".to_owned(), Some(Code::ExitedEarly)));
    assert_eq!(bench.swap.status().degraded.unwrap().stderr_tail, "ImportError: no");
    // Also where the next try is of other files; and not once something serves, or by `stop`.
    bench.manners.silent.clear();
    bench.save(2);
    assert_eq!((bench.state(), bench.degraded()), ("serving".to_owned(), None));
    bench.manners.silent.insert("probe");
    let twin = bench.twin();
    bench.die(twin);
    bench.pass(secs(1));
    assert_eq!((bench.state(), bench.degraded()), ("starting".to_owned(), Some(Code::Crashed)));
    bench.manners.silent.clear();
    bench.ask(Command::Stop);
    bench.manners.silent.insert("probe");
    bench.say(Command::Reload);
    assert_eq!((bench.state(), bench.degraded()), ("starting".to_owned(), None));
}

#[test]
fn a_respawn_after_a_crash_is_no_swap() {
    for files in [source(1), unknown(1)] {
        let mut bench = Bench::stdio(|_| {});
        bench.files = files;
        bench.say(Command::Start);
        let twin = bench.twin();
        bench.log.clear();
        bench.die(twin);
        bench.pass(secs(1));
        let status = bench.swap.status();
        assert_eq!((status.state.as_str(), status.swaps, status.last_swap), ("serving", 0, None));
        let what: Vec<_> = bench.history().iter().map(|entry| entry.what).collect();
        assert_eq!(what, [Cause::Crash, Cause::Start]);
    }
}

#[test]
fn a_command_starts_what_failed_too_often() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.stillborn.insert(1);
    bench.say(Command::Start);
    bench.pass(secs(30));
    bench.manners.stillborn.clear();
    assert_eq!(bench.state(), "down");
    assert!(matches!(bench.ask(Command::Reload), Outcome::Started { .. }));
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn a_first_twin_that_answered_serves_though_its_files_moved() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.silent.insert("rehash");
    bench.say(Command::Start);
    let first = bench.swap.status().standby.unwrap().0.twin;
    // Broken code is saved between the answer to the opening and the commit.
    bench.manners.stillborn.insert(2);
    bench.files = source(2);
    bench.tell(Event::Changed { source: source(2) });
    bench.tell(Event::Hashed { twin: first, source: source(2), touched: true });
    let status = bench.swap.status();
    assert_eq!(status.active.map(|active| (active.twin, active.source.hash)), Some((first, None)));
    assert_eq!(bench.state(), "serving");
    bench.save(3);
    let second = bench.swap.status().standby.unwrap().0.twin;
    bench.tell(Event::Hashed { twin: second, source: source(3), touched: false });
    assert_eq!(bench.active(), Some(3));
}

#[test]
fn a_command_about_newer_files_waits_for_a_first_twin_that_answered() {
    for command in [SWAP, Command::Reload] {
        let mut bench = Bench::stdio(|_| {});
        bench.manners.silent.insert("rehash");
        let started = bench.say(Command::Start);
        let first = bench.swap.status().standby.unwrap().0.twin;
        // Broken code is saved and asked for between the answer to the opening and the commit.
        bench.manners.stillborn.insert(2);
        bench.files = source(2);
        let asked = bench.say(command.clone());
        assert!(bench.replies.is_empty(), "{:?}", bench.replies);
        bench.tell(Event::Hashed { twin: first, source: source(2), touched: true });
        assert!(matches!(bench.reply(started), Outcome::Started { active } if active.twin == first));
        let Outcome::Failed { active: Some(active), .. } = bench.reply(asked) else {
            panic!("{command:?} {:?}", bench.replies)
        };
        assert_eq!(active.twin, first);
        assert_eq!((bench.state().as_str(), bench.twin()), ("serving", first));
    }
}

#[test]
fn a_stop_refuses_what_waited_for_the_first_twin() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.silent.insert("rehash");
    bench.say(Command::Start);
    bench.files = source(2);
    let asked = bench.say(SWAP);
    bench.ask(Command::Stop);
    let Outcome::Failed { fault, active: None } = bench.reply(asked) else { panic!("{:?}", bench.replies) };
    assert_eq!((fault.code, bench.state().as_str()), (Code::Stopped, "stopped"));
}

#[test]
fn the_longest_pause_is_thirty_seconds() {
    // Each start takes twenty seconds to fail, so that five never fall into one minute.
    let mut bench = Bench::stdio(|_| {});
    bench.manners.silent.insert("probe");
    bench.say(Command::Start);
    let mut longest = Duration::ZERO;
    for _ in 0..14 {
        bench.pass(secs(20));
        let twin = bench.swap.status().standby.unwrap().0.twin;
        bench.die(twin);
        let pause = bench.swap.poll_timeout().unwrap().since(bench.now);
        longest = longest.max(pause);
        bench.pass(pause);
    }
    assert_eq!(longest, secs(30));
}

#[test]
fn nothing_serves_requests_are_held_then_refused() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.stillborn.insert(1);
    let twin = bench.twin();
    bench.die(twin);
    assert_eq!(bench.state(), "starting");
    assert_eq!(bench.done(), ["hold", "hold"]);
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.done(), ["persist", "spawn", "persist", "refuse", "persist"]);
}

#[test]
fn a_stopped_server_stays_stopped_until_somebody_asks() {
    let mut bench = Bench::stdio(|_| {}).serving();
    let Outcome::Stopped { ended } = bench.ask(Command::Stop) else { panic!("not stopped") };
    assert_eq!(ended.len(), 1);
    assert_eq!(bench.done(), ["persist", "refuse", "stop"]);
    assert_eq!(bench.disk.as_ref().unwrap().phase, Phase::Stopped);
    bench.save(2);
    assert_eq!(bench.state(), "stopped");
    assert!(matches!(bench.ask(Command::Stop), Outcome::Stopped { ended } if ended.is_empty()));
    assert!(matches!(bench.ask(SWAP), Outcome::Started { .. } | Outcome::Swapped { previous: None, .. }));
    assert_eq!(bench.active(), Some(2));
}

#[test]
fn a_stop_ends_what_is_being_prepared_and_those_who_wait_hear_it() {
    let mut bench = Bench::stdio(|_| {}).serving();
    bench.manners.silent.insert("probe");
    bench.files = source(2);
    let reload = bench.say(Command::Reload);
    let stop = bench.say(Command::Stop);
    let Outcome::Failed { fault, .. } = bench.reply(reload) else { panic!("not failed") };
    assert_eq!(fault.code, Code::Stopped);
    assert!(matches!(bench.reply(stop), Outcome::Stopped { ended } if ended.len() == 2));
    assert!(bench.live.is_empty());
}

#[test]
fn under_manual_only_what_was_active_starts_by_itself() {
    let mut bench = Bench::stdio(|options| options.promote = Promote::Manual).serving();
    bench.save(2);
    bench.pass(secs(1800));
    let twin = bench.twin();
    bench.die(twin);
    assert_eq!(bench.state(), "down");
    assert_eq!(bench.swap.poll_timeout(), None);
    bench.save(3);
    assert_eq!(bench.state(), "down");
    bench.save(1);
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn a_server_without_known_files_is_started_again() {
    let mut bench = Bench::stdio(|options| options.promote = Promote::Manual);
    bench.files = unknown(1);
    bench.say(Command::Start);
    let twin = bench.twin();
    bench.die(twin);
    bench.pass(secs(1));
    assert_eq!(bench.state(), "serving");
    // Every reload counts as newer.
    assert!(matches!(bench.ask(Command::Reload), Outcome::Verified { .. }));
    assert!(matches!(bench.ask(SWAP), Outcome::Swapped { .. }));
}

#[test]
fn a_start_of_what_serves_is_answered_at_once() {
    let mut bench = Bench::stdio(|_| {}).serving();
    assert!(matches!(bench.ask(Command::Start), Outcome::Started { .. }));
    assert_eq!(bench.done(), [] as [&str; 0]);
}

#[test]
fn stdio_goes_on_in_memory_and_says_so_once() {
    let mut bench = Bench::stdio(|_| {});
    bench.manners.full_disk = true;
    bench.say(Command::Start);
    bench.save(2);
    assert_eq!(bench.active(), Some(2));
    let said = |bench: &Bench| {
        let notices = bench.notices();
        let off = notices.iter().filter(|notice| matches!(notice, Notice::StateOff { .. })).count();
        (off, notices.iter().filter(|notice| matches!(notice, Notice::StateOn)).count())
    };
    assert_eq!(said(&bench), (1, 0));
    // There is room again, and then none.
    bench.manners.full_disk = false;
    bench.save(3);
    assert_eq!(said(&bench), (1, 1));
    bench.save(4);
    assert_eq!(said(&bench), (1, 1));
    bench.manners.full_disk = true;
    bench.save(5);
    assert_eq!((bench.active(), said(&bench)), (Some(5), (2, 1)));
}

#[test]
fn http_refuses_a_swap_that_cannot_be_recorded_while_another_twin_serves() {
    let mut bench = Bench::http(|_| {}).serving();
    bench.manners.full_disk = true;
    bench.files = source(2);
    let Outcome::Failed { fault, active: Some(_) } = bench.ask(SWAP) else { panic!("{:?}", bench.replies) };
    assert_eq!(fault.code, Code::NotPersisted);
    assert_eq!(bench.active(), Some(1));
    // Written at the next chance.
    bench.manners.full_disk = false;
    bench.disk = None;
    bench.pass(secs(2));
    assert!(bench.disk.is_some());
    assert_eq!(bench.swap.poll_timeout(), None);
}

#[test]
fn http_starts_though_the_record_cannot_be_written() {
    let mut bench = Bench::http(|_| {});
    bench.manners.full_disk = true;
    bench.say(Command::Start);
    assert_eq!(bench.active(), Some(1));
}

#[test]
fn handoff_stops_the_old_twin_before_the_new_one_starts() {
    let mut bench = Bench::stdio(|options| options.strategy = Strategy::Handoff).serving();
    bench.save(2);
    assert_eq!(
        bench.done(),
        [
            "persist",
            "build",
            "await idle",
            "hold",
            "stop",
            "spawn",
            "persist",
            "probe",
            "rehash",
            "prepare",
            "persist",
            "handover"
        ]
    );
    assert_eq!(bench.active(), Some(2));
    assert!(bench.swap.status().baking);
}

#[test]
fn handoff_cuts_what_is_still_open_after_its_wait() {
    let mut bench = Bench::stdio(|options| options.strategy = Strategy::Handoff).serving();
    let old = bench.twin();
    bench.manners.busy.insert(old);
    bench.save(2);
    assert_eq!(bench.state(), "handoff");
    assert_eq!(bench.active(), Some(1));
    bench.pass(secs(29));
    assert_eq!(bench.active(), Some(1));
    bench.pass(secs(1));
    assert_eq!(bench.active(), Some(2));
    assert!(bench.done().contains(&"cut"));
}

#[test]
fn a_handoff_that_is_given_up_releases_what_is_held() {
    let mut bench = Bench::stdio(|options| options.strategy = Strategy::Handoff).serving();
    let old = bench.twin();
    bench.manners.busy.insert(old);
    bench.save(2);
    bench.done();
    bench.save(1);
    assert_eq!(bench.state(), "serving");
    assert_eq!(bench.done(), ["handover", "persist"]);
    bench.tell(Event::Idle { twin: old });
    assert_eq!(bench.done(), ["handover"]);
}

#[test]
fn after_a_handoff_that_failed_every_save_is_tried() {
    let manual = |options: &mut mcp_twin_core::spec::Options| {
        options.strategy = Strategy::Handoff;
        options.promote = Promote::Manual;
    };
    let mut bench = Bench::stdio(manual).serving();
    bench.manners.stillborn.insert(2);
    bench.files = source(2);
    assert!(matches!(bench.ask(SWAP), Outcome::Failed { active: None, .. }));
    assert_eq!(bench.state(), "down");
    bench.save(3);
    assert_eq!(bench.active(), Some(3));
}

#[test]
fn a_dead_twin_says_its_last_words() {
    let mut bench = Bench::stdio(|_| {}).serving();
    let twin = bench.twin();
    bench.tell(Event::Exited { twin, exit: exit("Segmentation fault") });
    let notices = bench.notices();
    let [Notice::Crashed { fault, .. }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(fault.code, Code::Crashed);
    assert_eq!(fault.stderr_tail, "Segmentation fault");
    assert_eq!(bench.history().len(), 1);
}
