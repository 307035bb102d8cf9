//! The fixture server over HTTP, by itself or behind a front.

use super::fixture::Fixture;
use crate::exec::{Result, fail, mcp_twin, output, program};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it listens, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that says on stderr where it listens.
pub(super) struct Served {
    child: Child,
    /// Where.
    pub(super) url: String,
}

impl Served {
    /// The fixture server by itself, on a port of its own choice.
    pub(super) fn bare(fixture: &Fixture, name: &str) -> Result<Self> {
        let words = fixture.server(&["--port", "0"]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        Self::start(fixture.at_home(command), "listening on ", &fixture.folder().join(format!("{name}.log")))
    }

    /// The fixture server behind a front that serves. Its twins share the key of their `requestState`, or each has its own.
    pub(super) fn front(fixture: &Fixture, shared_key: bool) -> Result<Self> {
        let mut command = fixture.at_home(Command::new(mcp_twin()));
        command.args(["serve", "--name", "conformance", "--listen", "127.0.0.1:0", "--settle", "0"]);
        // Refusals are asked for on purpose: a trial would take them for bad code.
        command.args(["--bake", "0"]);
        command.args(["--breaking", "warn", "--watch"]).arg("server.py").arg("--");
        command.args(fixture.server(&["--port", "{port}"]));
        if shared_key {
            command.env("FIXTURE_STATE_KEY", "shared by all twins of this run");
        } else {
            command.env_remove("FIXTURE_STATE_KEY");
        }
        let front = Self::start(command, " listens on ", &fixture.folder().join("front.log"))?;
        fixture.wait_for("\"state\":\"serving\"")?;
        Ok(front)
    }

    fn start(mut command: Command, before: &str, log: &Path) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?).spawn();
        let child = child.or_else(|error| fail(format!("{command:?} could not be started: {error}")))?;
        let mut served = Self { child, url: String::new() };
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && served.child.try_wait()?.is_none() {
            let said = fs::read_to_string(log)?;
            let url = said.lines().find_map(|line| line.split_once(before)).map(|(_, url)| url.trim());
            if let Some(url) = url.filter(|_| said.ends_with('\n')) {
                url.clone_into(&mut served.url);
                return Ok(served);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(log)?;
        fail(format!("{command:?} never said where it listens; it said: {said}"))
    }

    /// Ends a front as its user does: its twins end with it.
    pub(super) fn end(mut self) -> Result {
        output(&mut program("kill", ["-TERM".to_owned(), self.child.id().to_string()]))?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return fail(format!("the front ended with {status}")),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
        fail("the front did not end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // First asked, so that a front takes its twins with it even where a run has failed.
            let _ = output(&mut program("kill", ["-TERM".to_owned(), self.child.id().to_string()]));
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(15) && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
