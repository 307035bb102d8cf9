//! The matrix of servers and clients, five swaps each; `cargo xtask soak --interop` has twenty. The pairings stand in
//! `tests/src/interop.rs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::interop::{self, Outcome, Pairing};

const SWAPS: usize = 5;

fn check(name: &str) {
    let pairing = Pairing::named(name).unwrap();
    if pairing.outcome == Outcome::Refused {
        let [bare, fronted] = pairing.refused();
        assert_eq!(fronted, bare);
        assert!(bare.0 != Some(0) && !bare.1.is_empty(), "the bare server was not refused: {bare:?}");
        return;
    }
    let row = pairing.run(SWAPS);
    assert!(row.flawless(), "\n{}\n| {row}\n{row:?}", interop::HEADINGS);
}

macro_rules! tests {
    ($($server:ident: $kind:ident { $($client:ident: $peer:ident($which:expr) => $outcome:ident,)* })*) => {
        $(mod $server {
            $(#[test]
            fn $client() {
                super::check(concat!(stringify!($server), "::", stringify!($client)));
            })*
        })*
    };
}

mcp_twin_tests::pairings!(tests);
