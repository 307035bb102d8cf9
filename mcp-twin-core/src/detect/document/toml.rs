//! TOML.

use super::super::error::ParseError;
use super::super::site::Syntax;
use super::{Document, Node, position};
use toml_edit::{Item, Value};

pub(super) fn read(text: &str) -> Result<Document, ParseError> {
    let parsed = toml_edit::Document::parse(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        ParseError::Syntax { syntax: Syntax::Toml, line, column, what: error.message().replace('\n', "; ") }
    })?;
    // The reader bounds how deep it goes.
    Ok(Document::of(item(parsed.as_item())))
}

fn item(item: &Item) -> Node {
    match item {
        Item::None => Node::Null,
        Item::Value(inner) => value(inner),
        Item::Table(table) => Node::Map(table.iter().map(|(key, inner)| (key.to_owned(), self::item(inner))).collect()),
        Item::ArrayOfTables(tables) => Node::List(
            tables
                .iter()
                .map(|table| Node::Map(table.iter().map(|(key, inner)| (key.to_owned(), self::item(inner))).collect()))
                .collect(),
        ),
    }
}

fn value(value: &Value) -> Node {
    match value {
        Value::String(text) => Node::Text(text.value().clone()),
        Value::Integer(number) => Node::Number(number.value().to_string()),
        Value::Float(number) => Node::Number(number.value().to_string()),
        Value::Boolean(truth) => Node::Bool(*truth.value()),
        Value::Datetime(when) => Node::Text(when.value().to_string()),
        Value::Array(items) => Node::List(items.iter().map(self::value).collect()),
        Value::InlineTable(table) => {
            Node::Map(table.iter().map(|(key, inner)| (key.to_owned(), self::value(inner))).collect())
        }
    }
}
