//! A throwaway home and project for one client: nothing of the person's own is read or written, and nothing is left.

use super::client::Client;
use crate::exec::{Result, fail, output, program, root, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A tool that only the server of a stage has.
pub(super) const OWN_TOOL: &str = "only_for_clients";

/// How long a server and its front may live when their client is gone.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who started the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The client itself.
    Bare,
    /// A front: it is a twin.
    Twin,
}

pub(super) struct Stage {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Stage {
    /// A home that is empty but for what the client is given, and a project with the fixture server in it.
    pub(super) fn new(client: &Client) -> Result<Self> {
        // Outside of the repository: its configurations and its root would count, else.
        let folder = tempfile::Builder::new().prefix("mcp-twin-clients-").tempdir()?;
        let path = folder.path().canonicalize()?;
        let stage = Self { folder: Some(folder), path };
        for folder in ["home", "project", "tmp"] {
            fs::create_dir(stage.path.join(folder))?;
        }
        if let Some((file, text)) = client.prepared {
            let file = stage.home().join(file);
            fs::create_dir_all(file.parent().unwrap_or(&stage.path))?;
            fs::write(file, text)?;
        }
        let (file, empty) = (root().join("tests/fixtures/servers/plain_server.py"), "EXTRA_TOOLS = []");
        let code = fs::read_to_string(&file)?;
        if !code.contains(empty) {
            return fail(format!("{} has no `{empty}` to edit", file.display()));
        }
        let code = code.replace(empty, &format!("EXTRA_TOOLS = [\"{OWN_TOOL}\"]"));
        fs::write(stage.server(), noting_starts(&stage.starts_file()) + &code)?;
        fs::write(stage.path.join("project/pyproject.toml"), "[project]\nname = \"clients\"\nversion = \"1\"\n")?;
        Ok(stage)
    }

    /// The script of the server.
    pub(super) fn server(&self) -> PathBuf {
        self.path.join("project/server.py")
    }

    /// A command in the project, with this home and next to nothing else in its environment.
    pub(super) fn command(&self, words: &[PathBuf], client: &Client) -> Result<Command> {
        let Some((program, arguments)) = words.split_first() else { return fail("no program to start") };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path.join("project")).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(tools().join("bin")).chain(std::env::split_paths(&path));
        match std::env::join_paths(path) {
            Ok(path) => command.env("PATH", path),
            Err(error) => return fail(format!("$PATH cannot be handed on: {error}")),
        };
        command.env("HOME", self.home()).env("TMPDIR", self.path.join("tmp")).env("LANG", "C.UTF-8");
        command.envs(client.environment.iter().copied());
        Ok(command)
    }

    /// The client's configuration, as it is now.
    pub(super) fn configuration(&self, client: &Client) -> Result<Vec<u8>> {
        let path = |file: &&str| self.home().join(file);
        match client.files.iter().map(path).find(|path| path.is_file()) {
            Some(path) => Ok(fs::read(path)?),
            None => fail(format!("{} wrote no configuration: there is no {}", client.name, client.files.join(", no "))),
        }
    }

    /// The file that the project shares, if it is one of this client's.
    pub(super) fn shared(&self, client: &Client) -> Result<Option<Vec<u8>>> {
        let Some(file) = client.shared else { return Ok(None) };
        Ok(Some(fs::read(self.path.join("project").join(file))?))
    }

    /// Who started the server since the last time that this was asked.
    pub(super) fn starts(&self) -> Result<Vec<Start>> {
        let file = self.starts_file();
        if !file.exists() {
            return Ok(Vec::new());
        }
        let starts = fs::read_to_string(&file)?;
        fs::remove_file(file)?;
        Ok(starts.lines().map(|line| if line == "twin" { Start::Twin } else { Start::Bare }).collect())
    }

    /// Waits until the server and its front are gone, and ends what else the client has left.
    pub(super) fn settle(&self) -> Result {
        let begin = Instant::now();
        loop {
            let left = self.processes();
            let ours: Vec<&Process> = left.iter().filter(|process| process.is_ours()).collect();
            if ours.is_empty() {
                left.iter().for_each(Process::kill);
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let lines: Vec<&str> = ours.iter().map(|process| process.line.as_str()).collect();
                let why = format!("still there {} s after the client: {}", PATIENCE.as_secs(), lines.join("; "));
                left.iter().for_each(Process::kill);
                return fail(why);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the fronts have logged.
    pub(super) fn log(&self) -> String {
        let folders = fs::read_dir(self.home().join(".mcp-twin/logs")).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        let log: String = files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
        // One file for each front; each line begins with its time.
        let mut lines: Vec<&str> = log.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// A file of its own, beside home and project.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves the folder where it is.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.folder.take().map_or_else(|| self.path.clone(), TempDir::keep)
    }

    fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    fn starts_file(&self) -> PathBuf {
        self.path.join("starts")
    }

    /// All processes of this home. Found on Linux only.
    fn processes(&self) -> Vec<Process> {
        let home = [b"HOME=", self.home().as_os_str().as_encoded_bytes()].concat();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let of_home = |pid: &u32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == home))
        };
        pids.filter(of_home).filter_map(Process::of).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.processes().iter().for_each(Process::kill);
    }
}

/// Makes the server note who started it: a twin has its front's token.
fn noting_starts(file: &Path) -> String {
    let file = serde_json::Value::from(file.to_string_lossy());
    format!(
        "import os\nwith open({file}, \"a\") as starts:\n    \
         starts.write(\"twin\\n\" if \"MCP_TWIN_TOKEN\" in os.environ else \"bare\\n\")\n"
    )
}

struct Process {
    pid: u32,
    line: String,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        Some(Self { pid, line })
    }

    /// A server or a front, rather than something of the client's own.
    fn is_ours(&self) -> bool {
        self.line.contains("/project/server.py")
    }

    fn kill(&self) {
        let _ = output(&mut program("kill", ["-KILL".to_owned(), self.pid.to_string()]));
    }
}
