//! What `wire` and `init` show.

use super::count;
use super::style::{BAD, DIM, GOOD, NAME, WARN, harmless, paint};
use crate::args::WhichArgs;
use crate::wire::Results;
use crate::wire::choose::How;
use crate::wire::plan::{Aside, Change, Plan};
use mcp_twin_core::detect::Client;
use mcp_twin_runtime::home::Home;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// A path as people write it.
pub(crate) fn short(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) => harmless(&format!("~{}{}", std::path::MAIN_SEPARATOR, below.display())),
        Err(_) => harmless(&path.display().to_string()),
    }
}

/// One line for a change: `files  Cursor, user: ~/.cursor/mcp.json`.
pub(crate) fn label(change: &Change, home: &Path) -> String {
    format!("{}  {}, {}: {}", harmless(&change.server), change.client, change.scope, short(&change.file, home))
}

/// Everything that would be changed, and what is left alone.
pub(crate) fn plan(plan: &Plan, home: &Path) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        let _ = writeln!(
            text,
            "{} in {} ({}, {})",
            paint(NAME, &harmless(&change.server)),
            short(&change.file, home),
            change.client,
            change.scope
        );
        text += &diff(&change.diff);
        text += &notes(change, home);
        text.push('\n');
    }
    text + &asides(plan, home)
}

/// A unified diff in colours. Its head is left out: the line above says the file.
pub(crate) fn diff(diff: &str) -> String {
    let mut text = String::new();
    for line in diff.lines().filter(|line| !line.starts_with("---") && !line.starts_with("+++")) {
        let style = match line.as_bytes().first() {
            Some(b'+') => GOOD,
            Some(b'-') => BAD,
            Some(b'@') => DIM,
            _ => anstyle::Style::new(),
        };
        let _ = writeln!(text, "{}", paint(style, &harmless(line)));
    }
    text
}

fn notes(change: &Change, home: &Path) -> String {
    let mut text = String::new();
    if !change.others.is_empty() {
        let others = listed(&change.others);
        let _ = writeln!(text, "  {} {others} read this file too: it counts for them as well", paint(DIM, "note:"));
    }
    for note in &change.notes {
        let note = note.replace(&*home.to_string_lossy(), "~");
        let _ = writeln!(text, "  {} {}", paint(DIM, "note:"), harmless(&note));
    }
    text
}

/// What is left alone and why, what cannot be changed, and what could not be read.
fn asides(plan: &Plan, home: &Path) -> String {
    let mut text = String::new();
    if !plan.left.is_empty() {
        text += "Left alone:\n";
    }
    let mut hinted = BTreeSet::new();
    for aside in &plan.left {
        let why = aside.why.why(aside.client);
        let _ = writeln!(text, "  {} ({}) {}", harmless(&aside.server), aside.client, harmless(&why));
        if let Some(hint) = aside.why.hint(&aside.server).filter(|_| hinted.insert(aside.why.code())) {
            let _ = writeln!(text, "    {}", paint(DIM, &harmless(&hint)));
        }
    }
    for aside in &plan.refused {
        text += &wrong(aside, &aside.why.to_string(), home);
    }
    for (file, error) in &plan.unreadable {
        let _ = writeln!(text, "{} {}: {error}", paint(WARN, "not read:"), short(file, home));
    }
    if let Some(warning) = plan.program.warning.as_ref().filter(|_| !plan.changes.is_empty()) {
        let _ = writeln!(text, "{} {}", paint(WARN, "warning:"), harmless(warning).replace("; ", "\n  "));
    }
    text
}

fn wrong<Why>(aside: &Aside<Why>, why: &str, home: &Path) -> String {
    let why = why.replace(&*home.to_string_lossy(), "~");
    format!(
        "{} {} ({}) was not changed\n  {}\n",
        paint(BAD, "error:"),
        harmless(&aside.server),
        aside.client,
        harmless(&why)
    )
}

/// The question before a change.
pub(crate) fn question(plan: &Plan) -> String {
    let files: BTreeSet<&Path> = plan.changes.iter().map(|change| change.file.as_path()).collect();
    format!("Change {} in {}?", entries(plan.changes.len()), count(files.len(), "file"))
}

/// `1 entry`, `2 entries`.
pub(crate) fn entries(number: usize) -> String {
    format!("{number} {}", if number == 1 { "entry" } else { "entries" })
}

/// There is nothing to be changed.
pub(crate) fn nothing(plan: &Plan, home: &Path) -> String {
    let aside = asides(plan, home);
    let head = match (aside.is_empty(), plan.refused.is_empty()) {
        (true, _) => "No MCP server is configured here; add one to your client first.\n",
        (false, true) => "There is nothing to change.\n",
        (false, false) => "",
    };
    format!("{head}{aside}")
}

