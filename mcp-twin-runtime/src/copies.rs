//! Copies of a server's code, one for each generation that was verified: what `rollback --to` starts once the files hold other
//! code.
//!
//! A copy is a folder with the watched files, and what the build made of them, at their places below the project root. It is
//! started there: its working directory is the one in the copy, and whatever stands beside those files in the project, such as
//! `node_modules` or `.venv`, is linked to. The project itself is never touched.
//!
//! What a build writes and a running process cannot have taken away under it (a program, a jar, a dll) is copied aside at each
//! build and always started from there.

mod shape;
mod start;
mod store;

pub use shape::Shape;
pub use start::Start;

use crate::files::lock::{LOCK_WAIT, Lock};
use crate::sources::{Snapshot, Tree};
use mcp_twin_core::swap::Kept;
use mcp_twin_core::{Code, Fault, Source, SourceHash};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;

/// Says something in the log.
type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// The copies of one server, as one of its fronts sees them.
pub struct Copies {
    store: Store,
    tree: Arc<Tree>,
    front: String,
    say: Say,
    /// How many are kept.
    most: AtomicUsize,
    inner: Mutex<Inner>,
}

struct Inner {
    shape: Arc<Shape>,
    known: Vec<Kept>,
    /// When the folder had last been changed at the last look.
    looked: Option<SystemTime>,
    /// Those that twins of this front were started from: nobody removes them while it lives.
    used: BTreeMap<SourceHash, Arc<Lock>>,
}

impl Copies {
    /// Those in this folder, of a server whose files are `tree`.
    pub fn new(folder: PathBuf, front: &str, tree: Arc<Tree>, shape: Shape, most: usize, say: Say) -> Arc<Self> {
        let inner = Inner { shape: Arc::new(shape), known: Vec::new(), looked: None, used: BTreeMap::new() };
        let store = Store::new(folder);
        let front = front.to_owned();
        Arc::new(Self { store, tree, front, say, most: AtomicUsize::new(most), inner: Mutex::new(inner) })
    }

    /// What is copied from now on, and how many copies are kept.
    pub fn set(&self, shape: Shape, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.lock().shape = Arc::new(shape);
    }

    /// What is known of each generation, as of the last look at the disk.
    pub fn known(&self) -> Vec<Kept> {
        self.lock().known.clone()
    }

    /// Looks at the disk: other fronts keep copies too. Blocks.
    pub fn refresh(&self) {
        let changed = self.store.changed();
        if changed.is_some() && self.lock().looked == changed {
            return;
        }
        let known = self.store.list();
        let mut inner = self.lock();
        (inner.known, inner.looked) = (known, changed);
    }

    /// Keeps a copy of the code of a twin that was verified, beside whatever else goes on. Fails into the log only.
    pub fn keep(self: &Arc<Self>, source: Source, files: Arc<Snapshot>) {
        let most = self.most.load(Ordering::Relaxed);
        let Some(hash) = source.hash.filter(|_| most > 0) else { return };
        if self.lock().known.iter().any(|kept| kept.source.hash == Some(hash)) {
            return;
        }
        let (copies, shape) = (Arc::clone(self), self.shape());
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = copies.store.keep(source, &files, &shape, most) {
                (copies.say)(&format!("generation {} is not kept for a rollback: {error}", source.generation));
            }
            copies.refresh();
        }));
    }

    /// Copies aside what a build made of this source, if that was not done before or it was built `anew`. The caller holds the
    /// lock of the build.
    pub async fn set_aside(self: &Arc<Self>, source: SourceHash, anew: bool) {
        let (copies, shape, most) = (Arc::clone(self), self.shape(), self.most.load(Ordering::Relaxed));
        let copied = tokio::task::spawn_blocking(move || copies.store.set_aside(source, anew, &shape, most)).await;
        if let Ok(Err(error)) = copied {
            (self.say)(&format!("what was built is started where it stands, for it could not be copied: {error}"));
        }
    }

    /// What a twin of this source is started from: its copy, if the files hold other code (`kept`), else the files, with what
    /// was built set aside.
    ///
    /// # Errors
    /// Why the copy cannot be started.
    pub async fn start(self: &Arc<Self>, start: Start, source: Source, kept: bool) -> Result<Start, Fault> {
        let Some(hash) = source.hash else { return Ok(start) };
        let (copies, shape, number) = (Arc::clone(self), self.shape(), source.generation);
        if !kept && !shape.sets_aside() {
            return Ok(start);
        }
        let gone = move |why: String| {
            Fault::new(Code::CodeGone, format!("the copy of generation {} cannot be started: {why}", source.generation))
                .with_help("restore its files, for example with git, then `mcp-twin swap`")
        };
        let found = tokio::task::spawn_blocking(move || {
            if !kept {
                return Ok(shape.aside(start, |file| copies.store.made(hash, &shape, file)));
            }
            copies.hold(hash)?;
            let (tree, left) = copies.store.restore(hash, &shape, &copies.tree)?;
            for file in left {
                (copies.say)(&format!(
                    "generation {number} runs with the present {}: it is in no copy",
                    file.display()
                ));
            }
            shape.moved(&start, &tree)
        });
        found.await.unwrap_or_else(|_| Err("the front is ending".to_owned())).map_err(gone)
    }

    /// Sees to it that nobody removes this copy while this front lives.
    fn hold(&self, hash: SourceHash) -> Result<(), String> {
        if self.lock().used.contains_key(&hash) {
            return Ok(());
        }
        let path = self.store.use_of(hash, &self.front).ok_or("it is not there any more")?;
        let lock = Lock::take(&path, LOCK_WAIT).map_err(|error| error.to_string())?;
        self.lock().used.insert(hash, Arc::new(lock));
        Ok(())
    }

    fn shape(&self) -> Arc<Shape> {
        Arc::clone(&self.lock().shape)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
