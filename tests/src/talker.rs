//! The clients on official SDKs: programs that keep calls in flight, or that a test leads, while it swaps the server
//! under them.

use crate::project::Project;
use crate::tools;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// Which SDK the client is on, and how it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// Python, as it does by default: modern where the server is, else `initialize`.
    PythonAuto,
    /// Python, with `initialize`.
    PythonLegacy,
    /// TypeScript, version 1: `initialize`.
    TypeScript,
    /// TypeScript, version 2, as it does by default: `initialize`.
    TypeScript2Legacy,
    /// TypeScript, version 2: modern where the server is, which it finds out with a process of its own.
    TypeScript2Auto,
    /// rmcp, as it does by default: `initialize`.
    RmcpLegacy,
    /// rmcp: modern where the server is.
    RmcpAuto,
    /// rmcp: modern or not at all.
    RmcpModern,
}

impl Sdk {
    /// The client's process, with these options of its own, that will talk to `command`.
    #[must_use]
    pub fn process(self, project: &Project, options: &[&str], command: &[String]) -> Command {
        self.running(project, "sdk_client", options, command)
    }

    fn running(self, project: &Project, script: &str, options: &[&str], command: &[String]) -> Command {
        let mut words = self.words(project, script);
        words.extend(options.iter().map(|option| (*option).to_owned()));
        words.push("--".to_owned());
        words.extend(command.iter().cloned());
        project.process(&words)
    }

    /// The same, talking to the server at this URL.
    #[must_use]
    pub fn process_over_http(self, project: &Project, options: &[&str], url: &str) -> Command {
        self.connecting(project, "sdk_client", options, url)
    }

    fn connecting(self, project: &Project, script: &str, options: &[&str], url: &str) -> Command {
        let mut words = self.words(project, script);
        words.extend(options.iter().chain(&["--url", url]).map(|option| (*option).to_owned()));
        project.process(&words)
    }

    fn words(self, project: &Project, script: &str) -> Vec<String> {
        let python = || vec![tools::sdk_python(), tools::fixture("clients").join(script).with_extension("py")];
        let node = |modules| vec![tools::node(), beside(project, modules, &format!("{script}.mjs"))];
        let (program, mode) = match self {
            Self::PythonAuto => (python(), "--mode auto"),
            Self::PythonLegacy => (python(), "--mode legacy"),
            Self::TypeScript => (node(tools::typescript_modules()), "--sdk 1"),
            Self::TypeScript2Legacy => (node(tools::typescript2_modules()), "--sdk 2"),
            Self::TypeScript2Auto => (node(tools::typescript2_modules()), "--sdk 2 --mode auto"),
            Self::RmcpLegacy => (vec![tools::built("rmcp-client")], "--mode legacy"),
            Self::RmcpAuto => (vec![tools::built("rmcp-client")], "--mode auto"),
            Self::RmcpModern => (vec![tools::built("rmcp-client")], "--mode modern"),
        };
        let words = program.iter().map(|word| word.display().to_string());
        words.chain(mode.split(' ').map(str::to_owned)).collect()
    }
}

/// The client's script in a folder of the test, beside the modules that it needs.
fn beside(project: &Project, modules: PathBuf, name: &str) -> PathBuf {
    let folder = project.home().with_file_name("client");
    let script = folder.join(name);
    if !script.exists() {
        fs::create_dir_all(&folder).expect("a folder for the client");
        #[cfg(unix)]
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).expect("a link");
        fs::copy(tools::fixture("clients").join(name), &script).expect("the client");
    }
    script
}

/// A running client.
#[derive(Debug)]
pub struct Talker {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Talker {
    /// Starts a client, with these options of its own, that talks to `command`.
    #[must_use]
    pub fn start(project: &Project, sdk: Sdk, options: &[&str], command: &[String]) -> Self {
        Self::spawn(sdk.process(project, options, command))
    }

    /// Starts a client, with these options of its own, that talks to the server at this URL.
    #[must_use]
    pub fn connect(project: &Project, sdk: Sdk, options: &[&str], url: &str) -> Self {
        Self::spawn(sdk.process_over_http(project, options, url))
    }

    /// Starts a client that does what it is told (`open_client`) and talks to `command`.
    #[must_use]
    pub fn lead(project: &Project, sdk: Sdk, command: &[String]) -> Self {
        Self::spawn(sdk.running(project, "open_client", &[], command))
    }

    /// The same, talking to the server at this URL.
    #[must_use]
    pub fn lead_over_http(project: &Project, sdk: Sdk, url: &str) -> Self {
        Self::spawn(sdk.connecting(project, "open_client", &[], url))
    }

    fn spawn(mut process: Command) -> Self {
        let mut child = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits until the client prints this line.
    pub fn await_line(&mut self, wanted: &str) {
        if let Some(at) = self.seen.iter().position(|line| line == wanted) {
            self.seen.remove(at);
            return;
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == wanted => return,
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("the client never said `{wanted}` ({error}); it said {:?}", self.seen),
            }
        }
    }

    /// Tells a led client to do something.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().expect("a pipe"), "{line}").expect("the client listens");
    }

    /// Waits until a led client says this word about this key, and takes what it says; at once if it has been said. Fails
    /// the test when it is told that something about the key failed.
    pub fn hear(&mut self, word: &str, key: &str) -> Value {
        let about = |line: &str, word: &str| {
            let said = serde_json::from_str::<Value>(line.strip_prefix(word)?).ok()?;
            (said["key"] == key).then_some(said)
        };
        if let Some((at, said)) = self.seen.iter().enumerate().find_map(|(at, line)| Some((at, about(line, word)?))) {
            self.seen.remove(at);
            return said;
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("the client never said `{word}` about `{key}` ({error}); it said {:?}", self.seen)
            });
            if let Some(said) = about(&line, word) {
                return said;
            }
            assert!(about(&line, "failed").is_none(), "`{word}` about `{key}` was wanted: {line}");
            self.seen.push(line);
        }
    }

    /// Tells the client to finish, and gives back its report; what it said and nobody waited for stands there as `unheard`.
    #[must_use]
    pub fn stop(mut self) -> Value {
        writeln!(self.child.stdin.take().expect("a pipe"), "stop").expect("the client listens");
        let mut report: Value = loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with('{') => break serde_json::from_str(&line).expect("a report"),
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("the client made no report ({error}); it said {:?}", self.seen),
            }
        };
        let status = until("the end of the client", || self.child.try_wait().expect("a child of ours"));
        assert!(status.success(), "the client ended with {status}");
        report["unheard"] = std::mem::take(&mut self.seen).into();
        report
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
