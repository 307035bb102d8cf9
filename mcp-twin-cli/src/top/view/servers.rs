//! The table of servers.

use super::super::model::{Group, Health};
use super::Tone;
use super::ink::{Ink, fit, right};
use crate::render::amount::micros;
use crate::render::style::harmless;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// Columns behind the name: its heading and its width.
const COLUMNS: [(&str, usize); 9] = [
    ("OVER", 5),
    ("STATE", 13),
    ("GEN", 4),
    ("SESS", 4),
    ("OPEN", 4),
    ("CALL/S", 6),
    ("P50", 7),
    ("P99", 7),
    ("ERR", 4),
];
/// The first two are words, which stand at the left.
const WORDS: usize = 2;
/// A name takes no more.
const NAME: usize = 40;

/// The table in so many rows, its heading included, with the chosen one in sight.
pub(super) fn table(servers: &[Group<'_>], chosen: usize, ink: Ink, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let behind: usize = COLUMNS.iter().map(|(_, width)| width + 1).sum();
    let name = columns.saturating_sub(behind + 2).min(NAME);
    let heading = COLUMNS.iter().enumerate().map(|(at, (text, width))| cell(at, text, *width)).collect::<String>();
    let mut lines = vec![Line::styled(format!("  {}{heading}", fit("SERVER", name)), ink.dim())];
    let room = rows.saturating_sub(1).max(1);
    // As far down as the chosen one wants it.
    let first = (chosen + 1).saturating_sub(room).min(servers.len().saturating_sub(room));
    let last = servers.len().min(first + room);
    for (at, server) in servers.iter().enumerate().take(last).skip(first) {
        let more = match at {
            _ if at + 1 == last && last < servers.len() => '↓',
            _ if at == first && first > 0 => '↑',
            _ => ' ',
        };
        let mark = if at == chosen { '▶' } else { more };
        let line = row(server, mark, ink, name);
        lines.push(if at == chosen { line.patch_style(Modifier::REVERSED) } else { line });
    }
    lines
}

fn row(server: &Group<'_>, mark: char, ink: Ink, name: usize) -> Line<'static> {
    let totals = server.totals();
    let health = server.health();
    let (sign, word) = health.words();
    let heard = server.fronts.iter().any(|front| front.status.is_some());
    let number = |number: u64| if heard { number.to_string() } else { "-".to_owned() };
    let took = |micros_: Option<u64>| micros_.map_or_else(|| "-".to_owned(), micros);
    let generations: Vec<String> = server.generations().iter().map(u32::to_string).collect();
    let texts = [
        server.transport().to_owned(),
        format!("{sign} {word}"),
        if generations.is_empty() { "-".to_owned() } else { generations.join(",") },
        number(totals.sessions as u64),
        number(totals.in_flight as u64),
        totals.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
        took(totals.p50_us),
        took(totals.p99_us),
        number(totals.errors()),
    ];
    let mut spans = vec![Span::raw(format!("{mark} ")), Span::styled(fit(&harmless(server.name()), name), ink.name())];
    for (at, (text, (_, width))) in texts.iter().zip(COLUMNS).enumerate() {
        let text = cell(at, text, width);
        spans.push(match COLUMNS[at].0 {
            "STATE" => Span::styled(text, ink.of(tone(&health))),
            "ERR" if totals.errors() > 0 => Span::styled(text, ink.of(Tone::Warn)),
            _ => Span::raw(text),
        });
    }
    Line::from(spans)
}

fn cell(at: usize, text: &str, width: usize) -> String {
    format!(" {}", if at < WORDS { fit(text, width) } else { right(text, width) })
}

/// How a state is meant.
pub(super) fn tone(health: &Health) -> Tone {
    match health {
        Health::Unknown => Tone::Plain,
        Health::Fine | Health::Baking | Health::Waits => Tone::Good,
        Health::Busy(_) | Health::Stopped | Health::Degraded => Tone::Warn,
        Health::Down | Health::Silent => Tone::Bad,
    }
}
