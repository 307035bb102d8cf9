//! Fronts in the process of others: this test's own. Each test is a process of its own under nextest; none of them relies on it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_core::swap::{Notice, Outcome};
use mcp_twin_runtime::embedded::{self, ClientPipe, ClientSender, Embedding, Front, FrontEvent};
use mcp_twin_runtime::fronts::{running, stale};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::run::{RunOrder, Variables};
use mcp_twin_runtime::serve::ServeOrder;
use mcp_twin_tests::process::{self, alive, gone, status_number};
use mcp_twin_tests::{HttpClient, PATIENCE, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// The variable by which the processes of one test are known.
const MARK: &str = "TWIN_TEST_EMBEDDED";

/// A folder with a server's code, a state directory, and the processes that were started for it.
struct Place {
    folder: TempDir,
    /// The folder of another process, in its place.
    at: Option<PathBuf>,
}

impl Place {
    fn new(code: &str) -> Self {
        let place = Self { folder: tempfile::Builder::new().prefix("mt").tempdir().unwrap(), at: None };
        place.save(code);
        place
    }

    fn path(&self) -> &Path {
        self.at.as_deref().unwrap_or(self.folder.path())
    }

    fn code(&self) -> PathBuf {
        self.path().join("code.txt")
    }

    fn home(&self) -> Home {
        Home::at(self.path().join("home"))
    }

    fn save(&self, code: &str) {
        fs::write(self.path().join("new"), code).unwrap();
        fs::rename(self.path().join("new"), self.code()).unwrap();
    }

    fn order(&self, command: &[&str]) -> RunOrder {
        RunOrder {
            home: self.home(),
            name: Some("tiny".to_owned()),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            recorded: None,
            watch: vec![self.code().display().to_string()],
            ignore: Vec::new(),
            options: Options { watch_files: false, ..Options::defaults(Transport::Stdio) },
            chosen: vec!["watch_files"],
            cwd: self.path().to_owned(),
            env: Variables(vec![(MARK.to_owned(), self.path().display().to_string())]),
            config: None,
            record: None,
        }
    }

    fn stdio(&self) -> RunOrder {
        self.order(&[env!("CARGO_BIN_EXE_tiny-server"), &self.code().display().to_string()])
    }

    fn served(&self, run: RunOrder, stdio: bool) -> ServeOrder {
        let session_idle = Duration::from_secs(600);
        ServeOrder { run, listen: None, stdio, path: "/mcp".into(), token_file: None, max_sessions: 16, session_idle }
    }

    fn http(&self) -> ServeOrder {
        let code = self.code().display().to_string();
        let command = [env!("CARGO_BIN_EXE_tiny-http-server"), &code, "--port", "{port}"];
        self.served(self.order(&command), false)
    }

    fn processes(&self) -> Vec<u32> {
        process::with_environment(MARK, self.path()).into_iter().map(|seen| seen.pid).collect()
    }

    /// Nothing runs any more, and the state directory says so.
    fn assert_clean(&self) {
        assert_eq!(self.processes(), [] as [u32; 0]);
        assert_eq!((running(&self.home()), stale(&self.home()).len()), (Vec::new(), 0));
        let left: Vec<_> = [self.home().run(), self.home().state()]
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap().flatten())
            .map(|entry| entry.path())
            .filter(|path| !path.to_string_lossy().contains("last_good"))
            .collect();
        assert_eq!(left, [] as [PathBuf; 0]);
    }
}

