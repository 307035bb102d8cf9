//! The edit forward. It puts words in front of those that stand there and leaves these as they are: their quotes, comments
//! and line breaks stay, and none of them has to be remembered for the way back.

use super::Change;
use super::error::WireError;
use super::pen::{Quote, Splice};
use super::proof::{Goal, Set};
use super::tree::{Found, Kind, Node};
use super::undo::{Args, Command, What};
use crate::detect::{Shape, Step, Syntax};

/// The key of the arguments, the same with every client.
pub(super) const ARGS: &str = "args";

/// A text, read.
#[derive(Clone, Copy)]
pub(super) struct Sheet<'a> {
    pub text: &'a str,
    pub syntax: Syntax,
    pub root: &'a Node,
    pub path: &'a [Step],
}

/// What is to be done, how it is taken back, and what has to come of it.
pub(super) struct Plan {
    pub splices: Vec<Splice>,
    pub what: What,
    pub goal: Goal,
}

impl<'a> Sheet<'a> {
    /// Plans the change of the entry at the path.
    pub(super) fn plan(&self, shape: &Shape, change: &Change) -> Result<Plan, WireError> {
        let (entry, above) = self.root.at(self.path)?;
        let shape_error = |what: &str| WireError::shape(self.path, what);
        if entry.members().is_none() {
            return Err(match entry.kind {
                Kind::Alias(_) => shape_error("it is an alias for another entry; write it out, then try again"),
                _ => shape_error("it is no object with members"),
            });
        }
        match (shape, change) {
            (Shape::Words { command }, Change::Run { program, name, words }) => {
                self.words(entry, above, (command, self.path.to_vec()), (program, name, words.as_deref()))
            }
            (Shape::Program, Change::Run { program, name, words }) => {
                let Some((_, member)) = entry.member("command").filter(|(_, member)| member.value.members().is_some())
                else {
                    return Err(shape_error("`command` is no object with `path` and `args`"));
                };
                let mut path = self.path.to_vec();
                path.push(Step::Key("command".to_owned()));
                self.words(&member.value, None, ("path", path), (program, name, words.as_deref()))
            }
            (Shape::Array, Change::Run { program, name, words: None }) => self.array(entry, program, name),
            (Shape::Array, Change::Run { .. }) => Err(shape_error("its command is a list of words already")),
            (Shape::Url { url }, Change::Address { url: new }) => self.address(entry, url, new),
            (Shape::Url { .. }, Change::Run { .. }) => Err(shape_error("it has an address and no command")),
            (_, Change::Address { .. }) => Err(shape_error("it has a command and no address")),
        }
    }

