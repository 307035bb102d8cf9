//! What `replay` shows.

use super::ago::measured;
use super::count;
use super::fault::telling;
use super::style::{BAD, DIM, GOOD, NAME, WARN, harmless, paint};
use crate::replay::recording::Recording;
use crate::replay::report::{Kind, Report, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// Longer values are cut.
const LONGEST: usize = 300;

/// What is replayed to whom.
pub(crate) fn heading(recording: &Recording, command: &[String]) -> String {
    format!(
        "{} {} {} {}\n",
        paint(DIM, "Replaying"),
        harmless(&recording.header.server),
        paint(DIM, &format!("(recorded {}) to", harmless(&recording.header.time))),
        paint(NAME, &harmless(&shell_words::join(command)))
    )
}

/// What was found.
pub(crate) fn report(report: &Report) -> String {
    let mut text = String::new();
    for result in &report.different {
        text += &one(result);
    }
    if let Some(how) = &report.ended {
        let _ = writeln!(text, "{} the server {} before everything was replayed", paint(BAD, "✗"), harmless(how));
        for line in telling(&report.stderr) {
            let _ = writeln!(text, "    {} {line}", paint(DIM, "│"));
        }
    }
    for line in &report.junk {
        let _ = writeln!(text, "{} no MCP on its standard output: {}", paint(WARN, "!"), cut(&harmless(line)));
    }
    if report.lost > 0 {
        let lost = usize::try_from(report.lost).unwrap_or(usize::MAX);
        let _ = writeln!(text, "{} the recording lacks {}", paint(WARN, "!"), count(lost, "message"));
    }
    let took = measured(Duration::from_millis(report.ms));
    let good = report.exit == 0;
    let sign = if good { paint(GOOD, "✓").to_string() } else { paint(BAD, "✗").to_string() };
    let answers = count(report.answers, "answer");
    let _ = match good {
        true => writeln!(text, "{sign} {answers} as recorded, in {took}"),
        false => writeln!(text, "{sign} {} of {answers} as recorded, in {took}", report.same),
    };
    text
}

fn one(result: &Result) -> String {
    let name = result.name.as_deref().map(|name| format!(" {}", harmless(name))).unwrap_or_default();
    let whose = format!("{}{name} {}", harmless(&result.method), paint(DIM, &format!("(id {})", harmless(&result.id))));
    let what = match result.kind {
        Kind::Same => "is answered as recorded".to_owned(),
        Kind::Differs => format!("is answered differently at {}", count(result.count, "place")),
        Kind::Missing => "is not answered".to_owned(),
        Kind::Asked => "is asked by the server, and was not in the recording".to_owned(),
    };
    let mut text = format!("{} {whose} {what}\n", paint(BAD, "✗"));
    for difference in &result.differences {
        let _ = writeln!(text, "    {}", harmless(&difference.pointer));
        for (sign, style, value) in [("-", BAD, &difference.recorded), ("+", GOOD, &difference.replayed)] {
            if let Some(value) = value {
                let _ = writeln!(text, "      {} {}", paint(style, sign), shown(value));
            }
        }
    }
    if result.count > result.differences.len() {
        let _ = writeln!(text, "    and {} more", result.count - result.differences.len());
    }
    text
}

fn shown(value: &Value) -> String {
    cut(&harmless(&value.to_string()))
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::compare::Difference;
    use serde_json::json;

    #[test]
    fn differences_are_shown_as_they_are_read() {
        let difference = |pointer: &str, recorded: Option<Value>, replayed: Option<Value>| Difference {
            pointer: pointer.to_owned(),
            recorded,
            replayed,
        };
        let differences = vec![
            difference("/result/content/0/text", Some(json!("v1")), Some(json!("v2\u{1b}[31m"))),
            difference("/result/more", None, Some(json!("x".repeat(1000)))),
            difference("/result/less", Some(json!({"a": 1})), None),
        ];
        let differs = Result {
            id: "3".to_owned(),
            method: "tools/call".to_owned(),
            name: Some("echo".to_owned()),
            kind: Kind::Differs,
            differences,
            count: 24,
        };
        let plain = |kind, method: &str| Result {
            id: "\"a\"".to_owned(),
            method: method.to_owned(),
            kind,
            ..Result::default()
        };
        let found = Report {
            command: "replay",
            exit: 1,
            file: "session.jsonl".to_owned(),
            server: "web".to_owned(),
            recorded: "2026-11-26T00:00:00Z".to_owned(),
            argv: vec!["python".to_owned()],
            answers: 12,
            same: 9,
            different: vec![differs, plain(Kind::Missing, "tools/list"), plain(Kind::Asked, "roots/list")],
            lost: 2,
            junk: vec!["hello".to_owned()],
            ended: Some("exited with status 1".to_owned()),
            stderr: "Traceback (most recent call last):\nValueError: x\n".to_owned(),
            ms: 1234,
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&report(&found)).to_string());
        let fine = Report { exit: 0, same: 12, different: Vec::new(), lost: 0, junk: Vec::new(), ended: None, ..found };
        assert_eq!(anstream::adapter::strip_str(&report(&fine)).to_string(), "✓ 12 answers as recorded, in 1.23 s\n");
    }
}
