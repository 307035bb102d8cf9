//! The link between one environment of JavaScript (the main thread, or a worker) and its fronts.
//!
//! A call is a number and a text; its answer comes back through one function of JavaScript, with the same number. So do the
//! messages of a front to its client, and its events, with the number of the front. The function does not keep the environment
//! alive, and nothing in here waits on its thread.

use crate::executor;
use crate::machine::{self, json};
use crate::order::{Wanted, home, usage};
use crate::trouble::Trouble;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::swap::{Notice, Outcome};
use mcp_twin_core::{Code, Fault};
use mcp_twin_runtime::embedded::{self, ClientReceiver, ClientSender, EventStream, Front, FrontEvent, SendError};
use mcp_twin_runtime::fronts::FrontAddress;
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use serde_json::{Value, json as value};
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many messages and events wait for JavaScript; what is more waits in the front.
const WAITING: usize = 256;

/// What is told to JavaScript.
#[derive(Clone, Copy)]
enum Kind {
    Answer = 0,
    Trouble = 1,
    Message = 2,
    Event = 3,
    Ended = 4,
}

struct Told {
    kind: Kind,
    number: u32,
    text: String,
    /// Given back when JavaScript has taken it.
    _room: Option<OwnedSemaphorePermit>,
}

type Words = FnArgs<(u32, u32, String)>;
type Function3 = ThreadsafeFunction<Told, (), Words, Status, false, true>;

/// The function of JavaScript that hears everything.
#[derive(Clone)]
struct Ear(Arc<Function3>);

