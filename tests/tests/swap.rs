//! A save, a command, a rollback: what the client sees of them, and what it does not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::body_of;
use mcp_twin_tests::{PATIENCE, Project, Server, process};
use serde_json::{Value, json};

const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

#[test]
fn a_saved_file_answers_while_the_old_code_finishes_its_call() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let (_, old) = client.whoami();
    let long = client.work(4000, "long");
    project.save_version("v2");
    client.until_version("v2");
    assert!(client.books().open.contains(&long), "the swap waited for the call, or cut it: {:?}", client.books());
    assert_ne!(client.whoami().1, old);
    let body = body_of(&client.answer(&long));
    assert_eq!((&body["version"], &body["pid"]), (&json!("v1"), &json!(old)));
    assert_eq!(project.record().of("long").unwrap().pid, u64::from(old));
    project.finish(&client);
}

#[test]
fn a_changed_list_is_told_once_and_an_equal_one_never() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let before = client.tools();
    project.save_version("v2");
    client.until_version("v2");
    project.save_version_with_tools("v3", &["fresh"]);
    client.until_notified(TOOLS_CHANGED, 1);
    let after = client.tools();
    assert_eq!((after.len(), after.last().map(String::as_str)), (before.len() + 1, Some("fresh")));
    project.save_version("v4");
    client.until_version("v4");
    assert_eq!(client.notified(TOOLS_CHANGED), 1);
    project.finish(&client);
}

#[test]
fn every_kind_of_list_is_told_to_those_who_have_it() {
    let project = Project::new(Server::Plain);
    project.set("LISTS", r#"["tools", "prompts", "resources"]"#);
    let client = project.open();
    // The prompt's description has the version in it; tools and resources stay the same.
    project.save_version("v2");
    client.until_notified("notifications/prompts/list_changed", 1);
    client.until_version("v2");
    assert_eq!((client.notified(TOOLS_CHANGED), client.notified("notifications/resources/list_changed")), (0, 0));
    let prompt = client.ask("prompts/list", json!({}));
    assert_eq!(prompt["result"]["prompts"][0]["description"], "greet, v2");
    let resource = client.ask("resources/read", json!({"uri": "fixture://version"}));
    assert_eq!(resource["result"]["contents"][0]["text"], "v2");
    project.finish(&client);
}

#[test]
fn promote_manual_waits_for_the_command() {
    let project = Project::new(Server::Plain);
    let client = project.open_with(&["--promote", "manual"]);
    project.save_version_with_tools("v2", &["fresh"]);
    let front = project.until_status("a verified standby", |front| front["standby_stage"] == "verified");
    assert_eq!(client.version(), "v1");
    assert_eq!(front["waiting"]["lists"]["tools"]["added"], json!(["fresh"]));
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn reload_verifies_and_swap_promotes() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let first = client.whoami();
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "nothing_newer");
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "verified");
    assert_eq!(client.whoami(), first, "a reload promotes nothing");
    let report = project.cli(&["swap", "--json"]).with_status(0);
    assert_eq!(report.outcome(), "swapped");
    let (version, pid) = client.whoami();
    assert_eq!((version.as_str(), &json!(pid)), ("v1", &report.outcomes()[0]["active"]["pid"]));
    assert_ne!(pid, first.1);
    project.finish(&client);
}

#[test]
fn a_rollback_goes_back_to_the_warm_twin_and_stays_there() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let first = client.whoami();
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(project.cli(&["rollback", "--json"]).with_status(0).outcome(), "rolled_back");
    assert_eq!(client.whoami(), first);
    // The code that was left is not tried again by a save of the same, only by a command.
    project.save();
    assert_eq!(client.whoami(), first);
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn a_rollback_without_a_previous_twin_is_refused() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let first = client.whoami();
    let report = project.cli(&["rollback", "--json"]).with_status(4);
    assert_eq!(report.outcomes()[0]["fault"]["code"], "twin::rollback::no_previous", "{report:?}");
    assert_eq!(client.whoami(), first);
    project.finish(&client);
}

#[test]
fn a_stopped_front_answers_clearly_and_reload_starts_it_again() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let (_, pid) = client.whoami();
    assert_eq!(project.cli(&["stop", "--json"]).with_status(0).outcome(), "stopped");
    process::gone(pid);
    let refused = client.ask("tools/call", json!({"name": "version", "arguments": {}}));
    assert_eq!(refused["error"]["data"]["code"], "twin::stopped", "{refused}");
    assert_eq!(project.status()["state"], "stopped");
    // A save alone does not start what was stopped.
    project.save_version("v2");
    let refused = client.ask("tools/call", json!({"name": "version", "arguments": {}}));
    assert!(refused["error"].is_object(), "{refused}");
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "started");
    assert_eq!(client.version(), "v2");
    project.finish(&client);
}

