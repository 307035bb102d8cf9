//! The copies on the disk: `copies/<server>/<hash>/` with `copy.json` and the files in `tree`, and `copies/<server>/made/<hash>/`
//! with what a build made. Both are written elsewhere first and renamed, so that what is there is whole.

use super::shape::Shape;
use crate::files::lock::{self, Lock};
use crate::files::{self, Flush};
use crate::sources::{Snapshot, Tree, hash_content};
use mcp_twin_core::swap::Kept;
use mcp_twin_core::watch::is_env;
use mcp_twin_core::{Source, SourceHash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The schema that this release writes.
const SCHEMA: u32 = 1;
/// A copy of more is not made: such a tree is not a server's source alone.
const MAX_BYTES: u64 = 32 << 20;
const MAX_FILES: usize = 5_000;
/// All copies of one server together.
const MAX_TOTAL: u64 = 128 << 20;
/// How long the lock of the store is waited for.
const WAIT: Duration = Duration::from_secs(30);
/// How many outputs of builds are kept aside, at least: those of twins that still live.
const ASIDE: usize = 3;

/// Where the copies of one server are.
pub struct Store {
    folder: PathBuf,
}

/// What is written beside a copy.
#[derive(Serialize, Deserialize)]
struct Note {
    schema: u32,
    source: Source,
    /// Why there is no copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    bytes: u64,
    /// Each file below the root, with the hash of its content.
    files: BTreeMap<PathBuf, String>,
    /// Watched files below the root that are not copied: those with secrets in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left: Vec<PathBuf>,
}

impl Store {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// When a copy last came or went.
    pub fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.folder).and_then(|metadata| metadata.modified()).ok()
    }

    /// What is known of each generation.
    pub fn list(&self) -> Vec<Kept> {
        let notes = self.notes().into_iter();
        notes.map(|(_, note, _)| Kept { source: note.source, why_not: note.why_not }).collect()
    }

    /// The file that is locked while a front has twins that were started from this copy.
    pub fn use_of(&self, hash: SourceHash, front: &str) -> Option<PathBuf> {
        let place = self.place(hash);
        place.is_dir().then(|| place.join(format!("{front}.use")))
    }

    /// Copies the watched files of `source`, as `seen`, and what a build made of them. Keeps the newest `most`.
    ///
    /// # Errors
    /// Why not. What has to be told at a rollback is written down.
    pub fn keep(&self, source: Source, seen: &Snapshot, shape: &Shape, most: usize) -> Result<(), String> {
        let Some(hash) = source.hash else { return Ok(()) };
        let _lock = self.alone()?;
        if self.place(hash).exists() {
            return Ok(());
        }
        let fresh = self.fresh()?;
        let mut note =
            Note { schema: SCHEMA, source, why_not: None, bytes: 0, files: BTreeMap::new(), left: Vec::new() };
        match self.copy(hash, seen, shape, &fresh.join("tree"), &mut note) {
            Ok(()) => {}
            Err(Refused::Moved) => {
                let _ = fs::remove_dir_all(&fresh);
                return Err("its files changed again".to_owned());
            }
            Err(Refused::Never(why)) => {
                let _ = fs::remove_dir_all(fresh.join("tree"));
                note.why_not = Some(why);
            }
            Err(Refused::Io(error)) => {
                let _ = fs::remove_dir_all(&fresh);
                return Err(error.to_string());
            }
        }
        let text = serde_json::to_vec(&note).map_err(|error| error.to_string())?;
        files::write_atomic(&fresh.join("copy.json"), &text, Flush::Later).map_err(|error| error.to_string())?;
        fs::rename(&fresh, self.place(hash)).map_err(|error| error.to_string())?;
        self.prune(most);
        match note.why_not {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    fn copy(
        &self,
        hash: SourceHash,
        seen: &Snapshot,
        shape: &Shape,
        tree: &Path,
        note: &mut Note,
    ) -> Result<(), Refused> {
        if seen.len() > MAX_FILES {
            return Err(Refused::Never(format!("it has more than {MAX_FILES} files")));
        }
        for (path, known) in seen.contents() {
            let below = path
                .strip_prefix(&shape.root)
                .map_err(|_| Refused::Never(format!("{} is not below {}", path.display(), shape.root.display())))?;
            // Secrets stay in the one place where their owner put them.
            if is_env(path) {
                note.left.push(below.to_owned());
            } else if known != self.one(path, below, tree, note)? {
                return Err(Refused::Moved);
            }
        }
        let made = self.folder.join("made").join(hash.to_string());
        let outputs = shape.outputs();
        let built = !outputs.is_empty();
        for path in outputs {
            let Ok(below) = path.strip_prefix(&shape.root) else { continue };
            // Secrets that a build put beside its output are linked to at a restore.
            if note.files.contains_key(below) || is_env(&path) {
                continue;
            }
            // What was copied under the lock of the build is what was made of this very source.
            let aside = made.join(below);
            self.one(if aside.exists() { &aside } else { &path }, below, tree, note)?;
        }
        // A build of newer files begins after they changed: if they did not, what was copied is what was made of these.
        let same = |(path, known)| hash_of(path).is_ok_and(|hash| hash == known);
        if built && !seen.contents().all(same) {
            return Err(Refused::Moved);
        }
        Ok(())
    }

    fn one(&self, path: &Path, below: &Path, tree: &Path, note: &mut Note) -> Result<u128, Refused> {
        let metadata = fs::metadata(path).map_err(|error| Refused::of(&error))?;
        note.bytes += metadata.len();
        if note.bytes > MAX_BYTES {
            return Err(Refused::Never(format!("its files are larger than {} MiB", MAX_BYTES >> 20)));
        }
        let hash = copy(path, &tree.join(below)).map_err(|error| Refused::of(&error))?;
        note.files.insert(below.to_owned(), format!("{hash:032x}"));
        Ok(hash)
    }

    /// Copies what a build made, if it must not be overwritten under a running process.
    pub fn set_aside(&self, source: SourceHash, anew: bool, shape: &Shape, most: usize) -> io::Result<()> {
        let all = self.folder.join("made");
        let place = all.join(source.to_string());
        if !shape.sets_aside() || place.exists() && !anew {
            return Ok(());
        }
        let fresh = self.fresh().map_err(io::Error::other)?;
        for path in shape.outputs() {
            let Ok(below) = path.strip_prefix(&shape.root) else { continue };
            let place = fresh.join(below);
            if !is_env(&path) {
                copy(&path, &place)?;
            } else if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
                link(&path, &place)?;
            }
        }
        fs::create_dir_all(&all)?;
        if place.exists() {
            // Built anew from the same: what is there may be in use, and is taken away whole.
            fs::rename(&place, self.fresh().map_err(io::Error::other)?.join("old"))?;
        }
        fs::rename(&fresh, &place)?;
        let mut others: Vec<(SystemTime, PathBuf)> = entries(&all)
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .filter(|(_, path)| *path != place)
            .collect();
        others.sort();
        let over = (others.len() + 1).saturating_sub(most.max(ASIDE));
        for (_, path) in others.into_iter().take(over) {
            let _ = fs::remove_dir_all(path);
        }
        Ok(())
    }

    /// Where what a build made of this source was set aside.
    pub fn made(&self, source: SourceHash, shape: &Shape, file: &Path) -> Option<PathBuf> {
        let below = file.strip_prefix(&shape.root).ok()?;
        let place = self.folder.join("made").join(source.to_string()).join(below);
        place.is_file().then_some(place)
    }

    /// Makes a copy ready to be started: it is whole, and what stands beside its files in the project is linked to. Its folder,
    /// and the watched files that are the project's present ones.
    pub fn restore(&self, hash: SourceHash, shape: &Shape, watched: &Tree) -> Result<(PathBuf, Vec<PathBuf>), String> {
        let _lock = self.alone()?;
        let place = self.place(hash);
        let note = read_note(&place).ok_or("it is not there any more")?;
        let tree = place.join("tree");
        for (below, known) in &note.files {
            let hash = hash_of(&tree.join(below)).map_err(|error| format!("{}: {error}", below.display()))?;
            if format!("{hash:032x}") != *known {
                return Err(format!("{} was changed in it", below.display()));
            }
        }
        let mut folders: Vec<PathBuf> =
            note.files.keys().flat_map(|file| file.ancestors().skip(1)).map(Path::to_owned).collect();
        folders.sort();
        folders.dedup();
        for folder in folders {
            // A watched file that came later is none of this code's.
            let later = |path: &Path| path.is_file() && !is_env(path) && watched.includes(path);
            let (project, copy) = (shape.root.join(&folder), tree.join(&folder));
            link_beside(&project, &copy, later).map_err(|error| error.to_string())?;
        }
        Ok((tree, note.left))
    }

    /// Removes the oldest copies, but those in use, until no more than `most` are left, and no more than so many bytes.
    fn prune(&self, most: usize) {
        let mut notes = self.notes();
        notes.sort_by_key(|(_, _, at)| std::cmp::Reverse(*at));
        let mut total = 0;
        for (at, (path, note, _)) in notes.iter().enumerate() {
            total += note.bytes;
            if at >= most || total > MAX_TOTAL && at > 0 {
                let used = entries(path).filter(|entry| entry.extension().is_some_and(|extension| extension == "use"));
                if used.map(|entry| Lock::take(&entry, Duration::ZERO)).all(|lock| lock.is_ok()) {
                    let _ = fs::remove_dir_all(path);
                }
            }
        }
    }

    fn notes(&self) -> Vec<(PathBuf, Note, SystemTime)> {
        let of = |path: PathBuf| {
            let at = fs::metadata(path.join("copy.json")).ok()?.modified().ok()?;
            Some((read_note(&path)?, path, at)).map(|(note, path, at)| (path, note, at))
        };
        entries(&self.folder).filter_map(of).collect()
    }

    /// One at a time writes here. What others left half done goes.
    fn alone(&self) -> Result<Lock, String> {
        crate::home::make_private(&self.folder).map_err(|error| error.to_string())?;
        let lock = Lock::take(&lock::beside(&self.folder.join("copies")), WAIT).map_err(|error| error.to_string())?;
        for path in entries(&self.folder).filter(|path| is_fresh(path)) {
            let old = fs::metadata(&path).and_then(|metadata| metadata.modified());
            if old.is_ok_and(|at| at.elapsed().is_ok_and(|since| since > WAIT * 4)) {
                let _ = fs::remove_dir_all(path);
            }
        }
        Ok(lock)
    }

    /// A folder of its own for what is not whole yet.
    fn fresh(&self) -> Result<PathBuf, String> {
        crate::home::make_private(&self.folder).map_err(|error| error.to_string())?;
        let fresh =
            tempfile::Builder::new().prefix(FRESH).tempdir_in(&self.folder).map_err(|error| error.to_string())?;
        Ok(fresh.keep())
    }

    fn place(&self, hash: SourceHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }
}

