//! Configuration files: what counts, where it comes from, and what a front that lives makes of a change.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::wait::{until, until_right};
use mcp_twin_tests::{Client, Project, Served, Server, http::Http};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Writes the project's file as editors do: a new file in place of the old one.
fn configure(project: &Project, text: &str) -> PathBuf {
    let file = project.root().join("mcp-twin.toml");
    let new = project.root().join("mcp-twin.toml.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, &file).unwrap();
    file
}

fn configure_user(project: &Project, text: &str) {
    fs::create_dir_all(project.home()).unwrap();
    fs::write(project.home().join("config.toml"), text).unwrap();
}

/// A server's table, with this command.
fn table(name: &str, command: &[String], more: &str) -> String {
    format!("[servers.{name}]\ncommand = {:?}\nargs = {:?}\n{more}\n", command[0], &command[1..])
}

fn setting(front: &Value, key: &str) -> Value {
    let settings = front["settings"].as_array().unwrap_or_else(|| panic!("no settings: {front:#}"));
    settings.iter().find(|setting| setting["key"] == key).cloned().unwrap_or_default()
}

/// Waits until a setting of the only front has this value.
fn until_setting(project: &Project, key: &str, value: &str) -> Value {
    project.until_status(&format!("{key} = {value}"), |front| setting(front, key)["value"] == value)
}

fn until_said(client: &Client, wanted: &str) -> String {
    let said = || client.inbox().stderr_text();
    until_right(&format!("`{wanted}` on stderr"), || Some(said()).filter(|text| text.contains(wanted)).ok_or_else(said))
}

fn words(project: &Project, words: &[&str]) -> Client {
    let whole: Vec<String> = std::iter::once(mcp_twin_tests::tools::mcp_twin().display().to_string())
        .chain(words.iter().map(|word| (*word).to_owned()))
        .collect();
    Client::spawn(&mut project.process(&whole))
}

#[test]
fn the_stronger_place_counts_and_status_says_which_it_was() {
    let project = Project::new(Server::Plain);
    let file = configure(&project, "[defaults]\nbake = \"31s\"\nkeep_old = \"32s\"\nsettle = \"0\"\n");
    configure_user(&project, "[defaults]\nkeep_old = \"41s\"\nstate_ttl = \"42s\"\n");
    let client = project.open_with(&["--bake", "21s"]);
    let front = project.status();
    let from = |key: &str| {
        let setting = setting(&front, key);
        (setting["value"].clone(), setting["from"].clone(), setting["place"].clone())
    };
    assert_eq!(from("bake"), (json!("21s"), json!("command_line"), Value::Null));
    assert_eq!(from("keep_old"), (json!("32s"), json!("project"), json!(format!("{}:3:1", file.display()))));
    let user = project.home().join("config.toml").display().to_string();
    assert_eq!(from("state_ttl"), (json!("42s"), json!("user"), json!(format!("{user}:3:1"))));
    assert_eq!(setting(&front, "hold"), Value::Null, "a default is not listed");
    project.finish(&client);
}

#[test]
fn a_front_that_lives_takes_options_over() {
    let project = Project::new(Server::Plain);
    let client = project.open();
    // A file that comes to be, one that is changed, one that goes.
    configure(&project, "[defaults]\npromote = \"manual\"\nbake = \"77s\"\n");
    until_setting(&project, "promote", "manual");
    until_said(&client, "promote = manual");
    project.save_version("v2");
    project.until_status("a standby that waits", |front| front["standby_stage"] == "verified");
    assert_eq!(client.version(), "v1");
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert_eq!(client.version(), "v2");
    configure(&project, "[defaults]\nbake = \"88s\"\n");
    until_setting(&project, "bake", "88s");
    project.save_version("v3");
    client.until_version("v3");
    fs::remove_file(project.root().join("mcp-twin.toml")).unwrap();
    project.until_status("no settings", |front| front["settings"] == json!([]));
    assert_eq!(project.status()["front_pid"], client.pid(), "the front lives");
    project.finish(&client);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_once_with_its_place() {
    let project = Project::new(Server::Plain);
    configure(&project, "[defaults]\nbake = \"31s\"\n");
    let client = project.open();
    let file = configure(&project, "[defaults]\nbake = \"31s\"\nkeep_odl = \"9s\"\n");
    let place = format!("{}:3:1: there is no option `keep_odl`; did you mean `keep_old`?", file.display());
    until_said(&client, &place);
    let front = project.status();
    assert_eq!(setting(&front, "bake")["value"], "31s");
    assert!(front["warnings"].to_string().contains("keep_odl"), "{front:#}");
    // Another save of the same mistake, and a mistake of the same line elsewhere.
    configure(&project, "[defaults]\nbake = \"31s\"\nkeep_odl = \"9s\"\n");
    configure_user(&project, "[defaults]\nstate_ttl = \"43s\"\n");
    configure(&project, "[defaults]\nbake = \"32s\"\n");
    until_said(&client, "the configuration can be used again");
    let front = until_setting(&project, "bake", "32s");
    assert_eq!((setting(&front, "state_ttl")["value"].clone(), front["warnings"].clone()), (json!("43s"), json!([])));
    let said = client.inbox().stderr_text();
    assert_eq!(said.matches("keep_odl =").count(), 1, "{said}");
    project.finish(&client);
}

#[test]
fn a_server_is_run_by_its_name_and_its_next_twin_by_the_new_command() {
    let project = Project::new(Server::Plain);
    let (command, watched) = (project.command(), "bake = \"33s\"\nwatch = [\"server.py\"]");
    let other = project.root().join("other.py");
    fs::write(&other, fs::read_to_string(project.file()).unwrap().replace("\"v1\"", "\"v9\"")).unwrap();
    configure(&project, &table("notes", &command, watched));
    let below = project.root().join("src");
    fs::create_dir(&below).unwrap();
    let mut run =
        project.process(&[mcp_twin_tests::tools::mcp_twin().display().to_string(), "run".into(), "notes".into()]);
    let client = Client::spawn(run.current_dir(&below));
    client.open();
    let (version, pid) = client.whoami();
    assert_eq!(version, "v1");
    let front = project.status();
    assert_eq!((front["server"].as_str(), front["cwd"].as_str()), (Some("notes"), project.root().to_str()));
    assert_eq!(
        (setting(&front, "bake")["value"].as_str(), setting(&front, "command")["from"].as_str()),
        (Some("33s"), Some("project"))
    );
    // Another command, and then another variable: the files are the same, so nothing is swapped by itself.
    let mut moved = command.clone();
    *moved.last_mut().unwrap() = other.display().to_string();
    configure(&project, &table("notes", &moved, watched));
    until_said(&client, "command for the next twin: `mcp-twin reload notes` starts one");
    assert_eq!(client.whoami(), ("v1".to_owned(), pid));
    let take = || {
        assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "verified");
        assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    };
    take();
    let (version, second) = client.whoami();
    assert_eq!((version.as_str(), project.status()["command"].clone()), ("v9", json!(moved)));
    configure(&project, &table("notes", &moved, &format!("{watched}\nenv = {{ FIXTURE_WORD = \"s3cr3t\" }}")));
    until_said(&client, "env for the next twin");
    assert_eq!(client.whoami().1, second);
    let environment = |pid: u32| fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(!environment(second).contains("s3cr3t"));
    take();
    assert!(environment(client.whoami().1).contains("FIXTURE_WORD=s3cr3t"));
    // Values are in no text of ours.
    let status = project.cli(&["status", "--json"]);
    assert!(status.stdout.contains("\"env\"") && !status.stdout.contains("s3cr3t"), "{status:?}");
    assert!(!client.inbox().stderr_text().contains("s3cr3t"));
    project.finish(&client);
}

#[test]
fn a_command_line_finds_the_table_of_its_command() {
    let project = Project::new(Server::Plain);
    configure(&project, &(table("notes", &project.command(), "bake = \"34s\"") + "[defaults]\nbake = \"35s\"\n"));
    let client = project.open();
    let front = project.status();
    assert_eq!((front["server"].as_str(), setting(&front, "bake")["value"].as_str()), (Some("notes"), Some("34s")));
    project.finish(&client);
}

#[test]
fn what_counts_as_code_changes_while_the_front_lives() {
    let project = Project::new(Server::Plain);
    configure(&project, "[defaults]\nwatch_files = false\n");
    let client = project.open();
    assert_eq!(project.status()["watched"], Value::Null);
    configure(&project, "[defaults]\nwatch = [\"server.py\", \"data.txt\"]\n");
    project.until_status("two names that are watched", |front| front["watched"].as_u64() == Some(1));
    project.save_version("v2");
    client.until_version("v2");
    // A file that is no source file by itself.
    let (_, pid) = client.whoami();
    fs::write(project.root().join("data.txt"), "one").unwrap();
    until("another twin", || (client.whoami().1 != pid).then_some(()));
    project.finish(&client);
}

#[test]
fn what_cannot_change_in_a_living_front_is_said() {
    let project = Project::new(Server::Http(Http::Plain));
    let flags = "listen = \"127.0.0.1:0\"\nwatch = [\"server.py\"]\nbake = \"36s\"\nstandby = \"on-demand\"";
    configure(&project, &table("api", &project.command(), flags));
    let serve = [mcp_twin_tests::tools::mcp_twin().display().to_string(), "serve".into(), "api".into()];
    let front = Served::front(&mut project.process(&serve));
    let status = project.status();
    assert_eq!((setting(&status, "bake")["value"].as_str(), status["server"].as_str()), (Some("36s"), Some("api")));
    assert_eq!(setting(&status, "watch")["from"], "project");
    let other = "listen = \"127.0.0.1:1\"\nstrategy = \"handoff\"\nwatch = [\"server.py\"]\nbake = \"37s\"\nstandby = \"on-demand\"";
    configure(&project, &table("api", &project.command(), other));
    let said = front.until_said("cannot while this front lives");
    assert!(said.contains("strategy, listen cannot") && said.contains("mcp-twin stop api"), "{said}");
    let status = until_setting(&project, "bake", "37s");
    assert_eq!(setting(&status, "strategy"), Value::Null, "{status:#}");
    project.finish_http(&front);
}

#[test]
fn a_server_starts_by_its_name_in_a_file() {
    let project = Project::new(Server::Plain);
    configure(&project, &table("notes", &project.command(), "transport = \"stdio\"\nlisten = \"127.0.0.1:0\""));
    let report = project.cli(&["start", "notes", "--json"]).with_status(0);
    let front = &report.values()[0]["front"];
    assert_eq!((front["server"].as_str(), front["stdio_twins"].as_bool()), (Some("notes"), Some(true)), "{report:?}");
    let _ = project.cli(&["stop", "notes"]).with_status(0);
    project.nothing_left();
    // A server over HTTP is none for a client that speaks stdio.
    configure(&project, &table("api", &project.command(), "transport = \"http\""));
    let report = project.cli(&["run", "api"]).with_status(2);
    assert!(report.stderr.contains("mcp-twin start api"), "{report:?}");
}

#[test]
fn nothing_starts_with_a_broken_file() {
    let project = Project::new(Server::Plain);
    let file = configure(&project, "[defaults]\npromote = \"maybe\"\n");
    let client = words(&project, &["run", "--", "python3", "server.py"]);
    let status = client.exit_status();
    let place = format!("{}:2:11: `promote`: `auto` or `manual` is wanted", file.display());
    let said = until_said(&client, &place);
    assert_eq!(status.code(), Some(3), "{said}");
    until_said(&client, "2 | promote = \"maybe\"");
    // Whoever wants the server all the same, gets it.
    let mut bare = project.process(&project.front_command(&[]));
    let client = Client::spawn(bare.env("MCP_TWIN_DISABLE", "1"));
    client.open();
    assert_eq!(client.version(), "v1");
    assert!(client.close().success());
}

#[test]
fn the_commands_about_files() {
    let project = Project::new(Server::Plain);
    let json = |arguments: &[&str], status: i32| project.cli(arguments).with_status(status).values().remove(0);
    let paths = json(&["config", "path", "--json"], 0);
    assert_eq!((&paths["files"][0]["exists"], &paths["files"][1]["scope"]), (&json!(false), &json!("user")));
    let made = json(&["config", "init", "--json"], 0);
    assert_eq!(made["file"], json!(project.root().join("mcp-twin.toml")));
    assert_eq!(json(&["config", "check", "--json"], 0)["mistakes"], json!([]));
    assert!(project.cli(&["config", "init"]).with_status(1).stderr.contains("is there already"));
    configure(&project, "[servers.notes]\ncommand = \"x\"\nbkae = \"3s\"\nhold = 3\n");
    let checked = json(&["config", "check", "--json"], 3);
    let mistakes = checked["mistakes"].as_array().unwrap();
    assert_eq!(
        (&mistakes[0]["line"], &mistakes[0]["nearest"], &mistakes[1]["column"]),
        (&json!(3), &json!("bake"), &json!(8))
    );
    let report = project.cli(&["config", "check", "mcp-twin.toml"]).with_status(3);
    assert!(report.stderr.contains("mcp-twin.toml:3:1: there is no option `bkae`"), "{report:?}");
    let _ = project.cli(&["config", "check", "nowhere.toml"]).with_status(3);
    configure(&project, "[servers.notes]\ncommand = \"x\"\nbake = \"3s\"\n");
    let shown = json(&["config", "show", "notes", "--json"], 0);
    assert_eq!(setting(&shown, "bake")["from"], "project");
    assert_eq!(setting(&shown, "hold"), json!({"key": "hold", "value": "5s", "from": "default"}));
    assert!(project.cli(&["config", "show", "note"]).with_status(2).stderr.contains("did you mean"));
    let schema = json(&["config", "schema"], 0);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Whether a process has this in its environment.
fn has(pid: u64, text: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/environ")).unwrap().contains(text)
}

/// A table for `serve` whose server swaps at once, and has this word in its environment.
fn served(project: &Project, word: &str) -> String {
    let more = "listen = \"127.0.0.1:0\"\nwatch = [\"server.py\"]\nsettle = \"0\"\nbake = \"0\"\nstandby = \"on-demand\"\nbreaking = \"warn\"";
    table("api", &project.command(), &format!("{more}\nenv = {{ FIXTURE_WORD = \"{word}\" }}"))
}

#[test]
fn a_twin_over_http_is_started_from_what_the_file_says_then() {
    let project = Project::new(Server::Http(Http::Plain));
    configure(&project, &served(&project, "first"));
    let serve = [mcp_twin_tests::tools::mcp_twin().display().to_string(), "serve".into(), "api".into()];
    let front = Served::front(&mut project.process(&serve));
    let active = || {
        let status =
            project.until_status("a server", |front| front["active"].is_object() && front["standby"].is_null());
        status["active"]["pid"].as_u64().unwrap()
    };
    let old = active();
    assert!(has(old, "FIXTURE_WORD=first"));
    configure(&project, &served(&project, "second"));
    front.until_said("env for the next twin");
    assert_eq!(active(), old);
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "verified");
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    assert!(has(active(), "FIXTURE_WORD=second"));
    project.finish_http(&front);
}

#[test]
fn all_processes_of_one_twin_are_started_alike() {
    let project = Project::new(Server::Pipe);
    configure(&project, &(served(&project, "first") + "transport = \"stdio\"\n"));
    let serve = [mcp_twin_tests::tools::mcp_twin().display().to_string(), "serve".into(), "api".into()];
    let front = Served::front(&mut project.process(&serve));
    let session = || {
        let client = front.client();
        let pid = client.body("count", json!({}))["pid"].as_u64().unwrap();
        (client, pid)
    };
    let (_one, first) = session();
    configure(&project, &(served(&project, "second") + "transport = \"stdio\"\n"));
    front.until_said("env for the next twin");
    let (_two, later) = session();
    assert_ne!(first, later);
    assert!(has(first, "FIXTURE_WORD=first") && has(later, "FIXTURE_WORD=first"));
    assert_eq!(project.cli(&["reload", "--json"]).with_status(0).outcome(), "verified");
    assert_eq!(project.cli(&["swap", "--json"]).with_status(0).outcome(), "swapped");
    let (_three, last) = session();
    assert!(has(last, "FIXTURE_WORD=second"));
    project.finish_http(&front);
}
