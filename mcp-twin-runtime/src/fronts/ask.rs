//! Asking one front something, from a command: blocking, without a runtime.

use super::FrontAddress;
use interprocess::ConnectWaitMode;
use interprocess::local_socket::traits::Stream as _;
use interprocess::local_socket::{ConnectOptions, GenericFilePath, Stream, ToFsName};
use mcp_twin_core::control::{Answer, Ask, Request, Response, VERSION};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How long a front may take for its first line.
pub const FIRST_LINE: Duration = Duration::from_secs(2);

/// How much longer than the limit the thread is waited for that keeps to it itself.
const CLOSING: Duration = Duration::from_millis(500);

/// The longest answer that is read: a status carries 32 KB of stderr several times at most.
const LONGEST: u64 = 4 << 20;

/// Why a front did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It lives but said nothing for 2 s (stopped, or overloaded).
    #[error("the front (pid {pid}) does not answer")]
    Hung {
        /// Its process.
        pid: u32,
    },
    /// It ended meanwhile.
    #[error("the front is gone")]
    Gone,
    /// It accepted the command and has not finished it.
    #[error("the front (pid {pid}) is still at it after {} s", .waited.as_secs())]
    Unfinished {
        /// Its process.
        pid: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It answered something that this release does not understand.
    #[error("the front answered something unknown: {0}")]
    Unknown(String),
    /// It cannot be reached.
    #[error("cannot reach the front (pid {pid}): {source}")]
    Unreachable {
        /// Its process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// Asks one front and waits: 2 s for the first line, then up to `deadline` for the outcome. Blocking; no runtime needed.
///
/// A front that said nothing in time ([`AskError::Hung`]) does not carry the command out when it wakes: the connection is
/// closed before that is returned, and a front begins nothing that it cannot accept.
///
/// # Errors
/// See [`AskError`].
pub fn ask(front: &FrontAddress, ask: &Ask, deadline: Duration) -> Result<Answer, AskError> {
    ask_within(front, ask, FIRST_LINE, deadline)
}

fn ask_within(front: &FrontAddress, ask: &Ask, first: Duration, deadline: Duration) -> Result<Answer, AskError> {
    let pid = front.pid;
    let request = Request { v: VERSION, id: 1, ask: ask.clone() };
    let mut line = serde_json::to_vec(&request).map_err(|error| AskError::Unknown(error.to_string()))?;
    line.push(b'\n');
    let (lines, answers) = mpsc::sync_channel(1);
    let address = front.clone();
    // A thread, since on some systems neither connecting nor reading can be given a deadline. It ends with its socket.
    let name = "ask".to_owned();
    std::thread::Builder::new()
        .name(name)
        .spawn(move || converse(&address, &line, first, deadline, &lines))
        .map_err(|source| AskError::Unreachable { pid, source })?;

    let (mut start, mut limit) = (Instant::now(), first);
    let mut accepted = false;
    loop {
        // The thread has the same limit, and says that it has passed once its socket is closed.
        let response = match answers.recv_timeout((limit + CLOSING).saturating_sub(start.elapsed())) {
            Ok(Ok(line)) => read(&line)?,
            Ok(Err(error)) => return Err(classify(pid, accepted, error, limit)),
            Err(RecvTimeoutError::Disconnected) => return Err(AskError::Gone),
            Err(RecvTimeoutError::Timeout) if accepted => return Err(AskError::Unfinished { pid, waited: limit }),
            Err(RecvTimeoutError::Timeout) => return Err(AskError::Hung { pid }),
        };
        match response.answer {
            Answer::Accepted => (accepted, start, limit) = (true, Instant::now(), deadline),
            answer => return Ok(answer),
        }
    }
}

/// Connects, sends, and passes each line on; ends when nobody listens any more.
fn converse(
    front: &FrontAddress,
    line: &[u8],
    first: Duration,
    deadline: Duration,
    lines: &SyncSender<io::Result<Vec<u8>>>,
) {
    let stream = match connect(front, first).and_then(|mut stream| {
        // Not every system can do this; the waiting side has its own deadline.
        let _ = stream.set_send_timeout(Some(first));
        let _ = stream.set_recv_timeout(Some(first));
        stream.write_all(line).and_then(|()| stream.flush()).map(|()| stream)
    }) {
        Ok(stream) => stream,
        Err(error) => return drop(lines.send(Err(error))),
    };
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let more = match (&mut reader).take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(line),
            Err(error) => Err(error),
        };
        if more.is_err() {
            drop(reader);
            return drop(lines.send(more));
        }
        let _ = reader.get_ref().set_recv_timeout(Some(deadline));
        if lines.send(more).is_err() {
            return;
        }
    }
}

