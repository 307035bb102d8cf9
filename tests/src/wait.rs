//! Waiting for conditions of the world, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for something that should come soon. Generous: the machine may be busy, and a test that passes
/// never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Asks again and again until there is an answer, and fails the test after [`PATIENCE`], saying what never came.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask)
}

/// The same with a deadline of its own.
pub fn within<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        // The interval of the question, never an assumption about how long something takes.
        std::thread::sleep(Duration::from_millis(10));
    }
}
