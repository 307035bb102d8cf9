//! JSON and JSON with comments, as trees.

use super::{Kind, Member, Node};
use crate::detect::Syntax;
use crate::wire::error::WireError;
use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, parse_to_ast};

pub(super) fn read(text: &str, syntax: Syntax, strict: bool) -> Result<Node, WireError> {
    let options = Syntax::options(strict);
    if strict {
        // The other reader is lenient with control characters in strings.
        let checked = serde_json::from_str::<serde::de::IgnoredAny>(text);
        if let Some(error) = checked.err().filter(|error| error.to_string().starts_with("control character")) {
            let line = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            let at = line + error.column().saturating_sub(1);
            return Err(WireError::invalid(syntax, "a control character stands in a string", text, at));
        }
    }
    match parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(result) => match result.value {
            Some(value) => Ok(node(value)),
            None => Err(WireError::invalid(syntax, "it holds nothing", text, text.len())),
        },
        Err(error) => Err(WireError::invalid(syntax, sentence(error.kind()), text, error.range().start)),
    }
}

/// The parser's words in the middle of a sentence.
fn sentence(kind: &jsonc_parser::errors::ParseErrorKind) -> String {
    let text = kind.to_string();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The parser's own bound keeps the recursion short.
fn node(value: Value<'_>) -> Node {
    let range = value.range();
    let kind = match value {
        Value::StringLit(text) => Kind::Text(text.value.into_owned()),
        Value::NumberLit(number) => Kind::Other(number.value.to_owned()),
        Value::BooleanLit(boolean) => Kind::Other(boolean.value.to_string()),
        Value::NullKeyword(_) => Kind::Other("null".to_owned()),
        Value::Array(array) => Kind::List { items: array.elements.into_iter().map(node).collect(), flow: true },
        Value::Object(object) => {
            let members = object.properties.into_iter().map(|property| {
                let span = match &property.name {
                    ObjectPropName::String(name) => name.range(),
                    ObjectPropName::Word(word) => word.range(),
                };
                let key = property.name.into_string();
                Member { key, key_span: span.start..span.end, value: node(property.value) }
            });
            Kind::Map { members: members.collect(), flow: true }
        }
    };
    Node::new(range.start..range.end, kind)
}
