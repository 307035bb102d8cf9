//! Compiled languages, other interpreters, and files that are the command themselves.

use super::reading::{Found, Reading};
use super::root::Language;
use super::words::Opts;
use super::{Flag, Kind, TwinHint, path};

/// How a command's file was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By the command's name alone: it was looked up on PATH.
    ByPath,
    Absolute,
    Relative,
}

impl Reading<'_> {
    pub(super) fn native(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "cargo" => self.cargo(args),
            "go" => self.go(args),
            "dotnet" => self.dotnet(args),
            "dnx" => Some(self.dnx(args)),
            "java" => Some(self.java(args)),
            "jbang" => Some(self.jbang(args)),
            "gradle" | "gradlew" | "mvn" | "mvnw" => Some(self.gradle(args)),
            "ruby" | "php" | "perl" | "lua" | "luajit" | "rscript" | "julia" | "elixir" => Some(self.interpreter(args)),
            _ => None,
        }
    }

    fn gradle(&mut self, args: &[String]) -> Found {
        let named = ["-p", "--project-dir", "-f", "--file", "-b", "--build-file"];
        let at = args.iter().position(|word| named.contains(&word.as_str())).and_then(|at| args.get(at + 1));
        let attached = args.iter().find_map(|word| word.split_once('=').filter(|(name, _)| named.contains(name)));
        let named = at.map(String::as_str).or(attached.map(|(_, value)| value)).and_then(|path| self.resolve(path));
        let folder = named.map(|path| match path::extension(&path).as_str() {
            "xml" | "gradle" | "kts" => path::parent(&path).map_or_else(|| path.clone(), str::to_owned),
            _ => path,
        });
        self.flags.insert(Flag::CompilesOnStart);
        Found::new(Kind::Gradle).slow().folder(folder.or_else(|| self.cwd.clone()), Language::Java)
    }

    fn cargo(&mut self, args: &[String]) -> Option<Found> {
        const VALUED: &[&str] = &[
            "-p",
            "--package",
            "--manifest-path",
            "--bin",
            "--example",
            "--features",
            "-F",
            "--target",
            "--target-dir",
            "--profile",
            "-j",
            "--jobs",
            "-Z",
            "-C",
            "--config",
            "--color",
            "--message-format",
            "-x",
            "--exec",
            "-w",
        ];
        let args = match args.split_first() {
            Some((toolchain, args)) if toolchain.starts_with('+') => args,
            _ => args,
        };
        let global = Opts::read(args, VALUED);
        if let Some(folder) = global.value(&["-C"]) {
            self.enter(folder);
        }
        let (verb, rest) = global.rest.split_first()?;
        match verb.as_str() {
            "run" | "r" => {}
            "watch" => {
                self.flags.insert(Flag::SelfReloading);
            }
            _ => return None,
        }
        self.flags.extend([Flag::BuildLock, Flag::CompilesOnStart]);
        let opts = Opts::read(rest, VALUED);
        let manifest = opts.value(&["--manifest-path"]).or_else(|| global.value(&["--manifest-path"]));
        let manifest = match manifest {
            Some(manifest) => Some(self.script_at(manifest)),
            None => self.cwd.as_deref().and_then(|cwd| {
                let mut manifests = path::ancestors(cwd).map(|folder| path::join(folder, "Cargo.toml"));
                manifests.find(|manifest| self.is_file(manifest))
            }),
        };
        let folder = manifest.as_deref().and_then(path::parent).map(str::to_owned);
        let found = Found::new(Kind::CargoRun).rest(opts.rest).slow().folder(folder, Language::Rust);
        Some(Found { script: manifest, ..found })
    }

    fn go(&mut self, args: &[String]) -> Option<Found> {
        const VALUED: &[&str] = &[
            "-C",
            "-p",
            "-mod",
            "-modfile",
            "-tags",
            "-ldflags",
            "-gcflags",
            "-asmflags",
            "-exec",
            "-overlay",
            "-pkgdir",
            "-toolexec",
            "-pgo",
            "-buildvcs",
            "-covermode",
            "-coverpkg",
        ];
        let global = Opts::read(args, VALUED);
        let (verb, rest) = global.rest.split_first()?;
        if verb != "run" {
            return None;
        }
        let opts = Opts::read(rest, VALUED);
        if let Some(folder) = opts.value(&["-C"]).or_else(|| global.value(&["-C"])) {
            self.enter(folder);
        }
        self.flags.insert(Flag::CompilesOnStart);
        let found = Found::new(Kind::GoRun).slow();
        let Some((package, rest)) = opts.rest.split_first() else { return Some(found) };
        if package.contains('@') {
            self.flags.insert(Flag::InstalledPackage);
            return Some(found.package(package).rest(rest));
        }
        let script = self.script_at(package);
        let folder = if path::extension(package) == "go" { path::parent(&script).unwrap_or("/") } else { &script };
        let module = path::ancestors(folder).find(|folder| self.is_file(&path::join(folder, "go.mod")));
        let root = module.unwrap_or(folder).to_owned();
        let found = found.rest(rest).folder(Some(root), Language::Go);
        Some(Found { script: Some(script), ..found })
    }

    fn dotnet(&mut self, args: &[String]) -> Option<Found> {
        const VALUED: &[&str] = &[
            "--project",
            "-p",
            "-c",
            "--configuration",
            "-f",
            "--framework",
            "-r",
            "--runtime",
            "--launch-profile",
            "-lp",
            "-v",
            "--verbosity",
            "-a",
            "--arch",
            "--os",
            "--property",
            "--depsfile",
            "--runtimeconfig",
            "--roll-forward",
            "--fx-version",
            "--additionalprobingpath",
            "--file",
        ];
        let global = Opts::read(args, VALUED);
        let (verb, rest) = global.rest.split_first()?;
        if path::extension(verb) == "dll" {
            let script = self.script_at(verb);
            return Some(Found::new(Kind::DotnetDll).only_file(script).rest(rest));
        }
        let rest = match verb.as_str() {
            "run" => rest,
            "watch" => {
                self.flags.insert(Flag::SelfReloading);
                rest.strip_prefix(&["run".to_owned()][..]).unwrap_or(rest)
            }
            // `dotnet exec x.dll`
            "exec" => return self.dotnet(rest),
            "tool" if rest.first().is_some_and(|word| word == "run" || word == "exec" || word == "x") => {
                return Some(self.dnx(&rest[1..]));
            }
            "dnx" => return Some(self.dnx(rest)),
            _ => return None,
        };
        self.flags.insert(Flag::CompilesOnStart);
        let opts = Opts::read(rest, VALUED);
        let named = opts.value(&["--project", "-p", "--file"]).or_else(|| global.value(&["--project"]));
        let single = opts.rest.first().filter(|word| named.is_none() && path::extension(word) == "cs");
        let script = named.or(single.map(String::as_str)).map(|path| self.script_at(path)).or_else(|| self.cwd.clone());
        // A folder stands for the project file in it.
        let script = script.map(|script| self.dotnet_project(&script).unwrap_or(script));
        let folder = script.clone().and_then(|script| {
            let file = matches!(path::extension(&script).as_str(), "cs" | "csproj" | "fsproj" | "vbproj");
            if file { path::parent(&script).map(str::to_owned) } else { Some(script) }
        });
        let found = Found::new(Kind::DotnetRun).rest(opts.rest).slow().folder(folder, Language::Dotnet);
        Some(Found { script, ..found })
    }

    fn dnx(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, &["--version", "--source", "--add-source", "--configfile", "--verbosity", "-v"]);
        self.flags.insert(Flag::InstalledPackage);
        let found = Found::new(Kind::Dnx).slow();
        match opts.rest.split_first() {
            Some((package, rest)) => found.package(package).rest(rest),
            None => found,
        }
    }

    fn java(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(
            args,
            &[
                "-cp",
                "-classpath",
                "--class-path",
                "-p",
                "--module-path",
                "-m",
                "--module",
                "--add-modules",
                "--add-opens",
                "--add-exports",
                "-jar",
            ],
        );
        // Spring takes `-Dserver.port=N` as much as `--server.port=N`.
        let defined = args[..args.len() - opts.rest.len()].iter().filter_map(|word| word.strip_prefix("-D"));
        let settings: Vec<String> = defined.map(|setting| format!("--{setting}")).collect();
        if let Some(jar) = opts.value(&["-jar"]) {
            let script = self.script_at(jar);
            return Found::new(Kind::JavaJar).only_file(script).rest(&[&settings, opts.rest].concat());
        }
        let Some((main, rest)) = opts.rest.split_first() else { return Found::new(Kind::JavaCp) };
        if path::extension(main) == "java" {
            let script = self.script_at(main);
            self.flags.insert(Flag::CompilesOnStart);
            return Found::new(Kind::JavaCp).script(script, Language::Other).rest(rest);
        }
        let found = Found::new(Kind::JavaCp).package(main).rest(&[&settings, rest].concat());
        // The first folder or jar of the class path is the server's own, as a rule.
        let first = opts.value(&["-cp", "-classpath", "--class-path"]).and_then(|path| {
            let separator = if path.contains(';') || path::is_windows(path) { ';' } else { ':' };
            path.split(separator).next().map(|part| self.script_at(part))
        });
        match first {
            Some(jar) if path::extension(&jar) == "jar" => found.only_file(jar),
            Some(folder) if self.is_dir(&folder) => found.folder(Some(folder), Language::Java),
            _ => found,
        }
    }

    fn jbang(&mut self, args: &[String]) -> Found {
        let args = args.strip_prefix(&["run".to_owned()][..]).unwrap_or(args);
        let opts = Opts::read(args, &["--deps", "--repos", "--java", "-j", "-m", "--main", "--cp", "-D"]);
        self.flags.insert(Flag::CompilesOnStart);
        let found = Found::new(Kind::Jbang).slow();
        match opts.rest.split_first() {
            Some((script, rest)) if path::extension(script) == "java" && !script.contains("://") => {
                let script = self.script_at(script);
                found.script(script, Language::Other).rest(rest)
            }
            Some((package, rest)) => {
                self.flags.insert(Flag::InstalledPackage);
                found.package(package).rest(rest)
            }
            None => found,
        }
    }

    fn interpreter(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, &["-r", "-I", "-S", "-d", "-c", "-e"]);
        match opts.rest.split_first() {
            Some((script, rest)) if !opts.has(&["-e"]) => {
                let script = self.script_at(script);
                Found::new(Kind::Interpreter).script(script, Language::Other).rest(rest)
            }
            _ => {
                self.flags.insert(Flag::NoScript);
                Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Interpreter) }
            }
        }
    }

    /// A file that is the command itself: a script by its extension or first line, an entry point, else a program.
    pub(super) fn executable(&mut self, script: String, args: &[String], by: Named) -> Found {
        let found = by == Named::ByPath;
        let extension = path::extension(&script);
        let language = match extension.as_str() {
            "py" | "pyw" => Some(Language::Python),
            "js" | "mjs" | "cjs" => Some(Language::JavaScript),
            "ts" | "mts" | "cts" => Some(Language::TypeScript),
            "rb" | "php" | "pl" | "lua" => Some(Language::Other),
            "sh" | "bash" | "zsh" | "cmd" | "bat" | "ps1" => Some(Language::File),
            _ => None,
        };
        if super::root::in_tool_folder(&script)
            && path::parent(&script).is_some_and(|bin| path::file_name(bin) == ".bin")
        {
            return self.installed(Kind::ExecutableScript, &script, args);
        }
        // A script of one's own may lie in a folder of commands below home; a file with a source's name is one.
        // A relative path is the project's own wherever that is.
        let own = by == Named::Relative
            || language.is_some() && self.home().is_some_and(|home| path::is_within(&script, &home));
        if !own && self.is_installed(&script, found) {
            return self.installed(Kind::Binary, &script, args);
        }
        if language.is_none()
            && let Some(project) = self.project_of_venv(&script)
        {
            let name = path::command(&script);
            let before = self.flags.clone();
            let entry = self.console_script(Kind::ExecutableScript, &name, args, Some(project));
            if found && entry.script.is_none() {
                // No entry point of the project: somebody else's package, installed in its environment.
                self.flags = before;
                return self.installed(Kind::ExecutableScript, &script, args);
            }
            let found = entry;
            return Found { script: found.script.clone().or(Some(script)), ..found };
        }
        let language = language.or_else(|| self.shebang(&script));
        match language {
            Some(Language::File) if matches!(extension.as_str(), "cmd" | "bat" | "ps1") => {
                self.flags.insert(Flag::OpaqueScript);
                Found::new(Kind::ExecutableScript).only_file(script).rest(args)
            }
            Some(Language::File) => {
                let found = self.shell_script(&script, args);
                let kind = if found.also.is_some() { found.kind } else { Kind::ExecutableScript };
                Found { kind, ..found }
            }
            Some(language) => Found::new(Kind::ExecutableScript).script(script, language).rest(args),
            None => Found::new(Kind::Binary).only_file(script).rest(args),
        }
    }

    /// A command that was installed: there is nothing of it to watch.
    fn installed(&mut self, kind: Kind, script: &str, args: &[String]) -> Found {
        self.flags.insert(Flag::InstalledPackage);
        Found::new(kind).package(&path::command(script)).rest(args)
    }

    fn shebang(&self, script: &str) -> Option<Language> {
        let text = self.text(script)?;
        let line = text.strip_prefix("#!")?.lines().next()?;
        let has = |names: &[&str]| names.iter().any(|name| line.contains(name));
        Some(if has(&["python", "uv run", "pypy"]) {
            Language::Python
        } else if has(&["node", "bun"]) {
            Language::JavaScript
        } else if has(&["deno", "tsx"]) {
            Language::TypeScript
        } else {
            Language::File
        })
    }
}
