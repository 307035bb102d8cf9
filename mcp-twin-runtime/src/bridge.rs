//! `mcp-twin run --url`: a client over stdio before a server over HTTP.
//!
//! Each line of the client is a POST of its own; what the server says, in answers or on streams, becomes a line each. There
//! are no twins here and nothing is swapped: if the server is a front of `mcp-twin serve`, it does that. What this owns is
//! the session with the server, the headers that a client over stdio knows nothing of, and that each request gets exactly
//! one answer.

mod books;
mod errand;
mod listen;
mod mouth;
mod session;
mod target;

pub use target::{Target, TargetError};

use crate::http::caller::{Answer, CallError, Caller, Payload};
use crate::http::exchange::{excerpt, nameless, request};
use crate::http::params::Params;
use crate::pipes::{self, Input, Line, Lines, Output};
use crate::process;
use books::{Asked, Books, Cancelled, NotTaken, Ticket};
use errand::Errand;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response};
use mcp_twin_core::relay::{Message, NoMessage, error_line, oversize_line, unreadable_line};
use mcp_twin_core::spec::Options;
use mcp_twin_core::{Code, Fault};
use mouth::{Mouth, STUCK};
use serde_json::value::RawValue;
use session::Session;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is used: common servers close theirs after 5 s.
const IDLE: Duration = Duration::from_secs(3);
/// How far apart the tries are while a server cannot be reached.
const TRY: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));
/// How long what follows a notification waits for it to be accepted.
const ORDER: Duration = Duration::from_secs(5);
/// How long the acceptance of a message without an answer may take, beyond the time for which it is held.
const ACCEPTED: Duration = Duration::from_secs(30);
/// So many messages without an answer may be on their way.
const MESSAGES: usize = 64;
/// So many large bodies are read at once.
const BODIES: usize = 8;
/// How long answers that are still owed are waited for after the end of the client's input.
const OWED: Duration = Duration::from_secs(60);
/// How long the client may take for the last of them.
const FLUSH: Duration = Duration::from_secs(2);
/// How long a request that was cancelled in the legacy era may still be answered. Some servers leave its stream open.
const CANCELLED: Duration = Duration::from_secs(5);
/// A batch of more messages is refused.
const PARTS: usize = 4096;

/// What `mcp-twin run --url` was asked to do.
#[derive(Clone, Debug)]
pub struct BridgeOrder {
    /// Where the server is.
    pub target: Target,
    /// Of these `hold` and `max_message` count.
    pub options: Options,
}

/// Bridges the client on stdin and stdout to the server until the client is gone. Returns the exit status.
///
/// # Errors
/// The bridge could not begin at all (no runtime, no pipes).
pub fn run(order: BridgeOrder) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_stack_size(512 << 10)
        .build()?;
    let status = runtime.block_on(serve(order));
    // A thread that still reads a terminal must not keep the process.
    runtime.shutdown_background();
    status
}

async fn serve(order: BridgeOrder) -> io::Result<u8> {
    pipes::nonblocking_stderr();
    let bridge = Arc::new(Bridge {
        target: order.target,
        caller: Caller::foreign(CONNECT, IDLE),
        mouth: Mouth::new(Output::new(pipes::stdout()?)?),
        books: Mutex::default(),
        session: Mutex::default(),
        params: Mutex::default(),
        turn: tokio::sync::Mutex::default(),
        complete: watch::Sender::new(0),
        owed: watch::Sender::new(0),
        messages: Arc::new(Semaphore::new(MESSAGES)),
        bodies: Semaphore::new(BODIES),
        options: order.options,
    });
    let lines = Lines::new(Input::new(pipes::stdin()?)?, bridge.options.max_message);
    let speaking = Arc::clone(&bridge);
    tokio::spawn(async move { speaking.mouth.speak().await });
    let listening = tokio::spawn(listen::listen(Arc::clone(&bridge)));
    tokio::select! {
        () = bridge.read(lines) => bridge.answer_what_is_owed().await,
        () = bridge.mouth.gone() => {}
        name = process::told_to_end() => bridge.say(&format!("ended by {name}")),
    }
    listening.abort();
    let left = bridge.books().close();
    let late = Fault::new(Code::Cut, "the server had not answered when the bridge ended; it may have been carried out");
    for ticket in left {
        bridge.fail(Some(&ticket), &late);
    }
    bridge.farewell().await;
    // If the client takes nothing any more it gets nothing.
    let _ = timeout(FLUSH, bridge.mouth.flushed()).await;
    Ok(0)
}

