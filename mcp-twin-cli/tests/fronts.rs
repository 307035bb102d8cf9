//! The commands against control sockets of fronts that answer from a script.

#![expect(clippy::expect_used, reason = "what a test expects")]

use mcp_twin_core::control::{Answer, Ask, Edit, FrontStatus};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::{Generation, Slot, Source, TwinId};
use mcp_twin_core::relay::diff::ListDiff;
use mcp_twin_core::swap::{Outcome, Status, TwinView};
use mcp_twin_runtime::control::Server;
use mcp_twin_runtime::fronts::FrontSeat;
use mcp_twin_runtime::fronts::seat::FrontInfo;
use mcp_twin_runtime::home::Home;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A state directory with fronts in it. They end when it is dropped.
struct Fronts {
    folder: tempfile::TempDir,
    running: Vec<(tokio::sync::oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Fronts {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), running: Vec::new() }
    }

    /// Starts a front that answers with `script`; `None` means that it never does.
    fn with(mut self, server: &str, root: &str, script: fn(Ask) -> Option<Answer>) -> Self {
        let home = Home::at(self.folder.path().join("home"));
        home.ensure().expect("made");
        let info = FrontInfo { server: server.to_owned(), display: None, root: root.into() };
        let (end, ended) = tokio::sync::oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let seat = FrontSeat::take(&home, info).expect("a seat");
                let socket = Server::bind(&seat).expect("a socket");
                ready.send(()).expect("awaited");
                let serve = socket.serve(|ask| async move {
                    match script(ask) {
                        Some(answer) => answer,
                        None => std::future::pending().await,
                    }
                });
                tokio::select! {
                    () = serve => {}
                    _ = ended => {}
                }
            });
        });
        is_ready.recv().expect("the front runs");
        self.running.push((end, thread));
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-twin"));
        command
            .args(words)
            .env("HOME", self.folder.path())
            .env("MCP_TWIN_HOME", self.folder.path().join("home"))
            .env("NO_COLOR", "1");
        command
    }

    fn ask(&self, words: &[&str]) -> (i32, String) {
        let output = self.command(words).output().expect("it runs");
        assert!(output.stderr.is_empty() || output.stdout.is_empty(), "one stream says it");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("it exits"), String::from_utf8(text).expect("text"))
    }

    /// What the hook behind an edit of this file says to the model.
    fn edited(&self, file: &str) -> String {
        let mut command = self.command(&["hook", "PostToolUse"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let input = serde_json::json!({"cwd": "/", "tool_input": {"file_path": file}});
        child.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
    }

    fn json(&self, words: &[&str]) -> (i32, Value) {
        let (code, text) = self.ask(&[words, &["--json"]].concat());
        (code, serde_json::from_str(&text).expect("JSON"))
    }
}

impl Drop for Fronts {
    fn drop(&mut self) {
        for (end, thread) in self.running.drain(..) {
            let _ = end.send(());
            thread.join().expect("the front ended well");
        }
    }
}

fn twin(slot: Slot, generation: u32) -> TwinView {
    let source = Source { hash: None, generation: Generation(generation) };
    TwinView { twin: TwinId(generation), slot, source, pid: Some(100 + generation), port: None }
}

fn status(server: &str) -> Answer {
    let swap = Status {
        state: "serving".to_owned(),
        active: Some(twin(Slot::A, 1)),
        standby: None,
        warm: None,
        warm_ready: false,
        prev: None,
        retiring: Vec::new(),
        baking: false,
        degraded: None,
        waiting: None,
        swaps: 0,
        last_swap: None,
    };
    let empty = serde_json::json!({
        "release": "2.0.0", "front": "f", "server": server, "root": "/r", "command": ["python", "server.py"],
        "transport": "stdio", "pid": 99, "started": 0, "swap": swap,
    });
    Answer::Status(Box::new(serde_json::from_value::<FrontStatus>(empty).expect("a status")))
}

/// A front where everything works.
fn good(ask: Ask) -> Option<Answer> {
    let (old, new) = (twin(Slot::A, 1), twin(Slot::B, 2));
    Some(match ask {
        Ask::Status => status("web"),
        Ask::Swap { .. } => {
            Answer::Outcome(Outcome::Swapped { previous: Some(old), active: new, diff: ListDiff::default() })
        }
        Ask::Rollback { to: Some(to) } => {
            let fault = Fault::new(Code::CodeGone, format!("the code of generation {to} is no longer there"));
            Answer::Outcome(Outcome::Failed { active: Some(old), fault })
        }
        Ask::Rollback { to: None } => Answer::Outcome(Outcome::RolledBack { left: Some(new), active: old, why: None }),
        Ask::Stop => Answer::Outcome(Outcome::Stopped { ended: vec![old, new] }),
        Ask::Reload => Answer::Outcome(Outcome::Started { active: old }),
        Ask::Edited { .. } | Ask::Files { .. } | Ask::Call { .. } => return None,
    })
}

/// A front where a swap fails.
fn bad(ask: Ask) -> Option<Answer> {
    match ask {
        Ask::Swap { .. } => {
            let fault = Fault::new(Code::ExitedEarly, "the twin exited with status 1").with_stderr("SyntaxError: no\n");
            Some(Answer::Outcome(Outcome::Failed { active: Some(twin(Slot::A, 1)), fault }))
        }
        other => good(other),
    }
}

/// A front whose edits are live.
fn live(ask: Ask) -> Option<Answer> {
    match ask {
        Ask::Edited { path, .. } if path.ends_with("server.py") => {
            let (active, diff) = (twin(Slot::B, 2), ListDiff::default());
            Some(Answer::Edited(Edit::Live { active, diff, baking: false }))
        }
        Ask::Edited { .. } => Some(Answer::Edited(Edit::NotOurs)),
        other => good(other),
    }
}

/// A front of a release that does not know of edits.
fn old(_: Ask) -> Option<Answer> {
    Some(Answer::Error(Fault::new(Code::Host, "the front is of release 1 and does not know 'edited'")))
}

/// A front that accepts commands and says nothing to `status`.
fn mute(_: Ask) -> Option<Answer> {
    None
}

#[test]
fn the_only_server_needs_no_name() {
    let fronts = Fronts::new().with("web", "/a", good);
    for (words, code, said) in [
        (vec!["status"], 0, "Active:   A generation 1 (PID 101)"),
        (vec!["swap"], 0, "Now active: B generation 2 (PID 102)"),
        (vec!["rollback"], 0, "Rolled back web"),
        (vec!["rollback", "--to", "7"], 4, "the code of generation 7 is no longer there"),
        (vec!["reload"], 0, "Started web"),
        (vec!["stop"], 0, "Ended PID 101, 102"),
    ] {
        let (exit, text) = fronts.ask(&words);
        assert!(exit == code && text.contains(said), "{words:?}: {exit} {text}");
        let (exit, document) = fronts.json(&words);
        assert_eq!((exit, &document["exit"], &document["command"]), (code, &code.into(), &words[0].into()));
    }
}

#[test]
fn every_front_of_a_server_is_asked_and_the_worst_status_wins() {
    let fronts = Fronts::new().with("web", "/a", good).with("web", "/a", bad).with("mail", "/m", good);
    let (exit, text) = fronts.ask(&["swap", "web"]);
    assert_eq!((exit, text.matches("✓ Swapped web").count(), text.matches("✗ web: swap failed").count()), (4, 1, 1));
    assert!(text.contains("SyntaxError: no"));
    let (exit, document) = fronts.json(&["swap", "web"]);
    let results = document["results"].as_array().expect("results");
    let mut outcomes: Vec<_> = results.iter().filter_map(|one| one["outcome"].as_str()).collect();
    outcomes.sort_unstable();
    assert!(exit == 4 && outcomes == ["failed", "swapped"], "{document}");
    assert_eq!(fronts.ask(&["swap"]).0, 2, "two servers run");
    let (exit, document) = fronts.json(&["stop", "--all"]);
    assert_eq!((exit, document["results"].as_array().map(Vec::len)), (0, Some(3)));
}

#[test]
fn one_name_in_two_projects_is_asked_back() {
    let fronts = Fronts::new().with("web", "/a", good).with("web", "/b", good);
    let (exit, text) = fronts.ask(&["swap", "web"]);
    assert!(exit == 2 && text.contains("mcp-twin swap web@/a") && text.contains("mcp-twin swap web@/b"), "{text}");
    assert_eq!(fronts.ask(&["swap", "web@/b"]).0, 0);
}

#[test]
fn a_hung_front_does_not_hide_the_others() {
    let fronts = Fronts::new().with("mail", "/m", mute).with("web", "/a", good);
    let (exit, text) = fronts.ask(&["status"]);
    assert_eq!(exit, 5);
    assert!(text.contains("does not answer") && text.contains("A generation 1"), "{text}");
    let (exit, document) = fronts.json(&["status"]);
    assert_eq!(exit, 5);
    assert_eq!(document["fronts"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["silent"][0]["server"], "mail");
}

#[test]
fn an_unknown_name_names_the_nearest() {
    let fronts = Fronts::new().with("inbox-collab", "/a", good);
    let (exit, text) = fronts.ask(&["reload", "inbox-colab"]);
    assert!(exit == 2 && text.contains("did you mean: inbox-collab"), "{text}");
}

#[test]
fn a_hook_says_once_what_fronts_of_one_server_say_and_passes_over_older_ones() {
    let fronts = Fronts::new().with("web", "/a", live).with("web", "/a", live).with("mail", "/m", old);
    assert_eq!(fronts.edited("/a/server.py"), "mcp-twin: the edit of server.py is live in `web`: generation 2 serves");
    assert_eq!(fronts.edited("/m/other.py"), "");
}
