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
    places(text, server, home);
}

fn watched(text: &mut String, server: &DetectedServer, home: &str) {
    if server.watch.is_empty() {
        let why = match (server.launcher.as_deref(), &server.package) {
            (None, _) => return,
            (_, Some(package)) => format!("nothing: {package} is installed"),
            _ => "nothing: which files it is made of is not known (--watch PATH)".to_owned(),
        };
        line(text, "Watched:", &paint(DIM, &super::named::short(&harmless(&why), WIDTH - INDENT - 1)).to_string());
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

/// Where it stands: each file with all clients that read it in the same way.
fn places(text: &mut String, server: &DetectedServer, home: &str) {
    let mut groups: Vec<(&Place, Vec<&str>, BTreeSet<&str>)> = Vec::new();
    for place in &server.places {
        let same = |other: &Place| {
            (&other.file, &other.scope, &other.name, other.enabled, other.hidden, other.twinned)
                == (&place.file, &place.scope, &place.name, place.enabled, place.hidden, place.twinned)
        };
        let unset = place.flags.iter().filter_map(|flag| flag.strip_prefix("unset-var:"));
        match groups.iter_mut().find(|(other, ..)| same(other)) {
            Some((_, clients, variables)) => {
                clients.push(&place.client_name);
                variables.extend(unset);
            }
            None => groups.push((place, vec![&place.client_name], unset.collect())),
        }
    }
    let mut label = "Places:";
    for (place, clients, variables) in groups {
        let whole = format!("{} ({}): {}", clients.join(", "), place.scope, short(&place.file, home));
        let mut lines = parts(&whole, " ", WIDTH - INDENT);
        let notes = notes(place, &server.name, &variables);
        if let Some(last) = lines.pop() {
            let fits = INDENT + last.chars().count() + 2 + notes.chars().count() <= WIDTH;
            let shown = if notes.is_empty() { String::new() } else { paint(WARN, &notes).to_string() };
            match (notes.is_empty(), fits) {
                (true, _) => lines.push(last),
                (false, true) => lines.push(format!("{last}  {shown}")),
                (false, false) => lines.extend([last, shown]),
            }
        }
        for part in lines {
            line(text, std::mem::take(&mut label), &part);
        }
    }
}

/// What is worth knowing about a place.
fn notes(place: &Place, name: &str, unset: &BTreeSet<&str>) -> String {
    let mut notes = Vec::new();
    if place.name != name {
        notes.push(format!("as `{}`", harmless(&place.name)));
    }
    if place.twinned {
        notes.push("through mcp-twin".to_owned());
    }
    if place.hidden {
        notes.push("hidden by another entry".to_owned());
    } else if !place.enabled {
        notes.push("disabled".to_owned());
    }
    notes.extend(unset.iter().map(|variable| format!("{} is not set", harmless(variable))));
    if notes.is_empty() { String::new() } else { format!("({})", notes.join(", ")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(client: &str, file: &str) -> Place {
        Place {
            client: client.to_lowercase().replace(' ', "-"),
            client_name: client.to_owned(),
            scope: "user".to_owned(),
            file: file.to_owned(),
            name: "inbox".to_owned(),
            enabled: true,
            hidden: false,
            twinned: false,
            flags: Vec::new(),
        }
    }

    fn server() -> DetectedServer {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        DetectedServer {
            name: "inbox".to_owned(),
            enabled: true,
            transport: "stdio",
            argv: words("python /home/u/mail/server.py --config /home/u/mail/settings/production.toml --verbose"),
            url: None,
            cwd: Some("/home/u/mail".to_owned()),
            env: words("API_KEY MODE"),
            headers: Vec::new(),
            launcher: Some("python".to_owned()),
            script: Some("/home/u/mail/server.py".to_owned()),
            package: None,
            watch: ["/home/u/mail/**/*.py", "/home/u/mail/**/*.toml"].map(str::to_owned).to_vec(),
            twin: "side-by-side".to_owned(),
            reason: None,
            places: vec![
                place("Claude Code", "/home/u/mail/.mcp.json"),
                place("Cursor", "/home/u/mail/.mcp.json"),
                Place { flags: vec!["unset-var:API".to_owned()], ..place("Qwen Code", "/home/u/mail/.mcp.json") },
                Place { name: "mail".to_owned(), twinned: true, ..place("Zed", "/home/u/.config/zed/settings.json") },
                Place { enabled: false, ..place("Goose", "/etc/goose.yaml") },
            ],
        }
    }

    fn found(servers: Vec<DetectedServer>, problems: Vec<Problem>) -> Detected {
        Detected { command: "detect", exit: 0, project: None, servers, files: Vec::new(), problems }
    }

    fn shown(found: &Detected, filtered: bool) -> String {
        let text = anstream::adapter::strip_str(&detected(found, "/home/u", filtered)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains("add one")), "{text}");
        text
    }

    #[test]
    fn servers_with_their_places() {
        let remote = DetectedServer {
            name: "linear\u{1b}[31m".to_owned(),
            enabled: false,
            transport: "http",
            argv: Vec::new(),
            url: Some("https://mcp.linear.app/mcp?key=***".to_owned()),
            env: Vec::new(),
            headers: vec!["Authorization".to_owned()],
            launcher: None,
            places: vec![Place {
                enabled: false,
                name: "linear\u{1b}[31m".to_owned(),
                ..place("Cursor", "/home/u/.cursor/mcp.json")
            }],
            ..server()
        };
        let fixed = DetectedServer {
            name: "one".to_owned(),
            watch: Vec::new(),
            package: Some("ghcr.io/acme/one:1".to_owned()),
            twin: "conflict".to_owned(),
            reason: Some("port 8080 is fixed".to_owned()),
            places: vec![Place { name: "one".to_owned(), ..place("Codex", "/home/u/.codex/config.toml") }],
            ..server()
        };
        let problem = Problem {
            path: "/home/u/.cursor/mcp.json".to_owned(),
            clients: vec!["Cursor".to_owned()],
            code: "detect::parse::invalid_json".to_owned(),
            message: "not valid JSON at line 3, column 5: expected a comma; its client cannot read it either, correct it there"
                .to_owned(),
            line: Some(3),
            column: Some(5),
        };
        insta::assert_snapshot!(shown(&found(vec![server(), remote, fixed], vec![problem]), false));
    }

    #[test]
    fn a_machine_with_nothing() {
        let empty = found(Vec::new(), Vec::new());
        insta::assert_snapshot!(format!("{}{}", shown(&empty, false), shown(&empty, true)));
    }
}
