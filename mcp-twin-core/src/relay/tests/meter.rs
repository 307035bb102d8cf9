//! What is counted of a session's calls.

use super::rig::{A, B, Rig, fault, full};
use crate::control::Figures;
use crate::error::Code;
use crate::relay::Meter;
use serde_json::{Value, json};
use std::time::Duration;

struct Measured {
    rig: Rig,
    meter: Meter,
}

impl Measured {
    fn new() -> Self {
        let mut rig = Rig::open(&full(), &Rig::tools());
        let meter = Meter::default();
        rig.relay.set_meter(meter.clone());
        Self { rig, meter }
    }

    /// The client asks, and a while later the twin answers.
    fn asked(&mut self, id: i64, method: &str, took: Duration, answer: impl FnOnce(&mut Rig, &Value)) {
        self.rig.ask(id, method, json!({"name": "t", "uri": "x://y"}));
        let lines = self.rig.twin_reads(A);
        self.rig.pass(took);
        answer(&mut self.rig, &lines[0]["id"]);
    }

    fn figures(&self) -> Figures {
        self.meter.figures(self.rig.now)
    }

    /// Calls, results with `isError`, refusals, failures.
    fn ends(&self) -> (u64, u64, u64, u64) {
        let figures = self.figures();
        (figures.calls, figures.tool_errors, figures.refused, figures.failed)
    }
}

#[test]
fn calls_are_counted_by_how_they_end() {
    let mut measured = Measured::new();
    let took = Duration::from_millis(20);
    measured.asked(1, "tools/call", took, |rig, id| rig.answer(A, id, json!({"content": []})));
    measured.asked(2, "resources/read", took, |rig, id| rig.answer(A, id, json!({"contents": []})));
    assert_eq!(measured.ends(), (2, 0, 0, 0));
    measured.asked(3, "tools/call", took, |rig, id| rig.answer(A, id, json!({"content": [], "isError": true})));
    measured.asked(4, "tools/call", took, |rig, id| rig.refuse(A, id, -32602));
    assert_eq!(measured.ends(), (4, 1, 1, 0));
    let p99 = measured.figures().p99_us.unwrap_or_default();
    assert!((18_000..=22_500).contains(&p99), "{p99}");
}

#[test]
fn what_asks_for_nothing_to_be_done_is_no_call() {
    let mut measured = Measured::new();
    for (id, method) in [(1, "ping"), (2, "tools/list"), (3, "resources/subscribe"), (4, "custom/method")] {
        measured.asked(id, method, Duration::ZERO, |rig, id| rig.answer(A, id, json!({})));
    }
    measured.asked(5, "tools/call", Duration::ZERO, |_, _| {});
    measured.rig.cancel(json!(5));
    assert_eq!(measured.ends(), (0, 0, 0, 0), "neither is one that was cancelled");
}

#[test]
fn a_call_without_a_twin_has_failed() {
    let mut measured = Measured::new();
    measured.asked(1, "tools/call", Duration::ZERO, |rig, _| rig.die(A));
    assert_eq!(measured.ends(), (1, 0, 0, 1), "lost with its twin");
    let now = measured.rig.now;
    measured.rig.relay.refuse(fault(Code::Down, "down"), now);
    measured.rig.call(2);
    assert_eq!(measured.ends(), (2, 0, 0, 2), "refused at once");
    assert_eq!(measured.figures().recent, 0);
}

#[test]
fn a_call_that_was_held_has_taken_that_long() {
    let mut measured = Measured::new();
    let now = measured.rig.now;
    measured.rig.relay.hold(now);
    measured.rig.call(1);
    measured.rig.pass(Duration::from_secs(2));
    measured.rig.swap(B, &full(), &Rig::tools());
    let id = measured.rig.twin_reads(B)[0]["id"].clone();
    measured.rig.answer(B, &id, json!({"content": []}));
    let p50 = measured.figures().p50_us.unwrap_or_default();
    assert!((1_800_000..=2_300_000).contains(&p50), "{p50}");
    assert_eq!(measured.ends(), (1, 0, 0, 0));
}
