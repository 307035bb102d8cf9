//! Words of command lines: options with and without values, whole lines in one word.

/// What stands before the first word that is no option.
#[derive(Clone, Debug, Default)]
pub(super) struct Opts<'a> {
    values: Vec<(&'a str, &'a str)>,
    switches: Vec<&'a str>,
    /// The first word that is no option, and all after it.
    pub(super) rest: &'a [String],
}

impl<'a> Opts<'a> {
    /// Takes options off the front of `args`. Those in `valued` take the next word, unless they hold a `=`; `--` ends them.
    pub(super) fn read(args: &'a [String], valued: &[&str]) -> Self {
        let mut opts = Self::default();
        let mut at = 0;
        while let Some(word) = args.get(at) {
            at += 1;
            if word == "--" {
                break;
            }
            if !word.starts_with('-') || word == "-" {
                at -= 1;
                break;
            }
            if let Some((name, value)) = word.split_once('=') {
                opts.values.push((name, value));
            } else if valued.contains(&word.as_str()) {
                if let Some(value) = args.get(at) {
                    opts.values.push((word, value));
                    at += 1;
                }
            } else {
                opts.switches.push(word);
            }
        }
        opts.rest = &args[at.min(args.len())..];
        opts
    }

    /// The same in the manner of Go's pflag: `-itv /a:/b` and `-eA=1` are short options in one word, and every option takes
    /// a value unless it is one of `switches`, which take one behind a `=` only.
    pub(super) fn read_pflags(args: &'a [String], switches: &[&str]) -> Self {
        let mut opts = Self::default();
        let mut at = 0;
        while let Some(word) = args.get(at) {
            if !word.starts_with('-') || word == "-" {
                break;
            }
            at += 1;
            if word == "--" {
                break;
            }
            let mut open = None;
            if word.starts_with("--") {
                match word.split_once('=') {
                    Some(pair) => opts.values.push(pair),
                    None if switches.contains(&word.as_str()) => opts.switches.push(word),
                    None => open = Some(word.as_str()),
                }
            } else {
                open = opts.short_ones(word, switches);
            }
            if let (Some(name), Some(value)) = (open, args.get(at)) {
                opts.values.push((name, value));
                at += 1;
            }
        }
        opts.rest = &args[at.min(args.len())..];
        opts
    }

    /// Takes a word of short options apart; returns the last one if it still wants a value.
    fn short_ones(&mut self, word: &'a str, switches: &[&str]) -> Option<&'a str> {
        for (index, c) in word.char_indices().skip(1) {
            let name = short(c);
            let rest = &word[index + c.len_utf8()..];
            match rest.strip_prefix('=') {
                Some(value) => {
                    self.values.push((name, value));
                    return None;
                }
                None if switches.contains(&name) => self.switches.push(name),
                None if rest.is_empty() => return Some(name),
                None => {
                    self.values.push((name, rest));
                    return None;
                }
            }
        }
        None
    }

    /// The last value given to one of these options.
    pub(super) fn value(&self, names: &[&str]) -> Option<&'a str> {
        self.values.iter().rev().find(|(name, _)| names.contains(name)).map(|(_, value)| *value)
    }

    /// Every value given to one of these options.
    pub(super) fn all(&self, names: &[&str]) -> Vec<&'a str> {
        self.values.iter().filter(|(name, _)| names.contains(name)).map(|(_, value)| *value).collect()
    }

    /// Whether one of these stands there, with or without a value.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.switches.iter().any(|word| names.contains(word)) || self.value(names).is_some()
    }

    /// Whether one of these switches is on: alone, or with a value that says so.
    pub(super) fn is_on(&self, names: &[&str]) -> bool {
        match self.value(names) {
            Some(value) => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
            None => self.has(names),
        }
    }
}

/// `-x` for the letter `x`. What is no letter or digit is no option of anybody's.
fn short(c: char) -> &'static str {
    const NAMES: &str = "-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t-u-v-w-x-y-z\
        -A-B-C-D-E-F-G-H-I-J-K-L-M-N-O-P-Q-R-S-T-U-V-W-X-Y-Z-0-1-2-3-4-5-6-7-8-9";
    let found = if c.is_ascii_alphanumeric() { NAMES.find(c) } else { None };
    found.and_then(|at| NAMES.get(at - 1..=at)).unwrap_or("-?")
}

