//! The edit forward. It puts words in front of those that stand there and leaves these as they are: their quotes, comments
//! and line breaks stay, and none of them has to be remembered for the way back.

use super::Change;
use super::error::WireError;
use super::pen::{self, Layout, Quote, Splice};
use super::proof::{Goal, Set};
use super::tree::{Found, Kind, Member, Node};
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
            _ => (Vec::new(), Command::Merged { text: line.clone(), words: original.clone() }),
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

    /// Puts words before the elements of a list. `None`: it is laid out in a way that is not known.
    fn before_items(
        &self,
        holder: &Node,
        list: &Node,
        items: &[Node],
        flow: bool,
        words: &[String],
    ) -> Option<Vec<Splice>> {
        let (text, syntax) = (self.text, self.syntax);
        let like = items.iter().find(|item| matches!(item.kind, Kind::Text(_)));
        let quote = like.map_or_else(|| self.quote_of(holder), |item| Quote::like(text, item, syntax));
        let words = words.iter().map(|word| quote.write(word, syntax));
        let Some(first) = items.first() else {
            // `[]`, or with nothing but comments in it.
            let all = words.collect::<Vec<_>>().join(self.comma(holder));
            return flow.then(|| vec![Splice::insert(list.span.start + 1, all)]);
        };
        if !flow {
            // On lines of their own, before whatever comment belongs to the first element.
            let dash = text.get(..first.outer)?.trim_end().len().checked_sub(1)?;
            if text.as_bytes().get(dash) != Some(&b'-') || !pen::leads(text, dash) {
                return None;
            }
            let (line, nl) = (pen::indent(text, dash), pen::newline(text, dash));
            let at = self.after_key_line(holder, list, dash).unwrap_or_else(|| pen::line_start(text, dash));
            return Some(vec![Splice::insert(at, words.map(|word| format!("{line}- {word}{nl}")).collect::<String>())]);
        }
        let open = list.span.start + 1;
        match pen::rest_is_trivia(text, open, first.outer, syntax) {
            Some(newline) => {
                let (line, nl) = (pen::indent(text, first.outer), pen::newline(text, newline));
                let all = words.map(|word| format!("{line}{word},{nl}")).collect::<String>();
                Some(vec![Splice::insert(newline + 1, all)])
            }
            None => {
                let between = items.get(1).and_then(|second| text.get(first.span.end..second.outer));
                let plain = |between: &&str| {
                    between.starts_with(',') && between[1..].bytes().all(|byte| byte == b' ') && between.len() < 8
                };
                let comma = between.filter(plain).unwrap_or_else(|| self.comma(holder));
                Some(vec![Splice::insert(first.outer, words.map(|word| word + comma).collect::<String>())])
            }
        }
    }

    /// The beginning of the line after the one that ends in `args:`, if there are only comments between it and the dash.
    fn after_key_line(&self, holder: &Node, list: &Node, dash: usize) -> Option<usize> {
        let member = holder.members()?.iter().find(|member| member.value.span == list.span)?;
        let colon = self.colon(member)?;
        pen::rest_is_trivia(self.text, colon + 1, dash, self.syntax).map(|newline| newline + 1)
    }

    /// Where the colon (or the equals sign) after a key stands.
    fn colon(&self, member: &Member) -> Option<usize> {
        let at = pen::skip(self.text, member.key_span.end, self.syntax);
        matches!(self.text.as_bytes().get(at), Some(b':' | b'=')).then_some(at)
    }

    /// A list in the place of a value that is none: `null`, an alias, nothing.
    fn instead(&self, member: &Member, words: &[String], command: &Node) -> Splice {
        let list = self.flat(words, Quote::like(self.text, command, self.syntax));
        match self.colon(member) {
            Some(colon) if member.value.span.is_empty() => Splice::insert(colon + 1, format!(" {list}")),
            _ => Splice::replace(member.value.span.clone(), list),
        }
    }

    /// A list in one line.
    fn flat(&self, words: &[String], quote: Quote) -> String {
        let words: Vec<_> = words.iter().map(|word| quote.write(word, self.syntax)).collect();
        format!("[{}]", words.join(", "))
    }

    /// A list in this layout, as the value of a member whose line begins with `line`.
    fn list(&self, words: &[String], line: Option<&str>, layout: Layout, command: &Node) -> String {
        let quote = Quote::like(self.text, command, self.syntax);
        let nl = pen::newline(self.text, command.span.start);
        let each = |before: &str, after: &str, ends: &str| {
            let words: Vec<_> =
                words.iter().map(|word| format!("{nl}{before}{}", quote.write(word, self.syntax))).collect();
            format!("{}{ends}", words.join(after))
        };
        match (layout, line) {
            (Layout::Lines, Some(line)) => {
                let unit = self.unit(line, command.span.start);
                format!("[{}", each(&format!("{line}{unit}"), ",", &format!("{nl}{line}]")))
            }
            (Layout::Dashes, Some(line)) => each(&format!("{line}  - "), "", ""),
            _ if line.is_none() && !self.spaced(command) => self.flat(words, quote).replace(", ", ","),
            _ => self.flat(words, quote),
        }
    }

    /// By how much a line at `at` goes deeper than the one that holds its map: what `line` has more than that.
    pub(super) fn unit<'b>(&self, line: &'b str, at: usize) -> &'b str {
        let mut start = pen::line_start(self.text, at);
        while start > 0 {
            let above = pen::indent(self.text, start - 1);
            let blank =
                self.text.get(pen::line_start(self.text, start - 1)..start).is_none_or(|line| line.trim().is_empty());
            match line.strip_prefix(above) {
                Some(unit) if !unit.is_empty() && !blank => return unit,
                _ => start = pen::line_start(self.text, start - 1),
            }
        }
        "  "
    }

    /// Puts a member after another one of a map. `value` writes its value, given what its line begins with, or `None` if
    /// it stands in the line of others.
    pub(super) fn after_member(
        &self,
        map: &Node,
        index: usize,
        key: &str,
        value: &dyn Fn(Option<&str>) -> String,
    ) -> Vec<Splice> {
        let (text, syntax) = (self.text, self.syntax);
        let Kind::Map { members, flow } = &map.kind else { return Vec::new() };
        let Some(member) = members.get(index) else { return Vec::new() };
        let end = member.value.span.end;
        let begin = self.key_start(member, *flow);
        let raw = text.get(begin..member.key_span.start).unwrap_or_default();
        let quoted = matches!(text.as_bytes().get(member.key_span.start), Some(b'"'));
        let key = if quoted { pen::double(key) } else { key.to_owned() };
        let colon = text.get(member.key_span.end..member.value.outer).unwrap_or_default();
        let usual = if syntax == Syntax::Toml { " = " } else { ": " };
        let bare = colon.len() < 16 && matches!(colon.trim_matches([' ', '\t']), ":" | "=");
        let colon = if bare { colon } else { usual };
        // Dashes begin on the next line.
        let write = |line: Option<&str>| {
            let value = value(line);
            let colon = if value.starts_with(['\n', '\r']) { colon.trim_end() } else { colon };
            format!("{raw}{key}{colon}{value}")
        };
        if !flow {
            // In YAML the line may begin with the dash of a list.
            let line = if pen::leads(text, begin) {
                pen::indent(text, begin).to_owned()
            } else {
                " ".repeat(text.get(pen::line_start(text, begin)..begin).map_or(0, |before| before.chars().count()))
            };
            let nl = pen::newline(text, end);
            // A block of lines ends with its last newline.
            let ended = text.get(..end).is_some_and(|before| before.ends_with('\n')).then_some(end);
            return vec![match ended.or_else(|| pen::next_line(text, end)) {
                Some(next) => Splice::insert(next, format!("{line}{}{nl}", write(Some(&line)))),
                None => Splice::insert(text.len(), format!("{nl}{line}{}", write(Some(&line)))),
            }];
        }
        let after = pen::skip(text, end, syntax);
        let comma = (text.as_bytes().get(after) == Some(&b',')).then_some(after);
        let until = members.get(index + 1).map_or(map.span.end, |next| self.key_start(next, true));
        let own_line = pen::leads(text, begin);
        match (own_line, pen::rest_is_trivia(text, comma.map_or(end, |comma| comma + 1), until, syntax)) {
            (true, Some(newline)) => {
                let (line, nl) = (pen::indent(text, begin), pen::newline(text, newline));
                let new = write(Some(line));
                match comma {
                    Some(_) => vec![Splice::insert(newline + 1, format!("{line}{new},{nl}"))],
                    None => vec![Splice::insert(end, ","), Splice::insert(newline + 1, format!("{line}{new}{nl}"))],
                }
            }
            _ => vec![Splice::insert(end, format!("{}{}", self.comma(map), write(None)))],
        }
    }

    /// Where the key of a member begins; in TOML with the parts before it, if it is dotted.
    pub(super) fn key_start(&self, member: &Member, flow: bool) -> usize {
        let start = member.key_span.start;
        if self.syntax != Syntax::Toml {
            return start;
        }
        if !flow {
            let line = pen::line_start(self.text, start);
            return line + pen::indent(self.text, start).len();
        }
        let mut start = start;
        loop {
            let before = self.text.get(..start).unwrap_or_default().trim_end_matches([' ', '\t']);
            let Some(before) = before.strip_suffix('.') else { return start };
            let before = before.trim_end_matches([' ', '\t']);
            let part = match before.bytes().last() {
                Some(quote @ (b'"' | b'\'')) => before[..before.len() - 1].rfind(char::from(quote)),
                _ => Some(before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).len()),
            };
            match part {
                Some(part) if part < start => start = part,
                _ => return start,
            }
        }
    }

    /// Puts members before the first of a map, for one that says the rest by a merge. YAML only.
    fn before_members(&self, map: &Node, new: &[String]) -> Option<Vec<Splice>> {
        let Kind::Map { members, flow } = &map.kind else { return None };
        let at = members.first()?.key_span.start;
        if *flow {
            return Some(vec![Splice::insert(at, format!("{}, ", new.join(", ")))]);
        }
        let start = pen::line_start(self.text, at);
        let (line, nl) = (" ".repeat(self.text.get(start..at)?.chars().count()), pen::newline(self.text, at));
        Some(vec![Splice::insert(at, new.iter().map(|member| format!("{member}{nl}{line}")).collect::<String>())])
    }

    /// How the lists of other entries are laid out; else as the syntax is mostly written.
    fn layout(&self, above: Option<&Node>, holder: &Node) -> Layout {
        let others = above.and_then(Node::members).unwrap_or_default().iter();
        let lists = others.flat_map(|other| other.value.members().unwrap_or_default());
        let shown = lists
            .filter(|member| matches!(member.key.as_str(), ARGS | "command"))
            .find_map(|member| Layout::of(self.text, &member.value));
        let flow = matches!(holder.kind, Kind::Map { flow: true, .. });
        match shown {
            Some(layout) if layout != Layout::Dashes || !flow => layout,
            _ if self.syntax == Syntax::Yaml && !flow => Layout::Dashes,
            _ => Layout::Line,
        }
    }

    /// The quotes of a map's strings.
    fn quote_of(&self, map: &Node) -> Quote {
        let like = map.members().unwrap_or_default().iter().find(|member| matches!(member.value.kind, Kind::Text(_)));
        like.map_or(Quote::Double, |member| Quote::like(self.text, &member.value, self.syntax))
    }

    /// What stands between two elements in one line.
    pub(super) fn comma(&self, holder: &Node) -> &'static str {
        let tight = |member: &Member| member.value.outer == member.key_span.end + 1;
        let json = matches!(self.syntax, Syntax::Json | Syntax::Jsonc);
        if json && holder.members().and_then(<[Member]>::first).is_some_and(tight) { "," } else { ", " }
    }

    fn spaced(&self, value: &Node) -> bool {
        value.span.start.checked_sub(1).and_then(|at| self.text.as_bytes().get(at)).is_none_or(|byte| *byte != b':')
    }
}

