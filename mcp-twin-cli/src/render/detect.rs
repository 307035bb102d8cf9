//! `detect` as people read it: server by server, each with all of its places.

use super::count;
use super::style::{BAD, DIM, GOOD, NAME, WARN, harmless, paint};
use crate::detect::document::{Detected, DetectedServer, Place, Problem};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Everything that was found; `home` is written as `~`. `filtered`: only a part was asked for.
pub(crate) fn detected(found: &Detected, home: &str, filtered: bool) -> String {
    if found.servers.is_empty() && found.problems.is_empty() {
        return nothing(found, filtered);
    }
    let mut text = "MCP servers on this machine\n═══════════════════════════════════════\n".to_owned();
    for server in &found.servers {
        text.push('\n');
        one(&mut text, server, home);
    }
    for problem in &found.problems {
        let _ = write!(text, "\n{}", unreadable(problem, home));
    }
    let clients: BTreeSet<&str> =
        found.servers.iter().flat_map(|server| &server.places).map(|place| place.client.as_str()).collect();
    let _ = write!(text, "\n{} of {}", count(found.servers.len(), "server"), count(clients.len(), "client"));
    if !found.problems.is_empty() {
        let said = format!("; {} cannot be read", count(found.problems.len(), "file"));
        let _ = write!(text, "{}", paint(BAD, &said));
    }
    let _ = writeln!(text, "{}", next(found));
    text
}

/// Where there is nothing, what to do about it.
fn nothing(found: &Detected, filtered: bool) -> String {
    let files = match found.files.len() {
        0 => String::new(),
        number => format!(" ({} read)", count(number, "file")),
    };
    if filtered {
        return format!("No MCP server was found there{files}; {} looks everywhere.\n", paint(GOOD, "mcp-twin detect"));
    }
    format!(
        "No MCP client of this machine has a server configured{files}. To add one: {}\n",
        paint(GOOD, "claude mcp add NAME -- mcp-twin run -- python server.py")
    )
}

fn next(found: &Detected) -> String {
    if !found.problems.is_empty() {
        return format!(". See {}", paint(GOOD, "mcp-twin doctor"));
    }
    String::new()
}

fn one(text: &mut String, server: &DetectedServer, home: &str) {
    let note = match (server.enabled, server.places.iter().all(|place| place.hidden)) {
        (true, _) => String::new(),
        (false, true) => format!("  {}", paint(DIM, "(another entry of its client counts in its place)")),
        (false, false) => format!("  {}", paint(WARN, "(disabled)")),
    };
    let _ = writeln!(text, "{}{note}", paint(NAME, &harmless(&server.name)));
    match &server.url {
        Some(url) => line(text, "Remote:", &format!("{} ({})", harmless(url), server.transport)),
        None if server.argv.is_empty() => line(text, "Runs:", "a server that mcp-twin knows by its name"),
        None => wrapped(text, "Runs:", &home_short(&shell_words::join(&server.argv), home), " "),
    }
    if let Some(cwd) = server.cwd.as_deref().filter(|_| server.url.is_none()) {
        line(text, "In:", &short(cwd, home));
    }
    if server.url.is_none() {
        watched(text, server, home);
    }
    names(text, "Sets:", &server.env);
    names(text, "Headers:", &server.headers);
    for (at, place) in server.places.iter().enumerate() {
        line(text, if at == 0 { "Places:" } else { "" }, &self::place(place, &server.name, home));
    }
}

fn watched(text: &mut String, server: &DetectedServer, home: &str) {
    if server.watch.is_empty() {
        let why = match (server.launcher.as_deref(), &server.package) {
            (None, _) => return,
            (_, Some(package)) => format!("nothing: {package} is installed, not made of files here"),
            _ => "nothing: which files it is made of is not known (--watch PATH)".to_owned(),
        };
        line(text, "Watched:", &paint(DIM, &harmless(&why)).to_string());
    } else {
        let mut shown: Vec<String> = server.watch.iter().map(|glob| short(glob, home)).collect();
        shown.dedup();
        wrapped(text, "Watched:", &compact(&shown).join(", "), ", ");
    }
    if let Some(reason) = server.reason.as_deref().filter(|_| server.twin == "conflict") {
        line(text, "", &paint(WARN, &harmless(&format!("one at a time: {reason}"))).to_string());
    }
}

