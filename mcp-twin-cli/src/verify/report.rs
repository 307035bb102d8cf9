//! What was found, and the document of `verify --json`. Its JSON Schema is `schema/verify.json`, which a test keeps in step
//! with these types.

use crate::exit::Exit;
use mcp_twin_runtime::session::Era;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it must be.
    Passed,
    /// It works, and is not as it should be.
    Warned,
    /// Not as it must be.
    Failed,
    /// Not looked at.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Check {
    /// `open`, `tools`, `prompts`, `resources`, `templates`, `call:TOOL`, `check`, `swaps`, `stdout` or `stop`.
    pub(crate) id: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// What was seen, in words.
    pub(crate) title: String,
    /// What is wrong, line by line.
    pub(crate) problems: Vec<String>,
    /// How long it took, in milliseconds.
    pub(crate) ms: u64,
    /// The last of the server's stderr, where that says more.
    pub(crate) stderr: String,
    /// What was counted, for `swaps`.
    pub(crate) load: Option<Counted>,
}

/// What was counted while the server was swapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Counted {
    /// How often it was swapped.
    pub(crate) swaps: u32,
    /// Requests sent meanwhile.
    pub(crate) requests: u64,
    /// Those without an answer.
    pub(crate) lost: u64,
    /// Those with an error for an answer.
    pub(crate) failed: u64,
    /// The longest that one took, in milliseconds.
    pub(crate) longest_ms: u64,
}

/// What was found in one era.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct EraReport {
    /// `legacy` (`initialize`) or `modern` (`server/discover`).
    pub(crate) era: &'static str,
    /// The revision that was asked for.
    pub(crate) asked: &'static str,
    /// The revision that the server speaks; none if it does not open.
    pub(crate) version: Option<String>,
    /// What the server says that it is.
    pub(crate) server: Option<String>,
    /// The checks, in order.
    pub(crate) checks: Vec<Check>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Report {
    /// `verify`
    pub(crate) command: &'static str,
    /// The exit status: 0, or 1 if a check failed.
    pub(crate) exit: u8,
    /// The server's name.
    pub(crate) server: String,
    /// Its command line.
    pub(crate) argv: Vec<String>,
    /// Both eras.
    pub(crate) eras: Vec<EraReport>,
    /// Checks that passed.
    pub(crate) passed: usize,
    /// Checks that warn.
    pub(crate) warned: usize,
    /// Checks that failed.
    pub(crate) failed: usize,
    /// Checks that were skipped.
    pub(crate) skipped: usize,
    /// How long all took, in milliseconds.
    pub(crate) ms: u64,
}

/// Milliseconds, for documents.
pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Check {
    /// A check that passed.
    pub(crate) fn passed(id: impl Into<String>, title: impl Into<String>, took: Duration) -> Self {
        let (id, title) = (id.into(), title.into());
        Self {
            id,
            verdict: Verdict::Passed,
            title,
            problems: Vec::new(),
            ms: ms(took),
            stderr: String::new(),
            load: None,
        }
    }

    /// The same with what is wrong; nothing wrong leaves it as it is.
    pub(crate) fn but(self, verdict: Verdict, problems: Vec<String>) -> Self {
        if problems.is_empty() { self } else { Self { verdict, problems, ..self } }
    }

    /// A check that failed.
    pub(crate) fn failed(id: impl Into<String>, title: impl Into<String>, took: Duration, why: String) -> Self {
        Self::passed(id, title, took).but(Verdict::Failed, vec![why])
    }

    /// The same with what the server said.
    pub(crate) fn with_stderr(self, stderr: impl Into<String>) -> Self {
        Self { stderr: stderr.into(), ..self }
    }
}

impl EraReport {
    /// Nothing is known yet.
    pub(crate) fn new(era: Era) -> Self {
        Self { era: era.word(), asked: era.version(), version: None, server: None, checks: Vec::new() }
    }

    /// Whether it opened in this era.
    pub(crate) fn is_open(&self) -> bool {
        self.version.is_some()
    }
}

