//! TOML as a tree. Tables by header, by dotted key and inline all become maps; only what stands between braces is `flow`.

use super::{Kind, Member, Node};
use crate::detect::Syntax;
use crate::wire::error::WireError;
use std::ops::Range;
use toml_edit::{Document, Item, Key, Value};

pub(super) fn read(text: &str) -> Result<Node, WireError> {
    match Document::parse(text) {
        Ok(document) => Ok(item(document.as_item(), false)),
        Err(error) => {
            let span = error.span().unwrap_or(text.len()..text.len());
            if error.message().contains("duplicate key") {
                let key = text.get(span.clone()).unwrap_or_default().trim().trim_matches(['"', '\'']);
                return Err(WireError::duplicate(key, text, span.start));
            }
            let what = error.message().lines().next().unwrap_or("it cannot be read");
            Err(WireError::invalid(Syntax::Toml, what, text, span.start))
        }
    }
}

fn item(from: &Item, flow: bool) -> Node {
    match from {
        Item::None => Node::new(0..0, Kind::Other("null".to_owned())),
        Item::Value(from) => value(from, flow),
        Item::Table(table) => {
            let members = table.iter().map(|(key, from)| member(key, table.key(key), item(from, flow)));
            map(table.span(), members.collect(), flow)
        }
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|table| {
                let members = table.iter().map(|(key, from)| member(key, table.key(key), item(from, flow)));
                map(table.span(), members.collect(), flow)
            });
            Node::new(tables.span().unwrap_or_default(), Kind::List { items: items.collect(), flow: false })
        }
    }
}

fn value(from: &Value, flow: bool) -> Node {
    let span = from.span().unwrap_or_default();
    let kind = match from {
        Value::String(text) => Kind::Text(text.value().clone()),
        Value::Integer(number) => Kind::Other(number.value().to_string()),
        Value::Float(number) => Kind::Other(number.value().to_string()),
        Value::Boolean(boolean) => Kind::Other(boolean.value().to_string()),
        Value::Datetime(time) => Kind::Other(time.value().to_string()),
        Value::Array(array) => Kind::List { items: array.iter().map(|from| value(from, true)).collect(), flow: true },
        Value::InlineTable(table) => {
            let braces = flow || !table.is_dotted();
            let members = table.iter().map(|(key, from)| member(key, table.key(key), value(from, braces)));
            return map(table.span(), members.collect(), braces);
        }
    };
    Node::new(span, kind)
}

fn member(key: &str, spanned: Option<&Key>, value: Node) -> Member {
    Member { key: key.to_owned(), key_span: spanned.and_then(Key::span).unwrap_or_default(), value }
}

/// A table that only dotted keys or headers of its children speak of has no place of its own: from its first part to its
/// last.
fn map(span: Option<Range<usize>>, members: Vec<Member>, flow: bool) -> Node {
    let start = members.iter().map(|member| member.key_span.start).min().unwrap_or(0);
    let end = members.iter().map(|member| member.value.span.end).max().unwrap_or(start);
    let span = span.unwrap_or(start..end);
    // The span of a header is the header's; the members follow it.
    let span = if flow { span } else { span.start..span.end.max(end) };
    Node::new(span, Kind::Map { members, flow })
}
