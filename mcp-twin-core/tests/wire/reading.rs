//! What a configuration says, by readers that have nothing to do with the edits, and where its entries stand.

use mcp_twin_core::detect::{Shape, Site, Step, Syntax};
use serde_json::Value;

/// The content of a text; `None` if it is not valid.
pub fn read(text: &str, syntax: Syntax) -> Option<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match syntax {
        Syntax::Json => serde_json::from_str(text).ok(),
        Syntax::Jsonc => jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok(),
        Syntax::Toml => {
            let document: toml_edit::DocumentMut = text.parse().ok()?;
            Some(item(document.as_item()))
        }
        Syntax::Yaml => {
            let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).ok()?;
            value.apply_merge().ok()?;
            serde_json::to_value(value).ok()
        }
    }
}

fn item(from: &toml_edit::Item) -> Value {
    if let Some(table) = from.as_table_like() {
        return Value::Object(table.iter().map(|(key, value)| (key.to_owned(), item(value))).collect());
    }
    if let Some(array) = from.as_array() {
        return array.iter().map(|value| item(&toml_edit::Item::Value(value.clone()))).collect();
    }
    match from.as_str() {
        Some(text) => text.into(),
        None => from.to_string().trim().into(),
    }
}

/// The value at a path.
pub fn at_mut<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// Every object that says what is run or where it is, and how.
pub fn sites(text: &str, syntax: Syntax) -> Vec<Site> {
    let mut found = Vec::new();
    if let Some(whole) = read(text, syntax) {
        walk(&whole, &mut Vec::new(), &mut |path, shape| found.push(Site { syntax, path: path.to_vec(), shape }));
    }
    found
}

fn walk(value: &Value, path: &mut Vec<Step>, found: &mut dyn FnMut(&[Step], Shape)) {
    match value {
        Value::Object(members) => {
            let text =
                |key: &str| members.get(key).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()));
            for command in ["command", "cmd"] {
                if text(command) {
                    found(path, Shape::Words { command });
                }
            }
            match members.get("command") {
                Some(Value::Array(words)) if words.first().is_some_and(Value::is_string) => found(path, Shape::Array),
                Some(Value::Object(program)) if program.get("path").is_some_and(Value::is_string) => {
                    found(path, Shape::Program);
                }
                _ => {}
            }
            for url in ["url", "httpUrl", "serverUrl", "uri"] {
                if text(url) {
                    found(path, Shape::Url { url });
                }
            }
            for (key, value) in members {
                path.push(Step::Key(key.clone()));
                walk(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}
