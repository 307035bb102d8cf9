//! The screen as people see it.

use super::super::model::tests::{address, answer, at, model_of, status_of};
use super::super::model::{Message, Now};
use super::*;
use crate::render::fixture;
use crate::render::status::tests::load;
use crate::top::key::Key;
use mcp_twin_core::control::Answer;
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::{Generation, Slot};
use mcp_twin_core::relay::diff::ListDiff;
use mcp_twin_core::swap::{Cause, HistoryEntry, Outcome, PhaseName};
use mcp_twin_runtime::fronts::{AskError, FrontAddress};
use mcp_twin_runtime::history::HistoryLine;
use mcp_twin_runtime::servers::ServerKey;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use std::path::Path;
use std::time::Duration;

fn buffer(model: &Model, columns: u16, rows: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
    terminal.draw(|frame| draw(frame, model)).expect("it is drawn");
    terminal.backend().buffer().clone()
}

/// What stands on it, each line between bars, so that its width is seen.
fn shown(model: &Model, columns: u16, rows: u16) -> String {
    let buffer = buffer(model, columns, rows);
    let lines = buffer.content().chunks(usize::from(columns));
    lines.map(|cells| format!("|{}|\n", cells.iter().map(|cell| cell.symbol()).collect::<String>())).collect()
}

fn web() -> FrontAddress {
    FrontAddress { root: "/home/u/web".into(), ..address("web", "web@1234abcd", 13000) }
}

/// One healthy server over stdio, and one over HTTP that is on its way to a new generation.
fn two() -> Model {
    let mail = address("inbox-collab", "inbox-1", 12000);
    let mut model = model_of(&[mail.clone(), web()]);
    let mut status = status_of(&mail);
    let old = status.figures.unwrap_or_default();
    status.figures = Some(mcp_twin_core::control::Figures { at_ms: old.at_ms + 1000, calls: old.calls + 12, ..old });
    status.loads[0].cpu_ms += 37;
    answer(&mut model, &status, 1000);
    let mut status = status_of(&web());
    status.transport = "http".to_owned();
    status.url = Some("http://127.0.0.1:8042/mcp".to_owned());
    (status.sessions, status.in_flight, status.held) = (Some(12), 3, 2);
    status.swap.standby = Some((fixture::twin(Slot::B, 4, 13020), "warming".to_owned()));
    status.swap.prev = None;
    status.swap.retiring = vec![fixture::twin(Slot::Extra, 2, 13001)];
    status.loads = vec![load(3, 1, 82_837_504, 99_000), load(4, 3, 31_457_280, 800)];
    status.figures = Some(mcp_twin_core::control::Figures {
        refused: 4,
        failed: 2,
        tool_errors: 0,
        ..status.figures.unwrap_or_default()
    });
    answer(&mut model, &status, 1000);
    history(&mut model, "inbox-collab", "/home/u/mail");
    model
}

fn history(model: &mut Model, server: &str, root: &str) {
    let twin = |generation| fixture::twin(Slot::A, generation, 1);
    let ends = [
        Outcome::Started { active: twin(1) },
        Outcome::Failed { active: Some(twin(1)), fault: fixture::syntax_error() },
        Outcome::Swapped { previous: Some(twin(1)), active: twin(3), diff: ListDiff::default() },
        Outcome::RolledBack {
            left: Some(twin(3)),
            active: twin(1),
            why: Some(Fault::new(Code::BakeErrors, "the new server refused 5 of 5 calls; the one before 0 of 9")),
        },
    ];
    let lines = ends.into_iter().zip([90_000, 3_700, 125, 2]).map(|(outcome, ago)| HistoryLine {
        time: String::new(),
        ms: (1_800_000_000 - ago) * 1000,
        front: "inbox-1".to_owned(),
        file: Some("/home/u/mail/server.py".into()),
        entry: HistoryEntry {
            what: Cause::Change,
            causes: vec![Cause::Change],
            generation: Generation(3),
            source: twin(3).source,
            from: None,
            outcome,
            phases: vec![(PhaseName::Spawn, Duration::from_millis(20)), (PhaseName::Probe, Duration::from_millis(390))],
        },
    });
    let key = ServerKey::new(server, Path::new(root));
    let now = Now { wall: Duration::from_secs(1_800_000_000), ..at(2000) };
    model.update(Message::History(key, lines.collect()), now);
}

fn press(model: &mut Model, key: Key) {
    model.update(Message::Key(key), at(1000));
}

#[test]
fn two_servers() {
    insta::assert_snapshot!("80x24", shown(&two(), 80, 24));
    insta::assert_snapshot!("120x40", shown(&two(), 120, 40));
}

#[test]
fn an_operation_that_runs() {
    let mut model = two();
    press(&mut model, Key::Down);
    press(&mut model, Key::Reload);
    model.update(Message::Tick, at(4000));
    insta::assert_snapshot!(shown(&model, 80, 24));
}

#[test]
fn nothing_runs() {
    let mut model = Model::new(false);
    insta::assert_snapshot!("not_looked_yet", shown(&model, 80, 24));
    model.update(Message::Running(Vec::new()), at(1));
    insta::assert_snapshot!(shown(&model, 80, 24));
}

