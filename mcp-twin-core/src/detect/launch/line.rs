//! Whole lines as shells read them: POSIX shells, `cmd`, PowerShell.

/// Takes a shell line apart, `a && b; exec c`, into its simple commands, each as words without quotes. `None` if it holds
/// what only a shell can do: pipes, loops, conditions, substitutions, background jobs, texts that follow.
pub(super) fn shell_line(line: &str) -> Option<Vec<Vec<String>>> {
    let mut splitter = Splitter::default();
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => splitter.quote().push_str(&single_quoted(&mut chars)?),
            '"' => splitter.quote().push_str(&double_quoted(&mut chars)?),
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => splitter.push(c),
            },
            // `cd x || exit 1` goes on where it can.
            '|' if chars.next_if_eq(&'|').is_some() => splitter.end_command(true),
            '`' | '(' | ')' | '|' => return None,
            '$' if chars.peek() == Some(&'(') => return None,
            '&' => match chars.peek() {
                Some('&') => {
                    chars.next();
                    splitter.end_command(false);
                }
                // `&> log`; a lone `&` is a background job.
                Some('>') => {}
                _ => return None,
            },
            ';' | '\n' => splitter.end_command(false),
            '<' if chars.peek() == Some(&'<') => return None,
            '>' | '<' => {
                while matches!(chars.peek(), Some('>' | '<' | '&')) {
                    chars.next();
                }
                splitter.redirect();
            }
            '#' if splitter.word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            c if c.is_whitespace() => splitter.end_word(),
            c => splitter.push(c),
        }
    }
    let commands = splitter.finish();
    let compound = ["if", "for", "while", "until", "case", "function", "{", "[[", "!", "trap", "eval", "wait"];
    let leaves = ["exit", "return", "true", ":"];
    let mut simple = Vec::new();
    for (command, alternative) in commands {
        match command.first().map(String::as_str) {
            None => {}
            Some(first) if alternative && leaves.contains(&first) => {}
            Some(first) if alternative || compound.contains(&first) => return None,
            Some(_) => simple.push(command),
        }
    }
    // What says goodbye is not the server.
    while simple.len() > 1 && simple.last().is_some_and(|last| last[0] == "echo" || leaves.contains(&last[0].as_str()))
    {
        simple.pop();
    }
    (!simple.is_empty()).then_some(simple)
}

/// A command, and whether it runs only if the one before it failed.
type Command = (Vec<String>, bool);

#[derive(Default)]
struct Splitter {
    done: Vec<Command>,
    command: Command,
    word: Option<String>,
    quoted: bool,
    /// The next word is the file of a redirection.
    redirected: bool,
}

impl Splitter {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn quote(&mut self) -> &mut String {
        self.quoted = true;
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        self.quoted = false;
        let Some(word) = self.word.take() else { return };
        if !std::mem::take(&mut self.redirected) {
            self.command.0.push(word);
        }
    }

    /// `alternative`: what follows runs only if this fails.
    fn end_command(&mut self, alternative: bool) {
        self.end_word();
        self.done.push(std::mem::replace(&mut self.command, (Vec::new(), alternative)));
    }

    /// `2>` takes its number along.
    fn redirect(&mut self) {
        if self.word.as_deref().is_some_and(|text| !self.quoted && text.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.redirected = true;
    }

    fn finish(mut self) -> Vec<Command> {
        self.end_command(false);
        self.done
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn single_quoted(chars: &mut Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => return Some(text),
            c => text.push(c),
        }
    }
}

fn double_quoted(chars: &mut Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' if matches!(chars.peek(), Some('"' | '\\' | '$' | '`')) => text.push(chars.next()?),
            '`' => return None,
            '$' if chars.peek() == Some(&'(') => return None,
            c => text.push(c),
        }
    }
}

/// Splits a whole line as Windows does: double quotes only, backslashes are ordinary.
pub(super) fn windows_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The shells of Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowsShell {
    Cmd,
    PowerShell,
}

