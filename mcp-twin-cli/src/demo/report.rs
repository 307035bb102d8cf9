//! What the demo shows while it runs, and what it counts at the end.

use super::client::Ledger;
use crate::exit::Exit;
use crate::render::ago::measured;
use crate::render::style::{BAD, DIM, GOOD, NAME, harmless, paint};
use crate::screen::Screen;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The lines that appear while it runs.
pub(crate) struct Progress {
    began: Instant,
    quiet: bool,
    /// A line that changes in place is for terminals only.
    live: bool,
    shown: Option<Instant>,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Calls sent.
    pub(crate) calls: u64,
    /// Calls that the server began, each counted once.
    pub(crate) run: usize,
    /// Calls without an answer.
    pub(crate) lost: usize,
    /// Calls answered with an error, and with which.
    pub(crate) failed: Vec<String>,
    /// Times that a call was begun again.
    pub(crate) run_twice: usize,
    /// Answers to nothing, and lines that are no messages.
    pub(crate) strays: Vec<String>,
    /// The longest that a quick call took.
    pub(crate) longest_wait: Duration,
    /// From each save to the first answer of the new code.
    pub(crate) saves: Vec<Duration>,
    /// From the rollback to the first answer of the older code.
    pub(crate) rollback: Option<Duration>,
    /// How often the client was told that its tools changed.
    pub(crate) list_changes: usize,
    /// The most memory that the front used.
    pub(crate) front_peak_kib: Option<u64>,
}

/// The document of `demo --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    command: &'static str,
    exit: u8,
    calls: u64,
    lost: usize,
    failed: &'a [String],
    run_twice: usize,
    strays: &'a [String],
    longest_wait_ms: u128,
    save_to_new_code_ms: Vec<u128>,
    rollback_ms: Option<u128>,
    list_changes: usize,
    front_peak_kib: Option<u64>,
}

impl Progress {
    /// With `quiet` it says nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        let live =
            !quiet && std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { began: Instant::now(), quiet, live, shown: None }
    }

    /// What is about to happen.
    pub(crate) fn begin(&mut self, server: &str) {
        let line = format!("mcp-twin run -- {server}");
        self.print(&format!(
            "{}\n{}\n\n",
            paint(NAME, "A live MCP server, edited while a client uses it"),
            paint(DIM, &format!("{line}, 50 calls a second, and one of 1 s in flight at each edit")),
        ));
    }

    /// A step is done.
    pub(crate) fn step(&mut self, what: &str) {
        let at = format!("{:5.1} s", self.began.elapsed().as_secs_f64());
        self.print(&format!("{} {} {what}\n", paint(DIM, &at), paint(GOOD, "✓")));
    }

    /// More on the step before.
    pub(crate) fn note(&mut self, what: &str) {
        self.print(&format!("          {}\n", paint(DIM, what)));
    }

    /// The counters, at most ten times a second.
    pub(crate) fn live(&mut self, ledger: &Ledger) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() > Duration::from_millis(100));
        if self.live && due {
            self.shown = Some(Instant::now());
            let version = ledger.answers.last().map_or(0, |answer| answer.version);
            let counts = format!("{} calls, {} failed, version {version} answers", ledger.calls, ledger.failed.len());
            Screen::print(&format!("\r\u{1b}[K        {}", paint(DIM, &counts)));
        }
    }

    /// Nothing more will change in place.
    pub(crate) fn end(&mut self) {
        self.print("");
    }

    fn print(&mut self, text: &str) {
        if self.live && self.shown.take().is_some() {
            Screen::print("\r\u{1b}[K");
        }
        if !self.quiet {
            Screen::print(text);
        }
    }
}

impl Report {
    /// Fine only if every call was answered well, by code that ran it once.
    pub(crate) fn exit(&self) -> Exit {
        let clean = self.lost == 0 && self.failed.is_empty() && self.run_twice == 0 && self.strays.is_empty();
        let complete = self.run as u64 == self.calls;
        if clean && complete { Exit::Fine } else { Exit::No }
    }

