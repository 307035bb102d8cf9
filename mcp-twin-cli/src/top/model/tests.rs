//! Courses of the screen, as messages and what follows of them; and the fixtures of the view's snapshots.

use super::*;
use crate::render::fixture;
use crate::render::status::tests::serving;
use mcp_twin_core::control::{Figures, FrontStatus};
use mcp_twin_core::error::Code;
use mcp_twin_core::ids::Slot;
use mcp_twin_core::swap::ProbeReport;
use std::path::Path;

pub(crate) fn address(server: &str, front: &str, pid: u32) -> FrontAddress {
    FrontAddress { front: front.to_owned(), server: server.to_owned(), pid, ..fixture::front() }
}

pub(crate) fn status_of(address: &FrontAddress) -> FrontStatus {
    FrontStatus {
        front: address.front.clone(),
        server: address.server.clone(),
        root: address.root.display().to_string(),
        pid: address.pid,
        ..serving()
    }
}

pub(crate) fn at(millis: u64) -> Now {
    let since = Duration::from_millis(millis);
    Now { since, wall: Duration::from_secs(1_800_000_000) + since }
}

pub(crate) fn answer(model: &mut Model, status: &FrontStatus, millis: u64) {
    let reply = Ok(Answer::Status(Box::new(status.clone())));
    model.update(Message::Status(status.front.clone(), Box::new(reply)), at(millis));
}

pub(crate) fn model_of(fronts: &[FrontAddress]) -> Model {
    let mut model = Model::new(false);
    model.update(Message::Tick, at(0));
    model.update(Message::Running(fronts.to_vec()), at(1));
    for front in fronts {
        answer(&mut model, &status_of(front), 2);
    }
    model
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    model.update(Message::Key(key), at(5000))
}

fn outcome(model: &mut Model, verb: Verb, front: &FrontAddress, outcome: Outcome) -> Vec<Effect> {
    model.update(Message::Done(verb, front.clone(), Box::new(Ok(Answer::Outcome(outcome)))), at(6000))
}

fn verified() -> Outcome {
    Outcome::Verified {
        active: Some(fixture::twin(Slot::A, 3, 1)),
        standby: fixture::twin(Slot::B, 4, 2),
        report: ProbeReport::default(),
    }
}

#[test]
fn each_look_asks_every_front_that_is_not_being_asked() {
    let fronts = [address("a", "a-1", 1), address("b", "b-1", 2)];
    let mut model = Model::new(false);
    assert_eq!(model.update(Message::Tick, at(0)), [Effect::Look]);
    let key = ServerKey::new("a", &fronts[0].root);
    assert_eq!(
        model.update(Message::Running(fronts.to_vec()), at(1)),
        [Effect::ReadHistory(key), Effect::Ask(fronts[0].clone()), Effect::Ask(fronts[1].clone())]
    );
    answer(&mut model, &status_of(&fronts[1]), 2);
    // The first one says nothing: it is not asked twice, and the other one is not kept from being asked.
    assert_eq!(model.update(Message::Running(fronts.to_vec()), at(3)), [Effect::Ask(fronts[1].clone())]);
    model.update(Message::Status("a-1".to_owned(), Box::new(Err(AskError::Hung { pid: 1 }))), at(4));
    let servers = model.servers();
    assert_eq!(servers.iter().map(Group::health).collect::<Vec<_>>(), [Health::Silent, Health::Fine]);
    drop(servers);
    answer(&mut model, &status_of(&fronts[0]), 5);
    assert_eq!(model.servers()[0].health(), Health::Fine, "it is heard again");
}

#[test]
fn rates_are_what_lies_between_two_answers() {
    let front = address("a", "a-1", 1);
    let mut model = model_of(std::slice::from_ref(&front));
    let before = status_of(&front);
    assert_eq!(model.servers()[0].totals().rate, None, "one says nothing");
    let mut after = before.clone();
    let old = before.figures.unwrap_or_default();
    after.figures = Some(Figures { at_ms: old.at_ms + 2000, calls: old.calls + 25, ..old });
    after.loads[0].cpu_ms += 500;
    answer(&mut model, &after, 2000);
    assert_eq!(model.servers()[0].totals().rate, Some(12.5));
    let cpu = |model: &Model| model.fronts[0].cpu.values().copied().collect::<Vec<_>>();
    assert_eq!(cpu(&model), [0.0, 25.0], "the old one, and the one that serves");
    // A front that was started anew counts from nothing.
    after.figures = Some(Figures { at_ms: 10, ..Figures::default() });
    answer(&mut model, &after, 3000);
    assert_eq!(model.servers()[0].totals().rate, Some(12.5), "what is no interval changes nothing");
    after.figures = None;
    answer(&mut model, &after, 4000);
    assert_eq!(model.servers()[0].totals().p50_us, None, "a front of an older release has no figures");
}

