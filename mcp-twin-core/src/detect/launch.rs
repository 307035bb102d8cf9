//! What a command line really runs, and what to watch for it.
//!
//! A client's configuration says `uv --directory D run server.py`, `cmd /c npx -y tsx src/index.ts`, or `sh -c "cd x &&
//! exec node build"`. This module takes the wrappers off and finds the script, the package, the folder to watch and
//! whether two copies can live side by side. It reads names, and asks the file system through [`Look`] whether they
//! exist; it starts nothing. What it cannot see through it calls opaque, rather than guessing.

mod build;
mod container;
mod flags;
mod foreign;
mod line;
mod native;
mod node;
pub(in crate::detect) mod path;
mod project;
mod python;
mod reading;
mod root;
mod share;
mod words;
mod wrap;

pub use build::BuildHint;
pub use container::{ContainerRun, removal};
pub use flags::{Flag, Kind};

use crate::spec::Strategy;
use crate::watch::Asked;
use reading::Reading;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// The file system, as far as a launch needs it.
pub trait Look {
    /// Whether there is something at this path.
    fn exists(&self, path: &Path) -> bool;
    /// Whether there is a folder at this path.
    fn is_dir(&self, path: &Path) -> bool;
    /// The text of a small file (64 KiB at most); `None` if it is absent, larger or not text.
    fn read_small(&self, path: &Path) -> Option<String>;
    /// The names of what stands in a folder, in any order; none where nobody can tell.
    fn names(&self, folder: &Path) -> Vec<String> {
        let _ = folder;
        Vec::new()
    }
}

/// A file system of which nothing is known.
pub(crate) struct Blind;

impl Look for Blind {
    fn exists(&self, _: &Path) -> bool {
        false
    }
    fn is_dir(&self, _: &Path) -> bool {
        false
    }
    fn read_small(&self, _: &Path) -> Option<String> {
        None
    }
}

/// Where a command line stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The working directory; `None` if the client chooses it and nobody knows.
    pub cwd: Option<&'a Path>,
    /// The home folder, which is never watched as a whole.
    pub home: Option<&'a Path>,
    /// The folder of the project whose configuration holds the command line; what lies in it is not watched from above it.
    pub project: Option<&'a Path>,
    /// The variables that the process gets, as far as they are known. Their values are not kept.
    pub env: &'a [(String, String)],
    /// The file system.
    pub look: &'a dyn Look,
}

impl<'a> Place<'a> {
    /// A place of which only the file system is known.
    #[must_use]
    pub fn new(look: &'a dyn Look) -> Self {
        Self { cwd: None, home: None, project: None, env: &[], look }
    }
}

/// What a command line really runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// What runs the code, once wrappers are taken off.
    pub kind: Kind,
    /// The whole command, wrappers included; split into words if it stood in a single one.
    pub command: Vec<String>,
    /// The command without its wrappers.
    pub argv: Vec<String>,
    /// The file that is run (or a folder, for Go packages; or the manifest, for cargo and dotnet), absolute where the
    /// working directory is known.
    pub script: Option<PathBuf>,
    /// The package or image, as it stands there.
    pub package: Option<String>,
    /// The working directory once `cd`, `--directory` and the like are applied.
    pub cwd: Option<PathBuf>,
    /// The folder to watch: the nearest one with a project's marker, else the script's own.
    pub root: Option<PathBuf>,
    /// What is watched, as it is shown to people.
    pub watch: Vec<WatchGlob>,
    /// The extensions that count below `root`; empty if only single files are watched.
    pub extensions: &'static [&'static str],
    /// Whether it may fetch or compile before it starts, and so needs a patient start time-out.
    pub launcher: bool,
    /// Whether two copies may live side by side.
    pub twin: TwinHint,
    /// Why they may not, or what they would share.
    pub reason: Option<String>,
    /// What else was found.
    pub flags: BTreeSet<Flag>,
    /// What a server's default name ends in: the script's stem, or the package's bare name.
    pub stem: Option<String>,
    asked: Vec<Asked>,
}

/// A pattern below a folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchGlob {
    /// The folder.
    pub root: PathBuf,
    /// The pattern, such as `**/*.py`.
    pub pattern: String,
}

impl fmt::Display for WatchGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.join(&self.pattern).display())
    }
}

/// Whether two copies of a server may live side by side, as far as its command line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TwinHint {
    /// They may.
    SideBySide,
    /// They may not: a fixed port, a container's name, an exclusive profile.
    Conflict,
    /// They may, but write to the same file.
    SharedState,
    /// Not a server of ours to run: a bridge to a remote one, or one in another system.
    Skip,
    /// It runs behind mcp-twin already.
    Already,
    /// Nobody can tell.
    Unknown,
}

impl TwinHint {
    /// The strategy that follows.
    #[must_use]
    pub fn strategy(self) -> Strategy {
        if self == Self::Conflict { Strategy::Handoff } else { Strategy::Overlap }
    }
}

impl fmt::Display for TwinHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SideBySide => "side-by-side",
            Self::Conflict => "conflict",
            Self::SharedState => "shared-state",
            Self::Skip => "skip",
            Self::Already => "already",
            Self::Unknown => "unknown",
        })
    }
}

impl Launch {
    /// Reads a command line that stands in `cwd`, with nothing known of home and environment.
    #[must_use]
    pub fn read(argv: &[String], cwd: &Path, look: &dyn Look) -> Self {
        Self::read_in(argv, &Place { cwd: Some(cwd), ..Place::new(look) })
    }

    /// Reads a command line in its place.
    #[must_use]
    pub fn read_in(argv: &[String], place: &Place<'_>) -> Self {
        Reading::new(place).read(argv)
    }

    /// What the watcher is to watch by default.
    #[must_use]
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Whether there is anything to watch. An installed package has nothing to reload.
    #[must_use]
    pub fn watchable(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The strategy that the command line hints at.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.twin.strategy()
    }
}

/// The script that a command line runs, if it runs one.
#[must_use]
pub fn script_path(argv: &[String], cwd: &Path, look: &dyn Look) -> Option<PathBuf> {
    Launch::read(argv, cwd, look).script
}

#[cfg(test)]
mod tests;
