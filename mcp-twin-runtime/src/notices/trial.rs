//! A message that only tries whether targets can be reached: once each, all at the same time.

use super::desktop::system_notifier;
use super::lane::{NotTried, attempt, told};
use super::now;
use mcp_twin_core::notify::{Answered, Message, Next, Sender, Target, next};
use std::io;

/// How the try of one target ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Whether it took the message.
    pub arrived: bool,
    /// What it answered, or why nothing.
    pub told: String,
    /// The status that it answered with.
    pub status: Option<u16>,
}

/// Sends a test message to each of them, and says what became of it.
///
/// # Errors
/// The system gives no means to do it.
pub fn try_all(targets: &[Target], sender: &Sender) -> io::Result<Vec<Tried>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let message = Message::test(sender, uuid::Uuid::new_v4().to_string(), now());
    let notifier = system_notifier();
    let all = targets.iter().map(|target| attempt(target, &message, notifier.as_ref()));
    let all = runtime.block_on(futures_util::future::join_all(all));
    Ok(all.into_iter().map(tried).collect())
}

fn tried(tried: Result<Answered, NotTried>) -> Tried {
    match tried {
        Ok(answered) => Tried {
            arrived: next(1, std::time::Duration::ZERO, answered) == Next::Done,
            told: told(answered),
            status: match answered {
                Answered::Status { status, .. } => Some(status),
                Answered::Nothing => None,
            },
        },
        Err(NotTried::Unusable(told) | NotTried::NoAnswer(told)) => Tried { arrived: false, told, status: None },
    }
}
