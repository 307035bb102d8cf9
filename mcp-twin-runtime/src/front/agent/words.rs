//! The words: short sentences for a model, and the same as JSON.

use super::{generation, out_of_turn};
use crate::history::HistoryLine;
use mcp_twin_core::control::{Answer, FrontStatus};
use mcp_twin_core::relay::AgentAnswer;
use mcp_twin_core::relay::diff::ListDiff;
use mcp_twin_core::spec::Options;
use mcp_twin_core::swap::{Outcome, TwinView};
use mcp_twin_core::{Fault, Generation};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// So much of a server's stderr stands in an answer; the log has the rest.
const STDERR: usize = 8 << 10;

/// An answer with lines of the log has no more bytes of them.
const LOG: usize = 64 << 10;

/// No status came.
const UNKNOWN: &str = "It could not be found out how the server is.";

/// How a command ended, for its caller.
pub struct Told<'a> {
    /// The command.
    pub what: &'static str,
    /// When it was begun.
    pub begun: Instant,
    /// What counts.
    pub options: &'a Options,
}

impl Told<'_> {
    /// The answer to a command.
    pub fn outcome(&self, answer: Answer) -> AgentAnswer {
        let outcome = match answer {
            Answer::Outcome(outcome) => outcome,
            Answer::Error(fault) => return self.refused(&fault),
            _ => return self.refused(&out_of_turn()),
        };
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ended(&outcome, ms)
    }

    fn refused(&self, fault: &Fault) -> AgentAnswer {
        let mut answer = failed(&format!("The {} was not carried out.", self.what), fault);
        answer.structured.insert("outcome".to_owned(), Value::from("failed"));
        answer.structured.insert("ok".to_owned(), Value::from(false));
        answer
    }

    fn ended(&self, outcome: &Outcome, ms: u64) -> AgentAnswer {
        let prefix = &self.options.tools_prefix;
        let mut text = String::new();
        let (active, failure, diff, ok) = match outcome {
            Outcome::Started { active } => {
                let _ = write!(text, "Started: {} serves.", who(active));
                (Some(active), None, None, true)
            }
            Outcome::Verified { active: None, standby, report } => {
                let _ =
                    write!(text, "Reloaded: {} is healthy, and takes over at once since nothing served.", who(standby));
                (Some(standby), None, Some(&report.diff), true)
            }
            Outcome::Verified { active, standby, report } => {
                let checked = if standby.pid.is_some() { "is healthy" } else { "is prepared, but not started" };
                let _ = write!(text, "{} {checked} and waits: `{prefix}swap` switches to it. ", capital(&who(standby)));
                if let Some(active) = active {
                    let _ = write!(text, "{} serves until then.", capital(&who(active)));
                }
                (active.as_ref(), None, Some(&report.diff), true)
            }
            Outcome::Swapped { previous, active, diff } => {
                let _ = write!(text, "The new code is live: {} serves", who(active));
                let _ = match previous {
                    Some(previous) => write!(text, " in place of generation {}.", previous.source.generation),
                    None => write!(text, "."),
                };
                (Some(active), None, Some(diff), true)
            }
            Outcome::NothingNewer { active } => {
                let _ = write!(text, "Nothing newer: {} runs what the files hold.", who(active));
                (Some(active), None, None, true)
            }
            Outcome::RolledBack { left, active, why } => {
                let left = left
                    .as_ref()
                    .map_or_else(String::new, |left| format!(" Generation {} was left", generation_of(left)));
                let _ = write!(text, "Rolled back: {} serves again.{left}", who(active));
                let ok = self.what == "rollback" || why.is_none();
                let _ = match why {
                    Some(_) => write!(text, " since it failed:"),
                    None if left.is_empty() => Ok(()),
                    None => write!(
                        text,
                        "; its files are as they were, and it is tried again only after an edit or by `{prefix}reload`."
                    ),
                };
                (Some(active), why.as_ref(), None, ok)
            }
            Outcome::Stopped { .. } => {
                text.push_str("The server was stopped by command.");
                (None, None, None, false)
            }
            Outcome::Failed { active, fault } => {
                let serves = match active {
                    Some(active) => format!("{} goes on serving", who(active)),
                    None => "nothing serves".to_owned(),
                };
                let _ = write!(text, "The {} failed; {serves}.", self.what);
                (active.as_ref(), Some(fault), None, false)
            }
            Outcome::Superseded { by } => {
                let _ = write!(
                    text,
                    "Newer files (generation {by}) took the place of this {}: ask `{prefix}status`.",
                    self.what
                );
                (None, None, None, false)
            }
        };
        changes(&mut text, diff);
        trouble(&mut text, failure);
        let waits = matches!(outcome, Outcome::Verified { active: Some(_), .. });
        let mut structured = Map::new();
        structured.insert("outcome".to_owned(), word(outcome));
        structured.insert("ok".to_owned(), Value::from(ok));
        structured.insert("ms".to_owned(), Value::from(ms));
        structured.insert("active".to_owned(), active.map_or(Value::Null, view));
        structured.insert("waits_for_swap".to_owned(), Value::from(waits));
        structured.insert("changes".to_owned(), diff.map_or_else(|| json!([]), lists));
        structured.insert("breaking".to_owned(), json!(diff.map(|diff| diff.breaking.clone()).unwrap_or_default()));
        structured.insert("failure".to_owned(), failure.map_or(Value::Null, why));
        let _ = write!(text, "\n({ms} ms)");
        // A rollback that was asked for is no news either.
        let tells = failure.is_some() || matches!(outcome, Outcome::RolledBack { .. });
        AgentAnswer { text, structured, failed: !ok, tells }
    }
}

