//! One run of a program that has to end: by itself, within its time, and with all that it started.

use crate::exec::{Result, fail, output, program, shown};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the last words of one that has ended may take.
const GRACE: Duration = Duration::from_millis(500);
/// The longest output that is read.
const MOST: u64 = 8 << 20;

/// What a program said, and how it ended.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the command, for `patience` at most.
pub(crate) fn run(command: Command, patience: Duration) -> Result<Said> {
    ask(command, patience, &[], |_| false)
}

/// Runs the command, for `patience` at most. It is told `question`; its input stays open until a line of its output is
/// `enough`.
pub(crate) fn ask(
    mut command: Command,
    patience: Duration,
    question: &[String],
    enough: impl Fn(&str) -> bool,
) -> Result<Said> {
    let shown = shown(&command);
    let deadline = Instant::now() + patience;
    // A group of its own, so that what it starts can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(if question.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().or_else(|error| fail(format!("`{shown}` could not be started: {error}")))?;
    let mut run = Run { child, ended: false };

    let (out, err) = (lines(run.child.stdout.take()), lines(run.child.stderr.take()));
    let mut input = run.child.stdin.take();
    if let Some(input) = input.as_mut() {
        tell(input, question)?;
    }
    let mut stdout = String::new();
    let said = loop {
        match out.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if enough(&line) {
                    input = None;
                }
                stdout.push_str(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
    };
    drop(input);
    while said && Instant::now() < deadline {
        if let Some(status) = run.child.try_wait()? {
            run.ended = true;
            return Ok(Said { status, stdout, stderr: rest(&err) });
        }
        thread::sleep(Duration::from_millis(10));
    }
    run.kill();
    fail(format!("`{shown}` did not end within {patience:?}; it said:\n{stdout}{}", rest(&err)))
}

/// What was said of the errors. Somebody else may hold their end: that is not waited for long.
fn rest(lines: &Receiver<String>) -> String {
    let mut said = String::new();
    while let Ok(line) = lines.recv_timeout(GRACE) {
        said.push_str(&line);
    }
    said
}

fn tell(input: &mut ChildStdin, question: &[String]) -> Result {
    for line in question {
        writeln!(input, "{line}")?;
    }
    Ok(input.flush()?)
}

/// The lines of a stream, as they come: so many wait at most. What is beyond [`MOST`] is not read.
fn lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1 << 16);
    if let Some(stream) = stream {
        thread::spawn(move || forward(BufReader::new(stream.take(MOST)), &sender));
    }
    receiver
}

fn forward(mut stream: impl BufRead, to: &SyncSender<String>) {
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if to.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Owns the process group: it is killed unless the program ended by itself.
struct Run {
    child: Child,
    ended: bool,
}

impl Run {
    fn kill(&mut self) {
        if !self.ended {
            let _ =
                output(&mut program("kill", ["-KILL".to_owned(), "--".to_owned(), format!("-{}", self.child.id())]));
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.ended = true;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{ask, run};
    use std::process::Command;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_secs(2);

    #[test]
    fn input_ends_with_the_answer() {
        let said = ask(Command::new("cat"), LONG, &["one".into(), "two".into()], |line| line == "two\n").unwrap();
        assert_eq!((said.stdout.as_str(), said.status.success()), ("one\ntwo\n", true));
    }

    #[test]
    fn errors_and_status_are_told() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no >&2; exit 3"]);
        let said = run(command, LONG).unwrap();
        assert_eq!((said.stdout.as_str(), said.stderr.as_str(), said.status.code()), ("", "no\n", Some(3)));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        // The answer is never enough, so that `cat` waits for the end of its input.
        let why = ask(Command::new("cat"), SHORT, &["one".into()], |_| false).err().unwrap();
        assert!(why.to_string().contains("`cat` did not end within"), "{why}");
        assert!(why.to_string().ends_with("it said:\none\n"), "{why}");
    }

    #[test]
    fn what_holds_the_output_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo started"]);
        let why = run(command, SHORT).err().unwrap();
        assert!(why.to_string().contains("started"), "{why}");
    }
}