/// Takes a line of `cmd` or PowerShell apart, as [`shell_line`] does: `None` if it holds pipes, blocks or conditions.
pub(super) fn windows_line(line: &str, shell: WindowsShell) -> Option<Vec<Vec<String>>> {
    let mut splitter = Splitter::default();
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if shell == WindowsShell::PowerShell => splitter.quote().push_str(&single_quoted(&mut chars)?),
            '"' => {
                let text: String = std::iter::from_fn(|| chars.next_if(|c| *c != '"')).collect();
                // An open quote reaches to the end.
                chars.next();
                splitter.quote().push_str(&text);
            }
            '&' if chars.next_if_eq(&'&').is_some() => splitter.end_command(false),
            // PowerShell's `& 'C:\a b\x.exe'` only says that a command follows.
            '&' if shell == WindowsShell::PowerShell && splitter.command.0.is_empty() && splitter.word.is_none() => {}
            '&' if shell == WindowsShell::Cmd => splitter.end_command(false),
            ';' | '\n' if shell == WindowsShell::PowerShell => splitter.end_command(false),
            '|' | '(' | ')' | '&' => return None,
            '{' | '}' if shell == WindowsShell::PowerShell => return None,
            '>' | '<' => {
                while matches!(chars.peek(), Some('>' | '<' | '&')) {
                    chars.next();
                }
                splitter.redirect();
            }
            c if c.is_whitespace() => splitter.end_word(),
            c => splitter.push(c),
        }
    }
    let commands: Vec<_> =
        splitter.finish().into_iter().map(|(words, _)| words).filter(|words| !words.is_empty()).collect();
    let compound = ["if", "for", "foreach", "while", "goto", "try"];
    let simple = commands.iter().all(|words| !compound.contains(&words[0].to_ascii_lowercase().as_str()));
    (simple && !commands.is_empty()).then_some(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(commands: Option<Vec<Vec<String>>>) -> Option<Vec<String>> {
        commands.map(|commands| commands.iter().map(|words| words.join("|")).collect())
    }

    fn ok(commands: &[&str]) -> Option<Vec<String>> {
        Some(commands.iter().map(|words| (*words).to_owned()).collect())
    }

    #[test]
    fn a_simple_line_comes_apart_and_a_program_does_not() {
        let split = |line: &str| show(shell_line(line));
        assert_eq!(split("cd a && exec python 'b c.py' --x"), ok(&["cd|a", "exec|python|b c.py|--x"]));
        assert_eq!(split("A=1 node \"x $Y\".js 2>/tmp/log; # done"), ok(&["A=1|node|x $Y.js"]));
        assert_eq!(split("node x.js 2>&1 >> log < /dev/null"), ok(&["node|x.js"]));
        assert_eq!(split("node x.js &> log"), ok(&["node|x.js"]));
        assert_eq!(split(r"python my\ server.py"), ok(&["python|my server.py"]));
        assert_eq!(split("#!/bin/sh\nset -e\nnode x.js\n"), ok(&["set|-e", "node|x.js"]));
        assert_eq!(split("cd a || exit 1; node x.js || exit; echo bye"), ok(&["cd|a", "node|x.js"]));
        for program in [
            "a | b",
            "a || b",
            "a &",
            "a $(b)",
            "a `b`",
            "(a)",
            "for x in y; do z; done",
            "if a; then b; fi",
            "a <<EOF\nb\nEOF",
            "a 'b",
            "",
        ] {
            assert_eq!(split(program), None, "{program}");
        }
    }

    #[test]
    fn windows_lines_keep_their_backslashes() {
        let split = windows_words(r#""C:\Program Files\node.exe" C:\x\y.js  "" a"#);
        assert_eq!(split, [r"C:\Program Files\node.exe", r"C:\x\y.js", "", "a"]);
    }

    #[test]
    fn the_shells_of_windows() {
        let cmd = |line: &str| show(windows_line(line, WindowsShell::Cmd));
        assert_eq!(
            cmd(r#"cd /d "C:\my srv"&&set A=1 & node x\y.js 2>nul"#),
            ok(&[r"cd|/d|C:\my srv", "set|A=1", r"node|x\y.js"])
        );
        let power = |line: &str| show(windows_line(line, WindowsShell::PowerShell));
        assert_eq!(
            power(r"Set-Location 'C:\my srv'; & 'C:\node.exe' x\y.js"),
            ok(&[r"Set-Location|C:\my srv", r"C:\node.exe|x\y.js"])
        );
        for program in ["a | b", "if exist x (y)", "for %f in (*) do x", ""] {
            assert_eq!((cmd(program), power(program)), (None, None), "{program}");
        }
        assert_eq!(power("gci | % { node $_ }"), None);
    }
}
