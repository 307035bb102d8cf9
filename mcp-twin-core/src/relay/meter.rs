//! What is counted of calls for people to look at: how many, how they ended, and how long they took of late.
//!
//! Calls are what a client asks the server to do: tool calls, prompts, reads of resources, completions. Lists, pings, openings
//! and subscriptions are none. One meter serves all relays of a front. It stands in the way of every answer, so it is a few
//! additions under a lock that nobody else wants; it allocates nothing and needs no timer: what is old is dropped when the
//! next call is counted, or when somebody looks.

use super::Relay;
use super::calls::{Call, Method};
use super::frame;
use super::ids::ClientId;
use crate::control::Figures;
use crate::error::Fault;
use crate::time::Moment;
use memchr::memmem::Finder;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// "Of late" is the half minute that runs and the one before it.
const HALF: Duration = Duration::from_secs(30);

/// Times of one power of two fall into so many buckets, so that a bucket says a time to within an eighth.
const PARTS: usize = 8;
/// Its bits.
const BITS: u32 = PARTS.trailing_zeros();
/// The powers of two above the exact ones, up to more than an hour in microseconds.
const POWERS: usize = 29;
const BUCKETS: usize = PARTS * (POWERS + 1);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With a result.
    Fine,
    /// With a result that says `isError`.
    ToolError,
    /// With a JSON-RPC error of the server.
    Refused,
    /// With an error of the front's: no twin has answered it.
    Failed,
}

/// Counts the calls of a front. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    tool_errors: u64,
    refused: u64,
    failed: u64,
    recent: Recent,
}

impl Meter {
    /// What there is to say at `now`, on the clock of the relays.
    #[must_use]
    pub fn figures(&self, now: Moment) -> Figures {
        let mut counts = self.lock();
        counts.recent.turn(now);
        Figures {
            at_ms: u64::try_from(now.since_origin().as_millis()).unwrap_or(u64::MAX),
            calls: counts.calls,
            tool_errors: counts.tool_errors,
            refused: counts.refused,
            failed: counts.failed,
            recent: counts.recent.calls(),
            p50_us: counts.recent.quantile(50),
            p99_us: counts.recent.quantile(99),
        }
    }

    /// A twin has answered a call that came at `began`.
    pub(super) fn answered(&self, ended: Ended, began: Moment, now: Moment) {
        let mut counts = self.lock();
        counts.count(ended);
        counts.recent.turn(now);
        counts.recent.add(now - began);
    }

    /// The front has answered a call itself: how long that took says nothing about the server.
    pub(super) fn failed(&self) {
        self.lock().count(Ended::Failed);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn count(&mut self, ended: Ended) {
        self.calls += 1;
        match ended {
            Ended::Fine => {}
            Ended::ToolError => self.tool_errors += 1,
            Ended::Refused => self.refused += 1,
            Ended::Failed => self.failed += 1,
        }
    }
}

/// How long the calls of the last half minutes took.
#[derive(Debug)]
struct Recent {
    /// When the half minute that runs began.
    since: Moment,
    /// The one that runs, and the one before.
    halves: [[u32; BUCKETS]; 2],
}

impl Default for Recent {
    fn default() -> Self {
        Self { since: Moment::ZERO, halves: [[0; BUCKETS]; 2] }
    }
}

impl Recent {
    /// Drops what is not of late any more.
    fn turn(&mut self, now: Moment) {
        let age = now - self.since;
        if age < HALF {
            return;
        }
        let [running, before] = &mut self.halves;
        if age < 2 * HALF {
            *before = *running;
            self.since = self.since + HALF;
        } else {
            *before = [0; BUCKETS];
            self.since = now;
        }
        *running = [0; BUCKETS];
    }

    fn add(&mut self, took: Duration) {
        let at = bucket(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(calls) = self.halves[0].get_mut(at) {
            *calls = calls.saturating_add(1);
        }
    }

    fn each(&self) -> impl Iterator<Item = u64> + '_ {
        self.halves[0].iter().zip(&self.halves[1]).map(|(a, b)| u64::from(*a) + u64::from(*b))
    }

    fn calls(&self) -> u64 {
        self.each().sum()
    }

    /// The time that so many of a hundred calls did not exceed, in microseconds.
    fn quantile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.calls() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.each().position(|calls| {
            seen += calls;
            seen >= wanted
        });
        found.map(middle)
    }
}

/// The bucket of a time in microseconds; all that is too long shares the last one.
fn bucket(micros: u64) -> usize {
    let Some(power) = micros.checked_ilog2().and_then(|log| log.checked_sub(BITS)) else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let part = usize::try_from(micros >> power).map_or(0, |leading| leading % PARTS);
    (PARTS * (power as usize + 1) + part).min(BUCKETS - 1)
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let (row, part) = (bucket / PARTS, (bucket % PARTS) as u64);
    match row.checked_sub(1) {
        None => part,
        Some(power) => {
            let from = (PARTS as u64 + part) << power;
            from + ((1_u64 << power) >> 1)
        }
    }
}

