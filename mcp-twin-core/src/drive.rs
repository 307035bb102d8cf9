//! Runs a [`Swap`] against a [`Host`], on any async runtime: what the machine wants is done by the host, what came of it
//! goes back into the machine.
//!
//! The driver owns the running twins. It never blocks: each effect is a future of its own, so a probe that takes its time
//! delays neither a newer change nor the death of another twin.

mod handle;

pub use handle::Handle;

use crate::error::Fault;
use crate::host::{HealthProbe, Host, Instance, SpawnOrder};
use crate::ids::{CommandId, OpId, PersistSeq, Source, TwinId};
use crate::swap::{Command, Effect, Event, Outcome, Record, Swap};
use futures_channel::{mpsc, oneshot};
use futures_util::future::{AbortHandle, Abortable, BoxFuture, Either, FutureExt, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use handle::{INBOX, Input};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a future of the driver brings back.
enum Done {
    Event(Event),
    /// The probe of this twin can begin.
    Wanted(TwinId),
    Spawned(TwinId, Result<Box<dyn Instance>, Fault>),
    Command(CommandId, Command, Source, Vec<Source>),
    Saved(Save, Result<(), String>),
    /// The sweep after a recovery has ended.
    Swept,
    /// Given up on purpose, or done with nothing to say.
    Nothing,
}

/// How a twin is asked to end.
type StopOrder = (Duration, Duration);

/// A record to be written, which answers for all those from `first` to `last`.
struct Save {
    first: PersistSeq,
    last: PersistSeq,
    record: Box<Record>,
}

/// One machine and its world.
pub struct Driver {
    swap: Swap,
    host: Host,
    inbox: mpsc::Receiver<Input>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// To end a running twin.
    stops: BTreeMap<TwinId, oneshot::Sender<StopOrder>>,
    /// Twins that were to be ended while they were still being spawned.
    doomed: BTreeMap<TwinId, StopOrder>,
    /// A sweep runs, and these are spawned once it has ended.
    sweeping: bool,
    unspawned: Vec<SpawnOrder>,
    /// A record is being written.
    saving: bool,
    /// The newest record that could not be written yet for that reason.
    next_save: Option<Save>,
    /// What waits for something of a twin, and is pointless once the twin is gone or has to go.
    waits: BTreeMap<TwinId, Vec<AbortHandle>>,
    bakes: BTreeMap<TwinId, AbortHandle>,
    builds: BTreeMap<OpId, AbortHandle>,
    replies: BTreeMap<CommandId, oneshot::Sender<Outcome>>,
    next_command: u64,
}

impl Driver {
    /// A driver for `swap`, and the handle that feeds it.
    #[must_use]
    pub fn new(swap: Swap, host: Host) -> (Self, Handle) {
        let (tx, inbox) = mpsc::channel(INBOX);
        let driver = Self {
            swap,
            host,
            inbox,
            work: FuturesUnordered::new(),
            stops: BTreeMap::new(),
            doomed: BTreeMap::new(),
            sweeping: false,
            unspawned: Vec::new(),
            saving: false,
            next_save: None,
            waits: BTreeMap::new(),
            bakes: BTreeMap::new(),
            builds: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_command: 0,
        };
        (driver, Handle::new(tx))
    }

    /// The same for a front that was restarted: `swap` is what [`Swap::recover`] made, `adopted` are the twins of its record
    /// that were found alive. Their ends are heard and they can be stopped, as if they had been spawned here; one that the
    /// machine does not go on with (its front died before the commit, say) is stopped at once.
    #[must_use]
    pub fn with_adopted(swap: Swap, host: Host, adopted: Vec<(TwinId, Box<dyn Instance>)>) -> (Self, Handle) {
        let (mut driver, handle) = Self::new(swap, host);
        for (twin, instance) in adopted {
            driver.mind(twin, instance);
            if !driver.swap.knows(twin) {
                let order = driver.swap.stop_order();
                driver.stop(twin, order);
            }
        }
        (driver, handle)
    }

    /// Runs until every [`Handle`] is gone. Twins that still run then are the spawner's to end.
    pub async fn run(mut self) {
        loop {
            self.perform_all();
            let clock = Arc::clone(&self.host.clock);
            let timeout = self.swap.poll_timeout();
            let timer = match timeout {
                Some(at) => async move { clock.sleep_until(at).await }.boxed(),
                None => std::future::pending().boxed(),
            };
            let work = if self.work.is_empty() {
                std::future::pending().left_future()
            } else {
                self.work.next().right_future()
            };
            // What was done comes before what is asked: an answer may make the question moot.
            match select(work, select(self.inbox.next(), timer)).await {
                Either::Left((done, _)) => {
                    if let Some(done) = done {
                        self.done(done);
                    }
                }
                Either::Right((Either::Left((Some(input), _)), _)) => self.input(input),
                Either::Right((Either::Left((None, _)), _)) => return,
                Either::Right((Either::Right(((), _)), _)) => {
                    let now = self.host.clock.now();
                    if let Some((twin, fault)) = self.swap.overdue(now) {
                        let mut fault = with_last_words(fault, &*self.host.probe, twin);
                        if let Some(obstacle) = self.host.probe.obstacle(twin) {
                            fault.message = format!("{}: {obstacle}", fault.message);
                        }
                        self.event(Event::Unhealthy { twin, fault });
                    }
                    self.swap.handle_timeout(now);
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Reconfigured(options) => self.event(Event::Reconfigured { options }),
            Input::Touched => self.event(Event::Touched),
            Input::Changed(source) => self.event(Event::Changed { source }),
            Input::Status(reply) => {
                let _ = reply.send(self.swap.status());
            }
            Input::Command(command, reply) => {
                let id = CommandId(self.next_command);
                self.next_command += 1;
                self.replies.insert(id, reply);
                let sources = Arc::clone(&self.host.sources);
                self.push(async move {
                    let source = sources.now().await;
                    let back = matches!(command, Command::Rollback { .. });
                    let served = if back { sources.served().await } else { Vec::new() };
                    Done::Command(id, command, source, served)
                });
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Nothing => {}
            Done::Command(id, command, source, served) => {
                if matches!(command, Command::Rollback { .. }) {
                    self.event(Event::Served { sources: served });
                    self.tell_copies();
                }
                self.event(Event::Command { id, command, source });
            }
            Done::Saved(Save { first, last, .. }, result) => {
                self.saving = false;
                if let Some(next) = self.next_save.take() {
                    self.save(next);
                }
                for seq in (first.0..=last.0).map(PersistSeq) {
                    self.event(match &result {
                        Ok(()) => Event::Persisted { seq },
                        Err(why) => Event::PersistFailed { seq, why: why.clone() },
                    });
                }
            }
            Done::Wanted(twin) => {
                self.event(Event::Probing { twin });
                let probe = Arc::clone(&self.host.probe);
                self.wait_for(twin, async move {
                    match probe.check(twin).await {
                        Ok(report) => Event::Healthy { twin, report },
                        Err(fault) => Event::Unhealthy { twin, fault: with_last_words(fault, &*probe, twin) },
                    }
                });
            }
            Done::Spawned(twin, Err(fault)) => {
                self.doomed.remove(&twin);
                self.event(Event::SpawnFailed { twin, fault });
            }
            Done::Spawned(twin, Ok(instance)) => {
                let (process, port) = (instance.identity(), instance.port());
                self.mind(twin, instance);
                self.event(Event::Spawned { twin, process, port });
            }
            Done::Swept => {
                self.sweeping = false;
                for order in std::mem::take(&mut self.unspawned) {
                    self.spawn(order);
                }
            }
            Done::Event(event) => {
                match &event {
                    Event::Exited { twin, .. } => {
                        self.forget(*twin);
                        self.tell_copies();
                    }
                    Event::Built { op, .. } | Event::BuildFailed { op, .. } => drop(self.builds.remove(op)),
                    _ => {}
                }
                self.event(event);
            }
        }
    }

    /// Before what may start one.
    fn tell_copies(&mut self) {
        self.event(Event::Kept { copies: self.host.sources.kept() });
    }

    fn event(&mut self, event: Event) {
        let now = self.host.clock.now();
        self.swap.handle(event, now);
        // Effects are performed before the next event goes in, so that none acts on a state that has moved on.
        self.perform_all();
    }

    /// Waits for the end of a running twin, and for the order to bring it about.
    fn mind(&mut self, twin: TwinId, mut instance: Box<dyn Instance>) {
        let (tx, rx) = oneshot::channel::<StopOrder>();
        match self.doomed.remove(&twin) {
            Some(order) => drop(tx.send(order)),
            None => drop(self.stops.insert(twin, tx)),
        }
        self.push(async move {
            let order = match select(instance.exited(), rx).await {
                Either::Left((exit, _)) => return Done::Event(Event::Exited { twin, exit }),
                Either::Right((order, _)) => order,
            };
            let exit = match order {
                Ok((term, kill)) => instance.stop(term, kill).await,
                Err(_) => instance.exited().await,
            };
            Done::Event(Event::Exited { twin, exit })
        });
    }

    fn stop(&mut self, twin: TwinId, order: StopOrder) {
        match self.stops.remove(&twin) {
            Some(stop) => drop(stop.send(order)),
            None => drop(self.doomed.insert(twin, order)),
        }
    }

    fn spawn(&mut self, order: SpawnOrder) {
        let host = self.host.clone();
        self.push(async move {
            host.sources.mark(order.twin).await;
            Done::Spawned(order.twin, host.spawner.spawn(&order).await)
        });
    }

    fn perform_all(&mut self) {
        while let Some(effect) = self.swap.poll_effect() {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let host = self.host.clone();
        match effect {
            Effect::Persist { seq, record } => self.save(Save { first: seq, last: seq, record }),
            Effect::Build { op, source: _ } => {
                let (abort, registration) = AbortHandle::new_pair();
                self.builds.insert(op, abort);
                let build = async move {
                    match host.sources.build(op).await {
                        Ok(source) => Done::Event(Event::Built { op, source }),
                        Err(fault) => Done::Event(Event::BuildFailed { op, fault }),
                    }
                };
                self.push(Abortable::new(build, registration).map(|done| done.unwrap_or(Done::Nothing)));
            }
            Effect::AbandonBuild { op } => {
                if let Some(abort) = self.builds.remove(&op) {
                    abort.abort();
                }
            }
            Effect::Spawn { twin, slot, source, kept } => {
                let order = SpawnOrder { twin, slot, source, kept };
                if self.sweeping { self.unspawned.push(order) } else { self.spawn(order) }
            }
            Effect::Probe { twin, force } => {
                let (abort, registration) = AbortHandle::new_pair();
                self.waits.entry(twin).or_default().push(abort);
                let wanted = async move {
                    host.probe.begin(twin, force).await;
                    Done::Wanted(twin)
                };
                self.push(Abortable::new(wanted, registration).map(|done| done.unwrap_or(Done::Nothing)));
            }
            Effect::Examine { twin } => self.wait_for(twin, async move {
                match host.probe.examine(twin).await {
                    Ok(()) => Event::Examined { twin },
                    Err(fault) => Event::ExamineFailed { twin, fault: with_last_words(fault, &*host.probe, twin) },
                }
            }),
            Effect::Rehash { twin } => self.wait_for(twin, async move {
                let (source, touched) = host.sources.compare(twin).await;
                Event::Hashed { twin, source, touched }
            }),
            Effect::Prepare { twin } => self.wait_for(twin, async move {
                match host.traffic.prepare(twin).await {
                    Ok(()) => Event::Prepared { twin },
                    Err(fault) => Event::PrepareFailed { twin, fault },
                }
            }),
            Effect::Handover { from, to, bake } => {
                if bake {
                    let (abort, registration) = AbortHandle::new_pair();
                    self.bakes.insert(to, abort);
                    let traffic = Arc::clone(&host.traffic);
                    let trial = async move {
                        let fault = traffic.bake_failed(to).await;
                        Done::Event(Event::BakeFailed { twin: to, fault })
                    };
                    self.push(Abortable::new(trial, registration).map(|done| done.unwrap_or(Done::Nothing)));
                }
                // Not aborted with the twin: the machine always hears how a handover ended.
                self.push(async move {
                    Done::Event(match host.traffic.handover(from, to, bake).await {
                        Ok(()) => Event::HandedOver { twin: to },
                        Err(fault) => Event::HandoverRefused { twin: to, fault },
                    })
                });
            }
            Effect::EndBake { twin } => {
                if let Some(abort) = self.bakes.remove(&twin) {
                    abort.abort();
                }
                host.traffic.end_bake(twin);
            }
            Effect::Hold => host.traffic.hold(),
            Effect::Refuse { fault } => host.traffic.refuse(&fault),
            Effect::AwaitIdle { twin } => self.wait_for(twin, async move {
                host.traffic.idle(twin).await;
                Event::Idle { twin }
            }),
            Effect::Cut { twin, fault } => host.traffic.cut(twin, &fault),
            Effect::Drain { twin } => self.wait_for(twin, async move {
                host.traffic.drained(twin).await;
                Event::Drained { twin }
            }),
            Effect::Stop { twin, term, kill } => {
                self.give_up_waits(twin);
                self.stop(twin, (term, kill));
            }
            Effect::Sweep { keep } => {
                self.sweeping = true;
                self.push(async move {
                    host.spawner.sweep(&keep).await;
                    Done::Swept
                });
            }
            Effect::Reply { id, outcome } => {
                if let Some(reply) = self.replies.remove(&id) {
                    let _ = reply.send(outcome);
                }
            }
            Effect::History(entry) => self.push(async move {
                host.store.history(&entry).await;
                Done::Nothing
            }),
            Effect::Notice(notice) => host.observer.notice(&notice),
            Effect::Ignored(why) => host.observer.ignored(why),
        }
    }

    /// One write at a time, so that no store can leave an older record behind a newer one. Of those that wait only the
    /// newest is written: it holds all that the others held, and answers for them.
    fn save(&mut self, mut save: Save) {
        if self.saving {
            if let Some(older) = self.next_save.take() {
                save.first = older.first;
            }
            self.next_save = Some(save);
            return;
        }
        self.saving = true;
        let store = Arc::clone(&self.host.store);
        self.push(async move {
            let result = store.save(&save.record).await;
            Done::Saved(save, result)
        });
    }

    /// Runs what waits for something of a twin; given up when the twin is gone.
    fn wait_for(&mut self, twin: TwinId, future: impl Future<Output = Event> + Send + 'static) {
        let (abort, registration) = AbortHandle::new_pair();
        let waits = self.waits.entry(twin).or_default();
        waits.retain(|wait| !wait.is_aborted());
        waits.push(abort);
        self.push(Abortable::new(future, registration).map(|event| event.map_or(Done::Nothing, Done::Event)));
    }

    fn forget(&mut self, twin: TwinId) {
        self.stops.remove(&twin);
        self.doomed.remove(&twin);
        self.give_up_waits(twin);
        if let Some(bake) = self.bakes.remove(&twin) {
            bake.abort();
        }
    }

    fn give_up_waits(&mut self, twin: TwinId) {
        for wait in self.waits.remove(&twin).into_iter().flatten() {
            wait.abort();
        }
    }

    fn push(&mut self, future: impl Future<Output = Done> + Send + 'static) {
        self.work.push(future.boxed());
    }
}

/// The fault with the last lines of the twin's stderr, if it has none yet.
fn with_last_words(fault: Fault, probe: &dyn HealthProbe, twin: TwinId) -> Fault {
    if fault.stderr_tail.is_empty() { fault.with_stderr(probe.last_words(twin)) } else { fault }
}
