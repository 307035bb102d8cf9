//! `--build`: what is saved is built before a twin is started on it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::client::Client;
use mcp_twin_tests::wait::until;
use mcp_twin_tests::{Project, Server};

/// Copies the source, and notes each build. What the source says may spoil or slow it.
const BUILD: &str = r#"
    if grep -q 'VERSION = "spoilt"' server.py; then echo "server.py: spoilt"; echo "no way" >&2; exit 3; fi
    if grep -q 'VERSION = "slow"' server.py; then echo begun x >> "$FIXTURE_NOTES"; sleep 600; fi
    mkdir -p out && cp server.py out/server.py && echo built x >> "$FIXTURE_NOTES"
    if grep -q 'VERSION = "noisy"' server.py; then echo "$$" >> out/stamp.py; fi"#;

/// A client of a front over what the build makes, opened.
fn open(project: &Project, flags: &[&str]) -> Client {
    let mut words = project.front_command(&[&["--build", BUILD], flags].concat());
    let script = words.iter_mut().find(|word| word.ends_with("/server.py")).unwrap();
    *script = "out/server.py".to_owned();
    let client = Client::spawn(&mut project.process(&words));
    client.open();
    client
}

fn builds(project: &Project) -> usize {
    project.noted("built").len()
}

#[test]
fn a_save_is_built_once_and_then_started() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "server.py"]);
    assert_eq!((client.version().as_str(), builds(&project)), ("v1", 1));
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(builds(&project), 2);
    // The same files need no other build, for a fresh process neither.
    let before = client.whoami();
    assert!(project.cli(&["reload"]).status == 0 && project.cli(&["swap"]).status == 0);
    until("a fresh process", || (client.whoami() != before).then_some(()));
    assert_eq!((client.version().as_str(), builds(&project)), ("v2", 2));
    // But what was taken away is made again.
    std::fs::remove_file(project.root().join("out/server.py")).unwrap();
    let report = project.cli(&["reload"]);
    assert_eq!((report.status, builds(&project)), (0, 3), "{report:?}");
    project.finish(&client);
}

#[test]
fn a_build_that_fails_is_shown_with_its_output_while_the_old_code_serves() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "server.py"]);
    let serving = client.whoami();
    project.save_version("spoilt");
    let front = project.until_degraded();
    let (code, message) = (&front["degraded"]["code"], front["degraded"]["message"].as_str().unwrap());
    assert!(code == "twin::build::failed" && message.contains("exited with status 3"), "{front}");
    let tail = front["degraded"]["stderr_tail"].as_str().unwrap();
    assert!(tail.contains("server.py: spoilt") && tail.contains("no way"), "{front}");
    assert_eq!(client.whoami(), serving);
    // Asked for by a person it is tried again.
    let report = project.cli(&["reload"]);
    assert!(report.status == 4 && report.stdout.contains("no way"), "{report:?}");
    project.save_version("v2");
    client.until_version("v2");
    project.finish(&client);
}

#[test]
fn a_newer_save_ends_the_build_of_an_older_one() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "server.py"]);
    project.save_version("slow");
    until("the slow build", || (!project.noted("begun").is_empty()).then_some(()));
    assert_eq!(client.version(), "v1");
    project.save_version("v3");
    client.until_version("v3");
    let sleeps = || project.processes().iter().any(|seen| seen.command == "sleep 600");
    until("the end of the slow build", || (!sleeps()).then_some(()));
    project.finish(&client);
}

#[test]
fn output_among_the_watched_files_is_built_until_it_stays_the_same() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "."]);
    project.save_version("v2");
    client.until_version("v2");
    assert!(builds(&project) <= 4, "{} builds", builds(&project));
    let serving = client.whoami();
    project.save_version("noisy");
    let front = project.until_degraded();
    assert!(front["degraded"]["message"].as_str().unwrap().contains("changes files that are watched"), "{front}");
    assert!(front["degraded"]["help"].as_str().unwrap().contains("--ignore"), "{front}");
    assert_eq!(client.whoami(), serving);
    project.finish(&client);
}

#[test]
fn fronts_of_one_server_build_once_for_each_save() {
    let saves: usize = std::env::var("MCP_TWIN_SAVES").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let project = Project::new(Server::Plain);
    let clients: Vec<Client> = (0..3).map(|_| open(&project, &["--watch", "server.py"])).collect();
    assert_eq!(builds(&project), 1);
    for number in 0..saves {
        let version = format!("s{number}");
        project.save_version(&version);
        for client in &clients {
            client.until_version(&version);
        }
    }
    assert_eq!(builds(&project), 1 + saves);
    let generations: Vec<_> = project.fronts().iter().map(|front| front["active"]["generation"].clone()).collect();
    assert!(generations.len() == 3 && generations.iter().all(|one| *one == generations[0]), "{generations:?}");
    for client in &clients {
        client.close();
    }
    project.nothing_left();
}

#[test]
fn a_build_step_that_is_configured_later_counts_from_then_on() {
    let project = Project::new(Server::Plain);
    let config = |build: &str| {
        let text = format!("[servers.shop]\ncommand = \"python3\"\nargs = [\"server.py\"]\n{build}\n");
        std::fs::write(project.root().join("mcp-twin.toml"), text).unwrap();
    };
    config("");
    let words = [mcp_twin_tests::tools::mcp_twin().display().to_string(), "run".to_owned(), "shop".to_owned()];
    let client = Client::spawn(&mut project.process(&words));
    client.open();
    assert_eq!(client.version(), "v1");
    config(r#"build = "echo built x >> \"$FIXTURE_NOTES\"""#);
    until("the build step in the status", || {
        let settings = project.status()["settings"].to_string();
        settings.contains("FIXTURE_NOTES").then_some(())
    });
    assert_eq!(builds(&project), 0);
    project.save_version("v2");
    client.until_version("v2");
    assert_eq!(builds(&project), 1);
    project.finish(&client);
}

#[test]
fn a_front_that_ends_ends_its_build_too() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "server.py"]);
    project.save_version("slow");
    until("the slow build", || (!project.noted("begun").is_empty()).then_some(()));
    // It looks that no process is left, `sleep 600` among them.
    project.finish(&client);
}

#[test]
fn the_build_of_a_front_that_was_killed_is_ended_by_the_next_one() {
    let project = Project::new(Server::Plain);
    let client = open(&project, &["--watch", "server.py"]);
    project.save_version("slow");
    until("the slow build", || (!project.noted("begun").is_empty()).then_some(()));
    let sleep = project.processes().into_iter().find(|seen| seen.command == "sleep 600").unwrap();
    client.kill();
    project.save_version("v3");
    let next = open(&project, &["--watch", "server.py"]);
    next.until_version("v3");
    until("the end of the old build", || project.processes().iter().all(|seen| seen.pid != sleep.pid).then_some(()));
    project.finish(&next);
}
