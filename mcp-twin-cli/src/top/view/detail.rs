//! The chosen server: its twins, what is wrong with it, and its last swaps.

use super::super::model::{Front, Group, Health, Model};
use super::Tone;
use super::ink::{Ink, fit, right, wrap};
use super::servers::tone;
use crate::render::ago::{ago, measured};
use crate::render::amount::bytes;
use crate::render::count;
use crate::render::history::{self, outcome};
use crate::render::style::harmless;
use mcp_twin_core::error::Fault;
use mcp_twin_core::swap::TwinView;
use mcp_twin_runtime::history::HistoryLine;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// So many twins are listed; more of them are counted.
const TWINS: usize = 8;
/// What is wrong may take so many lines.
const WRONG: usize = 4;

/// What there is to say of a server in so many lines.
pub(super) fn detail(model: &Model, server: &Group<'_>, ink: Ink, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let mut lines = twins(server, ink, columns, rows.saturating_sub(4).clamp(1, TWINS));
    lines.extend(about(server, ink, columns));
    lines.extend(wrong(server, ink, columns));
    let left = rows.saturating_sub(lines.len());
    lines.extend(swaps(model, ink, columns, left));
    lines.truncate(rows);
    lines
}

struct Row<'a> {
    front: &'a Front,
    twin: &'a TwinView,
    role: &'static str,
    state: String,
    tone: Tone,
}

/// The twins of all fronts.
fn twins(server: &Group<'_>, ink: Ink, columns: usize, most: usize) -> Vec<Line<'static>> {
    let several = server.fronts.len() > 1;
    // Behind the state: memory, processor, processes, and whose it is.
    let behind = 10 + 7 + 6 + if several { 9 } else { 0 };
    let state = columns.saturating_sub(2 + 5 + 9 + 5 + 9 + 1 + behind).min(25);
    let whose = |text: &str| if several { format!(" {}", right(text, 8)) } else { String::new() };
    let line = |parts: [&str; 8], front: &str| {
        let [slot, role, generation, pid, word, memory, cpu, processes] = parts;
        let before = format!("  {} {}{}{} ", fit(slot, 4), fit(role, 9), right(generation, 4), right(pid, 10).as_str());
        let behind = format!("{}{}{}{}", right(memory, 10), right(cpu, 7), right(processes, 6), whose(front));
        (before, fit(word, state), behind)
    };
    let heading = ["TWIN", "ROLE", "GEN", "PID", "STATE", "MEMORY", "CPU", "PROCS"];
    let (before, word, after) = line(heading, "FRONT");
    let mut lines = vec![Line::styled(before + &word + &after, ink.dim())];
    let all: Vec<Row<'_>> = server.fronts.iter().flat_map(rows).collect();
    for row in all.iter().take(most) {
        let status = row.front.status.as_ref();
        let load = status.and_then(|status| status.loads.iter().find(|load| load.twin == row.twin.twin));
        let cpu = row.front.cpu.get(&row.twin.twin);
        let dash = || "-".to_owned();
        let (before, word, after) = line(
            [
                &row.twin.slot.to_string(),
                row.role,
                &row.twin.source.generation.to_string(),
                &row.twin.pid.map_or_else(dash, |pid| pid.to_string()),
                &row.state,
                &load.map_or_else(dash, |load| bytes(load.memory)),
                &cpu.map_or_else(dash, |cpu| format!("{cpu:.0} %")),
                &load.map_or_else(dash, |load| load.processes.to_string()),
            ],
            &row.front.address.pid.to_string(),
        );
        lines.push(Line::from(vec![Span::raw(before), Span::styled(word, ink.of(row.tone)), Span::raw(after)]));
    }
    if all.is_empty() {
        lines.push(Line::styled("  no twin runs", ink.of(Tone::Warn)));
    }
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        lines.push(Line::styled(format!("  and {} more", count(more, "twin")), ink.dim()));
    }
    lines
}

/// The twins of one front.
fn rows(front: &Front) -> Vec<Row<'_>> {
    let Some(status) = &front.status else { return Vec::new() };
    let swap = &status.swap;
    let row = |twin, role, state: &str, tone| Row { front, twin, role, state: state.to_owned(), tone };
    let mut rows = Vec::new();
    if let Some(active) = &swap.active {
        // Of the twin itself: what is on its way is told by its own line.
        let health = match (&swap.degraded, swap.baking) {
            _ if front.silent.is_some() => Health::Silent,
            (Some(_), _) => Health::Degraded,
            (None, true) => Health::Baking,
            (None, false) => Health::Fine,
        };
        let (sign, word) = health.words();
        rows.push(row(active, "serves", &format!("{sign} {word}"), tone(&health)));
    }
    if let Some((standby, stage)) = &swap.standby {
        rows.push(match stage.as_str() {
            "verified" => row(standby, "standby", "● waits for swap", Tone::Good),
            stage => row(standby, "standby", &format!("◌ {stage}"), Tone::Warn),
        });
    }
    if let Some(warm) = &swap.warm {
        let (state, tone) = if swap.warm_ready { ("● ready", Tone::Good) } else { ("◌ starting", Tone::Warn) };
        rows.push(row(warm, "warm", state, tone));
    }
    if let Some(prev) = &swap.prev {
        rows.push(row(prev, "previous", "kept for rollback", Tone::Plain));
    }
    rows.extend(swap.retiring.iter().map(|twin| row(twin, "retiring", "finishes its calls", Tone::Plain)));
    rows
}

