//! What stands behind a key, as the options want it: texts.

use crate::spec::{Check, Kind};
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

/// A check: a text, or a table that names a tool and its arguments.
fn check(item: &Item) -> Result<String, Wrong> {
    const WANTED: &str = "a command line in quotes, or a table such as { tool = \"ping\", args = { deep = true } },";
    if let Some(text) = item.as_str() {
        return Ok(text.to_owned());
    }
    let table = item.as_table_like().ok_or_else(|| wrong(item, WANTED))?;
    if let Some((key, odd)) = table.iter().find(|(key, _)| !["tool", "args"].contains(key)) {
        let what = format!("a check has the keys `tool` and `args`, not `{key}`");
        return Err(Wrong { span: odd.span().or_else(|| item.span()), what });
    }
    let tool =
        table.get("tool").ok_or_else(|| Wrong { span: item.span(), what: "the check names no `tool`".to_owned() })?;
    let name = text(tool)?;
    let args = match table.get("args") {
        Some(args) => match json(args)? {
            serde_json::Value::Object(args) => args,
            _ => return Err(wrong(args, "a table of arguments")),
        },
        None => serde_json::Map::new(),
    };
    if name.contains('=') || name.trim() != name || name.is_empty() {
        return Err(Wrong { span: tool.span(), what: format!("`{name}` is no name of a tool") });
    }
    Ok(Check::tool(&name, &args).to_string())
}

/// A value as JSON has it.
fn json(item: &Item) -> Result<serde_json::Value, Wrong> {
    use serde_json::Value as Json;
    if let Some(table) = item.as_table_like() {
        let all = table.iter().map(|(key, item)| Ok((key.to_owned(), json(item)?)));
        return all.collect::<Result<_, Wrong>>().map(Json::Object);
    }
    let value = item.as_value().ok_or_else(|| wrong(item, "an argument"))?;
    Ok(match value {
        Value::String(text) => Json::from(text.value().as_str()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Boolean(yes) => Json::from(*yes.value()),
        Value::Float(number) => match serde_json::Number::from_f64(*number.value()) {
            Some(number) => Json::Number(number),
            None => return Err(wrong(item, "a number that JSON can hold")),
        },
        Value::Array(list) => {
            list.iter().map(|one| json(&Item::Value(one.clone()))).collect::<Result<_, _>>().map(Json::Array)?
        }
        Value::Datetime(_) | Value::InlineTable(_) => return Err(wrong(item, "a text, a number, a list or a table")),
    })
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
        (Kind::Check, _) => check(item),
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
