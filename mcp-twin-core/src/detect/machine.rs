//! The machine whose configuration is read: all that detection asks of the world, handed in.

use super::launch::{Look, path};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// A family of operating systems, as far as clients tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Linux and what is like it.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Os {
    /// The system of this name, as `std::env::consts::OS` has it; unknown ones are like Linux.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "windows" => Self::Windows,
            "macos" => Self::Macos,
            _ => Self::Linux,
        }
    }
}

/// The file system, as far as the search for configuration files needs it.
pub trait Browse: Look {
    /// The content of a file. `Ok(None)` if there is none; a file longer than `limit` may be cut off after `limit + 1`
    /// bytes, for it is refused anyway.
    ///
    /// # Errors
    /// The file is there and cannot be read; the text says why.
    fn read(&self, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String>;
}

/// The machine that is looked at.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Its system.
    pub os: Os,
    /// The user's home folder.
    pub home: &'a Path,
    /// The folder that the user stands in, if project files are asked for.
    pub project: Option<&'a Path>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The file system.
    pub look: &'a dyn Browse,
}

impl fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        f.debug_struct("Machine")
            .field("os", &self.os)
            .field("home", &self.home)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl Machine<'_> {
    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn home_text(&self) -> String {
        self.home.to_string_lossy().into_owned()
    }

    pub(super) fn project_text(&self) -> Option<String> {
        self.project.map(|project| project.to_string_lossy().into_owned())
    }

    /// The root of the repository that the project lies in.
    pub(super) fn repository(&self) -> Option<String> {
        let project = self.project_text()?;
        let root = path::ancestors(&project).find(|folder| self.exists(&path::join(folder, ".git")));
        root.map(str::to_owned)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.look.exists(Path::new(path))
    }
}