/// Who its clients are, and how calls have failed.
fn about(server: &Group<'_>, ink: Ink, columns: usize) -> Vec<Line<'static>> {
    let statuses = || server.fronts.iter().filter_map(|front| front.status.as_ref());
    let clients: Vec<String> = statuses()
        .filter_map(|status| match (&status.url, &status.client, &status.protocol) {
            (Some(url), ..) => Some(url.clone()),
            (None, Some(client), Some(protocol)) => Some(format!("{client} (MCP {protocol})")),
            (None, client, _) => client.clone(),
        })
        .collect();
    let mut lines = Vec::new();
    if !clients.is_empty() {
        lines.push(Line::styled(fit(&format!("  {}", harmless(&clients.join(", "))), columns), ink.dim()));
    }
    let totals = server.totals();
    let bad = [
        (totals.tool_errors, "with isError"),
        (totals.refused, "refused by the server"),
        (totals.failed, "failed in the front"),
        (totals.held as u64, "held"),
    ];
    let bad: Vec<String> =
        bad.iter().filter(|(calls, _)| *calls > 0).map(|(calls, how)| format!("{calls} {how}")).collect();
    if !bad.is_empty() {
        lines.push(Line::styled(fit(&format!("  Calls: {}", bad.join(", ")), columns), ink.of(Tone::Warn)));
    }
    lines
}

/// Why it is not as it should be.
fn wrong(server: &Group<'_>, ink: Ink, columns: usize) -> Vec<Line<'static>> {
    let said = |fault: &Fault| {
        let first = fault.first_line();
        let first = if first.is_empty() { String::new() } else { format!(": {first}") };
        let help = fault.help.as_deref().map_or_else(String::new, |help| format!("; {help}"));
        format!("{}{first}{help}", fault.message)
    };
    let mut texts: Vec<(Tone, String)> = Vec::new();
    for front in server.fronts {
        let status = front.status.as_ref();
        let fault = front.silent.as_ref().or_else(|| status?.swap.degraded.as_ref());
        texts.extend(fault.map(|fault| (Tone::Bad, format!("✗ {}", said(fault)))));
        texts.extend(
            status.into_iter().flat_map(|status| &status.warnings).map(|text| (Tone::Warn, format!("! {text}"))),
        );
    }
    texts.dedup();
    let lines = texts.into_iter().flat_map(|(tone, text)| {
        let parts = wrap(&harmless(&text), columns.saturating_sub(2));
        parts.into_iter().map(move |part| Line::styled(format!("  {part}"), ink.of(tone)))
    });
    lines.take(WRONG).collect()
}

/// What was tried with it, the newest first.
fn swaps(model: &Model, ink: Ink, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let history = model.history();
    if history.is_empty() || rows < 2 {
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(rows);
    if rows > 3 {
        lines.push(Line::default());
    }
    lines.push(Line::styled("  LAST SWAPS AND TRIES", ink.dim()));
    for line in history.iter().rev().take(rows.saturating_sub(lines.len())) {
        let (before, word, what) = swap(model, line);
        let room = columns.saturating_sub(2 + 13 + 12);
        lines.push(Line::from(vec![
            Span::styled(format!("  {} ", fit(&before, 12)), ink.dim()),
            Span::raw(fit(word, 12)),
            Span::raw(fit(&what, room).trim_end().to_owned()),
        ]));
    }
    lines
}

fn swap<'a>(model: &Model, line: &'a HistoryLine) -> (String, &'a str, String) {
    let then = Duration::from_millis(u64::try_from(line.ms).unwrap_or(0));
    let (_, word, what) = outcome(&line.entry.outcome, Some(line.entry.generation));
    let took: Duration = line.entry.phases.iter().map(|(_, took)| *took).sum();
    let took = if took.is_zero() { String::new() } else { format!(", {}", measured(took)) };
    let file = history::file(line).map_or_else(String::new, |file| format!(" ({file})"));
    (ago(model.now.wall.saturating_sub(then)), word, format!("{what}{file}{took}"))
}
