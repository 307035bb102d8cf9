//! A client on rmcp in this process, and the Inspector, while the server is swapped; the matrix of all SDKs is in
//! `interop.rs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::inspector::{self, Load};
use mcp_twin_tests::{Project, Server, until};
use rmcp::model::CallToolRequestParams;
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

#[test]
fn inspector_sees_no_difference() {
    let project = Project::new(Server::PythonSdk);
    let calls: [&[&str]; 3] = [
        &["--method", "tools/list"],
        &["--method", "tools/call", "--tool-name", "echo", "--tool-args-json", r#"{"text":"there"}"#],
        &["--method", "tools/call", "--tool-name", "no_such_tool"],
    ];
    for (era, call) in ["legacy", "modern"].into_iter().flat_map(|era| calls.map(|call| (era, call))) {
        let [bare, fronted] =
            [project.command(), project.front_command(&[])].map(|server| inspector::call(&project, era, &server, call));
        assert_eq!(bare, fronted, "{era} {call:?}");
        assert!(bare.0 != Some(0) || !bare.1.is_empty(), "{era} {call:?}");
    }
    project.nothing_left();
}

#[test]
fn inspector_load_loses_nothing_under_swaps() {
    let project = Project::new(Server::Plain);
    let load = Load::start(&project, "legacy", &project.front_command(&[]), "version", "{}", 8);
    for version in ["v2", "v3"] {
        let before = project.record().all().len();
        until("calls that run", || (project.record().all().len() > before).then_some(()));
        project.save_version(version);
        until("calls of the new code", || {
            project.record().all().iter().any(|run| run.version == version).then_some(())
        });
    }
    let report = load.end();
    let text = &report.text;
    assert!(report.success && report.ok > 0, "{text}");
    assert_eq!(report.ok, report.requests, "{text}");
    assert_eq!(report.ok, project.record().all().len(), "calls ran twice, or not at all");
    project.nothing_left();
}
