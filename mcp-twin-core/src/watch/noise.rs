//! Files that the server itself seems to write while it starts.

use crate::time::Moment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many boots in a row make a file noisy.
const BOOTS: u32 = 3;

/// The longest quiet period that a noisy file can be given.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts, per file, the boots in a row within which it changed.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    quiet: Duration,
    exempt: Option<PathBuf>,
    boot: Option<Boot>,
    files: BTreeMap<PathBuf, Streak>,
    newly: Vec<PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct Boot {
    touched: BTreeMap<PathBuf, Company>,
    last: Option<(PathBuf, Moment)>,
}

/// Whether a file was touched alone, or together with others within one quiet period: a save of several files is a
/// person, or a tool that works for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Alone,
    WithOthers,
}

#[derive(Clone, Copy, Debug)]
struct Streak {
    boots: u32,
    quiet: Option<Duration>,
}

impl Noise {
    pub(super) fn new(quiet: Duration) -> Self {
        Self { quiet, exempt: None, boot: None, files: BTreeMap::new(), newly: Vec::new() }
    }

    /// Files that are noisy already keep their quiet periods.
    pub(super) fn set_quiet(&mut self, quiet: Duration) {
        self.quiet = quiet;
    }

    pub(super) fn exempt(&mut self, path: Option<PathBuf>) {
        self.exempt = path;
    }

    pub(super) fn touched(&mut self, path: &Path, now: Moment) {
        let Some(boot) = &mut self.boot else { return };
        let mut company = Company::Alone;
        if let Some((other, when)) = &boot.last
            && other != path
            && now.since(*when) <= self.quiet
        {
            company = Company::WithOthers;
            boot.touched.insert(other.clone(), company);
        }
        let entry = boot.touched.entry(path.to_owned()).or_insert(company);
        if company == Company::WithOthers {
            *entry = company;
        }
        boot.last = Some((path.to_owned(), now));
    }

    pub(super) fn boot_began(&mut self, now: Moment) {
        self.boot_ended(now);
        self.boot = Some(Boot::default());
    }

    pub(super) fn boot_ended(&mut self, _now: Moment) {
        let Some(boot) = self.boot.take() else { return };
        // A file that was not touched has had its quiet boot.
        self.files.retain(|path, _| boot.touched.contains_key(path));
        for (path, company) in boot.touched {
            // A save of several files proves nothing, either way.
            if company == Company::WithOthers || self.exempt.as_deref() == Some(&path) {
                continue;
            }
            let streak = self.files.entry(path.clone()).or_insert(Streak { boots: 0, quiet: None });
            streak.boots += 1;
            if streak.boots >= BOOTS {
                if streak.quiet.is_none() {
                    self.newly.push(path);
                }
                // A quiet period of nothing would never grow.
                let before = streak.quiet.unwrap_or(self.quiet).max(Duration::from_millis(50));
                streak.quiet = Some((before * 2).min(LONGEST.max(self.quiet)));
            }
        }
    }

    pub(super) fn quiet_of(&self, path: &Path) -> Option<Duration> {
        self.files.get(path)?.quiet
    }

    pub(super) fn noisy(&self) -> Vec<(PathBuf, Duration)> {
        self.files.iter().filter_map(|(path, streak)| Some((path.clone(), streak.quiet?))).collect()
    }

    pub(super) fn poll_newly_noisy(&mut self) -> Option<PathBuf> {
        if self.newly.is_empty() { None } else { Some(self.newly.remove(0)) }
    }
}
