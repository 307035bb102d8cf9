//! Says when twins have written something. The system's watch sleeps while they are silent; there is no timer.

use super::output::TwinOutput;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The watched outputs of one front. Cheap to share.
#[derive(Clone, Default)]
pub(super) struct Tailing(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    /// Made with the first twin.
    watcher: Option<RecommendedWatcher>,
    /// By the name of the file: the system may speak of its folder under another name.
    outputs: Outputs,
    /// It was said that there are no watches.
    said: bool,
}

type Outputs = Arc<Mutex<BTreeMap<OsString, Weak<TwinOutput>>>>;

/// An output that is watched until this is dropped.
pub(super) struct Followed {
    tailing: Tailing,
    path: PathBuf,
}

impl Tailing {
    /// Begins to pass on what this output gets. Must be called on a runtime. Returns what is off, the first time: then it
    /// is read only when somebody asks, and when the twin has ended.
    pub(super) fn follow(&self, output: &Arc<TwinOutput>) -> Option<String> {
        let watched = self.watch(output);
        tokio::spawn(Arc::clone(output).follow());
        // What came before the watch was there.
        output.changed.notify_one();
        let error = watched.err()?;
        let first = !std::mem::replace(&mut self.lock().said, true);
        first.then(|| format!("what the twins write is read only when they end or fail: {error}"))
    }

    fn watch(&self, output: &Arc<TwinOutput>) -> notify::Result<()> {
        let mut watched = self.lock();
        if let Some(name) = output.path().file_name() {
            lock(&watched.outputs).insert(name.to_owned(), Arc::downgrade(output));
        }
        if watched.watcher.is_none() {
            let outputs = Arc::clone(&watched.outputs);
            let hear = move |event: notify::Result<notify::Event>| tell(&outputs, event);
            watched.watcher = Some(notify::recommended_watcher(hear)?);
        }
        match &mut watched.watcher {
            Some(watcher) => watcher.watch(output.path(), RecursiveMode::NonRecursive),
            None => Ok(()),
        }
    }

    /// What ends the watch of this output.
    pub(super) fn followed(&self, output: &Arc<TwinOutput>) -> Followed {
        Followed { tailing: self.clone(), path: output.path().to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        lock(&self.0)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut watched = self.tailing.lock();
        if let Some(watcher) = &mut watched.watcher {
            // It may never have been watched.
            let _ = watcher.unwatch(&self.path);
        }
        if let Some(name) = self.path.file_name() {
            lock(&watched.outputs).remove(name);
        }
    }
}

fn tell(outputs: &Outputs, event: notify::Result<notify::Event>) {
    let outputs = lock(outputs);
    let woken: Vec<_> = match event {
        // Some names were lost: anything may have been written.
        Err(_) => outputs.values().filter_map(Weak::upgrade).collect(),
        Ok(event) if event.need_rescan() => outputs.values().filter_map(Weak::upgrade).collect(),
        // Our own reading is an access.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
        Ok(event) => event.paths.iter().filter_map(|path| outputs.get(path.file_name()?)?.upgrade()).collect(),
    };
    woken.into_iter().for_each(|output| output.changed.notify_one());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
