//! The official conformance suite against the fixture server over HTTP: bare, and through `mcp-twin serve`.
//!
//! Every check that passes bare has to pass through the front: with no swap, with a swap between the runs, and with swaps
//! while they go on, whether the twins share the key of their `requestState` or each has its own.

use super::fixture::{Fixture, mcp_twin};
use crate::exec::{Result, fail, number, option, output, program, root, run as exec};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The runs of `run.sh`.
const RUNS: &[&str] = &["stable", "2025-11-25", "2026-07-28"];

/// How long after a swap the next save comes.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a run is made at most, to have enough swaps in it.
const MOST_ROUNDS: u32 = 40;

/// How long a server may take until it listens, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Swaps {
    Never,
    Between,
    During,
}

struct Mode {
    name: &'static str,
    swaps: Swaps,
    /// The twins share the key of their `requestState`; else each has its own.
    shared_key: bool,
}

const MODES: &[Mode] = &[
    Mode { name: "still", swaps: Swaps::Never, shared_key: false },
    Mode { name: "between", swaps: Swaps::Between, shared_key: false },
    Mode { name: "during-shared-key", swaps: Swaps::During, shared_key: true },
    Mode { name: "during-own-keys", swaps: Swaps::During, shared_key: false },
];

/// Runs the modes in turn, or the one behind `--mode`; `--bare` compares the bare server with itself. `--swaps N` is how
/// many there are at least in each run of the last two.
pub(super) fn run(arguments: &[String]) -> Result {
    let (only, swaps) = (option(arguments, "--mode")?, number(arguments, "--swaps", 10)?);
    if let Some(name) = only.filter(|name| MODES.iter().all(|mode| mode.name != *name)) {
        let names: Vec<&str> = MODES.iter().map(|mode| mode.name).collect();
        return fail(format!("`--mode {name}`: there are {}", names.join(", ")));
    }
    let fixture = Fixture::new("bare")?;
    let bare = suite(&fixture, &served(&fixture, "first")?, "first", RUNS)?;
    println!("bare, against the baseline: {}", compare(&baseline(), &bare, RUNS)?);
    if arguments.iter().any(|argument| argument == "--bare") {
        let again = suite(&fixture, &served(&fixture, "again")?, "again", RUNS)?;
        println!("bare, against bare: {}", compare(&bare, &again, RUNS)?);
        return Ok(());
    }
    MODES.iter().filter(|mode| only.is_none_or(|name| mode.name == name)).try_for_each(|mode| mode.run(&bare, swaps))
}

impl Mode {
    fn run(&self, bare: &Path, swaps: u32) -> Result {
        let fixture = Fixture::new(self.name)?;
        let mut command = fixture.at_home(Command::new(mcp_twin()));
        command.args(["serve", "--name", "conformance", "--listen", "127.0.0.1:0", "--watch", "server.py"]);
        // The suite calls wrongly on purpose, and often enough within the trial that good code would be rolled back for it.
        command.args(["--bake", "0s", "--"]);
        command.args(fixture.server(&["--port", "{port}"]));
        if self.shared_key {
            command.env("FIXTURE_STATE_KEY", "shared by all twins of this run");
        } else {
            command.env_remove("FIXTURE_STATE_KEY");
        }
        let front = Served::start(command, " listens on ", &fixture.folder().join("front.log"))?;
        fixture.wait_for("\"state\":\"serving\"")?;
        match self.swaps {
            Swaps::Never => {
                let through = suite(&fixture, &front, "through", RUNS)?;
                println!("{}: {}", self.name, compare(bare, &through, RUNS)?);
            }
            Swaps::Between => {
                for (swap, run) in (1..).zip(RUNS) {
                    fixture.swap_to(swap)?;
                    let through = suite(&fixture, &front, run, &[run])?;
                    println!("{}, {run} behind swap {swap}: {}", self.name, compare(bare, &through, &[run])?);
                }
            }
            Swaps::During => self.under_swaps(&fixture, &front, bare, swaps)?,
        }
        front.end()
    }

    /// Makes each run again and again until so many swaps have come while it went on.
    fn under_swaps(&self, fixture: &Fixture, front: &Served, bare: &Path, wanted: u32) -> Result {
        let (over, swaps) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            let swapping = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let next = swaps.load(Ordering::Relaxed) + 1;
                    fixture.swap_to(next)?;
                    swaps.store(next, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
                Ok(())
            });
            let made = RUNS.iter().try_for_each(|run| {
                let (before, mut round) = (swaps.load(Ordering::Relaxed), 0);
                while swaps.load(Ordering::Relaxed) - before < wanted {
                    round += 1;
                    if round > MOST_ROUNDS || swapping.is_finished() {
                        return fail(format!("{}, {run}: no {wanted} swaps in {} runs", self.name, round - 1));
                    }
                    let through = suite(fixture, front, &format!("{run}-{round}"), &[run])?;
                    println!("{}, {run}, round {round}: {}", self.name, compare(bare, &through, &[run])?);
                }
                println!("{}, {run}: {} swaps in {round} rounds", self.name, swaps.load(Ordering::Relaxed) - before);
                Ok(())
            });
            over.store(true, Ordering::Relaxed);
            let swapped: Result = swapping.join().unwrap_or_else(|_| fail("the swaps ended in a panic"));
            // A swap that failed is why the runs did, not the other way round.
            swapped.and(made)
        })
    }
}

fn served(fixture: &Fixture, name: &str) -> Result<Served> {
    let words = fixture.server(&["--port", "0"]);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    Served::start(fixture.at_home(command), "listening on ", &fixture.folder().join(format!("{name}.log")))
}

/// Makes these runs; gives back their summary.
fn suite(fixture: &Fixture, served: &Served, name: &str, runs: &[&str]) -> Result<PathBuf> {
    let out = fixture.folder().join(name);
    exec(fixture.script("run.sh").arg(&served.url).arg(&out).args(runs))?;
    Ok(out.join("summary.json"))
}

fn compare(bare: &Path, through: &Path, runs: &[&str]) -> Result<String> {
    let script = root().join("tests/conformance/compare.py");
    let said = output(program("python3", [&script]).arg(bare).arg(through).args(runs))?;
    Ok(said.lines().last().unwrap_or_default().to_owned())
}

fn baseline() -> PathBuf {
    root().join("tests/conformance/baseline/fixture.json")
}

/// A process that says on stderr where it listens.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(mut command: Command, before: &str, log: &Path) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?).spawn();
        let child = child.or_else(|error| fail(format!("{command:?} could not be started: {error}")))?;
        let mut served = Self { child, url: String::new() };
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && served.child.try_wait()?.is_none() {
            let said = fs::read_to_string(log)?;
            let url = said.lines().find_map(|line| line.split_once(before)).map(|(_, url)| url.trim());
            if let Some(url) = url.filter(|_| said.ends_with('\n')) {
                url.clone_into(&mut served.url);
                return Ok(served);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(log)?;
        fail(format!("{command:?} never said where it listens; it said: {said}"))
    }

    /// Ends a front as its user does: its twins end with it.
    fn end(mut self) -> Result {
        output(&mut program("kill", ["-TERM".to_owned(), self.child.id().to_string()]))?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return fail(format!("the front ended with {status}")),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
        fail("the front did not end")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // First asked, so that a front takes its twins with it even where a run has failed.
            let _ = output(&mut program("kill", ["-TERM".to_owned(), self.child.id().to_string()]));
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(15) && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
