//! Which fronts a command means: a name, a folder, or the only server that runs.

use crate::failure::Failure;
use mcp_twin_runtime::fronts::FrontAddress;
use mcp_twin_runtime::home::Home;
use std::collections::BTreeSet;
use std::path::Path;

/// What the command line says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// Every running server.
    All,
    /// The only one that runs.
    Only,
    /// The one called so.
    Named(&'a str),
}

impl<'a> Wanted<'a> {
    /// The one that is named, else the only one.
    pub(crate) fn one(name: Option<&'a str>) -> Self {
        name.map_or(Self::Only, Self::Named)
    }

    /// The one that is named, else all.
    pub(crate) fn all(name: Option<&'a str>) -> Self {
        name.map_or(Self::All, Self::Named)
    }
}

/// The fronts that are meant: at least one, all of one server (or of all).
///
/// `known` are the names of servers that ran before; `verb` is for the lines of advice.
pub(crate) fn pick(
    running: &[FrontAddress],
    known: &BTreeSet<String>,
    wanted: Wanted<'_>,
    verb: &str,
) -> Result<Vec<FrontAddress>, Failure> {
    let name = match wanted {
        Wanted::Named(name) => name,
        _ if running.is_empty() => return Err(nothing_runs()),
        Wanted::All => return Ok(running.to_vec()),
        Wanted::Only => {
            let names = addresses(running);
            if names.len() == 1 {
                return Ok(running.to_vec());
            }
            let choices = choices(running, verb);
            return Err(
                Failure::ambiguous_server(format!("{} servers run; which one?", names.len())).advise("one of", choices)
            );
        }
    };
    let found = matching(running, name);
    if addresses(&found).len() > 1 {
        let choices = choices(&found, verb);
        return Err(
            Failure::ambiguous_server(format!("`{name}` is the name of several servers")).advise("one of", choices)
        );
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if known.contains(name) {
        let failure = Failure::no_front(format!("`{name}` does not run: no client has started it"));
        return Err(with_running(failure, running).advise("its past", format!("mcp-twin logs {name}")));
    }
    let names = running.iter().map(|front| front.server.as_str()).chain(known.iter().map(String::as_str));
    let failure = match nearest(name, names) {
        Some(nearest) => Failure::unknown_server(name).did_you_mean(nearest),
        None => Failure::unknown_server(name),
    };
    Err(with_running(failure, running))
}

/// The names of servers of which something is kept.
pub(crate) fn known(home: &Home) -> BTreeSet<String> {
    let names = |folder: &Path, suffix: &'static str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(move |entry| Some(name_of(entry.file_name().to_str()?.strip_suffix(suffix)?).to_owned()))
    };
    let logs = names(&home.0.join("logs"), "");
    logs.chain(names(&home.0.join("history"), ".jsonl")).filter(|name| !name.starts_with('.')).collect()
}

/// The server's name in the name of a folder or file that is kept of it: without the digits of its root, `@1a2b3c4d`.
pub(crate) fn name_of(kept: &str) -> &str {
    let digits = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    kept.rsplit_once('@').filter(|(_, root)| digits(root)).map_or(kept, |(name, _)| name)
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    // A part of a name is how people shorten it.
    let part = |known: &&str| name.len() > 2 && known.contains(name) || known.len() > 2 && name.contains(known);
    known.clone().find(part).or_else(|| mcp_twin_core::spec::nearest(name, known))
}

/// No front runs at all.
pub(crate) fn nothing_runs() -> Failure {
    Failure::no_front("no server runs behind mcp-twin")
        .advise("to run one", "put `mcp-twin run --` before its command in the client's configuration")
        .advise("to see how it works", "mcp-twin demo")
}

