//! This machine as detection looks at it: its files, its environment, its home.
//!
//! It reads and never writes; what is made of it is [`mcp_twin_core::detect`]'s.

use mcp_twin_core::detect::launch::Look;
use mcp_twin_core::detect::{Browse, Machine, Os};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The machine that this process runs on.
#[derive(Clone, Debug)]
pub struct ThisMachine {
    home: PathBuf,
    project: Option<PathBuf>,
}

impl ThisMachine {
    /// This machine, seen from the folder of a project. `None` if nobody knows the user's home.
    #[must_use]
    pub fn seen_from(project: Option<PathBuf>) -> Option<Self> {
        Some(Self { home: dirs::home_dir()?, project })
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of the project.
    #[must_use]
    pub fn project(&self) -> Option<&Path> {
        self.project.as_deref()
    }

    /// The machine as detection wants it.
    #[must_use]
    pub fn machine(&self) -> Machine<'_> {
        Machine {
            os: Os::named(std::env::consts::OS),
            home: &self.home,
            project: self.project.as_deref(),
            env: &variable,
            look: &Disk,
        }
    }
}

/// A variable of this process's environment. One that is not Unicode is no text that could be filled in anywhere.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The real file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Look for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn read_small(&self, path: &Path) -> Option<String> {
        const SMALL: u64 = 64 << 10;
        let mut text = String::new();
        let read = fs::File::open(path).ok()?.take(SMALL + 1).read_to_string(&mut text).ok()?;
        (read as u64 <= SMALL).then_some(text)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        // Only a project's few files are looked for; a folder of very many is none.
        const MOST: usize = 2000;
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

impl Browse for Disk {
    fn read(&self, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String> {
        // Asked before it is opened: a named pipe in this place would never answer.
        let meta = match fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(said(&error)),
        };
        if meta.is_dir() {
            return Ok(None);
        }
        if !meta.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        match fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(said(&error)),
        }
    }
}

/// What the system says, without its number.
fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_the_limit_and_what_is_no_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        fs::write(&file, "12345").unwrap();
        assert_eq!(Disk.read(&file, 9), Ok(Some(b"12345".to_vec())));
        assert_eq!(Disk.read(&file, 2), Ok(Some(b"123".to_vec())), "one more than the limit tells that it is longer");
        for absent in [dir.path().join("b"), file.join("below"), dir.path().to_owned()] {
            assert_eq!(Disk.read(&absent, 9), Ok(None), "{}", absent.display());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_would_never_answer_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert_eq!(Disk.read(&pipe, 9), Err("it is no regular file".to_owned()));
    }
}
