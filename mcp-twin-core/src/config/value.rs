//! What stands behind a key, as the options want it: texts.

use crate::spec::Kind;
use std::ops::Range;
use toml_edit::{Item, Value};

/// What kind of value it is, for people.
pub(super) fn name(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Table(_) | Item::Value(Value::InlineTable(_)) => "a table",
        Item::ArrayOfTables(_) => "a list of tables",
        Item::Value(Value::String(_)) => "a text",
        Item::Value(Value::Integer(_)) => "a number",
        Item::Value(Value::Float(_)) => "a fraction",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date",
        Item::Value(Value::Array(_)) => "a list",
    }
}

/// What is wrong with a value: where, if it is a part of it only, and what is wanted.
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) what: String,
}

fn wrong(item: &Item, wanted: &str) -> Wrong {
    Wrong { span: item.span(), what: format!("{wanted} is wanted here, not {}", name(item)) }
}

/// A text.
pub(super) fn text(item: &Item) -> Result<String, Wrong> {
    item.as_str().map(str::to_owned).ok_or_else(|| wrong(item, "a text in quotes"))
}

/// A list of texts; one text is a list of one.
pub(super) fn texts(item: &Item) -> Result<Vec<String>, Wrong> {
    const WANTED: &str = "a list of texts such as [\"a\", \"b\"]";
    if let Some(text) = item.as_str() {
        return Ok(vec![text.to_owned()]);
    }
    let list = item.as_array().ok_or_else(|| wrong(item, WANTED))?;
    let one = |value: &Value| {
        value.as_str().map(str::to_owned).ok_or_else(|| Wrong {
            span: value.span(),
            what: format!("a text in quotes is wanted in this list, not {}", name(&Item::Value(value.clone()))),
        })
    };
    list.iter().map(one).collect()
}

/// The text of an option's value.
pub(super) fn option(item: &Item, kind: Kind) -> Result<String, Wrong> {
    match (kind, item) {
        (Kind::Switch, Item::Value(Value::Boolean(yes))) => Ok(yes.value().to_string()),
        (Kind::Switch, _) => Err(wrong(item, "true or false, without quotes,")),
        (Kind::Count | Kind::Size, Item::Value(Value::Integer(number))) => Ok(number.value().to_string()),
        (Kind::Count, _) => Err(wrong(item, "a whole number")),
        (Kind::Size, Item::Value(Value::String(text))) => Ok(text.value().clone()),
        (Kind::Size, _) => Err(wrong(item, "a number of bytes or a text such as \"64MiB\"")),
        (Kind::Duration | Kind::DurationOrNone, Item::Value(Value::Integer(number))) if *number.value() == 0 => {
            Ok("0".to_owned())
        }
        (Kind::Duration | Kind::DurationOrNone, Item::Value(Value::String(text))) => Ok(text.value().clone()),
        (Kind::Duration, _) => Err(wrong(item, "a text such as \"100ms\", \"2s\" or \"5m\"")),
        (Kind::DurationOrNone, _) => Err(wrong(item, "a text such as \"2s\", \"5m\" or \"none\"")),
        (Kind::CommandOrNone, Item::Value(Value::String(text))) => Ok(text.value().clone()),
        (Kind::CommandOrNone, _) => Err(wrong(item, "a text such as \"npm run build\" or \"auto\"")),
        (Kind::Prefix, _) => text(item),
        (Kind::Names, _) => {
            let names = texts(item)?;
            // As the flag has it: a list of none is none.
            Ok(if names.is_empty() { "none".to_owned() } else { names.join(",") })
        }
        (Kind::Choice(words), _) => {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            item.as_str().map(str::to_owned).ok_or_else(|| wrong(item, &words.join(" or ")))
        }
    }
}
