//! `cargo xtask conformance`: what passes with the bare server must pass through a front. Over stdio the official Inspector
//! says so, over HTTP the Inspector and the official conformance suite.

mod fixture;
mod http;
mod inspector;
mod served;

use crate::exec::{Result, build, fail};
use crate::setup;

/// Runs `inspector`, `http`, or both.
pub(crate) fn run(arguments: &[String]) -> Result {
    let (part, rest) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (Some(first.as_str()), rest),
        _ => (None, arguments),
    };
    setup::run(&[])?;
    build()?;
    match part {
        None => inspector::run(rest).and_then(|()| http::run(rest)),
        Some("inspector") => inspector::run(rest),
        Some("http") => http::run(rest),
        Some(other) => fail(format!("`conformance {other}`: there are the parts `inspector` and `http`")),
    }
}