fn connect(front: &FrontAddress, wait: Duration) -> io::Result<Stream> {
    let start = Instant::now();
    loop {
        let name = front.socket.as_path().to_fs_name::<GenericFilePath>()?;
        let left = wait.saturating_sub(start.elapsed());
        match ConnectOptions::new().name(name).wait_mode(ConnectWaitMode::Timeout(left)).connect_sync() {
            // A busy pipe (Windows): all its instances are taken for the moment.
            Err(error) if error.raw_os_error() == Some(231) && cfg!(windows) && !left.is_zero() => {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

fn classify(pid: u32, accepted: bool, error: io::Error, waited: Duration) -> AskError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound
        | Kind::ConnectionRefused
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => AskError::Gone,
        Kind::TimedOut | Kind::WouldBlock if accepted => AskError::Unfinished { pid, waited },
        Kind::TimedOut | Kind::WouldBlock => AskError::Hung { pid },
        _ => AskError::Unreachable { pid, source: error },
    }
}

fn read(line: &[u8]) -> Result<Response, AskError> {
    serde_json::from_slice(line).map_err(|_| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        let short: String = text.chars().take(200).collect();
        AskError::Unknown(if short.len() < text.len() { format!("{short}…") } else { short })
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::{home, seat};
    use std::os::unix::net::UnixListener;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    /// A front that answers one connection with these lines, then does `after` with it.
    fn front(lines: &'static [&'static str], keep: bool) -> (tempfile::TempDir, FrontAddress) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            reader.read_line(&mut String::new()).unwrap();
            for line in lines {
                reader.get_mut().write_all(line.as_bytes()).unwrap();
            }
            while keep && reader.read_line(&mut String::new()).is_ok_and(|n| n > 0) {}
        });
        let address =
            FrontAddress { front: "f".into(), server: "s".into(), display: None, root: "/".into(), pid: 7, socket };
        (dir, address)
    }

    const ACCEPTED: &str = "{\"v\":1,\"id\":1,\"answer\":\"accepted\"}\n";

    #[test]
    fn a_front_that_says_nothing_is_hung() {
        let (_dir, address) = front(&[], true);
        let start = Instant::now();
        let error = ask_within(&address, &Ask::Status, SHORT, LONG).unwrap_err();
        assert!(matches!(error, AskError::Hung { pid: 7 }), "{error}");
        assert!(start.elapsed() < LONG / 2);
    }

    #[test]
    fn a_front_that_was_given_up_finds_the_connection_closed() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let (_other, address) = front(&[], true);
        let error = ask_within(&FrontAddress { socket, ..address }, &Ask::Stop, SHORT, LONG).unwrap_err();
        assert!(matches!(error, AskError::Hung { .. }), "{error}");
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        assert!(reader.read_line(&mut String::new()).unwrap() > 0, "the command is there");
        let told = reader.get_mut().write_all(ACCEPTED.as_bytes()).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_front_that_does_not_even_accept_is_hung() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let (_other, address) = front(&[], true);
        let error = ask_within(&FrontAddress { socket, ..address }, &Ask::Stop, SHORT, LONG).unwrap_err();
        assert!(matches!(error, AskError::Hung { .. }), "{error}");
    }

    #[test]
    fn a_slow_command_is_told_from_a_hung_front() {
        let (_dir, address) = front(&[ACCEPTED], true);
        let error = ask_within(&address, &Ask::Reload, SHORT, SHORT).unwrap_err();
        assert!(matches!(error, AskError::Unfinished { pid: 7, .. }), "{error}");
    }

    #[test]
    fn a_front_that_dies_is_gone() {
        for lines in [&[][..], &[ACCEPTED][..]] {
            let (_dir, address) = front(lines, false);
            let error = ask_within(&address, &Ask::Reload, LONG, LONG).unwrap_err();
            assert!(matches!(error, AskError::Gone), "{error}");
        }
    }

    #[test]
    fn a_front_that_is_not_there_is_gone() {
        let (_dir, home) = home();
        let seat = seat(&home, "a");
        let error = ask(seat.address(), &Ask::Status, LONG).unwrap_err();
        assert!(matches!(error, AskError::Gone), "{error}");
        drop(std::os::unix::net::UnixListener::bind(&seat.address().socket).unwrap());
        let error = ask(seat.address(), &Ask::Status, LONG).unwrap_err();
        assert!(matches!(error, AskError::Gone), "{error}");
    }

    #[test]
    fn an_unknown_answer_is_shown() {
        let (_dir, address) = front(&["{\"v\":9,\"id\":1,\"answer\":{\"sung\":1}}\n"], true);
        let error = ask_within(&address, &Ask::Status, LONG, LONG).unwrap_err();
        assert!(error.to_string().contains("sung"), "{error}");
    }

    #[test]
    fn unknown_fields_are_no_obstacle() {
        let line = r#"{"v":9,"id":1,"more":1,"answer":{"error":{"code":"twin::new","message":"m","more":2}}}"#;
        let (_dir, address) = front(Box::leak(Box::new([line, "\n"])), true);
        let answer = ask_within(&address, &Ask::Status, LONG, LONG).unwrap();
        assert!(matches!(answer, Answer::Error(fault) if fault.message == "m"));
    }
}
