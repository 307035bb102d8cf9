//! How `reload`, `swap`, `rollback` and `stop` ended.

use super::style::{DIM, GOOD, NAME, WARN, paint};
use super::{diff, fault, started, twin};
use crate::exit::Exit;
use mcp_twin_core::swap::{Outcome, TwinView};
use std::fmt::Write as _;

/// What the command was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Reload,
    Swap,
    Rollback,
    Stop,
}

impl Verb {
    /// As it is typed.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Swap => "swap",
            Self::Rollback => "rollback",
            Self::Stop => "stop",
        }
    }
}

/// The exit status of an outcome of `verb`.
pub(crate) fn exit(verb: Verb, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Started { .. }
        | Outcome::Verified { .. }
        | Outcome::Swapped { .. }
        | Outcome::NothingNewer { .. }
        | Outcome::Stopped { .. } => Exit::Fine,
        Outcome::RolledBack { why: None, .. } => Exit::Fine,
        Outcome::RolledBack { why: Some(_), .. } if verb == Verb::Rollback => Exit::Fine,
        Outcome::RolledBack { .. } | Outcome::Failed { .. } | Outcome::Superseded { .. } => Exit::Broken,
    }
}

/// The block of one front, of `serve` or of `run`.
pub(crate) fn outcome(verb: Verb, server: &str, serves: bool, outcome: &Outcome) -> String {
    let good = |text: &str| format!("{} {text} {}", paint(GOOD, "✓"), paint(NAME, server));
    match outcome {
        Outcome::Started { active } => {
            format!("{}\n{}", good("Started"), line("Active:", &twin(active)))
        }
        Outcome::Verified { active: None, standby, report } => {
            let mut text = format!("{}\n", good("Reloaded"));
            text += &line("Now active:", &twin(standby));
            text += &line("Health check:", &paint(GOOD, "passed").to_string());
            text += &diff::diff(&report.diff);
            text + "  Nothing else served, so it takes over at once\n"
        }
        Outcome::Verified { standby, .. } if !started(standby) => {
            let mut text = format!("{}\n", good("Prepared"));
            text += &line("Standby:", &format!("{}, not started", twin(standby)));
            text +=
                "  Two copies may not run side by side here, so it is neither started nor verified before the swap\n";
            let _ = write!(text, "\n  Run `mcp-twin swap {server}` to stop the old one and start it\n");
            text
        }
        Outcome::Verified { standby, report, .. } => {
            let mut text = format!("{}\n", good("Reloaded standby of"));
            text += &line("Standby:", &twin(standby));
            text += &line("Health check:", &paint(GOOD, "passed").to_string());
            text += &diff::diff(&report.diff);
            let _ = write!(text, "  Ready to swap\n\n  Run `mcp-twin swap {server}` to switch traffic\n");
            text
        }
        Outcome::Swapped { previous, active, diff } => {
            let mut text = format!("{}\n", good("Swapped"));
            text += &serving(previous.as_ref(), active);
            text += &diff::diff(diff);
            let same = previous.as_ref().is_some_and(|previous| previous.source.same_code(&active.source));
            let live =
                if same { "A fresh process of the same code is live" } else { "Your code changes are now live!" };
            let _ = write!(text, "\n  {live}\n");
            text
        }
        Outcome::NothingNewer { active } => {
            let heading = format!("{} {}: nothing newer\n", paint(GOOD, "✓"), paint(NAME, server));
            let hint = format!(
                "  {}\n",
                paint(DIM, &format!("It runs what the files hold; `mcp-twin reload {server}` starts it afresh"))
            );
            heading + &line("Active:", &twin(active)) + &hint
        }
        Outcome::RolledBack { left, active, why: None } => {
            let mut text = format!("{}\n", good("Rolled back"));
            text += &serving(left.as_ref(), active);
            let left = left.as_ref().map(|left| left.source.generation);
            let left = left.map_or_else(|| "The code that was left".to_owned(), |left| format!("Generation {left}"));
            let _ = write!(text, "\n  {left} is not started again by itself, though the files may still hold it.\n");
            let _ = writeln!(
                text,
                "  Your next save is tried as usual; `mcp-twin swap {server}` tries what the files hold now."
            );
            text
        }
        Outcome::RolledBack { left, active, why: Some(why) } => {
            let mut text = fault::heading(&format!("{}: the new code was rolled back", paint(NAME, server)));
            text += &serving(left.as_ref(), active);
            text + &fault::fault(why, server)
        }
        Outcome::Stopped { ended } => {
            if ended.is_empty() {
                let mut text = format!("{} {}: no twin was running\n", paint(GOOD, "✓"), paint(NAME, server));
                let again = if serves { "start" } else { "reload" };
                let _ = writeln!(text, "  Run `mcp-twin {again} {server}` to start it again");
                return text;
            }
            let pids = ended.iter().filter_map(|twin| twin.pid).map(|pid| pid.to_string()).collect::<Vec<_>>();
            let mut text = format!("{} Stopped {} twins\n", paint(GOOD, "✓"), paint(NAME, server));
            if !pids.is_empty() {
                text += &line("Ended PID", &pids.join(", "));
            }
            if serves {
                // Over HTTP nobody's client has started the front, and none ends it.
                let _ = writeln!(text, "  Its front has ended too.");
                let _ = writeln!(text, "  Run `mcp-twin start {server}` to start it again");
            } else {
                let _ = writeln!(text, "  The front stays for its client and answers each request with a clear error.");
                let _ = writeln!(text, "  Run `mcp-twin reload {server}` to start it again");
            }
            text
        }
        Outcome::Failed { active, fault: why } => {
            let serves = match active {
                Some(active) => format!("{} goes on serving", twin(active)),
                None => "nothing serves".to_owned(),
            };
            fault::heading(&format!("{}: {} failed; {serves}", paint(NAME, server), verb.word()))
                + &fault::fault(why, server)
        }
        Outcome::Superseded { by } => format!(
            "{} {}: newer code (generation {by}) took the place of this {}\n  Run `mcp-twin status {server}` to see how it went\n",
            paint(WARN, "!"),
            paint(NAME, server),
            verb.word(),
        ),
    }
}

