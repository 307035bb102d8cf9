//! Comparison of two twins' lists: what was added, removed, changed, and which changes break a client.

mod schema;

use super::diff::{KindDiff, ListDiff, ListKind, Tokens};
use super::lists::{KINDS, List, Lists};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Deeper than this JSON is compared as written.
const DEPTH: usize = 64;

/// What differs. A list that is not known on the old side is left out.
pub(super) fn diff(old: &Lists, new: &Lists) -> ListDiff {
    let empty = List::default();
    let mut diff = ListDiff::default();
    let mut bytes = (0, 0);
    for kind in KINDS {
        let Some(before) = old.list(kind) else { continue };
        let after = new.list(kind).unwrap_or(&empty);
        let of = diff_kind(kind, before, after, &mut diff.breaking);
        if !of.is_empty() {
            diff.lists.push((kind, of));
        }
        bytes = (bytes.0 + before.bytes(), bytes.1 + after.bytes());
    }
    diff.tokens = (!diff.is_empty()).then(|| Tokens::of_bytes(bytes.0, bytes.1));
    diff
}

/// Lists that were not empty and now are.
pub(super) fn emptied(old: &Lists, new: &Lists) -> Vec<&'static str> {
    let full = |lists: &Lists, kind| lists.list(kind).is_some_and(|list| !list.entries.is_empty());
    KINDS.into_iter().filter(|kind| full(old, *kind) && !full(new, *kind)).map(plural).collect()
}

/// JSON in a form in which equal values are equal text: keys sorted, escapes plain, numbers as written.
pub(super) fn canonical(json: &RawValue) -> String {
    let mut out = String::with_capacity(json.get().len());
    write(json.get(), DEPTH, &mut out);
    out
}

fn write(json: &str, depth: usize, out: &mut String) {
    let parsed = match json.as_bytes().first() {
        Some(b'{') if depth > 0 => write_object(json, depth, out),
        Some(b'[') if depth > 0 => write_array(json, depth, out),
        Some(b'"') if json.contains('\\') => serde_json::from_str::<String>(json).map(|text| {
            out.push_str(&Value::from(text).to_string());
        }),
        _ => {
            out.push_str(json);
            Ok(())
        }
    };
    if parsed.is_err() {
        out.push_str(json);
    }
}

fn write_object(json: &str, depth: usize, out: &mut String) -> serde_json::Result<()> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    out.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(name).to_string());
        out.push(':');
        write(value.get(), depth - 1, out);
    }
    out.push('}');
    Ok(())
}

fn write_array(json: &str, depth: usize, out: &mut String) -> serde_json::Result<()> {
    let items: Vec<&RawValue> = serde_json::from_str(json)?;
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item.get(), depth - 1, out);
    }
    out.push(']');
    Ok(())
}

fn plural(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Tools => "tools",
        ListKind::Prompts => "prompts",
        ListKind::Resources => "resources",
        ListKind::Templates => "resource templates",
    }
}

fn singular(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Tools => "tool",
        ListKind::Prompts => "prompt",
        ListKind::Resources => "resource",
        ListKind::Templates => "resource template",
    }
}

fn diff_kind(kind: ListKind, old: &List, new: &List, breaking: &mut Vec<String>) -> KindDiff {
    // An entry that stands in a list twice counts once, by its last form.
    let map = |list: &List| -> BTreeMap<String, String> { list.entries.iter().cloned().collect() };
    let (old, new) = (map(old), map(new));
    let mut diff = KindDiff::default();
    for (name, before) in &old {
        match new.get(name) {
            None => {
                breaking.push(format!("{} `{name}`: removed", singular(kind)));
                diff.removed.push(name.clone());
            }
            Some(after) if after != before => {
                diff.changed.push(name.clone());
                let parse = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_default();
                let reasons = match kind {
                    ListKind::Tools => schema::tool(&parse(before), &parse(after)),
                    ListKind::Prompts => prompt(&parse(before), &parse(after)),
                    ListKind::Resources | ListKind::Templates => Vec::new(),
                };
                breaking.extend(reasons.into_iter().map(|why| format!("{} `{name}`: {why}", singular(kind))));
            }
            Some(_) => {}
        }
    }
    diff.added = new.keys().filter(|name| !old.contains_key(*name)).cloned().collect();
    diff
}

