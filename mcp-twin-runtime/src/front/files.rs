//! The server's files as the swap machine asks for them.

use super::build::Build;
use super::check::Check;
use super::off::Part;
use super::voice::Voice;
use crate::copies::Copies;
use crate::history::Numbers;
use crate::sources::{MAX_FILES, Snapshot, Tree};
use async_trait::async_trait;
use mcp_twin_core::host::{Clock, Sources};
use mcp_twin_core::ids::OpId;
use mcp_twin_core::swap::Kept;
use mcp_twin_core::watch::Debounce;
use mcp_twin_core::{Fault, Generation, Source, SourceHash, TwinId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What the files hold, beside the code of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// That code, or nobody can say.
    Same,
    /// Other code; its generation, if it has been looked at.
    Other(Option<Generation>),
}

/// What is done with new code before a twin is started on it.
#[derive(Default)]
pub struct Before {
    /// It is built.
    pub build: Option<Build>,
    /// It is looked at.
    pub check: Option<Check>,
}

/// The files of one server.
pub struct ServerFiles {
    /// Which files they are.
    pub tree: Arc<Tree>,
    /// The debouncer, to be told of boots.
    pub debounce: Arc<Mutex<Debounce>>,
    /// Copies of what was verified.
    pub copies: Arc<Copies>,
    voice: Arc<Voice>,
    clock: Arc<dyn Clock>,
    numbers: tokio::sync::Mutex<Numbers>,
    before: Mutex<Arc<Before>>,
    inner: Mutex<Inner>,
    /// One look at a time, so that what is told last was seen last.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    seen: Arc<Snapshot>,
    marks: BTreeMap<TwinId, Arc<Snapshot>>,
    /// What twins that were verified were made of.
    made_of: BTreeMap<TwinId, Arc<Snapshot>>,
    /// The twin whose boot is under way: the end of another one says nothing about it.
    booting: Option<TwinId>,
}

