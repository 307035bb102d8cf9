//! The process of a session at a twin, from the wish for one to its end: started only while the files hold the twin's own
//! code, two at a time, again when it died, and not for ever.

use super::link::Link;
use super::processes::SameCode;
use super::{Gate, Hub, Inner, Kind, Sid};
use mcp_twin_core::relay::Vouched;
use mcp_twin_core::{Code, Fault, TwinId};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};

/// So many deaths in a row before its session was opened, and a process is not started again for it until the code changes.
const FAILURES: u32 = 3;
/// Deaths of this long count together; after so many a process is started only for a message.
const TOGETHER: (Duration, u32) = (Duration::from_secs(60), 5);
/// A process that says nothing for so long does not keep others from being started.
const SLOW: Duration = Duration::from_secs(10);
/// How often it is looked whether code was found good or not.
const LOOK: Duration = Duration::from_millis(50);
/// How long files may differ from the serving code before a reload begins, beyond the time in which a save counts.
const UNSEEN: Duration = Duration::from_secs(2);

/// How the processes of one session have ended of late.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    last: Option<Instant>,
    /// Within a minute of each other.
    count: u32,
    /// In a row, before the session was opened.
    failed: u32,
    /// None is started at this twin any more.
    pub(super) barred: Option<TwinId>,
}

impl Deaths {
    fn note(&mut self, starting: bool) {
        let now = Instant::now();
        let fresh = self.last.is_some_and(|last| now - last < TOGETHER.0);
        self.count = if fresh { self.count + 1 } else { 1 };
        self.failed = if starting { self.failed + 1 } else { 0 };
        self.last = Some(now);
    }

    /// The session was opened.
    pub(super) fn opened(&mut self) {
        self.failed = 0;
    }

    /// Whether there were so many that nothing is started without need.
    pub(super) fn are_many(&self) -> bool {
        self.count > TOGETHER.1 && self.last.is_some_and(|last| last.elapsed() < TOGETHER.0)
    }

    /// How long the next one has to wait.
    fn pause(&self, first: Duration, longest: Duration) -> Duration {
        let recent = self.last.is_some_and(|last| last.elapsed() < TOGETHER.0);
        match self.count.checked_sub(2).filter(|_| recent) {
            Some(times) => first.saturating_mul(2_u32.saturating_pow(times.min(16))).min(longest),
            None => Duration::ZERO,
        }
    }
}

/// Why no process was started.
enum NotStarted {
    /// Nobody wants it any more.
    Unwanted,
    /// The session is to go to another twin by now.
    Moved,
    /// For this reason.
    Fault(Fault),
}

impl Inner {
    /// Ties a session to a twin, where its relay proves it.
    pub(super) fn tie(&mut self, hub: &Hub, sid: Sid, twin: TwinId, vouched: Option<&Vouched>, force: bool) {
        if hub.processes().is_some() {
            // One that the twin has refused before.
            self.untie(hub, sid, twin, &gone());
            let number = self.number();
            let Some(session) = self.sessions.get_mut(&sid) else { return };
            let options = hub.options();
            let pause = session.deaths.pause(options.backoff, options.backoff_max);
            session.links.insert(twin, Link::Process(number));
            tokio::spawn(hub.clone().start_member(sid, twin, number, pause));
        }
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        session.links.entry(twin).or_insert_with(|| Link::Posts(Box::default()));
        match vouched {
            Some(vouched) => session.relay.attach_vouched(twin, vouched),
            None => session.relay.attach(twin),
        }
        session.relay.probe(twin, force, hub.now());
    }

    fn wants(&self, sid: Sid, twin: TwinId, number: u64) -> bool {
        let link = self.sessions.get(&sid).and_then(|session| session.links.get(&twin));
        link.and_then(Link::process) == Some(number)
    }

    /// Whether a session is only there to try how new code takes one of its kind.
    fn is_trial(&self, sid: Sid) -> bool {
        let canary = self.sessions.get(&sid).is_some_and(|session| session.kind == Kind::Canary);
        canary && !self.own.contains(&Some(sid))
    }

