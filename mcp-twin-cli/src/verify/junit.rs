//! What was found, as JUnit's XML: a suite for each era, a case for each check.

use super::report::{Check, EraReport, Report, Verdict};
use crate::failure::Failure;
use crate::render::style::harmless;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The document.
pub(crate) fn document(report: &Report) -> Result<String, Failure> {
    let name = &report.server;
    let mut document = quick_junit::Report::new(format!("mcp-twin verify {name}"));
    document.set_time(Duration::from_millis(report.ms));
    document.add_test_suites(report.eras.iter().map(|era| suite(era, name)));
    document.to_string().map_err(|error| {
        Failure::configuration("cli::verify::junit", format!("the JUnit document cannot be made: {error}"))
    })
}

fn suite(era: &EraReport, server: &str) -> TestSuite {
    let mut suite = TestSuite::new(format!("{} {}", era.era, era.asked));
    suite.set_time(Duration::from_millis(era.checks.iter().map(|check| check.ms).sum()));
    suite.add_test_cases(era.checks.iter().map(|check| case(check, &format!("{server}.{}", era.era))));
    suite
}

fn case(check: &Check, class: &str) -> TestCase {
    let what = check.problems.iter().map(|line| harmless(line)).collect::<Vec<_>>().join("\n");
    let mut status = match check.verdict {
        Verdict::Passed | Verdict::Warned => TestCaseStatus::success(),
        Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Skipped => TestCaseStatus::skipped(),
    };
    if matches!(check.verdict, Verdict::Failed | Verdict::Skipped) {
        // The first line is what most readers of the format show.
        status.set_message(harmless(check.problems.first().unwrap_or(&check.title)));
    }
    if check.verdict == Verdict::Failed {
        status.set_type(check.id.as_str());
        status.set_description(format!("{}\n{what}", harmless(&check.title)));
    }
    let mut case = TestCase::new(check.id.as_str(), status);
    case.set_classname(class);
    case.set_time(Duration::from_millis(check.ms));
    let mut out = harmless(&check.title);
    if check.verdict == Verdict::Warned {
        out = format!("{out}\nwarning: {what}");
    }
    case.set_system_out(out);
    if !check.stderr.is_empty() {
        case.set_system_err(check.stderr.lines().map(harmless).collect::<Vec<_>>().join("\n"));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{broken, good};
    use super::*;

    #[test]
    fn suites_cases_failures_and_skips() {
        insta::assert_snapshot!("junit", document(&good()).expect("a document"));
        insta::assert_snapshot!("junit_broken", document(&broken()).expect("a document"));
    }

    #[test]
    fn what_a_server_wrote_cannot_spoil_the_document() {
        let mut report = broken();
        report.eras[0].checks[0].stderr = "]]> <failure> & \u{1b}[31m\u{0} end".to_owned();
        let text = document(&report).expect("a document");
        let read = quick_junit::Report::deserialize_from_str(&text).expect("XML that can be read");
        let case = &read.test_suites[0].test_cases[0];
        assert_eq!(case.system_err.as_ref().map(|text| text.as_str()), Some("]]> <failure> &  end"));
    }
}