/// The words between mcp-twin and the server's own.
fn prefix(name: &str, original: &[String]) -> Vec<String> {
    ["run", "--name", name, "--"].into_iter().map(str::to_owned).chain(original.iter().cloned()).collect()
}

/// Whether a command line is `mcp-twin …`, or starts it through a wrapper such as npx.
pub(super) fn is_ours(argv: &[String]) -> bool {
    use crate::detect::launch::{Launch, Look, Place, TwinHint};
    struct Nothing;
    impl Look for Nothing {
        fn exists(&self, _: &std::path::Path) -> bool {
            false
        }
        fn is_dir(&self, _: &std::path::Path) -> bool {
            false
        }
        fn read_small(&self, _: &std::path::Path) -> Option<String> {
            None
        }
    }
    let Some(first) = argv.first() else { return false };
    // A path with blanks in it is one word here, and one of Windows is a path on any system: the file may be a client's
    // in WSL.
    let file = first.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    if [".exe", ".cmd", ""].iter().any(|end| file.strip_suffix(end) == Some("mcp-twin")) {
        return true;
    }
    let place = Place { cwd: None, home: None, env: &[], look: &Nothing };
    let launch = Launch::read_in(argv, &place);
    // `npx -y mcp-twin@2 run`: our package, and our own word after it.
    let is_package = |word: &String| word == "mcp-twin" || word.starts_with("mcp-twin@");
    let mut after = launch.argv.iter().skip_while(|word| !is_package(word)).skip(1);
    let by_package = launch.package.as_ref().is_some_and(is_package) && after.next().is_some_and(|word| word == "run");
    launch.twin == TwinHint::Already || by_package
}