/// A client, a server, and what is between them.
struct Bridge {
    target: Target,
    options: Options,
    caller: Caller,
    mouth: Mouth,
    books: Mutex<Books>,
    session: Mutex<Session>,
    params: Mutex<Params>,
    /// Whose turn it is to open the session again.
    turn: tokio::sync::Mutex<()>,
    /// Which session the client has completed: that one is listened to.
    complete: watch::Sender<u64>,
    /// How many requests are owed an answer.
    owed: watch::Sender<usize>,
    messages: Arc<Semaphore>,
    /// Whose turn it is to read a large body.
    bodies: Semaphore,
}

impl Bridge {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn params(&self) -> MutexGuard<'_, Params> {
        self.params.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line for the person.
    fn say(&self, text: &str) {
        pipes::write_stderr(&format!("mcp-twin: {text}\n"));
    }

    /// Reads the client until its input ends.
    async fn read(self: &Arc<Self>, mut lines: Lines) {
        while let Ok(true) = lines.fill().await {
            loop {
                let line = match lines.next_line() {
                    None => break,
                    Some(Line::Whole(line)) => Bytes::copy_from_slice(line),
                    Some(Line::Oversize(beginning)) => {
                        if let Some(answer) = oversize_line(beginning, |id| self.books().has(id)) {
                            self.mouth.say(&answer);
                        }
                        continue;
                    }
                };
                self.mouth.room(STUCK).await;
                self.take(line).await;
            }
        }
    }

    /// Takes up a line of the client.
    async fn take(self: &Arc<Self>, line: Bytes) {
        match Message::read(&line) {
            Ok(message) => self.take_message(&message, line.clone()).await,
            Err(NoMessage::Batch) if self.session().has_batches() => self.take_batch(&line).await,
            Err(_) => {
                if let Some(answer) = unreadable_line(&line, |id| self.books().has(id)) {
                    self.mouth.say(&answer);
                }
            }
        }
    }

    /// The messages of a batch go their ways one by one, and so do their answers.
    async fn take_batch(self: &Arc<Self>, line: &Bytes) {
        let parts: Vec<Bytes> = match serde_json::from_slice::<Vec<&RawValue>>(line) {
            Ok(parts) if parts.len() <= PARTS => {
                parts.iter().map(|part| Bytes::copy_from_slice(part.get().as_bytes())).collect()
            }
            _ => Vec::new(),
        };
        if parts.is_empty() {
            let fault = Fault::new(Code::BadMessage, "a batch is made of 1 to 4096 messages");
            self.mouth.say(&error_line("null", &fault));
        }
        for part in parts {
            match Message::read(&part) {
                Ok(message) => self.take_message(&message, part.clone()).await,
                Err(_) => {
                    if let Some(answer) = unreadable_line(&part, |id| self.books().has(id)) {
                        self.mouth.say(&answer);
                    }
                }
            }
        }
    }

    async fn take_message(self: &Arc<Self>, message: &Message<'_>, line: Bytes) {
        let method = message.method().unwrap_or("answer").to_owned();
        let version = message.version();
        let modern = method != "initialize" && (version.is_some() || !self.session().is_legacy());
        if let Some(version) = version {
            self.session().modern = Some(version.into_owned());
        }
        let id = message.id().filter(|_| message.is_request());
        let asked = Asked { id: id.unwrap_or_default().to_owned(), method, modern, line };
        if id.is_some() { self.ask(asked) } else { self.tell(message, asked).await }
    }

    /// A request of the client.
    fn ask(self: &Arc<Self>, asked: Asked) {
        if asked.method == "initialize" {
            self.session().opens(asked.line.clone());
        }
        let opened = self.books().open(asked.clone(), self.options.max_message);
        let ticket = match opened {
            Ok(ticket) => ticket,
            Err(NotTaken::InUse) => {
                let Asked { id, method, .. } = &asked;
                // Under its id the client would take the refusal for the answer to the first request.
                let message =
                    format!("a request with the id {id} is still open; this second one ({method}) was dropped");
                return self.mouth.say(&error_line("null", &Fault::new(Code::BadMessage, message)));
            }
            Err(NotTaken::TooMany) => {
                let message = "too many requests are open; this one was not delivered and can be repeated safely";
                return self.mouth.say(&error_line(&asked.id, &Fault::new(Code::Busy, message)));
            }
        };
        self.count();
        let errand = Errand { asked, ticket: Some(ticket.clone()), until: Instant::now() + self.options.hold };
        let (sent_tx, sent) = oneshot::channel();
        let bridge = Arc::clone(self);
        let task = tokio::spawn(async move { errand.run(&bridge, sent_tx).await });
        self.books().attach(&ticket, task.abort_handle(), sent);
    }

