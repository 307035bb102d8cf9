//! The words of the hooks: short, without colours, and with what to do next.

use crate::render::style::harmless;
use mcp_twin_core::control::Edit;
use mcp_twin_core::error::Fault;
use mcp_twin_core::swap::TwinView;
use std::path::Path;

/// How much of a server's stderr is quoted: a traceback's end says what is wrong.
const LINES: usize = 15;
/// The longest line of it.
const LINE: usize = 300;

/// What became of an edit; `None` where that is nothing to say.
pub(crate) fn edit(server: &str, file: &Path, edit: &Edit) -> Option<String> {
    let file = name(file);
    Some(match edit {
        Edit::NotOurs => return None,
        Edit::Live { active, diff, baking } => {
            let lists = diff.describe();
            let lists = if lists.is_empty() { String::new() } else { format!("; {lists}") };
            let trial = if *baking { "; it is on trial, and rolled back by itself if it fails" } else { "" };
            let breaking = breaking(&diff.breaking);
            format!(
                "mcp-twin: the edit of {file} is live in `{server}`: {} serves{lists}{trial}{breaking}",
                who(active)
            )
        }
        Edit::Waiting { active, standby, diff } => {
            let lists = diff.describe();
            let lists = if lists.is_empty() { String::new() } else { format!(" ({lists})") };
            format!(
                "mcp-twin: the edit of {file} is not live in `{server}` yet: {} is verified{lists} and waits for \
                 `mcp-twin swap {server}`; {}{}",
                who(standby),
                meanwhile(active.as_ref()),
                breaking(&diff.breaking),
            )
        }
        Edit::Failed { active, fault } => format!(
            "mcp-twin: the edit of {file} is not live in `{server}`: {}; {}{}{}",
            harmless(&fault.message),
            meanwhile(active.as_ref()),
            quoted(fault),
            fault.help.as_deref().map_or_else(String::new, |help| format!("\nWhat to do: {}", harmless(help))),
        ),
        Edit::Pending { active } => format!(
            "mcp-twin: the edit of {file} is not live in `{server}` yet: the new code is still being started; {}. \
             `mcp-twin status {server}` says how it went.",
            meanwhile(active.as_ref()),
        ),
        Edit::Unwatched { active } => format!(
            "mcp-twin: the edit of {file} is not live in `{server}`, which runs with --no-watch; {}. \
             `mcp-twin swap {server}` takes it.",
            meanwhile(active.as_ref()),
        ),
        Edit::Stopped => format!(
            "mcp-twin: the edit of {file} is not live in `{server}`: it was stopped. `mcp-twin reload {server}` starts it."
        ),
    })
}

/// A front that did not say what became of an edit.
pub(crate) fn unanswered(server: &str, file: &Path, why: &str) -> String {
    format!(
        "mcp-twin: whether the edit of {} is live in `{server}` is not known: {why}. `mcp-twin status {server}` says more.",
        name(file)
    )
}

fn name(file: &Path) -> String {
    harmless(&file.file_name().unwrap_or(file.as_os_str()).to_string_lossy())
}

fn who(twin: &TwinView) -> String {
    format!("generation {}", twin.source.generation)
}

fn meanwhile(active: Option<&TwinView>) -> String {
    match active {
        Some(active) => format!("the old code ({}) goes on serving", who(active)),
        None => "nothing serves".to_owned(),
    }
}

fn breaking(breaking: &[String]) -> String {
    breaking.iter().map(|what| format!("\nBreaking change: {}", harmless(what))).collect()
}

/// The end of what the server itself said.
fn quoted(fault: &Fault) -> String {
    let lines: Vec<&str> = fault.stderr_tail.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let shown: String =
        last.iter().map(|line| format!("\n  {}", harmless(line).chars().take(LINE).collect::<String>())).collect();
    format!("\nThe end of its stderr:{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use mcp_twin_core::ids::Slot;
    use mcp_twin_core::relay::diff::ListDiff;

    #[test]
    fn every_end_of_an_edit() {
        let (old, new) = (fixture::twin(Slot::A, 3, 12345), fixture::twin(Slot::B, 4, 12346));
        let (some, none) = (Some(old.clone()), ListDiff::default);
        let fault = fixture::syntax_error().with_help("save it again");
        let edits = [
            Edit::NotOurs,
            Edit::Live { active: new.clone(), diff: none(), baking: false },
            Edit::Live { active: new.clone(), diff: fixture::diff(), baking: true },
            Edit::Waiting { active: some.clone(), standby: new.clone(), diff: none() },
            Edit::Waiting { active: some.clone(), standby: new, diff: fixture::diff() },
            Edit::Failed { active: some.clone(), fault: fault.clone() },
            Edit::Failed { active: None, fault },
            Edit::Pending { active: some.clone() },
            Edit::Unwatched { active: some },
            Edit::Stopped,
        ];
        let file = Path::new("/home/u/mail/server.py");
        let mut texts: Vec<String> = edits.iter().filter_map(|one| edit("inbox-collab", file, one)).collect();
        texts.push(unanswered("inbox-collab", file, "the front (pid 7) does not answer"));
        insta::assert_snapshot!(texts.join("\n---\n"));
    }

    #[test]
    fn a_long_stderr_is_quoted_from_its_end() {
        let tail: String = (0..1000).map(|line| format!("line {line} {}\n", "x".repeat(1000))).collect();
        let fault = Fault { stderr_tail: tail, ..fixture::syntax_error() };
        let text = edit("a", Path::new("/a.py"), &Edit::Failed { active: None, fault }).unwrap_or_default();
        assert!(text.contains("line 999") && !text.contains("line 900"), "{text}");
        assert!(text.len() < 6000, "{}", text.len());
    }
}
