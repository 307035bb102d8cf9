//! Any schedule of client messages, swaps, deaths, partial writes, cancellations, late and doubled answers: no id is lost,
//! none is answered twice, none is delivered to two twins that may not be, and payloads arrive as they were sent.

mod world;

use super::Mutant;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use world::{Checked, Step, World};

fn run(mutant: Option<Mutant>, modern: bool, agent: bool, steps: Vec<Step>) -> Checked {
    let mut world = World::new(mutant, modern, agent);
    for step in steps {
        world.step(step)?;
    }
    world.end()
}

/// Most schedules begin with a twin that serves.
fn schedules() -> impl Strategy<Value = Vec<Step>> {
    let step = (0u8..100, any::<u16>(), any::<u16>());
    (any::<bool>(), vec(step, 1..80)).prop_map(|(serving, mut steps)| {
        if serving {
            steps.splice(0..0, [(73, 0, 0), (51, 0, 0), (76, 0, 0)]);
        }
        steps
    })
}

fn search(mutant: Option<Mutant>, modern: bool, agent: bool, cases: u32) -> Result<(), String> {
    // A mutant's schedule is of no interest, only that there is one.
    let max_shrink_iters = if mutant.is_some() { 0 } else { 20_000 };
    let config = Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&schedules(), |steps| run(mutant, modern, agent, steps).map_err(TestCaseError::fail))
        .map_err(|error| error.to_string())
}

#[test]
fn no_request_is_lost_doubled_or_changed() {
    // PROPTEST_CASES asks for more.
    search(None, false, false, Config::default().cases.max(1000)).unwrap();
}

#[test]
fn nor_in_the_modern_era_where_subscriptions_stay_open() {
    search(None, true, false, Config::default().cases.max(1000)).unwrap();
}

#[test]
fn nor_where_the_front_has_tools_of_its_own() {
    for modern in [false, true] {
        search(None, modern, true, Config::default().cases.max(1000)).unwrap();
    }
}

/// A property that a broken rule passes proves nothing.
fn is_caught(mutant: Mutant, how: &str) {
    for modern in [false, true] {
        let found = search(Some(mutant), modern, false, 5000).expect_err("the property did not notice");
        assert!(found.contains(how), "{found}");
    }
}

#[test]
fn silence_is_noticed() {
    is_caught(Mutant::Silent, "was never answered");
}

#[test]
fn a_cancelled_held_request_that_is_delivered_is_noticed() {
    is_caught(Mutant::CancelHeld, "cancelled and then");
}

#[test]
fn a_request_cancelled_while_written_that_goes_elsewhere_is_noticed() {
    is_caught(Mutant::CancelWriting, "cancelled and then");
}

#[test]
fn a_second_delivery_is_noticed() {
    is_caught(Mutant::ReplayAll, "was delivered to");
}

#[test]
fn a_third_delivery_is_noticed() {
    is_caught(Mutant::Unbounded, "was delivered to");
}

#[test]
fn a_late_answer_that_is_passed_on_is_noticed() {
    is_caught(Mutant::ForwardLate, "");
}
