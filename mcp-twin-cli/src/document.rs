//! The JSON documents of `--json`. Field names are a promise: they are added to, never renamed. Every document has
//! `exit`, the exit status of the command.

pub(crate) mod config;
pub(crate) mod notify;
pub(crate) mod wiring;

use mcp_twin_core::control::{Figures, FrontStatus, TwinLoad};
use mcp_twin_core::error::Fault;
use mcp_twin_core::relay::diff::{ListDiff, ListKind, Tokens};
use mcp_twin_core::swap::{Outcome, ProbeReport, TwinView};
use mcp_twin_runtime::fronts::FrontAddress;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A command that came to nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) exit: u8,
    pub(crate) error: Error,
}

/// What went wrong, in words.
#[derive(Debug, Serialize)]
pub(crate) struct Error {
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<String>,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code.to_string(), message: fault.message, advice: fault.help.into_iter().collect() }
    }
}

/// `completions`
#[derive(Debug, Serialize)]
pub(crate) struct Completions<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) shell: String,
    pub(crate) script: Cow<'a, str>,
}

/// `start`
#[derive(Debug, Serialize)]
pub(crate) struct Started<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) front: Front<'a>,
}

/// `logs`
#[derive(Debug, Serialize)]
pub(crate) struct Logs<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) server: &'a str,
    pub(crate) folder: Cow<'a, str>,
    pub(crate) lines: Vec<String>,
}

/// `history`
#[derive(Debug, Serialize)]
pub(crate) struct History<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) server: &'a str,
    pub(crate) lines: Vec<mcp_twin_runtime::history::HistoryLine>,
}

/// One line of `logs --follow`
#[derive(Debug, Serialize)]
pub(crate) struct LogLine<'a> {
    pub(crate) server: &'a str,
    pub(crate) line: &'a str,
}

/// `status`
#[derive(Debug, Serialize)]
pub(crate) struct Statuses<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) fronts: Vec<Front<'a>>,
    /// Fronts that run and did not answer.
    pub(crate) silent: Vec<Silent<'a>>,
    /// Names of servers that clients have configured and that do not run; empty where one server was asked for.
    pub(crate) available: Vec<String>,
}

/// Which front a part of a document is about.
#[derive(Debug, Serialize)]
pub(crate) struct Whose<'a> {
    pub(crate) server: &'a str,
    pub(crate) root: Cow<'a, str>,
    pub(crate) front: &'a str,
    pub(crate) front_pid: u32,
}

impl<'a> From<&'a FrontAddress> for Whose<'a> {
    fn from(front: &'a FrontAddress) -> Self {
        Self { server: &front.server, root: front.root.to_string_lossy(), front: &front.front, front_pid: front.pid }
    }
}

/// A front that did not answer.
#[derive(Debug, Serialize)]
pub(crate) struct Silent<'a> {
    #[serde(flatten)]
    pub(crate) whose: Whose<'a>,
    pub(crate) error: Error,
}

/// A front that answered `status`.
#[derive(Debug, Serialize)]
pub(crate) struct Front<'a> {
    pub(crate) server: &'a str,
    pub(crate) display: Option<&'a str>,
    pub(crate) root: &'a str,
    pub(crate) command: &'a [String],
    pub(crate) cwd: &'a str,
    pub(crate) transport: &'a str,
    /// Over HTTP: the server itself is spoken to over stdio.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stdio_twins: bool,
    pub(crate) front: &'a str,
    pub(crate) front_pid: u32,
    pub(crate) release: &'a str,
    /// Seconds since 1970.
    pub(crate) started: i64,
    /// `stopped`, `starting`, `serving`, `handoff`, `down`.
    pub(crate) state: &'a str,
    pub(crate) active: Option<Twin>,
    pub(crate) standby: Option<Twin>,
    /// `building`, `spawning`, `warming`, `verified`, `committing`.
    pub(crate) standby_stage: Option<&'a str>,
    pub(crate) previous: Option<Twin>,
    /// The verified twin of the same code that takes over should the active one die.
    pub(crate) warm: Option<Twin>,
    pub(crate) retiring: Vec<Twin>,
    /// The active twin is on trial.
    pub(crate) baking: bool,
    /// Why the newest code does not serve.
    pub(crate) degraded: Option<&'a Fault>,
    /// What the waiting standby would change.
    pub(crate) waiting: Option<Changes<'a>>,
    pub(crate) swaps: u32,
    pub(crate) last_swap_ms_ago: Option<u64>,
    pub(crate) client: Option<&'a str>,
    pub(crate) protocol: Option<&'a str>,
    pub(crate) stale_lists: &'a [String],
    /// Where clients reach it, over HTTP.
    pub(crate) url: Option<&'a str>,
    /// Sessions of clients, over HTTP.
    pub(crate) sessions: Option<usize>,
    pub(crate) in_flight: usize,
    pub(crate) held: usize,
    /// What was counted of the calls; none of a front of an older release.
    pub(crate) figures: Option<&'a Figures>,
    pub(crate) watched: Option<usize>,
    /// Every setting that is no default, and where it comes from.
    pub(crate) settings: &'a [mcp_twin_core::control::Setting],
    pub(crate) warnings: &'a [String],
    pub(crate) log: Option<&'a str>,
    pub(crate) stderr_tail: &'a str,
}

