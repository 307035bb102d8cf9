//! Breaking changes of a tool: what its `inputSchema` accepted and no longer does.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Deeper than this schemas are not compared.
const DEPTH: usize = 64;

/// Breaking changes of one tool, by its `inputSchema`.
pub(super) fn tool(old: &Value, new: &Value) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn breaks(old: Value, new: Value) -> Vec<String> {
        tool(&json!({ "inputSchema": old }), &json!({ "inputSchema": new }))
    }

    #[test]
    fn required_arguments() {
        let old = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]});
        let new = json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {}}, "required": ["c", "b", "a"]});
        assert_eq!(breaks(old, new), ["argument `b` is now required", "new required argument `c`"]);
    }

    #[test]
    fn removed_argument() {
        let old = json!({"properties": {"a": {}, "b": {}}});
        assert_eq!(breaks(old, json!({"properties": {"a": {}}})), ["argument `b` was removed"]);
    }

    #[test]
    fn narrowed_types() {
        let of = |schema: Value| json!({"properties": {"a": schema}});
        assert!(breaks(of(json!({"type": "integer"})), of(json!({"type": "number"}))).is_empty());
        assert_eq!(
            breaks(of(json!({"type": "number"})), of(json!({"type": "integer"}))),
            ["argument `a` no longer accepts type number"]
        );
        assert_eq!(
            breaks(of(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})), of(json!({"type": "integer"}))),
            ["argument `a` no longer accepts type null"]
        );
        assert_eq!(breaks(of(json!({})), of(json!({"type": "string"}))), ["argument `a` now accepts only type string"]);
    }

    #[test]
    fn narrowed_values_and_bounds() {
        let of = |schema: Value| json!({"properties": {"a": schema}});
        assert_eq!(
            breaks(of(json!({"enum": ["x", "y"]})), of(json!({"enum": ["y", "z"]}))),
            ["argument `a` no longer accepts \"x\""]
        );
        assert_eq!(
            breaks(of(json!({"maxLength": 5})), of(json!({"maxLength": 4, "pattern": "x"}))),
            ["argument `a` has a narrower `maxLength`", "argument `a` has a new `pattern`"]
        );
        assert!(breaks(of(json!({"minimum": 5, "enum": [1]})), of(json!({"minimum": 4}))).is_empty());
    }

    #[test]
    fn nested_arguments_and_references() {
        let old = json!({"$defs": {"P": {"properties": {"x": {}}}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        let new = json!({"$defs": {"P": {"properties": {"x": {}, "y": {}}, "required": ["y"]}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        assert_eq!(breaks(old, new), ["new required argument `p.y`"]);
        let circle = json!({"$defs": {"P": {"$ref": "#/$defs/P"}}, "properties": {"p": {"$ref": "#/$defs/P"}}});
        let deep = json!({"$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}, "v": {}}}}, "properties": {"p": {"$ref": "#/$defs/N"}}});
        assert!(!breaks(deep, circle).is_empty(), "it ends");
    }

    #[test]
    fn closed_to_other_arguments() {
        assert_eq!(
            breaks(json!({"properties": {"a": {}}}), json!({"properties": {"a": {}}, "additionalProperties": false})),
            ["other arguments are no longer accepted"]
        );
    }
}
