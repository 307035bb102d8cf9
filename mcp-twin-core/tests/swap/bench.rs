//! A host that answers every effect at once and well, unless it is told otherwise.

use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::{CommandId, Generation, ProcessIdentity, Source, SourceHash, TwinId};
use mcp_twin_core::relay::diff::ListDiff;
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_core::swap::{
    Command, Effect, Event, ExitReport, HistoryEntry, Notice, Outcome, ProbeReport, Record, Swap,
};
use mcp_twin_core::time::Moment;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What the host answers otherwise than well.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// Generations whose probe fails.
    pub unhealthy: BTreeSet<u32>,
    /// Generations whose check fails.
    pub untrue: BTreeSet<u32>,
    /// Generations that end right after their spawn.
    pub stillborn: BTreeSet<u32>,
    /// Generations that break what the client was told.
    pub breaking: BTreeSet<u32>,
    /// Writes fail.
    pub full_disk: bool,
    /// Builds fail.
    pub broken_build: bool,
    /// Twins that owe answers and never finish.
    pub busy: BTreeSet<TwinId>,
    /// Names of effects that are never answered.
    pub silent: BTreeSet<&'static str>,
}

pub struct Bench {
    pub swap: Swap,
    pub options: Options,
    pub now: Moment,
    pub files: Source,
    pub manners: Manners,
    /// All effects so far.
    pub log: Vec<Effect>,
    pub replies: Vec<(CommandId, Outcome)>,
    pub disk: Option<Record>,
    pub live: BTreeSet<TwinId>,
    pub route: Option<TwinId>,
    todo: VecDeque<Event>,
    next_command: u64,
}

pub fn source(code: u32) -> Source {
    Source { hash: Some(SourceHash(u128::from(code))), generation: Generation(code) }
}

pub fn unknown(generation: u32) -> Source {
    Source { hash: None, generation: Generation(generation) }
}

pub fn exit(stderr: &str) -> ExitReport {
    ExitReport { code: Some(1), signal: None, stderr_tail: stderr.to_owned() }
}

/// Where a twin listens.
pub fn port(twin: TwinId) -> Option<u16> {
    u16::try_from(twin.0).ok().map(|twin| 8100 + twin)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Persist { .. } => "persist",
        Effect::Build { .. } => "build",
        Effect::AbandonBuild { .. } => "abandon build",
        Effect::Spawn { .. } => "spawn",
        Effect::Probe { .. } => "probe",
        Effect::Examine { .. } => "examine",
        Effect::Rehash { .. } => "rehash",
        Effect::Prepare { .. } => "prepare",
        Effect::Handover { .. } => "handover",
        Effect::EndBake { .. } => "end bake",
        Effect::Hold => "hold",
        Effect::Refuse { .. } => "refuse",
        Effect::AwaitIdle { .. } => "await idle",
        Effect::Cut { .. } => "cut",
        Effect::Drain { .. } => "drain",
        Effect::Stop { .. } => "stop",
        Effect::Sweep { .. } => "sweep",
        Effect::Reply { .. } => "reply",
        Effect::History(_) => "history",
        Effect::Notice(_) => "notice",
        Effect::Ignored(_) => "ignored",
    }
}

impl Bench {
    pub fn of(swap: Swap) -> Self {
        Self {
            swap,
            options: Options::default(),
            now: Moment::ZERO + secs(100),
            files: source(1),
            manners: Manners::default(),
            log: Vec::new(),
            replies: Vec::new(),
            disk: None,
            live: BTreeSet::new(),
            route: None,
            todo: VecDeque::new(),
            next_command: 1,
        }
    }

    /// Over stdio, with these changes to the defaults.
    pub fn stdio(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Self { options: options.clone(), ..Self::of(Swap::new(options)) }
    }

    pub fn http(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::defaults(Transport::Http);
        options.standby = mcp_twin_core::spec::Standby::OnDemand;
        options.settle = Duration::ZERO;
        change(&mut options);
        Self { options: options.clone(), ..Self::of(Swap::new(options).durable()) }
    }

    /// The same, and generation 1 serves.
    pub fn serving(mut self) -> Self {
        self.say(Command::Start);
        assert_eq!(self.active(), Some(1));
        self.log.clear();
        self.replies.clear();
        self
    }

    /// The same where a start takes this long.
    pub fn serving_after(mut self, time: Duration) -> Self {
        self.say(Command::Start);
        self.pass(time);
        assert_eq!(self.active(), Some(1));
        self
    }

    /// A command; its answer is in `replies`, if it came already.
    pub fn say(&mut self, command: Command) -> CommandId {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.tell(Event::Command { id, command, source: self.files });
        id
    }

    /// A command that is answered at once.
    #[track_caller]
    pub fn ask(&mut self, command: Command) -> Outcome {
        let id = self.say(command);
        self.reply(id)
    }

    /// The one answer to this command.
    #[track_caller]
    pub fn reply(&self, id: CommandId) -> Outcome {
        let mut all = self.replies.iter().filter(|(own, _)| *own == id);
        let first = all.next().expect("no reply").1.clone();
        assert!(all.next().is_none(), "two replies");
        first
    }

    /// A save that the watcher sees.
    pub fn save(&mut self, code: u32) {
        self.files = source(code);
        self.tell(Event::Touched);
        self.tell(Event::Changed { source: self.files });
    }

    pub fn tell(&mut self, event: Event) {
        self.todo.push_back(event);
        while let Some(event) = self.todo.pop_front() {
            self.swap.handle(event, self.now);
            self.take();
        }
    }

