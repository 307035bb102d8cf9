//! The streams of one client: where each message for it goes, and what of it can be told again.
//!
//! Every POST with a request in it, and the GET, is a stream. A stream begins undecided: if all it has to carry is one
//! answer, that is sent as JSON; else it becomes a stream of events. In the legacy era events have ids and the last ones
//! are kept, so that a client that lost its connection goes on where it was (2025-11-25 basic/transports: Resumability).

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{Notify, mpsc, oneshot};

/// Events that are kept of all streams of a session, in number and bytes.
const KEPT: (usize, usize) = (512, 2 << 20);
/// More than this waiting for a client, and its twins are not read on.
const SLOW: usize = 1 << 20;
/// Finished streams that are kept for a client that missed their end.
const FINISHED: usize = 32;

/// What a client's POST gets.
#[derive(Debug)]
pub enum Reply {
    /// One body.
    Whole {
        /// Its status.
        status: StatusCode,
        /// What a twin said of it.
        headers: HeaderMap,
        /// The body; JSON unless the headers say otherwise.
        body: Bytes,
    },
    /// Events, until the sender is dropped.
    Events {
        /// What a twin said of it.
        headers: HeaderMap,
        /// The events, each as it is written.
        events: Events,
    },
}

/// How much waits for a client that reads slowly.
#[derive(Debug, Default)]
pub struct Gauge {
    bytes: AtomicUsize,
    room: Notify,
}

impl Gauge {
    /// Returns when no more waits than a client may have waiting.
    pub async fn room(&self) {
        loop {
            // Listening begins before the look, so that no notice is missed between look and wait.
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.bytes.load(Ordering::Relaxed) <= SLOW {
                return;
            }
            room.await;
        }
    }

    /// How much waits.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn taken(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before > SLOW && before - bytes <= SLOW {
            self.room.notify_waiters();
        }
    }
}

/// Events on their way to a client.
#[derive(Debug)]
pub struct Events {
    events: mpsc::UnboundedReceiver<Bytes>,
    gauge: Arc<Gauge>,
}

impl Events {
    /// The next event; `None` at the end of the stream.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.events.poll_recv(cx).map(|event| event.inspect(|event| self.gauge.taken(event.len())))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.events.close();
        while let Ok(event) = self.events.try_recv() {
            self.gauge.taken(event.len());
        }
    }
}

/// How a twin answers on a stream.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whether it sends events.
    pub events: bool,
    /// The status of its answer.
    pub status: StatusCode,
    /// Its headers that go on to the client.
    pub headers: HeaderMap,
}

impl Default for Manner {
    fn default() -> Self {
        Self { events: false, status: StatusCode::OK, headers: HeaderMap::new() }
    }
}

/// Who hears what a stream carries.
#[derive(Debug)]
enum Ear {
    /// Nobody has been told yet how the answer comes.
    Waiting(oneshot::Sender<Reply>),
    /// A connection that takes events.
    Events(mpsc::UnboundedSender<Bytes>),
    /// Nobody, for now.
    None,
}

#[derive(Debug)]
struct Stream {
    ear: Ear,
    /// Ids of the requests that are to be answered on it, as the client wrote them.
    open: Vec<String>,
    /// The last event, and the last that a connection was given.
    last: u64,
    heard: u64,
    kept: VecDeque<(u64, Bytes)>,
    finished: bool,
    /// The client's headers, for the requests to twins that come of it.
    headers: Arc<HeaderMap>,
    gauge: Arc<Gauge>,
}

/// All streams of one client.
#[derive(Debug)]
pub struct Streams {
    /// Says apart the events of this front and of one before it.
    epoch: u64,
    /// Events have ids and are kept.
    resumable: bool,
    /// An event without a message begins each stream (2025-11-25 on).
    pub priming: bool,
    streams: BTreeMap<u64, Stream>,
    /// Which stream answers which request.
    by_id: BTreeMap<String, u64>,
    get: Option<u64>,
    next: u64,
    kept: (usize, usize),
    gauge: Arc<Gauge>,
}

