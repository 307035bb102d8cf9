//! The one thread on which what takes time is waited for. It is started when it is first needed, and shared by all of the
//! process (in Node: by all environments, for a worker's end is not its end).

use super::Trouble;
use std::future::{Future, pending};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::{Builder, Handle};

/// So many questions to files and to other fronts are under way at once; more wait.
const BLOCKING: usize = 4;

/// The thread, and the process that started it: a child by `fork` has no threads but its own.
static THREAD: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

/// Runs this on the thread.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Result<(), Trouble> {
    drop(handle()?.spawn(work));
    Ok(())
}

/// Runs this on the thread, and `told` what came of it: also where it panicked.
///
/// # Errors
/// The system gives no thread; then `told` is never called.
pub fn spawn_answered<T: Send + 'static>(
    work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    told: impl FnOnce(Result<T, Trouble>) + Send + 'static,
) -> Result<(), Trouble> {
    // A task of its own: its panic is an answer.
    spawn(async move { told(tokio::spawn(work).await.unwrap_or_else(|error| Err(Trouble::bug(error)))) })
}

/// Runs this on the side, where it may block. To be awaited on the thread.
///
/// # Errors
/// Those of the work; one that panics is a bug.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(Trouble::bug)?
}

fn handle() -> Result<Handle, Trouble> {
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let me = std::process::id();
    if let Some((process, handle)) = &*thread
        && *process == me
    {
        return Ok(handle.clone());
    }
    let refused = |error: std::io::Error| Trouble::internal(format!("the system gives no thread: {error}"));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .thread_name("mcp-twin-side")
        .build()
        .map_err(refused)?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("mcp-twin-wait".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))
        .map_err(refused)?;
    *thread = Some((me, handle.clone()));
    Ok(handle)
}
