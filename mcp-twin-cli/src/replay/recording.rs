//! A recording, read: what the client said, and what it was answered.

use crate::failure::Failure;
use mcp_twin_runtime::record::{Entry, From, Header, VERSION};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// One step of a recording.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The client sent this line: a request, if it has an id.
    Client { line: String, id: Option<String>, method: String },
    /// The client answered a request of the server.
    Reply { id: String, answer: Value },
    /// The server asked the client something.
    Asked { id: String, method: String, params: Value },
    /// The server answered this.
    Answer { id: String, answer: Value },
}

/// A recording.
#[derive(Debug)]
pub(crate) struct Recording {
    /// What stands above it.
    pub(crate) header: Header,
    /// Its steps, in order.
    pub(crate) steps: Vec<Step>,
    /// Messages that are missing.
    pub(crate) lost: u64,
}

impl Recording {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::configuration("cli::replay::recording", format!("{}: {why}", file.display()))
                .advise("to record", "mcp-twin run --record FILE -- CMD")
        };
        let opened = File::open(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let mut lines = BufReader::new(opened).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let header: Header =
            serde_json::from_str(&first).map_err(|_| wrong("its first line is not that of a recording".to_owned()))?;
        if header.recording > VERSION {
            let why = format!("it was recorded by release {}, in a form that this one does not know", header.release);
            return Err(wrong(why));
        }
        let mut recording = Self { header, steps: Vec::new(), lost: 0 };
        let mut lines = lines.enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            let line = line.map_err(|error| wrong(format!("line {}: {error}", at + 2)))?;
            match serde_json::from_str::<Entry>(&line) {
                Ok(entry) => recording.take(entry),
                // A front that was killed leaves a line unfinished.
                Err(_) if lines.peek().is_none() => recording.lost += 1,
                Err(error) => return Err(wrong(format!("line {}: {error}", at + 2))),
            }
        }
        Ok(recording)
    }

    fn take(&mut self, entry: Entry) {
        self.lost += entry.lost.unwrap_or_default();
        let (Some(from), Some(message)) = (entry.from, entry.message) else { return };
        let line = message.get().to_owned();
        let Ok(value) = serde_json::from_str::<Value>(&line) else { return };
        let method = value["method"].as_str().map(str::to_owned);
        let id = value.get("id").map(Value::to_string);
        let step = match (from, method, id) {
            (From::Client, Some(method), id) => Step::Client { line, id, method },
            (From::Client, None, Some(id)) => Step::Reply { id, answer: value },
            // A batch is sent as it is; its answers are not compared.
            (From::Client, None, None) => Step::Client { line, id: None, method: "a batch".to_owned() },
            (From::Server, Some(method), Some(id)) => Step::Asked { id, method, params: value["params"].clone() },
            (From::Server, None, Some(id)) => Step::Answer { id, answer: value },
            (From::Server, _, _) => return,
        };
        self.steps.push(step);
    }

    /// How many answers there are to compare.
    pub(crate) fn answers(&self) -> usize {
        let mut open = BTreeSet::new();
        let mut answers = 0;
        for step in &self.steps {
            match step {
                Step::Client { id: Some(id), .. } => drop(open.insert(id)),
                Step::Answer { id, .. } if open.remove(id) => answers += 1,
                _ => {}
            }
        }
        answers
    }
}
