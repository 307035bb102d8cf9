//! What a driver is fed through, from wherever commands and file changes come.

use crate::error::{Code, Fault};
use crate::ids::Source;
use crate::spec::Options;
use crate::swap::{Command, Outcome, Status};
use futures_channel::{mpsc, oneshot};

/// How many inputs may wait for the driver. A sender waits when it is full.
pub(super) const INBOX: usize = 64;

/// Gives commands and file changes to a [`Driver`](super::Driver); cheap to clone. The driver ends when all of them are gone.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Input>,
}

#[derive(Debug)]
pub(super) enum Input {
    Reconfigured(Box<Options>),
    Touched,
    Changed(Source),
    Command(Command, oneshot::Sender<Outcome>),
    Status(oneshot::Sender<Status>),
}

impl Handle {
    pub(super) fn new(inbox: mpsc::Sender<Input>) -> Self {
        Self { inbox }
    }

    /// Gives a command and waits for its outcome.
    pub async fn command(&self, command: Command) -> Outcome {
        let (tx, rx) = oneshot::channel();
        let gone = || Outcome::Failed { active: None, fault: Fault::new(Code::Stopped, "the front is ending") };
        if !self.send(Input::Command(command, tx)).await {
            return gone();
        }
        rx.await.unwrap_or_else(|_| gone())
    }

    /// Other options count from now on; see [`Event::Reconfigured`](crate::swap::Event::Reconfigured).
    pub async fn reconfigure(&self, options: Options) {
        self.send(Input::Reconfigured(Box::new(options))).await;
    }

    /// Says that a watched file was touched just now.
    pub async fn touched(&self) {
        self.send(Input::Touched).await;
    }

    /// Says that the watched files came to rest.
    pub async fn changed(&self, source: Source) {
        self.send(Input::Changed(source)).await;
    }

    /// The machine as shown to people; `None` if the driver has ended.
    pub async fn status(&self) -> Option<Status> {
        let (tx, rx) = oneshot::channel();
        self.send(Input::Status(tx)).await;
        rx.await.ok()
    }

    async fn send(&self, input: Input) -> bool {
        let mut inbox = self.inbox.clone();
        let ready = std::future::poll_fn(|cx| inbox.poll_ready(cx)).await;
        ready.is_ok() && inbox.start_send(input).is_ok()
    }
}
