//! The model as text on a screen: pure, whatever the terminal.

mod detail;
mod ink;
mod servers;

use super::key::HELP;
use super::model::{Group, Model, Page, Tone};
use crate::render::count;
use crate::render::style::harmless;
use ink::{Ink, fit, width, wrap};
use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// On less than this nothing can be shown that would help.
const LEAST: (usize, usize) = (60, 12);

/// What a key came to may take so many lines.
const SAID: usize = 3;

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let lines = screen(model, usize::from(area.width), usize::from(area.height));
    frame.render_widget(Paragraph::new(lines), area);
}

fn screen(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    if columns < LEAST.0 || rows < LEAST.1 {
        let text =
            format!("the terminal is too small: {columns} x {rows}, {} x {} are needed; q ends it", LEAST.0, LEAST.1);
        return wrap(&text, columns.max(1)).into_iter().map(Line::from).collect();
    }
    let ink = Ink { colours: model.colours };
    let said = said(model, ink, columns);
    let room = rows - 2 - said.len();
    let mut lines = vec![title(model, ink, columns)];
    lines.extend(match model.page {
        Page::Servers => servers_page(model, ink, columns, room),
        Page::Logs(above) => logs_page(model, ink, columns, room, above),
        Page::Help => help_page(ink, columns, room),
    });
    lines.truncate(1 + room);
    lines.resize(1 + room, Line::default());
    lines.extend(said);
    lines.push(keys(model, ink, columns));
    lines
}

fn title(model: &Model, ink: Ink, columns: usize) -> Line<'static> {
    let servers = model.servers();
    let fronts: usize = servers.iter().map(|server| server.fronts.len()).sum();
    let right = if servers.is_empty() {
        String::new()
    } else {
        format!("{}, {}", count(servers.len(), "server"), count(fronts, "front"))
    };
    let left = "mcp-twin top";
    let gap = columns.saturating_sub(width(left) + width(&right));
    Line::from(vec![Span::styled(left, ink.name()), Span::raw(" ".repeat(gap)), Span::styled(right, ink.dim())])
}

fn servers_page(model: &Model, ink: Ink, columns: usize, room: usize) -> Vec<Line<'static>> {
    let servers = model.servers();
    let Some(at) = model.chosen() else { return nothing(model, ink, columns) };
    // The heading, and what is left for one server.
    let table = (servers.len() + 1).min(room / 2);
    let mut lines = servers::table(&servers, at, ink, columns, table);
    if let Some(server) = servers.get(at) {
        lines.push(rule(server, ink, columns));
        let left = room.saturating_sub(lines.len());
        lines.extend(detail::detail(model, server, ink, columns, left));
    }
    lines
}

/// What stands there where nothing runs.
fn nothing(model: &Model, ink: Ink, columns: usize) -> Vec<Line<'static>> {
    if !model.looked {
        return Vec::new();
    }
    let text = "no server runs behind mcp-twin";
    let advice = "Put `mcp-twin run --` before a server's command in the client's configuration, or see `mcp-twin wire`: it \
                  stands here as soon as a client has started it. `mcp-twin demo` shows how it works.";
    let advice =
        wrap(advice, columns.saturating_sub(4)).into_iter().map(|line| Line::styled(format!("  {line}"), ink.dim()));
    [Line::default(), Line::styled(format!("  {text}"), ink.of(Tone::Warn)), Line::default()]
        .into_iter()
        .chain(advice)
        .collect()
}

fn rule(server: &Group<'_>, ink: Ink, columns: usize) -> Line<'static> {
    let name = harmless(server.name());
    let root = fit(&harmless(&server.root()), columns.saturating_sub(width(&name) + 9)).trim_end().to_owned();
    let used = 3 + width(&name) + 2 + width(&root) + 1;
    Line::from(vec![
        Span::styled("── ", ink.dim()),
        Span::styled(name, ink.name()),
        Span::styled(format!("  {root} {}", "─".repeat(columns.saturating_sub(used))), ink.dim()),
    ])
}

fn logs_page(model: &Model, ink: Ink, columns: usize, room: usize, above: usize) -> Vec<Line<'static>> {
    let servers = model.servers();
    let server = model.chosen().and_then(|at| servers.get(at));
    let mut lines: Vec<Line<'static>> = server.map(|server| rule(server, ink, columns)).into_iter().collect();
    let room = room.saturating_sub(lines.len());
    let end = model.logs.len().saturating_sub(above);
    // A page is full, even at the beginning.
    let end = end.max(room.min(model.logs.len()));
    let shown = model.logs.get(end.saturating_sub(room)..end).unwrap_or_default();
    if shown.is_empty() {
        lines.push(Line::styled("  nothing was written yet", ink.dim()));
    }
    lines.extend(shown.iter().map(|line| Line::from(fit(&harmless(line), columns).trim_end().to_owned())));
    lines
}

fn help_page(ink: Ink, columns: usize, room: usize) -> Vec<Line<'static>> {
    const KEY: usize = 13;
    let mut lines = vec![Line::default()];
    for (key, what) in HELP {
        for (at, part) in wrap(what, columns.saturating_sub(KEY + 2)).into_iter().enumerate() {
            let key = fit(if at == 0 { key } else { "" }, KEY);
            lines.push(Line::from(vec![Span::raw("  "), Span::styled(key, ink.name()), Span::raw(part)]));
        }
    }
    lines.truncate(room);
    lines
}

/// What the last key came to.
fn said(model: &Model, ink: Ink, columns: usize) -> Vec<Line<'static>> {
    let Some((tone, text)) = model.told() else { return vec![Line::default()] };
    let mut parts = wrap(&text, columns);
    if parts.len() > SAID {
        parts.truncate(SAID);
        if let Some(last) = parts.last_mut() {
            *last = fit(&format!("{last} …{}", " ".repeat(columns)), columns);
        }
    }
    parts.into_iter().map(|part| Line::styled(part, ink.of(tone))).collect()
}

fn keys(model: &Model, ink: Ink, columns: usize) -> Line<'static> {
    let keys: &[(&str, &str)] = match model.page {
        Page::Servers => &[
            ("r", "reload"),
            ("s", "swap"),
            ("b", "rollback"),
            ("l", "logs"),
            ("↑↓", "choose"),
            ("?", "help"),
            ("q", "quit"),
        ],
        Page::Logs(_) => &[("Esc", "back"), ("↑↓ PgUp PgDn", "scroll"), ("r s b", "as ever"), ("q", "quit")],
        Page::Help => &[("Esc", "back"), ("q", "quit")],
    };
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, what) in keys {
        used += width(key) + width(what) + 3;
        if used > columns {
            break;
        }
        spans.extend([Span::styled((*key).to_owned(), ink.name()), Span::styled(format!(" {what}  "), ink.dim())]);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests;