impl Ear {
    fn tell(&self, kind: Kind, number: u32, text: String, room: Option<OwnedSemaphorePermit>) {
        // An environment that is going hears nothing more, and needs nothing more.
        let _ = self.0.call(Told { kind, number, text, _room: room }, ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn answer(&self, call: u32, answer: std::result::Result<String, Trouble>) {
        match answer {
            Ok(text) => self.tell(Kind::Answer, call, text, None),
            Err(trouble) => self.tell(Kind::Trouble, call, trouble.json(), None),
        }
    }
}

/// A front of this environment.
struct Held {
    front: Front,
    /// What its client says, over stdio.
    sender: Option<ClientSender>,
}

type Fronts = Arc<Mutex<HashMap<u32, Arc<Held>>>>;

/// The fronts of one environment. When it goes they end.
#[napi]
pub struct Link {
    ear: Ear,
    fronts: Fronts,
}

impl Drop for Link {
    fn drop(&mut self) {
        for (_, held) in lock(&self.fronts).drain() {
            held.front.end();
        }
    }
}

#[napi]
impl Link {
    /// A link that tells `told(kind, number, text)` everything.
    #[napi(constructor)]
    pub fn new(told: Function<'_, FnArgs<(u32, u32, String)>, ()>) -> Result<Self> {
        let ear = told.build_threadsafe_function::<Told>().weak::<true>().callee_handled::<false>().build_callback(
            |context| {
                let Told { kind, number, text, .. } = context.value;
                Ok(FnArgs::from((kind as u32, number, text)))
            },
        )?;
        Ok(Self { ear: Ear(Arc::new(ear)), fronts: Fronts::default() })
    }

    /// Makes a front over stdio; `call` is its number from then on.
    #[napi]
    pub fn stdio(&self, call: u32, order: String) {
        let (ear, fronts) = (self.ear.clone(), Arc::downgrade(&self.fronts));
        self.carry_out(call, async move {
            let wanted = Wanted::read(&order)?;
            let embedding = wanted.embedding();
            let (front, pipe) = embedded::stdio(wanted.run()?, embedding).await?;
            let fronts = fronts.upgrade().ok_or_else(gone)?;
            let (sender, receiver) = pipe.split();
            let said = value!({"id": front.id(), "server": front.server()}).to_string();
            follow(&ear, call, &front, &fronts)?;
            executor::spawn(messages(ear, call, receiver))?;
            lock(&fronts).insert(call, Arc::new(Held { front, sender: Some(sender) }));
            Ok(said)
        });
    }

    /// Makes a front over HTTP; `call` is its number from then on.
    #[napi]
    pub fn http(&self, call: u32, order: String) {
        let (ear, fronts) = (self.ear.clone(), Arc::downgrade(&self.fronts));
        self.carry_out(call, async move {
            let wanted = Wanted::read(&order)?;
            let embedding = wanted.embedding();
            let (front, url) = embedded::http(wanted.serve()?, embedding).await?;
            let fronts = fronts.upgrade().ok_or_else(gone)?;
            let said = value!({"id": front.id(), "server": front.server(), "url": url}).to_string();
            follow(&ear, call, &front, &fronts)?;
            lock(&fronts).insert(call, Arc::new(Held { front, sender: None }));
            Ok(said)
        });
    }

    /// Sends a message of its client's to a front, if it can go at once; whether it went. Else `send` is to be used.
    #[napi]
    pub fn send_now(&self, front: u32, line: String) -> bool {
        let held = lock(&self.fronts).get(&front).cloned();
        let sender = held.as_ref().and_then(|held| held.sender.as_ref());
        sender.is_some_and(|sender| sender.try_send(line.into_bytes()).is_ok())
    }

    /// Sends a message of its client's to a front, once there is room.
    #[napi]
    pub fn send(&self, call: u32, front: u32, line: String) {
        let held = self.held(front);
        self.carry_out(call, async move {
            let held = held?;
            let sender = held.sender.as_ref().ok_or_else(|| usage("a front over HTTP has no client of its own"))?;
            match sender.send(line.into_bytes()).await {
                Ok(()) => Ok(String::new()),
                Err(SendError::Broken) => Err(usage("a message must not hold a line break")),
                Err(_) => Err(gone()),
            }
        });
    }

    /// Waits for what came of the first start of a front's server.
    #[napi]
    pub fn first(&self, call: u32, front: u32) {
        let held = self.held(front);
        self.carry_out(call, async move {
            let held = held?;
            outcome(held.front.first().await.ok_or_else(gone)?)
        });
    }

    /// Asks a front: `ask` as in the control protocol.
    #[napi]
    pub fn ask(&self, call: u32, front: u32, ask: String) {
        let held = self.held(front);
        self.carry_out(call, async move {
            let held = held?;
            answer(held.front.ask(asked(&ask)?).await)
        });
    }

    /// Ends a front, and answers when it has ended.
    #[napi]
    pub fn close(&self, call: u32, front: u32) {
        let held = self.held(front);
        self.carry_out(call, async move {
            if let Ok(held) = held {
                held.front.close().await;
            }
            Ok(String::new())
        });
    }

    /// What starts the server of this name, by a client's configuration.
    #[napi]
    pub fn starts(&self, call: u32, name: String, project: Option<String>) {
        self.on_the_side(call, move || json(&machine::starts(&name, project.map(PathBuf::from))?));
    }

    /// The fronts of the machine that run.
    #[napi]
    pub fn running(&self, call: u32, server: Option<String>, directory: Option<String>) {
        self.on_the_side(call, move || {
            json(&machine::running(&home(directory.map(PathBuf::from))?, server.as_deref()))
        });
    }

    /// Asks a front of the machine, as `running` gave it.
    #[napi]
    pub fn ask_other(&self, call: u32, front: String, ask: String, deadline_ms: u32) {
        self.on_the_side(call, move || {
            let front: FrontAddress = serde_json::from_str(&front).map_err(|error| usage(error.to_string()))?;
            answer(machine::ask(&front, &asked(&ask)?, Duration::from_millis(deadline_ms.into()))?)
        });
    }

    /// The last that happened to a server.
    #[napi]
    pub fn history(&self, call: u32, server: String, last: u32, directory: Option<String>) {
        self.on_the_side(call, move || {
            json(&machine::history(&home(directory.map(PathBuf::from))?, &server, last as usize)?)
        });
    }

    /// The last lines of the logs in a folder.
    #[napi]
    pub fn logs(&self, call: u32, folder: String, last: u32) {
        self.on_the_side(call, move || json(&machine::logs_in(&PathBuf::from(folder), last as usize)));
    }

    fn held(&self, front: u32) -> std::result::Result<Arc<Held>, Trouble> {
        lock(&self.fronts).get(&front).cloned().ok_or_else(gone)
    }

    fn carry_out(&self, call: u32, work: impl Future<Output = std::result::Result<String, Trouble>> + Send + 'static) {
        let ear = self.ear.clone();
        let told = ear.clone();
        // A task of its own: what panics is answered too.
        let spawned = executor::spawn(async move {
            let answer = tokio::spawn(work).await;
            let answer = answer
                .unwrap_or_else(|error| Err(Trouble::new("node::internal", format!("a bug of mcp-twin: {error}"))));
            told.answer(call, answer);
        });
        if let Err(trouble) = spawned {
            ear.answer(call, Err(trouble));
        }
    }

    fn on_the_side(&self, call: u32, work: impl FnOnce() -> std::result::Result<String, Trouble> + Send + 'static) {
        self.carry_out(call, executor::blocking(work));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Trouble {
    Fault::new(Code::Stopped, "the front has ended").into()
}

fn asked(ask: &str) -> std::result::Result<Ask, Trouble> {
    serde_json::from_str(ask).map_err(|error| usage(error.to_string()))
}

/// An answer for JavaScript; what did not work is an error there.
fn answer(answer: Answer) -> std::result::Result<String, Trouble> {
    match answer {
        Answer::Status(status) => json(&*status),
        Answer::Outcome(done) => outcome(done),
        Answer::Edited(edit) => json(&edit),
        Answer::Files(files) => json(&files),
        Answer::Called(answer) => json(&answer),
        Answer::Error(fault) => Err(fault.into()),
        Answer::Accepted => Err(Trouble::new("node::internal", "a bug of mcp-twin: an acceptance is no answer")),
    }
}

fn outcome(outcome: Outcome) -> std::result::Result<String, Trouble> {
    match outcome {
        Outcome::Failed { fault, .. } => Err(fault.into()),
        // The new twin was tried, and left again: what was asked for is not there.
        Outcome::RolledBack { why: Some(fault), .. } => Err(fault.into()),
        done => json(&done),
    }
}

/// Passes the events of a front on until it has ended, and forgets it then.
fn follow(ear: &Ear, number: u32, front: &Front, fronts: &Fronts) -> std::result::Result<(), Trouble> {
    let (ear, mut events, fronts) = (ear.clone(), front.events(), Arc::downgrade(fronts));
    executor::spawn(async move {
        pass_on(&ear, number, &mut events).await;
        if let Some(fronts) = fronts.upgrade() {
            lock(&fronts).remove(&number);
        }
        ear.tell(Kind::Ended, number, String::new(), None);
    })
}

async fn pass_on(ear: &Ear, number: u32, events: &mut EventStream) {
    let room = Arc::new(Semaphore::new(WAITING));
    while let Some(event) = events.next().await {
        let Ok(taken) = Arc::clone(&room).acquire_owned().await else { return };
        if let Some(event) = event_of(&event) {
            ear.tell(Kind::Event, number, event.to_string(), Some(taken));
        }
    }
}

async fn messages(ear: Ear, number: u32, mut receiver: ClientReceiver) {
    let room = Arc::new(Semaphore::new(WAITING));
    while let Some(line) = receiver.recv().await {
        let Ok(taken) = Arc::clone(&room).acquire_owned().await else { return };
        let line =
            String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        ear.tell(Kind::Message, number, line, Some(taken));
    }
}

/// An event as JavaScript hears it.
fn event_of(event: &FrontEvent) -> Option<Value> {
    let trouble = |fault: &Fault| serde_json::to_value(Trouble::from(fault.clone())).unwrap_or_default();
    Some(match event {
        FrontEvent::Notice(notice) => match notice {
            Notice::Swapped { previous: None, active, .. } => value!({"type": "started", "generation": active}),
            Notice::Swapped { previous, active, diff } => {
                value!({"type": "swap", "previous": previous, "generation": active, "changes": diff.describe(), "breaking": diff.breaking})
            }
            Notice::Waiting { generation, breaking } => {
                value!({"type": "reload", "generation": generation, "breaking": breaking})
            }
            Notice::ReloadFailed { generation, fault } => {
                value!({"type": "failed", "generation": generation, "error": trouble(fault)})
            }
            Notice::RolledBack { left, active, why } => {
                value!({"type": "rolledBack", "left": left, "generation": active, "error": why.as_ref().map(trouble)})
            }
            Notice::Crashed { generation, fault } => {
                value!({"type": "crashed", "generation": generation, "error": trouble(fault)})
            }
            Notice::Down { fault } => value!({"type": "down", "error": trouble(fault)}),
            // Said as lines too.
            _ => return None,
        },
        FrontEvent::Said(line) => value!({"type": "log", "line": line}),
        FrontEvent::TwinSaid { twin, line } => value!({"type": "log", "twin": twin, "line": line}),
        FrontEvent::Missed(count) => value!({"type": "missed", "count": count}),
        _ => return None,
    })
}
