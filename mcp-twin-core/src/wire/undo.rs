//! The way back: to the same bytes while the file is as the edit left it, and otherwise to what the entry said, with
//! everything else left as it is by now.

use super::edit::{ARGS, Sheet, is_ours};
use super::erase;
use super::error::{WireError, shown};
use super::pen::{self, Patch, Quote, Splice};
use super::proof::{self, Goal, Plain, Set};
use super::tree::{self, Kind, Node};
use super::{Unwired, document, sha256};
use crate::detect::{Step, Syntax};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What it takes to undo one edit. Kept by whoever made it, as JSON.
///
/// It holds the bytes that the edit took out (the command, or the address) and what it put in; of the other members of
/// the entry, `env` and headers among them, it holds nothing, and of the arguments only what the edit itself had to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    pub(super) before: String,
    pub(super) after: String,
    pub(super) syntax: Format,
    pub(super) path: Vec<At>,
    /// The `name` of an entry that stands in a list: its index may be another one by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    pub(super) patches: Vec<Patch>,
    pub(super) what: What,
}

/// [`Syntax`], as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Json,
    Jsonc,
    Toml,
    Yaml,
}

/// [`Step`], as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum At {
    Key(String),
    Index(usize),
}

/// What an edit did.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Words { key: String, nested: bool, program: String, command: Command, args: Args },
    Array { program: String },
    Address { key: String, url: String, raw: String, was: String },
    Inserted { entry: serde_json::Value, created: usize },
}

impl fmt::Debug for What {
    // Addresses and words may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words { .. } => "words",
            Self::Array { .. } => "array",
            Self::Address { .. } => "address",
            Self::Inserted { .. } => "inserted",
        })
    }
}

/// How the command was said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Command {
    /// These bytes, for this string, which stands for these words.
    Written { raw: String, text: String, words: Vec<String> },
    /// By a merged map.
    Merged { text: String, words: Vec<String> },
}

/// How the arguments were said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Args {
    /// Not at all, or by a merged map.
    Absent,
    /// As a list, which is still there behind our words.
    List,
    /// As a list without elements.
    Empty { raw: String },
    /// As `null`, or an alias.
    Value { raw: String },
}

impl Undo {
    /// The SHA-256 of the text before the edit, in hexadecimal digits.
    #[must_use]
    pub fn before(&self) -> &str {
        &self.before
    }

    /// The SHA-256 of the text after the edit.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Where the entry stands (or stood, in a list).
    #[must_use]
    pub fn path(&self) -> Vec<Step> {
        self.path.iter().cloned().map(Step::from).collect()
    }

    /// How the file is written.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.syntax.into()
    }

    /// Whether the edit added the entry, rather than changing one.
    #[must_use]
    pub fn added(&self) -> bool {
        matches!(self.what, What::Inserted { .. })
    }

    pub(super) fn take_back(&self, bytes: &[u8]) -> Result<Unwired, WireError> {
        let sha = sha256(bytes);
        if sha == self.before {
            return Ok(Unwired { text: bytes.to_vec(), exact: true });
        }
        let (bom, text) = document(bytes, self.syntax())?;
        if sha == self.after {
            let whole = pen::reverse(text, &self.patches).map(|text| [bom, text.as_bytes()].concat());
            if let Some(whole) = whole.filter(|whole| sha256(whole) == self.before) {
                return Ok(Unwired { text: whole, exact: true });
            }
        }
        let root = tree::read(text, self.syntax())?;
        let path = self.locate(&root)?;
        root.refuse_duplicates(&path, text)?;
        let sheet = Sheet { text, syntax: self.syntax(), root: &root, path: &path };
        let (splices, goal) = match &self.what {
            What::Words { key, nested, program, command, args } => {
                sheet.words_back(key, *nested, program, command, args)
            }
            What::Array { program } => sheet.array_back(program),
            What::Address { key, url, raw, was } => sheet.address_back(key, url, raw, was),
            What::Inserted { entry, created } => sheet.entry_back(entry, *created),
        }?;
        let unproven = |what: &str| WireError::Unproven { path: shown(&path), what: what.to_owned() };
        let (done, _) = pen::apply(text, splices).ok_or_else(|| unproven("its parts overlap"))?;
        proof::prove(text, &done, self.syntax(), &[goal], &path)?;
        Ok(Unwired { text: [bom, done.as_bytes()].concat(), exact: false })
    }

    /// The path of the entry by now.
    fn locate(&self, root: &Node) -> Result<Vec<Step>, WireError> {
        let mut path = self.path();
        let index = path.iter().rposition(|step| matches!(step, Step::Index(_)));
        if let (Some(at), Some(label)) = (index, &self.label) {
            let (list, _) = root.at(&path[..at])?;
            let Kind::List { items, .. } = &list.kind else {
                return Err(WireError::Absent { path: shown(&path) });
            };
            let is_it = |item: &Node| name_of(item) == Some(label);
            let known = if let Step::Index(index) = path[at] { items.get(index).is_some_and(is_it) } else { false };
            if !known {
                let found = items.iter().position(is_it).ok_or_else(|| WireError::Absent { path: shown(&path) })?;
                path[at] = Step::Index(found);
            }
        }
        root.at(&path)?;
        Ok(path)
    }
}

