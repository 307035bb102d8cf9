//! The packages, installed into a fresh project: what a person who ran `npm i mcp-twin` has.

use crate::bounded::{self, Said};
use crate::exec::{Result, fail, output, program, root, tools};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// How long npm may take, which looks for the packages of other platforms in its registry.
const INSTALLING: Duration = Duration::from_secs(300);

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client says first.
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"xtask","version":"1"}}}"#;

/// Installs the packages and tries the command.
pub(super) fn check(packages: &[PathBuf], platform: &str, addon: bool) -> Result {
    let project = Project::new(packages)?;
    let native = project.path.join("node_modules").join(format!("mcp-twin-{platform}"));
    if addon {
        let file = native.join(format!("mcp-twin.{platform}.node"));
        if !file.is_file() {
            return fail(format!("{} is not there: the addon is not in the package", file.display()));
        }
        project.ends_with(0, &["node", "-e", "require('mcp-twin')"])?;
    }
    let version = project.run(&["npx", "mcp-twin", "--version"])?;
    let wanted = format!("mcp-twin {}", env!("CARGO_PKG_VERSION"));
    if version.stdout.trim() != wanted {
        return fail(format!("`npx mcp-twin --version` says {:?} and not {wanted:?}", version.stdout));
    }
    project.ends_with(5, &["npx", "mcp-twin", "status"])?;
    let mut looked_at = Vec::new();
    for node in nodes() {
        let version = output(Command::new(&node).arg("--version"))?.trim().to_owned();
        if looked_at.contains(&version) {
            continue;
        }
        let launcher = project.path.join("node_modules/mcp-twin/bin/mcp-twin.js");
        let words = [node.to_string_lossy(), launcher.to_string_lossy()];
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        project.ends_with(5, &[&words[..], &["status"]].concat())?;
        project.ends_with(2, &[&words[..], &["no-such-command"]].concat())?;
        let how = if cfg!(unix) { project.serves(&words, &native)? } else { "not tried" };
        println!("installed: Node {version}: {how}");
        looked_at.push(version);
    }
    Ok(())
}

/// The Nodes of this machine: the person's own, and that of the tools.
fn nodes() -> Vec<PathBuf> {
    let own = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let name = if cfg!(windows) { "node.exe" } else { "node" };
    own.map(|folder| folder.join(name)).chain([tools().join("bin").join(name)]).filter(|node| node.is_file()).collect()
}

/// A project into which they are installed, with a home of its own.
struct Project {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Project {
    fn new(packages: &[PathBuf]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mcp-twin-npm-").tempdir()?;
        let path = folder.path().canonicalize()?;
        let project = Self { _folder: folder, path };
        fs::write(project.path.join("package.json"), "{\"private\": true}\n")?;
        fs::copy(root().join("tests/fixtures/servers/plain_server.py"), project.path.join("server.py"))?;
        let mut command = super::npm();
        // Without a registry it goes on at once: the packages of other platforms are not needed.
        let flags = ["--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=10000"];
        command.args(["install", "--ignore-scripts"]).args(flags).args(packages).current_dir(&project.path);
        let said = bounded::run(command, INSTALLING)?;
        if said.status.success() {
            return Ok(project);
        }
        fail(format!(
            "`npm i --ignore-scripts` of the packages ended with {}:\n{}{}",
            said.status, said.stdout, said.stderr
        ))
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let Some((program, arguments)) = words.split_first() else { return fail("no program to start") };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.path).env("MCP_TWIN_HOME", self.path.join("state"));
        command.env_remove("MCP_TWIN_BIN").env_remove("MCP_TWIN_DISABLE");
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<Said> {
        bounded::run(self.command(words)?, PATIENCE)
    }

    fn ends_with(&self, status: i32, words: &[&str]) -> Result {
        let said = self.run(words)?;
        if said.status.code() == Some(status) {
            return Ok(());
        }
        fail(format!(
            "`{}` ended with {} and not with {status}:\n{}{}",
            words.join(" "),
            said.status,
            said.stdout,
            said.stderr
        ))
    }

    /// A front started by the launcher: it answers, a signal to the launcher ends it in order, and where the launcher stands
    /// before the program it ends by the signal that ended that one. Says which of both it was.
    fn serves(&self, launcher: &[&str], native: &Path) -> Result<&'static str> {
        let words = [launcher, &["run", "--", "python3", "server.py"]].concat();
        let mut front = Running::start(self.command(&words)?)?;
        front.answers()?;
        let replaced =
            fs::read_link(format!("/proc/{}/exe", front.child.id())).is_ok_and(|exe| exe.starts_with(native));
        front.signal("TERM", front.child.id())?;
        let status = front.end()?;
        if status.code() != Some(0) {
            return fail(format!("a launcher that was told to end ended with {status} and not with the front's own 0"));
        }
        if replaced || !Path::new("/proc/self/task").exists() {
            return Ok(if replaced { "becomes the program" } else { "serves, and ends as it is told" });
        }
        let mut front = Running::start(self.command(&words)?)?;
        front.answers()?;
        let id = front.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            front.signal("KILL", child)?;
        }
        let status = front.end()?;
        if !by_signal(status, 9) {
            return fail(format!("the program was ended by signal 9, and the launcher ended with {status}"));
        }
        Ok("stands before the program")
    }
}

#[cfg(unix)]
fn by_signal(status: ExitStatus, signal: i32) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(signal)
}

#[cfg(not(unix))]
fn by_signal(_status: ExitStatus, _signal: i32) -> bool {
    false
}

/// A command that runs until it is ended, and is ended with this.
struct Running {
    child: Child,
}

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Self { child: command.spawn()? })
    }

    /// Opens a session and waits for the answer.
    fn answers(&mut self) -> Result {
        let (Some(input), Some(out)) = (self.child.stdin.as_mut(), self.child.stdout.take()) else {
            return fail("it has no streams");
        };
        writeln!(input, "{INITIALIZE}")?;
        let (sender, line) = sync_channel(1);
        // Reads on, so that nobody is held up who writes more.
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(|line| line.ok()).for_each(|line| drop(sender.try_send(line)))
        });
        match line.recv_timeout(PATIENCE) {
            Ok(line) if line.contains("serverInfo") => Ok(()),
            Ok(line) => fail(format!("it answered {line}")),
            Err(_) => fail(format!("it did not answer within {PATIENCE:?}")),
        }
    }

    fn signal(&self, name: &str, process: u32) -> Result {
        output(&mut program("kill", [format!("-{name}"), process.to_string()])).map(drop)
    }

    fn end(&mut self) -> Result<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        fail(format!("it did not end within {PATIENCE:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its end of stdin is what ends a front behind a launcher that is killed.
        self.child.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
