//! `cargo xtask soak`: the load of the tests' short soak in any size, with its numbers as a table.
//!
//!     soak [--fronts 10] [--calls 3000] [--swaps 5] [--in-flight 32] [--cycles 1000] [--bare]
//!     soak --http [--sessions 64] [--calls 200000] [--swaps 50] [--cycles 1000]
//!     soak --interop [--swaps 20] [--at-once 2] [--only SERVER::CLIENT]
//!
//! The second form is the same over HTTP, the third the matrix of servers and clients.
#![allow(clippy::expect_used)] // A harness: its panics are its failures.

#[cfg(unix)]
use mcp_twin_tests::interop::{self, Outcome, PAIRINGS, Pairing};
#[cfg(unix)]
use mcp_twin_tests::soak::{self, Plan};
use std::process::ExitCode;
#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::sync::Mutex;
#[cfg(unix)]
use std::sync::atomic::{AtomicUsize, Ordering};

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
    if arguments.iter().any(|argument| argument == "--interop") {
        let swaps = number("--swaps", 20);
        let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
        return match only {
            Some(name) => one(name, swaps),
            None => matrix(swaps, number("--at-once", 2)),
        };
    }
    if arguments.iter().any(|argument| argument == "--http") {
        let plan = soak::http::Plan {
            sessions: number("--sessions", 64),
            calls: number("--calls", 200_000),
            swaps: number("--swaps", 50),
        };
        return over_http(plan, number("--cycles", 1000));
    }
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
        good &= soak::flat(&soak::cycles(cycles, |sample| println!("{sample}")));
    }
    verdict(good)
}

#[cfg(unix)]
/// The load over HTTP, and the swaps one after the other.
fn over_http(plan: soak::http::Plan, cycles: usize) -> ExitCode {
    let mut good = true;
    if plan.sessions > 0 {
        println!("{plan:?}\n{}", soak::HEADINGS);
        let row = soak::http::run(plan);
        println!("{row}");
        good &= row.flawless(plan.swaps);
    }
    if cycles > 0 {
        println!("\none front over HTTP, {cycles} swaps\n{}", soak::SAMPLE_HEADINGS);
        good &= soak::flat(&soak::http::cycles(cycles, |sample| println!("{sample}")));
    }
    verdict(good)
}

#[cfg(unix)]
fn verdict(good: bool) -> ExitCode {
    println!("\n{}", if good { "0 lost, 0 failed, 0 run twice; nothing grew" } else { "NOT GOOD" });
    status(good)
}

#[cfg(unix)]
/// One pairing: its row.
fn one(name: &str, swaps: usize) -> ExitCode {
    let pairing = Pairing::named(name).expect("a pairing of the matrix, as `server::client`");
    let (server, client) = name.split_once("::").expect("two names");
    if pairing.outcome == Outcome::Refused {
        let [bare, fronted] = pairing.refused();
        let same = bare == fronted && bare.0 != Some(0);
        println!("| {server} | {client} | refused{} | | | | | |", if same { ", as bare" } else { ": NOT AS BARE" });
        return status(same);
    }
    let row = pairing.run(swaps);
    println!("| {server} | {client} | {row}");
    status(row.flawless())
}

#[cfg(unix)]
/// All of them, some at once, each in a process of its own: a panic is the end of one row only.
fn matrix(swaps: usize, at_once: usize) -> ExitCode {
    println!("{}", interop::HEADINGS);
    let me = std::env::current_exe().expect("the path of this program");
    let (next, bad) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        while let Some(pairing) = PAIRINGS.get(next.fetch_add(1, Ordering::SeqCst)) {
            let mut command = Command::new(&me);
            command.args(["--interop", "--only", pairing.name, "--swaps"]).arg(swaps.to_string());
            let output = command.stdin(Stdio::null()).output().expect("a row");
            print!("{}", String::from_utf8_lossy(&output.stdout));
            if !output.status.success() {
                eprintln!("{}: {}", pairing.name, String::from_utf8_lossy(&output.stderr));
                bad.lock().expect("no panic in a worker").push(pairing.name);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(worker);
        }
    });
    let bad = bad.into_inner().expect("no panic in a worker");
    println!("\n{} pairings, {} not good {bad:?}", PAIRINGS.len(), bad.len());
    status(bad.is_empty())
}

#[cfg(unix)]
fn status(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