fn call(id: usize, tool: &str) -> Vec<u8> {
    let params = json!({"name": tool, "arguments": {"text": format!("call {id}")}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string().into_bytes()
}

/// What an answer is to, and the text in it.
fn said(line: &[u8]) -> (usize, String) {
    let answer: Value = serde_json::from_slice(line).unwrap();
    let text = answer["result"]["content"][0]["text"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    (usize::try_from(answer["id"].as_u64().unwrap_or_default()).unwrap(), text)
}

async fn open(pipe: &mut ClientPipe) {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let opening = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    pipe.send(opening.to_string().into_bytes()).await.unwrap();
    let answer = timeout(PATIENCE, pipe.recv()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("serverInfo"), "{}", String::from_utf8_lossy(&answer));
    pipe.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec()).await.unwrap();
}

async fn started(order: RunOrder) -> (Front, ClientPipe) {
    let (front, mut pipe) = embedded::stdio(order, Embedding::default()).await.unwrap();
    timeout(PATIENCE, open(&mut pipe)).await.unwrap();
    // A file that is saved before would belong to the first start.
    let first = timeout(PATIENCE, front.first()).await.unwrap();
    assert!(matches!(first, Some(Outcome::Started { .. })), "{first:?}");
    (front, pipe)
}

async fn ask(front: &Front, ask: Ask) -> Outcome {
    match timeout(PATIENCE, front.ask(ask)).await.unwrap() {
        Answer::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

async fn close(front: &Front) {
    timeout(PATIENCE, front.close()).await.unwrap();
}

/// Calls until it is told to stop; how many.
async fn load(sender: ClientSender, mut stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut sent = 0;
    while !*stop.borrow_and_update() {
        sent += 1;
        sender.send(call(sent, "echo")).await.unwrap();
        tokio::task::yield_now().await;
    }
    sent
}

#[tokio::test]
async fn no_call_in_flight_is_lost_by_a_swap() {
    let place = Place::new("1");
    let (front, pipe) = started(place.stdio()).await;
    let (sender, mut receiver) = pipe.split();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let calls = tokio::spawn(load(sender.clone(), stopped));
    let answers = tokio::spawn(async move {
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        while let Some(line) = receiver.recv().await {
            let (id, text) = said(&line);
            assert!(id == 0 || text == format!("call {id}"), "{text}");
            *seen.entry(id).or_default() += 1;
        }
        seen
    });
    for version in 2..12 {
        place.save(&version.to_string());
        let outcome = ask(&front, Ask::Swap { force: false }).await;
        assert!(matches!(outcome, Outcome::Swapped { .. }), "{outcome:?}");
    }
    stop.send_replace(true);
    let sent = calls.await.unwrap();
    // The end of the client's input: what is owed is brought first, then the front ends.
    drop(sender);
    let mut seen = timeout(PATIENCE, answers).await.unwrap().unwrap();
    seen.remove(&0);
    assert!(
        sent > 10 && seen.len() == sent && seen.values().all(|times| *times == 1),
        "{sent} sent, {} seen",
        seen.len()
    );
    timeout(PATIENCE, front.closed()).await.unwrap();
    place.assert_clean();
}

#[tokio::test]
async fn close_leaves_no_process_and_is_said_twice() {
    let place = Place::new("1");
    let (front, mut pipe) = started(place.stdio()).await;
    assert_eq!(place.processes().len(), 1);
    assert_eq!(running(&place.home())[0].front, front.id());
    close(&front).await;
    place.assert_clean();
    close(&front).await;
    assert!(front.is_closed());
    assert_eq!(pipe.recv().await, None);
    assert!(pipe.send(call(1, "echo")).await.is_err());
    let answer = front.ask(Ask::Status).await;
    assert!(matches!(&answer, Answer::Error(fault) if fault.message.contains("ended")), "{answer:?}");
    let mut early = front.events();
    assert!(early.next().await.is_some(), "what happened before anybody listened");
    while timeout(PATIENCE, early.next()).await.unwrap().is_some() {}
    assert_eq!(front.events().next().await, None);
}

#[tokio::test]
async fn a_front_that_is_dropped_ends() {
    let place = Place::new("1");
    let (front, pipe) = started(place.stdio()).await;
    let twins = place.processes();
    assert_eq!(twins.len(), 1);
    drop(front);
    gone(twins[0]);
    // Its thread removes what is left in the state directory.
    until("the seat given up", || (fs::read_dir(place.home().run()).unwrap().count() == 0).then_some(()));
    place.assert_clean();
    drop(pipe);
}

#[tokio::test]
async fn a_client_that_is_dropped_ends_its_front() {
    let place = Place::new("1");
    let (front, pipe) = started(place.stdio()).await;
    drop(pipe);
    timeout(PATIENCE, front.closed()).await.unwrap();
    place.assert_clean();
}

#[tokio::test]
async fn two_fronts_live_in_one_process() {
    let place = Place::new("1");
    let (one, mut first) = started(place.stdio()).await;
    let (two, mut second) = started(place.stdio()).await;
    assert_ne!(one.id(), two.id());
    assert_eq!(running(&place.home()).len(), 2);
    place.save("2");
    assert!(matches!(ask(&one, Ask::Swap { force: false }).await, Outcome::Swapped { .. }));
    for (pipe, version) in [(&mut first, "2"), (&mut second, "1")] {
        pipe.send(call(1, "version")).await.unwrap();
        assert_eq!(said(&pipe.recv().await.unwrap()), (1, version.to_owned()));
    }
    close(&one).await;
    second.send(call(2, "version")).await.unwrap();
    assert_eq!(said(&second.recv().await.unwrap()).1, "1", "the end of one is nothing to the other");
    close(&two).await;
    place.assert_clean();
}

#[tokio::test]
async fn the_events_say_what_stderr_would() {
    let place = Place::new("1");
    let (front, pipe) = started(place.stdio()).await;
    let mut events = front.events();
    place.save("broken");
    let outcome = ask(&front, Ask::Swap { force: false }).await;
    let Outcome::Failed { fault, active: Some(_) } = outcome else { panic!("{outcome:?}") };
    assert!(fault.stderr_tail.contains("this code does not start"), "{fault:?}");
    place.save("2");
    assert!(matches!(ask(&front, Ask::Swap { force: false }).await, Outcome::Swapped { .. }));
    pipe.send(call(1, "version")).await.unwrap();
    close(&front).await;
    let (mut failed, mut swapped, mut stderr, mut words) = (0, 0, 0, 0);
    while let Some(event) = timeout(PATIENCE, events.next()).await.unwrap() {
        match event {
            FrontEvent::Notice(Notice::ReloadFailed { .. }) => failed += 1,
            FrontEvent::Notice(Notice::Swapped { previous: Some(_), .. }) => swapped += 1,
            FrontEvent::TwinSaid { twin, line } if line.contains("does not start") => {
                assert!(twin.contains("generation 2"), "{twin}");
                stderr += 1;
            }
            FrontEvent::Said(line) if line.contains("swapped generation 1") => words += 1,
            _ => {}
        }
    }
    assert_eq!((failed, swapped, stderr, words), (1, 1, 1, 1));
}

#[tokio::test]
async fn a_server_that_cannot_start_is_told_with_its_stderr() {
    let place = Place::new("broken");
    let command = place.stdio().command;
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let order = place.served(place.order(&command), true);
    let (front, _) = embedded::http(order, Embedding::default()).await.unwrap();
    let first = timeout(PATIENCE, front.first()).await.unwrap().unwrap();
    let Outcome::Failed { fault, active: None } = first else { panic!("{first:?}") };
    assert!(fault.stderr_tail.contains("this code does not start"), "{fault:?}");
    close(&front).await;
    place.assert_clean();
}

#[tokio::test]
async fn a_front_over_http_swaps_and_leaves_nothing() {
    let place = Place::new("1");
    let (front, url) = embedded::http(place.http(), Embedding::default()).await.unwrap();
    // Its port is the system's: a second front of the same server is in nobody's way.
    let (other, second) = embedded::http(place.http(), Embedding::default()).await.unwrap();
    assert_ne!(url, second);
    for front in [&front, &other] {
        let first = timeout(PATIENCE, front.first()).await.unwrap().unwrap();
        assert!(matches!(first, Outcome::Started { .. }), "{first:?}");
    }
    let ask_version = |url: String| {
        tokio::task::spawn_blocking(move || {
            let client = HttpClient::new(&url);
            client.open();
            client.text("version", json!({}))
        })
    };
    assert_eq!(ask_version(url.clone()).await.unwrap(), "1");
    place.save("2");
    let outcome = ask(&front, Ask::Swap { force: false }).await;
    assert!(matches!(outcome, Outcome::Swapped { .. }), "{outcome:?}");
    assert_eq!(ask_version(url).await.unwrap(), "2");
    assert_eq!(ask_version(second).await.unwrap(), "1");
    close(&front).await;
    close(&other).await;
    place.assert_clean();
}

#[tokio::test]
async fn a_private_home_is_gone_with_its_front() {
    let place = Place::new("1");
    let (front, _pipe) = embedded::stdio(place.stdio(), Embedding { private: true }).await.unwrap();
    let Answer::Status(status) = front.ask(Ask::Status).await else { panic!("no status") };
    let logs = PathBuf::from(status.log.unwrap());
    let home = logs.ancestors().nth(2).unwrap();
    assert!(home.is_dir() && !home.starts_with(place.path()), "{home:?}");
    close(&front).await;
    assert!(!home.exists() && !place.home().path().exists());
}

/// What a front could change of the process it lives in.
fn touched() -> (String, bool, Vec<rustix::fs::OFlags>) {
    // Of this thread: that of the test harness blocks all signals for a moment when it starts this one.
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let signals = status
        .lines()
        .filter(|line| ["SigBlk", "SigIgn", "SigCgt"].iter().any(|name| line.starts_with(name)))
        .collect::<Vec<_>>()
        .join("\n");
    let subreaper = rustix::process::child_subreaper().unwrap().is_some();
    let standard = [0, 1, 2].map(|n| fs::read_to_string(format!("/proc/self/fdinfo/{n}")).unwrap());
    let flags = standard.map(|info| {
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
        rustix::fs::OFlags::from_bits_retain(u32::from_str_radix(&flags, 8).unwrap())
    });
    (signals, subreaper, flags.to_vec())
}

#[test]
fn the_process_is_left_as_it_was() {
    let place = Place::new("1");
    let before = touched();
    // A child of the host, which nobody but the host may reap.
    let mut child = Command::new("true").spawn().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (front, _pipe) = started(place.stdio()).await;
        assert_eq!(touched(), before);
        place.save("2");
        assert!(matches!(ask(&front, Ask::Swap { force: false }).await, Outcome::Swapped { .. }));
        close(&front).await;
    });
    assert_eq!(touched(), before);
    assert!(child.wait().unwrap().success());
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children: String =
        tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default()).collect();
    assert_eq!(children.trim(), "", "no child is left, and no zombie");
}

#[tokio::test]
async fn descriptors_and_threads_do_not_grow() {
    let place = Place::new("1");
    let us = std::process::id();
    let count = || (process::descriptors(us), status_number(us, "Threads").unwrap());
    let mut before = None;
    for round in 0..12 {
        let (front, _pipe) = started(place.stdio()).await;
        close(&front).await;
        // The thread is over in the moment after its last word.
        until("the end of the front's thread", || {
            let now = count();
            (round < 2 || now <= before.unwrap()).then(|| before = Some(now))
        });
    }
    place.assert_clean();
}

/// The host of the tests below, which is ended in some way: holds a front over stdio and one over HTTP.
#[test]
#[ignore = "run by other tests as their child"]
fn child_hosts_fronts() {
    let mut place = Place { folder: TempDir::new().unwrap(), at: None };
    place.at = std::env::var_os("TWIN_TEST_FOLDER").map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (_front, _pipe) = started(place.stdio()).await;
        let (over_http, _url) = embedded::http(place.http(), Embedding::default()).await.unwrap();
        let first = over_http.first().await.unwrap();
        assert!(matches!(first, Outcome::Started { .. }), "{first:?}");
        println!("\nready");
        let _ = std::io::stdin().read(&mut [0]);
        match std::env::var("TWIN_TEST_END").as_deref() {
            Ok("exit") => std::process::exit(3),
            _ => std::process::abort(),
        }
    });
}