#[test]
fn status_says_who_serves_whom() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let (_, first) = client.whoami();
    let front = project.status();
    assert_eq!(front["server"], "shop-server");
    assert_eq!(front["front_pid"], client.pid());
    assert_eq!(front["state"], "serving");
    assert_eq!((&front["transport"], &front["protocol"]), (&json!("stdio"), &json!("2025-11-25")));
    assert_eq!((&front["active"]["pid"], &front["active"]["generation"]), (&json!(first), &json!(1)));
    assert!(front["client"].as_str().unwrap().contains("mcp-twin-tests"), "{front}");
    assert!(front["watched"].as_u64().unwrap() >= 1, "{front}");
    let long = client.work(2000, "long");
    project.save_version("v2");
    let front = project.until_status("one swap", |front| front["swaps"] == 1);
    assert_eq!((&front["active"]["generation"], &front["previous"]["pid"]), (&json!(2), &json!(first)));
    assert_eq!(front["baking"], true);
    assert_eq!(body_of(&client.answer(&long))["version"], "v1");
    // People read the same without --json.
    let shown = project.cli(&["status"]).with_status(0).stdout;
    assert!(shown.contains("shop-server"), "{shown}");
    project.finish(&client);
}

#[test]
fn a_question_of_the_old_code_is_answered_after_the_swap() {
    let project = Project::new(Server::Plain);
    let client = project.run(&[]);
    client.initialize(json!({"roots": {}}));
    client.notify("notifications/initialized", json!({}));
    client.inbox().reply_with("roots/list", Value::Null);
    let asked = |count: usize| {
        let nth = |asks: &[Value]| asks.get(count - 1).map(|ask| ask["id"].clone());
        client.inbox().request(PATIENCE, nth).expect("the server's question")
    };
    let old = client.call("ask", json!({"method": "roots/list"}));
    let first = asked(1);
    project.save_version("v2");
    client.until_version("v2");
    let new = client.call("ask", json!({"method": "roots/list"}));
    let second = asked(2);
    assert_ne!(first, second, "two questions of two twins under one id");
    for (id, root) in [(second, "file:///second"), (first, "file:///first")] {
        client.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"roots": [{"uri": root}]}}));
    }
    let said = |id| client.answer(&id)["result"]["content"][0]["text"].to_string();
    assert!(said(old).contains("file:///first"));
    assert!(said(new).contains("file:///second"));
    project.finish(&client);
}

#[test]
fn progress_of_the_old_code_passes_after_the_swap() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let arguments = json!({"name": "steps", "arguments": {"ms": 6000}, "_meta": {"progressToken": "mine"}});
    let steps = client.request("tools/call", arguments);
    client.until_notified("notifications/progress", 1);
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(body_of(&client.answer(&steps))["version"], "v1");
    let notes = client.inbox().notifications();
    let progress: Vec<_> = notes.iter().filter(|note| note["method"] == "notifications/progress").collect();
    assert_eq!(progress.len(), 3);
    assert!(progress.iter().all(|note| note["params"]["progressToken"] == "mine"));
    project.finish(&client);
}

#[test]
fn two_fronts_of_one_server_swap_each_and_share_generations() {
    let project = Project::new(Server::Plain);
    let (one, two) = (project.open(), project.open());
    assert_ne!(one.whoami().1, two.whoami().1);
    project.save_version("v2");
    one.until_version("v2");
    two.until_version("v2");
    let fronts = project.fronts();
    assert_eq!(fronts.len(), 2);
    assert_eq!(fronts[0]["server"], fronts[1]["server"]);
    assert_eq!(fronts[0]["active"]["generation"], 2);
    assert_eq!(fronts[1]["active"]["generation"], 2);
    // A command goes to both.
    let report = project.cli(&["reload", "shop-server", "--json"]).with_status(0);
    assert_eq!(report.outcomes().len(), 2, "{report:?}");
    assert!(one.close().success());
    assert_eq!(project.fronts().len(), 1);
    assert_eq!(two.version(), "v2");
    project.finish(&two);
}

#[test]
fn two_projects_with_a_server_of_the_same_name_stay_apart() {
    let here = Project::new(Server::Plain);
    let there = here.beside(Server::Plain, "elsewhere/shop");
    let (mine, theirs) = (here.open(), there.open());
    let name = |project: &Project| {
        let root = project.root().display().to_string();
        let front = here.fronts().into_iter().find(|front| front["root"] == root.as_str());
        front.unwrap_or_else(|| panic!("no front of {root}: {:?}", here.fronts()))["server"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (my_name, their_name) = (name(&here), name(&there));
    assert_ne!(my_name, their_name);
    let before = theirs.whoami();
    here.save_version("v2");
    mine.until_version("v2");
    assert_eq!(theirs.whoami(), before);
    let report = here.cli(&["reload", &their_name, "--json"]).with_status(0);
    assert_eq!(report.outcomes().len(), 1, "{report:?}");
    assert_eq!(report.outcomes()[0]["front_pid"], theirs.pid());
    // Without a name it is not clear who is meant.
    let _ = here.cli(&["reload", "--json"]).with_status(2);
    assert!(mine.close().success());
    there.finish(&theirs);
}

#[test]
fn commands_without_a_front_say_so() {
    let project = Project::new(Server::Plain);
    for verb in ["reload", "swap", "rollback"] {
        let report = project.cli(&[verb, "--json"]).with_status(5);
        assert!(report.stdout.contains("error"), "{report:?}");
    }
    assert!(project.fronts().is_empty());
}
