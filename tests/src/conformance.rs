//! The official conformance suite against one endpoint, in the short form for tests; `cargo xtask conformance http` is the
//! whole.

use crate::project::Project;
use crate::tools;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// One run of the suite: some seconds long.
pub const SHORT: &str = "2025-11-25";

/// What passes with the bare fixture server, as it was written down.
#[must_use]
pub fn baseline() -> PathBuf {
    script("baseline/fixture.json")
}

/// Makes one run (`stable`, `2025-11-25`, `2026-07-28`) against this URL; gives back the file of its results.
#[must_use]
pub fn run(project: &Project, url: &str, run: &str) -> PathBuf {
    tools::conformance();
    let out = project.home().with_file_name(format!("conformance-{run}"));
    let words = ["bash", &shown(&script("run.sh")), url, &shown(&out), run].map(str::to_owned);
    let mut command = project.process(&words);
    let output = command.env("MCP_TWIN_TOOLS", tools::folder()).stdin(Stdio::null()).output().expect("bash runs");
    let summary = out.join("summary.json");
    assert!(output.status.success() && summary.is_file(), "{output:?}");
    summary
}

/// Fails the test unless everything that passed `before` passes `now`, in this run; gives back how many checks that are.
#[must_use]
pub fn kept(project: &Project, before: &Path, now: &Path, run: &str) -> usize {
    let words = ["python3", &shown(&script("compare.py")), &shown(before), &shown(now), run].map(str::to_owned);
    let output = project.process(&words).stdin(Stdio::null()).output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let count = said.lines().last().and_then(|line| line.split(' ').next()?.parse().ok());
    count.unwrap_or_else(|| panic!("no count: {said}"))
}

fn script(name: &str) -> PathBuf {
    tools::root().join("tests/conformance").join(name)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
