//! The matrix of servers and clients: each client keeps calling each server through a front while the server is swapped,
//! and every call is counted on both sides.

use crate::inspector::{self, Load};
use crate::project::Project;
use crate::server::Server;
use crate::talker::{Sdk, Talker};
use crate::wait::until;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::process::Stdio;
use std::time::Instant;

/// Calls that a client keeps in flight, and how long each takes.
const IN_FLIGHT: usize = 4;
const MS: &str = "100";

/// A client of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A program on an SDK.
    Sdk(Sdk),
    /// The Inspector, with its `--protocol-era`.
    Inspector(&'static str),
}

/// What a pairing comes to, with a front as without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They talk, in 2025-11-25.
    Legacy,
    /// They talk, in 2026-07-28.
    Modern,
    /// The client wants the modern era only, and the server does not have it.
    Refused,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Pairing {
    /// `server::client`.
    pub name: &'static str,
    /// The server.
    pub server: Server,
    /// The client.
    pub peer: Peer,
    /// What they come to.
    pub outcome: Outcome,
}

/// The matrix: hands every pairing to a macro, as `server: Server { client: peer => outcome, … } …`.
#[macro_export]
macro_rules! pairings {
    ($then:ident) => {
        $then! {
            python_sdk: PythonSdk {
                python_auto: Sdk(PythonAuto) => Modern,
                python_legacy: Sdk(PythonLegacy) => Legacy,
                typescript_1: Sdk(TypeScript) => Legacy,
                typescript_2_legacy: Sdk(TypeScript2Legacy) => Legacy,
                typescript_2_auto: Sdk(TypeScript2Auto) => Modern,
                rmcp_legacy: Sdk(RmcpLegacy) => Legacy,
                rmcp_auto: Sdk(RmcpAuto) => Modern,
                rmcp_modern: Sdk(RmcpModern) => Modern,
                inspector_legacy: Inspector("legacy") => Legacy,
                inspector_auto: Inspector("auto") => Modern,
                inspector_modern: Inspector("modern") => Modern,
            }
            typescript_1: TypeScriptSdk {
                python_auto: Sdk(PythonAuto) => Legacy,
                python_legacy: Sdk(PythonLegacy) => Legacy,
                typescript_1: Sdk(TypeScript) => Legacy,
                typescript_2_legacy: Sdk(TypeScript2Legacy) => Legacy,
                typescript_2_auto: Sdk(TypeScript2Auto) => Legacy,
                rmcp_legacy: Sdk(RmcpLegacy) => Legacy,
                rmcp_auto: Sdk(RmcpAuto) => Legacy,
                rmcp_modern: Sdk(RmcpModern) => Refused,
                inspector_legacy: Inspector("legacy") => Legacy,
                inspector_auto: Inspector("auto") => Legacy,
                inspector_modern: Inspector("modern") => Refused,
            }
            typescript_2: TypeScriptSdk2 {
                python_auto: Sdk(PythonAuto) => Modern,
                python_legacy: Sdk(PythonLegacy) => Legacy,
                typescript_1: Sdk(TypeScript) => Legacy,
                typescript_2_legacy: Sdk(TypeScript2Legacy) => Legacy,
                typescript_2_auto: Sdk(TypeScript2Auto) => Modern,
                rmcp_legacy: Sdk(RmcpLegacy) => Legacy,
                rmcp_auto: Sdk(RmcpAuto) => Modern,
                rmcp_modern: Sdk(RmcpModern) => Modern,
                inspector_legacy: Inspector("legacy") => Legacy,
                inspector_auto: Inspector("auto") => Modern,
                inspector_modern: Inspector("modern") => Modern,
            }
            rmcp: Rmcp {
                python_auto: Sdk(PythonAuto) => Modern,
                python_legacy: Sdk(PythonLegacy) => Legacy,
                typescript_1: Sdk(TypeScript) => Legacy,
                typescript_2_legacy: Sdk(TypeScript2Legacy) => Legacy,
                typescript_2_auto: Sdk(TypeScript2Auto) => Modern,
                rmcp_legacy: Sdk(RmcpLegacy) => Legacy,
                rmcp_auto: Sdk(RmcpAuto) => Modern,
                rmcp_modern: Sdk(RmcpModern) => Modern,
                inspector_legacy: Inspector("legacy") => Legacy,
                inspector_auto: Inspector("auto") => Modern,
                inspector_modern: Inspector("modern") => Modern,
            }
            everything: Everything {
                python_auto: Sdk(PythonAuto) => Legacy,
                python_legacy: Sdk(PythonLegacy) => Legacy,
                typescript_1: Sdk(TypeScript) => Legacy,
                typescript_2_legacy: Sdk(TypeScript2Legacy) => Legacy,
                typescript_2_auto: Sdk(TypeScript2Auto) => Legacy,
                rmcp_legacy: Sdk(RmcpLegacy) => Legacy,
                rmcp_auto: Sdk(RmcpAuto) => Legacy,
                rmcp_modern: Sdk(RmcpModern) => Refused,
                inspector_legacy: Inspector("legacy") => Legacy,
                inspector_auto: Inspector("auto") => Legacy,
                inspector_modern: Inspector("modern") => Refused,
            }
        }
    };
}