impl ServerFiles {
    /// The files `tree` of one server, whose generations are numbered by `numbers`.
    pub fn new(
        tree: Arc<Tree>,
        debounce: Arc<Mutex<Debounce>>,
        numbers: Numbers,
        before: Before,
        copies: Arc<Copies>,
        voice: Arc<Voice>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (numbers, before) = (tokio::sync::Mutex::new(numbers), Mutex::new(Arc::new(before)));
        Arc::new(Self {
            tree,
            debounce,
            copies,
            voice,
            clock,
            numbers,
            before,
            inner: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// What is done with new code from now on.
    pub fn set_before(&self, before: Before) {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(before);
    }

    /// Who speaks of them.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// Whether this file is one of the server's, by whatever name it is called. What cannot be one is told without a look at
    /// the others.
    pub async fn has(&self, path: &Path) -> bool {
        let real = std::fs::canonicalize(path).ok();
        let named = |files: &Snapshot| {
            let same = |known: &Path| {
                known == path
                    || real.is_some()
                        && known.file_name() == path.file_name()
                        && std::fs::canonicalize(known).ok() == real
            };
            files.paths().any(same)
        };
        let seen = Arc::clone(&self.lock().seen);
        if named(&seen) {
            return true;
        }
        if !self.tree.includes(path) && !real.as_deref().is_some_and(|real| self.tree.includes(real)) {
            return false;
        }
        // It is new, or gone; or it is among those that are left out by a `.gitignore`.
        real.is_none() || named(&*self.look().await)
    }

    /// The files as they are now, at most so many.
    pub async fn paths(&self, most: usize) -> Vec<PathBuf> {
        self.look().await.paths().take(most).map(Path::to_path_buf).collect()
    }

    /// How many files there were at the last look.
    pub fn count(&self) -> usize {
        self.lock().seen.len()
    }

    /// The twin's boot is over, well or not: what changes from now on is not its doing.
    pub fn boot_ended(&self, twin: TwinId) {
        if self.lock().booting.take_if(|booting| *booting == twin).is_none() {
            return;
        }
        let mut debounce = self.debounce.lock().unwrap_or_else(PoisonError::into_inner);
        debounce.boot_ended(self.clock.now());
        while let Some(path) = debounce.poll_newly_noisy() {
            let quiet = debounce.noisy().into_iter().find(|(noisy, _)| *noisy == path).map(|(_, quiet)| quiet);
            self.voice.warn(&mcp_twin_core::watch::noisy_text(&path, quiet.unwrap_or_default()));
        }
    }

    /// The highest generation that was ever numbered.
    pub async fn highest_generation(&self) -> Generation {
        self.numbers.lock().await.highest()
    }

    /// Whether a process that is started now runs the code of this twin. A look only: what the files hold instead, perhaps for
    /// a moment, gets no number by it.
    pub async fn held(&self, twin: TwinId) -> Held {
        let made_of = {
            let inner = self.lock();
            inner.made_of.get(&twin).or_else(|| inner.marks.get(&twin)).cloned()
        };
        let Some(made_of) = made_of else { return Held::Same };
        let now = self.look().await;
        let hash = now.hash();
        if hash == made_of.hash() {
            return Held::Same;
        }
        let noisy = self.debounce.lock().unwrap_or_else(PoisonError::into_inner).noisy();
        if now.touched_since(&made_of).iter().all(|path| noisy.iter().any(|(noisy, _)| noisy == path)) {
            return Held::Same;
        }
        let numbers = self.numbers.lock().await;
        Held::Other(hash.and_then(|hash| numbers.known(hash)))
    }

    /// A twin has ended: what it was made of is of no interest any more.
    pub fn forget(&self, twin: TwinId) {
        self.lock().made_of.remove(&twin);
    }

    async fn look(&self) -> Arc<Snapshot> {
        let _alone = self.looking.lock().await;
        let tree = Arc::clone(&self.tree);
        let before = Arc::clone(&self.lock().seen);
        // Off this thread: a large tree must not hold up the client's calls.
        let copies = Arc::clone(&self.copies);
        let look = move || {
            copies.refresh();
            Arc::new(tree.look(&before))
        };
        let now = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        if now.too_many {
            self.voice.warn(&format!(
                "more than {MAX_FILES} files would be watched, so the rest is not; name the server's own folder with --watch"
            ));
        }
        self.lock().seen = Arc::clone(&now);
        now
    }

    async fn source(&self, hash: Option<SourceHash>) -> Source {
        let mut numbers = self.numbers.lock().await;
        let generation = numbers.of(hash).await;
        match numbers.off() {
            Some(why) => self.voice.warn_of(Part::History, why),
            None => self.voice.mended(Numbers::OFF, "generations are numbered on the disk again"),
        }
        Source { hash, generation }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sources for ServerFiles {
    async fn now(&self) -> Source {
        let hash = self.look().await.hash();
        self.voice.step_over();
        self.source(hash).await
    }

    async fn mark(&self, twin: TwinId) {
        let now = self.look().await;
        let mut inner = self.lock();
        inner.marks.insert(twin, now);
        // Marks are wanted until their twin is verified; a few older ones do no harm.
        while inner.marks.len() > 8 {
            inner.marks.pop_first();
        }
        inner.booting = Some(twin);
        drop(inner);
        self.debounce.lock().unwrap_or_else(PoisonError::into_inner).boot_began(self.clock.now());
    }

    async fn compare(&self, twin: TwinId) -> (Source, bool) {
        let now = self.look().await;
        self.voice.step_over();
        self.boot_ended(twin);
        let mark = self.lock().marks.remove(&twin);
        let Some(mark) = mark else { return (self.source(now.hash()).await, true) };
        let noisy = self.debounce.lock().unwrap_or_else(PoisonError::into_inner).noisy();
        let touched = now.touched_since(&mark);
        // What each boot writes anew says nothing about this one.
        if touched.iter().all(|path| noisy.iter().any(|(noisy, _)| noisy == path)) {
            let source = self.source(mark.hash()).await;
            self.copies.keep(source, Arc::clone(&mark));
            self.lock().made_of.insert(twin, mark);
            return (source, false);
        }
        (self.source(now.hash()).await, true)
    }

    async fn served(&self) -> Vec<Source> {
        self.numbers.lock().await.served().await
    }

    fn kept(&self) -> Vec<Kept> {
        self.copies.known()
    }

    async fn build(&self, _op: OpId) -> Result<Source, Fault> {
        let before = Arc::clone(&self.before.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(build) = &before.build {
            self.voice.write_log(&format!("build: {}", build.line()));
            build.run(async || self.look().await.hash(), &self.copies).await?;
        }
        if let Some(check) = &before.check {
            check.run().await?;
        }
        Ok(self.now().await)
    }
}