    /// A notification of the client, or its answer to the server. What comes behind waits until the server has it.
    async fn tell(self: &Arc<Self>, message: &Message<'_>, asked: Asked) {
        let (mut behind, mut cancelled) = (None, None);
        if asked.method == "notifications/cancelled" {
            let done = message.raw("requestId").map_or(Cancelled::Done, |id| self.books().cancel(id));
            self.count();
            match done {
                Cancelled::Done => return,
                Cancelled::Tell(ticket, sent) => (cancelled, behind) = (Some(ticket), sent),
            }
        }
        let completes = asked.method == "notifications/initialized";
        if completes {
            self.session().completes(asked.line.clone());
        }
        let Ok(permit) = Arc::clone(&self.messages).acquire_owned().await else { return };
        let until = Instant::now() + self.options.hold;
        let errand = Errand { asked, ticket: None, until };
        let bridge = Arc::clone(self);
        let (accepted, acceptance) = oneshot::channel::<()>();
        tokio::spawn(async move {
            if let Some(sent) = behind {
                // A cancellation goes out behind its request.
                let _ = timeout(ORDER, sent).await;
            }
            let (sent, _) = oneshot::channel();
            let _ = timeout(bridge.options.hold + ACCEPTED, errand.run(&bridge, sent)).await;
            if completes {
                let number = bridge.session().number;
                bridge.complete.send_replace(number);
            }
            drop((permit, accepted));
            if let Some(ticket) = cancelled {
                sleep(CANCELLED).await;
                bridge.books().forget(&ticket);
            }
        });
        let _ = timeout(ORDER, acceptance).await;
    }

    /// The server said something; `from` is the request in whose place it did.
    fn said(&self, line: &[u8], from: Option<&Ticket>) {
        let message = match Message::read(line) {
            Ok(message) => message,
            Err(NoMessage::Batch) => {
                for part in serde_json::from_slice::<Vec<&RawValue>>(line).unwrap_or_default() {
                    if !part.get().starts_with('[') {
                        self.said(part.get().as_bytes(), from);
                    }
                }
                return;
            }
            Err(_) => return self.say(&format!("the server sent what is no message: {}", excerpt(line))),
        };
        let Some(id) = message.id().filter(|_| message.is_answer()) else { return self.mouth.say(line) };
        let closed = self.books().answered(id);
        let Some(asked) = closed else {
            // Refusals that come before a server has read the message name no id.
            let asked = from.filter(|_| id == "null").and_then(|ticket| self.books().given_up(ticket));
            match asked.and_then(|asked| nameless(line, &asked.id)) {
                Some(line) => self.mouth.say(&line),
                None => self.say(&format!("the server answered what nobody asked: {}", excerpt(line))),
            }
            return self.count();
        };
        self.session().note(&asked, &message, line);
        if asked.modern && asked.method == "tools/list" && !message.is_refusal() {
            let first = Message::read(&asked.line).is_ok_and(|asked| asked.raw("cursor").is_none());
            self.params().learn(line, first);
        }
        if asked.id == id {
            self.mouth.say(line)
        } else {
            self.mouth.say(&message.with_id(&asked.id))
        }
        self.count();
    }

    /// Answers a request with an error of ours, if it is still owed an answer.
    fn fail(&self, ticket: Option<&Ticket>, fault: &Fault) {
        let asked = ticket.and_then(|ticket| self.books().given_up(ticket));
        if let Some(asked) = asked {
            self.mouth.say(&error_line(&asked.id, fault));
        }
        self.count();
    }

    fn count(&self) {
        let owed = self.books().owed();
        self.owed.send_if_modified(|count| std::mem::replace(count, owed) != owed);
    }

    /// The client asks no more: what it was promised is still brought to it, if it reads on.
    async fn answer_what_is_owed(&self) {
        let mut owed = self.owed.subscribe();
        tokio::select! {
            () = async {
                let _ = owed.wait_for(|owed| *owed == 0).await;
                let all = u32::try_from(MESSAGES).unwrap_or(u32::MAX);
                let _ = self.messages.acquire_many(all).await;
                self.mouth.flushed().await;
            } => {}
            () = self.mouth.gone() => {}
            name = process::told_to_end() => self.say(&format!("ended by {name}")),
            () = sleep(OWED) => {}
        }
    }

    /// A request to the server.
    fn request(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
        sent: Option<oneshot::Sender<()>>,
    ) -> Option<Request<Payload>> {
        for (name, value) in &self.target.headers {
            headers.append(name.clone(), value.clone());
        }
        Some(request(&self.target.endpoint, method, headers, body, sent))
    }

    /// Sends a request, again and again while the server cannot be reached, until this moment.
    async fn held(
        &self,
        until: Instant,
        mut call: impl FnMut() -> Option<Request<Payload>>,
    ) -> Result<Response<Answer>, CallError> {
        let (mut pause, longest) = TRY;
        loop {
            let request = call().ok_or_else(|| CallError::NotSent("no request can be made of it".to_owned()))?;
            match self.caller.send(request).await {
                Err(CallError::NotSent(_)) if Instant::now() + pause < until => {
                    sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
                other => return other,
            }
        }
    }
}
