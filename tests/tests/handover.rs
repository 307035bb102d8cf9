//! Every test that `handover.md` names is there, and every row names one or says why not.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows that must be there.
fn wanted() -> BTreeSet<String> {
    let numbers = (1..=41).map(|row| row.to_string());
    let modern = (1..=12).map(|row| format!("m{row}"));
    numbers.chain(modern).chain((1..=13).map(|row| format!("r{row}"))).collect()
}

/// The file that a path of modules names, and the function in it.
fn place<'n>(root: &Path, package: &str, path: &'n str) -> Option<(PathBuf, &'n str)> {
    let mut modules: Vec<&str> = path.split("::").collect();
    let function = modules.pop()?;
    if let Some(file) = package.strip_prefix("mcp-twin-tests::") {
        return Some((root.join("tests/tests").join(file).with_extension("rs"), function));
    }
    let source = root.join(package).join("src");
    let file = |modules: &[&str]| source.join(modules.join("/")).with_extension("rs");
    // The tests of a module may stand in its own file.
    let own = modules.strip_suffix(&["tests"]).map(file).filter(|_| !file(&modules).exists());
    Some((own.unwrap_or_else(|| file(&modules)), function))
}

/// Whether a source has a test function of this name.
fn has_test(source: &str, function: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let heads = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(function)).is_some_and(|rest| rest.starts_with('('))
    };
    let marked = |at: usize| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.filter(|line| line.starts_with("#[")).any(|line| line.contains("test"))
    };
    lines.iter().enumerate().any(|(at, line)| heads(line) && marked(at))
}

/// What is wrong with the page.
fn faults(page: &str, root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut left = wanted();
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [row, _, proof] = cells[..] else {
            faults.push(format!("not three cells: {line}"));
            continue;
        };
        if !left.remove(row) {
            faults.push(format!("row {row} is not wanted, or stands there twice"));
        }
        let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() && !proof.starts_with("No test: ") && !proof.starts_with("Belongs to the HTTP front") {
            faults.push(format!("row {row} names no test and does not say why"));
        }
        for test in tests {
            let found = test.split_once(' ').and_then(|(package, path)| place(root, package, path));
            let there = found.is_some_and(|(file, function)| {
                fs::read_to_string(file).is_ok_and(|source| has_test(&source, function))
            });
            if !there {
                faults.push(format!("row {row}: there is no test {test}"));
            }
        }
    }
    faults.extend(left.into_iter().map(|row| format!("row {row} is missing")));
    faults
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn every_row_is_proved_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("tests/handover.md")).unwrap();
    let faults = faults(&page, &root());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_test_that_is_gone_is_noticed() {
    let page = fs::read_to_string(root().join("tests/handover.md")).unwrap();
    let other = page.replacen("another_version_is_never", "another_version_is_ever", 1);
    assert_eq!(faults(&other, &root()).len(), 1);
    // A function that is no test proves nothing.
    let other = page.replacen("probe::another_version_is_never_swapped_in", "rig::answers", 1);
    assert_eq!(faults(&other, &root()).len(), 1);
    let other: Vec<&str> = page.lines().filter(|line| !line.starts_with("| m3 ")).collect();
    assert_eq!(faults(&other.join("\n"), &root()), ["row m3 is missing"]);
}
