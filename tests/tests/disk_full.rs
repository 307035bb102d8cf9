//! The file system of the state directory is full: the front serves and swaps on, says once what is off, and writes again
//! when there is room.
//!
//! Full is a tmpfs of 1 MiB in a mount namespace of the front's own, filled to the last byte. Where the system allows no
//! such namespace, no file of the front may grow (`RLIMIT_FSIZE`), which its writes meet in the same place; the test says
//! on stderr which of the two it used.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, Project, Server, until};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How the disk is made full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// A small file system of the front's own; with the words that make the namespace.
    Tmpfs(&'static [&'static str]),
    /// No file may grow.
    FileSize,
}

impl Means {
    fn find() -> Self {
        let namespaces: [&'static [&'static str]; 2] =
            [&["unshare", "--mount"], &["unshare", "--map-root-user", "--mount"]];
        let works = |words: &&[&str]| {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).args(["mount", "-t", "tmpfs", "-o", "size=1m", "none", "/tmp"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let means = namespaces.into_iter().find(|words| works(words)).map_or(Self::FileSize, Self::Tmpfs);
        match means {
            Self::Tmpfs(words) => eprintln!("disk full: a tmpfs of 1 MiB ({})", words.join(" ")),
            Self::FileSize => eprintln!("disk full: NO mount namespace is allowed here; RLIMIT_FSIZE stands in for it"),
        }
        means
    }
}

/// A front whose state directory can be filled.
struct Disk {
    project: Project,
    means: Means,
    client: Client,
}

impl Disk {
    fn open(filled_at_start: bool) -> Self {
        let project = Project::new(Server::Plain);
        let means = Means::find();
        let mut words: Vec<String>;
        match means {
            Means::Tmpfs(namespace) => {
                words = namespace.iter().map(|&word| word.to_owned()).collect();
                let fill = if filled_at_start { "cat /dev/zero > \"$0/filler\" 2>/dev/null;" } else { "" };
                let mount = format!(
                    "mkdir -p \"$0\" && mount -t tmpfs -o size=1m,mode=0700 none \"$0\" || exit 9; {fill} exec \"$@\""
                );
                words.extend(["sh".to_owned(), "-c".to_owned(), mount, project.home().display().to_string()]);
            }
            Means::FileSize => {
                // A file that may not grow is an error for whoever ignores the signal.
                let limit = if filled_at_start { "ulimit -S -f 0;" } else { "" };
                words = vec![
                    "sh".to_owned(),
                    "-c".to_owned(),
                    format!("trap '' XFSZ; {limit} exec \"$@\""),
                    "sh".to_owned(),
                ];
            }
        }
        words.extend(project.front_command(&["--bake", "50ms", "--keep-old", "50ms"]));
        let mut command = project.process(&words);
        if means == Means::FileSize {
            // The limit holds for the server too, whose record is not what is tested.
            command.env("FIXTURE_RECORD", "");
        }
        let client = Client::spawn(&mut command);
        client.open();
        let _ = client.text("echo", json!({"text": ""}));
        let disk = Self { project, means, client };
        if filled_at_start && means != Means::FileSize {
            disk.assert_full();
        }
        disk
    }

    /// The state directory as the front sees it.
    fn home(&self) -> PathBuf {
        match self.means {
            Means::Tmpfs(_) => {
                let inside = self.project.home();
                format!("/proc/{}/root{}", self.client.pid(), inside.display()).into()
            }
            Means::FileSize => self.project.home(),
        }
    }

    fn fill(&self) {
        match self.means {
            Means::Tmpfs(_) => {
                let mut filler = File::create(self.home().join("filler")).unwrap();
                for size in [4096, 1] {
                    while filler.write_all(&vec![0; size]).is_ok() {}
                }
                self.assert_full();
            }
            Means::FileSize => self.limit(Some(0)),
        }
    }

    /// A full disk that takes another byte would prove nothing.
    fn assert_full(&self) {
        let probe = self.home().join("probe");
        let error = fs::write(&probe, "x").expect_err("the file system is not full");
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        let _ = fs::remove_file(probe);
    }

    fn make_room(&self) {
        match self.means {
            Means::Tmpfs(_) => fs::remove_file(self.home().join("filler")).unwrap(),
            Means::FileSize => self.limit(getrlimit(Resource::Fsize).maximum),
        }
    }

