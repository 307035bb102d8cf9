//! When a burst of file changes is over, and which files count at all.
//!
//! The debouncer has its own clock and no thread: while nothing has changed it wants no timer, so an idle front sleeps.

mod filter;
mod noise;
mod sources;

pub use filter::{Asked, Filter, Verdict};
pub use sources::{SOURCE_EXTENSIONS, is_env, is_source, is_tool_folder, never};

use crate::time::Moment;
use noise::Noise;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Gathers changes until the files are quiet.
///
/// A burst ends when its files were quiet for `watch_quiet`, at the latest `watch_max` after its first change. A file that
/// changes within the boot of three reloads in a row is *noisy*: it alone needs a longer quiet period, twice as long each
/// time, and never more than 30 s. It is not muted, and a change of another file takes it along at once.
#[derive(Clone, Debug)]
pub struct Debounce {
    quiet: Duration,
    max: Duration,
    pending: BTreeMap<PathBuf, Pending>,
    noise: Noise,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    first: Moment,
    last: Moment,
}

/// Changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Each file that was touched, once, in order of their paths.
    pub paths: Vec<PathBuf>,
    /// When the first of them was touched.
    pub began: Moment,
}

impl Debounce {
    /// A debouncer with the options `watch_quiet` and `watch_max`.
    #[must_use]
    pub fn new(quiet: Duration, max: Duration) -> Self {
        Self { quiet, max: max.max(quiet), pending: BTreeMap::new(), noise: Noise::new(quiet) }
    }

    /// The script that is launched is never noisy: people save it often, and it must be quick.
    #[must_use]
    pub fn with_script(mut self, script: Option<PathBuf>) -> Self {
        self.noise.exempt(script);
        self
    }

    /// From now on these `watch_quiet` and `watch_max` count.
    pub fn set_times(&mut self, quiet: Duration, max: Duration) {
        (self.quiet, self.max) = (quiet, max.max(quiet));
        self.noise.set_quiet(quiet);
    }

    /// Another script is launched from now on.
    pub fn set_script(&mut self, script: Option<PathBuf>) {
        self.noise.exempt(script);
    }

    /// A file that counts was touched.
    pub fn touched(&mut self, path: impl Into<PathBuf>, now: Moment) {
        let path = path.into();
        self.noise.touched(&path, now);
        self.pending.entry(path).and_modify(|pending| pending.last = now).or_insert(Pending { first: now, last: now });
    }

    /// When [`Debounce::handle_timeout`] is wanted; `None` while nothing has changed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        // Files with the ordinary quiet period are one burst; each noisy one waits for itself.
        let (mut first, mut last, mut noisy) = (None::<Moment>, None::<Moment>, None::<Moment>);
        for (path, pending) in &self.pending {
            match self.noise.quiet_of(path) {
                None => {
                    first = Some(first.map_or(pending.first, |first| first.min(pending.first)));
                    last = Some(last.map_or(pending.last, |last| last.max(pending.last)));
                }
                Some(quiet) => {
                    let due = (pending.last + quiet).min(pending.first + quiet.max(self.max));
                    noisy = Some(noisy.map_or(due, |noisy| noisy.min(due)));
                }
            }
        }
        let ordinary = first.zip(last).map(|(first, last)| (last + self.quiet).min(first + self.max));
        ordinary.into_iter().chain(noisy).min()
    }

    /// The burst that is over, if one is.
    pub fn handle_timeout(&mut self, now: Moment) -> Option<Burst> {
        if self.poll_timeout()? > now {
            return None;
        }
        let pending = std::mem::take(&mut self.pending);
        let began = pending.values().map(|pending| pending.first).min()?;
        Some(Burst { paths: pending.into_keys().collect(), began })
    }

    /// A reload has spawned its twin. Ends the boot before it, if that one was given up.
    pub fn boot_began(&mut self, now: Moment) {
        self.noise.boot_began(now);
    }

    /// The twin that was booting is ready, or has failed.
    pub fn boot_ended(&mut self, now: Moment) {
        self.noise.boot_ended(now);
    }

    /// The noisy files and their quiet periods, for `status`.
    #[must_use]
    pub fn noisy(&self) -> Vec<(PathBuf, Duration)> {
        self.noise.noisy()
    }

    /// The next file that became noisy since the last call, to be named once on stderr.
    pub fn poll_newly_noisy(&mut self) -> Option<PathBuf> {
        self.noise.poll_newly_noisy()
    }
}

