//! What `verify` shows, line by line as it goes on.

use super::ago::measured;
use super::fault::telling;
use super::style::{BAD, DIM, GOOD, NAME, WARN, harmless, paint};
use crate::verify::report::{Check, Report, Verdict};
use mcp_twin_runtime::session::Era;
use std::fmt::Write as _;
use std::time::Duration;

/// What is verified.
pub(crate) fn heading(command: &[String]) -> String {
    format!("{} {}\n", paint(DIM, "Verifying"), paint(NAME, &harmless(&shell_words::join(command))))
}

/// An era begins.
pub(crate) fn era(era: Era) -> String {
    format!("\n{} {}\n", paint(NAME, era.version()), paint(DIM, &format!("({})", era.opening())))
}

/// A check is over.
pub(crate) fn check(check: &Check) -> String {
    let sign = match check.verdict {
        Verdict::Passed => paint(GOOD, "✓").to_string(),
        Verdict::Warned => paint(WARN, "!").to_string(),
        Verdict::Failed => paint(BAD, "✗").to_string(),
        Verdict::Skipped => paint(DIM, "–").to_string(),
    };
    let took = paint(DIM, &format!("({})", measured(Duration::from_millis(check.ms)))).to_string();
    if check.verdict == Verdict::Skipped {
        let why = check.problems.first().unwrap_or(&check.title);
        return format!("  {sign} skipped: {}\n", harmless(why));
    }
    let mut text = format!("  {sign} {} {took}\n", harmless(&check.title));
    for problem in check.problems.iter().flat_map(|problem| problem.lines()) {
        let _ = writeln!(text, "      {}", harmless(problem));
    }
    let said = if check.problems.is_empty() { Vec::new() } else { telling(&check.stderr) };
    if !said.is_empty() {
        text.push_str("      The server's stderr:\n");
        for line in said {
            let _ = writeln!(text, "      {} {line}", paint(DIM, "│"));
        }
    }
    text
}

/// How it ended.
pub(crate) fn summary(report: &Report) -> String {
    let counts = [
        (report.failed, "failed", BAD),
        (report.warned, "warned", WARN),
        (report.passed, "passed", GOOD),
        (report.skipped, "skipped", DIM),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(count, word, style)| paint(*style, &format!("{count} {word}")).to_string()).collect();
    let sign = if report.failed == 0 { paint(GOOD, "✓").to_string() } else { paint(BAD, "✗").to_string() };
    format!("\n{sign} {} in {}\n", counts.join(", "), measured(Duration::from_millis(report.ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::report::tests::{broken, good};

    fn screen(report: &Report) -> String {
        let mut text = heading(&report.argv);
        for (report, which) in report.eras.iter().zip(Era::ALL) {
            text += &era(which);
            text.extend(report.checks.iter().map(check));
        }
        anstream::adapter::strip_str(&(text + &summary(report))).to_string()
    }

    #[test]
    fn a_server_that_does_well() {
        insta::assert_snapshot!(screen(&good()));
    }

    #[test]
    fn a_server_that_does_not_start() {
        insta::assert_snapshot!(screen(&broken()));
    }
}
