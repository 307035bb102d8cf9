//! The proof of a new twin over stdio: its first process is opened as SDK clients do it, with `server/discover`, and with
//! `initialize` on the same process where that is refused. The relay that it accepts is carried by it from then on.

use super::link::Link;
use super::pump::gone;
use super::{Hub, Verdict};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, TwinId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What is asked, in this order.
const OPENINGS: [&str; 2] = ["server/discover", "initialize"];

/// Which of them asks whether the server speaks the modern era.
const DISCOVERY: usize = 0;
/// A server that says nothing to a method that it does not know is given up so soon, and is asked in the other era.
const SILENCE: Duration = Duration::from_secs(10);

/// What came of one opening.
enum Answer {
    Accepted(ProbeReport),
    Refused(String),
    Failed(Fault),
}

impl Hub {
    pub(super) async fn check_first(&self, twin: TwinId, force: bool) -> Result<ProbeReport, Fault> {
        let mut refusals = Vec::new();
        for (at, method) in OPENINGS.into_iter().enumerate() {
            if at == DISCOVERY && self.lock().mute {
                continue;
            }
            let Some(verdict) = self.ask_first(twin, at, force) else { return Err(gone()) };
            let known = self.lock().is_modern();
            let verdict = if at == DISCOVERY && !known {
                match timeout(SILENCE, verdict).await {
                    Ok(verdict) => verdict,
                    Err(_) => {
                        refusals.push(format!("{method}: no answer within {} s", SILENCE.as_secs()));
                        self.ask_another(twin)?;
                        continue;
                    }
                }
            } else {
                verdict.await
            };
            let verdict = verdict.unwrap_or_else(|_| Err(gone()));
            match self.answer_of(twin, at, verdict) {
                Answer::Accepted(report) => {
                    self.try_kinds(twin, force).await?;
                    return Ok(report);
                }
                Answer::Failed(fault) => return Err(fault),
                Answer::Refused(why) => refusals.push(format!("{method}: {why}")),
            }
        }
        let message = format!("the new server accepts no opening ({})", refusals.join("; "));
        let help = "check that it speaks MCP over stdio (one that listens on a port is served without `--stdio`)";
        Err(Fault::new(Code::ProbeRefused, message).with_help(help))
    }

    /// Lets the first process of a twin carry one of the front's own relays, which proves it.
    fn ask_first(&self, twin: TwinId, at: usize, force: bool) -> Option<oneshot::Receiver<Verdict>> {
        let now = self.now();
        let mut inner = self.lock();
        let sid = inner.own.get(at).copied().flatten()?;
        let first = inner.families.get(&twin)?.first?;
        inner.pipes.get_mut(&first)?.sid = Some(sid);
        if inner.sessions.get(&sid).is_some_and(|own| own.heard.is_some() && !own.relay.is_open()) {
            // One before has refused it, or nobody was there to take it for longer than an opening waits.
            inner.send_opening(self, sid);
        }
        let (tx, rx) = oneshot::channel();
        inner.waiters.ready.insert((sid, twin), tx);
        let session = inner.sessions.get_mut(&sid)?;
        session.links.insert(twin, Link::Process(first));
        session.relay.attach(twin);
        session.relay.probe(twin, force, now);
        inner.pump(self, sid, None);
        Some(rx)
    }

    /// The first process says nothing to `server/discover`: another one takes its place, and is not asked that.
    fn ask_another(&self, twin: TwinId) -> Result<(), Fault> {
        let mut inner = self.lock();
        inner.mute = true;
        self.log(twin, "does not answer `server/discover`; it is opened with `initialize`, and so are its successors");
        let silent = inner.families.get_mut(&twin).and_then(|family| family.first.take()).ok_or_else(gone)?;
        if let Some(sid) = inner.own[DISCOVERY] {
            inner.untie(self, sid, twin, &gone());
            inner.pump(self, sid, None);
        }
        inner.end_process(self, silent);
        inner.start_first(self, twin).map(drop)
    }

    fn answer_of(&self, twin: TwinId, at: usize, verdict: Verdict) -> Answer {
        let mut inner = self.lock();
        let Some(sid) = inner.own.get(at).copied().flatten() else { return Answer::Failed(gone()) };
        let alive = inner.families.get(&twin).is_some_and(|family| family.first.is_some() && !family.ending);
        let Some(session) = inner.sessions.get_mut(&sid) else { return Answer::Failed(gone()) };
        match verdict {
            Ok(report) if session.relay.is_open() => Answer::Accepted(report),
            Ok(_) => {
                let why = session.refusal().unwrap_or_else(|| "it was refused".to_owned());
                // The process is asked in the other era now: this relay has none.
                session.links.remove(&twin);
                session.relay.twin_gone(twin, &Fault::new(Code::ProbeRefused, why.clone()), self.now());
                inner.pump(self, sid, None);
                if alive { Answer::Refused(why) } else { Answer::Failed(gone()) }
            }
            Err(fault) => Answer::Failed(fault),
        }
    }
}