impl Streams {
    /// No streams yet. `epoch` differs from that of any front before.
    #[must_use]
    pub fn new(epoch: u64, resumable: bool) -> Self {
        Self {
            epoch,
            resumable,
            priming: false,
            streams: BTreeMap::new(),
            by_id: BTreeMap::new(),
            get: None,
            next: 0,
            kept: (0, 0),
            gauge: Arc::default(),
        }
    }

    /// What waits for the client that is to hear the answer to this request, or for that of the session.
    #[must_use]
    pub fn gauge(&self, id: Option<&str>) -> Arc<Gauge> {
        let stream = id.and_then(|id| self.of(id)).and_then(|key| self.streams.get(&key));
        Arc::clone(stream.map_or(&self.gauge, |stream| &stream.gauge))
    }

    fn channel(&self, key: u64) -> (mpsc::UnboundedSender<Bytes>, Events) {
        let (tx, events) = mpsc::unbounded_channel();
        let gauge = self.streams.get(&key).map_or(&self.gauge, |stream| &stream.gauge);
        (tx, Events { events, gauge: Arc::clone(gauge) })
    }

    /// A POST with these requests begins.
    pub fn post(&mut self, ids: Vec<String>, headers: Arc<HeaderMap>) -> (u64, oneshot::Receiver<Reply>) {
        let (tx, rx) = oneshot::channel();
        let key = self.add(Ear::Waiting(tx), ids, headers);
        (key, rx)
    }

    fn add(&mut self, ear: Ear, open: Vec<String>, headers: Arc<HeaderMap>) -> u64 {
        let key = self.next;
        self.next += 1;
        for id in &open {
            self.by_id.insert(id.clone(), key);
        }
        // In the modern era the streams are those of all clients: one that does not read must not keep the others waiting.
        let gauge = if self.resumable { Arc::clone(&self.gauge) } else { Arc::default() };
        let stream = Stream { ear, open, last: 0, heard: 0, kept: VecDeque::new(), finished: false, headers, gauge };
        self.streams.insert(key, stream);
        key
    }

    /// The stream that is to answer this request.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The headers of the POST that this request came with.
    #[must_use]
    pub fn headers_of(&self, id: &str) -> Option<&Arc<HeaderMap>> {
        self.by_id.get(id).and_then(|key| self.streams.get(key)).map(|stream| &stream.headers)
    }