    /// Lets time pass, timer by timer.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..2000 {
            match self.swap.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.swap.handle_timeout(self.now);
                    let next = self.swap.poll_timeout();
                    assert!(next.is_none_or(|at| at > self.now), "a timer is overdue: {:?}", self.swap);
                    self.take();
                    while let Some(event) = self.todo.pop_front() {
                        self.swap.handle(event, self.now);
                        self.take();
                    }
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("timers fire without end: {:?}", self.swap.status());
    }

    pub fn die(&mut self, twin: TwinId) {
        self.live.remove(&twin);
        self.tell(Event::Exited { twin, exit: exit("boom") });
    }

    pub fn twin(&self) -> TwinId {
        self.swap.status().active.expect("nothing serves").twin
    }

    /// The generation that serves.
    pub fn active(&self) -> Option<u32> {
        self.swap.status().active.map(|view| view.source.generation.0)
    }

    pub fn prev(&self) -> Option<u32> {
        self.swap.status().prev.map(|view| view.source.generation.0)
    }

    pub fn state(&self) -> String {
        self.swap.status().state
    }

    pub fn stage(&self) -> Option<String> {
        self.swap.status().standby.map(|(_, stage)| stage)
    }

    pub fn degraded(&self) -> Option<Code> {
        self.swap.status().degraded.map(|fault| fault.code)
    }

    /// What was done since the last look, without what only tells.
    pub fn done(&mut self) -> Vec<&'static str> {
        let tells = ["history", "notice", "reply", "ignored"];
        std::mem::take(&mut self.log).iter().map(name).filter(|name| !tells.contains(name)).collect()
    }

    pub fn notices(&self) -> Vec<Notice> {
        let of = |effect: &Effect| match effect {
            Effect::Notice(notice) => Some(notice.clone()),
            _ => None,
        };
        self.log.iter().filter_map(of).collect()
    }

    pub fn history(&self) -> Vec<HistoryEntry> {
        let of = |effect: &Effect| match effect {
            Effect::History(entry) => Some(entry.clone()),
            _ => None,
        };
        self.log.iter().filter_map(of).collect()
    }

    pub fn take(&mut self) {
        while let Some(effect) = self.swap.poll_effect() {
            self.log.push(effect.clone());
            if !self.manners.silent.contains(name(&effect)) {
                self.answer(effect);
            }
        }
    }

    fn answer(&mut self, effect: Effect) {
        let fault = Fault::new(Code::Host, "it did not work");
        let manners = &self.manners;
        match effect {
            Effect::Persist { seq, record } => {
                if manners.full_disk {
                    self.todo.push_back(Event::PersistFailed { seq, why: "no space left on device".to_owned() });
                } else {
                    self.disk = Some(*record);
                    self.todo.push_back(Event::Persisted { seq });
                }
            }
            Effect::Build { op, .. } if manners.broken_build => {
                let fault = Fault::new(Code::BuildFailed, "the build failed").with_stderr("syntax error");
                self.todo.push_back(Event::BuildFailed { op, fault });
            }
            Effect::Build { op, .. } => self.todo.push_back(Event::Built { op, source: self.files }),
            Effect::Spawn { twin, source, .. } => {
                assert!(self.live.insert(twin), "a twin is spawned twice");
                let process = ProcessIdentity {
                    pid: twin.0 + 1000,
                    pgid: twin.0 + 1000,
                    start_time: 1,
                    boot_id: "boot".to_owned(),
                    token: "token".to_owned(),
                };
                self.todo.push_back(Event::Spawned { twin, process, port: port(twin) });
                if manners.stillborn.contains(&source.generation.0) {
                    self.live.remove(&twin);
                    self.todo.push_back(Event::Exited { twin, exit: exit("ImportError: no") });
                }
            }
            Effect::Probe { twin, .. } => {
                self.todo.push_back(Event::Probing { twin });
                let generation = self.swap.status().standby.map_or(0, |(view, _)| view.source.generation.0);
                if manners.unhealthy.contains(&generation) {
                    self.todo.push_back(Event::Unhealthy { twin, fault });
                } else if self.live.contains(&twin) {
                    let breaks = manners.breaking.contains(&generation);
                    let breaking = if breaks { vec!["tool `add` removed".to_owned()] } else { Vec::new() };
                    let diff = ListDiff { breaking, ..ListDiff::default() };
                    let report = ProbeReport { lists_hash: u64::from(generation), diff, server: None };
                    self.todo.push_back(Event::Healthy { twin, report });
                }
            }
            Effect::Examine { twin } => {
                let generation = self.swap.status().standby.map_or(0, |(view, _)| view.source.generation.0);
                let failed = manners.untrue.contains(&generation);
                self.todo.push_back(if failed {
                    Event::ExamineFailed { twin, fault: Fault::new(Code::CheckFailed, "it answers 5") }
                } else {
                    Event::Examined { twin }
                });
            }
            Effect::Rehash { twin } => {
                self.todo.push_back(Event::Hashed { twin, source: self.files, touched: false });
            }
            Effect::Prepare { twin } => self.todo.push_back(Event::Prepared { twin }),
            Effect::Handover { to, .. } => {
                if self.live.contains(&to) {
                    self.route = Some(to);
                    self.todo.push_back(Event::HandedOver { twin: to });
                } else {
                    self.todo.push_back(Event::HandoverRefused { twin: to, fault });
                }
            }
            Effect::AwaitIdle { twin } if !manners.busy.contains(&twin) => self.todo.push_back(Event::Idle { twin }),
            Effect::Drain { twin } if !manners.busy.contains(&twin) => self.todo.push_back(Event::Drained { twin }),
            Effect::Stop { twin, .. } => {
                self.live.remove(&twin);
                self.todo.push_back(Event::Exited { twin, exit: exit("") });
            }
            Effect::Sweep { keep } => self.live.retain(|twin| keep.contains(twin)),
            Effect::Reply { id, outcome } => self.replies.push((id, outcome)),
            _ => {}
        }
    }
}
