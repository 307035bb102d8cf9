//! The execution record: one line for each call that a fixture server began, whichever process it was.

use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file that `FIXTURE_RECORD` names.
#[derive(Clone, Debug)]
pub struct Record(PathBuf);

/// One executed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The process that ran it.
    pub pid: u64,
    /// The version of the code that ran it.
    pub version: String,
    /// The tool.
    pub tool: String,
    /// The key that the caller gave, if it did.
    pub key: Option<String>,
}

impl Record {
    /// The record kept in this file, not necessarily there yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Everything that was executed so far, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Execution> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(execution).collect()
    }

    /// How often each key was executed, and by whom.
    #[must_use]
    pub fn by_key(&self) -> HashMap<String, Vec<Execution>> {
        let mut keys: HashMap<String, Vec<Execution>> = HashMap::new();
        for execution in self.all() {
            if let Some(key) = execution.key.clone() {
                keys.entry(key).or_default().push(execution);
            }
        }
        keys
    }

    /// Who executed the call with this key; fails the test if it was executed more than once.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<Execution> {
        let mut found: Vec<_> = self.all().into_iter().filter(|one| one.key.as_deref() == Some(key)).collect();
        assert!(found.len() <= 1, "the call `{key}` was run {} times: {found:?}", found.len());
        found.pop()
    }
}

fn execution(line: &str) -> Execution {
    let value: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("a torn record line {line:?}: {error}"));
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Execution {
        pid: value["pid"].as_u64().unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        tool: text("tool").unwrap_or_default(),
        key: text("key"),
    }
}
