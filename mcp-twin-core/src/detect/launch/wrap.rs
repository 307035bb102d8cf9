//! Commands that only start another one: `env`, secret stores, version managers, reloaders.

mod shell;
mod windows;

use super::reading::{Found, Reading};
use super::root::{Ground, Language};
use super::words::Opts;
use super::{Flag, Kind, TwinHint};

/// Which options of a wrapper take a value, and what stands between them and the command.
struct Wrapper {
    names: &'static [&'static str],
    valued: &'static [&'static str],
    /// Words that must follow the name: `run` of `op run`.
    verbs: &'static [&'static str],
    /// Whether the verb may be left out.
    bare: bool,
    /// How many words stand before the command: the version of `nvm exec 20 node`.
    skip: usize,
    /// Words of its own go on up to `--`: `chamber exec a b -- cmd`.
    dashed: bool,
    /// Whether it hands variables on, so that the flag says so.
    env: bool,
    /// Whether it starts the command anew by itself.
    reloads: bool,
    /// Options that move the working directory.
    folder: &'static [&'static str],
    /// Options that take the whole command in one word.
    line: &'static [&'static str],
}

const fn wrapper(names: &'static [&'static str], valued: &'static [&'static str]) -> Wrapper {
    Wrapper {
        names,
        valued,
        verbs: &[],
        bare: false,
        skip: 0,
        dashed: false,
        env: false,
        reloads: false,
        folder: &[],
        line: &[],
    }
}

const fn env(
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
) -> Wrapper {
    Wrapper { verbs, env: true, ..wrapper(names, valued) }
}

const fn manager(names: &'static [&'static str], verbs: &'static [&'static str], skip: usize) -> Wrapper {
    Wrapper { verbs, skip, ..wrapper(names, &["--using", "--node", "--npm", "--yarn", "--pnpm"]) }
}

const fn reloader(names: &'static [&'static str], valued: &'static [&'static str]) -> Wrapper {
    Wrapper { reloads: true, ..wrapper(names, valued) }
}

const WRAPPERS: &[Wrapper] = &[
    env(&["dotenvx"], &["run"], &["-f", "--env-file", "-e", "--env", "-fk", "--env-keys-file"]),
    Wrapper { bare: true, ..env(&["dotenv", "dotenv-cli"], &["run"], &["-f", "--file", "-e", "-p", "-v", "-q"]) },
    env(&["op"], &["run"], &["--env-file", "--account", "--environment", "--config", "--session"]),
    Wrapper {
        line: &["--command"],
        ..env(&["doppler"], &["run"], &["-p", "--project", "-c", "--config", "-t", "--token", "--mount", "--command"])
    },
    Wrapper {
        line: &["--command", "-c"],
        ..env(
            &["infisical"],
            &["run"],
            &["--env", "-e", "--path", "--projectId", "--token", "--domain", "--command", "-c", "--tags", "-t"],
        )
    },
    env(&["envmcp"], &[], &["-e", "--env-file"]),
    env(&["env-cmd"], &[], &["-f", "--file", "-e", "--environments", "-r", "--rc-file"]),
    env(&["cross-env", "cross-env-shell"], &[], &[]),
    Wrapper { dashed: true, skip: 1, ..env(&["aws-vault", "chamber"], &["exec"], &["-d", "--duration", "--region"]) },
    env(&["bws", "varlock", "teller", "phase", "secretspec"], &["run"], &["-p", "--path", "--project-id", "-c"]),
    Wrapper { skip: 1, ..env(&["sops"], &["exec-env"], &["--user"]) },
    Wrapper { skip: 1, ..env(&["envchain"], &[], &[]) },
    Wrapper { skip: 1, ..env(&["direnv"], &["exec"], &[]) },
    manager(&["nvm"], &["exec", "run"], 1),
    manager(&["n", "nodenv", "pyenv", "rbenv", "asdf", "fnm"], &["exec"], 0),
    manager(&["volta"], &["run"], 0),
    manager(&["corepack", "busybox"], &[], 0),
    Wrapper {
        dashed: true,
        skip: 1,
        verbs: &["x", "exec"],
        folder: &["-C", "--cd"],
        line: &["-c", "--command"],
        ..wrapper(&["mise", "rtx"], &["-C", "--cd", "-E", "--env", "-j", "--jobs", "-c", "--command"])
    },
    Wrapper {
        dashed: true,
        verbs: &["activate", "shell", "run"],
        ..wrapper(&["flox", "devbox", "devenv", "guix"], &["-d"])
    },
    Wrapper {
        folder: &["-D", "--chdir"],
        ..wrapper(&["sudo", "doas"], &["-u", "-g", "-C", "-D", "-p", "-h", "-U", "--user", "--group", "--chdir"])
    },
    wrapper(&["time"], &["-f", "--format", "-o", "--output"]),
    wrapper(&["nohup", "setsid", "exec", "command", "builtin"], &["-a"]),
    wrapper(&["unbuffer", "winpty", "tini", "dumb-init", "catatonit"], &["-p"]),
    wrapper(&["stdbuf"], &["-i", "-o", "-e", "--input", "--output", "--error"]),
    wrapper(&["nice", "ionice", "chrt"], &["-n", "-c", "-p", "--adjustment"]),
    Wrapper { skip: 1, ..wrapper(&["timeout", "gtimeout"], &["-k", "-s", "--signal", "--kill-after"]) },
    Wrapper { skip: 1, ..wrapper(&["taskset", "gosu", "su-exec"], &[]) },
    wrapper(&["strace", "ltrace"], &["-o", "-e", "-s", "-u", "-E", "-P"]),
    Wrapper {
        folder: &["--working-directory"],
        ..wrapper(
            &["systemd-run"],
            &["-p", "--property", "-u", "--unit", "--slice", "-E", "--setenv", "--uid", "--gid", "--working-directory"],
        )
    },
    wrapper(&["caffeinate", "arch"], &["-w", "-t", "-arch"]),
    wrapper(&["xvfb-run"], &["-n", "-s", "-e", "-f", "--server-args"]),
    reloader(
        &["watchexec"],
        &["-w", "--watch", "-e", "--exts", "-i", "--ignore", "-f", "--filter", "-d", "--debounce", "-s", "--signal"],
    ),
    reloader(&["watchfiles"], &["--filter", "--ignore-paths", "--target-type", "--verbosity", "--args"]),
    Wrapper {
        verbs: &["auto-restart"],
        ..reloader(
            &["watchmedo"],
            &[
                "-d",
                "--directory",
                "-p",
                "--pattern",
                "--patterns",
                "-i",
                "--ignore-patterns",
                "--signal",
                "--kill-after",
            ],
        )
    },
    reloader(&["mcpmon", "mcp-server-hmr", "mcp-reloader"], &["-w", "--watch", "-e", "--ext", "--include"]),
    Wrapper {
        verbs: &["proxy"],
        bare: true,
        ..reloader(&["reloaderoo"], &["-w", "--working-dir", "-l", "--log-level"])
    },
];