    /// Whether a session that is on its way to a twin over stdio is not to go there any more.
    pub(super) fn has_moved(&self, hub: &Hub, sid: Sid, twin: TwinId) -> bool {
        let session = self.sessions.get(&sid).filter(|session| matches!(session.kind, Kind::Client(_)));
        let on_its_way = session.is_some_and(|session| session.moving == Some(twin));
        hub.processes().is_some() && on_its_way && matches!(self.gate, Gate::Open) && self.active != Some(twin)
    }

    /// The process of a session has ended.
    pub(super) fn member_left(&mut self, hub: &Hub, sid: Sid, twin: TwinId, fault: &Fault) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        let own = self.own.contains(&Some(sid));
        let client = matches!(session.kind, Kind::Client(_));
        let starting = session.moving == Some(twin);
        // The twin that it was about to leave is one that it leaves no more, until it is on its way again.
        let left = if starting {
            session.moving = None;
            session.leaving.take()
        } else {
            None
        };
        let name = session.name();
        self.untie(hub, sid, twin, fault);
        self.pump(hub, sid, None);
        // One of the front's own is needed where requests go; before that its end is the verdict on its twin.
        let needed = client || (own && self.active == Some(twin));
        if self.families.get(&twin).is_some_and(|family| !family.ending) && needed {
            hub.log(twin, &format!("the process of {name} ended: {}", fault.message));
            self.crashed_on_trial(twin, fault);
            self.start_again(hub, sid, twin, starting, left, fault);
        }
        if let Some(left) = left {
            self.passed(left);
        }
    }

    fn start_again(&mut self, hub: &Hub, sid: Sid, twin: TwinId, starting: bool, left: Option<TwinId>, fault: &Fault) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        session.deaths.note(starting);
        if starting && session.deaths.failed >= FAILURES {
            session.deaths.barred = Some(twin);
            (session.moving, session.leaving) = (Some(twin), left);
            let help = "repair it and save; `mcp-twin logs` shows what it said";
            let message =
                format!("{FAILURES} processes in a row ended before they had taken the session: {}", fault.message);
            self.session_refused(hub, sid, twin, Fault { message, help: Some(help.to_owned()), ..fault.clone() });
            return self.pump(hub, sid, None);
        }
        if self.own.contains(&Some(sid)) {
            session.moving = Some(twin);
            self.tie(hub, sid, twin, None, false);
            self.pump(hub, sid, None);
        } else {
            self.follow(hub, sid, starting);
        }
    }

    /// A session is not to go to this twin, or not yet: it finds its way anew.
    pub(super) fn turn_round(&mut self, hub: &Hub, sid: Sid, twin: TwinId) {
        let session = self.sessions.get_mut(&sid).filter(|session| session.moving == Some(twin));
        let left = session.map(|session| {
            session.moving = None;
            session.leaving.take()
        });
        self.untie(hub, sid, twin, &gone());
        self.pump(hub, sid, None);
        if let Some(left) = left {
            self.follow(hub, sid, true);
            // Only now: it may be about to leave the same twin again.
            left.into_iter().for_each(|left| self.passed(left));
        }
    }

    fn not_started(&mut self, hub: &Hub, sid: Sid, twin: TwinId, why: NotStarted) {
        match why {
            NotStarted::Unwanted => {}
            NotStarted::Moved => self.turn_round(hub, sid, twin),
            NotStarted::Fault(fault) => {
                self.untie(hub, sid, twin, &fault);
                self.pump(hub, sid, None);
                // Where its relay had not begun yet nobody has heard of it.
                self.session_refused(hub, sid, twin, fault);
                self.pump(hub, sid, None);
            }
        }
    }
}

