//! Many clients at once over HTTP, each with one call open all the time; each call has a key of its own, and what became of
//! each is kept.

use crate::client::body_of;
use crate::http_client::{HttpClient, Wire};
use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What became of a call.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It was answered well: what `work` says.
    Good(Value),
    /// It was answered with an error, or its tool failed.
    Failed(Value),
    /// It was not answered.
    Lost(String),
}

/// One call.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its key.
    pub key: String,
    /// When it was sent.
    pub sent: Instant,
    /// When its fate was known.
    pub ended: Instant,
    /// What became of it.
    pub fate: Fate,
}

/// Clients that call `work` until they are told to stop: every second one speaks the modern era.
#[derive(Debug)]
pub struct HttpLoad {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<Vec<Done>>>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    sent: AtomicUsize,
    open: AtomicUsize,
    /// The newest version that has answered, `vN`.
    newest: AtomicUsize,
    at_swaps: AtomicUsize,
    by_old: AtomicUsize,
}

impl HttpLoad {
    /// Starts so many clients; each call takes as many milliseconds as `ms` says of its number. Connections are kept.
    #[must_use]
    pub fn start(url: &str, sessions: usize, ms: fn(usize) -> u64) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (0..sessions).map(|session| {
            let (url, shared) = (url.to_owned(), shared.clone());
            std::thread::spawn(move || Worker::new(&url, session, shared).run(ms))
        });
        Self { workers: workers.collect(), shared }
    }

    /// Calls sent so far.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Waits until so many more calls were sent.
    pub fn until_more(&self, calls: usize) {
        let enough = self.sent() + calls;
        until("more calls", || (self.sent() >= enough).then_some(()));
    }

    /// Whether this version, of the form `vN`, or a newer one, has answered.
    #[must_use]
    pub fn has_seen(&self, version: usize) -> bool {
        self.shared.newest.load(Ordering::SeqCst) >= version
    }

    /// Calls that were open when new code first answered, and those that older code answered afterwards.
    #[must_use]
    pub fn at_swaps(&self) -> (usize, usize) {
        (self.shared.at_swaps.load(Ordering::SeqCst), self.shared.by_old.load(Ordering::SeqCst))
    }

    /// Ends the load: what is open is waited for. Every call, and what became of it.
    #[must_use]
    pub fn stop(self) -> Vec<Done> {
        self.shared.over.store(true, Ordering::SeqCst);
        self.workers.into_iter().flat_map(|worker| worker.join().expect("a client without a panic")).collect()
    }
}

struct Worker {
    client: HttpClient,
    name: usize,
    wire: Option<Wire>,
    shared: Arc<Shared>,
}

impl Worker {
    fn new(url: &str, name: usize, shared: Arc<Shared>) -> Self {
        let client = if name % 2 == 0 { HttpClient::new(url) } else { HttpClient::modern(url) };
        client.open();
        Self { client, name, wire: None, shared }
    }

    fn run(mut self, ms: fn(usize) -> u64) -> Vec<Done> {
        let mut calls = Vec::new();
        while !self.shared.over.load(Ordering::SeqCst) {
            calls.push(self.call(calls.len(), ms));
        }
        if self.client.session().is_some() {
            assert_eq!(self.client.delete(), 200);
        }
        calls
    }

    fn call(&mut self, number: usize, ms: fn(usize) -> u64) -> Done {
        let key = format!("{}-{number}", self.name);
        let before = self.shared.newest.load(Ordering::SeqCst);
        let all = self.shared.sent.fetch_add(1, Ordering::SeqCst);
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        let params = json!({"name": "work", "arguments": {"ms": ms(all), "key": key}});
        let message = self.client.message(Some(json!(number + 1)), "tools/call", params);
        let sent = Instant::now();
        let wire = self.wire.take().unwrap_or_else(|| self.client.wire());
        let mut exchange = self.client.post_over(wire, &message);
        let fate = match exchange.answer_within(PATIENCE) {
            Ok(answer) if answer["result"]["content"][0]["text"].is_null() || answer["result"]["isError"] == true => {
                Fate::Failed(answer)
            }
            Ok(answer) => Fate::Good(body_of(&answer)),
            Err(why) => Fate::Lost(why),
        };
        let ended = Instant::now();
        let open = self.shared.open.fetch_sub(1, Ordering::SeqCst) - 1;
        match &fate {
            Fate::Good(body) => self.saw(body, before, open),
            Fate::Failed(_) => {}
            Fate::Lost(_) => return Done { key, sent, ended, fate },
        }
        self.wire = exchange.reuse();
        Done { key, sent, ended, fate }
    }

    fn saw(&self, body: &Value, before: usize, open: usize) {
        let version = body["version"].as_str().and_then(|text| text.strip_prefix('v')?.parse().ok()).unwrap_or(0);
        let newest = self.shared.newest.fetch_max(version, Ordering::SeqCst);
        if newest < version {
            self.shared.at_swaps.fetch_add(open, Ordering::SeqCst);
        } else if newest > version && before <= version {
            self.shared.by_old.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// 85 % of 1 ms, 14 % of 50 ms, 1 % of 1 s.
#[must_use]
pub fn mixed(number: usize) -> u64 {
    match number % 100 {
        0 => 1000,
        n if n % 7 == 1 => 50,
        _ => 1,
    }
}

/// The longest time between sending and the end of a call.
#[must_use]
pub fn longest(calls: &[Done]) -> Duration {
    calls.iter().map(|call| call.ended - call.sent).max().unwrap_or_default()
}
