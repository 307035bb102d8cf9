//! Commands that only start another one: shells, `env`, secret stores, version managers.

use super::native::Named;
use super::reading::{Found, Reading, looks_like_path};
use super::root::{Ground, Language};
use super::words::{Opts, shell_line, windows_words};
use super::{Flag, Kind, TwinHint, path};

/// Which options of a wrapper take a value, and what stands between them and the command.
struct Wrapper {
    names: &'static [&'static str],
    valued: &'static [&'static str],
    /// Words that may follow the name: `run` of `op run`.
    verbs: &'static [&'static str],
    /// How many words stand before the command: the version of `nvm exec 20 node`.
    skip: usize,
    /// Whether it hands variables on, so that the flag says so.
    env: bool,
}

const fn wrapper(names: &'static [&'static str], valued: &'static [&'static str]) -> Wrapper {
    Wrapper { names, valued, verbs: &[], skip: 0, env: false }
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper { verbs: &["run"], env: true, ..wrapper(&["dotenvx"], &["-f", "--env-file", "-e", "--env", "-fk"]) },
    Wrapper { verbs: &["run"], env: true, ..wrapper(&["dotenv"], &["-f", "--file", "-e", "-p", "-v", "-c"]) },
    Wrapper { verbs: &["run"], env: true, ..wrapper(&["op"], &["--env-file", "--account", "--environment"]) },
    Wrapper {
        verbs: &["run"],
        env: true,
        ..wrapper(&["doppler"], &["-p", "--project", "-c", "--config", "-t", "--token", "--mount"])
    },
    Wrapper {
        verbs: &["run"],
        env: true,
        ..wrapper(&["infisical"], &["--env", "--path", "--projectId", "--token", "--domain"])
    },
    Wrapper { env: true, ..wrapper(&["envmcp"], &["-e", "--env-file"]) },
    Wrapper { env: true, ..wrapper(&["env-cmd"], &["-f", "--file", "-e", "--environments"]) },
    Wrapper { verbs: &["exec", "run"], skip: 1, ..wrapper(&["nvm"], &[]) },
    Wrapper { verbs: &["exec"], ..wrapper(&["fnm"], &["--using"]) },
    Wrapper { verbs: &["run"], ..wrapper(&["volta"], &["--node", "--npm", "--yarn", "--pnpm"]) },
    Wrapper { verbs: &["exec"], ..wrapper(&["asdf"], &[]) },
    Wrapper { verbs: &["exec"], skip: 1, ..wrapper(&["direnv"], &[]) },
    wrapper(&["sudo", "doas"], &["-u", "-g", "-C", "-D", "-p", "--user", "--group"]),
    wrapper(&["time", "nohup", "setsid", "exec", "command", "builtin"], &["-a"]),
    wrapper(&["stdbuf"], &["-i", "-o", "-e"]),
    wrapper(&["nice", "ionice", "chrt"], &["-n", "-c", "-p"]),
    Wrapper { skip: 1, ..wrapper(&["timeout", "gtimeout"], &["-k", "-s", "--signal", "--kill-after"]) },
    wrapper(&["caffeinate", "arch"], &["-w", "-t", "-arch"]),
    wrapper(&["xvfb-run"], &["-n", "-s", "-e", "-f", "--server-args"]),
];

