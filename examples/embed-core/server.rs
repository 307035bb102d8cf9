//! The server: a line with a name in, a line with a greeting out, until the end of its stdin.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

/// Serves with the greeting of this file.
pub(crate) fn serve(code: &Path) -> ExitCode {
    let greeting = std::fs::read_to_string(code).unwrap_or_default();
    if greeting.is_empty() {
        eprintln!("error: there is no greeting");
        return ExitCode::FAILURE;
    }
    for name in stdin().lock().lines().map_while(Result::ok) {
        let mut out = stdout().lock();
        if writeln!(out, "{greeting}, {name}!").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}
