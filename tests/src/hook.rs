//! A receiver of webhooks that answers as a test wants it: well, badly, late or never.

use crate::wait::until_right;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a request is answered with.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// This status, and a header line.
    With(u16, &'static str),
    /// Nothing: the connection ends.
    Reset,
    /// Nothing: the connection stays open until the receiver goes.
    Hang,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    /// When it had come whole.
    pub at: Instant,
    /// The line of method and path.
    pub line: String,
    /// Headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Received {
    /// The value of a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A receiver on a port of its own.
pub struct Hook {
    address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    /// Requests are answered in this order; those that come after with 200.
    #[must_use]
    pub fn new(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (received, open, ending) = (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut replies: VecDeque<Reply> = replies.iter().copied().collect();
        let thread = {
            let (received, open, ending) = (Arc::clone(&received), Arc::clone(&open), Arc::clone(&ending));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if ending.load(Ordering::Acquire) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let reply = replies.pop_front().unwrap_or(Reply::Status(200));
                    take(stream, reply, &received, &open);
                }
            })
        };
        Self { address, received, open, ending, thread: Some(thread) }
    }

    /// Its URL, with this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What came so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// What came, once so many requests have.
    pub fn until(&self, count: usize) -> Vec<Received> {
        until_right(&format!("{count} requests at the hook"), || {
            let received = self.received();
            if received.len() >= count { Ok(received) } else { Err(format!("{received:#?}")) }
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.open.lock().unwrap().clear();
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(mut stream: TcpStream, reply: Reply, received: &Mutex<Vec<Received>>, open: &Mutex<Vec<TcpStream>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let Some(request) = read(&stream) else { return };
    // Before the answer: who sees the answer can look.
    received.lock().unwrap().push(request);
    match reply {
        Reply::Status(status) => drop(write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")),
        Reply::With(status, header) => {
            drop(write!(stream, "HTTP/1.1 {status} X\r\n{header}\r\ncontent-length: 0\r\n\r\n"));
        }
        Reply::Reset => {}
        Reply::Hang => open.lock().unwrap().push(stream),
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        at: Instant::now(),
        line: line.trim_end().to_owned(),
        headers,
        body: String::from_utf8(body).ok()?,
    })
}
