//! The steps of the demo, in order. Each one has a deadline, and each one is told when it is done.

use super::client::{Answer, Client, Ledger, Tool, Waited};
use super::report::{Progress, Report};
use super::stage::{Front, Stage, interrupted};
use crate::act;
use crate::failure::Failure;
use crate::render::ago::measured;
use crate::render::fault;
use crate::render::style::harmless;
use mcp_twin_core::control::{Answer as Told, Ask, FrontStatus};
use mcp_twin_core::swap::Outcome;
use mcp_twin_runtime::fronts;
use mcp_twin_runtime::home::Home;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From one quick call to the next.
const PACE: Duration = Duration::from_millis(20);
/// No step takes longer than this.
const PATIENCE: Duration = Duration::from_secs(20);
/// An answer that has not come by then, with nothing else going on, is lost.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Why the story did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Ctrl-C.
    Interrupted,
    /// A step failed.
    Said(String),
}

impl Trouble {
    /// The failure of the command; `stderr` is what the front wrote.
    pub(crate) fn into_failure(self, stderr: &str) -> Failure {
        match self {
            Self::Interrupted => Failure::refused("demo::interrupted", "interrupted; nothing was left behind"),
            Self::Said(what) => {
                let said = fault::telling(stderr).join("\n");
                let failure = Failure::refused("demo::failed", what);
                if said.is_empty() { failure } else { failure.advise("the front's stderr", format!("\n{said}")) }
            }
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Said(format!("the demo cannot go on: {error}"))
    }
}

/// Plays the whole of it.
pub(crate) fn play(stage: &Stage, program: &Path, progress: &mut Progress) -> Result<Report, Trouble> {
    let mut arguments: Vec<String> = ["run", "--name", "demo", "--bake", "500ms", "--"].map(str::to_owned).into();
    arguments.extend(stage.server());
    progress.begin(&stage.server().join(" "));
    let (front, input, output) = stage.start(program, &arguments)?;
    let mut play = Play { stage, client: Client::new(input, output), front, progress, report: Report::default() };
    play.connect()?;
    let stop = AtomicBool::new(false);
    let client = &play.client;
    std::thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| keep_calling(client, &stop));
        Steps { stage, client, progress: play.progress, report: &mut play.report }.all()
    })?;
    play.finish()
}

/// The client sends one call after the other, whatever happens to the server.
fn keep_calling(client: &Client, stop: &AtomicBool) {
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        client.call(Tool::Version);
        due += PACE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Ends the calling thread also when a step fails or panics: its scope would wait for it for ever.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everything on the stage. The client goes first, so that the front sees the end of its stdin.
struct Play<'a> {
    stage: &'a Stage,
    client: Client,
    front: Front,
    progress: &'a mut Progress,
    report: Report,
}

impl Play<'_> {
    fn connect(&mut self) -> Result<(), Trouble> {
        let opened =
            self.client.open(PATIENCE, interrupted).map_err(|waited| trouble(&waited, "the server did not open"))?;
        self.progress.step(&format!("connected: version 1 answers, {} tools", opened.len()));
        Ok(())
    }

    /// Waits for what is still owed, counts, and closes the connection.
    fn finish(mut self) -> Result<Report, Trouble> {
        let settled = self.client.wait(LOST_AFTER, interrupted, |ledger| (ledger.unanswered() == 0).then_some(()));
        if settled == Err(Waited::Interrupted) {
            return Err(Trouble::Interrupted);
        }
        self.report.front_peak_kib = self.front.peak_kib();
        {
            let ledger = self.client.ledger();
            self.report.calls = ledger.calls;
            self.report.lost = ledger.unanswered();
            self.report.failed = ledger.failed.values().cloned().collect();
            self.report.strays.clone_from(&ledger.strays);
            self.report.longest_wait = ledger.longest_wait();
            self.report.list_changes = ledger.list_changes;
        }
        let (run, twice) = self.stage.runs()?;
        self.report.run = run;
        self.report.run_twice = twice;
        let Self { client, mut front, report, progress, .. } = self;
        drop(client);
        let closing = Instant::now();
        if !front.ended(Duration::from_secs(6)) {
            return Err(Trouble::Said("the front did not end 6 s after its client left".to_owned()));
        }
        progress.step(&format!("disconnected; front and twins ended {} later", measured(closing.elapsed())));
        Ok(report)
    }
}

/// The part that is played under load.
struct Steps<'a> {
    stage: &'a Stage,
    client: &'a Client,
    progress: &'a mut Progress,
    report: &'a mut Report,
}

