//! A value that several hold, and that can be waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The value and who waits for it to change.
#[derive(Debug, Default)]
pub(super) struct Shared<T>(Arc<Mutex<Inner<T>>>);

#[derive(Debug, Default)]
struct Inner<T> {
    value: T,
    wakers: Vec<Waker>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Inner { value, wakers: Vec::new() })))
    }

    /// Looks without changing anything.
    pub(super) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock().value)
    }

    /// Changes the value and wakes all who wait.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let (out, wakers) = {
            let mut inner = self.lock();
            let out = change(&mut inner.value);
            (out, std::mem::take(&mut inner.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        out
    }

    /// Waits until `found` finds something; it may take what it finds.
    pub(super) async fn wait<R>(&self, mut found: impl FnMut(&mut T) -> Option<R>) -> R {
        std::future::poll_fn(|cx| {
            let mut inner = self.lock();
            if let Some(out) = found(&mut inner.value) {
                return Poll::Ready(out);
            }
            if !inner.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                inner.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    // A test that failed while it held the lock has said so itself.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
