//! Says when a server's files changed: watches on the folders that matter, gathered into bursts by core's debouncer.
//!
//! The system's watches sleep; the only timer is the debouncer's, and it is set only while something is going on.

use crate::sources::Tree;
use mcp_twin_core::host::Clock;
use mcp_twin_core::watch::{Burst, Debounce};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Paths that may wait; beyond that only the fact that something changed is kept.
const BACKLOG: usize = 1024;
/// Folders that are watched at most (systems have bounds of their own).
const MAX_FOLDERS: usize = 4096;
/// Whether the system's watches are one stream of real paths (FSEvents).
const REAL_PATHS: bool = cfg!(target_os = "macos");

/// Watches one tree.
pub struct Watch {
    tree: Arc<Tree>,
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    /// Folders by the name under which the system speaks of them, where that is another one.
    named: BTreeMap<PathBuf, PathBuf>,
    paths: mpsc::Receiver<PathBuf>,
    lost: Arc<AtomicBool>,
    debounce: Arc<Mutex<Debounce>>,
    order: WatchOrder,
    /// Gathers the changes of `order.beside`.
    beside: Debounce,
}

/// What is watched beside the tree, and whether the tree is.
#[derive(Clone, Default)]
pub struct WatchOrder {
    /// Whether the tree itself is watched; may change at any time ([`Watch::again`]).
    pub tree: Arc<AtomicBool>,
    /// Files whose change is told as one of theirs: configurations. They need not be there yet, their folders do.
    pub beside: Vec<PathBuf>,
}

/// What the watch hears.
#[derive(Debug)]
pub enum Seen {
    /// A file that counts was touched just now.
    Touched,
    /// A burst came to rest.
    Burst(Burst),
    /// Files beside the tree were changed, and are quiet.
    Beside,
}

/// How long a file beside the tree must be quiet, and the longest that it is waited for.
const BESIDE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl Watch {
    /// Begins to watch. The second value says what is off, where something is.
    ///
    /// # Errors
    /// The system gives no watches at all.
    pub fn begin(
        tree: Arc<Tree>,
        debounce: Arc<Mutex<Debounce>>,
        order: WatchOrder,
    ) -> notify::Result<(Self, Option<String>)> {
        let (tx, paths) = mpsc::channel(BACKLOG);
        let lost = Arc::new(AtomicBool::new(false));
        let overflow = Arc::clone(&lost);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else {
                overflow.store(true, Ordering::Relaxed);
                return;
            };
            if !tells_of_a_change(&event.kind) {
                return;
            }
            for path in event.paths {
                if tx.try_send(path).is_err() {
                    overflow.store(true, Ordering::Relaxed);
                }
            }
        })?;
        let (folders, named) = (BTreeSet::new(), BTreeMap::new());
        let beside = Debounce::new(BESIDE.0, BESIDE.1);
        let mut watch = Self { tree, watcher, folders, named, paths, lost, debounce, order, beside };
        let (_, off) = watch.scan();
        Ok((watch, off))
    }

    /// The next thing seen. Cancel-safe. Never returns `None` while the watcher lives.
    pub async fn next(&mut self, clock: &dyn Clock) -> Option<Seen> {
        loop {
            let wanted = self.debounce().poll_timeout().into_iter().chain(self.beside.poll_timeout()).min();
            let path = match wanted {
                None => self.paths.recv().await?,
                Some(at) => tokio::select! {
                    path = self.paths.recv() => path?,
                    () = clock.sleep_until(at) => {
                        if self.beside.handle_timeout(clock.now()).is_some() {
                            return Some(Seen::Beside);
                        }
                        if let Some(burst) = self.debounce().handle_timeout(clock.now()) {
                            return Some(Seen::Burst(burst));
                        }
                        continue;
                    }
                },
            };
            let path = self.as_asked(path);
            let mut counts = false;
            if self.lost.swap(false, Ordering::Relaxed) {
                // Some names were lost: anything may have changed.
                counts = self.watches_tree();
                self.scan();
                for file in &self.order.beside {
                    self.beside.touched(file, clock.now());
                }
            }
            if self.order.beside.contains(&path) {
                self.beside.touched(&path, clock.now());
            }
            if !self.watches_tree() {
                continue;
            }
            if self.tree.includes(&path) {
                counts = true;
            } else if !self.folders.contains(&path) && path.is_dir() {
                // A new folder: whatever is in it already was written before there was a watch on it.
                let (restarted, _) = self.scan();
                counts |= restarted;
                self.tree.walk(|found, is_dir| counts |= !is_dir && found.starts_with(&path));
            }
            if counts {
                self.debounce().touched(path, clock.now());
                return Some(Seen::Touched);
            }
        }
    }

    /// The tree has other rules, or is watched from now on, or no longer: folders that matter now are watched.
    pub fn again(&mut self) -> Option<String> {
        self.scan().1
    }

    fn watches_tree(&self) -> bool {
        self.order.tree.load(Ordering::Relaxed)
    }

    fn debounce(&self) -> std::sync::MutexGuard<'_, Debounce> {
        self.debounce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path as the tree knows it.
    fn as_asked(&self, path: PathBuf) -> PathBuf {
        let asked = path.parent().and_then(|folder| self.named.get(folder)).zip(path.file_name());
        asked.map(|(folder, name)| folder.join(name)).unwrap_or(path)
    }

    /// Watches every folder that is not watched yet. The first value says whether changes may have been missed meanwhile,
    /// the second one what is off, where something is.
    fn scan(&mut self) -> (bool, Option<String>) {
        let mut wanted = BTreeSet::new();
        // A file is watched through its folder: editors replace files, and a watch on the old one would go with it.
        if self.watches_tree() {
            self.tree.walk(|path, is_dir| {
                if is_dir && wanted.len() < MAX_FOLDERS {
                    wanted.insert(path.to_owned());
                }
            });
        }
        let full = wanted.len() == MAX_FOLDERS;
        let mut off =
            full.then(|| format!("only the first {MAX_FOLDERS} folders are watched; name fewer with --watch"));
        // A file beside the tree may come to be; its folder is not waited for.
        wanted.extend(
            self.order.beside.iter().filter_map(|file| file.parent()).filter(|it| it.is_dir()).map(PathBuf::from),
        );
        self.folders.retain(|folder| wanted.contains(folder));
        wanted.retain(|folder| !self.folders.contains(folder));
        if wanted.is_empty() {
            return (false, off);
        }
        // All at once: on macOS the one stream of events is stopped for it and begun anew, and it speaks of real paths.
        let mut paths = self.watcher.paths_mut();
        for folder in wanted {
            match paths.add(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    if let Some(real) = REAL_PATHS.then(|| folder.canonicalize().ok()).flatten()
                        && real != folder
                    {
                        self.named.insert(real, folder.clone());
                    }
                    self.folders.insert(folder);
                }
                Err(error) => off = Some(format!("{} is not watched: {error}", folder.display())),
            }
        }
        if let Err(error) = paths.commit() {
            off = Some(format!("the files are not watched any more: {error}"));
        }
        (REAL_PATHS, off)
    }
}

/// Reading a file is no change; closing one that was written is.
fn tells_of_a_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    }
}
