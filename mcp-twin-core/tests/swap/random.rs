//! Whatever comes, in any order: no panic, one answer to each command, a write before each effect, six twins at most.

use crate::bench::{Bench, source};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::{CommandId, OpId, PersistSeq, ProcessIdentity, TwinId};
use mcp_twin_core::spec::{Options, Promote, Standby, Strategy as Side, Transport};
use mcp_twin_core::swap::{Command, Effect, Event, ProbeReport, Record, Swap};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens next: something sensible, or any event at all.
#[derive(Clone, Debug)]
enum Step {
    Say(Command),
    Save(u32),
    Pass(u64),
    Die(u32),
    Any(u8, u32, u32),
    Silent(&'static str),
    Answering,
    FullDisk(bool),
    Bad(u32),
    Restart,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Start),
        Just(Command::Reload),
        any::<bool>().prop_map(|force| Command::Swap { force }),
        Just(Command::Rollback { to: None }),
        (1_u32..4).prop_map(|to| Command::Rollback { to: Some(mcp_twin_core::ids::Generation(to)) }),
        Just(Command::Stop),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let silent = ["persist", "spawn", "probe", "rehash", "prepare", "handover", "drain", "stop", "build", "await idle"];
    prop_oneof![
        4 => command().prop_map(Step::Say),
        4 => (1_u32..5).prop_map(Step::Save),
        3 => (1_u64..100_000).prop_map(Step::Pass),
        2 => (0_u32..12).prop_map(Step::Die),
        4 => (any::<u8>(), 0_u32..12, 1_u32..5).prop_map(|(kind, twin, code)| Step::Any(kind, twin, code)),
        2 => proptest::sample::select(silent.to_vec()).prop_map(Step::Silent),
        2 => Just(Step::Answering),
        1 => any::<bool>().prop_map(Step::FullDisk),
        1 => (1_u32..5).prop_map(Step::Bad),
        1 => Just(Step::Restart),
    ]
}

fn event(kind: u8, twin: u32, code: u32) -> Event {
    let fault = Fault::new(Code::Host, "something");
    let (op, seq, id) = (OpId(twin), PersistSeq(u64::from(twin)), TwinId(twin));
    let source = source(code);
    let process = ProcessIdentity { pid: 1, pgid: 1, start_time: 1, boot_id: String::new(), token: String::new() };
    match kind % 21 {
        0 => Event::Touched,
        1 => Event::Changed { source },
        2 => Event::Built { op, source },
        3 => Event::BuildFailed { op, fault },
        4 => Event::Spawned { twin: id, process, port: Some(8100) },
        5 => Event::SpawnFailed { twin: id, fault },
        6 => Event::Probing { twin: id },
        7 => Event::Healthy { twin: id, report: ProbeReport::default() },
        8 => Event::Unhealthy { twin: id, fault },
        9 => Event::Hashed { twin: id, source, touched: twin.is_multiple_of(2) },
        10 => Event::Persisted { seq },
        11 => Event::PersistFailed { seq, why: "full".to_owned() },
        12 => Event::Prepared { twin: id },
        13 => Event::PrepareFailed { twin: id, fault },
        14 => Event::HandedOver { twin: id },
        15 => Event::HandoverRefused { twin: id, fault },
        16 => Event::Drained { twin: id },
        17 => Event::Owes { twin: id, open_calls: twin.is_multiple_of(2), human: twin.is_multiple_of(3) },
        18 => Event::Idle { twin: id },
        19 => Event::Reconfigured { options: Box::new(other_options(twin, code)) },
        _ => Event::BakeFailed { twin: id, fault },
    }
}

/// Options that a file could have been given meanwhile.
fn other_options(twin: u32, code: u32) -> Options {
    let mut options = Options::defaults(if code.is_multiple_of(2) { Transport::Http } else { Transport::Stdio });
    options.promote = if twin.is_multiple_of(2) { Promote::Manual } else { Promote::Auto };
    options.strategy = if twin.is_multiple_of(3) { Side::Handoff } else { Side::Overlap };
    options.bake = Duration::from_secs(u64::from(twin));
    options
}

fn bench(durable: bool, manual: bool, handoff: bool, warm: bool) -> Bench {
    let change = |options: &mut mcp_twin_core::spec::Options| {
        options.promote = if manual { Promote::Manual } else { Promote::Auto };
        options.strategy = if handoff { Side::Handoff } else { Side::Overlap };
        options.standby = if warm { Standby::Warm } else { Standby::OnDemand };
    };
    if durable { Bench::http(change) } else { Bench::stdio(change) }
}