fn serving(previous: Option<&TwinView>, active: &TwinView) -> String {
    previous.map_or_else(String::new, |previous| line("Previous:", &twin(previous)))
        + &line("Now active:", &twin(active))
}

fn line(label: &str, text: &str) -> String {
    format!("  {label} {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use mcp_twin_core::error::{Code, Fault};
    use mcp_twin_core::ids::{Generation, Slot};
    use mcp_twin_core::relay::diff::ListDiff;
    use mcp_twin_core::swap::ProbeReport;

    /// Every outcome under a name.
    fn all() -> Vec<(&'static str, Verb, Outcome)> {
        let (old, new) = (fixture::twin(Slot::A, 3, 12345), fixture::twin(Slot::B, 4, 12346));
        let report = |diff| ProbeReport { lists_hash: 1, diff, server: None };
        let crash = Fault::new(Code::BakeCrashed, "the new twin was ended by signal 11 2 s after the swap");
        let gone = Fault::new(Code::CodeGone, "the code of generation 2 is no longer there");
        let (active, previous, standby) = (new.clone(), Some(old.clone()), new.clone());
        vec![
            ("started", Verb::Reload, Outcome::Started { active: old.clone() }),
            (
                "verified",
                Verb::Reload,
                Outcome::Verified {
                    active: previous.clone(),
                    standby: standby.clone(),
                    report: report(fixture::diff()),
                },
            ),
            (
                "verified_same_lists",
                Verb::Reload,
                Outcome::Verified { active: previous.clone(), standby, report: report(ListDiff::default()) },
            ),
            (
                "swapped",
                Verb::Swap,
                Outcome::Swapped { previous: previous.clone(), active: active.clone(), diff: fixture::diff() },
            ),
            (
                "verified_with_nothing_serving",
                Verb::Reload,
                Outcome::Verified { active: None, standby: new.clone(), report: report(ListDiff::default()) },
            ),
            (
                "swapped_same_code",
                Verb::Swap,
                Outcome::Swapped {
                    previous: previous.clone(),
                    active: fixture::twin(Slot::B, 3, 12346),
                    diff: ListDiff::default(),
                },
            ),
            (
                "verified_not_started",
                Verb::Reload,
                Outcome::Verified {
                    active: previous.clone(),
                    standby: TwinView { pid: None, ..new.clone() },
                    report: report(ListDiff::default()),
                },
            ),
            ("nothing_newer", Verb::Swap, Outcome::NothingNewer { active: old.clone() }),
            (
                "rolled_back",
                Verb::Rollback,
                Outcome::RolledBack { left: Some(new.clone()), active: old.clone(), why: None },
            ),
            (
                "rolled_back_by_itself",
                Verb::Swap,
                Outcome::RolledBack { left: Some(new.clone()), active: old.clone(), why: Some(crash) },
            ),
            ("stopped", Verb::Stop, Outcome::Stopped { ended: vec![old.clone(), new] }),
            ("stopped_nothing", Verb::Stop, Outcome::Stopped { ended: Vec::new() }),
            ("failed", Verb::Reload, Outcome::Failed { active: Some(old.clone()), fault: fixture::syntax_error() }),
            ("failed_and_down", Verb::Swap, Outcome::Failed { active: None, fault: fixture::syntax_error() }),
            ("code_gone", Verb::Rollback, Outcome::Failed { active: Some(old), fault: gone }),
            ("superseded", Verb::Reload, Outcome::Superseded { by: Generation(5) }),
        ]
    }

    #[test]
    fn every_outcome_as_text() {
        for (name, verb, one) in all() {
            let text = outcome(verb, "inbox-collab", false, &one);
            let text = anstream::adapter::strip_str(&text).to_string();
            insta::assert_snapshot!(name, format!("{text}exit {}", exit(verb, &one).status()));
        }
    }

    #[test]
    fn a_front_of_serve_ends_with_its_twins_whether_they_have_ports_or_not() {
        for (name, verb, one) in all().into_iter().filter(|(name, ..)| name.starts_with("stopped")) {
            let text = outcome(verb, "api", true, &one);
            assert!(text.contains("mcp-twin start api") && !text.contains("reload"), "{name}: {text}");
            assert_eq!(text.contains("Its front has ended too."), name == "stopped", "{text}");
        }
    }

    #[test]
    fn every_outcome_as_document() {
        let front = fixture::front();
        for (name, verb, one) in all() {
            let document = crate::document::Act::outcome(&front, &one, exit(verb, &one).status());
            insta::assert_json_snapshot!(format!("{name}_json"), document);
        }
    }

    #[test]
    fn colours_are_there_for_terminals() {
        let (_, verb, one) = all().swap_remove(3);
        assert!(outcome(verb, "x", false, &one).contains("\u{1b}[32m"));
    }
}