/// The answer to a question about the state.
pub fn status(answer: &Answer, last: Option<&HistoryLine>, prefix: &str) -> AgentAnswer {
    let status = match answer {
        Answer::Status(status) => status,
        Answer::Error(fault) => return failed(UNKNOWN, fault),
        _ => return failed(UNKNOWN, &out_of_turn()),
    };
    let swap = &status.swap;
    let waits = swap.waiting.is_some() && swap.standby.as_ref().is_some_and(|(_, stage)| stage == "verified");
    let mut text = headline(status);
    match &swap.standby {
        Some((standby, _)) if waits => {
            let _ = write!(text, " Newer code ({}) is checked and waits: `{prefix}swap` switches to it.", who(standby));
        }
        Some((standby, stage)) => {
            let _ = write!(text, " {} is being prepared ({stage}).", capital(&who(standby)));
        }
        None => {}
    }
    changes(&mut text, swap.waiting.as_ref().map(|report| &report.diff));
    let tail = end_of(&status.stderr_tail);
    match &swap.degraded {
        Some(fault) => {
            text.push_str(if swap.active.is_some() {
                "\nThe newest code does not serve:"
            } else {
                "\nWhy nothing serves:"
            });
            trouble(&mut text, Some(fault));
            let _ = write!(text, "\nRepair the files, then call `{prefix}reload`.");
        }
        None if !tail.is_empty() => {
            let _ = write!(text, "\nThe last lines of its stderr:\n{tail}");
        }
        None => {}
    }
    for warning in &status.warnings {
        let _ = write!(text, "\nWarning: {warning}");
    }
    if let Some(last) = last {
        let _ = write!(text, "\nLast operation: {}", operation(last));
    }
    let structured = json!({
        "server": status.server,
        "state": swap.state,
        "healthy": swap.degraded.is_none() && swap.active.is_some(),
        "active": swap.active.as_ref().map(view),
        "standby": swap.standby.as_ref().map(|(standby, stage)| {
            let mut standby = view(standby);
            standby["stage"] = Value::from(stage.as_str());
            standby
        }),
        "previous": swap.prev.as_ref().map(view),
        "waits_for_swap": waits,
        "on_trial": swap.baking,
        "swaps": swap.swaps,
        "failure": swap.degraded.as_ref().map(why),
        "stderr": tail,
        "warnings": status.warnings,
        "files_watched": status.watched,
        "last_operation": last.map(record),
    });
    let structured = if let Value::Object(members) = structured { members } else { Map::new() };
    AgentAnswer { text, structured, failed: false, tells: swap.degraded.is_some() }
}

fn headline(status: &FrontStatus) -> String {
    let server = &status.server;
    match (&status.swap.active, status.swap.state.as_str()) {
        (Some(active), _) => {
            let trial = if status.swap.baking { ", on trial since the last switch" } else { "" };
            format!("{server}: {} serves{trial}.", who(active))
        }
        (None, "starting") => format!("{server}: nothing serves yet, it is being started."),
        (None, "handoff") => format!("{server}: one process is being exchanged for another; calls wait."),
        (None, "stopped") => format!("{server}: stopped by command."),
        (None, _) => format!("{server}: nothing serves."),
    }
}

/// The answer to a question about the log.
pub fn log(mut lines: Vec<String>, folder: &Path) -> AgentAnswer {
    let mut bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    let whole = lines.len();
    let cut = lines.iter().take_while(|line| {
        let much = bytes > LOG;
        bytes -= line.len() + 1;
        much
    });
    let cut = cut.count();
    lines.drain(..cut);
    let mut text = match whole {
        0 => "The log has no such lines yet.".to_owned(),
        _ => lines.join("\n"),
    };
    if cut > 0 {
        let _ = write!(text, "\n({cut} older lines are left out; the whole log is in {})", folder.display());
    }
    let mut structured = Map::new();
    structured.insert("lines".to_owned(), json!(lines));
    structured.insert("folder".to_owned(), Value::from(folder.display().to_string()));
    AgentAnswer { text, structured, ..AgentAnswer::default() }
}

