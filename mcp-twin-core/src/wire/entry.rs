//! Entries of our own: added with the parents they need, and taken away with them.

use super::edit::{Plan, Sheet};
use super::error::{WireError, shown};
use super::pen::{self, Quote, Splice};
use super::proof::{Goal, Plain, Set};
use super::tree::{self, Kind, Node};
use super::undo::What;
use super::{Wired, document, finish};
use crate::detect::{Step, Syntax};
use serde_json::{Map, Value};

/// Adds an entry at a path where there is none, and whatever objects are missing above it.
///
/// In TOML it becomes a table with a header at the end of the file, in YAML lines of their own.
///
/// # Errors
/// There is one already; something on the way is no object; or the text cannot be edited, as with [`super::wire`].
pub fn insert(text: &[u8], syntax: Syntax, path: &[Step], entry: &Value) -> Result<Wired, WireError> {
    let (_, body) = document(text, syntax)?;
    let root = tree::read(body, syntax)?;
    root.refuse_duplicates(path, body)?;
    let shape = |what: &str| WireError::shape(path, what);
    let mut keys = Vec::with_capacity(path.len());
    for step in path {
        let Step::Key(key) = step else { return Err(shape("an entry cannot be added to a list")) };
        keys.push(key.clone());
    }
    let mut node = &root;
    let mut depth = 0;
    let mut braces = false;
    while let Some((_, member)) = keys.get(depth).and_then(|key| node.member(key)) {
        node = &member.value;
        braces |= matches!(node.kind, Kind::Map { flow: true, .. });
        depth += 1;
    }
    let Some((key, below)) = keys.get(depth..).and_then(<[String]>::split_first) else {
        return Err(WireError::Exists { path: shown(path) });
    };
    if node.members().is_none() {
        return Err(shape(&format!("`{}` is no object", shown(&path[..depth]))));
    }
    if braces && syntax == Syntax::Toml {
        return Err(shape("the table above it is written between braces; write it with a header, then try again"));
    }
    let value =
        below.iter().rev().fold(entry.clone(), |value, key| Value::Object(Map::from_iter([(key.clone(), value)])));
    let sheet = Sheet { text: body, syntax, root: &root, path };
    let splices = match syntax {
        Syntax::Json | Syntax::Jsonc => sheet.add_flow(node, key, &value),
        Syntax::Toml => sheet.add_table(&keys, entry)?,
        Syntax::Yaml => sheet.add_lines(node, key, &value)?,
    };
    let what = What::Inserted { entry: entry.clone(), created: below.len() };
    // Maps are compared sorted.
    let goal = Goal { path: path[..depth].to_vec(), sets: vec![(key.clone(), Set::Value(Plain::of_json(&value)))] };
    finish(text, &sheet, Plan { splices, what, goal }, None)
}

/// An entry that hides another one, and what it could not take over.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The entry: `{"type": "stdio", "command": …, "args": […]}`.
    pub entry: Value,
    /// The variables that the hidden entry sets to a value that is written there. A value is never copied into another
    /// file, so a server that needs one must be wired where it stands, or get the variable from the client's environment.
    pub missing: Vec<String>,
}

