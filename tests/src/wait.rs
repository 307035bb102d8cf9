//! Waiting for conditions of the world, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for something that should come soon. Generous: the machine may be busy, and a test that passes
/// never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Asks again and again until there is an answer, and fails the test after [`PATIENCE`], saying what never came.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask)
}

/// The same for what says how it is until it is as wanted; the last that it said stands in the failure.
pub fn until_right<T>(what: &str, ask: impl FnMut() -> Result<T, String>) -> T {
    asked(PATIENCE, what, ask)
}

/// The same as [`until`] with a deadline of its own.
pub fn within<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    asked(deadline, what, || ask().ok_or_else(String::new))
}

fn asked<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        let last = match ask() {
            Ok(answer) => return answer,
            Err(last) => last,
        };
        assert!(begin.elapsed() < deadline, "waited {deadline:?} in vain: {what}\n{last}");
        // The interval of the question, never an assumption about how long something takes.
        std::thread::sleep(Duration::from_millis(10));
    }
}
