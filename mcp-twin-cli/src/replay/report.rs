//! What was found, and the document of `replay --json`.

use super::compare::Difference;
use super::course::Played;
use super::recording::Recording;
use crate::exit::Exit;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What became of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// It is as recorded.
    #[default]
    Same,
    /// It is another one.
    Differs,
    /// It did not come.
    Missing,
    /// No answer: the server asked its client what it had not asked.
    Asked,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Result {
    /// The id of the request, as JSON.
    pub(crate) id: String,
    /// Its method.
    pub(crate) method: String,
    /// The tool, prompt or resource that it is about.
    pub(crate) name: Option<String>,
    /// What became of it.
    pub(crate) kind: Kind,
    /// Where it differs: the first 20 places.
    pub(crate) differences: Vec<Difference>,
    /// At how many places it differs.
    pub(crate) count: usize,
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: &'static str,
    pub(crate) exit: u8,
    pub(crate) file: String,
    /// The server that was recorded.
    pub(crate) server: String,
    /// When it was.
    pub(crate) recorded: String,
    /// The command line that it was compared with.
    pub(crate) argv: Vec<String>,
    /// Answers in the recording.
    pub(crate) answers: usize,
    /// Those that are the same.
    pub(crate) same: usize,
    /// What is not the same.
    pub(crate) different: Vec<Result>,
    /// Messages that the recording lacks.
    pub(crate) lost: u64,
    /// Lines of the server that are no messages: the first few.
    pub(crate) junk: Vec<String>,
    /// How the server ended before everything was played.
    pub(crate) ended: Option<String>,
    /// The last of its stderr then.
    pub(crate) stderr: String,
    pub(crate) ms: u64,
}

impl Report {
    pub(crate) fn new(file: &Path, argv: &[String], recording: &Recording, played: Played, took: Duration) -> Self {
        let same = played.results.iter().filter(|result| result.kind == Kind::Same).count();
        let mut report = Self {
            command: "replay",
            exit: 0,
            file: file.display().to_string(),
            server: recording.header.server.clone(),
            recorded: recording.header.time.clone(),
            argv: argv.to_vec(),
            answers: recording.answers(),
            same,
            different: played.results.into_iter().filter(|result| result.kind != Kind::Same).collect(),
            lost: recording.lost,
            junk: played.junk,
            ended: played.ended.then(|| played.exit.unwrap_or_else(|| "ended".to_owned())),
            stderr: played.stderr,
            ms: crate::verify::report::ms(took),
        };
        report.exit = report.exit().status();
        report
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        let complete = self.same == self.answers && self.ended.is_none();
        if complete && self.different.is_empty() { Exit::Fine } else { Exit::No }
    }
}
