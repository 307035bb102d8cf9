//! What may block for long, on a thread of its own: a name that is looked up, the desktop.
//!
//! The small pool of the front's runtime is for looks at the server's files: a resolver that hangs must not delay a swap.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

/// So many may hang at once.
const MOST: usize = 4;

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Counts a thread while it lives, also one that panics.
struct Busy;

impl Busy {
    fn begin() -> Option<Self> {
        let more = |busy: usize| (busy < MOST).then_some(busy + 1);
        BUSY.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the work came to. Whoever no longer waits for it leaves it to its thread.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let busy = Busy::begin().ok_or("too many tries before this one still hang in the system")?;
    let (done, wait) = oneshot::channel();
    let thread = std::thread::Builder::new().name("mcp-twin-notify".to_owned()).stack_size(512 << 10);
    let begun = thread.spawn(move || {
        let result = work();
        drop(busy);
        let _ = done.send(result);
    });
    begun.map_err(|error| format!("no thread can be started: {error}"))?;
    wait.await.map_err(|_| "it failed in the system".to_owned())
}
