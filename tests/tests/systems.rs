//! What must hold on every system: nothing in here knows which one it is, and nothing must be installed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, PATIENCE, Report, tools, until};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with a server's code, and a state directory.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(version: &str) -> Self {
        let place = Self { folder: tempfile::Builder::new().prefix("mt").tempdir().unwrap() };
        std::fs::create_dir(place.folder.path().join("project")).unwrap();
        place.save(version);
        place
    }

    fn code(&self) -> PathBuf {
        self.folder.path().join("project").join("code.txt")
    }

    /// Saves as editors do: another file takes the place of the old one.
    fn save(&self, version: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, version).unwrap();
        until("the new code in place of the old one", || std::fs::rename(&new, self.code()).ok());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tools::mcp_twin());
        command.args(arguments).current_dir(self.folder.path()).env("MCP_TWIN_HOME", self.folder.path().join("home"));
        command.env_remove("MCP_TWIN_DISABLE");
        command
    }

    fn front(&self) -> Client {
        let code = self.code();
        let mut command = self.command(&["run", "--name", "tiny", "--watch"]);
        command.arg(&code).args(["--", env!("CARGO_BIN_EXE_tiny-server")]).arg(&code);
        let client = Client::spawn(&mut command);
        client.open();
        client
    }

    fn cli(&self, arguments: &[&str]) -> Report {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        Report {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The open connections of a twin and of its child: they end with these processes, whatever the system.
fn held(client: &Client) -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(client.text("hold", json!({"address": address})), "held");
    [listener.accept().unwrap().0, listener.accept().unwrap().0]
}

fn lives(mut held: &TcpStream) -> bool {
    held.set_nonblocking(true).unwrap();
    let lives = held.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    held.set_nonblocking(false).unwrap();
    lives
}

fn assert_ended(held: &[TcpStream]) {
    for mut held in held {
        held.set_read_timeout(Some(PATIENCE)).unwrap();
        match held.read(&mut [0]) {
            Ok(0) => {}
            // A process that was ended leaves its connection reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("a process outlived its front: {other:?}"),
        }
    }
}

#[test]
fn a_save_is_swapped_in_and_rolled_back() {
    let place = Place::new("v1");
    let client = place.front();
    assert_eq!(client.version(), "v1");
    place.save("v2");
    client.until_version("v2");
    let status = place.cli(&["status", "--json"]).with_status(0);
    let fronts = status.fronts();
    assert_eq!(fronts.len(), 1, "{status:?}");
    assert_eq!(
        (fronts[0]["server"].as_str(), fronts[0]["front_pid"].as_u64()),
        (Some("tiny"), Some(client.pid().into()))
    );
    assert_eq!(place.cli(&["rollback", "--json"]).with_status(0).outcome(), "rolled_back");
    assert_eq!(client.version(), "v1");
    assert!(client.close().success(), "{}", client.plight());
    client.books().assert_clean();
    let _ = place.cli(&["status"]).with_status(5);
}

#[test]
fn broken_code_does_not_reach_the_client() {
    let place = Place::new("v1");
    let client = place.front();
    assert_eq!(client.version(), "v1");
    place.save("broken");
    let front = until("a front that says why", || {
        let fronts = place.cli(&["status", "--json"]).fronts();
        fronts.into_iter().find(|front| front["degraded"].is_object())
    });
    assert!(front.to_string().contains("this code does not start"), "{front}");
    assert_eq!(client.version(), "v1");
    place.save("v3");
    client.until_version("v3");
    assert!(client.close().success(), "{}", client.plight());
    client.books().assert_clean();
}

#[test]
fn a_twin_ends_with_its_descendants_when_it_is_retired_and_when_the_client_leaves() {
    let place = Place::new("v1");
    let client = place.front();
    let first = held(&client);
    place.save("v2");
    client.until_version("v2");
    assert!(first.iter().all(lives), "the old twin is kept for a rollback");
    let second = held(&client);
    assert!(client.close().success(), "{}", client.plight());
    assert_ended(&first);
    assert_ended(&second);
}

#[test]
fn a_stopped_server_is_gone_and_the_client_hears_it() {
    let place = Place::new("v1");
    let client = place.front();
    let held = held(&client);
    assert_eq!(place.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    assert_ended(&held);
    let answer = client.answer(&client.call("version", json!({})));
    assert!(answer["error"].is_object(), "{answer}");
    assert!(client.close().success(), "{}", client.plight());
}

#[test]
fn a_large_answer_to_a_client_that_reads_late_is_whole() {
    let place = Place::new(&"x".repeat(2 << 20));
    let client = place.front();
    client.pause_reading();
    let ids: Vec<_> = (0..4).map(|_| client.call("version", json!({}))).collect();
    client.end_input();
    client.resume_reading();
    for id in ids {
        let text = mcp_twin_tests::client::text_of(&client.answer(&id)).unwrap();
        assert_eq!(text.len(), 2 << 20);
    }
    assert!(client.exit_status().success(), "{}", client.plight());
}

// On macOS what a killed front leaves behind ends at the end of its stdin, or not.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_killed_front_takes_twins_and_their_descendants_with_it() {
    let place = Place::new("v1");
    let client = place.front();
    let held = held(&client);
    client.kill();
    #[cfg(windows)]
    assert_ended(&held);
    // A grandchild is swept by the next front there.
    #[cfg(target_os = "linux")]
    {
        assert_ended(&held[..1]);
        let next = place.front();
        assert_ended(&held[1..]);
        assert!(next.close().success());
    }
}

#[test]
fn switched_off_it_is_the_server_itself() {
    let place = Place::new("v1");
    let run = |version: &str| {
        place.save(version);
        let mut command = place.command(&["run", "--", env!("CARGO_BIN_EXE_tiny-server")]);
        Client::spawn(command.arg(place.code()).env("MCP_TWIN_DISABLE", "1"))
    };
    let client = run("v1");
    let opened: Value = client.open();
    assert_eq!(opened["serverInfo"]["version"], "v1");
    assert_eq!(place.cli(&["status"]).status, 5, "no front runs");
    assert!(client.close().success(), "{}", client.plight());
    let broken = run("broken");
    assert_eq!(broken.exit_status().code(), Some(7), "{}", broken.plight());
    assert!(
        until("its last words", || Some(broken.inbox().stderr_text()).filter(|text| text.contains("does not start")))
            .contains("error")
    );
}