impl Reading<'_> {
    /// Takes a wrapper off, if this is one.
    pub(super) fn wrapper(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "mcp-twin" => {
                self.flags.insert(Flag::AlreadyTwinned);
                Some(Found { twin: Some(TwinHint::Already), ..Found::new(Kind::McpTwin) })
            }
            "cmd" => Some(self.windows_shell(args)),
            "powershell" | "pwsh" => Some(self.powershell(args)),
            "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" | "fish" => Some(self.shell(args)),
            "env" => Some(self.env_command(args)),
            "mise" | "rtx" => self.mise(args),
            "nix" | "nix-shell" => Some(self.nix(name, args)),
            "wsl" => {
                self.flags.insert(Flag::ForeignFilesystem);
                Some(Found { twin: Some(TwinHint::Skip), ..Found::new(Kind::Wsl) })
            }
            name => {
                let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name))?;
                self.unwrap(wrapper, args)
            }
        }
    }

    fn unwrap(&mut self, wrapper: &Wrapper, args: &[String]) -> Option<Found> {
        // Options may stand on both sides of the verb.
        let before = Opts::read(args, wrapper.valued);
        let verb = before.rest.first().is_some_and(|word| wrapper.verbs.contains(&word.as_str()));
        let after = if verb { Opts::read(&before.rest[1..], wrapper.valued) } else { before };
        let mut rest = after.rest;
        rest = rest.get(wrapper.skip..).unwrap_or_default();
        if rest.first().is_some_and(|word| word == "--") {
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return None;
        }
        if wrapper.env {
            self.flags.insert(Flag::EnvWrapper);
        }
        let rest = self.assignments(rest);
        Some(self.run(rest))
    }

    /// `A=1 B=2 cmd`: takes the assignments off.
    fn assignments<'w>(&mut self, words: &'w [String]) -> &'w [String] {
        let mut at = 0;
        while let Some((name, value)) = words.get(at).and_then(|word| word.split_once('=')) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
                break;
            }
            self.env.push((name.to_owned(), value.to_owned()));
            at += 1;
        }
        &words[at..]
    }

    fn env_command(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::EnvWrapper);
        let mut args = args.to_vec();
        // `-S "A=1 cmd x"` splits one word; the words behind it stay as they are.
        if let Some(at) =
            args.iter().position(|word| word == "-S" || word == "--split-string" || word.starts_with("-S"))
        {
            let before_command = args[..at].iter().all(|word| word.starts_with('-') || word.contains('='));
            if before_command {
                let attached = args[at].strip_prefix("-S").filter(|text| !text.is_empty()).map(str::to_owned);
                args.remove(at);
                let text = attached.or_else(|| (at < args.len()).then(|| args.remove(at)));
                let words = text.and_then(|text| shell_words::split(&text).ok()).unwrap_or_default();
                args.splice(at..at, words);
            }
        }
        let opts = Opts::read(&args, &["-u", "--unset", "-C", "--chdir", "-P"]);
        if let Some(folder) = opts.value(&["-C", "--chdir"]) {
            self.enter(folder);
        }
        let rest = self.assignments(opts.rest).to_vec();
        if rest.is_empty() {
            self.flags.insert(Flag::NoScript);
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Binary) };
        }
        self.run(&rest)
    }

    fn mise(&mut self, args: &[String]) -> Option<Found> {
        let (verb, rest) = args.split_first()?;
        match verb.as_str() {
            // `mise x node@20 -- cmd`
            "x" | "exec" => {
                let at = rest.iter().position(|word| word == "--")? + 1;
                Some(self.run(&rest[at..]))
            }
            "run" | "r" => Some(self.task(Kind::ProjectRun)),
            _ => None,
        }
    }

    fn nix(&mut self, name: &str, args: &[String]) -> Found {
        let command = args.iter().position(|word| matches!(word.as_str(), "-c" | "--command" | "--run"));
        if let Some(at) = command {
            let rest = &args[at + 1..];
            // `nix-shell --run` takes one line, `nix develop -c` takes words.
            return match rest {
                [line] if name == "nix-shell" => self.line(line),
                rest => self.run(rest),
            };
        }
        self.flags.insert(Flag::InstalledPackage);
        let package = args.iter().skip(1).find(|word| !word.starts_with('-'));
        Found { package: package.cloned(), ..Found::new(Kind::Binary).slow() }
    }

    /// A task of a project file that is not looked into: its project is what can be watched.
    pub(super) fn task(&mut self, kind: Kind) -> Found {
        self.flags.insert(Flag::Task);
        Found::new(kind).folder(self.project_of_cwd(), Language::Python)
    }

    fn windows_shell(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::CmdWrapper);
        let command = args.iter().position(|word| !word.starts_with('/')).unwrap_or(args.len());
        match &args[command..] {
            [] => Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Shell) },
            [line] if line.contains(char::is_whitespace) => self.run(&windows_words(line)),
            words => {
                // Only the last of `a && b` goes on running.
                let last = words.iter().rposition(|word| word == "&&" || word == "&").map_or(0, |at| at + 1);
                if let [cd, folder, ..] = words
                    && last > 0
                    && cd.eq_ignore_ascii_case("cd")
                {
                    self.enter(folder);
                }
                self.run(&words[last..])
            }
        }
    }

    fn powershell(&mut self, args: &[String]) -> Found {
        let flag = |names: [&str; 2]| {
            args.iter().position(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name))).map(|at| at + 1)
        };
        if let Some(at) = flag(["-command", "-c"]) {
            self.flags.insert(Flag::ShellWrapper);
            return self.line(&args[at..].join(" "));
        }
        let script = match flag(["-file", "-f"]) {
            Some(at) => args.get(at),
            None => args.iter().find(|word| path::extension(word) == "ps1"),
        };
        self.flags.insert(Flag::OpaqueScript);
        match script {
            Some(script) => Found::new(Kind::PowershellScript).only_file(self.script_at(script)),
            None => Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Shell) },
        }
    }

    fn shell(&mut self, args: &[String]) -> Found {
        let mut at = 0;
        while let Some(word) = args.get(at).filter(|word| word.starts_with('-') && word.len() > 1) {
            at += 1;
            if word.starts_with("--") {
                // `--rcfile F`
                at += usize::from(matches!(word.as_str(), "--rcfile" | "--init-file"));
            } else if word.contains('c') {
                self.flags.insert(Flag::ShellWrapper);
                return match args.get(at) {
                    Some(line) => self.line(line),
                    None => self.opaque(),
                };
            } else if word == "-o" || word == "-O" {
                at += 1;
            }
        }
        match args.get(at) {
            Some(script) => self.shell_script(script, &args[at + 1..]),
            None => self.opaque(),
        }
    }

    /// A script file that a shell runs. If it comes to one plain command, that is what runs.
    pub(super) fn shell_script(&mut self, script: &str, rest: &[String]) -> Found {
        let script = self.script_at(script);
        let found = Found::new(Kind::ShellScript).only_file(script.clone()).rest(rest);
        let cwd = self.cwd.clone();
        let inner = self.text(&script).and_then(|text| {
            let text = own_folder(&text);
            let folder = path::parent(&script)?.to_owned();
            self.env.push((OWN_FOLDER.to_owned(), folder));
            shell_line(&text).is_some().then(|| self.line(&text))
        });
        match inner {
            Some(inner) if inner.ground != Ground::Nothing => {
                let rest = inner.rest.iter().filter(|word| *word != "$@").chain(rest).cloned().collect();
                Found { rest, also: Some(script), ..inner }
            }
            _ => {
                self.cwd = cwd;
                self.flags.insert(Flag::OpaqueScript);
                found
            }
        }
    }

    fn opaque(&mut self) -> Found {
        self.flags.insert(Flag::OpaqueScript);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Shell) }
    }

    /// One line of a shell: what prepares is passed over, the last command is what runs.
    pub(super) fn line(&mut self, line: &str) -> Found {
        let Some(commands) = shell_line(line) else { return self.opaque() };
        let Some((last, before)) = commands.split_last() else { return self.opaque() };
        for command in before {
            let command = self.expanded(command);
            let mut words = self.assignments(&command);
            if words.first().is_some_and(|word| word == "export") {
                words = self.assignments(&words[1..]);
            }
            match words {
                [cd, folder, ..] if matches!(cd.as_str(), "cd" | "pushd") => self.enter(folder),
                [cd] if cd == "cd" => self.cwd = self.home(),
                _ => {}
            }
        }
        let last = self.expanded(last);
        let words = self.assignments(&last).to_vec();
        if words.is_empty() { self.opaque() } else { self.run(&words) }
    }

    fn expanded(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.expand(word)).collect()
    }

    /// Puts known variables in their places: `$X`, `${X}`; what is not known stays as it is.
    fn expand(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some(at) = rest.find('$') {
            let (before, tail) = rest.split_at(at);
            out.push_str(before);
            let name_end =
                |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            let (name, after) = match tail[1..].strip_prefix('{') {
                Some(inner) => match inner.split_once('}') {
                    Some((name, after)) => (name, after),
                    None => ("", &tail[1..]),
                },
                None => tail[1..].split_at(name_end(&tail[1..])),
            };
            let value = self.expandable(name).map(str::to_owned).or_else(|| match name {
                "HOME" => self.home(),
                "PWD" => self.cwd.clone(),
                _ => None,
            });
            out.push_str(&value.unwrap_or_else(|| tail[..tail.len() - after.len()].to_owned()));
            rest = after;
        }
        out + rest
    }

    /// The command itself is a file, or a program that the system looks up.
    pub(super) fn file(&mut self, first: &str, args: &[String]) -> Found {
        let lookup = || {
            let name = first.to_owned();
            let paths = self.variable("PATH")?.split(':').map(|folder| path::join(folder, &name));
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
