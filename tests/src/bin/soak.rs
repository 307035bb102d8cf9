//! `cargo xtask soak`: the load of the tests' short soak in any size, with its numbers as a table.
//!
//!     soak [--fronts 10] [--calls 3000] [--swaps 5] [--in-flight 32] [--cycles 1000] [--bare]
#![allow(clippy::expect_used)] // A harness: its panics are its failures.

#[cfg(unix)]
use mcp_twin_tests::soak::{self, Plan};
use std::process::ExitCode;

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("the soak knows Unix only");
    ExitCode::FAILURE
}

#[cfg(unix)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, otherwise: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(otherwise, |at| {
            arguments.get(at + 1).and_then(|text| text.parse().ok()).expect("a number behind a flag")
        })
    };
    let plan = Plan {
        fronts: number("--fronts", 10),
        calls: number("--calls", 3000),
        swaps: number("--swaps", 5),
        in_flight: number("--in-flight", 32),
    };
    if arguments.iter().any(|argument| argument == "--bare") {
        let row = soak::run_bare(plan);
        println!("{}\n{row}", soak::HEADINGS);
        return status(row.flawless(0));
    }
    let mut good = true;
    if plan.fronts > 0 {
        println!("{plan:?}\n{}", soak::HEADINGS);
        for row in soak::run(plan) {
            println!("{row}");
            good &= row.flawless(plan.swaps);
        }
    }
    let cycles = number("--cycles", 1000);
    if cycles > 0 {
        println!("\none front, {cycles} swaps\n{}", soak::SAMPLE_HEADINGS);
        let samples = soak::cycles(cycles, |sample| println!("{sample}"));
        good &= soak::flat(&samples);
    }
    println!("\n{}", if good { "0 lost, 0 failed, 0 run twice; nothing grew" } else { "NOT GOOD" });
    status(good)
}

#[cfg(unix)]
fn status(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
