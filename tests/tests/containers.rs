//! `docker run` behind a front: a container outlives a client that was killed, and is removed all the same. The engine is
//! a script (`fixtures/engine/docker`).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, Project, Served, Server, process, tools, until};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// An engine, and a project whose server runs in its containers.
struct Engine {
    project: Project,
    folder: tempfile::TempDir,
}

impl Engine {
    fn new(server: Server) -> Self {
        Self { project: Project::new(server), folder: tempfile::tempdir().unwrap() }
    }

    fn start(&self, flags: &[&str], options: &[&str]) -> Client {
        Client::spawn(&mut self.front("run", flags, options))
    }

    /// A front over HTTP, with a container for each session.
    fn serve(&self) -> Served {
        let flags = ["--stdio", "--listen", "127.0.0.1:0", "--stop-term", "100ms", "--stop-kill", "100ms"];
        Served::front(&mut self.front("serve", &flags, &["-i"]))
    }

    fn front(&self, verb: &str, flags: &[&str], options: &[&str]) -> Command {
        let mount = format!("{}:/app", self.project.root().display());
        let mut words = vec![tools::mcp_twin().display().to_string(), verb.to_owned()];
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        words.extend(["--", "docker", "run"].map(str::to_owned));
        words.extend(options.iter().map(|option| (*option).to_owned()));
        words.extend(["-v", &mount, "python:3", "python3", "/app/server.py"].map(str::to_owned));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(tools::fixture("engine")).chain(std::env::split_paths(&path));
        let mut command = self.project.process(&words);
        command.env("PATH", std::env::join_paths(folders).unwrap()).env("FAKE_ENGINE", self.folder.path());
        command
    }

    fn open(&self, flags: &[&str], options: &[&str]) -> Client {
        let client = self.start(flags, options);
        client.open();
        client
    }

    /// The containers that the engine knows: their processes.
    fn containers(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten();
        let ids = entries.filter(|entry| entry.file_name().len() == 64);
        ids.filter_map(|entry| fs::read_to_string(entry.path()).ok()?.parse().ok()).collect()
    }

    /// The only container.
    fn container(&self) -> u32 {
        let all = self.containers();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0]
    }

    /// The command lines that the engine was given and that begin so.
    fn asked(&self, verb: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(verb)).map(str::to_owned).collect()
    }

    /// Ends a front, and waits for the end of all containers. On a busy machine that can take longer than the front may:
    /// the engine goes on then, and what is noted of it is left to the next front.
    fn finish(&self, client: &Client) {
        assert!(client.close().success());
        client.books().assert_clean();
        until("the end of all containers", || self.containers().iter().all(|pid| !process::alive(*pid)).then_some(()));
    }

    fn off(&self) -> PathBuf {
        self.folder.path().join("off")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.containers().into_iter().for_each(process::kill);
    }
}

#[test]
fn one_whose_client_had_to_be_killed_is_removed() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let client = engine.open(&["--stop-term", "100ms", "--stop-kill", "100ms"], &["-i", "--rm"]);
    let container = engine.container();
    assert!(process::alive(container));
    let report = engine.project.cli(&["stop", "--json"]).with_status(0);
    assert_eq!(report.outcome(), "stopped");
    // Stopped means stopped: no waiting here.
    assert!(!process::alive(container) && engine.containers().is_empty());
    assert_eq!(engine.asked("rm -f").len(), 1);
    let log = engine.project.cli(&["logs", "-n", "500"]).stdout;
    assert!(log.contains("rm -f") && log.contains("the container is gone"), "{log}");
    assert_eq!(engine.project.cli(&["reload", "--json"]).with_status(0).outcome(), "started");
    assert_eq!(client.version(), "v1");
    engine.finish(&client);
}

#[test]
fn each_session_over_http_has_one_that_ends_with_it() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let front = engine.serve();
    let (one, two) = (front.client(), front.client());
    assert_eq!((one.version(), two.version()), ("v1".to_owned(), "v1".to_owned()));
    assert_eq!(engine.containers().len(), 3, "one carries the front's own session");
    assert_eq!(one.delete(), 200);
    until("the end of its container", || (engine.containers().len() == 2).then_some(()));
    assert_eq!(two.version(), "v1");
    // What a killed front leaves is removed by the next one, before it starts its own.
    front.kill();
    let left = engine.containers();
    let front = engine.serve();
    assert_eq!(front.client().version(), "v1");
    until("the end of what was left", || left.iter().all(|pid| !process::alive(*pid)).then_some(()));
    assert_eq!(engine.containers().len(), 2);
    assert!(front.terminate().success());
    until("the end of all containers", || engine.containers().is_empty().then_some(()));
    engine.project.nothing_left();
}

