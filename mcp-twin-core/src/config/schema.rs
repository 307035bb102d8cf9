//! The JSON Schema of a configuration file, for editors: made from the very tables by which files are read.

use super::key::{KEYS, KeyKind, NOTIFY_KEYS};
use crate::spec::{Kind, OPTIONS, OptionInfo, Transport};
use serde_json::{Map, Value, json};

/// The identity of the schema.
pub const SCHEMA_ID: &str = "https://github.com/nothinginfinity/mcp-twin/mcp-twin.schema.json";

/// The form of a duration, and of a size.
const DURATION: &str = r"^(0|[0-9]+(\.[0-9]+)? ?(ms|s|sec|m|min|h|d))$";
const PREFIX: &str = r"^[A-Za-z0-9_.-]{1,24}$";
const SIZE: &str = r"^[0-9]+ ?([Bb]|[KkMmGg]([Ii])?[Bb])?$";

/// The schema, in the dialect of 2020-12.
#[must_use]
pub fn schema() -> Value {
    let options: Vec<(String, Value)> =
        OPTIONS.iter().map(|option| (option.key.to_owned(), of_option(option))).collect();
    let keys = |all: bool| {
        let known = KEYS.iter().filter(move |known| all || known.in_defaults);
        known.map(|known| (known.key.to_owned(), described(of_key(known.kind), known.help)))
    };
    let table = |keys: Vec<(String, Value)>, what: &str| {
        let properties: Map<String, Value> = keys.into_iter().collect();
        json!({"description": what, "type": "object", "additionalProperties": false, "properties": properties})
    };
    let server = table(keys(true).chain(options.clone()).collect(), "One server");
    let mut server = server;
    server["dependentRequired"] = json!({"args": ["command"]});
    let of_notify = NOTIFY_KEYS.iter().map(|known| (known.key.to_owned(), described(of_key(known.kind), known.help)));
    let mut notify = table(of_notify.collect(), "One that is told");
    notify["required"] = json!(["kind"]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "mcp-twin.toml",
        "description": "Configuration of mcp-twin: of a project (mcp-twin.toml) or of a user (config.toml)",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "defaults": table(keys(false).chain(options).collect(), "What counts for every server"),
            "servers": {
                "description": "Servers by their names",
                "type": "object",
                "propertyNames": {"pattern": "^[a-z0-9_][a-z0-9._-]{0,39}$"},
                "additionalProperties": {"$ref": "#/$defs/server"},
            },
            "notify": {
                "description": "Who is told of what happens to the servers, beside those of the other file",
                "type": "array",
                "items": {"$ref": "#/$defs/notify"},
            },
        },
        "$defs": {"server": server, "notify": notify},
    })
}

fn of_option(option: &OptionInfo) -> Value {
    let duration = || json!({"type": "string", "pattern": DURATION});
    let zero = || json!({"type": "integer", "const": 0});
    let form = match option.kind {
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Duration => json!({"anyOf": [duration(), zero()]}),
        Kind::DurationOrNone => json!({"anyOf": [duration(), {"type": "string", "const": "none"}]}),
        Kind::Count => json!({"type": "integer", "minimum": 0}),
        Kind::Size => json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": SIZE}]}),
        Kind::CommandOrNone => json!({"type": "string", "minLength": 1}),
        Kind::Check => json!({"anyOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "properties": {"tool": {"type": "string", "minLength": 1}, "args": {"type": "object"}},
                "required": ["tool"],
                "additionalProperties": false,
            },
        ]}),
        Kind::Prefix => json!({"type": "string", "pattern": PREFIX}),
        Kind::Names => json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
    };
    let (run, serve) = (option.default(Transport::Stdio), option.default(Transport::Http));
    let default = if run == serve { run } else { format!("{run}; over HTTP {serve}") };
    described(form, &format!("{} [default: {default}]", option.help))
}

fn of_key(kind: KeyKind) -> Value {
    match kind {
        KeyKind::Text => json!({"type": "string"}),
        KeyKind::Texts => json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
        KeyKind::Words(words) => json!({"type": "array", "minItems": 1, "items": {"type": "string", "enum": words}}),
        KeyKind::Variables => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        KeyKind::Address => json!({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0, "maximum": 65535}]}),
        KeyKind::Choice(words) => json!({"type": "string", "enum": words}),
        KeyKind::Count => json!({"type": "integer", "minimum": 1, "maximum": 100_000}),
        KeyKind::Duration => json!({"type": "string", "pattern": DURATION}),
    }
}

/// The form with its description in front.
fn described(form: Value, help: &str) -> Value {
    let mut whole = Map::new();
    whole.insert("description".to_owned(), help.into());
    if let Value::Object(form) = form {
        whole.extend(form);
    }
    Value::Object(whole)
}
