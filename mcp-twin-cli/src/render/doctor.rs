//! `doctor` as people read it: each finding with what mends it.

use super::count;
use super::detect::parts;
use super::style::{BAD, DIM, GOOD, harmless, paint};
use crate::doctor::finding::{Checked, Fix};
use std::fmt::Write as _;

/// So wide is a terminal that nobody has made wider.
const WIDTH: usize = 80;
/// So many things that a finding is about are shown.
const MOST: usize = 5;

/// What was found, and what was looked at.
pub(crate) fn doctor(checked: &[Checked]) -> String {
    let mut text = String::new();
    let found: Vec<_> = checked.iter().flat_map(|checked| &checked.found).collect();
    for finding in &found {
        for (at, line) in parts(&harmless(&finding.what), " ", WIDTH - 2).into_iter().enumerate() {
            let mark = if at == 0 { format!("{} ", paint(BAD, "✗")) } else { "  ".to_owned() };
            let _ = writeln!(text, "{mark}{line}");
        }
        for about in finding.about.iter().take(MOST) {
            let _ = writeln!(text, "    {}", paint(DIM, &harmless(about)));
        }
        if finding.about.len() > MOST {
            let _ = writeln!(text, "    {}", paint(DIM, &format!("and {} more", finding.about.len() - MOST)));
        }
        for (at, fix) in finding.fix.iter().enumerate() {
            match fix {
                Fix::Run(command) => {
                    let _ = writeln!(text, "  {} {}", paint(DIM, "run:"), paint(GOOD, &harmless(command)));
                }
                Fix::Do(sentence) => {
                    for (line, part) in parts(&harmless(sentence), " ", WIDTH - 7).into_iter().enumerate() {
                        let label =
                            if at == 0 && line == 0 { paint(DIM, "fix:").to_string() } else { "    ".to_owned() };
                        let _ = writeln!(text, "  {label} {part}");
                    }
                }
            }
        }
        text.push('\n');
    }
    if found.is_empty() {
        let _ = writeln!(text, "{} Nothing is wrong.", paint(GOOD, "✓"));
    } else {
        let _ = writeln!(text, "{} found.", paint(BAD, &count(found.len(), "problem")));
    }
    let _ = writeln!(text, "  Looked at:");
    for checked in checked {
        let _ = writeln!(text, "    {}", harmless(&checked.looked_at));
    }
    text
}