/// The answer to a question about the past.
pub fn history(lines: Vec<HistoryLine>) -> AgentAnswer {
    let text = match lines.as_slice() {
        [] => "Nothing was tried with this server yet.".to_owned(),
        lines => lines.iter().map(operation).collect::<Vec<_>>().join("\n"),
    };
    let mut structured = Map::new();
    structured.insert("operations".to_owned(), lines.iter().map(record).collect());
    AgentAnswer { text, structured, ..AgentAnswer::default() }
}

fn operation(line: &HistoryLine) -> String {
    let tried = generation(&line.entry);
    let what = match &line.entry.outcome {
        Outcome::Started { active } => format!("started: {} serves", who(active)),
        Outcome::Verified { standby, .. } => format!("verified: {} waits", who(standby)),
        Outcome::Swapped { active, diff, .. } => {
            let lists = diff.describe();
            format!("swapped: {} serves{}{lists}", who(active), if lists.is_empty() { "" } else { "; " })
        }
        Outcome::NothingNewer { active } => format!("unchanged: {} serves", who(active)),
        Outcome::RolledBack { active, why, .. } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {}", why.message));
            format!("rolled back: {} serves again{why}", who(active))
        }
        Outcome::Stopped { .. } => "stopped by command".to_owned(),
        Outcome::Failed { fault, .. } => {
            let first = fault.first_line();
            let said = if first.is_empty() { String::new() } else { format!(" ({first})") };
            format!("failed: generation {tried}: {}{said}", fault.message)
        }
        Outcome::Superseded { by } => format!("superseded: generation {by} took the place of {tried}"),
    };
    let file = line.file.as_deref().map_or_else(String::new, |file| format!(" [{}]", file.display()));
    format!("{} {what}{file}", line.time)
}

fn record(line: &HistoryLine) -> Value {
    let fault = match &line.entry.outcome {
        Outcome::Failed { fault, .. } => Some(fault),
        Outcome::RolledBack { why, .. } => why.as_ref(),
        _ => None,
    };
    json!({
        "time": line.time,
        "outcome": word(&line.entry.outcome),
        "generation": generation(&line.entry),
        "file": line.file,
        "failure": fault.map(why),
    })
}

fn failed(what: &str, fault: &Fault) -> AgentAnswer {
    let mut text = what.to_owned();
    trouble(&mut text, Some(fault));
    let mut structured = Map::new();
    structured.insert("failure".to_owned(), why(fault));
    AgentAnswer { text, structured, failed: true, tells: false }
}

/// The word that a serialized outcome has for itself.
fn word(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome).ok().and_then(|value| value.get("outcome").cloned()).unwrap_or_default()
}

fn changes(text: &mut String, diff: Option<&ListDiff>) {
    let Some(diff) = diff.filter(|diff| !diff.is_empty()) else { return };
    let _ = write!(text, "\nChanged: {}.", diff.describe());
    for breaking in &diff.breaking {
        let _ = write!(text, "\nBreaking: {breaking}");
    }
    if let Some(tokens) = diff.tokens {
        let _ = write!(text, "\nThe lists cost {}.", tokens.describe());
    }
}

fn trouble(text: &mut String, fault: Option<&Fault>) {
    let Some(fault) = fault else { return };
    let _ = write!(text, "\n{} [{}]", capital(&fault.message), fault.code);
    if let Some(help) = &fault.help {
        let _ = write!(text, "\nWhat helps: {help}");
    }
    let tail = end_of(&fault.stderr_tail);
    if !tail.is_empty() {
        let _ = write!(text, "\nThe server wrote to its stderr:\n{tail}");
    }
}

fn why(fault: &Fault) -> Value {
    json!({"code": fault.code, "message": fault.message, "help": fault.help, "stderr": end_of(&fault.stderr_tail)})
}

/// The last of a server's stderr, from the beginning of a line on.
fn end_of(stderr: &str) -> &str {
    let stderr = stderr.trim_end();
    if stderr.len() <= STDERR {
        return stderr;
    }
    let tail = &stderr[stderr.ceil_char_boundary(stderr.len() - STDERR)..];
    tail.split_once('\n').map_or(tail, |(_, whole)| whole)
}

fn lists(diff: &ListDiff) -> Value {
    let one = |(kind, diff): &(mcp_twin_core::relay::diff::ListKind, _)| {
        let mut one = serde_json::to_value(diff).unwrap_or_default();
        if let Value::Object(members) = &mut one {
            members.insert("list".to_owned(), Value::from(kind.word()));
        }
        one
    };
    diff.lists.iter().map(one).collect()
}

fn view(twin: &TwinView) -> Value {
    json!({"slot": twin.slot.to_string(), "generation": generation_of(twin).0, "pid": twin.pid, "port": twin.port})
}

