//! Words of command lines: options with and without values.

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
}