    /// Whether anything of the client is open: a request, or a connection that listens.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.by_id.is_empty() || self.listens()
    }

    /// Whether the client listens on a GET.
    #[must_use]
    pub fn listens(&self) -> bool {
        let stream = self.get.and_then(|key| self.streams.get(&key));
        stream.is_some_and(|stream| matches!(&stream.ear, Ear::Events(events) if !events.is_closed()))
    }

    /// The stream on which a client hears what is about no request: its GET, else the oldest of those on which it waits for
    /// an answer; none if nobody is there.
    #[must_use]
    pub fn ear(&self) -> Option<u64> {
        let hears = |stream: &Stream| match &stream.ear {
            Ear::Waiting(reply) => !reply.is_closed(),
            Ear::Events(events) => !events.is_closed(),
            Ear::None => false,
        };
        let waits = |(key, stream): (&u64, &Stream)| (hears(stream) && !stream.open.is_empty()).then_some(*key);
        self.get.filter(|_| self.listens()).or_else(|| self.streams.iter().find_map(waits))
    }

    /// A message on the stream `key` (else on the GET) that answers `answers` (ids as the client wrote them).
    pub fn send(&mut self, key: Option<u64>, message: Bytes, answers: &[String], manner: &Manner) {
        let key = match key.filter(|key| self.streams.get(key).is_some_and(|stream| !stream.finished)) {
            Some(key) => key,
            None => self.standing(),
        };
        for id in answers {
            self.by_id.remove(id);
        }
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.open.retain(|id| !answers.contains(id));
        let over = stream.open.is_empty() && self.get != Some(key);
        if over && !manner.events && matches!(stream.ear, Ear::Waiting(_)) {
            if let Ear::Waiting(reply) = std::mem::replace(&mut stream.ear, Ear::None) {
                let headers = manner.headers.clone();
                let whole = Reply::Whole { status: manner.status, headers, body: message.clone() };
                if reply.send(whole).is_ok() {
                    return self.forget(key);
                }
            }
        } else {
            self.decide(key, manner);
        }
        self.event(key, &message);
        if over {
            self.finish(key);
        }
    }

    /// A twin's own answer to a POST, which is no message of the protocol: passed on as it is.
    pub fn send_raw(&mut self, id: &str, manner: &Manner, body: Bytes) {
        let Some(key) = self.by_id.get(id).copied() else { return };
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if let Ear::Waiting(reply) = std::mem::replace(&mut stream.ear, Ear::None) {
            let _ = reply.send(Reply::Whole { status: manner.status, headers: manner.headers.clone(), body });
        }
        self.forget(key);
    }

    /// The client is told at once that events come (a subscription, a request whose twin has begun to send).
    pub fn begin_events(&mut self, id: &str, manner: &Manner) {
        if let Some(key) = self.by_id.get(id).copied() {
            self.decide(key, manner);
        }
    }

    /// The twin has closed the connection on purpose before it answered: so is the client's, which goes on later where it
    /// was (2025-11-25 basic/transports: SSE polling). Only a client that was primed knows how.
    pub fn pause(&mut self, id: &str, retry: Option<u64>) {
        let Some(key) = self.by_id.get(id).copied().filter(|_| self.priming) else { return };
        let last = self.streams.get(&key).map_or(0, |stream| stream.last);
        if let Some(retry) = retry {
            let id = self.id(key, last);
            self.hear(key, Bytes::from(format!("id: {id}\nretry: {retry}\ndata: \n\n")));
        }
        if let Some(stream) = self.streams.get_mut(&key)
            && let Ear::Events(_) = stream.ear
        {
            stream.ear = Ear::None;
        }
    }

    /// An undecided stream becomes one of events.
    fn decide(&mut self, key: u64, manner: &Manner) {
        let (tx, events) = self.channel(key);
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if let Ear::Waiting(_) = stream.ear
            && let Ear::Waiting(reply) = std::mem::replace(&mut stream.ear, Ear::None)
            && reply.send(Reply::Events { headers: manner.headers.clone(), events }).is_ok()
        {
            stream.ear = Ear::Events(tx);
            self.prime(key);
        }
    }

    /// The client opens its GET; the one before, if it was forgotten, ends. What nobody heard is sent now.
    pub fn open_get(&mut self, headers: Arc<HeaderMap>) -> Events {
        let key = self.standing();
        let (tx, rx) = self.channel(key);
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.headers = headers;
            // What was given to a connection that is gone may have been lost: only `Last-Event-ID` says what was heard.
            let unheard = stream.kept.iter().filter(|(at, _)| *at > stream.heard).map(|(_, event)| event.clone());
            let unheard: Vec<Bytes> = unheard.collect();
            stream.ear = Ear::Events(tx);
            self.prime(key);
            for event in unheard {
                self.hear(key, event);
            }
        }
        rx
    }

    /// A client goes on behind the event `last`; `None` if it is not known (any more).
    pub fn resume(&mut self, last: &str, headers: Arc<HeaderMap>) -> Option<Events> {
        let mut parts = last.split('-');
        let mut part = || parts.next().and_then(|part| u64::from_str_radix(part, 36).ok());
        let (epoch, key, seq) = (part()?, part()?, part()?);
        if epoch != self.epoch {
            return None;
        }
        let (tx, rx) = self.channel(key);
        let gauge = Arc::clone(&self.gauge);
        let stream = self.streams.get_mut(&key)?;
        stream.headers = headers;
        for (_, event) in stream.kept.iter().filter(|(at, _)| *at > seq) {
            gauge.bytes.fetch_add(event.len(), Ordering::Relaxed);
            let _ = tx.send(event.clone());
        }
        stream.heard = stream.last;
        if !stream.finished {
            stream.ear = Ear::Events(tx);
        }
        Some(rx)
    }

    /// The stream for what belongs to no request.
    fn standing(&mut self) -> u64 {
        match self.get {
            Some(key) => key,
            None => {
                let key = self.add(Ear::None, Vec::new(), Arc::default());
                self.get = Some(key);
                key
            }
        }
    }

    fn prime(&mut self, key: u64) {
        if self.priming {
            let id = self.id(key, self.streams.get(&key).map_or(0, |stream| stream.last));
            self.hear(key, Bytes::from(format!("id: {id}\nretry: 1000\ndata: \n\n")));
        }
    }

    fn id(&self, key: u64, seq: u64) -> String {
        format!("{}-{}-{}", Base36(self.epoch), Base36(key), Base36(seq))
    }

    fn event(&mut self, key: u64, message: &[u8]) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.last += 1;
        let seq = stream.last;
        let mut event = Vec::with_capacity(message.len() + 64);
        if self.resumable {
            event.extend_from_slice(b"id: ");
            event.extend_from_slice(self.id(key, seq).as_bytes());
            event.push(b'\n');
        }
        event.extend_from_slice(b"event: message\ndata: ");
        event.extend_from_slice(message);
        event.extend_from_slice(b"\n\n");
        let event = Bytes::from(event);
        if self.resumable {
            self.keep(key, seq, event.clone());
        }
        self.hear(key, event);
    }

    fn hear(&mut self, key: u64, event: Bytes) {
        if let Some(stream) = self.streams.get_mut(&key)
            && let Ear::Events(events) = &stream.ear
        {
            let bytes = event.len();
            stream.gauge.bytes.fetch_add(bytes, Ordering::Relaxed);
            if events.send(event).is_err() {
                stream.gauge.taken(bytes);
                stream.ear = Ear::None;
            } else {
                stream.heard = stream.last;
            }
        }
    }

    fn keep(&mut self, key: u64, seq: u64, event: Bytes) {
        if let Some(stream) = self.streams.get_mut(&key) {
            self.kept.0 += 1;
            self.kept.1 += event.len();
            stream.kept.push_back((seq, event));
        }
        while self.kept.0 > KEPT.0 || self.kept.1 > KEPT.1 {
            // The oldest stream's oldest event; the standing stream is among them.
            let Some(stream) = self.streams.values_mut().find(|stream| !stream.kept.is_empty()) else { break };
            if let Some((_, event)) = stream.kept.pop_front() {
                self.kept.0 -= 1;
                self.kept.1 -= event.len();
            }
        }
    }

    fn finish(&mut self, key: u64) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.finished = true;
        stream.ear = Ear::None;
        stream.headers = Arc::default();
        if !self.resumable {
            return self.forget(key);
        }
        let finished: Vec<u64> =
            self.streams.iter().filter(|(_, stream)| stream.finished).map(|(key, _)| *key).collect();
        for key in finished.iter().take(finished.len().saturating_sub(FINISHED)) {
            self.forget(*key);
        }
    }

    /// Forgets a stream and the requests that were open on it.
    pub fn forget(&mut self, key: u64) {
        if let Some(stream) = self.streams.remove(&key) {
            for id in &stream.open {
                self.by_id.remove(id);
            }
            self.kept.0 -= stream.kept.len();
            self.kept.1 -= stream.kept.iter().map(|(_, event)| event.len()).sum::<usize>();
        }
    }

    /// Ends all streams: the session is over.
    pub fn end(&mut self) {
        self.streams.clear();
        self.by_id.clear();
        self.get = None;
        self.kept = (0, 0);
    }
}

/// A number in few characters.
struct Base36(u64);

impl std::fmt::Display for Base36 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut digits, mut rest) = ([0_u8; 13], self.0);
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(rest % 36).unwrap_or(0)];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or("0"))
    }
}

#[cfg(test)]
mod tests;