/// The end of a dry run.
pub(crate) fn dry_run(again: &str) -> String {
    format!("{} Nothing was changed. To do it: {}\n", paint(DIM, "dry run:"), paint(GOOD, again))
}

/// Nobody could be asked.
pub(crate) fn not_asked(again: &str) -> String {
    format!(
        "{} nothing was changed: there is no terminal to ask at\n  {} {}\n",
        paint(BAD, "error:"),
        paint(DIM, "to do it:"),
        paint(GOOD, again)
    )
}

/// The same command line with `--yes`.
pub(crate) fn again(verb: &str, which: &WhichArgs, force: bool) -> String {
    let mut words = vec!["mcp-twin".to_owned(), verb.to_owned()];
    words.extend(which.names.iter().cloned());
    if which.all && verb != "init" {
        words.push("--all".to_owned());
    }
    if let Some(client) = which.client {
        words.extend(["--client".to_owned(), client.id().to_owned()]);
    }
    if let Some(scope) = which.scope {
        words.extend(["--scope".to_owned(), scope.to_string()]);
    }
    if let Some(project) = &which.project {
        words.extend(["--project".to_owned(), project.display().to_string()]);
    }
    words.extend(force.then(|| "--force".to_owned()));
    words.push("--yes".to_owned());
    shell_words::join(words)
}

/// What was done, and what went wrong. `told`: the plan was shown before.
pub(crate) fn done(plan: &Plan, results: &Results, state: &Home, home: &Path, told: bool) -> (String, String) {
    let (mut text, mut bad) = (String::new(), String::new());
    let mut clients: Vec<Client> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (change, result) in plan.changes.iter().zip(results) {
        let server = paint(NAME, &harmless(&change.server)).to_string();
        let place = format!("{} ({}, {})", short(&change.file, home), change.client, change.scope);
        match result {
            Ok(applied) => {
                let done = match (&change.how, applied.changed) {
                    (_, false) => "was wired before in",
                    (How::Run, true) => "runs through mcp-twin in",
                    (How::Shadow, true) => "is hidden by a wired entry in",
                    (How::Address(_), true) => "is reached through its front in",
                };
                let _ = writeln!(text, "{} {server} {done} {place}", paint(GOOD, "✓"));
                if !told {
                    text += &notes(change, home);
                }
                for client in std::iter::once(change.client).chain(change.others.iter().copied()) {
                    if !clients.contains(&client) {
                        clients.push(client);
                    }
                }
                if !names.contains(&change.server.as_str()) {
                    names.push(&change.server);
                }
            }
            Err(error) => {
                let why = error.to_string().replace(&*home.to_string_lossy(), "~");
                let _ =
                    writeln!(bad, "{} {server} was not wired in {place}\n  {}", paint(BAD, "error:"), harmless(&why));
            }
        }
    }
    let aside = if told { String::new() } else { asides(plan, home) };
    if !names.is_empty() {
        text.push('\n');
        for client in clients {
            let _ = writeln!(text, "{client}: {}", client.pickup());
        }
        let undo = if names.len() > 3 { "--all".to_owned() } else { harmless(&shell_words::join(&names)) };
        let _ = writeln!(text, "To undo: {}", paint(GOOD, &format!("mcp-twin unwire {undo}")));
        let _ = writeln!(text, "{}", paint(DIM, &format!("Backups: {}", short(&state.backups(), home))));
    }
    if !aside.is_empty() {
        text.push('\n');
        text += &aside;
    }
    (text, bad)
}

/// The beginning of `init`: what is there.
pub(crate) fn found(plan: &Plan, home: &Path) -> String {
    if plan.changes.is_empty() {
        return String::new();
    }
    let mut text = "I detected these MCP servers:\n".to_owned();
    for change in &plan.changes {
        let _ = writeln!(text, "  {}", label(change, home));
    }
    text.push('\n');
    text
}

/// The end of `init`.
pub(crate) fn next_steps(plan: &Plan) -> String {
    let name = plan.changes.first().map(|change| mcp_twin_core::spec::slug(&change.server).to_string());
    let mut text = "\nWhat to do next:\n".to_owned();
    let mut step = |what: &str, command: &str| {
        let _ = writeln!(text, "  {what:<44}{}", paint(GOOD, command));
    };
    match name {
        Some(name) => {
            step("see what serves, once a client runs", "mcp-twin status");
            step("save a file of the server, and see it swap", &format!("mcp-twin logs {name} -f"));
            step("go back to the code before", &format!("mcp-twin rollback {name}"));
            step("take it all back", "mcp-twin unwire --all");
        }
        None => {
            step("run a server behind mcp-twin", "mcp-twin run -- CMD");
            step("see how it works", "mcp-twin demo");
        }
    }
    text
}

/// Names of clients in a sentence.
fn listed(clients: &[Client]) -> String {
    let names: Vec<&str> = clients.iter().map(|client| client.name()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests;
