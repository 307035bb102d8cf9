//! Where new words, members and lists go in a text, and how they are laid out: as their neighbours are.

use super::edit::{ARGS, Sheet};
use super::pen::{self, Quote, Splice};
use super::tree::{Kind, Member, Node};
use crate::detect::Syntax;

/// How the lists of the file's other entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[a, b]` in one line.
    Line,
    /// Between brackets, an element in each line.
    Lines,
    /// In lines that begin with a dash. YAML only.
    Dashes,
}

impl Layout {
    /// As the list at `node`, if it is one that shows it.
    pub(super) fn of(text: &str, node: &Node) -> Option<Self> {
        let Kind::List { items, flow } = &node.kind else { return None };
        let lines = || text.get(node.span.clone()).is_some_and(|list| list.contains('\n'));
        match items.is_empty() {
            true => None,
            false if !flow => Some(Self::Dashes),
            false => Some(if lines() { Self::Lines } else { Self::Line }),
        }
    }
}

impl Sheet<'_> {
    /// Puts words before the elements of a list. `None`: it is laid out in a way that is not known.
    pub(super) fn before_items(
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
    pub(super) fn instead(&self, member: &Member, words: &[String], command: &Node) -> Splice {
        let list = self.flat(words, Quote::like(self.text, command, self.syntax));
        match self.colon(member) {
            Some(colon) if member.value.span.is_empty() => Splice::insert(colon + 1, format!(" {list}")),
            _ => Splice::replace(member.value.span.clone(), list),
        }
    }

    /// A list in one line.
    pub(super) fn flat(&self, words: &[String], quote: Quote) -> String {
        let words: Vec<_> = words.iter().map(|word| quote.write(word, self.syntax)).collect();
        format!("[{}]", words.join(", "))
    }

    /// A list in this layout, as the value of a member whose line begins with `line`.
    pub(super) fn list(&self, words: &[String], line: Option<&str>, layout: Layout, command: &Node) -> String {
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
    pub(super) fn before_members(&self, map: &Node, new: &[String]) -> Option<Vec<Splice>> {
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
    pub(super) fn layout(&self, above: Option<&Node>, holder: &Node) -> Layout {
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