/// An entry in the form of Claude Code that runs through mcp-twin what `source` runs, to stand in a closer scope and hide
/// it there.
///
/// The hidden entry counts for nothing any more, so all that Claude Code reads has to be in this one: its time-outs and
/// other settings are copied. Of `env` only what refers to variables and says nothing itself is (`${TOKEN}`, also several
/// in one value); the names of all others are in [`Shadow::missing`]. `None`: `source` has no command to run.
#[must_use]
pub fn shadow(source: &Value, program: &str, name: &str) -> Option<Shadow> {
    let source = source.as_object()?;
    let command = source.get("command")?.as_str().filter(|command| !command.trim().is_empty())?;
    let none = Vec::new();
    let args = match source.get("args") {
        None | Some(Value::Null) => &none,
        Some(args) => args.as_array()?,
    };
    let mut words: Vec<Value> = ["run", "--name", name, "--", command].into_iter().map(Value::from).collect();
    words.extend(args.iter().cloned());
    let mut entry = Map::new();
    entry.insert("type".to_owned(), "stdio".into());
    entry.insert("command".to_owned(), program.into());
    entry.insert("args".to_owned(), words.into());
    let mut missing = Vec::new();
    if let Some(env) = source.get("env").and_then(Value::as_object) {
        let mut kept = Map::new();
        for (variable, value) in env {
            if value.as_str().is_some_and(is_reference) {
                kept.insert(variable.clone(), value.clone());
            } else {
                missing.push(variable.clone());
            }
        }
        if !kept.is_empty() {
            entry.insert("env".to_owned(), kept.into());
        }
    }
    for key in ["timeout", "alwaysLoad"] {
        if let Some(value) = source.get(key) {
            entry.insert(key.to_owned(), value.clone());
        }
    }
    Some(Shadow { entry: entry.into(), missing })
}

/// Whether a value consists of `${NAME}` alone. A default is a value, and may be a secret.
fn is_reference(value: &str) -> bool {
    let mut rest = value;
    while let Some(inside) = rest.strip_prefix("${") {
        let Some((name, after)) = inside.split_once('}') else { return false };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return false;
        }
        rest = after;
    }
    rest.is_empty() && !value.is_empty()
}

impl Sheet<'_> {
    fn add_flow(&self, map: &Node, key: &str, value: &Value) -> Vec<Splice> {
        let text = self.text;
        let members = map.members().unwrap_or_default();
        let nl = pen::newline(text, map.span.start);
        if let Some(last) = members.len().checked_sub(1) {
            let at = members[last].value.span.start;
            return self.after_member(map, last, key, &|line| match line {
                Some(line) => write(value, Some((line, self.unit(line, at), nl)), false),
                None => write(value, None, self.comma(map) == ","),
            });
        }
        let inside = map.span.start + 1..map.span.end.saturating_sub(1).max(map.span.start + 1);
        let blank = text.get(inside.clone()).is_some_and(|inside| inside.trim().is_empty());
        // A text of one line stays one.
        if !text.trim_end().contains('\n') && text.len() > map.span.len() + 2 && blank {
            let tight = !text.contains("\": ");
            let colon = if tight { ":" } else { ": " };
            return vec![Splice::replace(inside, format!("{}{colon}{}", pen::double(key), write(value, None, tight)))];
        }
        let line = pen::indent(text, map.span.start);
        let unit = text.lines().map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]);
        let unit = unit.filter(|unit| !unit.is_empty()).min_by_key(|unit| unit.len()).unwrap_or("  ");
        let inner = format!("{line}{unit}");
        let value = write(value, Some((&inner, unit, nl)), false);
        let member = format!("{nl}{inner}{}: {value}", pen::double(key));
        if blank {
            vec![Splice::replace(inside, format!("{member}{nl}{line}"))]
        } else {
            vec![Splice::insert(inside.start, member)]
        }
    }

    fn add_table(&self, keys: &[String], entry: &Value) -> Result<Vec<Splice>, WireError> {
        let text = self.text;
        let Some(members) = entry.as_object() else { return Err(WireError::shape(self.path, "an entry is an object")) };
        let nl = pen::newline(text, text.len());
        let bare = |key: &String| {
            let plain =
                !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if plain { key.clone() } else { pen::double(key) }
        };
        let mut out = String::new();
        if !text.is_empty() {
            out.push_str(if text.ends_with('\n') { nl } else { "" });
            if !text.ends_with('\n') {
                out.push_str(nl);
                out.push_str(nl);
            }
        }
        out.push_str(&format!("[{}]{nl}", keys.iter().map(bare).collect::<Vec<_>>().join(".")));
        for (key, value) in members {
            let value = toml(value, &bare).ok_or_else(|| WireError::shape(self.path, "TOML knows no null"))?;
            out.push_str(&format!("{} = {value}{nl}", bare(key)));
        }
        Ok(vec![Splice::insert(text.len(), out)])
    }

    fn add_lines(&self, map: &Node, key: &str, value: &Value) -> Result<Vec<Splice>, WireError> {
        let Kind::Map { members, flow } = &map.kind else { return Ok(Vec::new()) };
        if *flow {
            return Ok(self.add_flow(map, key, value));
        }
        let Some(last) = members.len().checked_sub(1) else {
            return Err(WireError::shape(self.path, "the object above it is empty; write `{}` there, then try again"));
        };
        let nl = pen::newline(self.text, map.span.end);
        let quoted = Quote::Plain.write(key, Syntax::Yaml);
        let mut splices = self.after_member(map, last, key, &|line| yaml(value, line.unwrap_or_default(), nl));
        // The key is written as a word there; this one may need quotes.
        for splice in &mut splices {
            splice.text = splice.text.replacen(&format!("{key}:"), &format!("{quoted}:"), 1);
        }
        Ok(splices)
    }
}