impl Steps<'_> {
    fn all(&mut self) -> Result<(), Trouble> {
        let language = self.stage.language();
        for version in 2..=4 {
            self.edit(version, &language.code(version, version >= 3), version == 3)?;
        }
        self.break_it(5, &language.broken(5))?;
        self.repair(6, &language.code(6, true))?;
        self.roll_back(6)
    }

    /// Saves new code 100 ms after a slow call has begun: the old code must finish it, the new code must answer the rest.
    fn edit(&mut self, version: u32, code: &str, lists: bool) -> Result<(), Trouble> {
        let slow = self.client.call(Tool::Slow);
        self.pass(Duration::from_millis(100))?;
        let took = self.save(version, code)?;
        self.report.saves.push(took);
        let end = self.wait(LOST_AFTER, |ledger| {
            ledger.end_of(slow).map(|end| match end {
                Ok(by) => format!("the call in flight was finished by version {by}"),
                Err(why) => format!("the call in flight failed: {}", harmless(why)),
            })
        });
        let end = match end {
            // Counted at the end.
            Err(Waited::Late) => "the call in flight was not answered".to_owned(),
            end => end.map_err(|waited| trouble(&waited, "the call in flight"))?,
        };
        let added = if lists { ", with a new tool" } else { "" };
        self.progress.step(&format!("saved version {version}{added}: it answers {} later; {end}", measured(took)));
        if lists {
            let tools = self.client.tools(PATIENCE, interrupted);
            let tools = tools.map_err(|waited| trouble(&waited, "the tools could not be listed"))?;
            let told = self.client.ledger().list_changes;
            let times = if told == 1 { "once".to_owned() } else { format!("{told} times") };
            let tools = tools.join(", ");
            self.progress.step(&format!("the client was told {times} that its tools changed: {tools}"));
        }
        self.pass(Duration::from_millis(200))
    }

    /// Saves code that cannot be parsed: nothing may change for the client.
    fn break_it(&mut self, version: u32, code: &str) -> Result<(), Trouble> {
        let before = Instant::now();
        self.stage.save(code)?;
        let degraded = loop {
            if let Some(fault) = self.status()?.swap.degraded {
                break fault;
            }
            if before.elapsed() > PATIENCE {
                return Err(Trouble::Said("the front did not notice that the code is broken".to_owned()));
            }
            self.pass(Duration::from_millis(40))?;
        };
        self.pass(Duration::from_millis(300))?;
        let wrong = self.client.ledger().answers.iter().any(|answer| answer.version >= version);
        if wrong {
            return Err(Trouble::Said("broken code answered".to_owned()));
        }
        self.progress.step(&format!("saved a syntax error: version {} goes on serving", version - 1));
        self.progress.note(&format!("mcp-twin status: {}", fault::headline(&degraded)));
        if let Some(note) = self.client.ledger().notes.last() {
            let first = note.lines().next().unwrap_or_default();
            self.progress.note(&format!("told to the client, once: {}", harmless(first)));
        }
        Ok(())
    }

    fn repair(&mut self, version: u32, code: &str) -> Result<(), Trouble> {
        let took = self.save(version, code)?;
        self.report.saves.push(took);
        self.progress.step(&format!("repaired it as version {version}: it answers {} later", measured(took)));
        // The trial of the new code (500 ms here, 10 s by default) is to be over.
        self.pass(Duration::from_millis(700))
    }

    fn roll_back(&mut self, version: u32) -> Result<(), Trouble> {
        let before = Instant::now();
        let outcome = act::rollback_quietly(&self.home())
            .map_err(|fault| Trouble::Said(format!("rollback failed: {}", fault.message)))?;
        if !matches!(outcome, Outcome::RolledBack { .. }) {
            return Err(Trouble::Said(format!("rollback ended otherwise: {outcome:?}")));
        }
        let (older, at) = self.until("the older code did not answer", |answers| {
            let newest = answers.iter().rev().take_while(|answer| answer.at > before);
            newest.filter(|answer| answer.version < version).last().map(|answer| (answer.version, answer.at))
        })?;
        let took = at.saturating_duration_since(before);
        self.report.rollback = Some(took);
        self.progress.step(&format!("mcp-twin rollback: version {older} answers {} later", measured(took)));
        self.pass(Duration::from_millis(200))
    }

    /// Writes the code and returns how long it took until it answered.
    fn save(&mut self, version: u32, code: &str) -> Result<Duration, Trouble> {
        let before = Instant::now();
        self.stage.save(code)?;
        let what = format!("version {version} was saved and never answered");
        let at = self
            .until(&what, |answers| answers.iter().find(|answer| answer.version == version).map(|answer| answer.at))?;
        Ok(at.saturating_duration_since(before))
    }

    fn status(&self) -> Result<Box<FrontStatus>, Trouble> {
        let front = fronts::running(&self.home()).into_iter().next();
        let front = front.ok_or_else(|| Trouble::Said("the front has no control socket".to_owned()))?;
        match fronts::ask(&front, &Ask::Status, PATIENCE) {
            Ok(Told::Status(status)) => Ok(status),
            Ok(other) => Err(Trouble::Said(format!("the front answered something else: {other:?}"))),
            Err(error) => Err(Trouble::Said(error.to_string())),
        }
    }

    fn home(&self) -> Home {
        Home(self.stage.home())
    }

    /// Waits for something among the answers.
    fn until<T>(&mut self, else_said: &str, mut found: impl FnMut(&[Answer]) -> Option<T>) -> Result<T, Trouble> {
        let waited = self.wait(PATIENCE, |ledger| found(&ledger.answers));
        waited.map_err(|waited| trouble(&waited, else_said))
    }

    fn wait<T>(&mut self, patience: Duration, mut found: impl FnMut(&Ledger) -> Option<T>) -> Result<T, Waited> {
        let progress = &mut *self.progress;
        self.client.wait(patience, interrupted, |ledger| {
            progress.live(ledger);
            found(ledger)
        })
    }

    /// Lets time pass under load; the client's own clock, so that Ctrl-C and the end of the connection are seen.
    fn pass(&mut self, time: Duration) -> Result<(), Trouble> {
        match self.wait(time, |_| None::<()>) {
            Err(Waited::Late) | Ok(()) => Ok(()),
            Err(waited) => Err(trouble(&waited, "the front ended")),
        }
    }
}

fn trouble(waited: &Waited, said: &str) -> Trouble {
    match waited {
        Waited::Interrupted => Trouble::Interrupted,
        Waited::Closed => Trouble::Said("the front closed the connection".to_owned()),
        Waited::Late => Trouble::Said(said.to_owned()),
        Waited::Refused(why) => Trouble::Said(format!("{said}: {why}")),
    }
}
