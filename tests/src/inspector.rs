//! The official Inspector's command line as a client.

use crate::process;
use crate::project::Project;
use crate::tools;
use crate::wait::until;
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// The Inspector with these arguments, for a server's command, in an era (`legacy`, `auto`, `modern`).
#[must_use]
pub fn command(project: &Project, era: &str, server: &[String], arguments: &[&str]) -> Command {
    let mut words = vec![tools::node().display().to_string()];
    words.extend(["--import".to_owned(), tools::fixture("clients/load_ends.mjs").display().to_string()]);
    words.push(tools::inspector().display().to_string());
    words.extend(["--cli", "--format", "json", "-q", "--protocol-era", era].map(str::to_owned));
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

/// One call: exit status, stdout, stderr.
#[must_use]
pub fn call(project: &Project, era: &str, server: &[String], arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(project, era, server, arguments).stdin(Stdio::null()).output().expect("the Inspector runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Its load mode: one tool, called again and again.
#[derive(Debug)]
pub struct Load(Child);

/// What the load mode says of itself.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// Whether it ended with success.
    pub success: bool,
    /// Calls answered.
    pub requests: usize,
    /// Calls answered well.
    pub ok: usize,
    /// Everything it printed.
    pub text: String,
}

impl Load {
    /// Starts it. It goes on until [`Load::end`].
    #[must_use]
    pub fn start(project: &Project, era: &str, server: &[String], tool: &str, arguments: &str, callers: usize) -> Self {
        let callers = callers.to_string();
        let load = ["--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments, "--load"];
        let size = ["--load-concurrency", &callers, "--load-duration", "3600", "--load-rate", "40"];
        let mut command = command(project, era, server, &[&load[..], &size[..]].concat());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("the Inspector starts"))
    }

    /// Lets the calls in flight come back, and gives the report.
    #[must_use]
    pub fn end(mut self) -> LoadReport {
        process::tell(self.0.id());
        let status = until("the end of the load", || self.0.try_wait().expect("a child of ours"));
        // A few hundred bytes, which a pipe holds.
        let read = |pipe: Option<Box<dyn std::io::Read>>| {
            let mut text = String::new();
            pipe.map(|mut pipe| pipe.read_to_string(&mut text)).transpose().expect("text");
            text
        };
        let stdout = read(self.0.stdout.take().map(|pipe| Box::new(pipe) as _));
        let stderr = read(self.0.stderr.take().map(|pipe| Box::new(pipe) as _));
        let report: Value = serde_json::from_str(&stdout).unwrap_or_default();
        let number =
            |name: &str| usize::try_from(report["result"][name].as_u64().unwrap_or_default()).expect("a count");
        LoadReport {
            success: status.success(),
            requests: number("requests"),
            ok: number("ok"),
            text: format!("{stdout}{stderr}"),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