/// Patterns of one folder together: `~/a/**/*.py, *.toml`.
fn compact(globs: &[String]) -> Vec<String> {
    let mut folder = "";
    globs
        .iter()
        .map(|glob| {
            let Some(at) = glob.find("**/").map(|at| at + 3) else { return glob.clone() };
            if &glob[..at] == folder {
                return glob[at..].to_owned();
            }
            folder = &glob[..at];
            glob.clone()
        })
        .collect()
}

fn names(text: &mut String, label: &str, names: &[String]) {
    if !names.is_empty() {
        wrapped(text, label, &harmless(&names.join(", ")), ", ");
    }
}

fn place(place: &Place, name: &str, home: &str) -> String {
    let mut notes = Vec::new();
    if place.name != name {
        notes.push(format!("as `{}`", harmless(&place.name)));
    }
    if place.twinned {
        notes.push("through mcp-twin".to_owned());
    }
    if place.hidden {
        notes.push("hidden".to_owned());
    } else if !place.enabled {
        notes.push("disabled".to_owned());
    }
    for flag in &place.flags {
        if let Some(name) = flag.strip_prefix("unset-var:") {
            notes.push(format!("{name} is not set"));
        }
    }
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!("  {}", paint(WARN, &format!("({})", notes.join(", ")))),
    };
    format!("{}, {}: {}{notes}", place.client_name, place.scope, short(&place.file, home))
}

/// A file that cannot be read.
pub(crate) fn unreadable(problem: &Problem, home: &str) -> String {
    let at = match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    let mut text = format!(
        "{} {}{at}  {}\n",
        paint(BAD, "✗"),
        short(&problem.path, home),
        paint(DIM, &problem.clients.join(", "))
    );
    for part in parts(&harmless(&problem.message), " ", WIDTH - 2) {
        let _ = writeln!(text, "  {part}");
    }
    text
}

/// A path with the home folder as `~`.
pub(crate) fn short(path: &str, home: &str) -> String {
    match path.strip_prefix(home).filter(|_| !home.is_empty()) {
        Some(below) if below.is_empty() || below.starts_with(['/', '\\']) => harmless(&format!("~{below}")),
        _ => harmless(path),
    }
}

/// A command line in which paths below the home folder are written with `~`.
fn home_short(line: &str, home: &str) -> String {
    let words: Vec<String> = line.split(' ').map(|word| short(word, home)).collect();
    words.join(" ")
}

/// The width of a terminal that nobody has made wider.
const WIDTH: usize = 80;
/// Where values begin.
const INDENT: usize = 11;

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<8} {value}");
}

/// A line that goes on in the next ones where it is too long, broken at `between`.
fn wrapped(text: &mut String, label: &str, value: &str, between: &str) {
    for (at, part) in parts(value, between, WIDTH - INDENT).into_iter().enumerate() {
        line(text, if at == 0 { label } else { "" }, &part);
    }
}

/// A text in lines of at most `width`, as far as its words allow.
pub(crate) fn parts(text: &str, between: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    let mut words = text.split(between).peekable();
    while let Some(word) = words.next() {
        let end = if words.peek().is_some() { between.trim_end() } else { "" };
        let Some(last) = lines.last_mut() else { break };
        let used = last.chars().count();
        if used > 0 && used + 1 + word.chars().count() + end.len() > width {
            lines.push(format!("{word}{end}"));
        } else {
            let gap = if used > 0 { " " } else { "" };
            last.push_str(&format!("{gap}{word}{end}"));
        }
    }
    lines
}