/// A twin.
#[derive(Debug, Serialize)]
pub(crate) struct Twin {
    /// `A`, `B`, `+`.
    pub(crate) slot: String,
    pub(crate) generation: u32,
    pub(crate) pid: Option<u32>,
    pub(crate) port: Option<u16>,
    /// 32 hexadecimal digits, where the files are known.
    pub(crate) source: Option<String>,
    /// How many processes it has; this and what follows in `status` only, and where the system says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<usize>,
    /// Their resident memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<u64>,
    /// The time of a processor that they have taken, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_ms: Option<u64>,
}

/// What differs in the lists.
#[derive(Debug, Serialize)]
pub(crate) struct Changes<'a> {
    /// By `tools`, `prompts`, `resources`, `templates`: only those that differ.
    pub(crate) lists: BTreeMap<&'static str, Change<'a>>,
    pub(crate) breaking: &'a [String],
    /// What the lists cost a model that reads them, `before` and `after`: an estimate. Only where something differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Tokens>,
}

/// What differs in one list.
#[derive(Debug, Serialize)]
pub(crate) struct Change<'a> {
    pub(crate) added: &'a [String],
    pub(crate) removed: &'a [String],
    pub(crate) changed: &'a [String],
}

/// `reload`, `swap`, `rollback`, `stop`
#[derive(Debug, Serialize)]
pub(crate) struct Acts<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) results: Vec<Act<'a>>,
}

/// `call`
#[derive(Debug, Serialize)]
pub(crate) struct Called<'a> {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    #[serde(flatten)]
    pub(crate) whose: Whose<'a>,
    pub(crate) tool: &'a str,
    /// Whether the standby was asked.
    pub(crate) standby: bool,
    /// The twin that answered.
    pub(crate) twin: Twin,
    /// What the tool answered, as it is.
    pub(crate) result: Option<&'a serde_json::Value>,
    /// The JSON-RPC error with which the server refused.
    pub(crate) error: Option<&'a serde_json::Value>,
    pub(crate) ms: u64,
}

/// What one front answered.
#[derive(Debug, Serialize)]
pub(crate) struct Act<'a> {
    #[serde(flatten)]
    pub(crate) whose: Whose<'a>,
    pub(crate) exit: u8,
    /// `started`, `verified`, `swapped`, `nothing_newer`, `rolled_back`, `stopped`, `failed`, `superseded`, `no_answer`.
    pub(crate) outcome: &'static str,
    pub(crate) active: Option<Twin>,
    /// The standby that waits.
    pub(crate) standby: Option<Twin>,
    /// Who served before.
    pub(crate) previous: Option<Twin>,
    /// Who was ended by `stop`.
    pub(crate) ended: Vec<Twin>,
    pub(crate) changes: Option<Changes<'a>>,
    /// Why it failed or was rolled back.
    pub(crate) fault: Option<Cow<'a, Fault>>,
    /// The generation that took this one's place.
    pub(crate) superseded_by: Option<u32>,
}

impl From<&TwinView> for Twin {
    fn from(view: &TwinView) -> Self {
        Self {
            slot: view.slot.to_string(),
            generation: view.source.generation.0,
            pid: view.pid,
            port: view.port,
            source: view.source.hash.map(|hash| hash.to_string()),
            processes: None,
            memory: None,
            cpu_ms: None,
        }
    }
}

impl Twin {
    /// A twin with what it takes of the machine.
    fn under(view: &TwinView, loads: &[TwinLoad]) -> Self {
        let load = loads.iter().find(|load| load.twin == view.twin);
        Self {
            processes: load.map(|load| load.processes),
            memory: load.map(|load| load.memory),
            cpu_ms: load.map(|load| load.cpu_ms),
            ..Self::from(view)
        }
    }
}