/// Takes a shell line apart, `a && b; exec c`, into its simple commands, each as words without quotes. `None` if it holds
/// what only a shell can do: pipes, loops, conditions, substitutions, background jobs.
pub(super) fn shell_line(line: &str) -> Option<Vec<Vec<String>>> {
    let mut splitter = Splitter { commands: vec![Vec::new()], word: None, quoted: false, redirected: false };
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => splitter.quote().push_str(&single_quoted(&mut chars)?),
            '"' => splitter.quote().push_str(&double_quoted(&mut chars)?),
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => splitter.push(c),
            },
            '`' | '(' | ')' | '|' => return None,
            '$' if chars.peek() == Some(&'(') => return None,
            '&' => match chars.peek() {
                Some('&') => {
                    chars.next();
                    splitter.end_command();
                }
                // `&> log`; a lone `&` is a background job.
                Some('>') => {}
                _ => return None,
            },
            ';' | '\n' => splitter.end_command(),
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
    splitter.end_word();
    let mut commands = splitter.commands;
    commands.retain(|command| !command.is_empty());
    let compound = ["if", "for", "while", "until", "case", "function", "{", "[[", "!", "trap", "eval", "wait"];
    let simple = |command: &Vec<String>| !compound.contains(&command[0].as_str());
    (!commands.is_empty() && commands.iter().all(simple)).then_some(commands)
}

struct Splitter {
    commands: Vec<Vec<String>>,
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
        if !std::mem::take(&mut self.redirected)
            && let Some(command) = self.commands.last_mut()
        {
            command.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.commands.push(Vec::new());
    }

    /// `2>` takes its number along.
    fn redirect(&mut self) {
        if self.word.as_deref().is_some_and(|text| !self.quoted && text.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.redirected = true;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_end_at_the_first_other_word() {
        let args = words("-q --with mcp --python=3.12 --directory /x run --with y");
        let opts = Opts::read(&args, &["--with", "--directory"]);
        assert_eq!((opts.value(&["--with"]), opts.value(&["--python"])), (Some("mcp"), Some("3.12")));
        assert!(opts.has(&["-q"]) && opts.has(&["--directory"]) && !opts.has(&["run"]));
        assert_eq!(opts.rest, words("run --with y"));
        let args = words("-y -- -odd");
        assert_eq!(Opts::read(&args, &[]).rest, words("-odd"));
        assert!(Opts::read(&words("-x --with"), &["--with"]).rest.is_empty());
    }

    #[test]
    fn options_in_the_manner_of_pflag() {
        let args = words("-itv /a:/b -eA=1 --rm --new x -p=80 -i=false --env=B img -v");
        let opts = Opts::read_pflags(&args, &["-i", "-t", "--rm"]);
        assert_eq!((opts.value(&["-v"]), opts.value(&["-e", "--env"])), (Some("/a:/b"), Some("B")));
        assert_eq!(
            (opts.all(&["-e"]), opts.value(&["-p"]), opts.value(&["--new"])),
            (vec!["A=1"], Some("80"), Some("x"))
        );
        assert!(opts.is_on(&["-t"]) && opts.is_on(&["--rm"]) && !opts.is_on(&["-i"]) && !opts.is_on(&["-d"]));
        assert_eq!(opts.rest, words("img -v"));
        for (line, rest) in [("-v", ""), ("-", "-"), ("-- -i", "-i"), ("-é x y", "y"), ("-9 x y", "y"), ("", "")] {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(Opts::read_pflags(&args, &[]).rest.join(" "), rest, "{line}");
        }
    }

    #[test]
    fn a_simple_line_comes_apart_and_a_program_does_not() {
        let split =
            |line: &str| shell_line(line).map(|commands| commands.iter().map(|c| c.join("|")).collect::<Vec<_>>());
        let ok = |commands: &[&str]| Some(commands.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>());
        assert_eq!(split("cd a && exec python 'b c.py' --x"), ok(&["cd|a", "exec|python|b c.py|--x"]));
        assert_eq!(split("A=1 node \"x $Y\".js 2>/tmp/log; # done"), ok(&["A=1|node|x $Y.js"]));
        assert_eq!(split("node x.js 2>&1 >> log < /dev/null"), ok(&["node|x.js"]));
        assert_eq!(split("node x.js &> log"), ok(&["node|x.js"]));
        assert_eq!(split(r"python my\ server.py"), ok(&["python|my server.py"]));
        assert_eq!(split("#!/bin/sh\nset -e\nnode x.js\n"), ok(&["set|-e", "node|x.js"]));
        for program in [
            "a | b",
            "a || b",
            "a &",
            "a $(b)",
            "a `b`",
            "(a)",
            "for x in y; do z; done",
            "if a; then b; fi",
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
}
