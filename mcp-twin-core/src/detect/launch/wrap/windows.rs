//! The shells of Windows: `cmd` and PowerShell.

use super::super::line::{WindowsShell, windows_line};
use super::super::reading::{Found, Reading};
use super::super::{Flag, Kind, path};

impl Reading<'_> {
    pub(super) fn cmd(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::CmdWrapper);
        let is_switch =
            |word: &str, letter: &str| word.strip_prefix('/').is_some_and(|c| c.eq_ignore_ascii_case(letter));
        let at = match args.iter().position(|word| is_switch(word, "c") || is_switch(word, "k")) {
            Some(at) => at + 1,
            None => args.iter().position(|word| !word.starts_with('/')).unwrap_or(args.len()),
        };
        let commands = match &args[at..] {
            [line] => windows_line(unquoted(line), WindowsShell::Cmd).filter(|commands| {
                // One word may be a path with blanks in it.
                commands.len() > 1 || commands[0].len() == 1 || !self.exists(&self.script_at(line))
            }),
            words => commands_of(words),
        };
        match commands {
            Some(commands) => self.windows_commands(&commands),
            None => match &args[at..] {
                [file] if self.exists(&self.script_at(file)) => self.run(&args[at..]),
                _ => self.opaque(),
            },
        }
    }

    /// Only the last of `a && b` goes on running.
    fn windows_commands(&mut self, commands: &[Vec<String>]) -> Found {
        let Some((last, before)) = commands.split_last() else { return self.opaque() };
        for command in before {
            let command: Vec<String> = command.iter().map(|word| self.percent(word)).collect();
            let Some((name, args)) = command.split_first() else { continue };
            match name.to_ascii_lowercase().as_str() {
                "cd" | "chdir" | "pushd" | "set-location" | "sl" | "push-location" => {
                    let option = |word: &&String| !word.eq_ignore_ascii_case("/d") && !word.starts_with('-');
                    match args.iter().find(option) {
                        // PowerShell's variables stay unknown.
                        Some(folder) if folder.contains(['$', '%']) => self.cwd = None,
                        Some(folder) => self.enter(folder),
                        None => {}
                    }
                }
                "set" => {
                    let pair = args.first().and_then(|word| word.split_once('='));
                    self.env.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                _ => {}
            }
        }
        let words: Vec<String> = last.iter().map(|word| self.percent(word)).collect();
        let called = words.first().is_some_and(|word| word.eq_ignore_ascii_case("call"));
        let words = if called { &words[1..] } else { &words[..] };
        if words.is_empty() { self.opaque() } else { self.run(words) }
    }

    /// Puts known variables in the places of `%X%`; what is not known stays as it is.
    fn percent(&self, word: &str) -> String {
        let mut parts = word.split('%');
        let mut out = parts.next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = parts.collect();
        let mut at = 0;
        while let Some(name) = parts.get(at) {
            let value = self.expandable(name).map(str::to_owned).or_else(|| match name.to_ascii_uppercase().as_str() {
                "USERPROFILE" => self.home(),
                "CD" => self.cwd.clone(),
                _ => None,
            });
            match (value, parts.get(at + 1)) {
                (Some(value), Some(after)) => {
                    out.push_str(&value);
                    out.push_str(after);
                    at += 2;
                }
                _ => {
                    out.push('%');
                    out.push_str(name);
                    at += 1;
                }
            }
        }
        out
    }

    pub(super) fn powershell(&mut self, name: &str, args: &[String]) -> Found {
        let mut at = 0;
        while let Some(word) = args.get(at) {
            // A parameter's name may be cut short; case does not matter.
            let short = word.strip_prefix(['-', '/']).map(str::to_ascii_lowercase);
            let Some(short) = short.filter(|short| !short.is_empty()) else { break };
            at += 1;
            let is = |full: &str, least: usize| short.len() >= least && full.starts_with(short.as_str());
            if is("command", 1) {
                return self.powershell_line(args.get(at..).unwrap_or_default());
            }
            if is("file", 1) {
                return self.powershell_script(args.get(at..).unwrap_or_default());
            }
            if is("encodedcommand", 1) || short == "ec" {
                return self.opaque();
            }
            if is("workingdirectory", 2) || short == "wd" {
                if let Some(folder) = args.get(at) {
                    self.enter(folder);
                }
                at += 1;
            } else if is("executionpolicy", 2)
                || is("windowstyle", 1)
                || is("version", 1)
                || is("inputformat", 3)
                || is("outputformat", 1)
                || is("configurationname", 6)
                || is("settingsfile", 8)
                || short == "ep"
            {
                at += 1;
            }
        }
        // Without a parameter the old one takes a command, the new one a file.
        let rest = args.get(at..).unwrap_or_default();
        let is_file = rest.first().is_some_and(|word| path::extension(word) == "ps1") || name == "pwsh";
        if is_file { self.powershell_script(rest) } else { self.powershell_line(rest) }
    }

    fn powershell_line(&mut self, words: &[String]) -> Found {
        self.flags.insert(Flag::ShellWrapper);
        let line = words.join(" ");
        match windows_line(&line, WindowsShell::PowerShell) {
            Some(commands) => self.windows_commands(&commands),
            None => self.opaque(),
        }
    }

    fn powershell_script(&mut self, words: &[String]) -> Found {
        match words.split_first() {
            Some((script, rest)) => {
                let script = self.script_at(script);
                self.opaque_file(Kind::PowershellScript, script).rest(rest)
            }
            None => self.opaque(),
        }
    }
}

/// `cmd /s /c ""C:\a b\x.exe" y"`: the outer quotes hold the whole line.
fn unquoted(line: &str) -> &str {
    let inner = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    inner.filter(|inner| inner.contains('"')).unwrap_or(line)
}

/// The commands in words that were split already: `a`, `&&`, `b`.
fn commands_of(words: &[String]) -> Option<Vec<Vec<String>>> {
    if words.is_empty() || words.iter().any(|word| matches!(word.as_str(), "|" | "||" | "(" | ")")) {
        return None;
    }
    let commands = words.split(|word| word == "&&" || word == "&");
    Some(commands.filter(|words| !words.is_empty()).map(<[String]>::to_vec).collect())
}
