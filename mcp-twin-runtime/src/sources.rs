//! The files of a server: which they are, what they hash to, and whether one was touched.
//!
//! A file that did not change since the last look (size, inode, modification and change time in nanoseconds) is not read
//! again, so a look at an unchanged tree costs one `stat` a file.

use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use mcp_twin_core::SourceHash;
use mcp_twin_core::watch::{Asked, Filter};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// More files than this are not looked at: such a folder is not a server's source, and `--watch` names a better one.
pub const MAX_FILES: usize = 20_000;
/// Of a larger file only the stamp counts, not the content.
const MAX_READ: u64 = 32 << 20;

/// Which files belong to a server. The rules may be replaced while it is in use.
pub struct Tree {
    rules: RwLock<Arc<Rules>>,
}

struct Rules {
    filter: Filter,
    /// Every pattern of the filter, compiled.
    patterns: BTreeMap<String, GlobMatcher>,
}

/// What tells that a file was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            size: metadata.size(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Windows tells neither a file's number nor when its name changed; a file that another one was renamed over shows in
    /// its two times.
    #[cfg(windows)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::windows::fs::MetadataExt;
        let time = |ticks: u64| (ticks.cast_signed(), 0);
        Self {
            size: metadata.file_size(),
            inode: 0,
            modified: time(metadata.last_write_time()),
            changed: time(metadata.creation_time()),
        }
    }
}

/// The files at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, (Stamp, u128)>,
    /// There were more than [`MAX_FILES`].
    pub too_many: bool,
}

impl Tree {
    /// The files that `filter` lets count. `patterns`: every pattern that it may ask to be matched; the second value names
    /// those that are no patterns.
    #[must_use]
    pub fn new<'a>(filter: Filter, patterns: impl IntoIterator<Item = &'a str>) -> (Self, Vec<String>) {
        let mut compiled = BTreeMap::new();
        let mut wrong = Vec::new();
        for pattern in patterns {
            match GlobBuilder::new(pattern).literal_separator(true).build() {
                Ok(glob) => drop(compiled.insert(pattern.to_owned(), glob.compile_matcher())),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        (Self { rules: RwLock::new(Arc::new(Rules { filter, patterns: compiled })) }, wrong)
    }

    /// From now on the rules of another tree count.
    pub fn follow(&self, other: &Self) {
        let rules = other.rules();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is anything to watch at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules().filter.asked().is_empty()
    }

    /// Whether a change of this path is a change of the server.
    #[must_use]
    pub fn includes(&self, path: &Path) -> bool {
        self.rules().includes(path)
    }

    /// Calls `visit` for every folder that must be watched (`true`) and every file that counts (`false`).
    pub fn walk(&self, mut visit: impl FnMut(&Path, bool)) {
        let rules = self.rules();
        for asked in rules.filter.asked() {
            let (folder, deep) = asked.folder();
            if let Asked::File(file) = asked {
                visit(folder, true);
                visit(file, false);
                continue;
            }
            // What was asked for by name is looked into even if a `.gitignore` above it leaves it out, as it does with
            // build output. Hidden files count (`.env`); hidden folders are left out by name.
            let walk = WalkBuilder::new(folder)
                .hidden(false)
                .parents(false)
                .require_git(false)
                .max_depth(if deep { None } else { Some(1) })
                .build();
            let mut skipped: Option<PathBuf> = None;
            for entry in walk.flatten() {
                let path = entry.path();
                if skipped.as_ref().is_some_and(|skipped| path.starts_with(skipped)) {
                    continue;
                }
                if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                    if rules.skips(path) && entry.depth() > 0 {
                        skipped = Some(path.to_owned());
                    } else if deep || entry.depth() == 0 {
                        visit(path, true);
                    }
                } else if rules.includes(path) {
                    visit(path, false);
                }
            }
        }
    }

    /// Looks at all files; what did not change since `before` is not read again.
    #[must_use]
    pub fn look(&self, before: &Snapshot) -> Snapshot {
        let mut now = Snapshot::default();
        self.walk(|path, is_dir| {
            if is_dir || now.too_many || now.files.contains_key(path) {
                return;
            }
            if now.files.len() == MAX_FILES {
                now.too_many = true;
                return;
            }
            // A file that vanished in between is no file.
            let Ok(metadata) = fs::metadata(path) else { return };
            if !metadata.is_file() {
                return;
            }
            let stamp = Stamp::of(&metadata);
            let known = before.files.get(path).filter(|(old, _)| *old == stamp).map(|(_, hash)| *hash);
            if let Some(hash) = known.or_else(|| hash_file(path, stamp)) {
                now.files.insert(path.to_owned(), (stamp, hash));
            }
        });
        now
    }
}