impl Hub {
    async fn start_member(self, sid: Sid, twin: TwinId, number: u64, pause: Duration) {
        sleep(pause).await;
        let admitted = self.admitted(sid, twin, number).await;
        let mut inner = self.lock();
        let started = admitted.and_then(|place| {
            let processes = self.processes().ok_or(NotStarted::Unwanted)?;
            if !inner.wants(sid, twin, number) {
                return Err(NotStarted::Unwanted);
            }
            if inner.families.get(&twin).is_none_or(|family| family.ending) {
                return Err(NotStarted::Fault(gone()));
            }
            processes.start(twin, number).map(|started| (place, started)).map_err(NotStarted::Fault)
        });
        let (place, started) = match started {
            Ok(started) => started,
            Err(why) => return inner.not_started(&self, sid, twin, why),
        };
        if let Err(error) = inner.join(&self, number, (sid, twin), started, place) {
            let fault = Fault::new(Code::SpawnFailed, format!("its pipes could not be set up: {error}"));
            return inner.not_started(&self, sid, twin, NotStarted::Fault(fault));
        }
        if inner.own.contains(&Some(sid))
            && let Some(family) = inner.families.get_mut(&twin)
        {
            family.first = Some(number);
        }
        inner.pump(&self, sid, None);
    }

    /// Waits for the turn of a process, and until the files hold the code of its twin.
    async fn admitted(&self, sid: Sid, twin: TwinId, number: u64) -> Result<Option<OwnedSemaphorePermit>, NotStarted> {
        let Some(processes) = self.processes() else { return Err(NotStarted::Unwanted) };
        let options = self.options();
        let begun = Instant::now();
        let mut unseen_since = None;
        loop {
            let turn = timeout(SLOW, self.shared.starts.clone().acquire_owned()).await;
            let turn = turn.ok().and_then(Result::ok);
            {
                let inner = self.lock();
                if !inner.wants(sid, twin, number) {
                    return Err(NotStarted::Unwanted);
                }
                if inner.has_moved(self, sid, twin) {
                    return Err(NotStarted::Moved);
                }
            }
            let code = processes.same_code(twin).await;
            let waits = self.lock().active == Some(twin);
            if !waits && self.lock().is_trial(sid) {
                // New code is being proved: whether it is still the one that was to be is looked at when it is done.
                return Ok(turn);
            }
            // What is being looked at may become the code that serves: only a session on its way there waits for that.
            match code {
                SameCode::Yes => return Ok(turn),
                SameCode::No(fault) => return Err(NotStarted::Fault(fault)),
                SameCode::InQuestion if waits && begun.elapsed() < options.start_timeout + options.watch_max => {
                    unseen_since = None;
                }
                SameCode::InQuestion => return Err(NotStarted::Fault(changed())),
                SameCode::Unseen(fault) => {
                    let since = *unseen_since.get_or_insert_with(Instant::now);
                    if !waits || since.elapsed() > options.watch_max + UNSEEN {
                        return Err(NotStarted::Fault(fault));
                    }
                }
            }
            drop(turn);
            sleep(LOOK).await;
        }
    }

    /// The process of a session has taken it. What it runs is looked at once more: a save in the moment in which it was
    /// started would else serve unproved.
    pub(super) async fn confirm(self, sid: Sid, twin: TwinId, number: u64) {
        let Some(processes) = self.processes() else { return };
        let code = processes.same_code(twin).await;
        let mut inner = self.lock();
        if !inner.wants(sid, twin, number) {
            return;
        }
        match code {
            SameCode::Yes => inner.session_ready(&self, sid, twin),
            // It waits for the code that is to serve, or is told why there is none: as if it had not been started.
            SameCode::InQuestion | SameCode::Unseen(_) | SameCode::No(_) => {
                self.log(twin, "the files were changed while a process of it was started, which is ended therefore");
                inner.turn_round(&self, sid, twin);
            }
        }
        inner.pump(&self, sid, None);
    }
}

/// The code of a twin is no longer on the disk.
fn changed() -> Fault {
    Fault::new(
        Code::CodeGone,
        "the files hold other code by now, so that no further process of this code can be started",
    )
}

/// Why there is no process.
fn gone() -> Fault {
    Fault::new(Code::Crashed, "its process was ended")
}
