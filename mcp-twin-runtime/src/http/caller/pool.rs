//! Connections that wait for the next request.

use super::line::Line;
use hyper::http::uri::Authority;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So many are kept for each server.
const KEPT: usize = 256;

/// Connections that are not in use, by server.
pub struct Pool {
    idle: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The one that was used last is used next, so that the others can end. A front speaks to two or three servers.
    lines: Vec<(Authority, Vec<(Instant, Line)>)>,
    /// Something ends those that nobody has used for a while. Where there are none it does not run.
    swept: bool,
}

impl Kept {
    fn of(&mut self, to: &Authority) -> Option<&mut Vec<(Instant, Line)>> {
        self.lines.iter_mut().find_map(|(own, lines)| (own.as_str() == to.as_str()).then_some(lines))
    }
}

impl Pool {
    /// No connections yet; they are kept for as long as `idle`.
    #[must_use]
    pub fn new(idle: Duration) -> Arc<Self> {
        Arc::new(Self { idle, kept: Mutex::default() })
    }

    /// One that takes a request.
    #[must_use]
    pub fn take(&self, to: &Authority) -> Option<Line> {
        let mut kept = self.lock();
        let lines = kept.of(to)?;
        while let Some((since, line)) = lines.pop() {
            if line.is_free() && since.elapsed() < self.idle {
                return Some(line);
            }
        }
        None
    }

    /// Keeps one that is not used any more.
    pub fn put(self: &Arc<Self>, to: &Authority, line: Line) {
        let mut kept = self.lock();
        let since = Instant::now();
        match kept.of(to) {
            Some(lines) if lines.len() >= KEPT => return,
            Some(lines) => lines.push((since, line)),
            None => kept.lines.push((to.clone(), vec![(since, line)])),
        }
        if !std::mem::replace(&mut kept.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), since + self.idle));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends connections that have been idle for too long, as long as there are some.
async fn sweep(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut kept = pool.lock();
        let now = Instant::now();
        for lines in kept.lines.iter_mut().map(|(_, lines)| lines) {
            let fresh = lines.iter().position(|(since, _)| now - *since < pool.idle).unwrap_or(lines.len());
            lines.drain(..fresh);
        }
        kept.lines.retain(|(_, lines)| !lines.is_empty());
        let oldest = kept.lines.iter().filter_map(|(_, lines)| lines.first()).map(|(since, _)| *since).min();
        match oldest {
            Some(since) => next = since + pool.idle,
            None => {
                kept.swept = false;
                return;
            }
        }
    }
}