/// Breaking changes of one prompt, by its arguments.
fn prompt(old: &Value, new: &Value) -> Vec<String> {
    let arguments = |of: &Value| -> BTreeMap<String, bool> {
        let list = of.get("arguments").and_then(Value::as_array);
        let entry = |argument: &Value| {
            let name = argument.get("name")?.as_str()?.to_owned();
            Some((name, argument.get("required").and_then(Value::as_bool).unwrap_or(false)))
        };
        list.into_iter().flatten().filter_map(entry).collect()
    };
    let (before, after) = (arguments(old), arguments(new));
    let mut reasons = Vec::new();
    for (name, required) in &after {
        match before.get(name) {
            None if *required => reasons.push(format!("new required argument `{name}`")),
            Some(false) if *required => reasons.push(format!("argument `{name}` is now required")),
            _ => {}
        }
    }
    reasons.extend(
        before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("argument `{name}` was removed")),
    );
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::slice::from_ref;

    fn list(entries: &[Value], key: &str) -> List {
        let mut entries: Vec<_> = entries
            .iter()
            .map(|entry| {
                let raw = RawValue::from_string(entry.to_string()).unwrap();
                (entry[key].as_str().unwrap().to_owned(), canonical(&raw))
            })
            .collect();
        entries.sort();
        List { entries }
    }

    fn tools(old: &[Value], new: &[Value]) -> (KindDiff, Vec<String>) {
        let mut breaking = Vec::new();
        let diff = diff_kind(ListKind::Tools, &list(old, "name"), &list(new, "name"), &mut breaking);
        (diff, breaking)
    }

    #[test]
    fn order_of_keys_and_escapes_do_not_matter() {
        let raw = |text: &str| canonical(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(raw(r#"{"b":[1, {"d":"\u0061","c":null}],"a":1}"#), raw(r#"{"a":1,"b":[1,{"c":null,"d":"a"}]}"#));
        assert_ne!(raw("12345678901234567890123"), raw("12345678901234567890124"));
        assert_ne!(raw("[1,2]"), raw("[2,1]"));
    }

    #[test]
    fn deep_json_is_compared_as_written() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(canonical(&RawValue::from_string(deep.clone()).unwrap()), deep);
    }

    #[test]
    fn added_removed_changed() {
        let a = json!({"name": "a", "description": "x"});
        let b = json!({"name": "b"});
        let c = json!({"name": "c"});
        let (diff, breaking) = tools(&[a, b.clone()], &[json!({"name": "a", "description": "y"}), c]);
        assert_eq!((diff.added, diff.removed, diff.changed), (vec!["c".into()], vec!["b".into()], vec!["a".into()]));
        assert_eq!(breaking, ["tool `b`: removed"]);
    }

    #[test]
    fn what_differs_says_what_the_lists_cost() {
        let of = |entries: &[Value]| {
            let mut lists = Lists::default();
            lists.set(ListKind::Tools, list(entries, "name"), false);
            lists
        };
        let (small, large) = (json!({"name": "a"}), json!({"name": "b", "description": "x".repeat(400)}));
        let tokens = diff(&of(from_ref(&small)), &of(&[small.clone(), large])).tokens.unwrap();
        // {"name":"a"} has 12 bytes, the other 429.
        assert_eq!((tokens.before, tokens.after), (3, 111));
        assert_eq!(tokens.describe(), "about 111 tokens, 3 before");
        assert_eq!(diff(&of(from_ref(&small)), &of(from_ref(&small))).tokens, None);
    }

    #[test]
    fn prompts() {
        let of = |arguments: Value| json!({"name": "p", "arguments": arguments});
        let old = of(json!([{"name": "a"}, {"name": "b", "required": true}]));
        let new = of(json!([{"name": "a", "required": true}, {"name": "c", "required": true}, {"name": "d"}]));
        let mut breaking = Vec::new();
        diff_kind(ListKind::Prompts, &list(&[old], "name"), &list(&[new], "name"), &mut breaking);
        assert_eq!(
            breaking,
            [
                "prompt `p`: argument `a` is now required",
                "prompt `p`: new required argument `c`",
                "prompt `p`: argument `b` was removed"
            ]
        );
    }
}
