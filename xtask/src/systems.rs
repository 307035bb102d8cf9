//! `cargo xtask check-systems`: the types and lints of what is built for other systems only. Nothing is linked or run.

use crate::exec::{Result, cargo, fail, output, program, run};
use std::path::Path;

/// One target for each system beside Linux.
const TARGETS: &[&str] = &["aarch64-apple-darwin", "x86_64-pc-windows-gnu"];

/// Checks every target whose standard library is there, or can be built from its source; fails if one cannot be checked.
pub(crate) fn check(_arguments: &[String]) -> Result {
    let sysroot = output(&mut program("rustc", ["--print", "sysroot"]))?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    let source = libraries.join("src/rust/library/Cargo.lock").is_file();
    // napi wants to be linked with one for Windows by GNU; here nothing is linked, and nobody reads it.
    let libnode = crate::exec::target().join("tmp/libnode");
    std::fs::create_dir_all(&libnode)?;
    std::fs::write(libnode.join("libnode.dll"), "")?;
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    for target in TARGETS {
        let mut check = cargo(["clippy", "--workspace", "--all-targets", "--keep-going", "--target", target]);
        check.env("LIBNODE_PATH", &libnode);
        if libraries.join(target).join("lib").is_dir() {
            // As rustup installed it.
        } else if source {
            // The pinned compiler is a stable one; of what is not, only this is used.
            check.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        } else {
            missing.push(*target);
            continue;
        }
        if run(check.args(["--", "-D", "warnings"])).is_err() {
            wrong.push(*target);
        }
    }
    if !missing.is_empty() {
        let targets = missing.join(" ");
        eprintln!("not checked: {targets}: install `rustup target add {targets}`, or `rustup component add rust-src`");
    }
    if missing.is_empty() && wrong.is_empty() {
        eprintln!("checked, neither linked nor run: {}", TARGETS.join(", "));
        return Ok(());
    }
    let words = |what: &str, targets: &[&str]| match targets {
        [] => None,
        targets => Some(format!("{what}: {}", targets.join(", "))),
    };
    let why: Vec<String> = [words("wrong", &wrong), words("not checked", &missing)].into_iter().flatten().collect();
    fail(why.join("; "))
}
