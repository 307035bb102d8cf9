//! What a run of the command said.

use serde_json::Value;

/// Exit status and output of one command.
#[derive(Clone, Debug)]
pub struct Report {
    /// The exit status; -1 if a signal ended it.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Report {
    /// Every JSON value on stdout: one, or one a line.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let stream = serde_json::Deserializer::from_str(&self.stdout).into_iter::<Value>();
        stream.map(|value| value.unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))).collect()
    }

    /// Every front that `status --json` shows.
    #[must_use]
    pub fn fronts(&self) -> Vec<Value> {
        self.list("fronts")
    }

    /// What each front answered to `reload`, `swap`, `rollback` or `stop` with `--json`.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Value> {
        self.list("results")
    }

    /// The kind of the only outcome, such as `swapped`.
    #[must_use]
    pub fn outcome(&self) -> String {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "one outcome was wanted: {self:?}");
        outcomes[0]["outcome"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails the test unless the command ended with this status.
    #[must_use]
    pub fn with_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    fn list(&self, name: &str) -> Vec<Value> {
        let found = self.values().into_iter().filter_map(|value| value[name].as_array().cloned());
        found.flatten().collect()
    }
}