macro_rules! table {
    ($($server:ident: $kind:ident { $($client:ident: $peer:ident($which:expr) => $outcome:ident,)* })*) => {
        /// Every pairing of the matrix.
        pub const PAIRINGS: &[Pairing] = {
            use Outcome::{Legacy, Modern, Refused};
            use Sdk::*;
            &[$($(Pairing {
                name: concat!(stringify!($server), "::", stringify!($client)),
                server: Server::$kind,
                peer: Peer::$peer($which),
                outcome: $outcome,
            },)*)*]
        };
    };
}
pairings!(table);

/// What became of one pairing.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The revision that the client ended up with.
    pub protocol: String,
    /// Edits whose code answered.
    pub swaps: usize,
    /// Calls made.
    pub calls: usize,
    /// Calls without an answer.
    pub lost: usize,
    /// Calls answered with an error.
    pub failed: usize,
    /// Calls that ran more than once.
    pub twice: usize,
    /// Calls answered by another twin than the one that ran them, or that ran and were never made.
    pub misplaced: usize,
    /// How often the client was told that the list of tools changed; nobody can ask the Inspector.
    pub told: Option<usize>,
    /// How long it took.
    pub seconds: f64,
    /// The first thing that went wrong.
    pub why: Option<String>,
}

/// The headings of the columns of [`Row`].
pub const HEADINGS: &str = "| server | client | revision | swaps | calls | lost | failed | twice |
|---|---|---|---|---|---|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, swaps, calls, lost, failed, twice, .. } = self;
        write!(f, "{protocol} | {swaps} | {calls} | {lost} | {failed} | {twice} |")?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, " {why}"))
    }
}

impl Row {
    fn blame(&mut self, why: impl FnOnce() -> String) {
        self.why.get_or_insert_with(why);
    }
}