fn take(bench: &mut Bench, step: Step, said: &mut Vec<CommandId>, durable: bool) {
    match step {
        Step::Say(command) => said.push(bench.say(command)),
        Step::Save(code) => bench.save(code),
        Step::Pass(millis) => bench.pass(Duration::from_millis(millis)),
        Step::Die(twin) => bench.die(TwinId(twin)),
        Step::Any(kind, twin, code) => bench.tell(event(kind, twin, code)),
        Step::Silent(name) => {
            bench.manners.silent.insert(name);
        }
        Step::Answering => bench.manners.silent.clear(),
        Step::FullDisk(full) => bench.manners.full_disk = full,
        Step::Bad(code) => {
            bench.manners.stillborn = [code].into();
        }
        Step::Restart if durable => restart(bench, said),
        Step::Restart => {}
    }
}

/// A new front on the record of the old one. Commands of the old front die with it.
fn restart(bench: &mut Bench, said: &mut Vec<CommandId>) {
    let Some(record) = bench.disk.clone() else { return };
    let read: Record = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(read, record);
    let live: Vec<_> = bench.live.iter().copied().collect();
    let options = bench.options.clone();
    bench.swap = Swap::recover(options, read, &live, bench.files, bench.now);
    said.clear();
    bench.replies.clear();
    bench.log.clear();
    bench.take();
    bench.tell(Event::Touched);
}

/// Each effect that changes the world comes after the write that makes it recoverable.
fn written_first(log: &[Effect]) {
    let mut named: BTreeMap<TwinId, bool> = BTreeMap::new();
    for effect in log {
        match effect {
            Effect::Persist { record, .. } => {
                for twin in &record.twins {
                    named.insert(twin.twin, twin.process.is_some());
                }
                if let Some(active) = record.active {
                    assert!(
                        record.twins.iter().any(|twin| twin.twin == active),
                        "the active twin is not in the record"
                    );
                }
            }
            Effect::Probe { twin, .. } => assert_eq!(named.get(twin), Some(&true), "a probe before its pid is written"),
            _ => {}
        }
    }
    let first_spawn = log.iter().position(|effect| matches!(effect, Effect::Spawn { .. }));
    let first_write = log.iter().position(|effect| matches!(effect, Effect::Persist { .. }));
    assert!(first_spawn.is_none() || first_write < first_spawn, "a spawn before its intent is written");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_in_any_order(
        durable: bool, manual: bool, handoff: bool, warm: bool,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut bench = bench(durable, manual, handoff, warm);
        let mut said = vec![bench.say(Command::Start)];
        for step in steps {
            take(&mut bench, step, &mut said, durable);
            prop_assert!(bench.live.len() <= 6, "{} twins live", bench.live.len());
            let twice = said.iter().any(|id| bench.replies.iter().filter(|(own, _)| own == id).count() > 1);
            prop_assert!(!twice, "a command is answered twice");
            written_first(&bench.log);
            let status = bench.swap.status();
            prop_assert!(status.retiring.len() <= 4);
            // Who is down has a reason; it stays while the next try runs, and nobody else who serves nothing has one.
            prop_assert!(status.state != "down" || status.degraded.is_some());
            let tries = matches!(status.state.as_str(), "down" | "starting" | "handoff");
            prop_assert!(tries || status.active.is_some() || status.degraded.is_none());
        }
        // Nothing waits for ever: once the world answers again every command is answered.
        bench.manners.silent.clear();
        bench.manners.full_disk = false;
        // A twin that waits for the client's opening waits for it without a deadline.
        for _ in 0..20 {
            bench.pass(Duration::from_secs(3600));
            if let Some((standby, _)) = bench.swap.status().standby {
                bench.tell(Event::Probing { twin: standby.twin });
            }
        }
        for id in said {
            prop_assert!(bench.replies.iter().any(|(own, _)| *own == id), "{:?} is not answered: {:?}", id, bench.swap);
        }
    }

    /// The same events in the same order give the same machine.
    #[test]
    fn it_is_deterministic(steps in proptest::collection::vec(step(), 1..40)) {
        let run = || {
            let mut bench = bench(true, false, false, true);
            let mut said = vec![bench.say(Command::Start)];
            steps.iter().for_each(|step| take(&mut bench, step.clone(), &mut said, true));
            (bench.swap, bench.log)
        };
        prop_assert_eq!(run(), run());
    }
}