fn host(place: &Place, how: &str) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_hosts_fronts", "--ignored", "--nocapture"])
        .env("TWIN_TEST_FOLDER", place.path())
        .env("TWIN_TEST_END", how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("ready")));
    child
}

fn leaves_nothing(how: &str) {
    let place = Place::new("1");
    let mut child = host(&place, how);
    let twins = place.processes();
    let twins: Vec<u32> = twins.into_iter().filter(|pid| *pid != child.id()).collect();
    assert_eq!(twins.len(), 2, "one of each front");
    if how == "killed" {
        child.kill().unwrap();
    } else {
        // It ends by itself at the end of its input.
        drop(child.stdin.take());
    }
    child.wait().unwrap();
    twins.into_iter().for_each(gone);
    assert!(!alive(child.id()));
    // What lies about is the next front's to clear away.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (front, _pipe) = started(place.stdio()).await;
        close(&front).await;
    });
    place.assert_clean();
    let logs =
        fs::read_dir(place.home().logs()).unwrap().flatten().flat_map(|folder| fs::read_dir(folder.path()).unwrap());
    let left: Vec<_> =
        logs.flatten().map(|entry| entry.path()).filter(|path| path.extension().unwrap() != "log").collect();
    assert_eq!(left, [] as [PathBuf; 0]);
}

#[test]
fn a_host_that_is_killed_leaves_nothing() {
    leaves_nothing("killed");
}

#[test]
fn a_host_that_exits_in_the_middle_leaves_nothing() {
    leaves_nothing("exit");
}

#[test]
fn a_host_that_aborts_leaves_nothing() {
    leaves_nothing("abort");
}
