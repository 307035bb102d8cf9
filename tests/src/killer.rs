//! kill -9 of a front at an exact change of its record: a library before its C library does it.

use crate::tools;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The killing library, and the file that tells it when.
#[derive(Debug)]
pub struct Killer {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Killer {
    /// Builds it. A C compiler is what Rust itself links with, so it is there.
    #[must_use]
    pub fn build() -> Self {
        let folder = tempfile::tempdir().expect("the killer's folder");
        let library = folder.path().join("kill_at_rename.so");
        let source = tools::fixture("preload").join("kill_at_rename.c");
        let mut build = Command::new("cc");
        build.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl");
        let output = build.output().expect("a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder, library }
    }

    fn armed(&self) -> PathBuf {
        self.folder.path().join("armed")
    }

    fn count(&self) -> PathBuf {
        self.folder.path().join("armed.count")
    }

    /// From now on changes count, and the one with this number is the last.
    pub fn arm(&self, number: usize, when: &str) {
        let _ = fs::remove_file(self.count());
        // Whole at once: the front may be reading.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{number} {when}")).expect("the killer's folder");
        fs::rename(new, self.armed()).expect("the killer's folder");
    }

    /// How many changes there were since; they count no longer.
    #[must_use]
    pub fn disarm(&self) -> usize {
        fs::remove_file(self.armed()).expect("the killer's folder");
        fs::metadata(self.count()).map_or(0, |meta| usize::try_from(meta.len()).expect("a small file"))
    }

    /// Puts it before the C library of what is about to be started.
    pub fn dress(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("KILL_AT", self.armed());
    }
}
