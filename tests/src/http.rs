//! Servers over HTTP, bare and behind `mcp-twin serve`: how each is started, where it listens, and how it ends.

use crate::client::Client;
use crate::http_client::HttpClient;
use crate::process;
use crate::project::Project;
use crate::server::Server;
use crate::tools;
use crate::wait::{PATIENCE, until};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

/// Which server over HTTP a project holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// On Python's standard library: both eras, and whatever its constants make of it.
    Plain,
    /// On the official Python SDK: both eras, with sessions.
    PythonSdk,
    /// On the official TypeScript SDK, version 1, with Express: legacy, with sessions.
    TypeScriptSdk,
    /// On the official TypeScript SDK, version 2: both eras, without sessions.
    TypeScriptSdk2,
    /// On the official Python SDK, with a tool for each thing that can be open at a swap: both eras, with sessions.
    PythonOpen,
    /// The same on the official TypeScript SDK, version 1: legacy, with sessions.
    TypeScriptOpen,
    /// On the official TypeScript SDK, version 2, with what the modern era alone has.
    TypeScript2Open,
    /// `@modelcontextprotocol/server-everything`: legacy, with sessions, an unknown one of which gets 400. It takes its port
    /// from the environment only.
    Everything,
    /// The fixture of the conformance suite: on the Python SDK, with everything that the suite asks for.
    Conformance,
}

impl Http {
    /// The name of the file that a test edits.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Plain | Self::PythonSdk | Self::PythonOpen | Self::Conformance => "server.py",
            Self::TypeScriptSdk | Self::TypeScriptSdk2 | Self::TypeScriptOpen | Self::TypeScript2Open => "server.mjs",
            Self::Everything => "eyes.mjs",
        }
    }

    /// Its code, seen from the folder of the fixture servers.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Plain => "http_server.py",
            Self::PythonSdk => "sdk_server.py",
            Self::TypeScriptSdk => "sdk_server.mjs",
            Self::TypeScriptSdk2 => "sdk_server2.mjs",
            Self::PythonOpen => "open_server.py",
            Self::TypeScriptOpen => "open_server.mjs",
            Self::TypeScript2Open => "open_server2.mjs",
            Self::Everything => "everything_eyes.mjs",
            Self::Conformance => "../../conformance/fixture_server.py",
        }
    }

    /// The command that runs it, with `{port}` for the port.
    #[must_use]
    pub fn command(self, file: &Path) -> Vec<PathBuf> {
        let program = match self {
            Self::Plain => "python3".into(),
            Self::PythonSdk | Self::PythonOpen | Self::Conformance => tools::sdk_python(),
            Self::TypeScriptSdk
            | Self::TypeScriptSdk2
            | Self::TypeScriptOpen
            | Self::TypeScript2Open
            | Self::Everything => tools::node(),
        };
        if self == Self::Everything {
            return vec![program, "--import".into(), file.into(), tools::everything(), "streamableHttp".into()];
        }
        vec![program, file.into(), "--port".into(), "{port}".into()]
    }

    /// The `node_modules` folder that has to lie beside the file.
    #[must_use]
    pub fn modules(self) -> Option<PathBuf> {
        match self {
            Self::TypeScriptSdk | Self::TypeScriptOpen => Server::TypeScriptSdk.modules(),
            Self::TypeScriptSdk2 | Self::TypeScript2Open => Server::TypeScriptSdk2.modules(),
            _ => None,
        }
    }

    /// Whether it serves the modern era too.
    #[must_use]
    pub fn modern(self) -> bool {
        !matches!(self, Self::TypeScriptSdk | Self::TypeScriptOpen | Self::Everything)
    }
}

/// What a bare server says on stderr before its URL.
const BARE: &str = "listening on ";

/// What a front says on stderr before its URL.
const FRONT: &str = " listens on ";

/// A process that serves HTTP and has said where. Its process group is killed when this is dropped.
#[derive(Debug)]
pub struct Served {
    child: Mutex<Child>,
    pid: u32,
    url: String,
    said: Arc<Said>,
}

impl Served {
    /// Starts a bare server, which says `listening on URL`; `{port}` in its command becomes 0.
    #[must_use]
    pub fn bare(command: &mut Command) -> Self {
        Self::start(command.env("PORT", "0"), BARE)
    }

    /// Starts a front, which says `mcp-twin: NAME listens on URL`.
    #[must_use]
    pub fn front(command: &mut Command) -> Self {
        Self::start(command, FRONT)
    }

