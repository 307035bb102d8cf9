//! A user of a machine: a home with configurations of clients in it, and nothing of the real one.

use crate::cli::Report;
use crate::process;
use crate::tools;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What the commands under test see of the world: this home, this state directory, this PATH.
#[derive(Debug)]
pub struct User {
    folder: TempDir,
}

impl User {
    /// A user who has nothing.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes folders")]
    pub fn new() -> Self {
        // Short: the path of a socket is limited to 104 bytes.
        let folder = tempfile::Builder::new().prefix("mt").tempdir().expect("a temporary folder");
        let user = Self { folder };
        fs::create_dir_all(user.project()).expect("a home with a project");
        user
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// The folder that the user stands in.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.home().join("project")
    }

    /// `MCP_TWIN_HOME`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file below the home folder; `~` in the text stands for that.
    pub fn write(&self, at: &str, text: &str) -> PathBuf {
        let file = self.home().join(at);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, text.replace('~', &self.home().to_string_lossy())).expect("written");
        file
    }

    /// `mcp-twin` with these arguments, in the project folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = vec![tools::mcp_twin().to_string_lossy().into_owned()];
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.process(&words)
    }

    /// A process in the project folder that knows nothing but this user's home, and the system's programs.
    #[must_use]
    pub fn process(&self, words: &[String]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.project()).env_clear();
        command.env("HOME", self.home()).env("MCP_TWIN_HOME", self.state()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
    }

    /// Runs `mcp-twin` with these arguments and waits for its end.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Report {
        let output = self.command(arguments).stdin(Stdio::null()).output().expect("the command runs");
        Report {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether any file in the state directory holds this text.
    #[must_use]
    pub fn keeps(&self, text: &str) -> bool {
        holds(&self.state(), text)
    }
}

/// Whether any file in this folder holds this text. Links are not followed.
#[must_use]
pub fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let (path, kind) = (entry.path(), entry.file_type());
        kind.as_ref().is_ok_and(fs::FileType::is_dir) && holds(&path, text)
            || kind.is_ok_and(|kind| kind.is_file())
                && String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).contains(text)
    })
}

impl Drop for User {
    fn drop(&mut self) {
        // Only what bears this user's own state directory: a failed test must not leave processes behind.
        for seen in process::with_environment("MCP_TWIN_HOME", &self.state()) {
            process::kill(seen.pid);
        }
    }
}
