//! `wire`, `unwire` and `init` on the configurations of a throwaway home.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "wire/asked.rs"]
mod asked;
#[path = "wire/clients.rs"]
mod clients;
#[path = "wire/left.rs"]
mod left;
#[path = "wire/shared.rs"]
mod shared;
#[path = "wire/undone.rs"]
mod undone;

use mcp_twin_tests::{Client, Report, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A home with a project in it and a server, and a state directory beside it.
struct Home {
    folder: TempDir,
    /// The command under test.
    program: PathBuf,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mt").tempdir().unwrap();
        let home = Self { folder, program: tools::mcp_twin() };
        std::fs::create_dir_all(home.project().join(".git")).unwrap();
        home.write("code.txt", "v1");
        home
    }

    fn path(&self) -> PathBuf {
        // As the process sees its working directory.
        self.folder.path().canonicalize().unwrap().join("home")
    }

    fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    /// Writes a file of the home; `{SERVER}` and `{CODE}` are the words that start the server, `{PROJECT}` the project.
    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, self.filled(text)).unwrap();
        path
    }

    fn filled(&self, text: &str) -> String {
        let shown = |path: PathBuf| path.to_str().unwrap().to_owned();
        text.replace("{SERVER}", env!("CARGO_BIN_EXE_tiny-server"))
            .replace("{CODE}", &shown(self.path().join("code.txt")))
            .replace("{PROJECT}", &shown(self.project()))
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Every file of the home with its content and permissions.
    fn everything(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, u32)>) {
            use std::os::unix::fs::PermissionsExt as _;
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let mode = path.metadata().unwrap().permissions().mode();
                    found.insert(path.clone(), (std::fs::read(&path).unwrap(), mode));
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.path(), &mut found);
        found
    }

    /// A program in the environment of this home, in its project.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.project()).env_clear().env("HOME", self.path());
        command.env("MCP_TWIN_HOME", self.state()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Runs mcp-twin without a terminal.
    fn run(&self, arguments: &[&str]) -> Report {
        let output = self.command(&self.program).args(arguments).stdin(Stdio::null()).output().unwrap();
        Report {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The only document of a run with `--json`.
    fn document(&self, arguments: &[&str], status: i32) -> Value {
        let report = self.run(&[arguments, &["--json"]].concat()).with_status(status);
        let value = report.values().pop().unwrap();
        assert_eq!(value["exit"], status, "{value}");
        value
    }

    /// Starts what a configuration says, as a client does, and sees that it serves through mcp-twin.
    fn serves(&self, words: &[String]) {
        assert!(words[0].contains("mcp-twin"), "{words:?}");
        let client = Client::spawn(self.command(&words[0]).args(&words[1..]));
        let opened = client.open();
        assert_eq!(opened["serverInfo"]["version"], "v1", "{opened}");
        assert_eq!(client.version(), "v1");
        assert!(client.close().success(), "{}", client.plight());
        client.books().assert_clean();
    }
}

/// The words of an entry of the usual form.
fn words(entry: &Value) -> Vec<String> {
    let mut words = vec![entry["command"].as_str().unwrap().to_owned()];
    words.extend(entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()));
    words
}

/// An entry of JSON.
fn entry(text: &str, pointer: &str) -> Value {
    let root: Value = serde_json::from_str(text).unwrap();
    root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {text}")).clone()
}

/// Two servers of Cursor.
const TWO: &str = r#"{
  "mcpServers": {
    "files": {
      "command": "{SERVER}",
      "args": ["{CODE}"]
    },
    "mail": { "command": "{SERVER}", "args": ["{CODE}"], "env": { "API_KEY": "hunter2hunter2" } }
  }
}
"#;
