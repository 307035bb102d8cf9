//! `mcp-twin verify`: what passes, what fails, what is said and what is left.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Project, Report, Server, tools, until};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;

/// Runs `mcp-twin verify` on the project's server, and checks that nothing is left of it.
fn verify(project: &Project, flags: &[&str]) -> Report {
    verify_command(project, flags, &project.command())
}

fn verify_command(project: &Project, flags: &[&str], command: &[String]) -> Report {
    let mut words = vec!["verify"];
    words.extend(flags);
    words.push("--");
    words.extend(command.iter().map(String::as_str));
    let report = project.cli(&words);
    project.nothing_left();
    assert!(!project.home().exists(), "the front has a state directory of its own");
    report
}

/// The command of a server that is the plain one, changed by this code.
fn around_plain(project: &Project, code: &str) -> Vec<String> {
    let file = project.root().join("around.py");
    let head = "import os, sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, os.environ['FIXTURE_SERVERS'])\n\
         import plain_server as plain\n";
    fs::write(&file, format!("{head}{code}plain.main()\n")).unwrap();
    vec!["python3".to_owned(), file.display().to_string()]
}

/// The check of this id in the era at this place.
fn check<'a>(report: &'a Value, era: usize, id: &str) -> &'a Value {
    let checks = report["eras"][era]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}: {report:#}"))
}