#[test]
fn a_key_goes_to_every_front_of_the_chosen_server() {
    let fronts = [address("a", "a-1", 1), address("b", "b-1", 2), address("b", "b-2", 3)];
    let mut model = model_of(&fronts);
    press(&mut model, Key::Down);
    let wanted = |front: &FrontAddress| Effect::Act(Verb::Reload, Ask::Reload, front.clone());
    assert_eq!(press(&mut model, Key::Reload), [wanted(&fronts[1]), wanted(&fronts[2])]);
    assert_eq!(press(&mut model, Key::Reload), [], "it is under way");
    assert_eq!(model.told(), Some((Tone::Plain, "reload b: under way … 0 s".to_owned())));
    // Another one is not: a rollback ends the reload.
    assert_eq!(press(&mut model, Key::Rollback).len(), 2);

    let effects = outcome(&mut model, Verb::Reload, &fronts[1], verified());
    assert!(effects.contains(&Effect::Ask(fronts[1].clone())), "what it changed is looked at: {effects:?}");
    let failed = Outcome::Failed { active: Some(fixture::twin(Slot::A, 3, 1)), fault: fixture::syntax_error() };
    outcome(&mut model, Verb::Reload, &fronts[2], failed);
    let (tone, text) = model.said.clone().expect("something is said");
    assert_eq!(tone, Tone::Bad, "the worst of them");
    insta::assert_snapshot!("two_fronts", text);
}

#[test]
fn every_end_of_a_command_is_said() {
    let front = address("a", "a-1", 1);
    let mut said = String::new();
    let old = || fixture::twin(Slot::A, 3, 1);
    let gone = Fault::new(Code::CodeGone, "generation 2 is not there any more").with_help("save it again");
    let ends: [(Key, Verb, Result<Answer, AskError>); 8] = [
        (Key::Reload, Verb::Reload, Ok(Answer::Outcome(verified()))),
        (Key::Swap, Verb::Swap, Ok(Answer::Outcome(Outcome::NothingNewer { active: old() }))),
        (
            Key::Swap,
            Verb::Swap,
            Ok(Answer::Outcome(Outcome::Failed { active: Some(old()), fault: fixture::syntax_error() })),
        ),
        (
            Key::Rollback,
            Verb::Rollback,
            Ok(Answer::Outcome(Outcome::RolledBack {
                left: Some(fixture::twin(Slot::B, 4, 2)),
                active: old(),
                why: None,
            })),
        ),
        (Key::Rollback, Verb::Rollback, Ok(Answer::Outcome(Outcome::Failed { active: Some(old()), fault: gone }))),
        (Key::Rollback, Verb::Rollback, Ok(Answer::Error(Fault::new(Code::Busy, "too many commands wait")))),
        (Key::Rollback, Verb::Rollback, Err(AskError::Hung { pid: 1 })),
        (Key::Reload, Verb::Reload, Ok(Answer::Accepted)),
    ];
    for (key, verb, reply) in ends {
        let mut model = model_of(std::slice::from_ref(&front));
        assert_eq!(press(&mut model, key).len(), 1);
        model.update(Message::Done(verb, front.clone(), Box::new(reply)), at(7000));
        let (tone, text) = model.told().expect("something is said");
        said += &format!("{tone:?}: {text}\n");
    }
    insta::assert_snapshot!(said);
}

#[test]
fn where_nothing_runs_keys_say_so() {
    let mut model = model_of(&[]);
    for key in [Key::Reload, Key::Swap, Key::Rollback, Key::Logs, Key::Up, Key::Down] {
        assert_eq!(press(&mut model, key), [], "{key:?}");
    }
    assert!(model.said.as_ref().is_some_and(|(_, text)| text.contains("no server runs")));
    assert_eq!(model.page, Page::Servers);
    press(&mut model, Key::Quit);
    assert!(model.is_over());
}

#[test]
fn the_chosen_server_stays_the_chosen_one() {
    let named = |name: &str, pid| address(name, &format!("{name}-1"), pid);
    let mut model = model_of(&[named("b", 1), named("d", 2)]);
    press(&mut model, Key::Down);
    assert_eq!(model.chosen(), Some(1));
    model.update(Message::Running(vec![named("a", 3), named("b", 1), named("d", 2)]), at(6000));
    assert_eq!(model.chosen(), Some(2), "another one came before it");
    press(&mut model, Key::Down);
    assert_eq!(model.chosen(), Some(2), "it is the last one");
    press(&mut model, Key::First);
    assert_eq!(model.chosen(), Some(0));
    model.update(Message::Running(vec![named("b", 1)]), at(7000));
    assert_eq!(model.chosen(), Some(0), "it has ended, and another one is chosen");
    model.update(Message::Running(Vec::new()), at(8000));
    assert_eq!(model.chosen(), None);
}

#[test]
fn logs_are_those_of_the_chosen_server_and_can_be_gone_through() {
    let mut model = model_of(&[address("a", "a-1", 1)]);
    let key = ServerKey::new("a", &fixture::front().root);
    assert_eq!(press(&mut model, Key::Logs), [Effect::ReadLogs(key.clone())]);
    let lines: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
    model.update(Message::Logs(Path::new("/logs/other@00000000").to_owned(), lines.clone()), at(5001));
    assert!(model.logs.is_empty(), "those of another one");
    model.update(Message::Logs(Path::new("/logs").join(key.as_str()), lines), at(5002));
    for (key, above) in
        [(Key::Up, 1), (Key::PageUp, 11), (Key::Down, 10), (Key::First, 99), (Key::Up, 99), (Key::Last, 0)]
    {
        press(&mut model, key);
        assert_eq!(model.page, Page::Logs(above), "{key:?}");
    }
    assert_eq!(model.update(Message::Tick, at(6000)), [Effect::Look, Effect::ReadLogs(key)], "they are read on");
    press(&mut model, Key::Back);
    assert_eq!(model.page, Page::Servers);
}
