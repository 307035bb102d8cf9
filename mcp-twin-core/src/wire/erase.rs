//! Taking elements and members out of a text that others have edited since: with their comma and their line, and with
//! nothing of anybody else.

use super::edit::Sheet;
use super::pen::{self, Splice};
use super::tree::{Kind, Node};
use crate::detect::Syntax;
use std::ops::Range;

/// Takes the first `count` elements out of a list. `None`: it is laid out in a way that is not known.
pub(super) fn items(sheet: &Sheet<'_>, list: &Node, items: &[Node], flow: bool, count: usize) -> Option<Vec<Splice>> {
    let text = sheet.text;
    if flow {
        let spans: Vec<_> = items.iter().map(|item| item.outer..item.span.end).collect();
        return Some(between(sheet, &list.span, &spans, 0..count));
    }
    let dash = |item: &Node| {
        let dash = text.get(..item.outer)?.trim_end().len().checked_sub(1)?;
        (text.as_bytes().get(dash) == Some(&b'-')).then_some(dash)
    };
    if count == items.len() {
        // A list without elements has no lines of its own: it stands behind its key.
        let key = text.get(..dash(items.first()?)?)?.trim_end();
        let end = items.last()?.span.end;
        return key.ends_with(':').then(|| vec![Splice::replace(key.len()..end, " []")]);
    }
    items.iter().take(count).map(|item| line_of(text, dash(item)?..item.span.end)).collect()
}

/// Takes one member out of a map.
pub(super) fn member(sheet: &Sheet<'_>, map: &Node, index: usize) -> Option<Vec<Splice>> {
    let text = sheet.text;
    let Kind::Map { members, flow } = &map.kind else { return None };
    let gone = members.get(index)?;
    if *flow {
        let spans: Vec<_> = members.iter().map(|member| sheet.key_start(member, true)..member.value.span.end).collect();
        return Some(between(sheet, &map.span, &spans, index..index + 1));
    }
    if sheet.syntax == Syntax::Toml && matches!(gone.value.kind, Kind::Map { flow: false, .. }) {
        // A table with a header of its own: from that to its last line, with the blank line that set it apart.
        let start = pen::line_start(text, gone.value.span.start);
        text.get(start..)?.starts_with('[').then_some(())?;
        let end = pen::next_line(text, gone.value.span.end).unwrap_or(text.len());
        let above = text.get(..start)?;
        let above = above.strip_suffix('\n').unwrap_or(above);
        let above = above.strip_suffix('\r').unwrap_or(above);
        let start = if above.is_empty() || above.ends_with('\n') { above.len() } else { start };
        return Some(vec![Splice::remove(start..end)]);
    }
    line_of(text, sheet.key_start(gone, false)..gone.value.span.end).map(|splice| vec![splice])
}

/// Takes elements out from between brackets.
fn between(sheet: &Sheet<'_>, container: &Range<usize>, spans: &[Range<usize>], gone: Range<usize>) -> Vec<Splice> {
    let (text, syntax) = (sheet.text, sheet.syntax);
    let comma_after = |end: usize| {
        let at = pen::skip(text, end, syntax);
        (text.as_bytes().get(at) == Some(&b',')).then_some(at)
    };
    if gone.len() == spans.len() {
        let inside = container.start + 1..container.end.saturating_sub(1).max(container.start + 1);
        let after = spans.last().map_or(inside.start, |last| comma_after(last.end).map_or(last.end, |comma| comma + 1));
        let first = spans.first().map_or(inside.end, |first| first.start);
        let blank = |range: Range<usize>| text.get(range).is_some_and(|text| text.trim().is_empty());
        if blank(inside.start..first) && blank(after..inside.end) {
            return vec![Splice::remove(inside)];
        }
    }
    if let (1, Some(before)) = (gone.len(), gone.start.checked_sub(1)) {
        // In one line it goes with the comma before it, as it came.
        let (from, span) = (spans[before].end, &spans[gone.start]);
        let separates = |text: &str| text.trim_matches([' ', '\t']) == ",";
        if text.get(from..span.start).is_some_and(separates) {
            return vec![Splice::remove(from..span.end)];
        }
    }
    let mut out = Vec::new();
    let last = gone.end == spans.len();
    let mut from = None;
    if last && gone.start > 0 && comma_after(spans[spans.len() - 1].end).is_none() {
        // The comma before it separates nothing any more.
        if let Some(comma) = comma_after(spans[gone.start - 1].end) {
            out.push(Splice::remove(comma..comma + 1));
            from = Some(comma + 1);
        }
    }
    for span in &spans[gone] {
        let (mut start, mut end) = (span.start, span.end);
        if let Some(comma) = comma_after(span.end) {
            if text.get(end..comma).is_some_and(|text| text.trim().is_empty()) {
                end = comma + 1;
            } else {
                out.push(Splice::remove(comma..comma + 1));
            }
        }
        let blanks = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            at + rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len()
        };
        let after = blanks(end);
        let ends = text.as_bytes().get(after) == Some(&b'\n');
        match (pen::leads(text, start), ends) {
            (true, true) => (start, end) = (pen::line_start(text, start), after + 1),
            (false, _) if from.is_some_and(|from| text.get(from..start).is_some_and(|text| text.trim().is_empty())) => {
                start = from.unwrap_or(start);
            }
            (_, false) => end = after,
            (_, true) => {}
        }
        out.push(Splice::remove(start..end));
        from = None;
    }
    out
}

/// Takes out what fills its lines, with them; a comment behind it stays.
fn line_of(text: &str, span: Range<usize>) -> Option<Splice> {
    if !pen::leads(text, span.start) {
        return None;
    }
    let rest = text.get(span.end..)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    let start = pen::line_start(text, span.start);
    // What is written as a block of lines ends with its last newline.
    let ended = text.get(..span.end)?.ends_with('\n');
    Some(match rest.as_bytes().get(blanks) {
        _ if ended => Splice::remove(start..span.end),
        Some(b'\n') => Splice::remove(start..span.end + blanks + 1),
        None => {
            // The last line of the text: its newline is the one before it.
            let above = text.get(..start)?;
            let above = above.strip_suffix('\n').map_or(above, |above| above.strip_suffix('\r').unwrap_or(above));
            Splice::remove(above.len()..text.len())
        }
        Some(_) => Splice::remove(span.start..span.end + blanks),
    })
}
