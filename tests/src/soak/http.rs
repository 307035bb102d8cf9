//! The same over HTTP: many sessions on one front.

use super::{Row, Sample, sample};
use crate::http::{Http, Served};
use crate::http_load::{Done, Fate, HttpLoad, mixed};
use crate::process;
use crate::project::Project;
use crate::server::Server;
use crate::wait::{PATIENCE, until, within};
use std::time::{Duration, Instant};

/// How much load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Sessions at the same time, each with one call open.
    pub sessions: usize,
    /// Calls of all sessions, at least; the load goes on until the last swap is seen.
    pub calls: usize,
    /// Edits, spread over the calls.
    pub swaps: usize,
}

/// The longest that a whole load may stand still.
const STUCK: Duration = Duration::from_secs(120);

/// A server on the standard library behind a front that watches it. A save takes over at once; the old code is kept for the
/// bake, and as long again.
fn served(bake: &str) -> (Project, Served) {
    let project = Project::new(Server::Http(Http::Plain));
    let front = project.serve(&["--watch", ".", "--settle", "0", "--bake", bake, "--keep-old", bake]);
    (project, front)
}

/// Runs the load through a front.
#[must_use]
pub fn run(plan: Plan) -> Row {
    let (project, front) = served("100ms");
    let begin = Instant::now();
    let load = HttpLoad::start(front.url(), plan.sessions, mixed);
    let mut row = Row::default();
    let mut to_new = Vec::new();
    for swap in 1..=plan.swaps {
        let share = plan.calls / (plan.swaps + 1) * swap;
        reach(&load, share);
        project.save_version(&format!("v{}", swap + 1));
        let saved = Instant::now();
        within(PATIENCE, &format!("an answer of v{}; stderr:\n{}", swap + 1, front.stderr()), || {
            load.has_seen(swap + 1).then_some(())
        });
        to_new.push(saved.elapsed());
        row.swaps += 1;
    }
    reach(&load, plan.calls);
    (row.at_swaps, row.finished_by_old) = load.at_swaps();
    let calls = load.stop();
    row.took = begin.elapsed();
    row.peak_kib = process::status_number(front.pid(), "VmHWM").unwrap_or_default();
    to_new.sort();
    row.to_new = to_new.get(to_new.len() / 2).copied().unwrap_or_default();
    judge(&mut row, &project, &calls);
    project.finish_http(&front);
    row
}

fn reach(load: &HttpLoad, calls: usize) {
    let (mut last, mut moved) = (load.sent(), Instant::now());
    while load.sent() < calls {
        std::thread::sleep(Duration::from_millis(5));
        if load.sent() > last {
            (last, moved) = (load.sent(), Instant::now());
        }
        assert!(moved.elapsed() < STUCK, "the load stands still at {last} calls");
    }
}

/// Counts what went wrong with these calls.
pub fn judge(row: &mut Row, project: &Project, calls: &[Done]) {
    let runs = project.record().by_key();
    row.calls = calls.len();
    row.twice = runs.values().filter(|runs| runs.len() > 1).count();
    for call in calls {
        let why = match &call.fate {
            Fate::Good(body) => {
                let right = runs.get(&call.key).is_some_and(|runs| {
                    runs.iter().any(|run| body["pid"] == run.pid && body["version"] == run.version.as_str())
                });
                if right && body["key"] == call.key.as_str() {
                    continue;
                }
                row.misplaced += 1;
                format!("call {} was answered by {body}, run by {:?}", call.key, runs.get(&call.key))
            }
            Fate::Failed(answer) => {
                row.failed += 1;
                format!("call {}: {answer}", call.key)
            }
            Fate::Lost(why) => {
                row.lost += 1;
                format!("call {}: {why}", call.key)
            }
        };
        row.why.get_or_insert(why);
    }
}

/// Swaps one front so often, each after the last was seen by a legacy and a modern client, and samples it ten times.
pub fn cycles(swaps: usize, mut tell: impl FnMut(&Sample)) -> Vec<Sample> {
    let (project, front) = served("20ms");
    let (legacy, modern) = (front.client(), front.modern());
    let step = (swaps / 10).max(1);
    let mut samples = Vec::new();
    for swap in 1..=swaps {
        let version = format!("v{}", swap + 1);
        project.save_version(&version);
        legacy.until_version(&version);
        until(&version, || (modern.version() == version).then_some(()));
        if swap % step == 0 {
            let sample = sample(&project, front.pid(), swap);
            tell(&sample);
            samples.push(sample);
        }
    }
    assert_eq!(legacy.delete(), 200);
    project.finish_http(&front);
    samples
}