/// Exact name first, then the client's own name for it, then `NAME@ROOT`, a front's id, a project folder.
fn matching(running: &[FrontAddress], wanted: &str) -> Vec<FrontAddress> {
    let folder = std::fs::canonicalize(wanted).ok();
    let (name, root) = wanted.split_once('@').unwrap_or((wanted, ""));
    let rules: [&dyn Fn(&FrontAddress) -> bool; 5] = [
        &|front| front.server.eq_ignore_ascii_case(wanted),
        &|front| front.display.as_deref() == Some(wanted),
        &|front| front.server.eq_ignore_ascii_case(name) && front.root == Path::new(root),
        &|front| front.front == wanted,
        &|front| folder.as_ref() == Some(&front.root),
    ];
    let found = rules.iter().map(|rule| running.iter().filter(|front| rule(front)).cloned().collect::<Vec<_>>());
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// The distinct servers: name and root.
fn addresses(fronts: &[FrontAddress]) -> BTreeSet<(&str, &Path)> {
    fronts.iter().map(|front| (front.server.as_str(), front.root.as_path())).collect()
}

/// One line for each server that can be meant, as it would have to be written.
fn choices(fronts: &[FrontAddress], verb: &str) -> String {
    let servers = addresses(fronts);
    let lines = servers.iter().map(|(name, root)| {
        let unique = servers.iter().filter(|(other, _)| other == name).count() == 1;
        let word = if unique { (*name).to_owned() } else { format!("{name}@{}", root.display()) };
        let note = if unique { format!("  ({})", root.display()) } else { String::new() };
        format!("mcp-twin {verb} {}{note}", shell_words::quote(&word))
    });
    std::iter::once(String::new()).chain(lines).collect::<Vec<_>>().join("\n")
}

fn with_running(failure: Failure, running: &[FrontAddress]) -> Failure {
    let names = addresses(running);
    let text = names.iter().map(|(name, root)| format!("{name} ({})", root.display())).collect::<Vec<_>>().join(", ");
    failure.advise("running", if text.is_empty() { "none".to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(id: &str, server: &str, root: &str) -> FrontAddress {
        FrontAddress {
            front: id.to_owned(),
            server: server.to_owned(),
            display: Some(format!("{server} of the client")),
            root: root.into(),
            pid: 4000,
            socket: format!("/run/{id}").into(),
        }
    }

    fn running() -> Vec<FrontAddress> {
        vec![
            front("inbox-1", "inbox-collab", "/home/u/mail"),
            front("inbox-2", "inbox-collab", "/home/u/mail"),
            front("web-1", "web", "/home/u/a"),
            front("web-2", "web", "/home/u/b c"),
        ]
    }

    fn known() -> BTreeSet<String> {
        ["web", "phi-proxy"].map(str::to_owned).into()
    }

    fn ids(wanted: Wanted<'_>) -> Vec<String> {
        pick(&running(), &known(), wanted, "swap").expect("found").into_iter().map(|front| front.front).collect()
    }

    fn text(fronts: &[FrontAddress], wanted: Wanted<'_>) -> String {
        let failure = pick(fronts, &known(), wanted, "swap").expect_err("not found");
        format!("{}\nexit {}", anstream::adapter::strip_str(&failure.text()), failure.exit_status())
    }

    #[test]
    fn a_name_means_every_front_of_its_server() {
        assert_eq!(ids(Wanted::Named("inbox-collab")), ["inbox-1", "inbox-2"]);
        assert_eq!(ids(Wanted::Named("Inbox-Collab")), ["inbox-1", "inbox-2"]);
        assert_eq!(ids(Wanted::Named("inbox-collab of the client")), ["inbox-1", "inbox-2"]);
    }

    #[test]
    fn root_front_and_all_are_ways_to_say_it() {
        assert_eq!(ids(Wanted::Named("web@/home/u/b c")), ["web-2"]);
        assert_eq!(ids(Wanted::Named("web-1")), ["web-1"]);
        assert_eq!(ids(Wanted::All).len(), 4);
        let one = [front("web-1", "web", "/home/u/a"), front("web-9", "web", "/home/u/a")];
        assert_eq!(pick(&one, &known(), Wanted::Only, "swap").map(|found| found.len()), Ok(2));
    }

    #[test]
    fn a_folder_is_a_way_to_say_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its name");
        let one = [front("here-1", "here", &root.to_string_lossy())];
        let found = pick(&one, &BTreeSet::new(), Wanted::Named(&folder.path().to_string_lossy()), "swap");
        assert_eq!(found.map(|found| found[0].front.clone()), Ok("here-1".to_owned()));
    }

    #[test]
    fn what_cannot_be_told_is_asked_back() {
        insta::assert_snapshot!("ambiguous", text(&running(), Wanted::Named("web")));
        insta::assert_snapshot!("which", text(&running(), Wanted::Only));
        insta::assert_snapshot!("unknown", text(&running(), Wanted::Named("inbxo-collab")));
        insta::assert_snapshot!("not_running", text(&running()[..1], Wanted::Named("phi-proxy")));
        insta::assert_snapshot!("unknown_and_none", text(&[], Wanted::Named("zzz")));
        insta::assert_snapshot!("none", text(&[], Wanted::Only));
    }

    #[test]
    fn names_of_what_is_kept() {
        assert_eq!(["web@1a2b3c4d", "web", "web@1a2b", "@work"].map(name_of), ["web", "web", "web@1a2b", "@work"]);
    }

    #[test]
    fn likeness() {
        assert_eq!(nearest("inbox", ["web", "inbox-collab"].into_iter()), Some("inbox-collab"));
        assert_eq!(nearest("zzz", ["web", "inbox-collab"].into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