impl Pairing {
    /// The pairing of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PAIRINGS.iter().copied().find(|pairing| pairing.name == name)
    }

    /// Lets the client call while the server is edited so often, each time after the last edit's code has answered. The one
    /// in the middle changes the list of tools.
    #[must_use]
    pub fn run(&self, swaps: usize) -> Row {
        let begin = Instant::now();
        let project = Project::new(self.server);
        let command = project.front_command(self.server.flags());
        let mut row = match self.peer {
            Peer::Sdk(sdk) => self.talk(&project, sdk, &command, swaps),
            Peer::Inspector(era) => self.load(&project, era, &command, swaps),
        };
        row.seconds = begin.elapsed().as_secs_f64();
        self.finish(&project, row, swaps)
    }

    /// Lets a client on an SDK call the bare server.
    ///
    /// # Panics
    ///
    /// If the client is not on an SDK.
    #[must_use]
    pub fn run_bare(&self) -> Row {
        let project = Project::new(self.server);
        let Peer::Sdk(sdk) = self.peer else { panic!("{self:?}") };
        let row = self.talk(&project, sdk, &project.command(), 0);
        self.finish(&project, row, 0)
    }

    fn finish(&self, project: &Project, mut row: Row, swaps: usize) -> Row {
        project.nothing_left();
        let wanted = match self.outcome {
            Outcome::Modern => "2026-07-28",
            Outcome::Legacy | Outcome::Refused => "2025-11-25",
        };
        if row.protocol != wanted {
            let protocol = row.protocol.clone();
            row.blame(|| format!("{wanted} was wanted, not {protocol}"));
        }
        if row.swaps != swaps {
            let seen = row.swaps;
            row.blame(|| format!("{seen} of {swaps} swaps were seen"));
        }
        row
    }

    /// For a pairing that cannot talk: what the client says and how it ends, bare and through a front.
    #[must_use]
    pub fn refused(&self) -> [(Option<i32>, String); 2] {
        let project = Project::new(self.server);
        let outputs = [project.command(), project.front_command(self.server.flags())].map(|command| match self.peer {
            Peer::Sdk(sdk) => {
                let mut process = sdk.process(&project, &["--tool", self.tool()], &command);
                let output = process.stdin(Stdio::null()).output().expect("the client runs");
                (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Peer::Inspector(era) => {
                let (status, stdout, stderr) =
                    inspector::call(&project, era, &command, &["--method", "tools/list", "--connect-timeout", "30000"]);
                (status, stdout + &stderr)
            }
        });
        project.nothing_left();
        outputs
    }

    fn tool(&self) -> &'static str {
        if self.server == Server::Everything { "get-env" } else { "work" }
    }

    /// Makes one of so many edits, and gives its version.
    fn edit(&self, project: &Project, swap: usize, swaps: usize) -> String {
        let version = format!("v{}", swap + 1);
        // Nobody can give server-everything another tool.
        let fresh = self.server != Server::Everything && swap == swaps.div_ceil(2);
        project.replace_version(&version, if fresh { &["fresh"] } else { &[] });
        version
    }

    fn talk(&self, project: &Project, sdk: Sdk, command: &[String], swaps: usize) -> Row {
        let in_flight = IN_FLIGHT.to_string();
        let options = ["--in-flight", &in_flight, "--ms", MS, "--tool", self.tool()];
        let mut talker = Talker::start(project, sdk, &options, command);
        talker.await_line("version v1");
        for swap in 1..=swaps {
            let version = self.edit(project, swap, swaps);
            talker.await_line(&format!("version {version}"));
        }
        let told = match self.server {
            // It adds to its tools once a client has come, and says so; its next twins have the same ones.
            Server::Everything => 1,
            _ => usize::from(swaps > 0 && self.announces()),
        };
        if told > 0 {
            talker.await_line("changed");
        }
        let mut row = judged(project, &talker.stop());
        if row.told != Some(told) {
            let told = row.told;
            row.blame(|| format!("the client was told {told:?} times of another list of tools"));
        }
        row
    }

    /// Whether the client is to hear of the change in the middle.
    fn announces(&self) -> bool {
        match self.server {
            // Over a legacy session its servers say `listChanged: false`, and then a client must not be told.
            Server::PythonSdk => self.outcome == Outcome::Modern,
            _ => true,
        }
    }

    fn load(&self, project: &Project, era: &str, command: &[String], swaps: usize) -> Row {
        let arguments = format!(r#"{{"ms":{MS},"key":"load"}}"#);
        let load = Load::start(project, era, command, self.tool(), &arguments, IN_FLIGHT);
        let answered = |version: &str| {
            // Its first call may have begun and not ended, hence the second.
            let runs = project.record().all();
            (runs.iter().filter(|run| run.version == version).count() > IN_FLIGHT).then_some(())
        };
        until("calls of v1", || answered("v1"));
        let front = project.until_status("the client's revision", |front| front["protocol"].is_string());
        for swap in 1..=swaps {
            let version = self.edit(project, swap, swaps);
            until(&format!("calls of {version}"), || answered(&version));
        }
        let report = load.end();
        let runs = project.record().all();
        let versions: HashSet<&str> = runs.iter().map(|run| run.version.as_str()).collect();
        let mut row = Row {
            protocol: front["protocol"].as_str().unwrap_or_default().to_owned(),
            swaps: versions.len().saturating_sub(1),
            calls: report.requests,
            failed: report.requests - report.ok,
            // All calls look alike: one that ran twice is one more than were answered.
            twice: runs.len().saturating_sub(report.requests),
            misplaced: report.requests.saturating_sub(runs.len()),
            ..Row::default()
        };
        if !report.success || row.failed + row.twice + row.misplaced > 0 || row.calls == 0 {
            row.blame(|| format!("{} runs, and the Inspector says {}", runs.len(), report.text));
        }
        row
    }
}

/// Compares what the client saw with what the servers ran.
#[must_use]
pub fn judged(project: &Project, report: &Value) -> Row {
    let number = |name: &str| usize::try_from(report[name].as_u64().unwrap_or_default()).expect("a count");
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let (failed, answers) = (list("failed"), list("answers"));
    let mut row = Row {
        protocol: report["protocol"].as_str().unwrap_or_default().to_owned(),
        swaps: list("versions").len().saturating_sub(1),
        calls: number("calls"),
        lost: number("calls").saturating_sub(number("ok") + failed.len()),
        failed: failed.len(),
        told: Some(number("list_changed")),
        ..Row::default()
    };
    if let Some(first) = failed.first() {
        row.blame(|| first.to_string());
    }
    let mut runs: HashMap<_, _> = project.record().by_key();
    for answer in &answers {
        let run = runs.remove(answer[0].as_str().unwrap_or_default()).unwrap_or_default();
        row.twice += usize::from(run.len() > 1);
        let right = run.iter().any(|run| answer[1] == run.version.as_str() && answer[2] == run.pid);
        row.misplaced += usize::from(!right);
        if run.len() != 1 || !right {
            row.blame(|| format!("the call {answer} was run by {run:?}"));
        }
    }
    if !runs.is_empty() {
        row.misplaced += runs.len();
        row.blame(|| format!("calls ran whose answers the client never had: {:?}", runs.keys()));
    }
    let names = list("tools");
    let fresh =
        |at: usize| names.get(at).and_then(Value::as_array).is_some_and(|names| names.contains(&"fresh".into()));
    if fresh(0) || fresh(1) != (row.swaps > 0 && project.has_tools()) {
        row.blame(|| format!("lists of tools before and after: {names:?}"));
    }
    row
}

impl Row {
    /// Whether nothing went wrong.
    #[must_use]
    pub fn flawless(&self) -> bool {
        self.why.is_none() && self.calls > 0 && self.lost + self.failed + self.twice + self.misplaced == 0
    }
}