/// What to say about a noisy file.
#[must_use]
pub fn noisy_text(path: &Path, quiet: Duration) -> String {
    let path = path.display();
    format!(
        "{path} changes at every start of the server; reloads for it now wait until it is quiet for {:.1} s; if the server itself writes it, add --ignore '{path}'",
        quiet.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const QUIET: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> Moment {
        Moment::after_origin(Duration::from_millis(millis))
    }

    fn debounce() -> Debounce {
        Debounce::new(QUIET, MAX)
    }

    fn paths(burst: &Burst) -> Vec<&str> {
        burst.paths.iter().map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn an_idle_debouncer_wants_no_timer() {
        let mut debounce = debounce();
        assert_eq!(debounce.poll_timeout(), None);
        assert_eq!(debounce.handle_timeout(at(5000)), None);
        debounce.touched("a.py", at(0));
        assert!(debounce.handle_timeout(at(100)).is_some());
        assert_eq!(debounce.poll_timeout(), None);
    }

    #[test]
    fn a_burst_ends_when_the_files_are_quiet() {
        let mut debounce = debounce();
        debounce.touched("b.py", at(0));
        debounce.touched("a.py", at(60));
        debounce.touched("b.py", at(120));
        assert_eq!(debounce.poll_timeout(), Some(at(220)));
        assert_eq!(debounce.handle_timeout(at(219)), None);
        let burst = debounce.handle_timeout(at(220)).unwrap();
        assert_eq!((paths(&burst), burst.began), (vec!["a.py", "b.py"], at(0)));
    }

    #[test]
    fn a_burst_that_never_rests_ends_by_watch_max() {
        let mut debounce = debounce();
        for step in 0..40 {
            debounce.touched("a.py", at(step * 50));
        }
        assert_eq!(debounce.poll_timeout(), Some(at(2000)));
    }

    #[test]
    fn watch_max_below_watch_quiet_does_not_cut_the_quiet_period() {
        let mut debounce = Debounce::new(QUIET, Duration::from_millis(10));
        debounce.touched("a.py", at(0));
        assert_eq!(debounce.poll_timeout(), Some(at(100)));
    }

    /// One reload within which `files` are touched, one second apart; returns when it is over.
    fn boot(debounce: &mut Debounce, from: u64, files: &[&str]) -> u64 {
        let mut now = from;
        debounce.boot_began(at(now));
        for file in files {
            now += 1000;
            debounce.touched(*file, at(now));
        }
        now += 1000;
        debounce.boot_ended(at(now));
        // Whatever is pending is taken, however late.
        debounce.handle_timeout(at(now + 60_000));
        now + 60_000
    }

    #[test]
    fn the_third_noisy_boot_in_a_row_doubles_the_quiet_period_and_a_quiet_one_ends_it() {
        let mut debounce = debounce();
        let mut now = 0;
        for _ in 0..2 {
            now = boot(&mut debounce, now, &["cache.json"]);
            assert_eq!(debounce.noisy(), []);
        }
        now = boot(&mut debounce, now, &["cache.json"]);
        assert_eq!(debounce.noisy(), [(PathBuf::from("cache.json"), QUIET * 2)]);
        assert_eq!(debounce.poll_newly_noisy(), Some(PathBuf::from("cache.json")));
        assert_eq!(debounce.poll_newly_noisy(), None);
        now = boot(&mut debounce, now, &["cache.json"]);
        assert_eq!(debounce.noisy(), [(PathBuf::from("cache.json"), QUIET * 4)]);
        for _ in 0..20 {
            now = boot(&mut debounce, now, &["cache.json"]);
        }
        assert_eq!(debounce.noisy(), [(PathBuf::from("cache.json"), Duration::from_secs(30))]);
        assert_eq!(debounce.poll_newly_noisy(), None);
        boot(&mut debounce, now, &[]);
        assert_eq!(debounce.noisy(), []);
    }

    #[test]
    fn boots_that_are_not_in_a_row_do_not_count() {
        let mut debounce = debounce();
        let mut now = 0;
        for files in [&["x.json"][..], &["x.json"], &["y.json"], &["x.json"], &["x.json"]] {
            now = boot(&mut debounce, now, files);
        }
        assert_eq!(debounce.noisy(), []);
    }

    #[test]
    fn a_boot_that_another_one_supersedes_counts_too() {
        let mut debounce = debounce();
        for n in 0..3 {
            debounce.boot_began(at(n * 1000));
            debounce.touched("cache.json", at(n * 1000 + 500));
        }
        assert_eq!(debounce.noisy(), []);
        debounce.boot_began(at(3000));
        assert_eq!(debounce.noisy().len(), 1);
    }

    #[test]
    fn the_launch_script_and_a_save_of_several_files_are_exempt() {
        let mut debounce = debounce().with_script(Some("server.py".into()));
        let mut now = 0;
        for _ in 0..5 {
            debounce.boot_began(at(now));
            debounce.touched("server.py", at(now + 10));
            debounce.touched("a.py", at(now + 500));
            debounce.touched("b.py", at(now + 550));
            debounce.boot_ended(at(now + 1000));
            now += 10_000;
        }
        assert_eq!(debounce.noisy(), []);
    }

    #[test]
    fn a_noisy_file_waits_longer_but_another_file_takes_it_along() {
        let mut debounce = debounce();
        let mut now = 0;
        for _ in 0..7 {
            now = boot(&mut debounce, now, &["cache.json"]);
        }
        let quiet = debounce.noisy()[0].1;
        assert_eq!(quiet, QUIET * 32);
        debounce.touched("cache.json", at(now));
        assert_eq!(debounce.poll_timeout(), Some(at(now) + quiet));
        debounce.touched("server.py", at(now + 1000));
        assert_eq!(debounce.poll_timeout(), Some(at(now + 1100)));
        let burst = debounce.handle_timeout(at(now + 1100)).unwrap();
        assert_eq!(paths(&burst), ["cache.json", "server.py"]);
        // Also a noisy file that never rests is not muted.
        for step in 0..100 {
            debounce.touched("cache.json", at(now + 2000 + step * 100));
        }
        assert_eq!(debounce.poll_timeout(), Some(at(now + 2000) + quiet));
    }

    #[test]
    fn the_text_names_the_file_and_the_way_out() {
        let text = noisy_text(Path::new("/p/cache.json"), Duration::from_millis(400));
        assert!(text.contains("--ignore '/p/cache.json'") && text.contains("0.4 s"), "{text}");
    }

    proptest! {
        #[test]
        fn a_burst_always_ends_by_watch_max_and_nothing_is_lost(
            touches in prop::collection::vec((0_u64..400, 0_u8..6), 1..200),
        ) {
            let mut debounce = debounce();
            let (mut now, mut open, mut seen) = (0, BTreeSet::new(), BTreeSet::new());
            let mut began = None;
            for (pause, file) in touches {
                // The timer fires when it is due, before the next touch.
                let next = now + pause;
                if let Some(due) = debounce.poll_timeout().filter(|due| *due <= at(next)) {
                    prop_assert!(due.since(began.unwrap()) <= MAX);
                    let burst = debounce.handle_timeout(due).unwrap();
                    prop_assert_eq!(Some(burst.began), began);
                    seen.extend(burst.paths);
                    prop_assert_eq!(&seen, &open);
                    began = None;
                }
                now = next;
                let path = PathBuf::from(format!("{file}.py"));
                open.insert(path.clone());
                seen.remove(&path);
                began.get_or_insert(at(now));
                debounce.touched(path, at(now));
            }
            let due = debounce.poll_timeout().unwrap();
            prop_assert!(due.since(began.unwrap()) <= MAX);
            seen.extend(debounce.handle_timeout(due).unwrap().paths);
            prop_assert_eq!(seen, open);
            prop_assert_eq!(debounce.poll_timeout(), None);
        }
    }
}
