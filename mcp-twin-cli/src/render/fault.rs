//! A failure on one screen: what happened, what the server itself said, what to do next.

use super::style::{BAD, DIM, GOOD, harmless, paint};
use mcp_twin_core::error::{Code, Fault};
use std::fmt::Write as _;

/// At most so many lines of a server's stderr.
const LINES: usize = 15;

/// The block below a heading. `server` names it in the advice.
pub(crate) fn fault(fault: &Fault, server: &str) -> String {
    block(fault, server, SAVE)
}

/// The same for a server whose saves nobody sees.
pub(crate) fn fault_unwatched(fault: &Fault, server: &str) -> String {
    block(fault, server, &format!("fix it, then mcp-twin reload {server}"))
}

/// What to do about code that does not start.
const SAVE: &str = "fix it and save: each save is tried";

fn block(fault: &Fault, server: &str, mend: &str) -> String {
    let mut text = format!("  {} {}\n", harmless(&fault.message), paint(DIM, &format!("[{}]", fault.code)));
    let said = telling(&fault.stderr_tail);
    if !said.is_empty() {
        let own = matches!(fault.code, Code::BuildFailed | Code::CheckFailed);
        let whose = if own { "What was said:" } else { "The server's stderr:" };
        let _ = writeln!(text, "  {whose}");
        for line in said {
            let _ = writeln!(text, "  {} {line}", paint(DIM, "│"));
        }
    }
    if let Some(help) = fault.help.clone().or_else(|| advice(fault.code, server, mend)) {
        let _ = writeln!(text, "  {} {}", paint(GOOD, "Next:"), harmless(&help));
    }
    if !fault.stderr_tail.is_empty() {
        let _ = writeln!(text, "  {} mcp-twin logs {server}", paint(DIM, "More:"));
    }
    text
}

/// The one line that says most: for places where there is room for one.
pub(crate) fn headline(fault: &Fault) -> String {
    let line = harmless(fault.first_line());
    if line.is_empty() { harmless(&fault.message) } else { format!("{}: {line}", harmless(&fault.message)) }
}

/// The lines of a stderr that tell what went wrong: from the last traceback or panic on, else around the first error,
/// else the last ones. Never more than 15; what is left out is counted.
pub(crate) fn telling(stderr: &str) -> Vec<String> {
    let lines: Vec<String> =
        stderr.lines().map(|line| harmless(line.trim_end())).filter(|line| !line.is_empty()).collect();
    if lines.len() <= LINES {
        return lines;
    }
    let begins = |line: &str| line.starts_with("Traceback (most recent call last)") || line.contains("panicked at");
    let names_error = |line: &str| {
        let lower = line.to_ascii_lowercase();
        lower.contains("error") || lower.contains("exception")
    };
    let from = lines.iter().rposition(|line| begins(line));
    let from = from.or_else(|| lines.iter().position(|line| names_error(line)).map(|at| at.saturating_sub(3)));
    let lines = &lines[from.unwrap_or(lines.len() - LINES)..];
    if lines.len() <= LINES {
        return lines.to_vec();
    }
    // Where the error is named last (Python), its end matters most; the head says where it began.
    let head = 4;
    let tail = LINES - head - 1;
    let left_out = format!("… {} lines left out …", lines.len() - head - tail);
    let tail = &lines[lines.len() - tail..];
    lines[..head].iter().cloned().chain([left_out]).chain(tail.iter().cloned()).collect()
}

/// A heading with the sign of failure.
pub(crate) fn heading(text: &str) -> String {
    format!("{} {text}\n", paint(BAD, "✗"))
}

/// What to do, where the fault itself does not say.
fn advice(code: Code, server: &str, mend: &str) -> Option<String> {
    let advice = match code {
        Code::NotExecutable => {
            "correct the command in the client's configuration, then reconnect the client".to_owned()
        }
        Code::SpawnFailed
        | Code::ExitedEarly
        | Code::Crashed
        | Code::ProbeRefused
        | Code::ListFailed
        | Code::BuildFailed
        | Code::CheckFailed => mend.to_owned(),
        Code::ProbeTimeout => "see what it waits for; `--start-timeout` gives it more time".to_owned(),
        Code::VersionChanged => "reconnect the client: another protocol version takes a new session".to_owned(),
        Code::CapabilityLost => format!("mcp-twin swap {server} --force, if it is meant so"),
        Code::BreakingWaits => format!("mcp-twin swap {server}, if it is meant so"),
        Code::ProtocolBroken => "write nothing but MCP to stdout; messages go to stderr".to_owned(),
        Code::RetiringFull => {
            "wait until the calls that older code still works on are answered, then swap again".to_owned()
        }
        Code::Superseded => format!("mcp-twin status {server} shows how the newer code does"),
        Code::DiedBeforeCommit | Code::StandbyExpired => format!("mcp-twin reload {server}"),
        Code::NotPersisted => "make the folder of mcp-twin's state writable, then swap again".to_owned(),
        Code::BakeCrashed | Code::BakeErrors => {
            format!("fix it and save, or mcp-twin swap {server} to try the same code again")
        }
        Code::CodeGone => "put the older code back in place (git checkout, say) and save".to_owned(),
        Code::NoPrevious => format!("mcp-twin status {server} shows what there is"),
        Code::Stopped | Code::Down => format!("mcp-twin reload {server}"),
        _ => return None,
    };
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_failure_is_one_screen() {
        insta::assert_snapshot!(plain(&fault(&fixture::syntax_error(), "web")));
        let noise: String = (0..400).map(|n| format!("debug: line {n}\n")).collect();
        let deep: String = (0..40).map(|n| format!("  File \"a.py\", line {n}, in f\n    f()\n")).collect();
        let long = format!("{noise}Traceback (most recent call last):\n{deep}RecursionError: too deep\n\u{1b}[0m");
        let shown = plain(&fault(&Fault::new(Code::BakeCrashed, "the twin ended").with_stderr(long), "web"));
        assert!(shown.lines().count() < 24);
        insta::assert_snapshot!("long_traceback", shown);
    }

    #[test]
    fn the_telling_lines_of_other_languages() {
        let noise: String = (0..30).map(|n| format!("info {n}\n")).collect();
        let node = format!(
            "{noise}/srv/index.js:3\nlet let = 1\n    ^^^\nSyntaxError: bad\n    at wrapSafe (node:internal)\n"
        );
        assert!(telling(&node).iter().any(|line| line == "SyntaxError: bad") && telling(&node)[0] != "info 0");
        let rust = format!("{noise}thread 'main' panicked at src/main.rs:2:5:\nboom\n");
        assert_eq!(telling(&rust), ["thread 'main' panicked at src/main.rs:2:5:", "boom"]);
        assert_eq!(telling(&noise).len(), LINES);
        assert_eq!(telling("\n \n"), Vec::<String>::new());
    }

    #[test]
    fn every_code_that_a_person_can_mend_has_advice() {
        let mute: Vec<_> =
            Code::ALL.iter().filter(|code| advice(**code, "web", SAVE).is_none()).map(|code| code.as_str()).collect();
        insta::assert_debug_snapshot!("codes_without_advice", mute);
    }
}
