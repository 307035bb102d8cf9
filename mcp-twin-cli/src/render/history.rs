//! One line for each operation that ended.

use super::style::{BAD, DIM, GOOD, WARN, harmless, paint};
use anstyle::Style;
use mcp_twin_core::ids::Generation;
use mcp_twin_core::swap::{Outcome, TwinView};
use mcp_twin_runtime::history::HistoryLine;

/// The line of one operation.
pub(crate) fn line(line: &HistoryLine) -> String {
    let (style, word, what) = outcome(&line.entry.outcome, Some(line.entry.generation));
    let file = file(line).map_or_else(String::new, |file| format!(" {}", paint(DIM, &format!("({file})"))));
    let time = paint(DIM, &line.time);
    format!("{time}  {}  {what}{file}\n", paint(style, &format!("{word:<11}")))
}

/// The name of the file whose change caused it.
pub(crate) fn file(line: &HistoryLine) -> Option<String> {
    Some(harmless(&line.file.as_deref()?.file_name()?.to_string_lossy()))
}

/// An outcome in a word and in a line; `tried` is the generation that it is about, where that is known.
pub(crate) fn outcome(outcome: &Outcome, tried: Option<Generation>) -> (Style, &'static str, String) {
    let tried = tried.map_or_else(String::new, |tried| format!("generation {tried}: "));
    match outcome {
        Outcome::Started { active } => (GOOD, "started", format!("{} serves", who(active))),
        Outcome::Verified { standby, .. } => (GOOD, "verified", format!("{} stands by", who(standby))),
        Outcome::Swapped { previous, active, diff } => {
            let lists = diff.describe();
            let lists = if lists.is_empty() { String::new() } else { format!("; {}", harmless(&lists)) };
            (GOOD, "swapped", format!("{} serves{}{lists}", who(active), in_place_of(previous.as_ref())))
        }
        Outcome::NothingNewer { active } => (DIM, "unchanged", format!("{} serves", who(active))),
        Outcome::RolledBack { left, active, why } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {}", harmless(&why.message)));
            (WARN, "rolled back", format!("{} serves again{}{why}", who(active), in_place_of(left.as_ref())))
        }
        Outcome::Stopped { .. } => (WARN, "stopped", "by command".to_owned()),
        Outcome::Failed { active, fault } => {
            let serves = match active {
                Some(active) => format!("{} goes on serving", who(active)),
                None => "nothing serves".to_owned(),
            };
            (BAD, "failed", format!("{tried}{}; {serves}", harmless(&fault.message)))
        }
        Outcome::Superseded { by } => (DIM, "superseded", format!("{tried}generation {by} took its place")),
    }
}

fn who(twin: &TwinView) -> String {
    format!("generation {}", twin.source.generation)
}

fn in_place_of(before: Option<&TwinView>) -> String {
    before.map_or_else(String::new, |before| format!(" in place of {}", before.source.generation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use mcp_twin_core::error::{Code, Fault};
    use mcp_twin_core::ids::{Generation, Slot};
    use mcp_twin_core::relay::diff::ListDiff;
    use mcp_twin_core::swap::{Cause, HistoryEntry, ProbeReport};

    #[test]
    fn every_outcome_is_a_line() {
        let (old, new) = (fixture::twin(Slot::A, 3, 12345), fixture::twin(Slot::B, 4, 12346));
        let crash = Fault::new(Code::BakeCrashed, "the new twin was ended by signal 11 2 s after the swap");
        let outcomes = [
            Outcome::Started { active: old.clone() },
            Outcome::Verified { active: None, standby: new.clone(), report: ProbeReport::default() },
            Outcome::Swapped { previous: Some(old.clone()), active: new.clone(), diff: fixture::diff() },
            Outcome::Swapped { previous: None, active: new.clone(), diff: ListDiff::default() },
            Outcome::NothingNewer { active: new.clone() },
            Outcome::RolledBack { left: Some(new.clone()), active: old.clone(), why: Some(crash) },
            Outcome::RolledBack { left: Some(new), active: old.clone(), why: None },
            Outcome::Stopped { ended: vec![old.clone()] },
            Outcome::Failed { active: Some(old), fault: fixture::syntax_error() },
            Outcome::Failed { active: None, fault: fixture::syntax_error() },
            Outcome::Superseded { by: Generation(5) },
        ];
        let lines = outcomes.into_iter().enumerate().map(|(second, outcome)| {
            let entry = HistoryEntry {
                what: Cause::Change,
                causes: vec![Cause::Change],
                generation: Generation(4),
                source: fixture::twin(Slot::B, 4, 1).source,
                from: None,
                outcome,
                phases: Vec::new(),
            };
            let file = (second % 2 == 0).then(|| "/home/u/mail/server.py".into());
            let time = format!("2026-01-02T03:04:{second:02}.000Z");
            line(&HistoryLine { time, ms: 0, front: "f".to_owned(), file, entry })
        });
        let text = anstream::adapter::strip_str(&lines.collect::<String>()).to_string();
        insta::assert_snapshot!(text);
    }
}
