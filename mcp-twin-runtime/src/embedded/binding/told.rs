//! Questions, answers and events, as another language says and hears them.

use super::Trouble;
use crate::embedded::FrontEvent;
use mcp_twin_core::Fault;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::swap::{Notice, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

/// A question of the control protocol, from its JSON.
///
/// # Errors
/// It is nothing that can be asked.
pub fn asked(ask: &str) -> Result<Ask, Trouble> {
    serde_json::from_str(ask).map_err(|error| Trouble::usage(error.to_string()))
}

/// An answer as JSON; what did not work is an error.
///
/// # Errors
/// It did not work.
pub fn answer(answer: Answer) -> Result<String, Trouble> {
    match answer {
        Answer::Status(status) => text(&*status),
        Answer::Outcome(done) => outcome(done),
        Answer::Edited(edit) => text(&edit),
        Answer::Files(files) => text(&files),
        Answer::Called(answer) => text(&answer),
        Answer::Error(fault) => Err(fault.into()),
        Answer::Accepted => Err(Trouble::bug("an acceptance is no answer")),
    }
}

/// An outcome as JSON, with `changes`: what the lists of its server show otherwise, in words.
///
/// # Errors
/// What was asked for did not come about.
pub fn outcome(outcome: Outcome) -> Result<String, Trouble> {
    let changes = match &outcome {
        Outcome::Verified { report, .. } => Some(report.diff.describe()),
        Outcome::Swapped { diff, .. } => Some(diff.describe()),
        _ => None,
    };
    match outcome {
        Outcome::Failed { fault, .. } => Err(fault.into()),
        // The new twin was tried, and left again: what was asked for is not there.
        Outcome::RolledBack { why: Some(fault), .. } => Err(fault.into()),
        done => {
            let mut done = serde_json::to_value(done).map_err(Trouble::bug)?;
            if let (Some(changes), Value::Object(fields)) = (changes, &mut done) {
                fields.insert("changes".to_owned(), changes.into());
            }
            text(&done)
        }
    }
}

/// A value as JSON.
///
/// # Errors
/// It is a bug.
pub fn text(value: &impl Serialize) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(Trouble::bug)
}

/// An event, by its `type`; nothing where the event is said as a line too.
#[must_use]
pub fn event(event: &FrontEvent) -> Option<Value> {
    let trouble = |fault: &Fault| serde_json::to_value(Trouble::from(fault.clone())).unwrap_or_default();
    Some(match event {
        FrontEvent::Notice(notice) => match notice {
            Notice::Swapped { previous: None, active, .. } => json!({"type": "started", "generation": active}),
            Notice::Swapped { previous, active, diff } => {
                json!({"type": "swapped", "previous": previous, "generation": active, "changes": diff.describe(), "breaking": diff.breaking})
            }
            Notice::Waiting { generation, breaking } => {
                json!({"type": "waiting", "generation": generation, "breaking": breaking})
            }
            Notice::ReloadFailed { generation, fault } => {
                json!({"type": "failed", "generation": generation, "error": trouble(fault)})
            }
            Notice::RolledBack { left, active, why } => {
                json!({"type": "rolled_back", "previous": left, "generation": active, "error": why.as_ref().map(trouble)})
            }
            Notice::Crashed { generation, fault } => {
                json!({"type": "crashed", "generation": generation, "error": trouble(fault)})
            }
            Notice::Down { fault } => json!({"type": "down", "error": trouble(fault)}),
            // Said as lines too.
            _ => return None,
        },
        FrontEvent::Said(line) => json!({"type": "log", "line": line}),
        FrontEvent::TwinSaid { twin, line } => json!({"type": "log", "twin": twin, "line": line}),
        FrontEvent::Missed(count) => json!({"type": "missed", "count": count}),
    })
}