impl<'a> From<&'a ListDiff> for Changes<'a> {
    fn from(diff: &'a ListDiff) -> Self {
        let name = |kind| match kind {
            ListKind::Tools => "tools",
            ListKind::Prompts => "prompts",
            ListKind::Resources => "resources",
            ListKind::Templates => "templates",
        };
        let lists = diff.lists.iter().map(|(kind, diff)| {
            (name(*kind), Change { added: &diff.added, removed: &diff.removed, changed: &diff.changed })
        });
        Self { lists: lists.collect(), breaking: &diff.breaking, tokens: diff.tokens }
    }
}

impl<'a> From<&'a ProbeReport> for Changes<'a> {
    fn from(report: &'a ProbeReport) -> Self {
        Self::from(&report.diff)
    }
}

impl<'a> From<&'a FrontStatus> for Front<'a> {
    fn from(status: &'a FrontStatus) -> Self {
        let swap = &status.swap;
        let twin = |view: &TwinView| Twin::under(view, &status.loads);
        Self {
            server: &status.server,
            display: status.display.as_deref(),
            root: &status.root,
            command: &status.command,
            cwd: &status.cwd,
            transport: &status.transport,
            stdio_twins: status.stdio_twins,
            front: &status.front,
            front_pid: status.pid,
            release: &status.release,
            started: status.started,
            state: &swap.state,
            active: swap.active.as_ref().map(twin),
            standby: swap.standby.as_ref().map(|(standby, _)| twin(standby)),
            standby_stage: swap.standby.as_ref().map(|(_, stage)| stage.as_str()),
            previous: swap.prev.as_ref().map(twin),
            warm: swap.warm.as_ref().filter(|_| swap.warm_ready).map(twin),
            retiring: swap.retiring.iter().map(twin).collect(),
            baking: swap.baking,
            degraded: swap.degraded.as_ref(),
            waiting: swap.waiting.as_ref().map(Changes::from),
            swaps: swap.swaps,
            last_swap_ms_ago: status.last_swap_ms_ago,
            client: status.client.as_deref(),
            protocol: status.protocol.as_deref(),
            stale_lists: &status.stale_lists,
            url: status.url.as_deref(),
            sessions: status.sessions,
            in_flight: status.in_flight,
            held: status.held,
            figures: status.figures.as_ref(),
            watched: status.watched,
            settings: &status.settings,
            warnings: &status.warnings,
            log: status.log.as_deref(),
            stderr_tail: &status.stderr_tail,
        }
    }
}

impl<'a> Act<'a> {
    /// An answer with nothing in it yet.
    fn bare(front: &'a FrontAddress, outcome: &'static str, exit: u8) -> Self {
        Self {
            whose: front.into(),
            exit,
            outcome,
            active: None,
            standby: None,
            previous: None,
            ended: Vec::new(),
            changes: None,
            fault: None,
            superseded_by: None,
        }
    }

    /// The outcome that a front told.
    pub(crate) fn outcome(front: &'a FrontAddress, outcome: &'a Outcome, exit: u8) -> Self {
        let bare = |name| Self::bare(front, name, exit);
        match outcome {
            Outcome::Started { active } => Self { active: Some(active.into()), ..bare("started") },
            Outcome::Verified { active, standby, report } => Self {
                active: active.as_ref().map(Twin::from),
                standby: Some(standby.into()),
                changes: Some(report.into()),
                ..bare("verified")
            },
            Outcome::Swapped { previous, active, diff } => Self {
                active: Some(active.into()),
                previous: previous.as_ref().map(Twin::from),
                changes: Some(diff.into()),
                ..bare("swapped")
            },
            Outcome::NothingNewer { active } => Self { active: Some(active.into()), ..bare("nothing_newer") },
            Outcome::RolledBack { left, active, why } => Self {
                active: Some(active.into()),
                previous: left.as_ref().map(Twin::from),
                fault: why.as_ref().map(Cow::Borrowed),
                ..bare("rolled_back")
            },
            Outcome::Stopped { ended } => Self { ended: ended.iter().map(Twin::from).collect(), ..bare("stopped") },
            Outcome::Failed { active, fault } => {
                Self { active: active.as_ref().map(Twin::from), fault: Some(Cow::Borrowed(fault)), ..bare("failed") }
            }
            Outcome::Superseded { by } => Self { superseded_by: Some(by.0), ..bare("superseded") },
        }
    }

    /// The front could not do it.
    pub(crate) fn fault(front: &'a FrontAddress, fault: &'a Fault, exit: u8) -> Self {
        Self { fault: Some(Cow::Borrowed(fault)), ..Self::bare(front, "failed", exit) }
    }

    /// The front did not answer.
    pub(crate) fn silent(front: &'a FrontAddress, fault: Fault, exit: u8) -> Self {
        Self { fault: Some(Cow::Owned(fault)), ..Self::bare(front, "no_answer", exit) }
    }
}