    fn start(command: &mut Command, before: &'static str) -> Self {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (stderr, said) = (child.stderr.take().expect("a pipe"), Arc::new(Said::default()));
        let into = said.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stderr);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                into.line(&String::from_utf8_lossy(&line));
                line.clear();
            }
            into.end();
        });
        let mut served = Self { pid: child.id(), child: Mutex::new(child), url: String::new(), said };
        let line = served.until_said(before);
        served.url = line.split(before).nth(1).unwrap_or_default().trim().to_owned();
        served
    }

    /// Its endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A legacy client, opened.
    #[must_use]
    pub fn client(&self) -> HttpClient {
        let client = HttpClient::new(&self.url);
        client.open();
        client
    }

    /// A modern client.
    #[must_use]
    pub fn modern(&self) -> HttpClient {
        HttpClient::modern(&self.url)
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.said.text.lock().expect("no panic while reading").0.clone()
    }

    /// Waits until a line of its stderr has this in it, and gives that line; fails the test if it ends before, or never says so.
    pub fn until_said(&self, wanted: &str) -> String {
        let find = |text: &str| text.lines().find(|line| line.contains(wanted)).map(str::to_owned);
        let text = self.said.text.lock().expect("no panic while reading");
        let (text, _) = self
            .said
            .changed
            .wait_timeout_while(text, PATIENCE, |(text, over)| find(text).is_none() && !*over)
            .expect("no panic while reading");
        find(&text.0).unwrap_or_else(|| panic!("`{wanted}` was never said; stderr:\n{}", text.0))
    }

    /// Asks it to end, as the end of a terminal does, and waits for that.
    pub fn terminate(&self) -> ExitStatus {
        process::terminate(self.pid);
        self.exit_status()
    }

    /// kill -9 of this process alone, and waits for its end.
    pub fn kill(&self) {
        process::kill(self.pid);
        let _ = self.exit_status();
    }

    /// Waits for its end.
    pub fn exit_status(&self) -> ExitStatus {
        until(&format!("the end of process {}; stderr:\n{}", self.pid, self.stderr()), || {
            self.child.lock().expect("no panic while waiting").try_wait().expect("a child of ours")
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let child = self.child.get_mut().expect("no panic while waiting");
        if matches!(child.try_wait(), Ok(None)) {
            process::kill_group(self.pid);
            let _ = child.wait();
        }
    }
}

#[derive(Debug, Default)]
struct Said {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

/// How much of a stderr is kept, in bytes.
const KEPT: usize = 1 << 20;

impl Said {
    fn line(&self, line: &str) {
        let mut text = self.text.lock().expect("no panic while reading");
        if text.0.len() < KEPT {
            text.0.push_str(line);
        }
        self.changed.notify_all();
    }

    fn end(&self) {
        self.text.lock().expect("no panic while reading").1 = true;
        self.changed.notify_all();
    }
}

impl Project {
    /// The bare server over HTTP, started.
    #[must_use]
    pub fn bare_http(&self) -> Served {
        let words: Vec<String> = self.command().iter().map(|word| word.replace("{port}", "0")).collect();
        Served::bare(&mut self.process(&words))
    }

    /// The command of a front over the server: `mcp-twin serve`, with these flags, on any free port, and watching the file of the
    /// server's code, which it does not do by itself.
    #[must_use]
    pub fn serve_command(&self, flags: &[&str]) -> Vec<String> {
        let mut words = vec![tools::mcp_twin().display().to_string(), "serve".to_owned()];
        let file = self.server().file();
        for (flag, value) in [("--listen", "127.0.0.1:0"), ("--watch", file)] {
            if !flags.contains(&flag) {
                words.extend([flag, value].map(str::to_owned));
            }
        }
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        words.push("--".to_owned());
        words.extend(self.command());
        words
    }

    /// A front over the server, listening.
    #[must_use]
    pub fn serve(&self, flags: &[&str]) -> Served {
        Served::front(&mut self.process(&self.serve_command(flags)))
    }

    /// The command of a bridge to this URL, for a client that speaks stdio.
    #[must_use]
    pub fn bridge_command(&self, url: &str, flags: &[&str]) -> Vec<String> {
        let words = [tools::mcp_twin().display().to_string(), "run".to_owned(), "--url".to_owned(), url.to_owned()];
        words.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect()
    }

    /// A client behind a bridge to this URL; not opened.
    #[must_use]
    pub fn bridge(&self, url: &str, flags: &[&str]) -> Client {
        Client::spawn(&mut self.process(&self.bridge_command(url, flags)))
    }

    /// Ends a front as its user does, and checks that nothing stays: no twin, no socket, no held lock.
    pub fn finish_http(&self, front: &Served) {
        let status = front.terminate();
        assert!(status.success(), "the front ended with {status}; stderr:\n{}", front.stderr());
        self.nothing_left();
    }
}
