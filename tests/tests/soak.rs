//! The short form of `cargo xtask soak`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::soak::{self, Plan};

#[test]
fn the_load_itself_is_flawless_without_a_front() {
    let row = soak::run_bare(Plan { fronts: 1, calls: 300, swaps: 0, in_flight: 32 });
    assert!(row.flawless(0), "{}\n{row}", soak::HEADINGS);
}

#[test]
fn calls_under_swaps_are_neither_lost_nor_run_twice() {
    let plan = Plan { fronts: 3, calls: 300, swaps: 3, in_flight: 32 };
    let rows = soak::run(plan);
    let table = rows.iter().fold(soak::HEADINGS.to_owned(), |table, row| format!("{table}\n{row}"));
    assert!(rows.iter().all(|row| row.flawless(plan.swaps)), "\n{table}");
    assert!(rows.iter().map(|row| row.finished_by_old).sum::<usize>() > 0, "no call was open at a swap\n{table}");
}

#[test]
fn calls_over_http_under_swaps_are_neither_lost_nor_run_twice() {
    let plan = soak::http::Plan { sessions: 8, calls: 2000, swaps: 5 };
    let row = soak::http::run(plan);
    assert!(row.flawless(plan.swaps), "\n{}\n{row}", soak::HEADINGS);
    assert!(row.calls >= plan.calls && row.finished_by_old > 0, "no call was open at a swap\n{row}");
}

#[test]
fn descriptors_and_memory_stay_flat_over_http() {
    let samples = soak::http::cycles(20, |_| {});
    assert!(soak::flat(&samples), "{samples:?}");
}

#[test]
fn descriptors_and_memory_stay_flat() {
    let samples = soak::cycles(20, |_| {});
    assert!(soak::flat(&samples), "{samples:?}");
}
