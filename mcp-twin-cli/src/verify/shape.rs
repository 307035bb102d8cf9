//! Whether the entries of a list are what the protocol says. It knows nothing of how they came.

use mcp_twin_runtime::session::Lists;
use serde_json::Value;
use std::collections::BTreeSet;

/// So many problems of one list are named.
const NAMED: usize = 10;

/// What is wrong with a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    /// What must not be.
    pub(crate) errors: Vec<String>,
    /// What should not be.
    pub(crate) warnings: Vec<String>,
}

/// Looks at the entries of a list.
pub(crate) fn problems(list: Lists, entries: &[Value]) -> Problems {
    let mut found = Problems::default();
    let mut keys = BTreeSet::new();
    for (at, entry) in entries.iter().enumerate() {
        let Some(key) = entry[list.key()].as_str().filter(|key| !key.is_empty()) else {
            found.errors.push(format!("{} {} has no `{}`", list.one(), at + 1, list.key()));
            continue;
        };
        let whose = format!("{} `{key}`", list.one());
        if !keys.insert(key) {
            found.errors.push(format!("{whose} is there twice"));
        }
        match list {
            Lists::Tools => tool(&whose, key, entry, &mut found),
            Lists::Prompts => prompt(&whose, entry, &mut found),
            Lists::Resources | Lists::Templates if !entry["name"].is_string() => {
                found.errors.push(format!("{whose} has no `name`"));
            }
            Lists::Resources if !has_scheme(key) => {
                found.warnings.push(format!("{whose}: its `uri` does not begin with a scheme"));
            }
            Lists::Resources | Lists::Templates => {}
        }
    }
    bounded(&mut found.errors);
    bounded(&mut found.warnings);
    found
}

fn tool(whose: &str, name: &str, entry: &Value, found: &mut Problems) {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.len() > 128 || !name.chars().all(plain) {
        found.warnings.push(format!(
            "{whose}: clients need not take names with more than 128 letters, or others than A-Z a-z 0-9 `_` `-` `.`"
        ));
    }
    let schema = &entry["inputSchema"];
    match schema {
        Value::Null => found.errors.push(format!("{whose} has no `inputSchema`")),
        Value::Object(_) if schema["type"] == "object" => members(whose, schema, found),
        Value::Object(_) => {
            found
                .errors
                .push(format!("{whose}: its `inputSchema` must have \"type\": \"object\", not {}", schema["type"]));
        }
        other => found.errors.push(format!("{whose}: its `inputSchema` is no object but {}", kind(other))),
    }
    let output = &entry["outputSchema"];
    if !output.is_null() && !output.is_object() {
        found.errors.push(format!("{whose}: its `outputSchema` is no object but {}", kind(output)));
    }
}

/// What stands in the schema of an object.
fn members(whose: &str, schema: &Value, found: &mut Problems) {
    let (properties, required) = (&schema["properties"], &schema["required"]);
    if !properties.is_null() && !properties.is_object() {
        found.errors.push(format!("{whose}: `properties` of its `inputSchema` is no object but {}", kind(properties)));
    }
    let Value::Array(required) = required else {
        if !required.is_null() {
            found.errors.push(format!("{whose}: `required` of its `inputSchema` is no array but {}", kind(required)));
        }
        return;
    };
    for name in required {
        match name.as_str() {
            None => found.errors.push(format!("{whose}: `required` of its `inputSchema` has {name}, which is no name")),
            Some(name) if properties.get(name).is_none() => {
                found.warnings.push(format!("{whose}: its `inputSchema` requires `{name}` and does not describe it"));
            }
            Some(_) => {}
        }
    }
}

fn prompt(whose: &str, entry: &Value, found: &mut Problems) {
    let arguments = &entry["arguments"];
    let Value::Array(arguments) = arguments else {
        if !arguments.is_null() {
            found.errors.push(format!("{whose}: its `arguments` are no array but {}", kind(arguments)));
        }
        return;
    };
    let mut names = BTreeSet::new();
    for argument in arguments {
        match argument["name"].as_str() {
            None => found.errors.push(format!("{whose}: an argument has no `name`")),
            Some(name) if !names.insert(name) => {
                found.errors.push(format!("{whose}: argument `{name}` is there twice"))
            }
            Some(_) => {}
        }
    }
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn bounded(problems: &mut Vec<String>) {
    if problems.len() > NAMED {
        let more = problems.len() - NAMED;
        problems.truncate(NAMED);
        problems.push(format!("and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_tools(tools: &Value) -> Problems {
        problems(Lists::Tools, tools.as_array().expect("an array"))
    }

    #[test]
    fn good_lists_have_no_problems() {
        let tools = json!([
            {"name": "a.b-c_1", "inputSchema": {"type": "object"}},
            {"name": "b", "inputSchema": {"type": "object", "properties": {"x": {}}, "required": ["x"]}, "outputSchema": {}},
        ]);
        assert_eq!(of_tools(&tools), Problems::default());
        let prompts = json!([{"name": "p", "arguments": [{"name": "x"}, {"name": "y"}]}, {"name": "q"}]);
        assert_eq!(problems(Lists::Prompts, prompts.as_array().unwrap()), Problems::default());
        let resources = json!([{"uri": "file:///x", "name": "x"}]);
        assert_eq!(problems(Lists::Resources, resources.as_array().unwrap()), Problems::default());
        let templates = json!([{"uriTemplate": "x://{y}", "name": "x"}]);
        assert_eq!(problems(Lists::Templates, templates.as_array().unwrap()), Problems::default());
    }

    #[test]
    fn what_must_not_be_is_an_error() {
        let tools = json!([
            {"name": "twice", "inputSchema": {"type": "object"}},
            {"name": "twice", "inputSchema": {"type": "object"}},
            {"inputSchema": {"type": "object"}},
            {"name": "none"},
            {"name": "string", "inputSchema": "x"},
            {"name": "array", "inputSchema": {"type": "array"}},
            {"name": "members", "inputSchema": {"type": "object", "properties": [], "required": "x"}},
            {"name": "output", "inputSchema": {"type": "object", "required": [1]}, "outputSchema": 1},
        ]);
        insta::assert_debug_snapshot!(of_tools(&tools));
        for (list, entry) in [
            (Lists::Prompts, json!({"name": "p", "arguments": {}})),
            (Lists::Prompts, json!({"name": "p", "arguments": [{"name": "x"}, {"name": "x"}]})),
            (Lists::Resources, json!({"uri": "file:///x"})),
            (Lists::Templates, json!({"name": "x"})),
        ] {
            assert_eq!(problems(list, std::slice::from_ref(&entry)).errors.len(), 1, "{entry}");
        }
    }

    #[test]
    fn what_should_not_be_is_a_warning() {
        let tools = json!([
            {"name": "get url", "inputSchema": {"type": "object"}},
            {"name": "a", "inputSchema": {"type": "object", "required": ["x"]}},
        ]);
        let found = of_tools(&tools);
        assert_eq!((found.errors.len(), found.warnings.len()), (0, 2), "{found:?}");
        let found = problems(Lists::Resources, &[json!({"uri": "x", "name": "x"})]);
        assert_eq!((found.errors.len(), found.warnings.len()), (0, 1), "{found:?}");
    }

    #[test]
    fn a_long_list_of_problems_is_cut() {
        let many: Vec<Value> = (0..100).map(|_| json!({})).collect();
        let found = problems(Lists::Tools, &many);
        assert_eq!((found.errors.len(), found.errors.last().unwrap().as_str()), (11, "and 90 more"));
    }
}
