//! Who is told of what happens: real fronts, and receivers that answer well, badly, late or never.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::hook::{Hook, Received, Reply};
use mcp_twin_tests::wait::until_right;
use mcp_twin_tests::{Client, Project, Server, http::Http, tools};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Writes the project's file as editors do.
fn configure(project: &Project, text: &str) {
    let new = project.root().join("mcp-twin.toml.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, project.root().join("mcp-twin.toml")).unwrap();
}

fn webhook(hook: &Hook, more: &str) -> String {
    format!("[[notify]]\nkind = \"webhook\"\nurl = {:?}\n{more}\n", hook.url("/in"))
}

/// A client of a front with these variables, opened and served.
fn open(project: &Project, env: &[(&str, &str)]) -> Client {
    let client = Client::spawn(project.process(&project.front_command(&[])).envs(env.iter().copied()));
    client.open();
    let _ = client.text("echo", json!({"text": ""}));
    client
}

fn cli(project: &Project, arguments: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let mut words = vec![tools::mcp_twin().display().to_string()];
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    let output = project.process(&words).envs(env.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn until_said(client: &Client, wanted: &str) -> String {
    let said = || client.inbox().stderr_text();
    until_right(&format!("`{wanted}` on stderr"), || Some(said()).filter(|text| text.contains(wanted)).ok_or_else(said))
}

/// How often each message came, in the order of their first coming.
fn times(received: &[Received]) -> Vec<(String, usize)> {
    let mut times: Vec<(String, usize)> = Vec::new();
    for request in received {
        let id = request.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(request.header("idempotency-key"), id);
        match times.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += 1,
            None => times.push((id, 1)),
        }
    }
    times
}

#[test]
fn a_failure_is_told_once_with_its_reason_and_a_swap_only_to_who_chose_it() {
    let project = Project::new(Server::Plain);
    let (usual, all) = (Hook::new(&[]), Hook::new(&[]));
    configure(&project, &(webhook(&usual, "") + &webhook(&all, "events = [\"failed\", \"swapped\"]")));
    let client = open(&project, &[]);
    project.save_version("v2");
    client.until_version("v2");
    project.save_broken();
    let told = all.until(2);
    let (swapped, failed) = (told[0].json(), told[1].json());
    assert_eq!((swapped["event"].as_str(), swapped["other"].as_u64()), (Some("swapped"), Some(1)), "{swapped:#}");
    assert_eq!(failed["event"], "failed");
    assert_eq!((failed["schema"].as_u64(), failed["generation"].as_u64()), (Some(1), Some(3)));
    assert!(failed["reason"]["code"].as_str().unwrap().starts_with("twin::"), "{failed:#}");
    assert!(failed["reason"]["stderr"].as_str().unwrap().contains("SyntaxError"), "{failed:#}");
    let status = project.status();
    assert_eq!((&failed["server"], &failed["front"]), (&status["server"], &status["front"]), "{status:#}");
    assert_eq!(failed["project"].as_str(), project.root().file_name().unwrap().to_str());
    // Whoever chose nothing hears of no swap: the failure is all that came.
    let usual = usual.until(1);
    assert_eq!((usual.len(), &usual[0].json()), (1, &failed));
    assert_eq!((usual[0].line.as_str(), usual[0].header("mcp-twin-event")), ("POST /in HTTP/1.1", "failed"));
    assert_eq!(usual[0].header("mcp-twin-signature"), "", "there is no secret");
    project.finish(&client);
}

#[test]
fn what_fails_is_tried_again_until_it_arrives_and_never_after() {
    let project = Project::new(Server::Plain);
    let hooks = [
        Hook::new(&[Reply::Status(500), Reply::Status(204)]),
        Hook::new(&[Reply::Reset, Reply::Status(200)]),
        Hook::new(&[Reply::With(429, "retry-after: 2"), Reply::Status(200)]),
        Hook::new(&[Reply::Status(404)]),
        Hook::new(&[Reply::With(307, "location: http://127.0.0.1:1/elsewhere")]),
    ];
    configure(&project, &hooks.iter().map(|hook| webhook(hook, "")).collect::<String>());
    let client = open(&project, &[]);
    project.save_broken();
    let first: Vec<Vec<Received>> = hooks.iter().zip([2, 2, 2, 1, 1]).map(|(hook, count)| hook.until(count)).collect();
    for tries in &first[..3] {
        assert_eq!(tries[0].body, tries[1].body, "the same message");
    }
    assert!(first[2][1].at - first[2][0].at >= Duration::from_secs(2), "it was asked to wait");
    // What nobody took is warned of, without the URL.
    let gone = until_said(&client, &format!("a message did not arrive at webhook {}", hooks[3].host()));
    assert!(gone.contains("it answered with status 404") && gone.contains("mcp-twin notify test"), "{gone}");
    until_said(&client, "it answered with status 307");
    // Another one comes behind the first: so nothing of the first came later.
    project.set("VERSION", "\"v7\"");
    project.save_broken();
    for (hook, before) in hooks.iter().zip(&first) {
        let times = times(&hook.until(before.len() + 1));
        assert_eq!(times.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [before.len(), 1]);
    }
    until_said(&client, &format!("messages to webhook {} arrive again", hooks[3].host()));
    until_right("no warnings of those that take them again", || {
        let warnings = project.status()["warnings"].to_string();
        if warnings.contains("did not arrive") { Err(warnings) } else { Ok(()) }
    });
    project.finish(&client);
}

#[test]
fn a_receiver_that_hangs_delays_no_swap_no_call_no_other_and_not_the_end() {
    let project = Project::new(Server::Plain);
    let (hangs, well) = (Hook::new(&[Reply::Hang, Reply::Hang]), Hook::new(&[]));
    let events = "events = [\"swapped\"]";
    configure(&project, &(webhook(&hangs, events) + &webhook(&well, events)));
    let client = open(&project, &[]);
    project.save_version("v2");
    client.until_version("v2");
    hangs.until(1);
    for version in ["v3", "v4"] {
        project.save_version(version);
        client.until_version(version);
    }
    assert_eq!(well.until(3).len(), 3);
    assert_eq!(hangs.received().len(), 1, "it still hangs: the swaps did not wait for it");
    // The client's end is not delayed beyond the second that last words get: the client of the tests waits no longer than others.
    project.finish(&client);
}

#[test]
fn a_receiver_can_prove_who_sent_it_as_the_documentation_says() {
    let project = Project::new(Server::Plain);
    let hook = Hook::new(&[]);
    let keyed = "secret_env = \"HOOK_SECRET\"\nheaders_env = { Authorization = \"HOOK_AUTH\" }";
    configure(&project, &webhook(&hook, keyed));
    let client = open(&project, &[("HOOK_SECRET", "hmac-s3cr3t"), ("HOOK_AUTH", "Bearer t0ken")]);
    project.save_broken();
    let told = hook.until(1).remove(0);
    assert_eq!(told.header("authorization"), "Bearer t0ken");
    let readme = fs::read_to_string(tools::fixture("").join("../../README.md")).unwrap();
    let code = readme.split("```python\ndef from_mcp_twin").nth(1).unwrap().split("```").next().unwrap();
    let genuine = |secret: &str, header: &str, body: &str| {
        let code = format!(
            "import sys\ndef from_mcp_twin{code}\nprint(from_mcp_twin(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read()))"
        );
        let mut python = Command::new("python3");
        python.args(["-c", &code, secret, header]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn().unwrap();
        python.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let header = told.header("mcp-twin-signature");
    assert_eq!(genuine("hmac-s3cr3t", header, &told.body), "True", "{header}");
    assert_eq!(genuine("another", header, &told.body), "False");
    assert_eq!(genuine("hmac-s3cr3t", header, &told.body.replace("failed", "fooled")), "False");
    let time = header.split_once("t=").unwrap().1.split_once(',').unwrap().0;
    let later = header.replace(time, &(time.parse::<u64>().unwrap() + 1).to_string());
    assert_eq!(genuine("hmac-s3cr3t", &later, &told.body), "False", "the time is signed too");
    project.finish(&client);
}

/// Every file below a folder, with its text.
fn texts(folder: &Path, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, into);
        } else if let Ok(bytes) = fs::read(&path) {
            into.insert(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

#[test]
fn no_secret_is_seen_anywhere() {
    let project = Project::new(Server::Plain);
    let (slack, hook) = (Hook::new(&[Reply::Status(403)]), Hook::new(&[Reply::Status(403)]));
    let url = slack.url("/services/T0/url-s3cr3t");
    configure(
        &project,
        &format!(
            "[[notify]]\nkind = \"slack\"\nurl_env = \"SLACK_URL\"\n[[notify]]\nkind = \"webhook\"\nurl = {:?}\nsecret_env = \
             \"HOOK_SECRET\"\nheaders_env = {{ X-Key = \"HOOK_AUTH\" }}\n[[notify]]\nkind = \"discord\"\nurl_env = \"BAD_URL\"\n",
            hook.url("/path-s3cr3t")
        ),
    );
    let env = [
        ("SLACK_URL", url.as_str()),
        ("HOOK_SECRET", "hmac-s3cr3t"),
        ("HOOK_AUTH", "auth-s3cr3t"),
        ("BAD_URL", "discord.example/bad-s3cr3t"),
        ("PAYMENT_API_KEY", "own-s3cr3t"),
    ];
    let client = open(&project, &env);
    let code = fs::read_to_string(project.file()).unwrap();
    // A server that fails and names what it should not. Its own stderr stays as it is; what is sent elsewhere does not.
    let fails = "import os, sys\nsys.exit('fatal error: key ' + os.environ['PAYMENT_API_KEY'])\n";
    fs::write(project.file(), format!("{fails}{code}")).unwrap();
    let (sent, told) = (hook.until(1).remove(0), slack.until(1).remove(0));
    assert_eq!(sent.json()["reason"]["stderr"], "fatal error: key ***");
    assert!(told.body.contains("key ***") && told.line.contains("url-s3cr3t"), "{told:?}");
    until_said(&client, "did not arrive at slack $SLACK_URL: it answered with status 403");
    until_said(&client, "did not arrive at discord $BAD_URL: $BAD_URL: a URL that begins with https://");
    let host = hook.host();
    until_said(&client, &format!("did not arrive at webhook {host}: it answered with status 403"));
    let mut seen = BTreeMap::new();
    texts(&project.home(), &mut seen);
    seen.insert("stderr".to_owned(), client.inbox().stderr_text());
    for arguments in [
        &["status", "--json"][..],
        &["status"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check", "--json"],
        &["notify", "test"],
        &["notify", "test", "--json"],
    ] {
        let (_, stdout, stderr) = cli(&project, arguments, &env);
        seen.insert(arguments.join(" "), stdout + &stderr);
    }
    assert!(seen["config show"].contains(&format!("slack $SLACK_URL, webhook {host}, discord $BAD_URL")), "{seen:#?}");
    for (place, text) in &seen {
        for secret in ["url-s3cr3t", "path-s3cr3t", "hmac-s3cr3t", "auth-s3cr3t", "bad-s3cr3t"] {
            assert!(!text.contains(secret), "{secret} in {place}: {text}");
        }
    }
    let setting = project.status()["settings"].as_array().unwrap().iter().find(|it| it["key"] == "notify").cloned();
    assert!(setting.unwrap()["place"].as_str().unwrap().ends_with("mcp-twin.toml:2:1"));
    project.finish(&client);
}

#[test]
fn those_who_are_told_change_while_a_front_lives() {
    let project = Project::new(Server::Plain);
    let (one, other) = (Hook::new(&[]), Hook::new(&[]));
    let client = open(&project, &[]);
    configure(&project, &webhook(&one, ""));
    until_said(&client, &format!("the configuration changed: notify = webhook {}", one.host()));
    project.save_broken();
    one.until(1);
    fs::create_dir_all(project.home()).unwrap();
    fs::write(project.home().join("config.toml"), webhook(&other, "")).unwrap();
    until_said(&client, &format!("notify = webhook {}, webhook {}", one.host(), other.host()));
    configure(&project, "");
    until_said(&client, &format!("notify = webhook {}\n", other.host()));
    project.set("VERSION", "\"v8\"");
    project.save_broken();
    other.until(1);
    assert_eq!(one.received().len(), 1, "it is told no longer");
    fs::remove_file(project.home().join("config.toml")).unwrap();
    until_said(&client, "notify = nobody");
    project.finish(&client);
}

#[test]
fn a_crash_of_a_server_over_http_is_told_to_slack_and_discord() {
    let project = Project::new(Server::Http(Http::Plain));
    let (slack, discord) = (Hook::new(&[]), Hook::new(&[]));
    let target = |kind: &str, hook: &Hook| format!("[[notify]]\nkind = \"{kind}\"\nurl = {:?}\n", hook.url("/x"));
    configure(&project, &(target("slack", &slack) + &target("discord", &discord)));
    let front = project.serve(&[]);
    let active = project.until_status("a server", |front| front["active"].is_object())["active"]["pid"].clone();
    let pid = rustix::process::Pid::from_raw(i32::try_from(active.as_u64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let told = slack.until(1).remove(0).json();
    assert!(told["text"].as_str().unwrap().contains("crashed"), "{told:#}");
    assert_eq!(told["blocks"][0]["type"], "header");
    let told = discord.until(1).remove(0).json();
    assert_eq!(told["allowed_mentions"], json!({"parse": []}));
    assert!(told["embeds"][0]["title"].as_str().unwrap().contains("crashed"), "{told:#}");
    project.finish_http(&front);
}

#[test]
fn a_test_message_says_of_each_target_whether_it_arrives() {
    let project = Project::new(Server::Plain);
    let (status, _, why) = cli(&project, &["notify", "test"], &[]);
    assert_eq!(status, 3, "{why}");
    assert!(why.contains("[[notify]]"), "{why}");
    let (good, bad) = (Hook::new(&[]), Hook::new(&[Reply::Status(410)]));
    let missing = "[[notify]]\nkind = \"discord\"\nurl_env = \"NOBODY_SETS_THIS\"\n[[notify]]\nkind = \"desktop\"\n";
    configure(&project, &(webhook(&good, "events = [\"down\"]") + &webhook(&bad, "") + missing));
    let (status, stdout, why) = cli(&project, &["notify", "test", "--json"], &[]);
    assert_eq!(status, 1, "{why}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let rows: Vec<(bool, Value, String)> = document["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["arrived"] == true, row["status"].clone(), row["told"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(rows[0], (true, json!(200), "it answered with status 200".to_owned()));
    assert_eq!(rows[1], (false, json!(410), "it answered with status 410".to_owned()));
    assert!(!rows[2].0 && rows[2].2.contains("NOBODY_SETS_THIS is not set"), "{rows:?}");
    assert!(!rows[3].0 && rows[3].2.contains("without the feature `desktop`"), "{rows:?}");
    let sent = good.until(1);
    assert_eq!((sent.len(), sent[0].json()["event"].as_str()), (1, Some("test")));
    configure(&project, &webhook(&good, ""));
    assert_eq!(cli(&project, &["notify", "test"], &[]).0, 0);
    // A check warns of what this build cannot do, and is content.
    configure(&project, "[[notify]]\nkind = \"desktop\"\n");
    let (status, _, stderr) = cli(&project, &["config", "check"], &[]);
    assert!(status == 0 && stderr.contains("without the feature `desktop`"), "{status} {stderr}");
}

/// A receiver over TLS in Python; ended with the test.
struct TlsHook(Child, u16);

impl TlsHook {
    fn begin() -> Self {
        let file = |name: &str| tools::fixture("tls").join(name);
        let mut python = Command::new("python3");
        python.arg(file("hook.py")).arg(file("cert.pem")).arg(file("key.pem"));
        let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut port).unwrap();
        child.stdout = Some(stdout.into_inner());
        Self(child, port.trim().parse().unwrap())
    }
}

impl Drop for TlsHook {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn over_tls_only_who_is_trusted_is_told() {
    let project = Project::new(Server::Plain);
    let mut hook = TlsHook::begin();
    let url = |host: &str, port: u16| format!("[[notify]]\nkind = \"slack\"\nurl = \"https://{host}:{port}/x\"\n");
    configure(&project, &url("127.0.0.1", hook.1));
    let (status, stdout, _) = cli(&project, &["notify", "test", "--json"], &[]);
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("no TLS with 127.0.0.1"), "{stdout}");
    let cert = tools::fixture("tls").join("cert.pem").display().to_string();
    let trusting = [("SSL_CERT_FILE", cert.as_str())];
    let (status, stdout, _) = cli(&project, &["notify", "test", "--json"], &trusting);
    assert_eq!(status, 0, "{stdout}");
    // A front does the same.
    let client = open(&project, &trusting);
    project.save_broken();
    let mut lines = BufReader::new(hook.0.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["text"].to_string();
    assert!(next().contains("test") && next().contains("does not serve"));
    project.finish(&client);
}
