//! Calls under swaps, counted: the load that the promise "no request lost, none run twice" is tried with.

pub mod http;

use crate::client::{Client, body_of};
use crate::inbox::{Books, Id};
use crate::process;
use crate::project::Project;
use crate::server::Server;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

/// How much load.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Fronts at the same time, each with its own client and project.
    pub fronts: usize,
    /// Calls per front, at least; the load goes on until the last swap is seen.
    pub calls: usize,
    /// Edits per front, spread over its calls.
    pub swaps: usize,
    /// Calls that each client keeps in flight.
    pub in_flight: usize,
}

/// What became of the calls of one front.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Calls sent.
    pub calls: usize,
    /// Calls without an answer.
    pub lost: usize,
    /// Calls answered with an error; the first reason is in `why`.
    pub failed: usize,
    /// Calls that ran more than once.
    pub twice: usize,
    /// Calls whose answer came from another twin than the one that ran them, or that nobody ran.
    pub misplaced: usize,
    /// Answers and lines that the client cannot know.
    pub stray: usize,
    /// Edits whose code answered.
    pub swaps: usize,
    /// Calls in flight at the moments when new code first answered.
    pub at_swaps: usize,
    /// Those of them that the old twin answered afterwards.
    pub finished_by_old: usize,
    /// From the save to the first answer of the new code: the median.
    pub to_new: Duration,
    /// Duration of the whole load.
    pub took: Duration,
    /// Peak resident memory of the front, KiB.
    pub peak_kib: u64,
    /// The first thing that went wrong.
    pub why: Option<String>,
}

impl Row {
    /// Whether nothing went wrong and all swaps were seen.
    #[must_use]
    pub fn flawless(&self, swaps: usize) -> bool {
        self.lost + self.failed + self.twice + self.misplaced + self.stray == 0 && self.swaps == swaps
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>6} {:>5} {:>6} {:>5} {:>9} {:>5} {:>5} {:>8} {:>8} {:>7.2} {:>6.1} {:>8}",
            self.calls,
            self.lost,
            self.failed,
            self.twice,
            self.misplaced,
            self.stray,
            self.swaps,
            self.at_swaps,
            self.finished_by_old,
            self.to_new.as_secs_f64(),
            self.took.as_secs_f64(),
            self.peak_kib
        )?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, "  {why}"))
    }
}

/// The headings of the columns of [`Row`].
pub const HEADINGS: &str =
    " calls  lost failed twice misplaced stray swaps at_swaps by_old   to_new_s  took_s peak_kib";

/// Runs the load through fronts, all at once.
#[must_use]
pub fn run(plan: Plan) -> Vec<Row> {
    let one = move || {
        let project = Project::new(Server::Plain);
        let client = project.open();
        let row = Load::new(&project, &client, plan).run();
        let _ = client.close();
        project.nothing_left();
        row
    };
    let fronts: Vec<_> = (0..plan.fronts).map(|_| std::thread::spawn(one)).collect();
    fronts.into_iter().map(|front| front.join().expect("a load without a panic")).collect()
}

/// Runs the load against the bare server; without swaps, since nothing can make any.
#[must_use]
pub fn run_bare(plan: Plan) -> Row {
    let project = Project::new(Server::Plain);
    let client = project.bare();
    client.open();
    let row = Load::new(&project, &client, Plan { swaps: 0, ..plan }).run();
    let _ = client.close();
    project.nothing_left();
    row
}

struct Load<'a> {
    project: &'a Project,
    client: &'a Client,
    plan: Plan,
    keys: HashMap<Id, String>,
    answered: Vec<(String, Value)>,
    version: usize,
    edited: Option<Instant>,
    to_new: Vec<Duration>,
    old: HashSet<Id>,
    row: Row,
}

impl<'a> Load<'a> {
    fn new(project: &'a Project, client: &'a Client, plan: Plan) -> Self {
        let (keys, old) = (HashMap::new(), HashSet::new());
        let (answered, to_new, row) = (Vec::new(), Vec::new(), Row::default());
        Self { project, client, plan, keys, answered, version: 1, edited: None, to_new, old, row }
    }

    fn run(mut self) -> Row {
        let begin = Instant::now();
        while self.row.calls < self.plan.calls || self.row.swaps < self.plan.swaps {
            self.fill();
            let Some((id, answer)) = self.client.inbox().next_answer(PATIENCE) else {
                self.blame("no answer for a long time, or the output ended");
                break;
            };
            self.take(&id, &answer);
            self.edit();
        }
        while !self.keys.is_empty() && self.row.why.is_none() {
            let Some((id, answer)) = self.client.inbox().next_answer(PATIENCE) else { break };
            self.take(&id, &answer);
        }
        self.row.took = begin.elapsed();
        self.row.peak_kib = process::status_number(self.client.pid(), "VmHWM").unwrap_or_default();
        self.to_new.sort();
        self.row.to_new = self.to_new.get(self.to_new.len() / 2).copied().unwrap_or_default();
        let books = self.client.books();
        self.judge(&books);
        self.row
    }

