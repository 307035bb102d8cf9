//! Who is told of what happens to a server, and how it reaches them: webhooks, Slack, Discord, the desktop.
//!
//! What is said, in which form, and when it is tried again is the core's ([`mcp_twin_core::notify`]). Each target has a queue
//! and a task of its own, so that one that hangs delays neither another one nor a swap: nothing here is ever waited for by the
//! machine or the relay. Secrets are looked up at each try and kept nowhere.

mod aside;
mod desktop;
mod lane;
mod post;
mod secret;
#[cfg(target_os = "linux")]
mod tls;
#[cfg(not(target_os = "linux"))]
#[path = "notices/system_tls.rs"]
mod tls;
mod trial;

#[cfg(test)]
mod tests;

use crate::run::Variables;
pub use desktop::{MISSING, Notifier, system_notifier};
use lane::Lane;
use mcp_twin_core::Generation;
use mcp_twin_core::notify::{Event, Kind, Message, Sender, Target};
use mcp_twin_core::redact::Redaction;
use mcp_twin_core::swap::Notice;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
pub use trial::{Tried, try_all};

/// What is queued when a front ends gets so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What became of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// One arrived.
    Arrived,
    /// One did not, and is not tried again: why.
    Lost(String),
    /// The oldest was dropped, since more wait than are kept.
    Dropped,
}

/// Hears what became of messages to a target.
pub type Hear = Arc<dyn Fn(&Target, Heard) + Send + Sync>;

/// Tells targets of notices. Must be used on the runtime on which the front lives.
pub struct Notices {
    sender: Sender,
    hear: Hear,
    notifier: Option<Arc<dyn Notifier>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    lanes: Vec<Lane>,
    /// Variables of the server that are not in this process's environment.
    env: Variables,
    /// What was told since something served: the same is not told again at each further try to start.
    told: Vec<(Event, Option<Generation>, String)>,
}

impl Notices {
    /// Nobody is told yet. `hear` hears what becomes of messages.
    pub fn new(sender: Sender, hear: Hear, notifier: Option<Arc<dyn Notifier>>) -> Self {
        Self { sender, hear, notifier, inner: Mutex::default() }
    }

    /// From now on these are told. What waits for one that is no longer among them is dropped; the others keep theirs. `env`:
    /// variables of the server, whose secrets are taken out of messages.
    pub fn aim(&self, targets: &[Target], env: Variables) {
        let mut inner = self.lock();
        let mut before = std::mem::take(&mut inner.lanes);
        for target in targets {
            let lane = match before.iter().position(|lane| lane.target() == target) {
                Some(at) => before.swap_remove(at),
                None => Lane::begin(target.clone(), Arc::clone(&self.hear), self.notifier.clone()),
            };
            inner.lanes.push(lane);
        }
        inner.env = env;
    }

    /// Queues a notice for those who want to hear of it. Never waits.
    pub fn tell(&self, notice: &Notice) {
        let Some(event) = Event::of(notice) else { return };
        let mut inner = self.lock();
        if inner.lanes.is_empty() || inner.is_stale(event, notice) {
            return;
        }
        let wanting = || inner.lanes.iter().filter(|lane| lane.target().wants(event));
        if wanting().next().is_none() {
            return;
        }
        let redaction = redaction(&inner.env);
        let (id, time) = (uuid::Uuid::new_v4().to_string(), now());
        let Some(message) = Message::new(notice, &self.sender, id, time, &redaction) else { return };
        let message = Arc::new(message);
        for lane in wanting() {
            lane.push(Arc::clone(&message));
        }
    }

    /// The front ends: what is queued gets a moment, without further tries. Returns how many targets had not got everything.
    pub async fn finish(&self) -> usize {
        let lanes = std::mem::take(&mut self.lock().lanes);
        let deadline = Instant::now() + LAST_WORDS;
        lanes.iter().for_each(Lane::close);
        let mut left = 0;
        for lane in lanes {
            left += usize::from(timeout_at(deadline, lane.ended()).await.is_err());
        }
        left
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether this was told already, or is nothing to tell: a start is no swap, unless something went wrong before it.
    fn is_stale(&mut self, event: Event, notice: &Notice) -> bool {
        let (generation, why) = match notice {
            Notice::Swapped { previous, .. } => {
                let troubled = !std::mem::take(&mut self.told).is_empty();
                return previous.is_none() && !troubled;
            }
            Notice::ReloadFailed { generation, fault } | Notice::Crashed { generation, fault } => {
                (Some(*generation), fault.message.clone())
            }
            Notice::Down { fault } => (None, fault.message.clone()),
            _ => return false,
        };
        let now = (event, generation, why);
        let known = self.told.contains(&now);
        if !known {
            self.told.retain(|(other, ..)| *other != event);
            self.told.push(now);
        }
        known
    }
}

/// Who speaks: a front of this server.
#[must_use]
pub fn sender(server: &str, root: &Path, front: &str) -> Sender {
    Sender {
        server: server.to_owned(),
        project: root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        host: host_name(),
        front: front.to_owned(),
    }
}

/// What is off with these targets, whatever happens.
#[must_use]
pub fn warnings(targets: &[Target]) -> Vec<String> {
    let desktop = targets.iter().any(|target| target.kind == Kind::Desktop) && system_notifier().is_none();
    desktop.then(|| MISSING.to_owned()).into_iter().collect()
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Everything of this process's and the server's variables that is a secret by its name.
fn redaction(env: &Variables) -> Redaction {
    let own: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Redaction::new(&[], own.iter().chain(env.iter()).map(|(name, value)| (name.as_str(), value.as_str())))
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