/// Whether a result says that the tool failed. Nearly none does, so the object is taken apart only where the words stand.
fn says_error(result: &str) -> bool {
    const NAME: &str = "\"isError\"";
    static FINDER: OnceLock<Finder<'static>> = OnceLock::new();
    let finder = FINDER.get_or_init(|| Finder::new(NAME));
    let said = finder.find_iter(result.as_bytes()).any(|at| {
        let rest = result.get(at + NAME.len()..).unwrap_or_default().trim_ascii_start();
        rest.strip_prefix(':').is_some_and(|value| value.trim_ascii_start().starts_with("true"))
    });
    said && frame::member(result, "isError") == Some("true")
}

impl Relay {
    /// Counts the calls of this session there from now on.
    pub fn set_meter(&mut self, meter: Meter) {
        self.meter = Some(meter);
    }

    /// A twin has answered: `result` is what it answered, `None` a refusal.
    pub(super) fn measure(&self, call: &Call, result: Option<&str>, now: Moment) {
        let Some(meter) = self.meter.as_ref().filter(|_| call.method.counts()) else { return };
        let ended = match result {
            None => Ended::Refused,
            Some(result) if call.method == Method::ToolCall && says_error(result) => Ended::ToolError,
            Some(_) => Ended::Fine,
        };
        meter.answered(ended, call.began, now);
    }

    /// A request of this method gets an error of ours.
    pub(super) fn measure_failure(&self, method: Method) {
        if let Some(meter) = self.meter.as_ref().filter(|_| method.counts()) {
            meter.failed();
        }
    }

    /// Answers a request that is not taken.
    pub(super) fn turn_away(&mut self, id: &ClientId, method: Method, fault: &Fault) {
        self.measure_failure(method);
        self.answer_error(id, fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_origin(Duration::from_secs(seconds))
    }

    fn counted(meter: &Meter, took: Duration, now: Moment) {
        meter.answered(Ended::Fine, now, now + took);
    }

    #[test]
    fn half_of_the_calls_and_nearly_all_of_them() {
        let meter = Meter::default();
        assert_eq!(meter.figures(at(1)), Figures { at_ms: 1000, ..Figures::default() });
        for call in 1..=100 {
            counted(&meter, Duration::from_millis(call), at(1));
        }
        let figures = meter.figures(at(2));
        let near = |micros: Option<u64>, wanted: u64| micros.is_some_and(|micros| micros.abs_diff(wanted) < wanted / 8);
        assert!(near(figures.p50_us, 50_000) && near(figures.p99_us, 99_000), "{figures:?}");
        assert_eq!((figures.calls, figures.recent), (100, 100));
    }

    #[test]
    fn what_is_old_counts_in_the_sums_only() {
        let meter = Meter::default();
        counted(&meter, Duration::from_secs(1), at(1));
        counted(&meter, Duration::from_millis(1), at(31));
        let recent = |now| {
            let figures = meter.figures(at(now));
            assert_eq!(figures.calls, 2);
            figures.recent
        };
        assert_eq!([recent(32), recent(59)], [2, 2], "the half minute before counts too");
        assert_eq!(recent(61), 1);
        assert_eq!(recent(95), 0, "also where nothing was counted since");
        assert_eq!(meter.figures(at(95)).p50_us, None);
        counted(&meter, Duration::from_millis(1), at(1000));
        assert_eq!(meter.figures(at(1029)).recent, 1);
    }

    #[test]
    fn ends_are_told_apart() {
        let meter = Meter::default();
        for ended in [Ended::Fine, Ended::ToolError, Ended::Refused, Ended::Refused] {
            meter.answered(ended, at(1), at(1));
        }
        meter.failed();
        let figures = meter.figures(at(1));
        assert_eq!((figures.calls, figures.tool_errors, figures.refused, figures.failed), (5, 1, 2, 1));
        assert_eq!(figures.recent, 4, "what the front answered itself has no time");
    }

    #[test]
    fn only_the_result_itself_says_that_the_tool_failed() {
        for (result, said) in [
            (r#"{"content":[],"isError":true}"#, true),
            (r#"{"isError" : true,"content":[]}"#, true),
            (r#"{"content":[],"isError":false}"#, false),
            (r#"{"content":[]}"#, false),
            (r#"{"content":[{"isError":true}]}"#, false),
            (r#"{"content":[{"isError":false}],"isError":true}"#, true),
            (r#"{"content":[{"type":"text","text":"\"isError\":true"}]}"#, false),
            (r#"{"isError":"true"}"#, false),
            ("[]", false),
        ] {
            assert_eq!(says_error(result), said, "{result}");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_says_a_time_to_within_an_eighth(micros in 0..1_u64 << 31) {
            let said = middle(bucket(micros));
            prop_assert!(said.abs_diff(micros) <= micros / 8, "{micros}: {said}");
        }

        #[test]
        fn a_longer_time_is_never_in_an_earlier_bucket(micros in any::<u64>(), more in any::<u64>()) {
            prop_assert!(bucket(micros) <= bucket(micros.saturating_add(more)));
            prop_assert!(bucket(micros) < BUCKETS);
        }
    }
}
