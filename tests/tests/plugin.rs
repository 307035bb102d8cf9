//! The scripts of the plugin for Claude Code: which mcp-twin they find, and that none of them fails a session.
//!
//! That Claude Code runs them is seen by `cargo xtask clients`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Project, Report, Server, tools};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A plugin as npm or a git marketplace leaves it, and the folder that is first on its `PATH`.
struct Plugin {
    project: Project,
    root: PathBuf,
    bin: PathBuf,
}

impl Plugin {
    fn new() -> Self {
        let project = Project::new(Server::Plain);
        let base = project.root().parent().unwrap().to_path_buf();
        // A blank in the path is nothing special.
        let (root, bin) = (base.join("node modules/mcp-twin"), base.join("bin"));
        std::fs::create_dir_all(root.join("scripts")).unwrap();
        std::fs::create_dir(&bin).unwrap();
        for script in ["find.sh", "hook.sh", "twin.sh"] {
            let path = Path::new("scripts").join(script);
            std::fs::copy(tools::root().join("mcp-twin-node").join(&path), root.join(&path)).unwrap();
        }
        Self { project, root, bin }
    }

    /// Puts a program in the place of mcp-twin that does this, on the `PATH` or wherever else.
    fn program(&self, path: &Path, script: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn on_path(&self, script: &str) {
        self.program(&self.bin.join("mcp-twin"), script);
    }

    /// Runs a script; its status is 0 whatever happens, and it says nothing about itself.
    fn run(&self, script: &str, arguments: &[&str], input: &str) -> Report {
        let path = self.root.join("scripts").join(script);
        let mut words = vec!["/bin/sh".to_owned(), path.display().to_string()];
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let mut command = self.project.process(&words);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("sh starts");
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().expect("sh ends");
        let report = Report {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(report.stderr, "", "{report:?}");
        report.with_status(0)
    }

    fn hook(&self, event: &str, input: &str) -> String {
        self.run("hook.sh", &[event], input).stdout
    }

    fn twin(&self, arguments: &[&str]) -> String {
        self.run("twin.sh", arguments, "").stdout
    }
}

#[test]
fn without_a_program_it_is_said_once_how_to_install_one() {
    let plugin = Plugin::new();
    let said: serde_json::Value = serde_json::from_str(&plugin.hook("SessionStart", "{}")).expect("one document");
    assert!(said["systemMessage"].as_str().unwrap().contains("npm i -g mcp-twin"), "{said}");
    assert_eq!(plugin.hook("PostToolUse", "{}") + &plugin.hook("FileChanged", "{}"), "");
    assert!(plugin.twin(&["status"]).contains("npm i -g mcp-twin"));
}

#[test]
fn a_program_of_another_release_fails_no_session() {
    let plugin = Plugin::new();
    for script in ["echo usage: mcp-twin; exit 0", "echo '{}'; exit 2", "echo wrong >&2; exit 64", "kill -9 $$"] {
        plugin.on_path(script);
        for event in ["SessionStart", "PostToolUse", "FileChanged"] {
            assert_eq!(plugin.hook(event, "{}"), "", "{script}");
        }
    }
    plugin.on_path("cat; echo >&2 a warning");
    assert_eq!(plugin.hook("PostToolUse", "{\"a\": 1}"), "{\"a\": 1}\n");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_program_of_its_own_package_comes_before_that_on_the_path() {
    let plugin = Plugin::new();
    plugin.on_path("echo on the path");
    assert_eq!(plugin.twin(&["status"]), "on the path\n");
    let beside = plugin.root.parent().unwrap().join("mcp-twin-linux-x64-musl/mcp-twin");
    plugin.program(&beside, "echo beside");
    assert_eq!(plugin.twin(&["status"]), "beside\n");
    // Through a link, as pnpm installs packages, it is found beside the real one.
    let link = plugin.bin.join("link");
    std::os::unix::fs::symlink(&plugin.root, &link).unwrap();
    let linked = Plugin { project: plugin.project, root: link, bin: plugin.bin };
    assert_eq!(linked.twin(&["status"]), "beside\n");
}

#[test]
fn the_command_takes_what_answers_and_ends() {
    let plugin = Plugin::new();
    plugin.on_path("echo \"$@\"; echo help >&2; exit 4");
    assert_eq!(plugin.twin(&["swap", "shop server", "--force"]), "swap shop server --force\nhelp\n(exit status 4)\n");
    assert!(plugin.twin(&[]).starts_with("status\n"));
    for refused in [&["run", "--", "cat"][..], &["serve"], &["hook", "Stop"], &["wire", "--yes"], &["--help"]] {
        assert!(plugin.twin(refused).starts_with("usage: /mcp-twin:twin start|"), "{refused:?}");
    }
    assert!(plugin.twin(&["logs", "-f"]).contains("does not end"));
}

#[test]
fn with_a_real_server_the_scripts_say_what_the_command_says() {
    let plugin = Plugin::new();
    plugin.on_path(&format!("exec '{}' \"$@\"", tools::mcp_twin().display()));
    assert!(plugin.twin(&["status"]).ends_with("(exit status 5)\n"));
    let client = plugin.project.open();
    plugin.project.save_version("v2");
    let input = json!({"cwd": plugin.project.root(), "tool_input": {"file_path": plugin.project.file()}});
    let said = plugin.hook("PostToolUse", &input.to_string());
    assert!(said.contains("is live in"), "{said}");
    assert_eq!(client.version(), "v2");
    assert!(plugin.twin(&["rollback"]).contains("Rolled back"));
    assert!(plugin.twin(&["history"]).contains("rolled back"));
    assert_eq!(client.version(), "v1");
    plugin.project.finish(&client);
}
