//! Official SDKs and the Inspector on both sides of a front, each while the server is swapped under it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::talker::{Sdk, Talker, assert_flawless};
use mcp_twin_tests::{Project, Server, tools, until};
use rmcp::model::CallToolRequestParams;
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two swaps under a client on an SDK; the second brings a new tool.
fn swapped_under(server: Server, sdk: Sdk) {
    let project = Project::new(server);
    let mut talker = Talker::start(&project, sdk, &project.front_command(&[]));
    talker.await_line("version v1");
    project.save_version("v2");
    talker.await_line("version v2");
    project.save_version_with_tools("v3", &["fresh"]);
    talker.await_line("version v3");
    // The Python SDK's servers say `listChanged: false`, and then a client must not be told.
    let told = usize::from(server == Server::TypeScriptSdk);
    if told > 0 {
        talker.await_line("changed");
    }
    let report = talker.stop();
    assert_flawless(&project, &report, &["v1", "v2", "v3"]);
    assert_eq!(report["list_changed"], told);
    let has_fresh = |at: usize| report["tools"][at].as_array().unwrap().contains(&json!("fresh"));
    assert!(!has_fresh(0) && has_fresh(1), "{}", report["tools"]);
    project.nothing_left();
}

#[test]
fn python_sdk_client_and_server() {
    swapped_under(Server::PythonSdk, Sdk::PythonAuto);
}

#[test]
fn python_sdk_client_that_opens_with_initialize() {
    swapped_under(Server::PythonSdk, Sdk::PythonLegacy);
}

#[test]
fn typescript_sdk_client_and_server() {
    swapped_under(Server::TypeScriptSdk, Sdk::TypeScript);
}

#[test]
fn python_sdk_client_of_a_typescript_server() {
    swapped_under(Server::TypeScriptSdk, Sdk::PythonAuto);
}

#[test]
fn typescript_sdk_client_of_a_python_server() {
    swapped_under(Server::PythonSdk, Sdk::TypeScript);
}

/// An rmcp client that counts list changes.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl ClientHandler for Counting {
    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn rmcp_work(client: &RunningService<RoleClient, Counting>, key: String, ms: u64) -> Value {
    let arguments = json!({"ms": ms, "key": key}).as_object().unwrap().clone();
    let result = client.call_tool(CallToolRequestParams::new("work").with_arguments(arguments)).await;
    let result = serde_json::to_value(result.unwrap_or_else(|error| panic!("{key}: {error}"))).unwrap();
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn rmcp_client() {
    let project = Project::new(Server::Plain);
    let counting = Counting::default();
    let mut command: tokio::process::Command = project.process(&project.front_command(&[])).into();
    command.stderr(Stdio::inherit());
    let client = counting.clone().serve(TokioChildProcess::new(command).unwrap()).await.unwrap();
    let mut seen = vec![rmcp_work(&client, "first".to_owned(), 0).await];
    let long = rmcp_work(&client, "long".to_owned(), 5000);
    let steady = async {
        for version in ["v2", "v3"] {
            project.save_version_with_tools(version, if version == "v3" { &["fresh"] } else { &[] });
            loop {
                let key = format!("k{}", seen.len());
                let body = rmcp_work(&client, key.clone(), 2).await;
                assert_eq!(body["key"], key.as_str());
                let reached = body["version"] == version;
                seen.push(body);
                if reached {
                    break;
                }
                assert!(seen.len() < 20_000, "{version} never answered");
            }
        }
    };
    let (long, ()) = tokio::join!(long, steady);
    assert_eq!(long["version"], "v1");
    seen.push(long);
    let runs = project.record().by_key();
    for body in &seen {
        let run = &runs[body["key"].as_str().unwrap()];
        assert_eq!((run.len(), json!(run[0].pid)), (1, body["pid"].clone()));
    }
    let tools = client.list_all_tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "fresh"));
    until("the list change", || (counting.0.load(Ordering::SeqCst) == 1).then_some(()));
    client.cancel().await.unwrap();
    project.nothing_left();
}

fn inspector(project: &Project, server: &[String], arguments: &[&str]) -> Command {
    let mut words = vec![tools::node().display().to_string(), tools::inspector().display().to_string()];
    words.extend(["--cli", "--format", "json", "-q", "--protocol-era", "legacy"].map(str::to_owned));
    words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    // The server's command stands behind `--`, since a front's command has one of its own.
    words.push("--".to_owned());
    // Like other clients it gives a server next to nothing of its own environment.
    words.push("env".to_owned());
    words.push(format!("MCP_TWIN_HOME={}", project.home().display()));
    words.push(format!("FIXTURE_RECORD={}", project.record().path().display()));
    words.extend(server.iter().cloned());
    project.process(&words)
}

#[test]
fn inspector_sees_no_difference() {
    let project = Project::new(Server::PythonSdk);
    let calls: [&[&str]; 3] = [
        &["--method", "tools/list"],
        &["--method", "tools/call", "--tool-name", "echo", "--tool-args-json", r#"{"text":"there"}"#],
        &["--method", "tools/call", "--tool-name", "no_such_tool"],
    ];
    for call in calls {
        let [bare, fronted] = [project.command(), project.front_command(&[])].map(|server| {
            let output = inspector(&project, &server, call).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        });
        assert_eq!(bare, fronted, "{call:?}");
        assert!(bare.0 != Some(0) || !bare.1.is_empty(), "{call:?}");
    }
    project.nothing_left();
}

#[test]
fn inspector_load_loses_nothing_under_swaps() {
    let project = Project::new(Server::Plain);
    let load =
        ["--method", "tools/call", "--tool-name", "version", "--load", "--load-concurrency", "8", "--load-duration"];
    let mut command = inspector(&project, &project.front_command(&[]), &[&load[..], &["6"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for version in ["v2", "v3"] {
        let before = project.record().all().len();
        until("calls that run", || (project.record().all().len() > before).then_some(()));
        project.save_version(version);
        until("calls of the new code", || {
            project.record().all().iter().any(|run| run.version == version).then_some(())
        });
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let result = &report["result"];
    assert!(output.status.success(), "{text}");
    assert_eq!((&result["errors"], &result["toolErrors"]), (&json!(0), &json!(0)), "{text}");
    assert_eq!(result["ok"], result["requests"], "{text}");
    assert_eq!(result["ok"], json!(project.record().all().len()), "calls ran twice, or not at all");
    project.nothing_left();
}