/// An era that a server does not speak is no fault of it, but one it must speak.
pub(crate) fn settle(eras: &mut [EraReport]) {
    if eras.iter().any(EraReport::is_open) {
        return;
    }
    for check in eras.iter_mut().flat_map(|era| &mut era.checks) {
        if check.verdict == Verdict::Skipped {
            check.verdict = Verdict::Failed;
        }
    }
}

impl Report {
    /// What was found of this server.
    pub(crate) fn new(server: String, argv: &[String], eras: Vec<EraReport>, took: Duration) -> Self {
        let count = |verdict| eras.iter().flat_map(|era| &era.checks).filter(|check| check.verdict == verdict).count();
        let (passed, warned) = (count(Verdict::Passed), count(Verdict::Warned));
        let (failed, skipped) = (count(Verdict::Failed), count(Verdict::Skipped));
        let mut report = Self {
            command: "verify",
            exit: 0,
            server,
            argv: argv.to_vec(),
            eras,
            passed,
            warned,
            failed,
            skipped,
            ms: ms(took),
        };
        report.exit = report.exit().status();
        report
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        if self.failed == 0 { Exit::Fine } else { Exit::No }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::Duration;

    fn report(eras: Vec<EraReport>, took: Duration) -> Report {
        Report::new("web".to_owned(), &["python", "server.py"].map(str::to_owned), eras, took)
    }

    /// A server that does well in one era, and does not speak the other.
    pub(crate) fn good() -> Report {
        let time = Duration::from_millis;
        let load = Counted { swaps: 3, requests: 1204, lost: 0, failed: 0, longest_ms: 38 };
        let mut legacy = EraReport::new(Era::Legacy);
        legacy.version = Some("2025-11-25".to_owned());
        legacy.server = Some("shop 1.2".to_owned());
        legacy.checks = vec![
            Check::passed("open", "opens: shop 1.2, 2025-11-25", time(412)),
            Check::passed("tools", "lists 3 tools", time(4)).but(
                Verdict::Warned,
                vec!["tool `get url`: some clients take only letters, digits, `_`, `-` and `.` in a name".to_owned()],
            ),
            Check::passed("call:echo", "calls echo", time(12)),
            Check {
                load: Some(load),
                ..Check::passed("swaps", "survives 3 swaps: 1204 requests, 0 lost, 0 failed", time(2600))
            },
            Check::passed("stop", "ends by itself when its input ends", time(40)),
        ];
        let mut modern = EraReport::new(Era::Modern);
        let refused = "the server refuses server/discover: Method not found (-32601)";
        modern.checks =
            vec![Check::passed("open", "does not open", time(400)).but(Verdict::Skipped, vec![refused.to_owned()])];
        report(vec![legacy, modern], Duration::from_millis(3900))
    }

    /// One that does not start.
    pub(crate) fn broken() -> Report {
        let stderr =
            "Traceback (most recent call last):\n  File \"server.py\", line 3\nImportError: no module named x\n";
        let failed = |era, verdict| {
            let mut found = EraReport::new(era);
            let why = "the server exited with status 1 before it was ready".to_owned();
            found.checks = vec![
                Check::passed("open", "does not open", Duration::from_millis(90))
                    .but(verdict, vec![why])
                    .with_stderr(stderr),
            ];
            found
        };
        let mut eras = vec![failed(Era::Legacy, Verdict::Skipped), failed(Era::Modern, Verdict::Failed)];
        settle(&mut eras);
        report(eras, Duration::from_millis(200))
    }

    #[test]
    fn an_era_that_is_not_spoken_is_no_failure_as_long_as_the_other_is() {
        assert_eq!((good().exit(), good().skipped), (Exit::Fine, 1));
        assert_eq!((broken().exit(), broken().failed, broken().skipped), (Exit::No, 2, 0));
    }

    #[test]
    fn the_document() {
        insta::assert_json_snapshot!(good());
    }

    #[test]
    fn the_schema_is_that_of_the_document() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).expect("a schema") + "\n";
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/verify.json");
        if std::env::var_os("MCP_TWIN_WRITE_SCHEMA").is_some() {
            std::fs::write(&file, &schema).expect("the schema is written");
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(known, schema, "run this test with MCP_TWIN_WRITE_SCHEMA=1, and only add to it");
    }
}
