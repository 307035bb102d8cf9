//! What of the state directory cannot be used by this front, found out once at its start, so that one cause is one line.

use crate::home::Home;
use std::path::{Path, PathBuf};

/// A part of the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The list of all servers.
    Servers,
    /// The front's record.
    State,
    /// Lock, address and socket.
    Socket,
    /// The log files.
    Logs,
    /// The history and the numbers of generations.
    History,
}

impl Part {
    const ALL: [Self; 5] = [Self::Servers, Self::State, Self::Socket, Self::Logs, Self::History];

    fn folder(self, home: &Home) -> PathBuf {
        match self {
            Self::Servers => home.path().to_owned(),
            Self::State => home.state(),
            Self::Socket => home.run(),
            Self::Logs => home.logs(),
            Self::History => home.history(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Servers => "list of servers",
            Self::State => "state",
            Self::Socket => "socket",
            Self::Logs => "logs",
            Self::History => "history",
        }
    }

    /// What does not work without it.
    fn without(self) -> &'static str {
        match self {
            Self::Servers => "another server may get the same name",
            Self::State => "what a killed front leaves behind is not recorded",
            Self::Socket => "`mcp-twin status`, `swap` and the other commands do not find this front",
            Self::Logs => "stderr is the only log",
            Self::History => "generations are numbered in memory",
        }
    }
}

/// What cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Off {
    parts: Vec<Part>,
    /// Each reason once, the first one first.
    why: Vec<String>,
    home: PathBuf,
}

impl Off {
    /// Makes the folders that are missing, and looks which ones cannot be written.
    pub fn find(home: &Home) -> Self {
        // What it says is said better below: folder by folder, and also of one that is there and cannot be written.
        let unsafe_home = home.ensure().err();
        let mut off = Self { home: home.path().to_owned(), ..Self::default() };
        for part in Part::ALL {
            let folder = part.folder(home);
            if let Err(why) = writable(&folder) {
                off.parts.push(part);
                // Without the home there is nothing below it: its own reason is the one.
                if off.parts[0] != Part::Servers || part == Part::Servers || folder.exists() {
                    off.why.push(format!("{}: {why}", folder.display()));
                }
            }
        }
        if let Some(error) = unsafe_home.filter(|_| off.parts.is_empty()) {
            off.why.push(error.to_string());
        }
        off
    }

    /// Whether this part is off: what follows from it needs no line of its own.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// What is off and why, what works all the same, and what to do; nothing if all is well.
    pub fn line(&self) -> Option<String> {
        if self.parts.is_empty() {
            // Open to others, say: it is used, and that is said as it is.
            return self.why.first().cloned();
        }
        let join = |words: Vec<&str>| words.join(", ");
        let words = join(self.parts.iter().map(|part| part.word()).collect());
        let without = self.parts.iter().map(|part| part.without()).collect::<Vec<_>>().join("; ");
        Some(format!(
            "the state directory cannot be written ({}), so these are off: {words}. The server runs and saves are taken all \
             the same, but {without}. Make {} a folder of yours that can be written, or set MCP_TWIN_HOME to one, then \
             reconnect the client",
            self.why.join("; "),
            self.home.display()
        ))
    }
}

/// Whether files can be made in a folder.
fn writable(folder: &Path) -> Result<(), String> {
    match std::fs::metadata(folder) {
        Ok(meta) if !meta.is_dir() => return Err("it is not a folder".to_owned()),
        Ok(_) => {}
        Err(error) => return Err(error.to_string()),
    }
    // Where permissions are no bits of the folder only a write tells.
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| std::io::Error::from(error).to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_home_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let off = Off::find(&Home::at(dir.path().join("home")));
        assert_eq!((off.line(), off.has(Part::State)), (None, false));
    }

    #[test]
    fn a_file_in_its_place_is_one_line_with_one_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home");
        std::fs::write(&path, "").unwrap();
        let off = Off::find(&Home::at(&path));
        assert!(Part::ALL.into_iter().all(|part| off.has(part)), "{off:?}");
        let line = off.line().unwrap().replace(&dir.path().display().to_string(), "");
        assert_eq!(
            line,
            "the state directory cannot be written (/home: it is not a folder), so these are off: list of servers, state, \
             socket, logs, history. The server runs and saves are taken all the same, but another server may get the same \
             name; what a killed front leaves behind is not recorded; `mcp-twin status`, `swap` and the other commands do \
             not find this front; stderr is the only log; generations are numbered in memory. Make /home a folder of yours \
             that can be written, or set MCP_TWIN_HOME to one, then reconnect the client"
        );
    }

    #[test]
    fn one_folder_that_is_bad_takes_no_other_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        std::fs::write(home.history(), "").unwrap();
        let off = Off::find(&home);
        assert_eq!(Part::ALL.map(|part| off.has(part)), [false, false, false, false, true]);
        let line = off.line().unwrap();
        assert!(line.contains("history: it is not a folder") && !line.contains("socket"), "{line}");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_open_to_others_is_said_and_used() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.ensure().unwrap();
        std::fs::set_permissions(home.run(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let off = Off::find(&home);
        assert!(!off.has(Part::Socket) && off.line().unwrap().contains("chmod 700"), "{off:?}");
    }
}
