//! The machine as it is: its file system, the user's home folder and the environment, as `mcp_twin_core::detect` asks for
//! them. Reads, and never waits for what is no file.

use crate::home::HomeError;
use mcp_twin_core::detect::launch::Look;
use mcp_twin_core::detect::{Browse, Machine, Os};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The machine that this process runs on, for one user who stands in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThisMachine {
    home: PathBuf,
    project: Option<PathBuf>,
}

impl ThisMachine {
    /// For this user; `project` is the folder whose project files are asked for, and should be absolute.
    ///
    /// # Errors
    /// No home folder is known.
    pub fn new(project: Option<PathBuf>) -> Result<Self, HomeError> {
        let home = dirs::home_dir().ok_or(HomeError::Unknown)?;
        Ok(Self { home, project })
    }

    /// As detection asks for it.
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

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The real file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        let absent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        // Before it is opened: the opening of a pipe waits for somebody who writes.
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(metadata) if metadata.is_dir() => return Err("it is a folder".to_owned()),
            Ok(_) => return Err("it is not a regular file".to_owned()),
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        match fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_far_as_asked_and_one_byte_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        assert_eq!(Disk.read(&file, 4), Ok(None));
        assert_eq!(Disk.read(&file.join("below"), 4), Ok(None));
        fs::write(&file, "123456").unwrap();
        assert_eq!(Disk.read(&file, 4), Ok(Some(b"12345".to_vec())));
        assert_eq!(Disk.read(&file, 6), Ok(Some(b"123456".to_vec())));
        assert_eq!(Disk.read(&file.join("below"), 4), Ok(None));
        assert!(Disk.read(folder.path(), 4).is_err_and(|why| why.contains("folder")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("mcp.json");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(Disk.read(&pipe, 4).is_err_and(|why| why.contains("regular")));
    }

    #[test]
    fn the_machine_is_this_one() {
        let here = ThisMachine { home: "/h".into(), project: Some("/p".into()) };
        let machine = here.machine();
        assert_eq!((machine.home, machine.project), (Path::new("/h"), Some(Path::new("/p"))));
        assert_eq!((machine.env)("PATH"), std::env::var("PATH").ok());
        assert_eq!((machine.env)("MCP_TWIN_NO_SUCH_VARIABLE"), None);
    }
}
