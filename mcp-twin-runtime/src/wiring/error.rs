//! Why a configuration on disk could not be changed.

use crate::files::FileError;
use crate::home::HomeError;
use mcp_twin_core::wire::WireError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a configuration on disk could not be changed, or its change not be undone. The file is then as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    /// The text does not allow it.
    #[error("{}: {source}", .file.display())]
    Text {
        /// The file.
        file: PathBuf,
        /// Why.
        source: WireError,
    },
    /// There is no such file.
    #[error("there is no file {}; start its client once, or check the path", .0.display())]
    Missing(PathBuf),
    /// It is a link that leads nowhere.
    #[error("{} is a link to {}, which is not there; restore that file, or remove the link", .link.display(), .target.display())]
    Dangling {
        /// The link.
        link: PathBuf,
        /// Where it points to.
        target: PathBuf,
    },
    /// It is a folder, a device or something else.
    #[error("{} is not a regular file; name the configuration file itself", .0.display())]
    NotAFile(PathBuf),
    /// The file may not be written.
    #[error("{} is read-only; it may be managed by something else: change it there, or allow writing (chmod u+w), then try again", .0.display())]
    ReadOnly(PathBuf),
    /// The folder may not be written, so no new file can take the place of the old one.
    #[error("the folder {} cannot be written, so the file in it cannot be replaced; allow writing there, then try again", .0.display())]
    FolderReadOnly(PathBuf),
    /// The file has other names, which would keep the old content.
    #[error("{} has {links} names (hard links), of which only this one would change; change it by hand, or make the others symbolic links", .file.display())]
    HardLinked {
        /// The file.
        file: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// It is larger than what is edited.
    #[error("{} is larger than {most} bytes, which is more than a configuration has; make it smaller, or change it by hand", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The most that is edited.
        most: usize,
    },
    /// Its client keeps writing it.
    #[error("{} was changed by another program each of the {tries} times it was about to be replaced; close its client, then try again", .file.display())]
    Busy {
        /// The file.
        file: PathBuf,
        /// How often it was tried.
        tries: u32,
    },
    /// Nothing is known of such a change.
    #[error("nothing was wired under the id {0}; `list` shows what was")]
    Unknown(String),
    /// The journal cannot be read.
    #[error("{} cannot be read as the journal of what was wired ({why}); move it away, and restore from {} what is needed", .path.display(), .backups.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Why.
        why: String,
        /// Where the files are as they were before.
        backups: PathBuf,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file of the state directory cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// What the system said.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl WiringError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Text { source, .. } => source.code(),
            Self::Missing(_) => "wiring::missing",
            Self::Dangling { .. } => "wiring::dangling",
            Self::NotAFile(_) => "wiring::not_a_file",
            Self::ReadOnly(_) => "wiring::read_only",
            Self::FolderReadOnly(_) => "wiring::folder_read_only",
            Self::HardLinked { .. } => "wiring::hard_linked",
            Self::TooLarge { .. } => "wiring::too_large",
            Self::Busy { .. } => "wiring::busy",
            Self::Unknown(_) => "wiring::unknown",
            Self::Journal { .. } => "wiring::journal",
            Self::Home(_) => "wiring::home",
            Self::File(FileError::Locked { .. }) => "wiring::locked",
            Self::File(FileError::Newer { .. }) => "wiring::newer",
            Self::File(_) => "wiring::state",
            Self::Io { .. } => "wiring::io",
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(super) fn text(file: &Path) -> impl FnOnce(WireError) -> Self {
        let file = file.to_owned();
        move |source| Self::Text { file, source }
    }
}
