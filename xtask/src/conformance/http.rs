//! The official conformance suite against the fixture server over HTTP: bare, and through `mcp-twin serve`.
//!
//! Every check that passes bare has to pass through the front: with no swap, with a swap between the runs, and with swaps
//! while they go on, whether the twins share the key of their `requestState` or each has its own.

use super::fixture::Fixture;
use super::served::Served;
use crate::exec::{Result, fail, number, option, output, program, root, run as exec};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// The runs of `run.sh`.
const RUNS: &[&str] = &["stable", "2025-11-25", "2026-07-28"];

/// How long after a swap the next save comes.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a run is made at most, to have enough swaps in it.
const MOST_ROUNDS: u32 = 40;

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
    let bare = suite(&fixture, &Served::bare(&fixture, "first")?, "first", RUNS)?;
    println!("bare, against the baseline: {}", compare(&baseline(), &bare, RUNS)?);
    if arguments.iter().any(|argument| argument == "--bare") {
        let again = suite(&fixture, &Served::bare(&fixture, "again")?, "again", RUNS)?;
        println!("bare, against bare: {}", compare(&bare, &again, RUNS)?);
        return Ok(());
    }
    MODES.iter().filter(|mode| only.is_none_or(|name| mode.name == name)).try_for_each(|mode| mode.run(&bare, swaps))
}

impl Mode {
    fn run(&self, bare: &Path, swaps: u32) -> Result {
        let fixture = Fixture::new(self.name)?;
        let front = Served::front(&fixture, self.shared_key)?;
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