#[test]
fn a_server_of_the_sdk_passes_in_both_eras() {
    let project = Project::new(Server::PythonSdk);
    let junit = project.root().join("junit.xml");
    let call = r#"echo={"text":"hello"}"#;
    let flags = ["--json", "--swaps", "2", "--call", call, "--junit", junit.to_str().unwrap()];
    let report = verify(&project, &flags).with_status(0);
    let report = &report.values()[0];
    let versions: Vec<&Value> = report["eras"].as_array().unwrap().iter().map(|era| &era["version"]).collect();
    assert_eq!(versions, ["2025-11-25", "2026-07-28"], "{report:#}");
    for era in [0, 1] {
        let ids = ["open", "tools", "prompts", "resources", "templates", "call:echo", "swaps", "stdout", "stop"];
        for id in ids {
            assert_eq!(check(report, era, id)["verdict"], "passed", "{era} {id}: {report:#}");
        }
        let load = &check(report, era, "swaps")["load"];
        assert_eq!((&load["swaps"], &load["lost"], &load["failed"]), (&json!(2), &json!(0), &json!(0)), "{load}");
        // Before the first swap and after each there is a load.
        assert!(load["requests"].as_u64().unwrap() >= 60, "{load}");
    }
    // It was called by us in truth, and by processes that took the place of each other.
    let runs = project.record().all();
    let mut pids: Vec<_> = runs.iter().filter(|run| run.tool == "echo").map(|run| run.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 6, "three twins in each era");
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains(r#"tests="18" skipped="0" failures="0""#), "{junit}");
}

#[test]
fn its_check_is_tried_on_a_fresh_twin() {
    let project = Project::new(Server::PythonSdk);
    let flags = ["--json", "--swaps", "1", "--check"];
    let well = verify(&project, &[&flags[..], &[r#"tool:echo={"text":"hello"}"#]].concat()).with_status(0);
    for era in [0, 1] {
        let report = &well.values()[0];
        assert_eq!(check(report, era, "check")["verdict"], "passed", "{report:#}");
        assert_eq!(check(report, era, "swaps")["load"]["swaps"], 1, "{report:#}");
    }
    // The project's own, of a table for every server; what fails it is not swapped for.
    let table = "[defaults]\ncheck = \"echo the table is missing >&2; exit 3\"\n";
    fs::write(project.root().join("mcp-twin.toml"), table).unwrap();
    let badly = verify(&project, &flags[..3]).with_status(1);
    for era in [0, 1] {
        let report = &badly.values()[0];
        let found = check(report, era, "check");
        assert_eq!(found["verdict"], "failed", "{report:#}");
        assert!(found["problems"][0].as_str().unwrap().contains("exited with status 3"), "{found:#}");
        assert!(found["stderr"].as_str().unwrap().contains("the table is missing"), "{found:#}");
        let ids = report["eras"][era]["checks"].as_array().unwrap().iter().map(|check| &check["id"]);
        assert!(!ids.clone().any(|id| id == "swaps") && ids.clone().any(|id| id == "stop"), "{report:#}");
    }
    // The command line comes first.
    let without = verify(&project, &["--swaps", "1", "--check", "none"]).with_status(0);
    assert!(!without.stdout.contains("its check"), "{without:?}");
    let wrong = verify(&project, &["--check", "tool:"]).with_status(2);
    assert!(wrong.stderr.contains("the name of a tool is wanted"), "{wrong:?}");
}

#[test]
fn an_era_that_is_not_spoken_is_skipped() {
    let project = Project::new(Server::Plain);
    let report = verify(&project, &["--swaps", "1"]).with_status(0);
    for part in ["✓ opens: ", "– skipped: it refuses server/discover", "✓ survives 1 swap: ", "1 skipped in "] {
        assert!(report.stdout.contains(part), "{part}: {report:?}");
    }
}

#[test]
fn a_server_that_does_not_start_fails_with_its_own_words() {
    let project = Project::new(Server::Fault("exits"));
    let report = verify(&project, &[]).with_status(1);
    for part in ["✗ does not open", "RuntimeError: fixture exits at once", "2 failed in "] {
        assert!(report.stdout.contains(part), "{part}: {report:?}");
    }
}

#[test]
fn lists_and_tools_that_are_wrong_fail() {
    let project = Project::new(Server::Plain);
    let command = around_plain(
        &project,
        "told = plain.answer\ndef answer(ident, result):\n    if 'tools' in result:\n        \
         result['tools'].append(result['tools'][1])\n    told(ident, result)\nplain.answer = answer\n",
    );
    let flags = ["--json", "--swaps", "0", "--call", "nothing", "--call", "echo={\"text\":\"a\"}"];
    let report = verify_command(&project, &flags, &command);
    let report = report.with_status(1).values().remove(0);
    let tools = check(&report, 0, "tools");
    assert_eq!((&tools["verdict"], &tools["problems"]), (&json!("failed"), &json!(["tool `whoami` is there twice"])));
    let call = check(&report, 0, "call:nothing");
    assert_eq!(call["verdict"], "failed", "{call}");
    assert!(call["problems"][1].as_str().unwrap().starts_with("its tools are version, whoami, echo"), "{call}");
    assert_eq!(check(&report, 0, "call:echo")["verdict"], "passed");
}

#[test]
fn a_server_of_which_no_second_copy_starts_does_not_survive_swaps() {
    let project = Project::new(Server::Plain);
    let code = format!(
        "import fcntl\nlock = open({:?}, 'w')\ntry:\n    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
         except OSError:\n    sys.exit('fixture: another one runs')\n",
        project.root().join("lock")
    );
    let command = around_plain(&project, &code);
    let flags = ["--json", "--check", "true"];
    let report = verify_command(&project, &flags, &command).with_status(1).values().remove(0);
    let swaps = check(&report, 0, "swaps");
    assert_eq!((&swaps["verdict"], &swaps["load"]["swaps"]), (&json!("failed"), &json!(0)), "{swaps}");
    // No twin came so far that its check was tried on it.
    assert!(report["eras"][0]["checks"].as_array().unwrap().iter().all(|check| check["id"] != "check"), "{report:#}");
    assert!(swaps["stderr"].as_str().unwrap().contains("fixture: another one runs"), "{swaps}");
    // What serves goes on serving: that is no reason to lose anything.
    assert_eq!((&swaps["load"]["lost"], &swaps["load"]["failed"]), (&json!(0), &json!(0)), "{swaps}");
    assert_eq!(check(&report, 0, "stop")["verdict"], "passed");
}

#[test]
fn a_server_that_dies_under_load_is_told_with_what_was_lost() {
    let project = Project::new(Server::Plain);
    // Each process answers so many calls and no more.
    let command = around_plain(
        &project,
        "handle, left = plain.message, [30]\ndef message(raw, state):\n    left[0] -= b'tools/call' in raw\n    \
         if left[0] < 0:\n        sys.stderr.write('fixture: enough\\n')\n        sys.stderr.flush()\n        \
         os._exit(9)\n    handle(raw, state)\nplain.message = message\n",
    );
    let call = r#"echo={"text":"a"}"#;
    let report = verify_command(&project, &["--json", "--call", call], &command).with_status(1).values().remove(0);
    let swaps = check(&report, 0, "swaps");
    assert_eq!(swaps["verdict"], "failed", "{swaps}");
    assert!(swaps["load"]["failed"].as_u64().unwrap() > 0, "{swaps}");
    assert!(swaps["problems"].to_string().contains("tools/call echo: "), "{swaps}");
    assert!(swaps["stderr"].as_str().unwrap().contains("fixture: enough"), "{swaps}");
}

#[test]
fn one_that_stays_and_one_that_prints_are_warned_of() {
    let project = Project::new(Server::Fault("ignores_term"));
    let report = verify(&project, &["--json", "--swaps", "0"]).with_status(0).values().remove(0);
    let stop = check(&report, 0, "stop");
    assert_eq!(stop["verdict"], "warned", "{stop}");
    assert!(stop["problems"][0].as_str().unwrap().contains("it had to be killed"), "{stop}");
    let project = Project::new(Server::Plain);
    let code = [b"print('fixture: hello', flush=True)\n".to_vec(), fs::read(project.file()).unwrap()].concat();
    fs::write(project.file(), code).unwrap();
    let report = verify(&project, &["--json", "--swaps", "0"]).with_status(0).values().remove(0);
    let stdout = check(&report, 0, "stdout");
    assert_eq!(stdout["verdict"], "warned", "{stdout}");
    assert!(stdout["problems"][1].as_str().unwrap().contains("fixture: hello"), "{stdout}");
}

#[test]
fn one_that_is_interrupted_leaves_nothing() {
    let project = Project::new(Server::Fault("silent"));
    let temporary = project.root().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let words = [tools::mcp_twin().display().to_string(), "verify".to_owned(), "--".to_owned()];
    let words: Vec<String> = words.into_iter().chain(project.command()).collect();
    let mut verify = project.process(&words).env("TMPDIR", &temporary).stderr(Stdio::piped()).spawn().unwrap();
    until("the server", || (project.processes().len() >= 2).then_some(()));
    until("its state directory", || fs::read_dir(&temporary).unwrap().next().map(drop));
    let pid = rustix::process::Pid::from_child(&verify);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(verify.wait().unwrap().code(), Some(1));
    project.nothing_left();
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, [] as [std::path::PathBuf; 0]);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let project = Project::new(Server::Plain);
    let wrong = verify(&project, &["--call", "echo=[1]"]).with_status(2);
    assert!(wrong.stderr.contains("--call echo: the arguments of a tool are a JSON object"), "{wrong:?}");
    let http = verify_command(&project, &[], &["python3", "--port", "{port}"].map(str::to_owned)).with_status(2);
    assert!(http.stderr.contains("over stdio"), "{http:?}");
    let schema = project.cli(&["verify", "--schema"]).with_status(0);
    assert_eq!(schema.values()[0]["title"], "Report", "{schema:?}");
    let nothing = project.cli(&["verify", "--", "./nothing-of-the-kind"]).with_status(4);
    assert!(nothing.stderr.contains("nothing-of-the-kind"), "{nothing:?}");
}

#[test]
fn a_server_of_a_configuration_file_is_built_and_verified_by_its_name() {
    let project = Project::new(Server::Plain);
    let table = "[servers.shop]\ncommand = \"python3\"\nargs = [\"made.py\"]\nbuild = \"cp server.py made.py\"\n";
    fs::write(project.root().join("mcp-twin.toml"), table).unwrap();
    let report = project.cli(&["verify", "shop"]).with_status(0);
    assert!(project.root().join("made.py").exists(), "{report:?}");
    project.nothing_left();
}
