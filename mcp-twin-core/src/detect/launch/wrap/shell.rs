//! Shells: a line, or a script file; and files that are the command themselves.

use super::super::line::shell_line;
use super::super::native::Named;
use super::super::reading::{Found, Reading, looks_like_path};
use super::super::{Flag, Kind, TwinHint, path};

impl Reading<'_> {
    pub(super) fn shell(&mut self, args: &[String]) -> Found {
        let mut at = 0;
        while let Some(word) = args.get(at).filter(|word| word.starts_with(['-', '+']) && word.len() > 1) {
            at += 1;
            if word.starts_with("--") {
                // `--rcfile F`
                at += usize::from(matches!(word.as_str(), "--rcfile" | "--init-file"));
                continue;
            }
            // `-euo pipefail -c LINE`, `-euc LINE`
            at += usize::from(word.ends_with(['o', 'O']));
            if word.contains('c') {
                self.flags.insert(Flag::ShellWrapper);
                return match args.get(at) {
                    Some(line) => self.line_with(line, &args[at + 1..]),
                    None => self.opaque(),
                };
            }
        }
        match args.get(at) {
            Some(script) => self.shell_script(script, &args[at + 1..]),
            None => self.opaque(),
        }
    }

    /// A script file that a shell runs. If it comes to one plain command, that is what runs.
    pub(in super::super) fn shell_script(&mut self, script: &str, rest: &[String]) -> Found {
        let script = self.script_at(script);
        let cwd = self.cwd.clone();
        let inner = self.text(&script).and_then(|text| {
            let text = own_folder(&text);
            let folder = path::parent(&script)?.to_owned();
            self.env.push((OWN_FOLDER.to_owned(), folder));
            shell_line(&text).is_some().then(|| self.line(&text))
        });
        self.looked_through(script.clone(), rest, inner).unwrap_or_else(|| {
            self.cwd = cwd;
            self.opaque_file(Kind::ShellScript, script).rest(rest)
        })
    }

    /// One line of a shell: what prepares is passed over, the last command is what runs.
    pub(in super::super) fn line(&mut self, line: &str) -> Found {
        self.line_with(line, &[])
    }

    /// The same with the words behind it: `sh -c 'exec "$0" "$@"' node x.js`.
    fn line_with(&mut self, line: &str, words: &[String]) -> Found {
        let Some(mut commands) = shell_line(line) else { return self.opaque() };
        if !words.is_empty() {
            commands = commands.iter().map(|command| positional(command, words)).collect();
        }
        let Some((last, before)) = commands.split_last() else { return self.opaque() };
        for command in before {
            let command = self.expanded(command);
            let mut words = self.assignments(&command);
            if words.first().is_some_and(|word| word == "export") {
                words = self.assignments(&words[1..]);
            }
            self.prepare(words);
        }
        let last = self.expanded(last);
        let words = self.assignments(&last).to_vec();
        if words.is_empty() { self.opaque() } else { self.run(&words) }
    }

    /// `cd X` moves on; nothing else that prepares matters.
    fn prepare(&mut self, words: &[String]) {
        let Some((cd, args)) = words.split_first().filter(|(cd, _)| matches!(cd.as_str(), "cd" | "pushd")) else {
            return;
        };
        match args.iter().find(|word| !matches!(word.as_str(), "--" | "-P" | "-L")) {
            // Where `cd -` leads to is not known, nor what a variable that nobody set holds.
            Some(folder) if folder == "-" || folder.contains('$') => self.cwd = None,
            Some(folder) => self.enter(folder),
            None if cd == "cd" => self.cwd = self.home(),
            None => {}
        }
    }

    fn expanded(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.expand(word)).collect()
    }

    /// Puts known variables in their places: `$X`, `${X}`, `${X:-default}`; what is not known stays as it is.
    fn expand(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some(at) = rest.find('$') {
            let (before, tail) = rest.split_at(at);
            out.push_str(before);
            let name_end =
                |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            let (name, default, after) = match tail[1..].strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((inner, after)) => {
                    let (name, default) = inner.split_at(name_end(inner));
                    (name, default.strip_prefix(":-").or_else(|| default.strip_prefix('-')), after)
                }
                None => {
                    let (name, after) = tail[1..].split_at(name_end(&tail[1..]));
                    (name, None, after)
                }
            };
            let known = self.expandable(name).map(str::to_owned).or_else(|| match name {
                "HOME" => self.home(),
                "PWD" => self.cwd.clone(),
                _ => None,
            });
            let unset = self.variable(name).is_none_or(str::is_empty);
            let value = known.or_else(|| default.filter(|_| unset).map(str::to_owned));
            out.push_str(value.as_deref().unwrap_or(&tail[..tail.len() - after.len()]));
            rest = after;
        }
        out + rest
    }

    /// The command itself is a file, or a program that the system looks up.
    pub(in super::super) fn file(&mut self, first: &str, args: &[String]) -> Found {
        let separator = if self.cwd.as_deref().is_some_and(path::is_windows) { ';' } else { ':' };
        let lookup = || {
            let name = first.to_owned();
            let paths = self.variable("PATH")?.split(separator).map(|folder| path::join(folder, &name));
            paths.into_iter().find(|path| self.is_file(path))
        };
        let named = looks_like_path(first) || first.contains('/') || first.contains('\\');
        let script = if named { Some(self.script_at(first)) } else { lookup() };
        let Some(script) = script else {
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Binary) }.rest(args);
        };
        let by = if !named {
            Named::ByPath
        } else if path::is_absolute(first) || first.starts_with("~/") {
            Named::Absolute
        } else {
            Named::Relative
        };
        self.executable(script, args, by)
    }
}

/// Puts the words behind a line in the places of `$0`, `$1` and `$@`.
fn positional(command: &[String], words: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for word in command {
        let number = word.strip_prefix('$').filter(|number| number.len() == 1).and_then(|number| number.parse().ok());
        match (word.as_str(), number.and_then(|at: usize| words.get(at))) {
            ("$@" | "$*" | "${@}", _) => out.extend(words.iter().skip(1).cloned()),
            (_, Some(value)) => out.push(value.clone()),
            _ => out.push(word.clone()),
        }
    }
    out
}

/// Stands for a script's own folder while its text is read.
const OWN_FOLDER: &str = "MCP_TWIN_OWN_FOLDER";

/// The usual ways in which a script asks for its own folder, as a variable.
fn own_folder(text: &str) -> String {
    let own = format!("${{{OWN_FOLDER}}}");
    let mut text = text.replace("${0%/*}", &own);
    for file in ["\"$0\"", "$0", "\"${BASH_SOURCE[0]}\"", "${BASH_SOURCE[0]}", "\"$BASH_SOURCE\"", "\"${0}\""] {
        for minus in ["", "-- "] {
            text = text.replace(&format!("$(dirname {minus}{file})"), &own);
        }
    }
    for silent in ["", " >/dev/null 2>&1", " &> /dev/null", " >/dev/null"] {
        text = text.replace(&format!("$(cd \"{own}\"{silent} && pwd)"), &own);
    }
    text
}