const FRESH: &str = ".fresh";

fn is_fresh(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FRESH))
}

fn read_note(place: &Path) -> Option<Note> {
    let note: Note = serde_json::from_slice(&files::read(&place.join("copy.json")).ok()??).ok()?;
    (note.schema <= SCHEMA).then_some(note)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Links to whatever stands in the project's folder and is not in the copy's.
fn link_beside(project: &Path, copy: &Path, later: impl Fn(&Path) -> bool) -> io::Result<()> {
    for path in entries(project) {
        let Some(name) = path.file_name() else { continue };
        let place = copy.join(name);
        // What Python compiled belongs to the files beside it.
        if name == "__pycache__" || name == ".git" || place.symlink_metadata().is_ok() || later(&path) {
            continue;
        }
        link(&path, &place)?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(to: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, place)
}

#[cfg(windows)]
fn link(to: &Path, place: &Path) -> io::Result<()> {
    if to.is_dir() {
        std::os::windows::fs::symlink_dir(to, place)
    } else {
        std::os::windows::fs::symlink_file(to, place)
    }
}

/// Copies a file, with its permissions, to a folder that is made where it is missing. The hash of what was copied.
fn copy(from: &Path, to: &Path) -> io::Result<u128> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let (from, mut copy) = (File::open(from)?, File::create(to)?);
    let permissions = from.metadata()?.permissions();
    let hash = hash_content(from, |bytes| copy.write_all(bytes))?;
    fs::set_permissions(to, permissions)?;
    Ok(hash)
}

/// As the files are hashed where they are watched.
fn hash_of(path: &Path) -> io::Result<u128> {
    hash_content(File::open(path)?, |_| Ok(()))
}

/// Why there is no copy.
enum Refused {
    /// The files are others by now.
    Moved,
    /// There will be none of this code.
    Never(String),
    Io(io::Error),
}

impl Refused {
    fn of(error: &io::Error) -> Self {
        // It was there when it was looked at.
        if error.kind() == io::ErrorKind::NotFound {
            Self::Moved
        } else {
            Self::Io(io::Error::new(error.kind(), error.to_string()))
        }
    }
}
