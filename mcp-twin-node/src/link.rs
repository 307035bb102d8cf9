//! The link between one environment of JavaScript (the main thread, or a worker) and its fronts.
//!
//! A call is a number and a text; its answer comes back through one function of JavaScript, with the same number. So do the
//! messages of a front to its client, and its events, with the number of the front. The function does not keep the environment
//! alive, and nothing in here waits on its thread.

use mcp_twin_runtime::embedded::binding::{self, Begun, Trouble};
use mcp_twin_runtime::embedded::{ClientReceiver, ClientSender, EventStream, Front, SendError};
use mcp_twin_runtime::logs;
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use serde_json::json;
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

    /// Makes the front that is ordered; `call` is its number from then on.
    #[napi]
    pub fn begin(&self, call: u32, order: String) {
        let (ear, fronts) = (self.ear.clone(), Arc::downgrade(&self.fronts));
        self.carry_out(call, async move {
            let Begun { front, url, client } = binding::begin(&order).await?;
            let fronts = fronts.upgrade().ok_or_else(Trouble::gone)?;
            let said = json!({"id": front.id(), "server": front.server(), "url": url}).to_string();
            follow(&ear, call, &front, &fronts)?;
            let (sender, receiver) = client.unzip();
            if let Some(receiver) = receiver {
                binding::spawn(messages(ear, call, receiver))?;
            }
            lock(&fronts).insert(call, Arc::new(Held { front, sender }));
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
            let sender =
                held.sender.as_ref().ok_or_else(|| Trouble::usage("a front over HTTP has no client of its own"))?;
            match sender.send(line.into_bytes()).await {
                Ok(()) => Ok(String::new()),
                Err(SendError::Broken) => Err(Trouble::usage("a message must not hold a line break")),
                Err(_) => Err(Trouble::gone()),
            }
        });
    }

    /// Waits for what came of the first start of a front's server.
    #[napi]
    pub fn first(&self, call: u32, front: u32) {
        let held = self.held(front);
        self.carry_out(call, async move {
            let held = held?;
            binding::outcome(held.front.first().await.ok_or_else(Trouble::gone)?)
        });
    }

    /// Asks a front: `ask` as in the control protocol.
    #[napi]
    pub fn ask(&self, call: u32, front: u32, ask: String) {
        let held = self.held(front);
        self.carry_out(call, async move {
            let held = held?;
            binding::answer(held.front.ask(binding::asked(&ask)?).await)
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
        self.on_the_side(call, move || binding::text(&binding::starts(&name, project.map(PathBuf::from))?));
    }

    /// The fronts of the machine that run.
    #[napi]
    pub fn running(&self, call: u32, server: Option<String>, directory: Option<String>) {
        self.on_the_side(call, move || {
            binding::text(&binding::running(server.as_deref(), directory.map(PathBuf::from))?)
        });
    }

    /// Asks a front of the machine, as `running` gave it.
    #[napi]
    pub fn ask_other(&self, call: u32, front: String, ask: String, deadline_ms: u32) {
        self.on_the_side(call, move || binding::ask_other(&front, &ask, Duration::from_millis(deadline_ms.into())));
    }

    /// The last that happened to a server.
    #[napi]
    pub fn history(&self, call: u32, server: String, last: u32, directory: Option<String>) {
        self.on_the_side(call, move || {
            binding::text(&binding::history(&server, last as usize, directory.map(PathBuf::from))?)
        });
    }

    /// The last lines of the logs in a folder.
    #[napi]
    pub fn logs(&self, call: u32, folder: String, last: u32) {
        self.on_the_side(call, move || binding::text(&logs::tail(&PathBuf::from(folder), last as usize)));
    }

    fn held(&self, front: u32) -> std::result::Result<Arc<Held>, Trouble> {
        lock(&self.fronts).get(&front).cloned().ok_or_else(Trouble::gone)
    }

    fn carry_out(&self, call: u32, work: impl Future<Output = std::result::Result<String, Trouble>> + Send + 'static) {
        let ear = self.ear.clone();
        let told = ear.clone();
        if let Err(trouble) = binding::spawn_answered(work, move |answer| told.answer(call, answer)) {
            ear.answer(call, Err(trouble));
        }
    }

    fn on_the_side(&self, call: u32, work: impl FnOnce() -> std::result::Result<String, Trouble> + Send + 'static) {
        self.carry_out(call, binding::blocking(work));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes the events of a front on until it has ended, and forgets it then.
fn follow(ear: &Ear, number: u32, front: &Front, fronts: &Fronts) -> std::result::Result<(), Trouble> {
    let (ear, mut events, fronts) = (ear.clone(), front.events(), Arc::downgrade(fronts));
    binding::spawn(async move {
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
        if let Some(event) = binding::event(&event) {
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