/// The `name` of an element of a list.
pub(super) fn name_of(item: &Node) -> Option<&str> {
    item.member("name").and_then(|(_, member)| member.value.text())
}

type Back = Result<(Vec<Splice>, Goal), WireError>;

impl Sheet<'_> {
    fn words_back(&self, key: &str, nested: bool, program: &str, command: &Command, args: &Args) -> Back {
        let not_ours = |what: &str| WireError::not_ours(self.path, what);
        let (mut holder, _) = self.root.at(self.path)?;
        let mut path = self.path.to_vec();
        if nested {
            let (_, member) = holder.member("command").ok_or_else(|| not_ours("it has no `command`"))?;
            holder = &member.value;
            path.push(Step::Key("command".to_owned()));
        }
        let (_, said) = holder.member(key).ok_or_else(|| not_ours(&format!("it has no `{key}`")))?;
        let runs = said.value.text().ok_or_else(|| not_ours(&format!("its `{key}` is no string")))?;
        if runs != program && !is_ours(&[runs.to_owned()]) {
            return Err(not_ours("it does not run mcp-twin any more"));
        }
        let (at, list) = holder.member(ARGS).ok_or_else(|| not_ours("it has no `args`"))?;
        let Kind::List { items, flow } = &list.value.kind else { return Err(not_ours("its `args` are no list")) };
        let first = behind(items, 0).ok_or_else(|| not_ours("its `args` are not those of `mcp-twin run … -- …`"))?;
        let (raw, text, words) = match command {
            Command::Written { raw, text, words } => (Some(raw), text, words),
            Command::Merged { text, words } => (None, text, words),
        };
        let rest = &items[first..];
        let same = rest.len() >= words.len() && rest.iter().zip(words).all(|(item, word)| item.word() == Some(word));
        let (text, cut) = match (same, rest.first()) {
            (true, _) => (text.as_str(), first + words.len()),
            // Somebody changed the server's command: that is what runs without us.
            (false, Some(other)) => {
                (other.word().ok_or_else(|| not_ours("the command behind `--` is no word"))?, first + 1)
            }
            (false, None) => return Err(not_ours("there is no command behind its `--`")),
        };
        let quote = Quote::like(self.text, &said.value, self.syntax);
        let written = match raw.filter(|raw| same && !raw.starts_with(['*', '&', '!'])) {
            Some(raw) => raw.clone(),
            None => quote.write(text, self.syntax),
        };
        let mut splices = vec![Splice::replace(said.value.span.clone(), written)];
        let all = cut == items.len();
        let set = match args {
            Args::Absent if all => {
                splices.extend(erase::member(self, holder, at).ok_or_else(|| not_ours("its layout is not known"))?);
                Set::Remove
            }
            Args::Value { raw } if all && *flow && !raw.starts_with('*') => {
                splices.push(Splice::replace(list.value.span.clone(), raw.clone()));
                Set::Value(Plain::Other("null".to_owned()))
            }
            Args::Empty { raw } if all && *flow => {
                splices.push(Splice::replace(list.value.span.clone(), raw.clone()));
                Set::Drop(cut)
            }
            _ => {
                let gone = erase::items(self, &list.value, items, *flow, cut);
                splices.extend(gone.ok_or_else(|| not_ours("its layout is not known"))?);
                Set::Drop(cut)
            }
        };
        let sets = vec![(key.to_owned(), Set::Text(text.to_owned())), (ARGS.to_owned(), set)];
        Ok((splices, Goal { path, sets }))
    }

    fn array_back(&self, program: &str) -> Back {
        let not_ours = |what: &str| WireError::not_ours(self.path, what);
        let (entry, _) = self.root.at(self.path)?;
        let (_, member) = entry.member("command").ok_or_else(|| not_ours("it has no `command`"))?;
        let Kind::List { items, flow } = &member.value.kind else { return Err(not_ours("its `command` is no list")) };
        let runs = items.first().and_then(Node::text).unwrap_or_default();
        if runs != program && !is_ours(&[runs.to_owned()]) {
            return Err(not_ours("it does not run mcp-twin any more"));
        }
        let cut = behind(items, 1).filter(|cut| *cut < items.len());
        let cut = cut.ok_or_else(|| not_ours("its `command` is not one of `mcp-twin run … -- …`"))?;
        let splices = erase::items(self, &member.value, items, *flow, cut);
        let splices = splices.ok_or_else(|| not_ours("its layout is not known"))?;
        let sets = vec![("command".to_owned(), Set::Drop(cut))];
        Ok((splices, Goal { path: self.path.to_vec(), sets }))
    }

    fn address_back(&self, key: &str, url: &str, raw: &str, was: &str) -> Back {
        let not_ours = |what: &str| WireError::not_ours(self.path, what);
        let (entry, _) = self.root.at(self.path)?;
        let (_, member) = entry.member(key).ok_or_else(|| not_ours(&format!("it has no `{key}`")))?;
        if member.value.text() != Some(url) {
            return Err(not_ours(&format!("its `{key}` is another one by now")));
        }
        let splices = vec![Splice::replace(member.value.span.clone(), raw)];
        let sets = vec![(key.to_owned(), Set::Text(was.to_owned()))];
        Ok((splices, Goal { path: self.path.to_vec(), sets }))
    }

    fn entry_back(&self, entry: &serde_json::Value, created: usize) -> Back {
        let not_ours = |what: &str| WireError::not_ours(self.path, what);
        let (node, _) = self.root.at(self.path)?;
        let command =
            |node: &Node| node.member("command").and_then(|(_, member)| member.value.text().map(str::to_owned));
        let runs = command(node);
        let wrote = entry.get("command").and_then(serde_json::Value::as_str);
        let ours = runs.as_deref().is_some_and(|runs| Some(runs) == wrote || is_ours(&[runs.to_owned()]));
        if !ours && Plain::of_node(node) != Plain::of_json(entry) {
            return Err(not_ours("it is another one by now"));
        }
        // Parents that we made go with it, unless they hold something else by now.
        let mut depth = self.path.len();
        for _ in 0..created {
            let Some(above) = depth.checked_sub(1).filter(|above| *above > 0) else { break };
            let (parent, _) = self.root.at(&self.path[..above])?;
            if parent.members().is_none_or(|members| members.len() != 1) {
                break;
            }
            depth = above;
        }
        let (Some(Step::Key(key)), above) = (self.path.get(depth - 1), &self.path[..depth - 1]) else {
            return Err(not_ours("it stands in a list"));
        };
        let (parent, _) = self.root.at(above)?;
        let (index, _) = parent.member(key).ok_or_else(|| not_ours("it is gone"))?;
        let splices = erase::member(self, parent, index).ok_or_else(|| not_ours("its layout is not known"))?;
        Ok((splices, Goal { path: above.to_vec(), sets: vec![(key.clone(), Set::Remove)] }))
    }
}

/// Where the server's own words begin in `run … -- …`, with `run` at `from`.
fn behind(items: &[Node], from: usize) -> Option<usize> {
    let run = items.get(from).and_then(Node::word) == Some("run");
    let dashes = items.iter().skip(from).position(|item| item.word() == Some("--"))?;
    run.then_some(from + dashes + 1)
}

impl From<At> for Step {
    fn from(at: At) -> Self {
        match at {
            At::Key(key) => Self::Key(key),
            At::Index(index) => Self::Index(index),
        }
    }
}

impl From<&Step> for At {
    fn from(step: &Step) -> Self {
        match step {
            Step::Key(key) => Self::Key(key.clone()),
            Step::Index(index) => Self::Index(*index),
        }
    }
}

impl From<Format> for Syntax {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Jsonc => Self::Jsonc,
            Format::Toml => Self::Toml,
            Format::Yaml => Self::Yaml,
        }
    }
}

impl From<Syntax> for Format {
    fn from(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Json => Self::Json,
            Syntax::Jsonc => Self::Jsonc,
            Syntax::Toml => Self::Toml,
            Syntax::Yaml => Self::Yaml,
        }
    }
}
