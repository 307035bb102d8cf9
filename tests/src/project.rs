//! A server's project in a temporary folder: its code, its edits, the fronts over it and the commands about them.

use crate::cli::Report;
use crate::client::Client;
use crate::process::{self, Seen};
use crate::record::Record;
use crate::server::Server;
use crate::tools;
use crate::wait::{until, until_right};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// One project folder, and what belongs to its tests outside of it.
#[derive(Debug)]
pub struct Project {
    machine: Arc<Machine>,
    server: Server,
    root: PathBuf,
    record: Record,
    notes: PathBuf,
    gates: PathBuf,
    constants: Mutex<BTreeMap<String, String>>,
}

/// A home and a state directory, shared by the projects of one test.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
}

impl Project {
    /// A project with this server, on a machine of its own.
    #[must_use]
    pub fn new(server: Server) -> Self {
        // Short: the path of a socket is limited to 104 bytes.
        let folder = tempfile::Builder::new().prefix("mt").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("user")).expect("a home");
        Self::at(Arc::new(Machine { folder }), server, "shop")
    }

    /// Another project on the same machine, in a folder with this path.
    #[must_use]
    pub fn beside(&self, server: Server, folder: &str) -> Self {
        Self::at(self.machine.clone(), server, folder)
    }

    fn at(machine: Arc<Machine>, server: Server, folder: &str) -> Self {
        let base = machine.folder.path();
        let root = base.join(folder);
        fs::create_dir_all(&root).expect("a project folder");
        let flat = folder.replace('/', "-");
        let record = Record::at(base.join(format!("{flat}.record")));
        let notes = base.join(format!("{flat}.notes"));
        let gates = base.join(format!("{flat}.gates"));
        fs::create_dir(&gates).expect("a folder for the gates");
        let project = Self { machine, server, root, record, notes, gates, constants: Mutex::default() };
        if let Some(modules) = server.modules() {
            link(&modules, &project.root.join("node_modules"));
        }
        match server {
            Server::Fault(fault) => project.set("FAULT", &format!("{fault:?}")),
            _ => project.save(),
        }
        project
    }

    /// The server that it holds.
    #[must_use]
    pub fn server(&self) -> Server {
        self.server
    }

    /// The project folder, which is what a front watches.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `MCP_TWIN_HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.machine.folder.path().join("home")
    }

    /// What the servers of this project executed.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What a fault server noted: the rest of each line that begins with `word`.
    #[must_use]
    pub fn noted(&self, word: &str) -> Vec<String> {
        let text = fs::read_to_string(&self.notes).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
    }

    /// Lets the servers of this project go on that wait for it under this key.
    pub fn open_gate(&self, key: &str) {
        fs::write(self.gates.join(key), "").expect("an open gate");
    }

    /// The file of the server's code.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.root.join(self.server.file())
    }

    /// Saves the server with another value for one of its constants; the other constants stay as they were set.
    pub fn set(&self, constant: &str, value: &str) {
        self.constants.lock().expect("no panic while editing").insert(constant.to_owned(), value.to_owned());
        self.save();
    }

    /// Saves the server with other values for some of its constants, in one go.
    pub fn set_all(&self, constants: &[(&str, Value)]) {
        let set = constants.iter().map(|(constant, value)| ((*constant).to_owned(), value.to_string()));
        self.constants.lock().expect("no panic while editing").extend(set);
        self.save();
    }

    /// Saves the server as this version.
    pub fn save_version(&self, version: &str) {
        self.set("VERSION", &format!("{version:?}"));
    }

    /// Saves this version with these extra tools, so that the list of tools differs too.
    pub fn save_version_with_tools(&self, version: &str, tools: &[&str]) {
        self.constants.lock().expect("no panic while editing").insert("EXTRA_TOOLS".to_owned(), format!("{tools:?}"));
        self.save_version(version);
    }

    /// Saves something that cannot be parsed.
    pub fn save_broken(&self) {
        let code = [self.code(), b"\ndef broken(:\n".to_vec()].concat();
        fs::write(self.file(), code).expect("the server's file");
    }

    /// Saves the server as its constants have it.
    pub fn save(&self) {
        if self.server.executable() {
            return self.save_beside();
        }
        fs::write(self.file(), self.code()).expect("the server's file");
    }

    /// Saves this version, with these extra tools, as compilers and many editors do: a new file takes the place of the old.
    pub fn replace_version(&self, version: &str, tools: &[&str]) {
        let mut constants = self.constants.lock().expect("no panic while editing");
        constants.insert("VERSION".to_owned(), format!("{version:?}"));
        if !tools.is_empty() {
            constants.insert("EXTRA_TOOLS".to_owned(), format!("{tools:?}"));
        }
        drop(constants);
        self.save_beside();
    }

    /// Whether a version with extra tools was saved.
    #[must_use]
    pub fn has_tools(&self) -> bool {
        self.constants.lock().expect("no panic while editing").contains_key("EXTRA_TOOLS")
    }

    fn save_beside(&self) {
        let new = self.notes.with_extension("new");
        fs::write(&new, self.code()).expect("the new file");
        #[cfg(unix)]
        if self.server.executable() {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&new, mode).expect("an executable");
        }
        fs::rename(&new, self.file()).expect("the server's file");
    }

    fn code(&self) -> Vec<u8> {
        self.server.code(&self.constants.lock().expect("no panic while editing"))
    }

    /// The command that runs the bare server.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        self.server.command(&self.file())
    }

    /// The command that runs the server behind a front.
    #[must_use]
    pub fn front_command(&self, flags: &[&str]) -> Vec<String> {
        let mut words = vec![tools::mcp_twin().display().to_string(), "run".to_owned()];
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        words.push("--".to_owned());
        words.extend(self.command());
        words
    }

    /// A client of the bare server.
    #[must_use]
    pub fn bare(&self) -> Client {
        Client::spawn(&mut self.process(&self.command()))
    }

    /// A client of a front over the server, opened, and served: what is saved from now on is a change.
    #[must_use]
    pub fn open(&self) -> Client {
        self.open_with(&[])
    }

    /// The same with flags.
    #[must_use]
    pub fn open_with(&self, flags: &[&str]) -> Client {
        let client = self.run(flags);
        client.open();
        let _ = client.text("echo", serde_json::json!({"text": ""}));
        client
    }

    /// A client of a front over the server, with these flags; not opened.
    #[must_use]
    pub fn run(&self, flags: &[&str]) -> Client {
        Client::spawn(&mut self.process(&self.front_command(flags)))
    }

    /// A process in the project folder that knows nothing but this test's home and state directory.
    #[must_use]
    pub fn process(&self, words: &[String]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("MCP_TWIN") || text.starts_with("FIXTURE_") || text.starts_with("PYTHON") {
                command.env_remove(&name);
            }
        }
        command
            .env("HOME", self.machine.folder.path().join("user"))
            .env("MCP_TWIN_HOME", self.home())
            .env("FIXTURE_RECORD", self.record.path())
            .env("FIXTURE_NOTES", &self.notes)
            .env("FIXTURE_GATES", &self.gates)
            .env("FIXTURE_SERVERS", tools::fixture("servers"));
        command
    }

    /// Runs `mcp-twin` with these arguments and waits for its end.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Report {
        let mut words = vec![tools::mcp_twin().display().to_string()];
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let output = self.process(&words).stdin(Stdio::null()).output().expect("the command runs");
        Report {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `mcp-twin status --json`: all fronts of this machine.
    #[must_use]
    pub fn fronts(&self) -> Vec<Value> {
        self.cli(&["status", "--json"]).fronts()
    }

    /// The status of the only front.
    #[must_use]
    pub fn status(&self) -> Value {
        let report = self.cli(&["status", "--json"]);
        let mut fronts = report.fronts();
        assert_eq!(fronts.len(), 1, "one front was wanted: {report:?}");
        fronts.remove(0)
    }

    /// Waits until the status of the only front is as wanted.
    pub fn until_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until_right(what, || {
            let report = self.cli(&["status", "--json"]);
            let front = report.fronts().into_iter().next();
            front.filter(|front| wanted(front)).ok_or_else(|| format!("{report:?}"))
        })
    }

    /// Waits until nothing is being prepared and the newest failure is known: `degraded`.
    pub fn until_degraded(&self) -> Value {
        self.until_status("a front that says why the newest code does not serve", |front| {
            front["degraded"].is_object() && front["standby"].is_null()
        })
    }

    /// Live processes of this machine: fronts, twins, their children.
    #[must_use]
    pub fn processes(&self) -> Vec<Seen> {
        process::with_environment("MCP_TWIN_HOME", &self.home())
    }

    /// Ends a front as a client does, and checks that nothing stays: no process, no socket, no held lock; and that the
    /// client's books are clean.
    pub fn finish(&self, client: &Client) {
        let status = client.close();
        assert!(status.success(), "the front ended with {status}; stderr:\n{}", client.inbox().stderr_text());
        client.books().assert_clean();
        self.nothing_left();
    }

    /// Waits until no process of this machine lives and no socket or lock file is left.
    pub fn nothing_left(&self) {
        until(&format!("the end of all processes under {}", self.home().display()), || {
            self.processes().is_empty().then_some(())
        });
        let left = self.sockets();
        assert!(left.is_empty(), "left in the state directory: {left:?}");
    }

    /// Sockets and locks of fronts that are in the state directory.
    #[must_use]
    pub fn sockets(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.home().join("run"));
        folder.map_or_else(|_| Vec::new(), |entries| entries.flatten().map(|entry| entry.path()).collect())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Only what bears this test's own state directory: a failed test must not leave processes behind.
        for seen in process::with_environment("MCP_TWIN_HOME", &self.folder.path().join("home")) {
            process::kill(seen.pid);
        }
    }
}

fn link(to: &Path, from: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, from).expect("a link to the installed modules");
}
