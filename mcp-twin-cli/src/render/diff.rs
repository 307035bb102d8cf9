//! What changed in the lists that the client was told.

use super::style::{BAD, DIM, GOOD, WARN, harmless, paint};
use anstyle::Style;
use mcp_twin_core::relay::diff::{ListDiff, ListKind};
use std::fmt::Write as _;

/// More names than this in one place are counted.
const SHOWN: usize = 8;

/// One line for each list that differs and for each breaking change; one line also if nothing differs.
pub(crate) fn diff(diff: &ListDiff) -> String {
    if diff.is_empty() {
        return format!("  {}\n", paint(DIM, "Tools, prompts and resources: unchanged"));
    }
    let mut text = String::new();
    for (kind, one) in &diff.lists {
        let parts = [("added", GOOD, &one.added), ("removed", BAD, &one.removed), ("changed", WARN, &one.changed)];
        let parts = parts.into_iter().filter(|(_, _, names)| !names.is_empty());
        let parts = parts.map(|(word, style, names)| listed(word, style, names)).collect::<Vec<_>>().join("; ");
        let _ = writeln!(text, "  {}: {parts}", label(*kind));
    }
    for why in &diff.breaking {
        let _ = writeln!(text, "  {} {}", paint(BAD, "Breaking:"), harmless(why));
    }
    if let Some(tokens) = diff.tokens {
        let _ = writeln!(text, "  {}", paint(DIM, &format!("The lists cost {} (an estimate)", tokens.describe())));
    }
    text
}

fn label(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Tools => "Tools",
        ListKind::Prompts => "Prompts",
        ListKind::Resources => "Resources",
        ListKind::Templates => "Resource templates",
    }
}

fn listed(word: &str, style: Style, names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(|name| harmless(name)).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{} {shown}{more}", paint(style, word))
}
