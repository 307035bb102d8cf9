//! `run --tools`: the agent behind a client asks the front itself, over the client's own connection. Official SDKs on both
//! ends, in both eras; what needs a raw line has a raw client.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::talker::{Sdk, Talker};
use mcp_twin_tests::wait::until;
use mcp_twin_tests::{Client, Project, Server, process};
use serde_json::{Value, json};
use std::fs;

const LEGACY: (Sdk, &str) = (Sdk::PythonLegacy, "2025-11-25");
const MODERN: (Sdk, &str) = (Sdk::PythonAuto, "2026-07-28");

/// A client that is led, before a server on the Python SDK.
struct Agent {
    project: Project,
    talker: Talker,
    asked: usize,
}

impl Agent {
    fn new(project: Project, (sdk, protocol): (Sdk, &str), flags: &[&str]) -> Self {
        let mut talker = Talker::lead(&project, sdk, &project.front_command(&[&["--tools"], flags].concat()));
        let _ = talker.hear("ready", protocol);
        Self { project, talker, asked: 0 }
    }

    /// Calls a tool, and gives back its text, its structured content, and whether it failed.
    fn call(&mut self, tool: &str, arguments: Value) -> (String, Value, bool) {
        self.asked += 1;
        let key = format!("{tool}-{}", self.asked);
        self.talker.tell(&format!("use {tool} {arguments} {key}"));
        let done = self.talker.hear("done", &key);
        (done["text"].as_str().unwrap().to_owned(), done["structured"].clone(), done["failed"] == true)
    }

    fn text(&mut self, tool: &str) -> String {
        self.call(tool, json!({})).0
    }

