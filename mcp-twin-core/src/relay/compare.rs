//! Comparison of two twins' lists: what was added, removed, changed, and which changes break a client.

use super::diff::{KindDiff, ListDiff, ListKind};
use super::lists::{KINDS, List, Lists};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Deeper than this JSON is compared as written.
const DEPTH: usize = 64;

/// What differs. A list that is not known on the old side is left out.
pub(super) fn diff(old: &Lists, new: &Lists) -> ListDiff {
    let empty = List::default();
    let mut diff = ListDiff::default();
    for kind in KINDS {
        let Some(before) = old.list(kind) else { continue };
        let after = new.list(kind).unwrap_or(&empty);
        let of = diff_kind(kind, before, after, &mut diff.breaking);
        if !of.is_empty() {
            diff.lists.push((kind, of));
        }
    }
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
                    ListKind::Tools => tool(&parse(before), &parse(after)),
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

/// Breaking changes of one tool, by its `inputSchema`.
fn tool(old: &Value, new: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    let empty = Value::Null;
    let (old, new) = (old.get("inputSchema").unwrap_or(&empty), new.get("inputSchema").unwrap_or(&empty));
    schema("", (old, old), (new, new), DEPTH, &mut reasons);
    reasons
}

/// Compares two schemas of arguments; `path` is the argument that they describe, empty for all of them.
fn schema(path: &str, old: (&Value, &Value), new: (&Value, &Value), depth: usize, reasons: &mut Vec<String>) {
    let ((old_root, old), (new_root, new)) = ((old.0, resolve(old.0, old.1)), (new.0, resolve(new.0, new.1)));
    if old == new || depth == 0 {
        return;
    }
    if !path.is_empty() {
        narrowed(path, old, new, reasons);
    }
    let names = |of: &Value| -> BTreeSet<String> {
        let required = of.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let none = Map::new();
    let properties = |of: &'_ Value| of.get("properties").and_then(Value::as_object).cloned();
    let (before, after) = (properties(old), properties(new));
    let (before, after) = (before.as_ref().unwrap_or(&none), after.as_ref().unwrap_or(&none));
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let (was, is) = (names(old), names(new));
    for name in is.difference(&was) {
        if before.contains_key(name) {
            reasons.push(format!("argument `{}` is now required", at(name)));
        } else {
            reasons.push(format!("new required argument `{}`", at(name)));
        }
    }
    for (name, before) in before {
        match after.get(name) {
            None => reasons.push(format!("argument `{}` was removed", at(name))),
            Some(after) => schema(&at(name), (old_root, before), (new_root, after), depth - 1, reasons),
        }
    }
    if let (Some(before), Some(after)) = (old.get("items"), new.get("items")) {
        let path = if path.is_empty() { "items".to_owned() } else { format!("{path}[]") };
        schema(&path, (old_root, before), (new_root, after), depth - 1, reasons);
    }
    let closed = |of: &Value| of.get("additionalProperties") == Some(&Value::Bool(false));
    if closed(new) && !closed(old) && (!before.is_empty() || !after.is_empty() || path.is_empty()) {
        let what =
            if path.is_empty() { "other arguments are".to_owned() } else { format!("other members of `{path}` are") };
        reasons.push(format!("{what} no longer accepted"));
    }
}

/// Follows `$ref` within the same schema (`#/$defs/…`).
fn resolve<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let mut at = value;
    // A chain of references that is longer than this is a circle.
    for _ in 0..16 {
        let target = at.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        match target.and_then(|path| root.pointer(path)) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

fn narrowed(path: &str, old: &Value, new: &Value, reasons: &mut Vec<String>) {
    match (types(old), types(new)) {
        (Some(before), Some(after)) => {
            let lost: Vec<_> = before.iter().filter(|kind| !accepts(&after, kind)).cloned().collect();
            if !lost.is_empty() {
                reasons.push(format!("argument `{path}` no longer accepts type {}", lost.join(", ")));
            }
        }
        (None, Some(after)) => {
            let after: Vec<_> = after.into_iter().collect();
            reasons.push(format!("argument `{path}` now accepts only type {}", after.join(", ")));
        }
        (_, None) => {}
    }
    match (values(old), values(new)) {
        (Some(before), Some(after)) => {
            let lost: Vec<_> = before.iter().filter(|value| !after.contains(value)).map(Value::to_string).collect();
            if !lost.is_empty() {
                reasons.push(format!("argument `{path}` no longer accepts {}", lost.join(", ")));
            }
        }
        (None, Some(after)) => {
            let after: Vec<_> = after.iter().map(Value::to_string).collect();
            reasons.push(format!("argument `{path}` now accepts only {}", after.join(", ")));
        }
        (_, None) => {}
    }
    bounds(path, old, new, reasons);
}

/// Keywords that bound a value: upper bounds that fell, lower bounds that rose, patterns that are new.
fn bounds(path: &str, old: &Value, new: &Value, reasons: &mut Vec<String>) {
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_f64);
    for (names, tighter) in [
        (["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"], f64::lt as fn(&f64, &f64) -> bool),
        (["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"], f64::gt),
    ] {
        for name in names {
            let narrower = match (number(old, name), number(new, name)) {
                (Some(before), Some(after)) => tighter(&after, &before),
                (None, Some(_)) => true,
                _ => false,
            };
            if narrower {
                reasons.push(format!("argument `{path}` has a narrower `{name}`"));
            }
        }
    }
    for name in ["pattern", "format", "const", "multipleOf"] {
        // `const` is compared with the values above.
        if let Some(after) = new.get(name).filter(|_| name != "const")
            && old.get(name) != Some(after)
        {
            reasons.push(format!("argument `{path}` has a new `{name}`"));
        }
    }
}

/// The types that a schema accepts; `None`: any.
fn types(schema: &Value) -> Option<BTreeSet<String>> {
    let own = match schema.get("type") {
        Some(Value::String(one)) => Some(BTreeSet::from([one.clone()])),
        Some(Value::Array(several)) => Some(several.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    };
    // Optional arguments of Python servers: `anyOf: [{type: integer}, {type: null}]`.
    own.or_else(|| {
        let branches = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
        let mut all = BTreeSet::new();
        for branch in branches {
            all.extend(types(branch)?);
        }
        Some(all)
    })
}

fn accepts(types: &BTreeSet<String>, kind: &str) -> bool {
    types.contains(kind) || (kind == "integer" && types.contains("number"))
}

/// The values that a schema lists; `None`: any.
fn values(schema: &Value) -> Option<Vec<Value>> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values.clone()),
        (_, Some(value)) => Some(vec![value.clone()]),
        _ => None,
    }
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

    fn with(schema: Value) -> Value {
        json!({"name": "t", "inputSchema": schema})
    }

    fn breaks(old: Value, new: Value) -> Vec<String> {
        tools(&[with(old)], &[with(new)]).1
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
    fn required_arguments() {
        let old = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]});
        let new = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {}}, "required": ["c", "b", "a"]});
        assert_eq!(breaks(old, new), ["tool `t`: argument `b` is now required", "tool `t`: new required argument `c`"]);
    }

    #[test]
    fn removed_argument() {
        let old = json!({"properties": {"a": {}, "b": {}}});
        assert_eq!(breaks(old, json!({"properties": {"a": {}}})), ["tool `t`: argument `b` was removed"]);
    }

    #[test]
    fn narrowed_types() {
        let of = |schema: Value| json!({"properties": {"a": schema}});
        assert!(breaks(of(json!({"type": "integer"})), of(json!({"type": "number"}))).is_empty());
        assert_eq!(
            breaks(of(json!({"type": "number"})), of(json!({"type": "integer"}))),
            ["tool `t`: argument `a` no longer accepts type number"]
        );
        assert_eq!(
            breaks(of(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})), of(json!({"type": "integer"}))),
            ["tool `t`: argument `a` no longer accepts type null"]
        );
        assert_eq!(
            breaks(of(json!({})), of(json!({"type": "string"}))),
            ["tool `t`: argument `a` now accepts only type string"]
        );
    }

    #[test]
    fn narrowed_values_and_bounds() {
        let of = |schema: Value| json!({"properties": {"a": schema}});
        assert_eq!(
            breaks(of(json!({"enum": ["x", "y"]})), of(json!({"enum": ["y", "z"]}))),
            ["tool `t`: argument `a` no longer accepts \"x\""]
        );
        assert_eq!(
            breaks(of(json!({"maxLength": 5})), of(json!({"maxLength": 4, "pattern": "x"}))),
            ["tool `t`: argument `a` has a narrower `maxLength`", "tool `t`: argument `a` has a new `pattern`"]
        );
        assert!(breaks(of(json!({"minimum": 5, "enum": [1]})), of(json!({"minimum": 4}))).is_empty());
    }

    #[test]
    fn nested_arguments_and_references() {
        let old = json!({"$defs": {"P": {"properties": {"x": {}}}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        let new = json!({"$defs": {"P": {"properties": {"x": {}, "y": {}}, "required": ["y"]}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        assert_eq!(breaks(old, new), ["tool `t`: new required argument `p.y`"]);
        let circle = json!({"$defs": {"P": {"$ref": "#/$defs/P"}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        let deep = json!({"$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}, "v": {}}}}, "properties": {"p": {"$ref": "#/$defs/N"}}});
        assert!(!breaks(deep, circle).is_empty(), "it ends");
    }

    #[test]
    fn closed_to_other_arguments() {
        assert_eq!(
            breaks(json!({"properties": {"a": {}}}), json!({"properties": {"a": {}}, "additionalProperties": false})),
            ["tool `t`: other arguments are no longer accepted"]
        );
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
