//! JSON, with comments and trailing commas or without.

use super::super::error::ParseError;
use super::super::site::{Step, Syntax};
use super::{DEEPEST, Document, Node};
use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::{CollectOptions, parse_to_ast};
use std::collections::HashMap;

pub(super) fn read(text: &str, strict: bool) -> Result<Document, ParseError> {
    let syntax = if strict { Syntax::Json } else { Syntax::Jsonc };
    let options = Syntax::options(strict);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| ParseError::Syntax {
        syntax,
        line: error.line_display(),
        column: error.column_display(),
        what: error.kind().to_string().to_lowercase(),
    })?;
    let Some(value) = parsed.value else {
        // An empty settings file is one without settings; a strict reader trips over it.
        return if strict {
            Err(ParseError::Syntax { syntax, line: 1, column: 1, what: "the file is empty".to_owned() })
        } else {
            Ok(Document::of(Node::Null))
        };
    };
    if strict {
        strictly(text)?;
    }
    let mut tree = Tree { duplicates: Vec::new(), path: Vec::new() };
    let root = tree.node(value, syntax)?;
    Ok(Document { duplicates: tree.duplicates, ..Document::of(root) })
}

/// What the tolerant reader lets pass and `JSON.parse` does not: control characters in strings, odd spaces.
fn strictly(text: &str) -> Result<(), ParseError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Err(error) if !error.to_string().contains("recursion limit") => Err(ParseError::Syntax {
            syntax: Syntax::Json,
            line: error.line(),
            column: error.column().max(1),
            // It ends in the place, which is told apart.
            what: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        }),
        _ => Ok(()),
    }
}

struct Tree {
    duplicates: Vec<Vec<Step>>,
    path: Vec<Step>,
}

impl Tree {
    fn node(&mut self, value: Value<'_>, syntax: Syntax) -> Result<Node, ParseError> {
        if self.path.len() > DEEPEST {
            return Err(ParseError::TooDeep { syntax, deepest: DEEPEST });
        }
        Ok(match value {
            Value::NullKeyword(_) => Node::Null,
            Value::BooleanLit(literal) => Node::Bool(literal.value),
            Value::NumberLit(literal) => Node::Number(literal.value.to_owned()),
            Value::StringLit(literal) => Node::Text(literal.value.into_owned()),
            Value::Array(array) => {
                let mut items = Vec::with_capacity(array.elements.len());
                for (at, element) in array.elements.into_iter().enumerate() {
                    self.path.push(Step::Index(at));
                    items.push(self.node(element, syntax)?);
                    self.path.pop();
                }
                Node::List(items)
            }
            Value::Object(object) => {
                let mut members: Vec<(String, Node)> = Vec::with_capacity(object.properties.len());
                let mut seen: HashMap<String, usize> = HashMap::with_capacity(object.properties.len());
                for property in object.properties {
                    let key = match property.name {
                        ObjectPropName::String(name) => name.value.into_owned(),
                        ObjectPropName::Word(name) => name.value.to_owned(),
                    };
                    self.path.push(Step::Key(key.clone()));
                    let node = self.node(property.value, syntax)?;
                    if let Some(at) = seen.get(&key) {
                        members[*at].1 = node;
                        self.duplicates.push(self.path.clone());
                    } else {
                        seen.insert(key.clone(), members.len());
                        members.push((key, node));
                    }
                    self.path.pop();
                }
                Node::Map(members)
            }
        })
    }
}
