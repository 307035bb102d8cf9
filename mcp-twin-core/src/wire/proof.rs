//! The proof of an edit: both texts are read again, by other readers where there are some, and all but the entry must be
//! equal, and the entry equal but for what the edit set.

use super::error::{WireError, shown};
use super::tree::{self, Kind, Node};
use crate::detect::{Step, Syntax};
use serde_json::Value as Json;
use serde_yaml_ng::Value as Yaml;

/// What a document says, without how and where. Maps are sorted: their order is the text's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plain {
    Other(String),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// What an edit sets in the map at a path; everything else must stay.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub path: Vec<Step>,
    pub sets: Vec<(String, Set)>,
}

/// What becomes of one member.
#[derive(Clone, Debug)]
pub(super) enum Set {
    /// It is this string.
    Text(String),
    /// It is a list of these words and what it held before: `rest`, where the text says that elsewhere.
    Prefix { words: Vec<String>, rest: Option<Vec<String>> },
    /// It is a list without the first elements.
    Drop(usize),
    /// It is this value.
    Value(Plain),
    /// It is gone.
    Remove,
}

impl Plain {
    fn list(words: &[String]) -> Vec<Self> {
        words.iter().cloned().map(Self::Text).collect()
    }

    fn sorted(mut members: Vec<(String, Self)>) -> Self {
        members.sort();
        Self::Map(members)
    }

    pub(super) fn of_node(node: &Node) -> Self {
        match &node.kind {
            Kind::Text(text) | Kind::Block(text) => Self::Text(text.clone()),
            Kind::Other(text) => Self::Other(text.clone()),
            Kind::Alias(id) => Self::Other(format!("*{id}")),
            Kind::List { items, .. } => Self::List(items.iter().map(Self::of_node).collect()),
            Kind::Map { members, .. } => {
                let member = |member: &tree::Member| (member.key.clone(), Self::of_node(&member.value));
                Self::sorted(members.iter().map(member).collect())
            }
        }
    }

    pub(super) fn of_json(value: &Json) -> Self {
        match value {
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            Json::Object(members) => {
                Self::sorted(members.iter().map(|(key, value)| (key.clone(), Self::of_json(value))).collect())
            }
            other => Self::Other(other.to_string()),
        }
    }

    fn of_yaml(value: &Yaml) -> Self {
        match value {
            Yaml::Null => Self::Other("null".to_owned()),
            Yaml::Bool(value) => Self::Other(value.to_string()),
            Yaml::Number(value) => Self::Other(value.to_string()),
            Yaml::String(text) => Self::Text(text.clone()),
            Yaml::Sequence(items) => Self::List(items.iter().map(Self::of_yaml).collect()),
            Yaml::Mapping(members) => Self::sorted(
                members
                    .iter()
                    .map(|(key, value)| {
                        (key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned), Self::of_yaml(value))
                    })
                    .collect(),
            ),
            // The tag is part of what it says.
            Yaml::Tagged(tagged) => Self::Map(vec![(tagged.tag.to_string(), Self::of_yaml(&tagged.value))]),
        }
    }

    fn at_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |plain, step| match (step, plain) {
            (Step::Key(key), Self::Map(members)) => {
                members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            (Step::Index(index), Self::List(items)) => items.get_mut(*index),
            _ => None,
        })
    }

    /// As the goal wants it.
    fn set(&mut self, goal: &Goal) -> Option<()> {
        let Self::Map(members) = self.at_mut(&goal.path)? else { return None };
        for (key, set) in &goal.sets {
            let index = members.iter().position(|(name, _)| name == key);
            let old = index.map(|index| members.remove(index).1);
            let value = match (set, old) {
                (Set::Text(text), _) => Self::Text(text.clone()),
                (Set::Value(value), _) => value.clone(),
                (Set::Prefix { words, .. }, Some(Self::List(items))) => {
                    Self::List(Self::list(words).into_iter().chain(items).collect())
                }
                (Set::Prefix { words, rest }, _) => {
                    Self::List(Self::list(&[words.as_slice(), rest.as_deref().unwrap_or_default()].concat()))
                }
                (Set::Drop(count), Some(Self::List(items))) => Self::List(items.into_iter().skip(*count).collect()),
                (Set::Drop(_), _) => return None,
                (Set::Remove, _) => continue,
            };
            members.push((key.clone(), value));
        }
        members.sort();
        Some(())
    }
}

/// Proves an edit.
pub(super) fn prove(before: &str, after: &str, syntax: Syntax, goals: &[Goal], path: &[Step]) -> Result<(), WireError> {
    let fail = |what: &str| WireError::Unproven { path: shown(path), what: what.to_owned() };
    for reader in readers(syntax) {
        let mut wanted = reader(before, syntax)?;
        let Ok(made) = reader(after, syntax) else {
            return Err(fail("it could not be read any more"));
        };
        for goal in goals {
            wanted.set(goal).ok_or_else(|| fail("the entry could not be found again"))?;
        }
        if wanted != made {
            return Err(fail("the two differ elsewhere"));
        }
    }
    Ok(())
}

type Reader = fn(&str, Syntax) -> Result<Plain, WireError>;

fn readers(syntax: Syntax) -> &'static [Reader] {
    match syntax {
        Syntax::Json => &[by_tree, by_serde_json],
        Syntax::Jsonc | Syntax::Toml => &[by_tree],
        Syntax::Yaml => &[by_tree, by_serde_yaml],
    }
}

fn by_tree(text: &str, syntax: Syntax) -> Result<Plain, WireError> {
    tree::read(text, syntax).map(|root| Plain::of_node(&root))
}

fn by_serde_json(text: &str, syntax: Syntax) -> Result<Plain, WireError> {
    serde_json::from_str(text).map(|value| Plain::of_json(&value)).map_err(|error| {
        let start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        WireError::invalid(syntax, "a strict reader refuses it", text, start + error.column().saturating_sub(1))
    })
}

fn by_serde_yaml(text: &str, syntax: Syntax) -> Result<Plain, WireError> {
    let read = || {
        let mut value: Yaml = serde_yaml_ng::from_str(text)?;
        value.apply_merge()?;
        Ok(Plain::of_yaml(&value))
    };
    read().map_err(|error: serde_yaml_ng::Error| {
        let at = error.location().map_or(text.len(), |location| location.index());
        WireError::invalid(syntax, "another reader of YAML refuses it", text, at)
    })
}
