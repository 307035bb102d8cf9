//! A client on rmcp that keeps calls in flight until it is told to stop; options, lines and report as in `sdk_client.py`.
//!
//!     rmcp-client [--mode legacy|auto|modern] [--in-flight N] [--ms N] [--tool NAME] -- COMMAND...
#![allow(clippy::unwrap_used, clippy::expect_used)] // A fixture: its panics are its failures.

use rmcp::model::{CallToolRequestParams, ProtocolVersion, SubscriptionFilter};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, Peer, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
struct Fixture(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    report: Mutex<Report>,
}

#[derive(Default)]
struct Report {
    calls: usize,
    ok: usize,
    failed: Vec<String>,
    answers: Vec<Value>,
    versions: Vec<String>,
    list_changed: usize,
}

impl Fixture {
    fn changed(&self) {
        self.0.report.lock().unwrap().list_changed += 1;
        println!("changed");
    }

    fn failed(&self, why: String) {
        self.0.report.lock().unwrap().failed.push(why);
    }

    fn answered(&self, key: &str, body: &Value) {
        let report = &mut *self.0.report.lock().unwrap();
        report.ok += 1;
        report.answers.push(json!([key, body["version"], body["pid"]]));
        let version = body["version"].as_str().unwrap_or_default().to_owned();
        if !report.versions.contains(&version) {
            println!("version {version}");
            report.versions.push(version);
        }
    }
}

impl ClientHandler for Fixture {
    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed();
    }
}

struct Plan {
    mode: String,
    in_flight: usize,
    ms: u64,
    tool: String,
    command: Vec<String>,
}

impl Plan {
    fn new() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let end = arguments.iter().position(|argument| argument == "--").expect("a command behind --");
        let (options, command) = (&arguments[..end], arguments[end + 1..].to_vec());
        let option = |name: &str, otherwise: &str| {
            let at = options.iter().position(|option| option == name);
            at.map_or(otherwise, |at| options[at + 1].as_str()).to_owned()
        };
        Self {
            mode: option("--mode", "legacy"),
            in_flight: option("--in-flight", "8").parse().unwrap(),
            ms: option("--ms", "20").parse().unwrap(),
            tool: option("--tool", "work"),
            command,
        }
    }

    fn lifecycle(&self) -> ClientLifecycleMode {
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        match self.mode.as_str() {
            "modern" => ClientLifecycleMode::Discover { preferred_versions },
            "auto" => {
                ClientLifecycleMode::Auto { preferred_versions, legacy_version: Some(ProtocolVersion::V_2025_11_25) }
            }
            _ => ClientLifecycleMode::Initialize,
        }
    }

    /// What `work` answers; `get-env` of server-everything shows version and process in its environment, and no key.
    fn body(&self, text: &str, key: &str) -> Value {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        if self.tool != "get-env" {
            return value;
        }
        let pid = value["FIXTURE_PID"].as_str().and_then(|pid| pid.parse::<u64>().ok());
        json!({"version": value["FIXTURE_VERSION"], "pid": pid, "key": key})
    }
}

async fn caller(fixture: Fixture, plan: Arc<Plan>, peer: Peer<RoleClient>, number: usize) {
    let mut count = 0;
    while !fixture.0.stop.load(Ordering::SeqCst) {
        count += 1;
        let key = format!("rs-{number}-{count}");
        fixture.0.report.lock().unwrap().calls += 1;
        let arguments = json!({"ms": plan.ms, "key": key}).as_object().unwrap().clone();
        let result = peer.call_tool(CallToolRequestParams::new(plan.tool.clone()).with_arguments(arguments)).await;
        let result = result.map(|result| serde_json::to_value(result).unwrap());
        let text = result.as_ref().ok().filter(|result| result["isError"] != true);
        let text = text.and_then(|result| result["content"][0]["text"].as_str());
        let body = text.map(|text| plan.body(text, &key));
        match body.filter(|body| body["key"] == key.as_str()) {
            Some(body) => fixture.answered(&key, &body),
            None => fixture.failed(format!("{key}: {result:?}")),
        }
        if plan.tool == "get-env" {
            // Which has no duration of its own.
            tokio::time::sleep(Duration::from_millis(plan.ms)).await;
        }
    }
}

/// Over a modern session a list change is only told to those who listen. Comes back once the server has acknowledged.
async fn listen(fixture: Fixture, peer: Peer<RoleClient>) {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut events = peer.listen(filter).await.expect("a subscription");
    tokio::spawn(async move {
        while let Ok(Some(_)) = events.next().await {
            fixture.changed();
        }
        if !fixture.0.stop.load(Ordering::SeqCst) {
            fixture.failed(format!("the subscription ended: {:?}", events.end()));
        }
    });
}

async fn names(client: &RunningService<RoleClient, Fixture>) -> Vec<String> {
    let mut names: Vec<String> =
        client.list_all_tools().await.expect("the tools").into_iter().map(|tool| tool.name.into_owned()).collect();
    names.sort();
    names
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plan = Arc::new(Plan::new());
    let fixture = Fixture::default();
    let mut command = tokio::process::Command::new(&plan.command[0]);
    command.args(&plan.command[1..]);
    let transport = TokioChildProcess::new(command).expect("the server's command");
    let client = match fixture.clone().serve_with_lifecycle(transport, plan.lifecycle()).await {
        Ok(client) => client,
        Err(error) => {
            println!("error {error}");
            std::process::exit(1);
        }
    };
    let protocol = client.peer().peer_info().map(|info| info.protocol_version.to_string()).unwrap_or_default();
    if protocol.as_str() >= "2026" {
        listen(fixture.clone(), client.peer().clone()).await;
    }
    let first = names(&client).await;
    let shared = fixture.0.clone();
    // A plain thread: it waits for a line, and nothing waits for it.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        shared.stop.store(true, Ordering::SeqCst);
    });
    let callers =
        (0..plan.in_flight).map(|number| caller(fixture.clone(), plan.clone(), client.peer().clone(), number));
    for caller in callers.map(tokio::spawn).collect::<Vec<_>>() {
        caller.await.expect("a caller");
    }
    let last = names(&client).await;
    client.cancel().await.expect("the end of the session");
    let report = fixture.0.report.lock().unwrap();
    let Report { calls, ok, failed, answers, versions, list_changed } = &*report;
    println!(
        "{}",
        json!({
            "calls": calls, "ok": ok, "failed": failed, "answers": answers, "versions": versions,
            "list_changed": list_changed, "protocol": protocol, "tools": [first, last],
        })
    );
}
