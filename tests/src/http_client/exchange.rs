//! One request over HTTP/1.1 and what comes back, read only when somebody asks, and never longer than they allow.

use crate::inbox::shortened;
use crate::wait::PATIENCE;
use serde_json::Value;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A connection on which nothing is open.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    host: String,
    /// What came behind the last response.
    rest: Vec<u8>,
}

impl Wire {
    /// Connects to `127.0.0.1:PORT`.
    #[must_use]
    pub fn connect(host: &str) -> Self {
        let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("nobody listens on {host}: {error}"));
        stream.set_nodelay(true).expect("a socket");
        Self { stream, host: host.to_owned(), rest: Vec::new() }
    }

    /// Sends a request. One header may appear twice; a `Host` among them takes the place of the true one.
    pub fn send(mut self, method: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Exchange {
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: {}\r\n", self.host);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if method == "POST" || !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let bytes = [request.as_bytes(), b"\r\n", body].concat();
        // A server that has closed meanwhile is found out when the answer is read.
        let _ = self.stream.write_all(&bytes);
        let sent = serde_json::from_slice::<Value>(body).ok().and_then(|message| message.get("id").cloned());
        let raw = std::mem::take(&mut self.rest);
        let (body, said) = (Vec::new(), Vec::new());
        Exchange { wire: self, id: sent, raw, head: None, body, scanned: 0, state: State::Head, said }
    }
}

/// Status and headers.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Such as 200.
    pub status: u16,
    /// As they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a stream of events follows.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }
}

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// The milliseconds after which to come back, if it says so.
    pub retry: Option<u64>,
    /// Its data; a priming event has none.
    pub data: String,
}

impl Event {
    /// The message in it.
    #[must_use]
    pub fn message(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", shortened(&self.data)))
    }
}

/// What came next on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Event),
    /// The stream has ended as it should.
    End,
    /// The connection has ended, the stream has not.
    Cut(String),
    /// Nothing within the time given.
    Nothing,
}

#[derive(Debug)]
enum State {
    Head,
    Sized(usize),
    /// The rest of a chunk, with the line end behind it.
    Chunked(usize),
    ToTheEnd,
    Done,
    Cut(String),
}

/// A request that was sent. Dropping it closes the connection, as a client does that leaves.
pub struct Exchange {
    wire: Wire,
    id: Option<Value>,
    raw: Vec<u8>,
    head: Option<Head>,
    body: Vec<u8>,
    /// So many bytes of the body have no end of an event in them.
    scanned: usize,
    state: State,
    said: Vec<Value>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| shortened(&String::from_utf8_lossy(bytes));
        let mut shown = f.debug_struct("Exchange");
        shown.field("id", &self.id).field("head", &self.head).field("state", &self.state).field("said", &self.said);
        shown.field("body", &text(&self.body)).field("raw", &text(&self.raw)).finish()
    }
}

impl Exchange {
    /// Status and headers; fails the test if they never come.
    pub fn head(&mut self) -> &Head {
        if let Err(why) = self.await_head(PATIENCE) {
            panic!("no response: {why}; {self:?}");
        }
        self.head.as_ref().expect("a head that has come")
    }

    /// The status; fails the test if it never comes.
    pub fn status(&mut self) -> u16 {
        self.head().status
    }

    /// What the server said on this stream before the answer (and was read so far).
    #[must_use]
    pub fn said(&self) -> &[Value] {
        &self.said
    }

    /// The answer, wherever it stands; fails the test if it never comes.
    pub fn answer(&mut self) -> Value {
        self.answer_within(PATIENCE).unwrap_or_else(|why| panic!("no answer: {why}; {self:?}"))
    }

    /// The answer, or why there is none: for those who count.
    ///
    /// # Errors
    ///
    /// If the connection ends, the time is over, or what comes is no answer to this request.
    pub fn answer_within(&mut self, time: Duration) -> Result<Value, String> {
        let deadline = Instant::now() + time;
        self.await_head(time)?;
        let head = self.head.clone().unwrap_or_default();
        if !head.streams() {
            while !matches!(self.state, State::Done) {
                self.more(deadline)?;
            }
            let text = String::from_utf8_lossy(&self.body).into_owned();
            let answer = serde_json::from_str(&text);
            let answer = answer.map_err(|error| format!("status {}: {error}: {}", head.status, shortened(&text)))?;
            return self.checked(answer);
        }
        loop {
            let event = match self.next(deadline.saturating_duration_since(Instant::now())) {
                Next::Event(event) if event.data.is_empty() => continue,
                Next::Event(event) => event.message(),
                other => return Err(format!("{other:?} instead of an answer")),
            };
            if event.get("method").is_none() {
                return self.checked(event);
            }
            self.said.push(event);
        }
    }