impl Rules {
    fn includes(&self, path: &Path) -> bool {
        self.filter.verdict(path, |pattern, path| self.matches(pattern, path)).counts()
    }

    fn skips(&self, path: &Path) -> bool {
        self.filter.skips_folder(path, |pattern, path| self.matches(pattern, path))
    }

    fn matches(&self, pattern: &str, path: &Path) -> bool {
        self.patterns.get(pattern).is_some_and(|pattern| pattern.is_match(path))
    }
}

impl Snapshot {
    /// The hash of all files; `None` if there are none.
    #[must_use]
    pub fn hash(&self) -> Option<SourceHash> {
        if self.files.is_empty() {
            return None;
        }
        let mut hasher = SipHasher13::new();
        for (path, (_, hash)) in &self.files {
            hasher.write(path.as_os_str().as_encoded_bytes());
            hasher.write_u8(0);
            hasher.write(&hash.to_le_bytes());
        }
        Some(SourceHash(hasher.finish128().into()))
    }

    /// The files that were touched, added or removed between the two.
    #[must_use]
    pub fn touched_since<'a>(&'a self, before: &'a Self) -> Vec<&'a Path> {
        let stamp = |files: &Self, path: &Path| files.files.get(path).map(|(stamp, _)| *stamp);
        let touched = self.files.keys().filter(|path| stamp(self, path) != stamp(before, path));
        let removed = before.files.keys().filter(|path| !self.files.contains_key(*path));
        touched.chain(removed).map(PathBuf::as_path).collect()
    }

    /// The files, in order, with the hash of what each holds.
    pub fn contents(&self) -> impl Iterator<Item = (&Path, u128)> {
        self.files.iter().map(|(path, (_, hash))| (path.as_path(), *hash))
    }

    /// The files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

fn hash_file(path: &Path, stamp: Stamp) -> Option<u128> {
    if stamp.size > MAX_READ {
        let mut hasher = SipHasher13::new();
        hasher.write_u64(stamp.size);
        hasher.write_i64(stamp.modified.0);
        hasher.write_i64(stamp.modified.1);
        return Some(hasher.finish128().into());
    }
    hash_content(File::open(path).ok()?, |_| Ok(())).ok()
}

/// The hash of what a reader still holds; `each` gets its pieces.
pub(crate) fn hash_content(mut from: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u128> {
    let mut hasher = SipHasher13::new();
    let mut chunk = [0; 8192];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish128().into()),
            Ok(read) => {
                hasher.write(&chunk[..read]);
                each(&chunk[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path, ignored: &[&str]) -> Tree {
        let ignored = ignored.iter().map(|&pattern| pattern.to_owned()).collect();
        let filter = Filter::new(vec![Asked::Folder(root.to_owned())], ignored, root).forbid([root.join("state")]);
        Tree::new(filter, []).0
    }

    #[test]
    fn content_decides_and_a_touch_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.py");
        fs::write(&file, "one").unwrap();
        fs::write(folder.path().join("a.log"), "noise").unwrap();
        let tree = tree(folder.path(), &[]);
        let first = tree.look(&Snapshot::default());
        assert_eq!(first.len(), 1);
        assert!(tree.look(&first).touched_since(&first).is_empty());

        fs::write(folder.path().join("a.log"), "more noise").unwrap();
        assert_eq!(tree.look(&first), first);

        let other = folder.path().join("new");
        fs::write(&other, "one").unwrap();
        fs::rename(&other, &file).unwrap();
        let same = tree.look(&first);
        assert_eq!(same.hash(), first.hash());
        assert_eq!(same.touched_since(&first), [file.as_path()], "another inode with the same content");

        fs::write(&file, "two").unwrap();
        let changed = tree.look(&same);
        assert_ne!(changed.hash(), first.hash());
        fs::remove_file(&file).unwrap();
        assert_eq!(tree.look(&changed).hash(), None);
    }

    #[test]
    fn ignored_bulky_and_own_folders_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["x.py", "node_modules/x.py", ".venv/x.py", "state/x.py", "gen/x.py", "sub/x.py"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "gen/\n").unwrap();
        assert_eq!(tree(folder.path(), &[]).look(&Snapshot::default()).len(), 2);
        let tree = tree(folder.path(), &["sub"]);
        assert_eq!(tree.look(&Snapshot::default()).len(), 1);
        assert!(tree.includes(&folder.path().join("x.py")));
        assert!(!tree.includes(&folder.path().join("sub/x.py")));
        assert!(!tree.includes(&folder.path().join("state/x.py")));
        let mut folders = Vec::new();
        tree.walk(|path, is_dir| {
            if is_dir {
                folders.push(path.to_owned());
            }
        });
        assert_eq!(folders, [folder.path()]);
    }
}
