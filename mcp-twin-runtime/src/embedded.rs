//! A front inside another process, such as a test harness in Node or Python.
//!
//! Each lives on a thread of its own with a runtime of its own, for twins die with the thread that started them (Linux): so
//! nothing is left when the process ends in whatever way. Of the process itself nothing is touched: no signal handler, no
//! child of others, not stdin, stdout or stderr. What a front would say to people is an event instead.
//!
//! Nothing in here needs a runtime of the caller's: the futures can be awaited anywhere.

pub mod binding;
mod client;
mod error;
mod events;
mod thread;

pub use client::{ClientPipe, ClientReceiver, ClientSender, SendError};
pub(crate) use client::{Movers, WeakClientSender, relay};
pub use error::EmbedError;
pub(crate) use events::Events;
pub use events::{EventStream, FrontEvent};

use crate::front::{Answers, First, Ground, Over, Served, Stdio};
use crate::home::Home;
use crate::run::RunOrder;
use crate::serve::{ServeOrder, admitted};
use events::LateEvents;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::swap::Outcome;
use mcp_twin_core::{Code, Fault};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use thread::Lease;

/// What the process in which a front is put decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embedding {
    /// The state directory is a temporary one of the front's own, gone with it: `mcp-twin status` does not show the front.
    pub private: bool,
}

/// A front in this process. Dropped, it ends by itself, with all of its twins.
pub struct Front {
    id: String,
    server: String,
    /// On the front's thread, and gone with it: nothing of an ended front is held here.
    answers: Weak<Answers>,
    first: First,
    events: LateEvents,
    /// What happened while it began, for the first who wants to hear.
    early: Mutex<Option<EventStream>>,
    lease: Lease,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Puts a front over stdio into this process, whose client is the caller. Files are watched if `order.options` say so.
///
/// # Errors
/// Why it cannot begin. A server that cannot start is no such reason: its client is told, and so is [`Front::first`].
pub async fn stdio(order: RunOrder, embedding: Embedding) -> Result<(Front, ClientPipe), EmbedError> {
    let (events, early) = Events::new();
    let ground = Ground::Hosted(events.clone());
    let (ours, theirs) = client::pair()?;
    let begun = thread::start("mcp-twin", embedding, move |home, lease, ready| async move {
        let order = within(order, home);
        let (input, output) = ours;
        let begun = theirs.relay().and_then(|pipe| Ok((Stdio::begin(order, &ground, output)?, pipe)));
        let (front, pipe) = match begun {
            Ok(begun) => begun,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        let begun = Begun::new(&front.answers, &front.first, pipe);
        let _ = ready.send(Ok(begun));
        let input = match crate::pipes::Input::new(input) {
            Ok(input) => input,
            Err(error) => {
                let stop = front.told(&format!("its client cannot be read: {error}"));
                return front.end(stop).await;
            }
        };
        let stop = tokio::select! {
            end = front.serve(input) => front.after(end),
            () = lease.over() => front.told("ended by the process it lives in"),
        };
        front.end(stop).await;
    });
    let (begun, lease) = begun.await?;
    Ok(begun.held(&events, early, lease))
}

/// Puts a front over HTTP into this process. It listens on a port of the system's choice, unless the order names one; its
/// address is given back. Files are watched if `order.run.options` say so.
///
/// # Errors
/// Why it cannot begin. A server that cannot start is no such reason: see [`Front::first`].
pub async fn http(order: ServeOrder, embedding: Embedding) -> Result<(Front, String), EmbedError> {
    let (events, early) = Events::new();
    let ground = Ground::Hosted(events.clone());
    let token = admitted(&order)?;
    let begun = thread::start("mcp-twin", embedding, move |home, lease, ready| async move {
        let order = ServeOrder { run: within(order.run.clone(), home), ..order };
        let front = match Served::begin(order, token, &ground).await {
            Ok(front) => front,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        let begun = Begun::new(&front.answers, &front.first, front.url.clone());
        let _ = ready.send(Ok(begun));
        tokio::select! {
            () = front.stopped() => {}
            () = lease.over() => {}
        }
        front.end(Over::ByCommand).await;
    });
    let (begun, lease) = begun.await?;
    Ok(begun.held(&events, early, lease))
}

/// A front that has begun, and what its kind gives beside.
struct Begun<T> {
    id: String,
    server: String,
    answers: Weak<Answers>,
    first: First,
    with: T,
}

impl<T> Begun<T> {
    fn new(answers: &Arc<Answers>, first: &First, with: T) -> Self {
        let (id, server) = (answers.front.clone(), answers.name.clone());
        Self { id, server, answers: Arc::downgrade(answers), first: first.clone(), with }
    }

    fn held(self, events: &Events, early: EventStream, lease: Lease) -> (Front, T) {
        let Self { id, server, answers, first, with } = self;
        (Front { id, server, answers, first, events: events.later(), early: Mutex::new(Some(early)), lease }, with)
    }
}

/// The order in a home of the front's own, if it has one.
fn within(order: RunOrder, home: Option<Home>) -> RunOrder {
    RunOrder { home: home.unwrap_or(order.home), ..order }
}

impl Front {
    /// The front's id, unique on this machine.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The server's name, as other commands know it.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What came of the first start; nothing if the front ended before. Over stdio a server is proven by its client's opening:
    /// before that it has started once its process runs.
    pub async fn first(&self) -> Option<Outcome> {
        self.first.clone().outcome().await
    }

    /// Asks the front, as a command would over its socket.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let answer = match self.answers.upgrade() {
            Some(answers) => self.lease.on_its_thread(answers.answer(ask)).await,
            None => None,
        };
        answer.unwrap_or_else(|| Answer::Error(Fault::new(Code::Stopped, "the front has ended")))
    }

    /// What happens from now on; the first who asks hears what happened since the beginning too. Whoever reads it too late misses
    /// the oldest events, and is told how many.
    #[must_use]
    pub fn events(&self) -> EventStream {
        let early = self.early.lock().unwrap_or_else(PoisonError::into_inner).take();
        early.unwrap_or_else(|| self.events.stream())
    }

    /// Orders the end of the front and its twins, and waits for nothing.
    pub fn end(&self) {
        self.lease.end();
    }

    /// Ends the front and its twins, and returns when they are gone: after 4 s (over HTTP 15 s) at the latest, with KILL before
    /// that. Can be called again, and dropped: the end goes on.
    pub async fn close(&self) {
        self.lease.end();
        self.lease.ended().await;
    }

    /// Returns when the front has ended, for whatever reason: [`Front::close`], the end of its client, a stop by command (HTTP).
    pub async fn closed(&self) {
        self.lease.ended().await;
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lease.has_ended()
    }
}
