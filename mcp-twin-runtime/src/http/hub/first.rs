//! The proof of a new twin over stdio: its first process is opened as SDK clients do it, with `server/discover`, and with
//! `initialize` on the same process where that is refused. The relay that it accepts is carried by it from then on.

use super::link::Link;
use super::pump::gone;
use super::{Hub, Inner, Verdict};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, TwinId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The relays of the front's own, by what they ask: `server/discover`, then `initialize`.
const DISCOVERY: usize = 0;
const INITIALIZE: usize = 1;
/// A process that says nothing for so long is still starting, or it ignores what it does not know.
const SILENCE: Duration = Duration::from_secs(5);

/// What came of one opening.
enum Answer {
    Accepted(ProbeReport),
    Refused(String),
    Failed(Fault),
}

/// A question to a process that waits for its verdict.
type Asked = oneshot::Receiver<Verdict>;

impl Hub {
    pub(super) async fn check_first(&self, twin: TwinId, force: bool) -> Result<ProbeReport, Fault> {
        let mut refusals = Vec::new();
        let (mute, known) = {
            let inner = self.lock();
            (inner.mute, inner.is_modern())
        };
        if !mute {
            let asked = self.ask_first(twin, DISCOVERY, force).ok_or_else(gone)?;
            let verdict = if known { Some(asked.await) } else { self.discovered(twin, asked, force).await };
            // Nothing at all: another process has taken its place, and has been asked already.
            if let Some(verdict) = verdict {
                match self.answer_of(twin, DISCOVERY, verdict.unwrap_or_else(|_| Err(gone()))) {
                    Answer::Accepted(report) => return self.proved(twin, report, force).await,
                    Answer::Failed(fault) => return Err(fault),
                    Answer::Refused(why) => refusals.push(format!("server/discover: {why}")),
                }
            }
        }
        let verdict = match self.opened_by(twin) {
            Some(report) => Ok(report),
            None => self.ask_first(twin, INITIALIZE, force).ok_or_else(gone)?.await.unwrap_or_else(|_| Err(gone())),
        };
        match self.answer_of(twin, INITIALIZE, verdict) {
            Answer::Accepted(report) => return self.proved(twin, report, force).await,
            Answer::Failed(fault) => return Err(fault),
            Answer::Refused(why) => refusals.push(format!("initialize: {why}")),
        }
        let message = format!("the new server accepts no opening ({})", refusals.join("; "));
        let help = "check that it speaks MCP over stdio (one that listens on a port is served without `--stdio`)";
        Err(Fault::new(Code::ProbeRefused, message).with_help(help))
    }

    async fn proved(&self, twin: TwinId, report: ProbeReport, force: bool) -> Result<ProbeReport, Fault> {
        self.try_kinds(twin, force).await?;
        Ok(report)
    }

    /// The verdict on a discovery of a server of which nothing is known. `None`: it says nothing to that, and another process
    /// of it, which was started later and was asked to `initialize`, has answered long ago.
    async fn discovered(
        &self,
        twin: TwinId,
        mut asked: Asked,
        force: bool,
    ) -> Option<Result<Verdict, oneshot::error::RecvError>> {
        if let Ok(verdict) = timeout(SILENCE, &mut asked).await {
            return Some(verdict);
        }
        let Some((number, mut other)) = self.ask_another(twin, force) else { return Some(asked.await) };
        let answered = tokio::select! {
            biased;
            verdict = &mut asked => Err(verdict),
            verdict = &mut other => Ok(matches!(verdict, Ok(Ok(_)))),
        };
        let late = match answered {
            Err(verdict) => Some(verdict),
            Ok(true) => timeout(SILENCE, &mut asked).await.ok(),
            Ok(false) => Some(asked.await),
        };
        match late {
            Some(_) => self.dismiss(twin),
            None => self.replace(twin, number),
        }
        late
    }

    /// Lets the first process of a twin carry one of the front's own relays, which proves it.
    fn ask_first(&self, twin: TwinId, at: usize, force: bool) -> Option<Asked> {
        let mut inner = self.lock();
        let first = inner.families.get(&twin)?.first?;
        inner.ask_process(self, twin, first, at, force)
    }

    /// The first process has said nothing yet: another one is asked to `initialize`.
    fn ask_another(&self, twin: TwinId, force: bool) -> Option<(u64, Asked)> {
        let mut inner = self.lock();
        let (number, _) = inner.start_process(self, twin).ok()?;
        let asked = inner.ask_process(self, twin, number, INITIALIZE, force)?;
        Some((number, asked))
    }

    /// The first process has spoken after all: the other one is not needed.
    fn dismiss(&self, twin: TwinId) {
        let mut inner = self.lock();
        if let Some(canary) = inner.own[INITIALIZE] {
            inner.untie(self, canary, twin, &gone());
            inner.pump(self, canary, None);
        }
    }

    /// The first process will not speak: the other one takes its place.
    fn replace(&self, twin: TwinId, number: u64) {
        let mut inner = self.lock();
        inner.mute = true;
        self.log(twin, "ignores `server/discover`; it is opened with `initialize`, and so are its successors");
        if let Some(family) = inner.families.get_mut(&twin) {
            family.first = Some(number);
        }
        if let Some(modern) = inner.own[DISCOVERY] {
            inner.untie(self, modern, twin, &gone());
            inner.pump(self, modern, None);
        }
    }

    /// Whether the canary is at a twin already, and was taken. What it found there was said to nobody; there was nothing to
    /// compare it with, for only a server of which nothing is known comes so far.
    fn opened_by(&self, twin: TwinId) -> Option<ProbeReport> {
        let inner = self.lock();
        let canary = inner.sessions.get(&inner.own[INITIALIZE]?)?;
        canary.relay.is_ready_at(twin).then(ProbeReport::default)
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

impl Inner {
    /// Lets a process of a twin carry one of the front's own relays.
    fn ask_process(&mut self, hub: &Hub, twin: TwinId, number: u64, at: usize, force: bool) -> Option<Asked> {
        let sid = self.own.get(at).copied().flatten()?;
        self.pipes.get_mut(&number)?.sid = Some(sid);
        if self.sessions.get(&sid).is_some_and(|own| own.heard.is_some() && !own.relay.is_open()) {
            // One before has refused it, or nobody was there to take it for longer than an opening waits.
            self.send_opening(hub, sid);
        }
        let (tx, rx) = oneshot::channel();
        self.waiters.ready.insert((sid, twin), tx);
        let session = self.sessions.get_mut(&sid)?;
        session.links.insert(twin, Link::Process(number));
        session.relay.attach(twin);
        session.relay.probe(twin, force, hub.now());
        self.pump(hub, sid, None);
        Some(rx)
    }
}