/// JSON, with what the line begins with, one more step and the line end; or in one line.
fn write(value: &Value, lines: Option<(&str, &str, &str)>, tight: bool) -> String {
    let (comma, colon) = if tight { (",", ":") } else { (", ", ": ") };
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Value::String(text) => return pen::double(text),
        Value::Array(items) if !items.is_empty() => {
            ('[', ']', items.iter().map(|item| write(item, deeper(lines).as_ref().map(Lines::get), tight)).collect())
        }
        Value::Object(members) if !members.is_empty() => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}{colon}{}", pen::double(key), write(value, deeper(lines).as_ref().map(Lines::get), tight))
            };
            ('{', '}', members.iter().map(member).collect())
        }
        other => return other.to_string(),
    };
    match lines {
        None => format!("{open}{}{close}", parts.join(comma)),
        Some((line, unit, nl)) => {
            let parts: Vec<_> = parts.into_iter().map(|part| format!("{nl}{line}{unit}{part}")).collect();
            format!("{open}{}{nl}{line}{close}", parts.join(","))
        }
    }
}

struct Lines<'a>(String, &'a str, &'a str);

impl Lines<'_> {
    fn get(&self) -> (&str, &str, &str) {
        (&self.0, self.1, self.2)
    }
}

fn deeper<'a>(lines: Option<(&str, &'a str, &'a str)>) -> Option<Lines<'a>> {
    lines.map(|(line, unit, nl)| Lines(format!("{line}{unit}"), unit, nl))
}

fn toml(value: &Value, bare: &dyn Fn(&String) -> String) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) => pen::double(text),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| toml(item, bare)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Object(members) => {
            let members: Option<Vec<_>> =
                members.iter().map(|(key, value)| Some(format!("{} = {}", bare(key), toml(value, bare)?))).collect();
            format!("{{ {} }}", members?.join(", "))
        }
        other => other.to_string(),
    })
}

/// The value of a member whose line begins with `line`: on its line, or on those below.
fn yaml(value: &Value, line: &str, nl: &str) -> String {
    match value {
        Value::String(text) => Quote::Plain.write(text, Syntax::Yaml),
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("{nl}{line}  - {}", write_yaml_item(item))).collect()
        }
        Value::Object(members) if !members.is_empty() => {
            let deeper = format!("{line}  ");
            let member = |(key, value): (&String, &Value)| {
                let value = yaml(value, &deeper, nl);
                let blank = if value.starts_with(nl) { "" } else { " " };
                format!("{nl}{deeper}{}:{blank}{value}", Quote::Plain.write(key, Syntax::Yaml))
            };
            members.iter().map(member).collect()
        }
        other => other.to_string(),
    }
}

/// An element of a list: what is no word stands in braces, which YAML reads as JSON does.
fn write_yaml_item(item: &Value) -> String {
    match item {
        Value::String(text) => Quote::Plain.write(text, Syntax::Yaml),
        other => write(other, None, false),
    }
}