#[test]
fn a_broken_save_is_explained() {
    let front = address("inbox-collab", "inbox-1", 12000);
    let mut model = model_of(std::slice::from_ref(&front));
    let mut status = status_of(&front);
    status.swap.degraded = Some(fixture::syntax_error().with_help("fix it and save"));
    status.warnings = vec!["`cache/seen.py` changes at every start: try --ignore 'cache/**'".to_owned()];
    answer(&mut model, &status, 1000);
    history(&mut model, "inbox-collab", "/home/u/mail");
    let reply = Answer::Outcome(Outcome::Failed {
        active: status.swap.active.clone(),
        fault: Fault::new(Code::NoGeneration, "no generation before this one is kept")
            .with_help("save the old code again"),
    });
    press(&mut model, Key::Rollback);
    model.update(Message::Done(crate::render::outcome::Verb::Rollback, front, Box::new(Ok(reply))), at(1001));
    insta::assert_snapshot!(shown(&model, 80, 24));
}

#[test]
fn a_front_that_hangs_and_a_server_that_is_down() {
    let mail = address("inbox-collab", "inbox-1", 12000);
    let mut model = model_of(&[mail, web()]);
    model.update(Message::Status("inbox-1".to_owned(), Box::new(Err(AskError::Hung { pid: 12000 }))), at(1000));
    let mut status = status_of(&web());
    status.swap.state = "down".to_owned();
    (status.swap.active, status.swap.prev) = (None, None);
    status.swap.degraded = Some(fixture::syntax_error());
    status.loads.clear();
    answer(&mut model, &status, 1000);
    insta::assert_snapshot!("hangs", shown(&model, 80, 24));
    press(&mut model, Key::Down);
    insta::assert_snapshot!("down", shown(&model, 80, 24));
}

#[test]
fn many_fronts() {
    let several = (1..=5).map(|n| address("aa-shared", &format!("shared-{n}"), 11000 + n));
    let others = (1..=30).map(|n| address(&format!("server-{n:02}"), &format!("s-{n}"), 12000 + n));
    let mut model = model_of(&several.chain(others).collect::<Vec<_>>());
    insta::assert_snapshot!("many_first", shown(&model, 80, 24));
    for _ in 0..12 {
        press(&mut model, Key::Down);
    }
    insta::assert_snapshot!("many_middle", shown(&model, 80, 24));
    press(&mut model, Key::Last);
    insta::assert_snapshot!("many_last", shown(&model, 80, 24));
}

#[test]
fn long_names_and_what_servers_write() {
    let name = "a-server-with-a-name-of-forty-characters";
    let front = FrontAddress {
        root: "/home/u/a-folder/with-a-path/that-is/longer-than-a/terminal-is/wide/日本語/and-goes-on".into(),
        ..address(name, "long-1", 12000)
    };
    let mut model = model_of(std::slice::from_ref(&front));
    let mut status = status_of(&front);
    status.client = Some("client \u{1b}[31mred\u{7} of a name that goes on and on and on, beyond what fits".to_owned());
    status.swap.degraded =
        Some(Fault::new(Code::ExitedEarly, format!("it said \u{1b}]0;title\u{7} {}", "very ".repeat(80))));
    status.swap.active = status.swap.active.map(|mut active| {
        active.source.generation = Generation(123_456);
        active.pid = Some(4_194_304);
        active
    });
    answer(&mut model, &status, 1000);
    let text = shown(&model, 80, 24);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    insta::assert_snapshot!("long", text);
    press(&mut model, Key::Logs);
    let lines = vec!["2026-01-02 plain".to_owned(), format!("\u{1b}[2J\ttab {}", "x".repeat(200))];
    model.update(Message::Logs(Path::new("/l").join(ServerKey::new(name, &front.root).as_str()), lines), at(1001));
    insta::assert_snapshot!("long_logs", shown(&model, 80, 24));
}

#[test]
fn logs_show_their_end_and_more_above_it() {
    let mut model = two();
    press(&mut model, Key::Logs);
    let key = ServerKey::new("inbox-collab", &fixture::front().root);
    let lines = (1..=100).map(|line| format!("2026-01-02T03:04:05Z A3 line {line}")).collect();
    model.update(Message::Logs(Path::new("/l").join(key.as_str()), lines), at(1001));
    insta::assert_snapshot!("logs_end", shown(&model, 80, 24));
    press(&mut model, Key::First);
    insta::assert_snapshot!("logs_beginning", shown(&model, 80, 24));
}

#[test]
fn help_is_a_page() {
    let mut model = two();
    press(&mut model, Key::Help);
    insta::assert_snapshot!(shown(&model, 80, 24));
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    insta::assert_snapshot!("small", shown(&two(), 40, 10));
    for (columns, rows) in [(1, 1), (60, 12), (61, 13), (79, 23), (300, 4), (500, 200)] {
        buffer(&two(), columns, rows);
    }
}

#[test]
fn colours_say_nothing_that_words_do_not() {
    let mut model = two();
    let plain = shown(&model, 80, 24);
    let coloured =
        |buffer: Buffer| buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    assert!(!coloured(buffer(&model, 80, 24)), "NO_COLOR");
    model.colours = true;
    assert!(coloured(buffer(&model, 80, 24)));
    assert_eq!(shown(&model, 80, 24), plain);
}
