//! The build step: a command line that makes what the server's command runs, before each start of a twin.
//!
//! Several fronts of one server build once: whoever holds the lock builds, and writes down from what; the others find that it
//! is done. The record says what the files were after a build during which none of them changed. So a save in the midst of a
//! build is built again, and so is output that lies among the watched files, until it stays the same.

use super::shell::{Running, ShellLine, short};
use crate::copies::Copies;
use crate::files::{self, Flush, Lock};
use crate::fronts::token_prefix;
use crate::home::Home;
use crate::run::{RunOrder, Variables};
use crate::servers::ServerKey;
use mcp_twin_core::{Code, Fault, SourceHash};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// So many builds in a row may change what is watched.
const UNSETTLED: u32 = 3;

/// What is to be run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildLine {
    /// For a shell.
    pub line: String,
    /// The folder.
    pub cwd: PathBuf,
    /// What it makes, if that is known.
    pub makes: Option<PathBuf>,
}

/// Where a front's builds are written down.
#[derive(Clone, Debug)]
pub struct Builds {
    record: PathBuf,
    front: String,
}

impl Builds {
    /// Those of a front of this server.
    pub fn new(home: &Home, server: &ServerKey, front: &str) -> Self {
        Self { record: home.build_of(server), front: front.to_owned() }
    }

    /// A build step as this order has it.
    pub fn build(&self, what: BuildLine, order: &RunOrder) -> Build {
        let (env, patience) = (order.env.clone(), order.options.build_timeout);
        Build { what, env, patience, place: self.clone(), unsettled: Mutex::new(0) }
    }
}

/// The build step of one front.
pub struct Build {
    what: BuildLine,
    env: Variables,
    patience: Duration,
    place: Builds,
    /// Builds in a row during which what is watched changed.
    unsettled: Mutex<u32>,
}

/// What is known of the last build of a server, by whichever front.
#[derive(Debug, Serialize, Deserialize)]
struct Built {
    line: String,
    cwd: PathBuf,
    /// What the files were before it, and still after it.
    source: SourceHash,
    /// When it ended, in milliseconds since 1970.
    ended: u64,
    /// Why it failed.
    fault: Option<Fault>,
}

impl Build {
    /// The command line.
    pub fn line(&self) -> &str {
        &self.what.line
    }

    /// Sees to it that what the files say is built, and set aside in `copies`. `look` hashes them. Dropped, a build that runs is ended.
    ///
    /// # Errors
    /// It fails, with its output; or it cannot be begun.
    pub async fn run<F: Future<Output = Option<SourceHash>>>(
        &self,
        look: impl Fn() -> F,
        copies: &Arc<Copies>,
    ) -> Result<(), Fault> {
        let asked = now_ms();
        let lock = Lock::take_async(&files::lock::beside(&self.place.record), self.patience).await;
        let lock = lock.map_err(|error| {
            self.failed(format!("cannot begin: {error}"))
                .with_help("`mcp-twin status` shows the fronts of this server: one of them builds")
        })?;
        let before = look().await;
        if let Some(built) = self.recorded(before) {
            match built.fault {
                None if self.what.makes.as_ref().is_none_or(|file| file.exists()) => {
                    copies.set_aside(built.source, false).await;
                    return Ok(());
                }
                // Another front has just tried the same. Who asks later may have mended what no file shows.
                Some(fault) if built.ended >= asked => return Err(fault),
                _ => {}
            }
        }
        let (built, _lock) = self.execute(lock).await;
        let after = look().await;
        if let Some(source) = before.filter(|_| before == after) {
            self.settled();
            self.write_down(source, built.as_ref().err());
            if built.is_ok() {
                copies.set_aside(source, true).await;
            }
        } else if before.is_some() && built.is_ok() && self.changed_again() >= UNSETTLED {
            self.settled();
            let advice = "leave what it writes out with --ignore PATH, or name the sources with --watch";
            return Err(self.failed("changes files that are watched, each time anew".to_owned()).with_help(advice));
        }
        built
    }

    /// What is known of a build of just these files.
    fn recorded(&self, source: Option<SourceHash>) -> Option<Built> {
        let built: Built = serde_json::from_slice(&files::read(&self.place.record).ok()??).ok()?;
        let same = built.line == self.what.line && built.cwd == self.what.cwd && Some(built.source) == source;
        same.then_some(built)
    }

    fn write_down(&self, source: SourceHash, fault: Option<&Fault>) {
        let (line, cwd) = (self.what.line.clone(), self.what.cwd.clone());
        let built = Built { line, cwd, source, ended: now_ms(), fault: fault.cloned() };
        if let Ok(text) = serde_json::to_vec(&built) {
            // Where it cannot be written the next front builds once more.
            let _ = files::write_atomic(&self.place.record, &text, Flush::Later);
        }
    }

    fn settled(&self) {
        *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    fn changed_again(&self) -> u32 {
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        *unsettled += 1;
        *unsettled
    }

    fn failed(&self, how: String) -> Fault {
        Fault::new(Code::BuildFailed, format!("the build step `{}` {how}", short(&self.what.line)))
    }

    /// The lock is given back with what came of it: it is held as long as anything of the build lives.
    async fn execute(&self, lock: Lock) -> (Result<(), Fault>, Option<Lock>) {
        let what = ShellLine {
            line: &self.what.line,
            cwd: &self.what.cwd,
            env: self.env.0.clone(),
            token: format!("{}build", token_prefix(&self.place.front)),
        };
        let mut running = match Running::start(&what, lock) {
            Ok(running) => running,
            Err((fault, lock)) => return (Err(self.failed(format!("cannot begin: {}", fault.message))), Some(lock)),
        };
        let Ok(exit) = timeout(self.patience, running.exited()).await else {
            let fault = self.failed(format!("did not end within {:?}", self.patience));
            return (Err(fault.with_stderr(running.said()).with_help("a longer time: --build-timeout")), None);
        };
        let built = match exit.code {
            Some(0) => Ok(()),
            _ => Err(self.failed(exit.describe()).with_stderr(exit.stderr_tail)),
        };
        (built, running.release())
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