    fn limit(&self, current: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.client.pid()).unwrap());
        let maximum = getrlimit(Resource::Fsize).maximum;
        let _ = prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    }

    /// The front's status, asked from where its socket can be seen.
    fn status(&self) -> Value {
        let cli = mcp_twin_tests::tools::mcp_twin().display().to_string();
        let mut words: Vec<String> = Vec::new();
        if let Means::Tmpfs(namespace) = self.means {
            let target = self.client.pid().to_string();
            words.extend(["nsenter", "--target", &target, "--mount"].map(str::to_owned));
            if namespace.contains(&"--map-root-user") {
                words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
            }
        }
        words.extend([cli, "status".to_owned(), "--json".to_owned()]);
        let output = self.project.process(&words).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let document: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        document["fronts"][0].clone()
    }

    fn swap_to(&self, version: &str) {
        self.project.save_version(version);
        self.client.until_version(version);
    }

    /// The front's record, as it is on the disk.
    fn record(&self) -> Value {
        let entries = fs::read_dir(self.home().join("state")).unwrap().flatten().map(|entry| entry.path());
        let record = entries.filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("shop-server-") && name.ends_with(".json") && !name.contains("last_good")
        });
        let paths: Vec<_> = record.collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        serde_json::from_slice(&fs::read(&paths[0]).unwrap()).unwrap()
    }

    fn text_in(&self, folder: &str, extension: &str) -> String {
        let mut text = String::new();
        let mut folders = vec![self.home().join(folder)];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|found| found == extension) {
                    text += &fs::read_to_string(path).unwrap();
                }
            }
        }
        text
    }

    /// The front ends as always, and leaves no process behind.
    fn finish(&self) {
        assert!(self.client.close().success());
        self.client.books().assert_clean();
        until("the end of all processes", || self.project.processes().is_empty().then_some(()));
    }

    fn said(&self, what: &str) -> usize {
        self.client.inbox().stderr_text().matches(what).count()
    }
}

const STATE_OFF: &str = "the state cannot be written";
const NUMBERS_OFF: &str = "generations are numbered in memory only";

#[test]
fn it_fills_up_under_a_running_front_and_there_is_room_again() {
    let disk = Disk::open(false);
    disk.swap_to("v2");
    assert_eq!(disk.status()["warnings"], json!([]));
    disk.fill();
    for version in ["v3", "v4"] {
        disk.swap_to(version);
    }
    // What was off is said once over two swaps, and is shown as long as it lasts.
    assert_eq!((disk.said(STATE_OFF), disk.said(NUMBERS_OFF)), (1, 1), "{}", disk.client.plight());
    let warnings = disk.status()["warnings"].to_string();
    assert!(warnings.contains(STATE_OFF) && warnings.contains(NUMBERS_OFF), "{warnings}");
    disk.make_room();
    disk.swap_to("v5");
    until("an end of the warnings", || (disk.status()["warnings"] == json!([])).then_some(()));
    assert_eq!((disk.said("the state is written again"), disk.said(STATE_OFF)), (1, 1), "{}", disk.client.plight());
    let status = disk.status();
    // What is on the disk is the truth again: the record, the history, the log.
    let serving = &status["active"]["generation"];
    until("the record of what serves", || {
        (disk.record()["record"]["active_source"]["generation"] == *serving).then_some(())
    });
    let history = disk.text_in("history", "jsonl");
    let last: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    assert_eq!(last["entry"]["generation"], *serving, "{history}");
    let log = disk.text_in("logs", "log");
    assert!(log.contains(&format!("for {serving}")) && log.contains("the state is written again"), "{log}");
    disk.finish();
}

#[test]
fn it_is_full_before_the_front_starts() {
    let disk = Disk::open(true);
    assert_eq!(disk.client.version(), "v1");
    for version in ["v2", "v3"] {
        disk.swap_to(version);
    }
    let said = disk.client.inbox().stderr_text();
    assert!(said.contains("`mcp-twin status` cannot see this front"), "{said}");
    assert_eq!((disk.said(STATE_OFF), disk.said(NUMBERS_OFF)), (1, 1), "{said}");
    disk.make_room();
    disk.swap_to("v4");
    until("the repair", || (disk.said("the state is written again") == 1).then_some(()));
    disk.finish();
}
