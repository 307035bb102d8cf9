//! A message as text with holes: what stands in a hole the relay may write, the rest it may not.

use super::{Checked, json};
use proptest::collection::vec;
use proptest::prelude::*;

/// A text with holes, numbered from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Hole(usize),
}

impl Shape {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    pub(super) fn hole(number: usize) -> Self {
        Self(vec![Piece::Hole(number)])
    }

    pub(super) fn push(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The text with these in its holes.
    pub(super) fn fill(&self, holes: &[&str]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Hole(number) => holes[*number].to_owned(),
        };
        self.0.iter().map(piece).collect()
    }

    /// The decimal digits that stand in the holes of `line`; an error if anything else differs from this text.
    pub(super) fn digits(&self, line: &str) -> Checked<Vec<String>> {
        let mut found = Vec::new();
        let mut rest = line;
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => {
                    rest = rest.strip_prefix(text.as_str()).ok_or_else(|| {
                        let at = line.len() - rest.len();
                        let (line, text) = (shown(line), shown(text));
                        TestCaseError::fail(format!("at byte {at} of {line} stands not {text}"))
                    })?;
                }
                Piece::Hole(number) => {
                    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
                    let (digits, behind) = rest.split_at(end);
                    if digits.is_empty() {
                        return Err(TestCaseError::fail(format!("no number in hole {number} of {}", shown(line))));
                    }
                    found.push((*number, digits.to_owned()));
                    rest = behind;
                }
            }
        }
        if !rest.is_empty() {
            return Err(TestCaseError::fail(format!("more than was sent: {}", shown(rest))));
        }
        found.sort();
        Ok(found.into_iter().map(|(_, digits)| digits).collect())
    }
}

/// A line, not all of it.
pub(super) fn shown(line: &str) -> String {
    line.chars().take(600).collect()
}

/// How a message is laid out: white space, order of the members, spelling of their names.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    gaps: Vec<&'static str>,
    order: Vec<u16>,
    /// Members of the message that nobody knows.
    pub(super) top: Vec<(String, String)>,
    /// Members of its params that nobody knows.
    pub(super) inner: Vec<(String, String)>,
    /// Some value.
    pub(super) value: String,
}

/// Names that a relay looks for in a message, and in its params or result.
const TOP: &[&str] = &["id", "method", "params", "result", "error", "jsonrpc"];
const INNER: &[&str] = &[
    "requestId",
    "progressToken",
    "_meta",
    "requestState",
    "cursor",
    "taskId",
    "content",
    "level",
    "uri",
    "protocolVersion",
    "capabilities",
    "clientInfo",
    "io.modelcontextprotocol/subscriptionId",
];

pub(super) fn layout() -> impl Strategy<Value = Layout> {
    let gaps = vec(json::gap(), 7);
    (gaps, vec(any::<u16>(), 12), json::members(TOP), json::members(INNER), json::value())
        .prop_map(|(gaps, order, top, inner, value)| Layout { gaps, order, top, inner, value })
}

impl Layout {
    /// An object with these members and, behind them, `more` that are text; in the order and spelling of this layout.
    pub(super) fn object(&self, known: Vec<(&str, Shape)>, more: &[(String, String)]) -> Shape {
        let named = |(at, (name, value)): (usize, (&str, Shape))| (self.spelled(at, name), value);
        let mut members: Vec<(String, Shape)> = known.into_iter().enumerate().map(named).collect();
        members.extend(more.iter().map(|(name, value)| (name.clone(), Shape::text(value.as_str()))));
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|at| self.order[at % self.order.len()]);
        let gap = |at: usize| self.gaps[at % self.gaps.len()];
        let mut object = Shape::text("{");
        for (nth, at) in order.into_iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            let (name, value) = &members[at];
            object.push(Shape::text(format!("{comma}{}{name}{}:{}", gap(at), gap(at + 1), gap(at + 2))));
            object.push(value.clone());
            object.push(Shape::text(gap(at + 3)));
        }
        object.push(Shape::text("}"));
        object
    }

    /// A whole message with these members.
    pub(super) fn message(&self, known: Vec<(&str, Shape)>) -> Shape {
        let mut known = known;
        known.push(("jsonrpc", Shape::text("\"2.0\"")));
        self.object(known, &self.top)
    }

    /// Params, or a result, with these members.
    pub(super) fn params(&self, known: Vec<(&str, Shape)>) -> Shape {
        self.object(known, &self.inner)
    }

    /// A name with or without an escape in it.
    pub(super) fn spelled(&self, at: usize, name: &str) -> String {
        let mut chars = name.chars();
        match chars.next().filter(|_| self.order[(at + 5) % self.order.len()].is_multiple_of(4)) {
            Some(first) => format!("\"\\u{:04x}{}\"", u32::from(first), chars.as_str()),
            None => format!("\"{name}\""),
        }
    }

    /// A small number that this layout chooses.
    pub(super) fn choice(&self, of: usize) -> usize {
        usize::from(self.order[0]) % of
    }
}

/// A comparison that takes anything proves nothing.
#[test]
fn whatever_differs_outside_a_hole_is_noticed() {
    let mut shape = Shape::text(r#"{"id": "#);
    shape.push(Shape::hole(0));
    shape.push(Shape::text(r#","x":1.0}"#));
    assert_eq!(shape.digits(r#"{"id": 12,"x":1.0}"#).unwrap(), ["12"]);
    for other in [
        r#"{"id":12,"x":1.0}"#,
        r#"{"id": 12,"x":1}"#,
        r#"{"id": "12","x":1.0}"#,
        r#"{"id": ,"x":1.0}"#,
        r#"{"x":1.0,"id": 12}"#,
        r#"{"id": 12,"x":1.0} "#,
        r#"{"id": 12,"x":1.0"#,
    ] {
        assert!(shape.digits(other).is_err(), "{other}");
    }
}