/// Whether this is a wrapper that package runners fetch: `npx dotenvx run -- cmd`.
pub(super) fn is_fetched(name: &str) -> bool {
    WRAPPERS.iter().any(|wrapper| (wrapper.env || wrapper.reloads) && wrapper.names.contains(&name))
}

impl Reading<'_> {
    /// Takes a wrapper off, if this is one.
    pub(super) fn wrapper(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "mcp-twin" => Some(self.twinned()),
            "cmd" => Some(self.cmd(args)),
            "powershell" | "pwsh" => Some(self.powershell(name, args)),
            "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" | "fish" | "csh" | "tcsh" => Some(self.shell(args)),
            "env" => Some(self.env_command(args)),
            "nix" | "nix-shell" => Some(self.nix(name, args)),
            name => {
                let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name))?;
                self.unwrap(wrapper, args)
            }
        }
    }

    /// It runs behind mcp-twin already.
    pub(super) fn twinned(&mut self) -> Found {
        self.flags.insert(Flag::AlreadyTwinned);
        Found { twin: Some(TwinHint::Already), ..Found::new(Kind::McpTwin) }
    }

    fn unwrap(&mut self, wrapper: &Wrapper, args: &[String]) -> Option<Found> {
        // Options may stand on both sides of the verb.
        let before = Opts::read(args, wrapper.valued);
        let verb = before.rest.first().filter(|word| wrapper.verbs.contains(&word.as_str()));
        if wrapper.names.contains(&"mise") && before.rest.first().is_some_and(|word| word == "run" || word == "r") {
            self.move_to(&before, wrapper);
            return Some(self.task(Kind::ProjectRun));
        }
        let after = match verb {
            Some(_) => Opts::read(&before.rest[1..], wrapper.valued),
            None if wrapper.verbs.is_empty() || wrapper.bare => before.clone(),
            None => return None,
        };
        let mut rest = after.rest;
        let ended = args.get((args.len() - rest.len()).wrapping_sub(1)).is_some_and(|word| word == "--");
        if wrapper.dashed
            && let Some(at) = rest.iter().position(|word| word == "--").filter(|_| !ended)
        {
            rest = &rest[at..];
        } else if !ended {
            rest = rest.get(wrapper.skip..).unwrap_or_default();
        }
        if rest.first().is_some_and(|word| word == "--") {
            rest = &rest[1..];
        }
        // `mise x node@20 --command "…"`: the options go on behind the tools.
        let late = Opts::read(
            rest.iter().position(|word| word.starts_with('-')).map_or(&[], |at| &rest[at..]),
            wrapper.valued,
        );
        let line = after.value(wrapper.line).or_else(|| late.value(wrapper.line).filter(|_| wrapper.dashed));
        if rest.is_empty() && line.is_none() {
            return None;
        }
        self.move_to(&before, wrapper);
        self.move_to(&after, wrapper);
        self.flags.extend(wrapper.env.then_some(Flag::EnvWrapper));
        self.flags.extend(wrapper.reloads.then_some(Flag::SelfReloading));
        if let Some(line) = line {
            return Some(self.line(line));
        }
        match self.assignments(rest) {
            // `sops exec-env F 'cmd x'`, `watchfiles 'cmd x' folder`: the whole command in one word.
            [line, ..] if line.contains(char::is_whitespace) && !self.exists(&self.script_at(line)) => {
                Some(self.line(line))
            }
            rest => Some(self.run(rest)),
        }
    }

    fn move_to(&mut self, opts: &Opts<'_>, wrapper: &Wrapper) {
        if let Some(folder) = opts.value(wrapper.folder) {
            self.enter(folder);
        }
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
        let args = split_string(args);
        let opts = Opts::read(&args, &["-u", "--unset", "-C", "--chdir", "-P", "-a", "--argv0"]);
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

    fn nix(&mut self, name: &str, args: &[String]) -> Found {
        // What stands behind `--` belongs to the program.
        let own = args.iter().position(|word| word == "--").unwrap_or(args.len());
        let command = args[..own].iter().position(|word| matches!(word.as_str(), "-c" | "--command" | "--run"));
        if let Some(at) = command {
            let rest = &args[at + 1..];
            // `nix-shell --run` takes one line, `nix develop -c` takes words.
            return match rest {
                [line, ..] if name == "nix-shell" => self.line(line),
                rest => self.run(rest),
            };
        }
        let package = args[..own].iter().skip(1).find(|word| !word.starts_with('-'));
        let found = Found::new(Kind::Binary).rest(args.get(own + 1..).unwrap_or_default()).slow();
        let folder = package.map_or(".", |package| package.split('#').next().unwrap_or(package));
        if args.first().is_some_and(|verb| verb == "run") && super::reading::looks_like_path(folder) {
            // A flake of one's own is built from its folder.
            self.flags.extend([Flag::LocalPackage, Flag::CompilesOnStart]);
            let found = found.folder(self.resolve(folder), Language::Other);
            return Found { package: package.cloned(), ..found };
        }
        self.flags.insert(Flag::InstalledPackage);
        Found { package: package.cloned(), ..found }
    }

    /// A task of a project file that is not looked into: its project is what can be watched.
    pub(super) fn task(&mut self, kind: Kind) -> Found {
        self.flags.insert(Flag::Task);
        Found::new(kind).folder(self.project_of_cwd(), Language::Python)
    }

    /// A script that a shell runs and that cannot be looked into.
    fn opaque_file(&mut self, kind: Kind, script: String) -> Found {
        self.flags.insert(Flag::OpaqueScript);
        Found::new(kind).only_file(script)
    }

    /// What a script came to, with the script itself watched besides; the script alone if it came to nothing.
    fn looked_through(&mut self, script: String, rest: &[String], inner: Option<Found>) -> Option<Found> {
        let inner = inner.filter(|inner| inner.ground != Ground::Nothing)?;
        let rest = inner.rest.iter().filter(|word| *word != "$@").chain(rest).cloned().collect();
        Some(Found { rest, also: Some(script), ..inner })
    }
}

/// `-S "A=1 cmd x"` splits one word; the words behind it stay as they are.
fn split_string(args: &[String]) -> Vec<String> {
    let mut args = args.to_vec();
    let is_split = |word: &String| {
        word == "--split-string" || word.starts_with("--split-string=") || word.starts_with("-S") || word == "-vS"
    };
    let Some(at) = args.iter().position(is_split) else { return args };
    if !args[..at].iter().all(|word| word.starts_with('-') || word.contains('=')) {
        return args;
    }
    let word = args.remove(at);
    let attached =
        word.strip_prefix("--split-string=").or_else(|| word.strip_prefix("-S")).filter(|text| !text.is_empty());
    let text = attached.map(str::to_owned).or_else(|| (at < args.len()).then(|| args.remove(at)));
    let words = text.and_then(|text| shell_words::split(&text).ok()).unwrap_or_default();
    args.splice(at..at, words);
    args
}