    fn words(
        &self,
        holder: &'a Node,
        above: Option<&Node>,
        (key, path): (&str, Vec<Step>),
        (program, name, words): (&str, &str, Option<&[String]>),
    ) -> Result<Plan, WireError> {
        let shape_error = |what: &str| WireError::shape(self.path, what);
        let command_at = holder.find(key, self.root);
        let command = match command_at {
            Found::Own(_, member) => &member.value,
            Found::Merged(node) => node,
            Found::None => return Err(shape_error(&format!("it has no `{key}`"))),
        };
        let own_alias = matches!(command.kind, Kind::Alias(_));
        let command = command.resolved(self.root).ok_or_else(|| shape_error("an alias in it leads nowhere"))?;
        let line = match &command.kind {
            Kind::Text(line) => line,
            Kind::Block(_) if !own_alias && matches!(command_at, Found::Own(..)) => {
                return Err(shape_error(
                    "its command is written as a block of lines; write it in one line, then try again",
                ));
            }
            Kind::Block(line) => line,
            _ => return Err(shape_error(&format!("its `{key}` is no string"))),
        };
        let original = words.map_or_else(|| vec![line.clone()], <[String]>::to_vec);
        if original.iter().all(|word| word.trim().is_empty()) {
            return Err(shape_error(&format!("its `{key}` is empty")));
        }
        let args_at = holder.find(ARGS, self.root);
        let elsewhere = |node: &Node| -> Result<Vec<String>, WireError> {
            let node = node.resolved(self.root).ok_or_else(|| shape_error("an alias in it leads nowhere"))?;
            match &node.kind {
                Kind::List { items, .. } => items
                    .iter()
                    .map(|item| item.text().map(str::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(|| shape_error("its `args` stand elsewhere and hold something else than strings")),
                _ if node.is_null() => Ok(Vec::new()),
                _ => Err(shape_error("its `args` are no list")),
            }
        };
        let prefix = prefix(name, &original);
        // What the arguments are now, as words; and where they are written anew, those.
        let (now, rest) = match args_at {
            Found::Own(_, member) => match &member.value.kind {
                Kind::List { items, .. } => (items.iter().filter_map(Node::word).map(str::to_owned).collect(), None),
                Kind::Alias(_) => elsewhere(&member.value).map(|rest| (rest.clone(), Some(rest)))?,
                _ if member.value.is_null() => (Vec::new(), None),
                _ => return Err(shape_error("its `args` are no list")),
            },
            Found::Merged(node) => elsewhere(node).map(|rest| (rest.clone(), Some(rest)))?,
            Found::None => (Vec::new(), None),
        };
        if is_ours(&[original.clone(), now].concat()) {
            return Err(self.already());
        }

        let (mut splices, command_was) = match command_at {
            Found::Own(_, member) => {
                let quote = Quote::like(self.text, command, self.syntax);
                let span = member.value.span.clone();
                let raw = self.text.get(span.clone()).unwrap_or_default().to_owned();
                let splice = Splice::replace(span, quote.write(program, self.syntax));
                (vec![splice], Command::Written { raw, text: line.clone(), words: original.clone() })
            }
            _ => {
                // Its own command hides the merged one.
                let own =
                    [format!("{key}: {}", Quote::like(self.text, command, self.syntax).write(program, self.syntax))];
                let splices = match args_at {
                    Found::Own(..) => self.before_members(holder, &own),
                    _ => Some(Vec::new()),
                };
                let splices = splices.ok_or_else(|| shape_error("it holds nothing of its own"))?;
                (splices, Command::Merged { text: line.clone(), words: original.clone() })
            }
        };
        let written = [prefix.as_slice(), rest.as_deref().unwrap_or_default()].concat();
        let (more, args_were) = match (args_at, command_at) {
            (Found::Own(_, member), _) => match &member.value.kind {
                Kind::List { items, flow } => {
                    let more = self.before_items(holder, &member.value, items, *flow, &prefix);
                    let raw = || self.text.get(member.value.span.clone()).unwrap_or_default().to_owned();
                    let were = if items.is_empty() { Args::Empty { raw: raw() } } else { Args::List };
                    (more.ok_or_else(|| shape_error("its `args` are laid out in a way that is not known"))?, were)
                }
                _ => {
                    let raw = self.text.get(member.value.span.clone()).unwrap_or_default().to_owned();
                    (vec![self.instead(member, &written, command)], Args::Value { raw })
                }
            },
            (_, Found::Own(index, _)) => {
                let layout = self.layout(above, holder);
                (
                    self.after_member(holder, index, ARGS, &|line| self.list(&written, line, layout, command)),
                    Args::Absent,
                )
            }
            (_, _) => {
                let quote = Quote::like(self.text, command, self.syntax);
                let members = [
                    format!("{key}: {}", quote.write(program, self.syntax)),
                    format!("{ARGS}: {}", self.flat(&written, quote)),
                ];
                (
                    self.before_members(holder, &members).ok_or_else(|| shape_error("it holds nothing of its own"))?,
                    Args::Absent,
                )
            }
        };
        splices.extend(more);
        let sets = vec![
            (key.to_owned(), Set::Text(program.to_owned())),
            (ARGS.to_owned(), Set::Prefix { words: prefix, rest }),
        ];
        let what = What::Words {
            key: key.to_owned(),
            nested: path.len() > self.path.len(),
            program: program.to_owned(),
            command: command_was,
            args: args_were,
        };
        Ok(Plan { splices, what, goal: Goal { path, sets } })
    }

    fn array(&self, entry: &Node, program: &str, name: &str) -> Result<Plan, WireError> {
        let shape_error = |what: &str| WireError::shape(self.path, what);
        let Some((_, member)) = entry.member("command") else { return Err(shape_error("it has no `command`")) };
        let Kind::List { items, flow } = &member.value.kind else {
            return Err(shape_error("its `command` is no list"));
        };
        if items.first().and_then(Node::text).is_none_or(|first| first.trim().is_empty()) {
            return Err(shape_error("its `command` is empty"));
        }
        let now: Vec<String> = items.iter().filter_map(Node::word).map(str::to_owned).collect();
        if is_ours(&now) {
            return Err(self.already());
        }
        let mut words = vec![program.to_owned()];
        words.extend(prefix(name, &[]));
        let splices = self.before_items(entry, &member.value, items, *flow, &words);
        let splices = splices.ok_or_else(|| shape_error("its `command` is laid out in a way that is not known"))?;
        let sets = vec![("command".to_owned(), Set::Prefix { words, rest: None })];
        let what = What::Array { program: program.to_owned() };
        Ok(Plan { splices, what, goal: Goal { path: self.path.to_vec(), sets } })
    }

    fn address(&self, entry: &Node, key: &str, new: &str) -> Result<Plan, WireError> {
        let shape_error = |what: &str| WireError::shape(self.path, what);
        let Some((_, member)) = entry.member(key) else { return Err(shape_error(&format!("it has no `{key}`"))) };
        let Kind::Text(old) = &member.value.kind else {
            return Err(shape_error(&format!("its `{key}` is not written as one string")));
        };
        if old == new {
            return Err(self.already());
        }
        let quote = Quote::like(self.text, &member.value, self.syntax);
        let raw = self.text.get(member.value.span.clone()).unwrap_or_default().to_owned();
        let splices = vec![Splice::replace(member.value.span.clone(), quote.write(new, self.syntax))];
        let what = What::Address { key: key.to_owned(), url: new.to_owned(), raw, was: old.clone() };
        let sets = vec![(key.to_owned(), Set::Text(new.to_owned()))];
        Ok(Plan { splices, what, goal: Goal { path: self.path.to_vec(), sets } })
    }

    fn already(&self) -> WireError {
        WireError::Already { path: super::error::shown(self.path) }
    }
}

/// The words between mcp-twin and the server's own.
fn prefix(name: &str, original: &[String]) -> Vec<String> {
    ["run", "--name", name, "--"].into_iter().map(str::to_owned).chain(original.iter().cloned()).collect()
}

/// Whether a command line is `mcp-twin …`, or starts it through a wrapper such as npx.
pub(super) fn is_ours(argv: &[String]) -> bool {
    use crate::detect::launch::{Blind, Launch, TwinHint};
    use std::path::Path;
    let Some(first) = argv.first() else { return false };
    // A path with blanks in it is one word here, and one of Windows is a path on any system: the file may be a client's
    // in WSL.
    let file = first.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    if [".exe", ".cmd", ""].iter().any(|end| file.strip_suffix(end) == Some("mcp-twin")) {
        return true;
    }
    let launch = Launch::read(argv, Path::new(""), &Blind);
    // `npx -y mcp-twin@2 run`: our package, and our own word after it.
    let is_package = |word: &String| word == "mcp-twin" || word.starts_with("mcp-twin@");
    let mut after = launch.argv.iter().skip_while(|word| !is_package(word)).skip(1);
    let by_package = launch.package.as_ref().is_some_and(is_package) && after.next().is_some_and(|word| word == "run");
    launch.twin == TwinHint::Already || by_package
}