    /// 85 % of 1 ms, 14 % of 200 ms, 1 % of 3 s.
    fn fill(&mut self) {
        while self.keys.len() < self.plan.in_flight {
            let ms = match self.row.calls % 100 {
                0 => 3000,
                n if n % 7 == 1 => 200,
                _ => 1,
            };
            let key = format!("{}", self.row.calls);
            self.keys.insert(self.client.work(ms, &key), key);
            self.row.calls += 1;
        }
    }

    fn take(&mut self, id: &Id, answer: &Value) {
        let Some(key) = self.keys.remove(id) else { return };
        if answer["result"]["content"][0]["text"].is_null() || answer["result"]["isError"] == true {
            self.row.failed += 1;
            self.blame(&format!("call {key}: {answer}"));
            return;
        }
        let body = body_of(answer);
        let newest = format!("v{}", self.version);
        match self.edited {
            Some(saved) if body["version"] == newest.as_str() => {
                self.to_new.push(saved.elapsed());
                self.edited = None;
                self.row.swaps += 1;
                self.row.at_swaps += self.keys.len();
                self.old = self.keys.keys().cloned().collect();
            }
            _ => {}
        }
        if self.old.remove(id) && body["version"] != newest.as_str() {
            self.row.finished_by_old += 1;
        }
        self.answered.push((key, body));
    }

    /// The next edit, once its share of the calls is sent and the last one was seen.
    fn edit(&mut self) {
        let share = self.plan.calls / (self.plan.swaps + 1);
        if self.edited.is_none() && self.row.swaps < self.plan.swaps && self.row.calls >= share * (self.row.swaps + 1) {
            self.version += 1;
            self.project.save_version(&format!("v{}", self.version));
            self.edited = Some(Instant::now());
        }
    }

    fn judge(&mut self, books: &Books) {
        self.row.lost = books.open.len();
        self.row.stray = books.strays.len() + books.junk.len();
        if let Some(stray) = books.strays.iter().chain(&books.junk).next() {
            self.blame(stray);
        }
        let runs = self.project.record().by_key();
        self.row.twice = runs.values().filter(|runs| runs.len() > 1).count();
        for (key, body) in std::mem::take(&mut self.answered) {
            let right = runs.get(&key).is_some_and(|runs| {
                runs.iter().any(|run| body["pid"] == run.pid && body["version"] == run.version.as_str())
            });
            if !right || body["key"] != key.as_str() {
                self.row.misplaced += 1;
                self.blame(&format!("call {key} was answered by {body}, run by {:?}", runs.get(&key)));
            }
        }
    }

    fn blame(&mut self, why: &str) {
        let stderr = self.client.inbox().stderr_text();
        let last = stderr.lines().last().unwrap_or_default();
        self.row.why.get_or_insert_with(|| format!("{why} [stderr ends: {last}]"));
    }
}

/// What a front held at one moment of [`cycles`].
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Swaps so far.
    pub swaps: usize,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Resident memory, KiB.
    pub resident_kib: u64,
    /// Processes under the front.
    pub processes: usize,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} {:>5} {:>9} {:>9}", self.swaps, self.descriptors, self.resident_kib, self.processes)
    }
}

/// The headings of the columns of [`Sample`].
pub const SAMPLE_HEADINGS: &str = " swaps   fds   rss_kib processes";

/// Swaps one front so often, each after the last was seen, and samples it ten times on the way; `tell` sees each sample.
pub fn cycles(swaps: usize, mut tell: impl FnMut(&Sample)) -> Vec<Sample> {
    let project = Project::new(Server::Plain);
    let client = project.open();
    let step = (swaps / 10).max(1);
    let mut samples = Vec::new();
    for swap in 1..=swaps {
        let version = format!("v{}", swap + 1);
        project.save_version(&version);
        client.until_version(&version);
        if swap % step == 0 {
            let sample = sample(&project, client.pid(), swap);
            tell(&sample);
            samples.push(sample);
        }
    }
    project.finish(&client);
    samples
}

/// Waits until no twin is being prepared or ended: active and previous are left.
fn sample(project: &Project, front: u32, swaps: usize) -> Sample {
    let processes = until("a front with two twins at most", || {
        let count = project.processes().len() - 1;
        (count <= 2).then_some(count)
    });
    Sample {
        swaps,
        descriptors: process::descriptors(front),
        resident_kib: process::status_number(front, "VmRSS").unwrap_or_default(),
        processes,
    }
}

/// Whether file descriptors and memory stayed flat from the second sample to the last.
#[must_use]
pub fn flat(samples: &[Sample]) -> bool {
    let (Some(early), Some(late)) = (samples.get(1), samples.last()) else { return true };
    // A few descriptors come and go (a command that asks, a log being rotated); memory has the allocator's slack.
    late.descriptors <= early.descriptors + 8 && late.resident_kib <= early.resident_kib + early.resident_kib / 5 + 2048
}