    /// The table.
    pub(crate) fn text(&self, kept: Option<&Path>) -> String {
        let mut text = String::from("\n");
        let mut row = |label: &str, value: String| {
            let _ = writeln!(text, "  {label:<28}{value}");
        };
        let counted = |number: usize| paint(if number == 0 { GOOD } else { BAD }, &number.to_string()).to_string();
        row("Calls made", self.calls.to_string());
        row("Lost", counted(self.lost));
        row("Failed", counted(self.failed.len()));
        row("Run twice", counted(self.run_twice));
        if !self.strays.is_empty() {
            row("Answers to nothing", counted(self.strays.len()));
        }
        row("Longest wait", measured(self.longest_wait));
        let saves = self.saves.iter().map(|took| measured(*took)).collect::<Vec<_>>().join(", ");
        row("From a save to new code", saves);
        if let Some(took) = self.rollback {
            row("From rollback to older code", measured(took));
        }
        if let Some(peak) = self.front_peak_kib {
            row("Memory of the front (peak)", format!("{:.1} MiB", peak as f64 / 1024.0));
        }
        for what in self.failed.iter().take(5) {
            let _ = writeln!(text, "  {} {}", paint(BAD, "failed:"), harmless(what));
        }
        match kept {
            Some(folder) => {
                let _ = writeln!(text, "\nKept: {}", folder.display());
            }
            None => text.push_str("\nEverything that the demo made is gone again. "),
        }
        let line = "claude mcp add NAME -- \"$(command -v mcp-twin)\" run -- python server.py";
        let _ = writeln!(text, "Your own server:\n  {}", paint(GOOD, line));
        text
    }

    /// The document.
    pub(crate) fn document(&self) -> Document<'_> {
        Document {
            command: "demo",
            exit: self.exit().status(),
            calls: self.calls,
            lost: self.lost,
            failed: &self.failed,
            run_twice: self.run_twice,
            strays: &self.strays,
            longest_wait_ms: self.longest_wait.as_millis(),
            save_to_new_code_ms: self.saves.iter().map(Duration::as_millis).collect(),
            rollback_ms: self.rollback.map(|took| took.as_millis()),
            list_changes: self.list_changes,
            front_peak_kib: self.front_peak_kib,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Report {
        Report {
            calls: 412,
            run: 412,
            longest_wait: Duration::from_millis(38),
            saves: [142, 150, 139, 1144].map(Duration::from_millis).to_vec(),
            rollback: Some(Duration::from_millis(12)),
            list_changes: 1,
            front_peak_kib: Some(5530),
            ..Report::default()
        }
    }

    #[test]
    fn a_clean_run() {
        let report = clean();
        assert_eq!(report.exit(), Exit::Fine);
        insta::assert_snapshot!(anstream::adapter::strip_str(&report.text(None)).to_string());
        insta::assert_json_snapshot!("document", report.document());
    }

    #[test]
    fn whatever_is_wrong_is_shown_and_is_exit_status_1() {
        let wrong = Report {
            lost: 1,
            failed: vec!["the twin that held this request died".to_owned()],
            run_twice: 2,
            strays: vec!["noise".to_owned()],
            front_peak_kib: None,
            ..clean()
        };
        assert_eq!(wrong.exit(), Exit::No);
        insta::assert_snapshot!(
            anstream::adapter::strip_str(&wrong.text(Some(Path::new("/tmp/mcp-twin-x")))).to_string()
        );
        for one in [
            Report { lost: 1, ..clean() },
            Report { failed: wrong.failed.clone(), ..clean() },
            Report { run_twice: 1, ..clean() },
            Report { strays: wrong.strays.clone(), ..clean() },
            Report { run: 411, ..clean() },
        ] {
            assert_eq!(one.exit(), Exit::No);
        }
    }
}