    fn names(&mut self) -> Vec<String> {
        self.talker.tell("tools");
        let done = self.talker.hear("done", "");
        done["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    fn finish(self) {
        let _ = self.talker.stop();
        self.project.nothing_left();
    }
}

/// The agent breaks the server, reads why in the answer, mends it, and calls the tool that it wrote.
fn edits_a_server(client: (Sdk, &str), flags: &[&str]) {
    let mut agent = Agent::new(Project::new(Server::PythonSdk), client, flags);
    let ours = ["twin_history", "twin_logs", "twin_reload", "twin_rollback", "twin_status", "twin_swap"];
    assert_eq!(agent.names(), [&["echo"][..], &ours, &["version", "work"]].concat());
    assert_eq!(agent.text("version"), "v1");
    let (text, status, failed) = agent.call("twin_status", json!({}));
    assert!(!failed && text.contains("generation 1 (slot A) serves"), "{text}");
    assert_eq!((&status["state"], &status["healthy"]), (&json!("serving"), &json!(true)), "{status}");

    agent.project.save_broken();
    let (text, told, failed) = agent.call("twin_reload", json!({}));
    assert!(failed && text.contains("SyntaxError") && text.contains("goes on serving"), "{text}");
    assert_eq!((&told["outcome"], &told["ok"]), (&json!("failed"), &json!(false)), "{told}");
    assert!(told["failure"]["stderr"].as_str().unwrap().contains("def broken(:"), "{told}");
    assert_eq!(agent.text("version"), "v1", "it is not told once more, and the old code serves");
    let (text, status, failed) = agent.call("twin_status", json!({}));
    assert!(!failed && status["healthy"] == false && text.contains("SyntaxError"), "{text}");
    let (text, log, _) = agent.call("twin_logs", json!({"lines": 500}));
    assert!(text.contains("SyntaxError") && log["lines"].as_array().unwrap().len() > 3, "{text}");
    let (_, log, _) = agent.call("twin_logs", json!({"lines": 500, "twin": "A"}));
    let of_a = |line: &Value| line.as_str().unwrap().contains("[A generation ");
    assert!(log["lines"].as_array().unwrap().iter().all(of_a), "{log}");

    agent.project.save_version_with_tools("v2", &["fresh"]);
    let (text, told, failed) = agent.call("twin_reload", json!({}));
    assert!(!failed && text.contains("live") && text.contains("tools: added fresh"), "{text}");
    // A look at the half-written file would have had a number too.
    let taken = told["active"]["generation"].as_u64().unwrap();
    assert!(told["outcome"] == "swapped" && taken >= 3, "{told}");
    assert_eq!((&told["changes"][0]["added"], &told["failure"]), (&json!(["fresh"]), &Value::Null), "{told}");
    if client == LEGACY {
        // The server itself never says so: that its list may change is the front's promise, and the front keeps it.
        let _ = agent.talker.hear("changed", "tools");
    }
    assert_eq!(agent.text("fresh"), "v2");
    assert!(agent.names().contains(&"fresh".to_owned()));

    let (text, told, failed) = agent.call("twin_rollback", json!({}));
    assert!(!failed && told["outcome"] == "rolled_back" && text.contains("generation 1"), "{text}");
    assert_eq!(agent.text("version"), "v1");
    let (text, told, failed) = agent.call("twin_rollback", json!({"to": 99}));
    assert!(failed && told["failure"]["code"] == "twin::rollback::no_generation", "{text}");
    let (text, told, _) = agent.call("twin_history", json!({"limit": 3}));
    let outcomes: Vec<_> = told["operations"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes[..2], [json!("rolled_back"), json!("swapped")], "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    agent.finish();
}

#[test]
fn an_agent_edits_its_server_in_the_legacy_era() {
    edits_a_server(LEGACY, &["--no-watch"]);
}

#[test]
fn an_agent_edits_its_server_in_the_modern_era() {
    edits_a_server(MODERN, &["--no-watch"]);
}

#[test]
fn an_agent_edits_its_server_while_its_files_are_watched() {
    edits_a_server(LEGACY, &[]);
}

#[test]
fn new_code_waits_where_that_is_wanted() {
    let mut agent = Agent::new(Project::new(Server::PythonSdk), MODERN, &["--no-watch", "--promote", "manual"]);
    agent.project.save_version("v2");
    let (text, told, failed) = agent.call("twin_reload", json!({}));
    assert!(!failed && text.contains("`twin_swap` switches to it"), "{text}");
    assert_eq!((&told["outcome"], &told["waits_for_swap"]), (&json!("verified"), &json!(true)), "{told}");
    assert_eq!(agent.text("version"), "v1");
    assert_eq!(agent.call("twin_status", json!({})).1["waits_for_swap"], true);
    assert_eq!(agent.call("twin_swap", json!({})).1["outcome"], "swapped");
    assert_eq!(agent.text("version"), "v2");
    // The same code, afresh, since the agent says so.
    let (text, told, failed) = agent.call("twin_reload", json!({"promote": true}));
    assert!(!failed && told["outcome"] == "swapped", "{text}");
    agent.finish();
}

#[test]
fn a_tool_of_the_servers_own_wins_until_it_goes() {
    for client in [LEGACY, MODERN] {
        let project = Project::new(Server::PythonSdk);
        project.save_version_with_tools("v1", &["twin_status"]);
        let mut agent = Agent::new(project, client, &["--no-watch"]);
        assert_eq!(agent.text("twin_status"), "v1", "the server's, before any list was asked for");
        let names = agent.names();
        assert_eq!(names.iter().filter(|name| *name == "twin_status").count(), 1, "{names:?}");
        let warnings = agent.project.status()["warnings"].to_string();
        assert!(warnings.contains("twin_status") && warnings.contains("--tools-prefix"), "{warnings}");
        agent.project.save_version_with_tools("v2", &[]);
        assert_eq!(agent.call("twin_reload", json!({})).1["outcome"], "swapped");
        // The SDK holds a result against the schema that it knows: of this name there is another tool now.
        assert!(agent.names().contains(&"twin_status".to_owned()));
        assert_eq!(agent.call("twin_status", json!({})).1["state"], "serving");
        agent.finish();
    }
}

fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let answer = client.answer(&client.call(tool, arguments));
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

#[test]
fn an_open_call_is_finished_by_the_old_code_while_the_agent_reloads() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--tools", "--no-watch", "--bake", "0s", "--keep-old", "0s"]);
    let old = client.whoami().1;
    let open = client.work(1500, "open");
    project.save_version("v2");
    assert_eq!(call(&client, "twin_reload", json!({}))["structuredContent"]["outcome"], "swapped");
    assert_eq!(client.version(), "v2");
    assert_eq!(client.inbox().open(), 1, "the call is still open");
    let answer = client.answer(&open);
    assert_eq!(mcp_twin_tests::client::body_of(&answer)["version"], "v1", "{answer}");
    process::gone(old);
    project.finish(&client);
}

#[test]
fn the_agent_repairs_a_server_of_which_nothing_serves() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--tools", "--no-watch"]);
    project.save_broken();
    process::kill(client.whoami().1);
    let status = until("a server that is down", || {
        let status = call(&client, "twin_status", json!({}));
        (status["structuredContent"]["state"] == "down").then_some(status)
    });
    assert!(status.to_string().contains("SyntaxError"), "{status}");
    let listed = client.tools();
    assert!(listed.iter().all(|name| name.starts_with("twin_")) && listed.len() == 6, "{listed:?}");
    let told = call(&client, "twin_reload", json!({}));
    assert!(told["isError"] == true && told.to_string().contains("SyntaxError"), "{told}");
    project.save_version("v2");
    let told = call(&client, "twin_reload", json!({}));
    assert_eq!(told["isError"], false, "{told}");
    assert_eq!(client.version(), "v2");
    client.until_notified("notifications/tools/list_changed", 1);
    assert!(client.tools().contains(&"version".to_owned()));
    project.finish(&client);
}

#[test]
fn a_reload_that_the_client_cancels_goes_on_without_an_answer() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--tools", "--no-watch"]);
    project.set_all(&[("VERSION", json!("v2")), ("BOOT_SECONDS", json!(0.5))]);
    client.send(&json!({"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "twin_reload"}}));
    until("a standby", || project.status()["standby"].is_object().then_some(()));
    client.notify("notifications/cancelled", json!({"requestId": 77}));
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn they_come_with_the_configuration_and_off_is_off() {
    let project = Project::new(Server::Plain);
    let file = project.root().join("mcp-twin.toml");
    let configure = |text: &str| {
        let new = file.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    configure("[defaults]\nbake = \"1s\"\n");
    let client = project.open();
    let own = client.tools();
    assert!(own.iter().all(|name| !name.starts_with("twin_")), "{own:?}");
    configure("[defaults]\nbake = \"1s\"\ntools = true\ntools_prefix = \"front.\"\n");
    client.until_notified("notifications/tools/list_changed", 1);
    let names = client.tools();
    assert_eq!(names[..own.len()], own);
    assert_eq!(names[own.len()], "front.status");
    assert_eq!(call(&client, "front.status", json!({}))["structuredContent"]["state"], "serving");
    configure("[defaults]\nbake = \"1s\"\n");
    client.until_notified("notifications/tools/list_changed", 2);
    assert_eq!(client.tools(), own);
    project.finish(&client);
}
