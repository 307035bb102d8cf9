//! What the screen wants of the world: fronts are asked, each on a thread of its own with a deadline; files are read on one
//! thread, for a disk may hang too.

use super::model::{Effect, Message};
use crate::act::PATIENCE;
use crate::status;
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::history;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::logs;
use mcp_twin_runtime::servers::ServerKey;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

/// So many lines of the logs are read.
const LINES: usize = 1000;
/// So many lines of the history are read.
const SWAPS: usize = 50;
/// So many reads may wait. One that finds no room is done at the next look.
const READS: usize = 8;

/// Carries out what a model wants, and sends back what came of it.
pub(crate) struct World {
    home: Home,
    messages: SyncSender<Message>,
    reads: SyncSender<Read>,
}

/// What is read of the disk.
enum Read {
    Fronts,
    History(ServerKey),
    Logs(PathBuf),
}

impl World {
    /// A world whose answers go to `messages`.
    pub(crate) fn new(home: Home, messages: SyncSender<Message>) -> Self {
        let (reads, wanted) = sync_channel::<Read>(READS);
        let (from, to) = (home.clone(), messages.clone());
        // It ends with the world.
        thread::spawn(move || {
            for read in wanted {
                let message = match read {
                    Read::Fronts => Message::Running(fronts::running(&from)),
                    // What cannot be read is not shown; `history` says why.
                    Read::History(key) => {
                        let lines = history::last(&from, &key, SWAPS).unwrap_or_default();
                        Message::History(key, lines)
                    }
                    Read::Logs(folder) => {
                        let lines = logs::tail(&folder, LINES);
                        Message::Logs(folder, lines)
                    }
                };
                if to.send(message).is_err() {
                    return;
                }
            }
        });
        Self { home, messages, reads }
    }

    /// Begins to carry something out.
    pub(crate) fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Look => self.read(Read::Fronts),
            Effect::ReadHistory(key) => self.read(Read::History(key)),
            Effect::ReadLogs(key) => self.read(Read::Logs(self.home.logs_of(&key))),
            Effect::Ask(front) => self.on_a_thread(front, |front| {
                let reply = fronts::ask(&front, &mcp_twin_core::control::Ask::Status, status::PATIENCE);
                Message::Status(front.front, Box::new(reply))
            }),
            Effect::Act(verb, ask, front) => self.on_a_thread(front, move |front| {
                let reply = fronts::ask(&front, &ask, PATIENCE);
                Message::Done(verb, front, Box::new(reply))
            }),
        }
    }

    fn read(&self, read: Read) {
        match self.reads.try_send(read) {
            // The disk is slow: this is asked for again at the next look.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    fn on_a_thread(&self, front: FrontAddress, ask: impl FnOnce(FrontAddress) -> Message + Send + 'static) {
        let messages = self.messages.clone();
        thread::spawn(move || drop(messages.send(ask(front))));
    }
}
