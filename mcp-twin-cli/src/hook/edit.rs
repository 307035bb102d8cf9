//! An edited file: each front that runs is asked whether it is one of its own, and what became of the edit.

use super::words;
use crate::act::ask_all;
use mcp_twin_core::control::{Answer, Ask, Edit};
use mcp_twin_runtime::fronts::{self, AskError, FrontAddress};
use mcp_twin_runtime::home::Home;
use std::path::Path;
use std::time::Duration;

/// How long a front may take until it says how the edit ended. The hook's own limit in `hooks.json` is greater.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much longer a front is waited for that keeps to this itself.
const CLOSING: Duration = Duration::from_secs(3);

/// What there is to say about an edit: a block for each server whose file it is. `None`: it is nobody's.
pub(crate) fn told(home: &Home, file: &Path) -> Option<String> {
    let fronts = fronts::running(home);
    if fronts.is_empty() {
        return None;
    }
    let patience_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    let ask = Ask::Edited { path: file.to_string_lossy().into_owned(), patience_ms };
    let replies = ask_all(&fronts, &ask, PATIENCE + CLOSING, |_, _| ());
    let mut blocks: Vec<String> = Vec::new();
    for (front, reply) in fronts.iter().zip(&replies) {
        let block = block(front, file, reply);
        // Two windows of one client are two fronts of one server, and come to the same.
        blocks.extend(block.filter(|block| !blocks.contains(block)));
    }
    (!blocks.is_empty()).then(|| blocks.join("\n\n"))
}

fn block(front: &FrontAddress, file: &Path, reply: &Result<Answer, AskError>) -> Option<String> {
    let near = || file.starts_with(&front.root);
    match reply {
        Ok(Answer::Edited(Edit::NotOurs)) => None,
        Ok(Answer::Edited(edit)) => words::edit(&front.server, file, edit),
        // A front of an older release does not know the question: its own watcher does the work all the same.
        Ok(_) | Err(AskError::Gone | AskError::Unknown(_)) => None,
        // Whose file it is only the front could say.
        Err(error) => near().then(|| words::unanswered(&front.server, file, &error.to_string())),
    }
}
