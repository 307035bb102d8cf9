//! The thread of one front in another process.

use super::{EmbedError, Embedding};
use crate::home::Home;
use std::future::Future;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};

/// Says that the front has begun, or why it cannot.
pub(super) type Ready<T> = oneshot::Sender<Result<T, EmbedError>>;

/// The front's thread, as long as somebody holds this.
pub(super) struct Lease {
    runtime: Handle,
    over: watch::Sender<bool>,
    ended: watch::Receiver<()>,
}

/// The other end of it: on the thread.
pub(super) struct Leased(watch::Receiver<bool>);

impl Leased {
    /// Returns when the front is to end, or nobody holds it any more.
    pub async fn over(mut self) {
        let _ = self.0.wait_for(|over| *over).await;
    }
}

/// Starts a thread with a runtime and runs a front on it. Returns when it has begun; the thread ends with the front.
pub(super) async fn start<T, F>(
    name: &str,
    embedding: Embedding,
    front: impl FnOnce(Option<Home>, Leased, Ready<T>) -> F + Send + 'static,
) -> Result<(T, Lease), EmbedError>
where
    T: Send + 'static,
    F: Future<Output = ()>,
{
    let (over, leased) = watch::channel(false);
    let (alive, ended) = watch::channel(());
    let (begun, ready) = oneshot::channel();
    let (handle, running) = oneshot::channel();
    let body = move || {
        // Dropped last: by then the twins are gone, and so is the home.
        let _alive = alive;
        let home = match embedding.private.then(private_home).transpose() {
            Ok(home) => home,
            Err(error) => return drop(begun.send(Err(EmbedError::Private(error)))),
        };
        // As that of `run`: one thread relays, and twins die with it. The few looks at files have a small pool.
        let built = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .thread_stack_size(512 << 10)
            .thread_name("mcp-twin-files")
            .build();
        let runtime = match built {
            Ok(runtime) => runtime,
            Err(error) => return drop(begun.send(Err(error.into()))),
        };
        let _ = handle.send(runtime.handle().clone());
        let place = home.as_ref().map(|home| Home::at(home.path()));
        runtime.block_on(front(place, Leased(leased), begun));
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
    // Dropping `over`, as by whoever gives up waiting here, ends the front.
    let begun = ready.await.map_err(|_| EmbedError::Ended)??;
    let runtime = running.await.map_err(|_| EmbedError::Ended)?;
    Ok((begun, Lease { runtime, over, ended }))
}

/// A state directory of its own, which is removed when this is dropped. Its path is short: sockets lie in it.
fn private_home() -> std::io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("mcp-twin-").tempdir()
}

impl Lease {
    /// Runs something on the front's thread; nothing if that has ended, or ends before.
    pub async fn on_its_thread<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.runtime.spawn(work).await.ok()
    }

    /// The front is to end.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Returns when the thread is over.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: an error says that the other end was dropped.
        while ended.changed().await.is_ok() {}
    }

    /// Whether the thread is over.
    pub fn has_ended(&self) -> bool {
        self.ended.has_changed().is_err()
    }
}
