//! When a message that did not arrive is tried again.

use std::time::Duration;

/// So often a message is tried.
pub const MOST_TRIES: u32 = 5;
/// So long after its first try it is given up.
const LONGEST: Duration = Duration::from_secs(300);
/// The wait after the first try; each further one is four times as long.
const FIRST: Duration = Duration::from_secs(1);

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// No answer: no connection, or none in time.
    Nothing,
    /// With this status, and for so long nobody is to come again.
    Status {
        /// The status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It arrived.
    Done,
    /// Another try would end the same way, or there were enough.
    GiveUp,
    /// Another try, so long from now.
    Again(Duration),
}

/// What follows on try number `tries` (from 1), which ended `since` after the first one began.
#[must_use]
pub fn next(tries: u32, since: Duration, answered: Answered) -> Next {
    let asked = match answered {
        Answered::Nothing => Duration::ZERO,
        Answered::Status { status: 200..=299, .. } => return Next::Done,
        Answered::Status { status: 408 | 425 | 429 | 500..=599, retry_after } => retry_after.unwrap_or_default(),
        Answered::Status { .. } => return Next::GiveUp,
    };
    let own = FIRST.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1)));
    let wait = own.max(asked);
    if tries >= MOST_TRIES || since.saturating_add(wait) > LONGEST { Next::GiveUp } else { Next::Again(wait) }
}
