//! What the machines ask of the world. Object-safe on purpose: a front holds them as `Arc<dyn …>`, and each has at least
//! two implementors (the runtime's and the fakes of `testing`; yours is the third).

use crate::error::Fault;
use crate::ids::{OpId, ProcessIdentity, Slot, Source, TwinId};
use crate::swap::{ExitReport, HistoryEntry, Kept, Notice, ProbeReport, Record};
use crate::time::Moment;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnOrder {
    /// The new twin.
    pub twin: TwinId,
    /// Its place.
    pub slot: Slot,
    /// The source it is to run.
    pub source: Source,
    /// Whether that is a copy which was kept ([`Sources::kept`]), for the files hold other code.
    pub kept: bool,
}

/// Starts twins.
#[async_trait]
pub trait ProcessSpawner: Send + Sync {
    /// Starts one twin: its own process group, its token in the environment.
    ///
    /// # Errors
    /// `NotExecutable` if the command cannot run at all, else `SpawnFailed`.
    async fn spawn(&self, order: &SpawnOrder) -> Result<Box<dyn Instance>, Fault>;

    /// Ends every process that bears a token of this front, but those of `keep`. Asked for after a recovery only; nothing
    /// is spawned before it returned, so that what it ends holds no port any more and a new twin is not taken for an old.
    async fn sweep(&self, keep: &[TwinId]) {
        let _ = keep;
    }
}

/// One running twin.
#[async_trait]
pub trait Instance: Send {
    /// Proof of identity.
    fn identity(&self) -> ProcessIdentity;
    /// Where it listens, over HTTP.
    fn port(&self) -> Option<u16> {
        None
    }
    /// Waits until the process has ended and its output was read to the end. Cancel-safe, repeatable.
    async fn exited(&mut self) -> ExitReport;
    /// Ends the whole process tree: end of stdin, TERM after `term`, KILL `kill` later; waits for the end.
    async fn stop(&mut self, term: Duration, kill: Duration) -> ExitReport;
}

/// Proves twins healthy.
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// Begins to prove this twin, and returns when its first byte can be sent (over stdio: when the client has opened the
    /// session; a twin is sent nothing before). `force`: a lost capability is accepted.
    async fn begin(&self, twin: TwinId, force: bool);
    /// Returns when the twin is ready, or will never be. The machine's `start_timeout` bounds it.
    ///
    /// # Errors
    /// Why the twin will not be ready.
    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault>;
    /// Tries a twin that is ready, as [`Options::check`](crate::spec::Options::check) says; asked for only if it says something,
    /// and only while another twin serves. The machine's `check_timeout` bounds it, with a margin for the host's own bound.
    ///
    /// # Errors
    /// Why the twin must not take over.
    async fn examine(&self, twin: TwinId) -> Result<(), Fault> {
        let _ = twin;
        Ok(())
    }
    /// The last lines that this twin wrote to its stderr. They go into the reason why it is not ready.
    fn last_words(&self, twin: TwinId) -> String {
        let _ = twin;
        String::new()
    }
    /// What stands in this twin's way, if it can be told; it goes into the reason too.
    fn obstacle(&self, twin: TwinId) -> Option<String> {
        let _ = twin;
        None
    }
}

/// Keeps the record.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Writes the record, atomically: after a crash either the old or the new one is there. Calls come in order, one at a
    /// time; of records that wait for a slow write only the newest is written.
    ///
    /// # Errors
    /// What the system said.
    async fn save(&self, record: &Record) -> Result<(), String>;
    /// One line for the history. Best effort: a history that cannot be written is said in the log.
    async fn history(&self, entry: &HistoryEntry);
}

/// The host's clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
    /// Returns at `at` or as soon as possible after it.
    async fn sleep_until(&self, at: Moment);
}

/// Where requests go. The runtime's is the relay of a front; yours may be a reverse proxy.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// Brings the client's state to a twin, before the commit.
    ///
    /// # Errors
    /// Why the twin cannot take over.
    async fn prepare(&self, twin: TwinId) -> Result<(), Fault>;
    /// Routes new requests to `to`, if it is ready at this instant, and releases what was held.
    ///
    /// # Errors
    /// Why the route stayed.
    async fn handover(&self, from: Option<TwinId>, to: TwinId, bake: bool) -> Result<(), Fault>;
    /// Returns with the reason when a twin on trial refuses too much; never, if it does not.
    async fn bake_failed(&self, twin: TwinId) -> Fault;
    /// The trial is over.
    fn end_bake(&self, twin: TwinId);
    /// Holds new requests, within the bounds of the options.
    fn hold(&self);
    /// Answers held and new requests with this reason.
    fn refuse(&self, fault: &Fault);
    /// Returns when this twin has no open call; requests are held from that instant on.
    async fn idle(&self, twin: TwinId);
    /// Cancels what is open on this twin and answers it with this reason; requests are held.
    fn cut(&self, twin: TwinId, fault: &Fault);
    /// Returns when this twin owes nothing any more.
    async fn drained(&self, twin: TwinId);
}

/// The files of the server.
#[async_trait]
pub trait Sources: Send + Sync {
    /// What the files are now, with their generation number.
    async fn now(&self) -> Source;
    /// Remember the files' stamps for this twin, just before its spawn.
    async fn mark(&self, twin: TwinId);
    /// What the files are now, and whether any was touched since the mark.
    async fn compare(&self, twin: TwinId) -> (Source, bool);
    /// The sources that served last, the latest first, also in earlier lives of the front: a few.
    async fn served(&self) -> Vec<Source> {
        Vec::new()
    }
    /// Whose code is kept so that it can be started again once the files hold other code. Called often: it tells what is
    /// known, and waits for nothing.
    fn kept(&self) -> Vec<Kept> {
        Vec::new()
    }
    /// Runs the build step.
    ///
    /// # Errors
    /// Its output.
    async fn build(&self, op: OpId) -> Result<Source, Fault> {
        let _ = op;
        Ok(self.now().await)
    }
}

/// Hears what people should know.
pub trait Observer: Send + Sync {
    /// Something a person should know.
    fn notice(&self, notice: &Notice);
    /// An event changed nothing, and why.
    fn ignored(&self, why: &'static str) {
        let _ = why;
    }
}

/// All that a machine asks of the world.
#[derive(Clone)]
pub struct Host {
    /// Starts twins.
    pub spawner: Arc<dyn ProcessSpawner>,
    /// Proves them healthy.
    pub probe: Arc<dyn HealthProbe>,
    /// Keeps the record.
    pub store: Arc<dyn StateStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Routes requests.
    pub traffic: Arc<dyn Traffic>,
    /// Knows the files.
    pub sources: Arc<dyn Sources>,
    /// Hears what people should know.
    pub observer: Arc<dyn Observer>,
}