#[test]
fn the_one_that_a_swap_retired_is_removed() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let flags = ["--bake", "0", "--keep-old", "0", "--stop-term", "100ms", "--stop-kill", "100ms"];
    let client = engine.open(&flags, &["-i"]);
    assert_eq!(client.version(), "v1");
    let first = engine.container();
    engine.project.save_version("v2");
    client.until_version("v2");
    process::gone(first);
    until("one container", || (engine.containers().len() == 1).then_some(()));
    engine.finish(&client);
}

#[test]
fn the_client_is_gone_and_so_is_the_container() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let client = engine.open(&[], &["-i"]);
    let container = engine.container();
    engine.finish(&client);
    process::gone(container);
}

#[test]
fn one_that_ended_by_itself_is_the_users() {
    let engine = Engine::new(Server::Plain);
    let client = engine.open(&[], &["-i"]);
    let container = engine.container();
    engine.project.finish(&client);
    assert!(!process::alive(container));
    // Without --rm the engine keeps what is left of it, and so do we.
    assert_eq!((engine.containers(), engine.asked("rm")), (vec![container], vec![]));
}

#[test]
fn one_of_a_killed_front_is_removed_by_the_next() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let client = engine.open(&[], &["-i"]);
    let container = engine.container();
    client.kill();
    assert!(process::alive(container));
    let next = engine.open(&[], &["-i"]);
    process::gone(container);
    assert_eq!(next.version(), "v1");
    let _ = engine.container();
    engine.finish(&next);
}

#[test]
fn what_cannot_be_removed_now_is_left_to_the_next_front() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let client = engine.open(&[], &["-i"]);
    let container = engine.container();
    fs::write(engine.off(), "").unwrap();
    client.kill();
    // This one has no containers of its own, and meets an engine that does not answer.
    engine.project.set("FAULT", "\"\"");
    let other = engine.project.beside(Server::Plain, "other");
    let mut command = other.process(&other.front_command(&[]));
    let path = std::env::join_paths(
        std::iter::once(tools::fixture("engine"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    command.env("PATH", path.unwrap()).env("FAKE_ENGINE", engine.folder.path());
    let second = Client::spawn(&mut command);
    second.open();
    until("a vain attempt", || (!engine.asked("rm -f").is_empty()).then_some(()));
    assert_eq!(second.version(), "v1");
    assert!(second.close().success());
    assert!(process::alive(container));
    fs::remove_file(engine.off()).unwrap();
    let third = engine.open(&[], &["-i"]);
    process::gone(container);
    engine.project.finish(&third);
}

#[test]
fn the_users_own_file_for_the_id_is_read() {
    let engine = Engine::new(Server::Fault("ignores_term"));
    let file = engine.folder.path().join("mine.cid");
    let flags = ["--stop-term", "100ms", "--stop-kill", "100ms"];
    let client = engine.open(&flags, &["-i", "--cidfile", file.to_str().unwrap()]);
    let container = engine.container();
    assert_eq!(engine.asked("run")[0].matches("--cidfile").count(), 1);
    // The engine refuses a file that is there: it is removed with the container, so that the next twin can start.
    engine.project.save_version("v2");
    client.until_version("v2");
    process::gone(container);
    engine.finish(&client);
}

#[test]
fn a_file_for_the_id_that_was_there_is_another_containers() {
    let engine = Engine::new(Server::Plain);
    let file = engine.folder.path().join("mine.cid");
    fs::write(&file, "0123456789ab".repeat(5) + "cdef").unwrap();
    let client = engine.start(&[], &["-i", "--cidfile", file.to_str().unwrap()]);
    until("a refused start", || (engine.asked("run").len() >= 2).then_some(()));
    assert!(file.exists() && engine.asked("rm").is_empty());
    client.kill();
}

#[test]
fn without_a_stdin_it_is_said() {
    let engine = Engine::new(Server::Plain);
    let client = engine.start(&[], &["--rm"]);
    until("the hint", || {
        let said = client.inbox().stderr_text();
        (said.matches("docker run -i").count() == 1 && said.contains("cannot speak MCP")).then_some(())
    });
    client.kill();
}
