//! YAML as a tree, built from the events of a parser that knows where each of them stands.

use super::{DEEPEST, Kind, Member, Node};
use crate::detect::Syntax;
use crate::wire::error::WireError;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// YAML's readers go less deep than those of JSON.
const DEEPEST_YAML: usize = DEEPEST / 4;

/// A collection whose end has not come yet; a map holds keys and values in turn.
struct Open {
    map: bool,
    flow: bool,
    start: usize,
    outer: usize,
    anchor: usize,
    nodes: Vec<Node>,
}

pub(super) fn read(text: &str) -> Result<Node, WireError> {
    let offsets = Offsets::of(text);
    let bad = |what: &str, at: usize| WireError::invalid(Syntax::Yaml, what, text, at);
    let mut open: Vec<Open> = Vec::new();
    let mut documents = 0;
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| bad(error.info(), offsets.byte(*error.marker())))?;
        let (start, end) = (offsets.byte(span.start), offsets.byte(span.end));
        let begin = |map: bool, anchor: usize, tagged: bool| Open {
            map,
            flow: end > start,
            start,
            outer: outer(text, start, usize::from(anchor > 0) + usize::from(tagged)),
            anchor,
            nodes: Vec::new(),
        };
        let node = match event {
            Event::MappingStart(anchor, tag) => {
                open.push(begin(true, anchor, tag.is_some()));
                None
            }
            Event::SequenceStart(anchor, tag) => {
                open.push(begin(false, anchor, tag.is_some()));
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|done| close(done, text, start)),
            Event::Scalar(value, style, anchor, tag) => {
                let properties = usize::from(anchor > 0) + usize::from(tag.is_some());
                let kind = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => Kind::Block(value.into_owned()),
                    // What a tag makes of it is for the reader: as a word it is what stands there.
                    ScalarStyle::Plain if tag.is_none() => plain(if end > start { &value } else { "" }),
                    _ => Kind::Text(value.into_owned()),
                };
                Some(Node { outer: outer(text, start, properties), span: start..end.max(start), kind, anchor })
            }
            Event::Alias(id) => Some(Node::new(start..end.max(start), Kind::Alias(id))),
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(bad("it holds several documents", start));
                }
                None
            }
            _ => None,
        };
        if open.len() > DEEPEST_YAML {
            return Err(bad("it nests too deep", start));
        }
        if let Some(node) = node {
            match open.last_mut() {
                Some(above) => above.nodes.push(node),
                None => root = Some(node),
            }
        }
    }
    root.ok_or_else(|| bad("it holds nothing", text.len()))
}

/// The node of a collection whose end stands at `end`.
fn close(open: Open, text: &str, end: usize) -> Node {
    let Open { map, flow, start, outer, anchor, nodes } = open;
    let end = match nodes.last() {
        // The bracket alone: the parser counts what follows it in the line, too.
        _ if flow => (end + 1).min(text.len()),
        Some(last) => last.span.end.max(start),
        None => start,
    };
    let kind = if map {
        let mut members = Vec::with_capacity(nodes.len() / 2);
        let mut nodes = nodes.into_iter();
        while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
            // A key that is no scalar is none that is looked for; it must only differ from the others.
            let raw = || format!("? {}", text.get(key.span.clone()).unwrap_or_default());
            let name = key.word().map_or_else(raw, str::to_owned);
            members.push(Member { key: name, key_span: key.span, value });
        }
        Kind::Map { members, flow }
    } else {
        Kind::List { items: nodes, flow }
    };
    Node { span: start..end, outer, kind, anchor }
}

/// Where the anchor or tag before a node begins.
fn outer(text: &str, start: usize, properties: usize) -> usize {
    let mut at = start;
    for _ in 0..properties {
        let before = text.get(..at).unwrap_or_default().trim_end();
        let token = before.rfind(|c: char| c.is_whitespace() || "[{,".contains(c)).map_or(0, |found| found + 1);
        if before.get(token..).is_some_and(|token| token.starts_with(['&', '!'])) {
            at = token;
        }
    }
    at
}

fn plain(value: &str) -> Kind {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Other("null".to_owned()),
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Other(value.to_owned()),
        // `inf` and `nan` are words; YAML writes the numbers with a dot.
        _ if value.contains(|c: char| c.is_ascii_digit()) && value.parse::<f64>().is_ok() => {
            Kind::Other(value.to_owned())
        }
        _ => Kind::Text(value.to_owned()),
    }
}

/// From the characters that the parser counts to bytes.
struct Offsets {
    bytes: Option<Vec<usize>>,
    len: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { bytes, len: text.len() }
    }

    fn byte(&self, mark: Marker) -> usize {
        match &self.bytes {
            None => mark.index().min(self.len),
            Some(bytes) => bytes.get(mark.index()).copied().unwrap_or(self.len),
        }
    }
}