    /// The body, whole.
    pub fn body(&mut self) -> String {
        let _ = self.head();
        let deadline = Instant::now() + PATIENCE;
        while !matches!(self.state, State::Done) {
            if let Err(why) = self.more(deadline) {
                panic!("no whole body: {why}; {self:?}");
            }
        }
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The next event of a stream.
    pub fn next(&mut self, time: Duration) -> Next {
        let deadline = Instant::now() + time;
        if let Err(why) = self.await_head(time) {
            return if matches!(self.state, State::Cut(_)) { Next::Cut(why) } else { Next::Nothing };
        }
        loop {
            if let Some(event) = self.take_event() {
                return Next::Event(event);
            }
            match &self.state {
                State::Done => return Next::End,
                State::Cut(why) => return Next::Cut(why.clone()),
                _ => {}
            }
            if self.more(deadline).is_err() && !matches!(self.state, State::Cut(_)) {
                return Next::Nothing;
            }
        }
    }

    /// The next event; fails the test if there is none.
    pub fn event(&mut self) -> Event {
        match self.next(PATIENCE) {
            Next::Event(event) => event,
            other => panic!("{other:?} instead of an event; {self:?}"),
        }
    }

    /// The next message of a stream, priming events left out; fails the test if there is none.
    pub fn told(&mut self) -> Value {
        loop {
            let event = self.event();
            if !event.data.is_empty() {
                return event.message();
            }
        }
    }

    /// The connection, once the whole response is read and if it is kept.
    ///
    /// # Panics
    ///
    /// If the response does not end.
    #[must_use]
    pub fn reuse(mut self) -> Option<Wire> {
        let _ = self.body();
        let kept = !self.head().header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.wire.rest = self.raw;
        kept.then_some(self.wire)
    }

    fn checked(&self, answer: Value) -> Result<Value, String> {
        let refused = answer["id"].is_null() && answer.get("error").is_some();
        if refused || self.id.as_ref().is_none_or(|id| answer["id"] == *id) {
            return Ok(answer);
        }
        Err(format!("an answer to another request than {:?}: {answer}", self.id))
    }

    fn await_head(&mut self, time: Duration) -> Result<(), String> {
        let deadline = Instant::now() + time;
        while self.head.is_none() {
            self.more(deadline)?;
        }
        Ok(())
    }

    /// Reads once, and takes apart what has come.
    fn more(&mut self, deadline: Instant) -> Result<(), String> {
        if let State::Cut(why) = &self.state {
            return Err(why.clone());
        }
        if self.advance() {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("the time is over".to_owned());
        }
        self.wire.stream.set_read_timeout(Some(left)).expect("a socket");
        let mut piece = [0; 1 << 14];
        match self.wire.stream.read(&mut piece) {
            Ok(0) => {
                self.state = match self.state {
                    State::ToTheEnd => State::Done,
                    _ => State::Cut("the connection was closed".to_owned()),
                };
            }
            Ok(count) => self.raw.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err("the time is over".to_owned());
            }
            Err(error) => self.state = State::Cut(error.to_string()),
        }
        let _ = self.advance();
        match &self.state {
            State::Cut(why) => Err(why.clone()),
            _ => Ok(()),
        }
    }

    /// Takes one part off what has come; whether there was one.
    fn advance(&mut self) -> bool {
        match self.state {
            State::Head => self.take_head(),
            State::Sized(left) => {
                let taken = self.take_body(left);
                self.state = if taken == left { State::Done } else { State::Sized(left - taken) };
                taken > 0 || left == 0
            }
            State::Chunked(0) => self.take_chunk_size(),
            State::Chunked(left) if left > 2 => {
                let taken = self.take_body(left - 2);
                self.state = State::Chunked(left - taken);
                taken > 0
            }
            State::Chunked(left) => {
                let taken = left.min(self.raw.len());
                self.raw.drain(..taken);
                self.state = State::Chunked(left - taken);
                taken > 0
            }
            State::ToTheEnd => self.take_body(usize::MAX) > 0,
            State::Done | State::Cut(_) => false,
        }
    }

    fn take_head(&mut self) -> bool {
        let Some(end) = position(&self.raw, b"\r\n\r\n") else { return false };
        let text = String::from_utf8_lossy(&self.raw[..end]).into_owned();
        self.raw.drain(..end + 4);
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let head = Head { status: status.unwrap_or_else(|| panic!("no HTTP: {text}")), headers };
        if head.status / 100 == 1 {
            return true;
        }
        let length = head.header("content-length").map(|length| length.parse().expect("a length"));
        let chunked = head.header("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked"));
        self.state = match length {
            _ if chunked => State::Chunked(0),
            _ if matches!(head.status, 202 | 204 | 304) && length.is_none() => State::Done,
            Some(0) => State::Done,
            Some(length) => State::Sized(length),
            None => State::ToTheEnd,
        };
        self.head = Some(head);
        true
    }

    fn take_chunk_size(&mut self) -> bool {
        let Some(end) = position(&self.raw, b"\r\n") else { return false };
        let text = String::from_utf8_lossy(&self.raw[..end]).into_owned();
        let digits = text.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("no chunk: {text:?}: {error}"));
        if size > 0 {
            self.raw.drain(..end + 2);
            self.state = State::Chunked(size + 2);
            return true;
        }
        // The last one, with the empty line behind it; trailers are not expected from anybody.
        if self.raw.len() < end + 4 {
            return false;
        }
        self.raw.drain(..end + 4);
        self.state = State::Done;
        true
    }

    fn take_body(&mut self, most: usize) -> usize {
        let taken = most.min(self.raw.len());
        self.body.extend(self.raw.drain(..taken));
        taken
    }

    /// Takes a whole event off the body; comments are passed over.
    fn take_event(&mut self) -> Option<Event> {
        loop {
            let from = self.scanned;
            let find = |end: &[u8]| position(&self.body[from..], end).map(|at| (from + at, end.len()));
            let found = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].into_iter().filter_map(find).min();
            // The last three bytes may be the beginning of an end.
            self.scanned = if found.is_some() { 0 } else { self.body.len().saturating_sub(3) };
            let (at, length) = found?;
            let text = String::from_utf8_lossy(&self.body[..at]).into_owned();
            self.body.drain(..at + length);
            let mut event = Event::default();
            let (mut fields, mut data) = (false, Vec::new());
            for line in text.lines() {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                fields |= !name.is_empty();
                match name {
                    "id" => event.id = Some(value.to_owned()),
                    "retry" => event.retry = value.parse().ok(),
                    "data" => data.push(value),
                    _ => {}
                }
            }
            if fields {
                event.data = data.join("\n");
                return Some(event);
            }
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
