//! A configuration file on disk: read whole, and replaced whole unless somebody else wrote it meanwhile.

use super::WiringError;
use super::step::{Step, reached};
use crate::files;
use mcp_twin_core::wire::MOST;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The file that a path leads to, and what it held.
#[derive(Debug)]
pub(super) struct Target {
    /// Without links.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    meta: Metadata,
}

/// How a replacement ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// The new text stands there.
    Done,
    /// Somebody wrote the file since it was read: it is as they left it.
    Changed,
}

impl Target {
    /// Reads what `path` leads to, and sees whether it can be replaced.
    pub(super) fn open(path: &Path) -> Result<Self, WiringError> {
        let real = resolve(path)?;
        let (bytes, meta) = read(&real)?;
        if meta.permissions().readonly() {
            return Err(WiringError::ReadOnly(real));
        }
        // Root may write anywhere: the mode says what is meant to be written.
        let folder = real.parent().unwrap_or(&real);
        if cfg!(unix) && fs::metadata(folder).is_ok_and(|meta| meta.permissions().readonly()) {
            return Err(WiringError::FolderReadOnly(folder.to_owned()));
        }
        #[cfg(unix)]
        if let links @ 2.. = std::os::unix::fs::MetadataExt::nlink(&meta) {
            return Err(WiringError::HardLinked { file: real, links });
        }
        Ok(Self { path: real, bytes, meta })
    }

    /// Puts `text` in the place of what was read, if that still stands there. `mark` names the temporary file.
    pub(super) fn replace(&self, text: &[u8], mark: &str) -> Result<Replaced, WiringError> {
        let temporary = temporary(&self.path, mark);
        let result = self.write(&temporary, text).and_then(|()| {
            reached(Step::Written);
            let (now, _) = read(&self.path)?;
            if now != self.bytes {
                return Ok(Replaced::Changed);
            }
            reached(Step::Compared);
            files::rename(&temporary, &self.path).map_err(WiringError::io("replace", &self.path))?;
            reached(Step::Renamed);
            files::sync_folder(&self.path);
            Ok(Replaced::Done)
        });
        if !matches!(result, Ok(Replaced::Done)) {
            let _ = fs::remove_file(&temporary);
        }
        result
    }

    fn write(&self, temporary: &Path, text: &[u8]) -> Result<(), WiringError> {
        // One of a change that did not end.
        let _ = fs::remove_file(temporary);
        let mut file = files::create_private(temporary).map_err(|error| {
            let folder = temporary.parent().unwrap_or(temporary);
            match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    WiringError::FolderReadOnly(folder.to_owned())
                }
                _ => WiringError::io("write", temporary)(error),
            }
        })?;
        let written = file.write_all(text).and_then(|()| self.dress(&file)).and_then(|()| file.sync_all());
        written.map_err(WiringError::io("write", temporary))
    }

    /// Gives the new file the owner and the mode of the old one.
    fn dress(&self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let mine = file.metadata()?;
            if (mine.uid(), mine.gid()) != (self.meta.uid(), self.meta.gid()) {
                // Only root can give a file away; for anybody else it is theirs, and as readable as it was.
                let _ = std::os::unix::fs::fchown(file, Some(self.meta.uid()), Some(self.meta.gid()));
            }
        }
        file.set_permissions(self.meta.permissions())
    }
}

/// Removes what a change under this mark may have left beside the file when it was cut off.
pub(super) fn sweep(path: &Path, mark: &str) {
    let _ = fs::remove_file(temporary(path, mark));
}

/// The file that a path leads to: the link stays, and what it points to is replaced.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, WiringError> {
    fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => match fs::read_link(path) {
            Ok(target) => {
                let target = path.parent().map_or(target.clone(), |folder| folder.join(&target));
                WiringError::Dangling { link: path.to_owned(), target }
            }
            Err(_) => WiringError::Missing(path.to_owned()),
        },
        _ => WiringError::io("find", path)(error),
    })
}

fn read(path: &Path) -> Result<(Vec<u8>, Metadata), WiringError> {
    // A pipe would be waited for without end.
    if !fs::metadata(path).map_err(WiringError::io("read", path))?.is_file() {
        return Err(WiringError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(WiringError::io("read", path))?;
    let meta = file.metadata().map_err(WiringError::io("read", path))?;
    if !meta.is_file() {
        return Err(WiringError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(WiringError::io("read", path))?;
    if bytes.len() > MOST {
        return Err(WiringError::TooLarge { file: path.to_owned(), most: MOST });
    }
    Ok((bytes, meta))
}

fn temporary(path: &Path, mark: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.mcp-twin-{mark}.tmp"))
}
