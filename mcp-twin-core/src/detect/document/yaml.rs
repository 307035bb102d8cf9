//! YAML: its values through serde, and whether anchors are used by a look at the text, for the reader does not tell.

use super::super::error::ParseError;
use super::super::site::Syntax;
use super::{DEEPEST, Document, Node};
use serde_yaml_ng::Value;

/// So many brackets may be open at a time, those in texts and comments counted too: the look at quotes can be misled.
const MOST_OPEN: usize = 1000;

pub(super) fn read(text: &str) -> Result<Document, ParseError> {
    let marks = Marks::of(text);
    if marks.deepest > DEEPEST || marks.open > MOST_OPEN {
        // Its reader takes quadratic time for them.
        return Err(ParseError::TooDeep { syntax: Syntax::Yaml, deepest: DEEPEST });
    }
    let broken = |error: serde_yaml_ng::Error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        ParseError::Syntax { syntax: Syntax::Yaml, line, column, what }
    };
    let mut value: Value = serde_yaml_ng::from_str(text).map_err(broken)?;
    let references = marks.references || merges(&value);
    value.apply_merge().map_err(broken)?;
    Ok(Document { references, ..Document::of(node(value)) })
}

fn merges(value: &Value) -> bool {
    match value {
        Value::Mapping(members) => members.iter().any(|(key, value)| key.as_str() == Some("<<") || merges(value)),
        Value::Sequence(items) => items.iter().any(merges),
        Value::Tagged(tagged) => merges(&tagged.value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn node(value: Value) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Bool(truth) => Node::Bool(truth),
        Value::Number(number) => Node::Number(number.to_string()),
        Value::String(text) => Node::Text(text),
        Value::Sequence(items) => Node::List(items.into_iter().map(node).collect()),
        Value::Mapping(members) => {
            let keyed = |(key, value)| {
                let key = match key {
                    Value::String(text) => text,
                    Value::Number(number) => number.to_string(),
                    Value::Bool(truth) => truth.to_string(),
                    // A key that is no scalar names nothing that is looked for.
                    Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => return None,
                };
                Some((key, node(value)))
            };
            Node::Map(members.into_iter().filter_map(keyed).collect())
        }
        Value::Tagged(tagged) => node(tagged.value),
    }
}

/// What a text shows of itself: whether anchors or aliases are used, and how deep brackets nest.
struct Marks {
    references: bool,
    deepest: usize,
    /// The most brackets that are open at a time, wherever they stand.
    open: usize,
}

impl Marks {
    fn of(text: &str) -> Self {
        let mut marks = Self { references: false, deepest: 0, open: 0 };
        let mut depth = 0_usize;
        let mut quote: Option<char> = None;
        // The indentation of the line whose `|` or `>` opened a block of text.
        let mut block: Option<usize> = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start_matches(' ').len();
            if let Some(above) = block {
                if line.trim().is_empty() || indent > above {
                    continue;
                }
                block = None;
            }
            // Whether a value may begin here.
            let mut fresh = true;
            let mut before = ' ';
            let mut chars = line.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                if let Some(open) = quote {
                    if c == '\\' && open == '"' {
                        chars.next();
                    } else if c == open {
                        quote = None;
                    }
                    before = c;
                    continue;
                }
                match c {
                    '#' if before.is_whitespace() => break,
                    '"' | '\'' if fresh => quote = Some(c),
                    '[' | '{' if fresh || depth > 0 => {
                        depth += 1;
                        marks.deepest = marks.deepest.max(depth);
                    }
                    ']' | '}' => depth = depth.saturating_sub(1),
                    '&' | '*' if fresh && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric()) => {
                        marks.references = true;
                    }
                    '|' | '>' if fresh && depth == 0 && is_header(&line[at + 1..]) => {
                        block = Some(indent);
                        break;
                    }
                    _ => {}
                }
                let opens = matches!(c, '[' | '{') || (c == ',' && depth > 0);
                let parts = matches!(c, ':' | '-' | '?') && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
                // A tag or an anchor stands before the value.
                fresh = opens || parts || (fresh && c.is_whitespace());
                before = c;
            }
        }
        // Blocks that nest by their dashes within one line: `- - - -`.
        let dashes = text
            .lines()
            .map(|line| line.split_whitespace().take_while(|word| matches!(*word, "-" | "?" | ":")).count());
        marks.deepest = marks.deepest.max(dashes.max().unwrap_or(0));
        let mut open = 0_usize;
        for byte in text.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            marks.open = marks.open.max(open);
        }
        marks
    }
}

/// Whether what follows `|` or `>` is what may stand there: an indentation, a sign, a comment.
fn is_header(rest: &str) -> bool {
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    rest.trim().is_empty() || rest.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_told_from_what_looks_like_them() {
        for text in ["a: &x {b: 1}\nc: *x\n", "a: &x\n  b: 1\nc:\n  <<: *x\n", "- &a 1\n- *a\n", "a: [&x 1, *x]\n"] {
            assert!(Marks::of(text).references, "{text}");
        }
        for text in [
            "a: b & c\n",
            "a: \"&x\"\n",
            "a: '*x'\n",
            "# &x\na: 1 # *x\n",
            "a: |\n  - &x\n  - *x\nb: 1\n",
            "a: >-\n  *x\n\n  *y\n",
            "a: x*y\n",
            "args: [--glob, \"**/*.py\"]\n",
        ] {
            assert!(!Marks::of(text).references, "{text}");
        }
        assert_eq!(Marks::of("a: [[[1]], {b: [2]}]\n").deepest, 3);
    }
}