fn generation_of(twin: &TwinView) -> Generation {
    twin.source.generation
}

fn who(twin: &TwinView) -> String {
    format!("generation {} (slot {})", generation_of(twin), twin.slot)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_twin_core::relay::diff::{KindDiff, ListKind};
    use mcp_twin_core::spec::Transport;
    use mcp_twin_core::swap::ProbeReport;
    use mcp_twin_core::{Code, Slot, Source, TwinId};

    fn twin(slot: Slot, generation: u32) -> TwinView {
        let source = Source { hash: None, generation: Generation(generation) };
        TwinView { twin: TwinId(generation), slot, source, pid: Some(1), port: None }
    }

    fn told(what: &'static str, outcome: Outcome) -> AgentAnswer {
        let options = Options::defaults(Transport::Stdio);
        Told { what, begun: Instant::now(), options: &options }.outcome(Answer::Outcome(outcome))
    }

    #[test]
    fn every_outcome_says_what_serves_and_what_to_do() {
        let (old, new) = (twin(Slot::A, 3), twin(Slot::B, 4));
        let added = KindDiff { added: vec!["t".to_owned()], ..KindDiff::default() };
        let diff = ListDiff {
            lists: vec![(ListKind::Tools, added)],
            breaking: vec!["tool `u` is gone".to_owned()],
            tokens: None,
        };
        let report = ProbeReport { diff: diff.clone(), ..ProbeReport::default() };
        let syntax =
            Fault::new(Code::ExitedEarly, "the server exited").with_help("repair it").with_stderr("SyntaxError\n");
        let waits = Outcome::Verified { active: Some(old.clone()), standby: new.clone(), report: report.clone() };
        let lost = Outcome::Failed { active: Some(old.clone()), fault: syntax.clone() };
        let down = Outcome::Failed { active: None, fault: syntax.clone() };
        let back = |why| Outcome::RolledBack { left: Some(new.clone()), active: old.clone(), why };
        for (what, outcome, ok, tells, texts) in [
            (
                "reload",
                waits,
                true,
                false,
                &["`twin_swap`", "Generation 3 (slot A) serves until then", "tools: added t"][..],
            ),
            (
                "reload",
                Outcome::Verified { active: None, standby: new.clone(), report },
                true,
                false,
                &["takes over at once", "Breaking: tool `u` is gone"],
            ),
            (
                "swap",
                Outcome::Swapped { previous: Some(old.clone()), active: new.clone(), diff },
                true,
                false,
                &["generation 4 (slot B) serves in place of generation 3", "Breaking: tool `u` is gone"],
            ),
            ("reload", Outcome::Started { active: new.clone() }, true, false, &["generation 4"]),
            ("swap", Outcome::NothingNewer { active: new.clone() }, true, false, &["Nothing newer"]),
            ("rollback", back(None), true, true, &["generation 3 (slot A) serves again", "Generation 4 was left"]),
            ("swap", back(Some(syntax)), false, true, &["serves again", "SyntaxError"]),
            (
                "reload",
                lost,
                false,
                true,
                &["goes on serving", "The server exited", "What helps: repair it", "SyntaxError"],
            ),
            ("reload", down, false, true, &["nothing serves"]),
            ("reload", Outcome::Superseded { by: Generation(5) }, false, false, &["generation 5", "`twin_status`"]),
            ("reload", Outcome::Stopped { ended: Vec::new() }, false, false, &["stopped by command"]),
        ] {
            let answer = told(what, outcome);
            assert_eq!((answer.failed, answer.tells), (!ok, tells), "{}", answer.text);
            assert_eq!(answer.structured["ok"], ok);
            assert!(answer.structured["outcome"].is_string());
            for text in texts {
                assert!(answer.text.contains(text), "`{text}` in: {}", answer.text);
            }
        }
    }

    #[test]
    fn what_is_long_is_cut_at_lines() {
        let long = "x".repeat(100) + "\n";
        let tail = end_of(&long.repeat(1000)).to_owned();
        assert!(tail.len() <= STDERR && tail.starts_with('x') && tail.len() % 101 == 100);
        assert_eq!(end_of("a\nb\n\n"), "a\nb");
        let lines: Vec<String> = (0..1000).map(|n| format!("{n:0>199}")).collect();
        let answer = log(lines, Path::new("/logs"));
        let kept = answer.structured["lines"].as_array().unwrap();
        assert_eq!(kept.len(), LOG / 200, "the newest of them");
        assert!(kept.last().unwrap().as_str().unwrap().ends_with("999"));
        assert!(answer.text.ends_with("older lines are left out; the whole log is in /logs)"), "{}", answer.text);
        assert_eq!(log(Vec::new(), Path::new("/logs")).text, "The log has no such lines yet.");
    }
}
