//! What the demo puts into the world, and how it all goes away again: on success, failure, panic and Ctrl-C.

use super::source::Language;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set once, by the first Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A temporary folder with the server's project, a state directory and the journal. Removed when dropped.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    language: Language,
}

/// The front (or, in tests, the server itself). Ended when dropped.
pub(crate) struct Front {
    child: Child,
}

impl Stage {
    /// Makes the folder and writes version 1.
    pub(crate) fn new(language: Language) -> io::Result<Self> {
        // Short names: the path of a socket below it has room for some 100 bytes.
        let folder = tempfile::Builder::new().prefix("mcp-twin-").tempdir()?;
        fs::create_dir(folder.path().join("demo"))?;
        let stage = Self { folder, language };
        stage.save(&language.code(1, false))?;
        Ok(stage)
    }

    /// Writes the server's file, as an editor does.
    pub(crate) fn save(&self, code: &str) -> io::Result<()> {
        fs::write(self.project().join(self.language.file), code)
    }

    /// The state directory of the demo's front.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// The whole folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How the server is started.
    pub(crate) fn server(&self) -> [String; 2] {
        [self.language.program.to_owned(), self.language.file.to_owned()]
    }

    /// What the server is written in.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// Starts `program` with `arguments` in the project's folder, with pipes to it.
    pub(crate) fn start(&self, program: &Path, arguments: &[String]) -> io::Result<(Front, ChildStdin, ChildStdout)> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.project()).env_remove("MCP_TWIN_DISABLE");
        command.env("MCP_TWIN_HOME", self.home()).env("MCP_TWIN_DEMO_JOURNAL", self.journal());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(fs::File::create(self.errors())?);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let front = Front { child };
        let (input, output) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
        Ok((front, input, output))
    }

    /// How many calls the server began, and how many of them more than once.
    pub(crate) fn runs(&self) -> io::Result<(usize, usize)> {
        let journal = match fs::read_to_string(self.journal()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut calls: Vec<&str> = journal.lines().collect();
        let begun = calls.len();
        calls.sort_unstable();
        calls.dedup();
        Ok((calls.len(), begun - calls.len()))
    }

    /// The end of what the front wrote to its stderr.
    pub(crate) fn stderr_tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = fs::File::open(self.errors())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(32 << 10)))?;
            let mut bytes = Vec::new();
            file.take(32 << 10).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// Leaves the folder where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    fn project(&self) -> PathBuf {
        self.path().join("demo")
    }

    fn journal(&self) -> PathBuf {
        self.path().join("journal")
    }

    fn errors(&self) -> PathBuf {
        self.path().join("stderr")
    }
}

impl Front {
    /// The most memory that it ever used, in KiB; `None` where the system does not say.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }

    /// Waits until it has ended by itself (its stdin is closed), at most `patience`.
    pub(crate) fn ended(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) => return true,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                _ => return false,
            }
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // A front ends its twins within 3.6 s of the end of its stdin; killed, it would leave that to the system.
        if !self.ended(Duration::from_secs(5)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Makes Ctrl-C and TERM end the demo in good order instead of at once.
pub(crate) fn catch_interrupts() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        // Without a runtime Ctrl-C ends the process as it always does.
        let Ok(runtime) = runtime else { return };
        if runtime.block_on(interrupt()).is_ok() {
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
}

/// Whether the demo is to end now.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

#[cfg(unix)]
async fn interrupt() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupt() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::client::{Client, Tool};
    use crate::demo::source::LANGUAGES;

    fn never() -> bool {
        false
    }

    /// The demo's client against the demo's server, with nothing between.
    fn directly(language: Language) {
        let patience = Duration::from_secs(30);
        let stage = Stage::new(language).expect("a stage");
        stage.save(&language.code(7, true)).expect("saved");
        let [program, file] = stage.server();
        let (mut front, input, output) = stage.start(Path::new(&program), &[file]).expect("started");
        let client = Client::new(input, output);
        assert_eq!(client.open(patience, never), Ok(["version", "slow", "shout"].map(str::to_owned).to_vec()));
        let slow = client.call(Tool::Slow);
        let quick: Vec<u64> = (0..20).map(|_| client.call(Tool::Version)).collect();
        client.wait(patience, never, |ledger| (ledger.unanswered() == 0).then_some(())).expect("all answered");
        let ledger = client.ledger();
        assert!(ledger.answers.iter().all(|answer| answer.version == 7));
        assert_eq!(ledger.answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), [quick, vec![slow]].concat());
        assert!(ledger.failed.is_empty() && ledger.strays.is_empty() && ledger.notes.is_empty());
        drop(ledger);
        assert_eq!(stage.runs().expect("read"), (21, 0));
        assert!(stage.stderr_tail().contains("demo server v7 starts"));
        let folder = stage.path().to_owned();
        drop(client);
        assert!(front.ended(patience), "it ends with its stdin");
        drop(stage);
        assert!(!folder.exists());
    }

    #[test]
    fn client_and_server_understand_each_other() {
        directly(Language::find().expect("python3 or node"));
    }

    #[test]
    fn the_node_server_is_as_good() {
        let [.., node] = LANGUAGES;
        if node.works() {
            directly(node);
        }
    }

    #[test]
    fn broken_code_does_not_start() {
        let language = Language::find().expect("python3 or node");
        let stage = Stage::new(language).expect("a stage");
        stage.save(&language.broken(2)).expect("saved");
        let [program, file] = stage.server();
        let (mut front, _input, _output) = stage.start(Path::new(&program), &[file]).expect("started");
        assert!(front.ended(Duration::from_secs(30)));
        assert!(stage.stderr_tail().contains("SyntaxError"), "{}", stage.stderr_tail());
    }

    #[test]
    fn a_call_that_ran_twice_is_seen() {
        let stage = Stage::new(LANGUAGES[0]).expect("a stage");
        fs::write(stage.journal(), "1\n2\n3\n2\n2\n").expect("written");
        assert_eq!(stage.runs().expect("read"), (3, 2));
    }

    #[test]
    fn nothing_is_left_behind_on_a_panic() {
        let folder = std::panic::catch_unwind(|| {
            let stage = Stage::new(LANGUAGES[0]).expect("a stage");
            std::panic::resume_unwind(Box::new(stage.path().to_owned()));
        });
        let folder = *folder.expect_err("it panicked").downcast::<PathBuf>().expect("a path");
        assert!(!folder.exists());
    }
}
