//! What the front answers to its own tools: the same as to other commands, in words for a model and in a form for programs.

mod words;

use super::answers::Answers;
use crate::history::{self, HistoryLine};
use crate::logs;
use crate::servers::ServerKey;
use crate::wire::Wire;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::relay::{AGENT_CALLS, AgentAnswer, AgentAsk};
use mcp_twin_core::spec::{Breaking, Options, Promote};
use mcp_twin_core::swap::{HistoryEntry, Outcome};
use mcp_twin_core::{Code, Fault};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};
use words::Told;

/// How often what took the place of a reload is waited for in its turn.
const AGAIN: usize = 3;

/// So many lines of the log are looked through for those of one twin.
const LOOKED_THROUGH: usize = 5000;

/// What the tools' names begin with, if they are offered.
pub fn prefix(options: &Options) -> Option<&str> {
    options.tools.then_some(options.tools_prefix.as_str())
}

/// Answers the calls that come, each by itself: a status must not wait for a reload. An operation goes on also when its
/// caller has gone, so what runs is bounded here, not by what is open at the relay.
pub async fn answer_calls(mut calls: mpsc::Receiver<(u64, AgentAsk)>, answers: Arc<Answers>, wire: Wire) {
    let room = Arc::new(Semaphore::new(AGENT_CALLS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Some((number, ask)) = calls.recv().await else { return };
        let (answers, wire) = (Arc::clone(&answers), wire.clone());
        tokio::spawn(async move {
            let answer = answers.agent(ask).await;
            wire.with(|relay, now| relay.answer_agent(number, &answer, now));
            drop(place);
        });
    }
}

impl Answers {
    /// Answers one call.
    async fn agent(self: Arc<Self>, ask: AgentAsk) -> AgentAnswer {
        let begun = Instant::now();
        let options = self.living.options();
        let told = |what, answer| Told { what, begun, options: &options }.outcome(answer);
        match ask {
            AgentAsk::Status => {
                let last = self.operations(1).await.pop();
                words::status(&Arc::clone(&self).answer(Ask::Status).await, last.as_ref(), &options.tools_prefix)
            }
            AgentAsk::Reload { promote } => {
                let answer = Arc::clone(&self).reload(promote, &options).await;
                told("reload", answer)
            }
            AgentAsk::Swap { force } => told("swap", Arc::clone(&self).answer(Ask::Swap { force }).await),
            AgentAsk::Rollback { to } => told("rollback", Arc::clone(&self).answer(Ask::Rollback { to }).await),
            AgentAsk::Logs { lines, twin } => {
                let folder = self.logs.clone();
                let read = move || match twin {
                    None => logs::tail(&folder, lines),
                    Some(slot) => {
                        let of = format!(" [{slot} generation ");
                        let mut kept = logs::tail(&folder, LOOKED_THROUGH);
                        kept.retain(|line| line.contains(&of));
                        kept.split_off(kept.len().saturating_sub(lines))
                    }
                };
                let lines = tokio::task::spawn_blocking(read).await.unwrap_or_default();
                words::log(lines, &self.logs)
            }
            AgentAsk::History { limit } => words::history(self.operations(limit).await),
        }
    }

    /// Starts the code as it is now, and lets it take over if that is wanted. What took its place is waited for in its turn.
    async fn reload(self: Arc<Self>, promote: Option<bool>, options: &Options) -> Answer {
        let mut answer = Arc::clone(&self).answer(Ask::Reload).await;
        for _ in 0..AGAIN {
            match &answer {
                Answer::Outcome(Outcome::Superseded { .. }) => answer = Arc::clone(&self).answer(Ask::Reload).await,
                _ => break,
            }
        }
        let Answer::Outcome(Outcome::Verified { active: Some(_), report, .. }) = &answer else { return answer };
        let waits = options.breaking == Breaking::Wait && !report.diff.breaking.is_empty();
        if !promote.unwrap_or(options.promote == Promote::Auto && !waits) {
            return answer;
        }
        let verified = answer.clone();
        match self.answer(Ask::Swap { force: false }).await {
            // The watcher saw the same files, and they have taken over meanwhile.
            Answer::Outcome(Outcome::NothingNewer { active }) => {
                let Answer::Outcome(Outcome::Verified { active: previous, report, .. }) = verified else {
                    return Answer::Outcome(Outcome::NothingNewer { active });
                };
                Answer::Outcome(Outcome::Swapped { previous, active, diff: report.diff })
            }
            answer => answer,
        }
    }

    /// The last operations of all fronts of this server, the newest first.
    async fn operations(&self, limit: usize) -> Vec<HistoryLine> {
        let (home, key) = (self.order.home.clone(), ServerKey::new(&self.name, &self.root));
        let read = move || history::read(&home, &key).unwrap_or_default();
        let mut lines = tokio::task::spawn_blocking(read).await.unwrap_or_default();
        lines.reverse();
        lines.truncate(limit);
        lines
    }
}

/// A server that does not answer its own front.
fn out_of_turn() -> Fault {
    Fault::new(Code::Host, "the front gave an answer to another question")
}

fn generation(entry: &HistoryEntry) -> u32 {
    entry.generation.0
}
