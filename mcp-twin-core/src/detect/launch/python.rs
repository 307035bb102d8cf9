//! Python: the interpreter and its modules, `mcp run`, `fastmcp run`, uvicorn.

use super::reading::{Found, Reading};
use super::root::Language;
use super::words::Opts;
use super::{Flag, Kind, TwinHint, path};

impl Reading<'_> {
    pub(super) fn python_family(&mut self, first: &str, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "uv" => Some(self.uv(args)),
            "uvx" => Some(self.uvx(args)),
            "pipx" => Some(self.pipx(args)),
            "poetry" | "pdm" | "hatch" | "rye" | "pipenv" | "pixi" | "conda" | "mamba" | "micromamba" => {
                Some(self.project_runner(name, args))
            }
            "mcp" => self.mcp_cli(args),
            "fastmcp" => self.fastmcp(args),
            "uvicorn" | "hypercorn" | "gunicorn" | "granian" => Some(self.asgi(args)),
            "mcp-hmr" | "jurigged" => self.patched(args),
            name if is_python(name) => Some(self.python(first, args)),
            _ => None,
        }
    }

    fn python(&mut self, first: &str, args: &[String]) -> Found {
        let mut at = 0;
        while let Some(word) = args.get(at).filter(|word| word.starts_with('-') && word.len() > 1) {
            at += 1;
            if matches!(word.as_str(), "-X" | "-W" | "--check-hash-based-pycs") {
                at += 1;
            } else if !word.starts_with("--") && !word.starts_with("-X") && !word.starts_with("-W") {
                // `-um pkg`, `-mpkg`, `-c code`
                let letters = &word[1..];
                match letters.find(['m', 'c']).map(|end| letters.split_at(end)) {
                    Some((_, tail)) if tail.starts_with('m') => {
                        let attached = (tail.len() > 1).then(|| tail[1..].to_owned());
                        let module = attached.or_else(|| args.get(at).cloned());
                        at += usize::from(tail.len() == 1);
                        let rest = args.get(at..).unwrap_or_default();
                        return match module {
                            Some(module) => self.module(first, &module, rest),
                            None => self.no_script(),
                        };
                    }
                    Some(_) => return self.no_script(),
                    None => {}
                }
            }
        }
        match args.get(at) {
            Some(script) if script != "-" => {
                self.mark_module_after(&args[at + 1..]);
                let script = self.python_file(script);
                Found::new(Kind::Python).script(script, Language::Python).rest(&args[at + 1..])
            }
            _ => self.no_script(),
        }
    }

    /// `-m` behind the script is the script's own.
    pub(super) fn mark_module_after(&mut self, rest: &[String]) {
        if rest.iter().any(|word| word == "-m") {
            self.flags.insert(Flag::ModuleAfterScript);
        }
    }

    /// A Python file, or the `__main__.py` of a folder.
    pub(super) fn python_file(&self, word: &str) -> String {
        let script = self.script_at(word);
        let main = path::join(&script, "__main__.py");
        if self.is_dir(&script) && self.is_file(&main) { main } else { script }
    }

    pub(super) fn no_script(&mut self) -> Found {
        self.flags.insert(Flag::NoScript);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Python) }
    }

    pub(super) fn module(&mut self, interpreter: &str, module: &str, rest: &[String]) -> Found {
        if let Some(script) = self.find_module(interpreter, module) {
            return Found::new(Kind::PythonModule).script(script, Language::Python).rest(rest);
        }
        let known = match module {
            "mcp" | "mcp.cli" => self.mcp_cli(rest),
            "fastmcp" | "fastmcp.cli" => self.fastmcp(rest),
            "uv" | "pipx" | "watchfiles" | "mcp_hmr" | "jurigged" => self.again(&module.replace('_', "-"), rest),
            "mcp_twin" => Some(self.twinned()),
            "uvicorn" | "hypercorn" | "gunicorn" | "granian" => Some(self.asgi(rest)),
            "debugpy" => self.debugged(interpreter, rest),
            "pdb" | "cProfile" | "profile" | "trace" => {
                let opts = Opts::read(rest, &["-o", "-s", "-c"]);
                let module =
                    rest.iter().position(|word| word == "-m").filter(|at| *at < rest.len() - opts.rest.len() + 1);
                self.again(interpreter, module.map_or(opts.rest, |at| &rest[at..]))
            }
            "coverage" => {
                let opts =
                    Opts::read(rest.get(1..).unwrap_or_default(), &["--source", "--rcfile", "--include", "--omit"]);
                self.again(interpreter, opts.rest)
            }
            _ => None,
        };
        known.unwrap_or_else(|| {
            self.flags.insert(Flag::InstalledPackage);
            Found::new(Kind::PythonModule).package(module).rest(rest)
        })
    }

    /// A module that only starts another command.
    fn again(&mut self, first: &str, args: &[String]) -> Option<Found> {
        let inner: Vec<String> = std::iter::once(first.to_owned()).chain(args.iter().cloned()).collect();
        self.inner(&inner)
    }

    fn debugged(&mut self, interpreter: &str, args: &[String]) -> Option<Found> {
        let opts = Opts::read(args, &["--listen", "--connect", "--log-to", "--configure-subProcess", "--pid"]);
        // `-m` and `-c` of debugpy belong to the program: give them back to the interpreter's reading.
        let port = opts.value(&["--listen"]).and_then(|at| at.rsplit(':').next()).and_then(|port| port.parse().ok());
        self.flags.extend(port.filter(|port| *port != 0).map(Flag::FixedPort));
        let module = args.iter().position(|word| word == "-m");
        match module {
            Some(at) => self.again(interpreter, &args[at..]),
            None => self.again(interpreter, opts.rest),
        }
    }

    /// The file of a module, looked for where the interpreter would look first.
    fn find_module(&self, interpreter: &str, module: &str) -> Option<String> {
        let separator = if self.cwd.as_deref().is_some_and(path::is_windows) { ';' } else { ':' };
        let mut bases: Vec<String> = self.cwd.iter().flat_map(|cwd| [cwd.clone(), path::join(cwd, "src")]).collect();
        let paths = self.variable("PYTHONPATH").unwrap_or("").split(separator).filter(|path| !path.is_empty());
        bases.extend(paths.filter_map(|path| self.resolve(path)));
        if let Some(project) = self.project_of_venv(interpreter) {
            bases.extend([path::join(&project, "src"), project]);
        }
        let below = module.replace('.', "/");
        bases.iter().find_map(|base| {
            [format!("{below}.py"), format!("{below}/__main__.py")]
                .iter()
                .map(|file| path::join(base, file))
                .find(|file| self.is_file(file))
        })
    }

    /// The folder that a virtual environment lies in, if the command comes from one.
    pub(super) fn project_of_venv(&self, command: &str) -> Option<String> {
        let command = self.resolve(command)?;
        let bin = path::parent(&command).filter(|bin| matches!(path::file_name(bin), "bin" | "Scripts"))?;
        let venv = path::parent(bin)?;
        let named = matches!(path::file_name(venv), ".venv" | "venv" | "env" | ".env");
        let marked = self.is_file(&path::join(venv, "pyvenv.cfg"));
        (named || marked).then(|| path::parent(venv).map(str::to_owned)).flatten()
    }

    fn mcp_cli(&mut self, args: &[String]) -> Option<Found> {
        let (verb, rest) = args.split_first()?;
        let dev = match verb.as_str() {
            "run" => false,
            "dev" => true,
            _ => return None,
        };
        if dev {
            self.flags.insert(Flag::InspectorNotServer);
        }
        let opts =
            Opts::read(rest, &["-t", "--transport", "-e", "--with-editable", "--with", "-f", "--env-file", "-v"]);
        let found = Found::new(Kind::McpCli);
        let found = Found { twin: dev.then_some(TwinHint::Conflict), ..found };
        Some(match opts.rest.split_first() {
            Some((spec, rest)) => {
                let script = self.object_file(spec);
                found.script(script, Language::Python).rest(rest)
            }
            None => found,
        })
    }

    fn fastmcp(&mut self, args: &[String]) -> Option<Found> {
        const VALUED: &[&str] = &[
            "-t",
            "--transport",
            "--host",
            "--port",
            "-p",
            "--path",
            "--log-level",
            "-l",
            "--python",
            "--with",
            "--with-editable",
            "-e",
            "--with-requirements",
            "--project",
            "--ui-port",
            "--server-port",
            "--reload-dir",
        ];
        let (verb, rest) = args.split_first()?;
        let found = Found::new(Kind::FastmcpCli);
        let found = match verb.as_str() {
            "run" => found,
            "dev" => {
                self.flags.insert(Flag::InspectorNotServer);
                Found { twin: Some(TwinHint::Conflict), ..found }
            }
            _ => return None,
        };
        let opts = Opts::read(rest, VALUED);
        if opts.has(&["--reload"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        // The options of `fastmcp run` may stand before the file; they are the server's all the same.
        let found = found.rest(rest);
        // `fastmcp dev inspector F`
        let words = match opts.rest {
            [what, words @ ..] if verb == "dev" && matches!(what.as_str(), "inspector" | "apps") => words,
            words => words,
        };
        let spec = Opts::read(words, VALUED).rest.first().map_or("fastmcp.json", String::as_str);
        if spec.starts_with("http://") || spec.starts_with("https://") {
            self.flags.insert(Flag::RemoteBridge(spec.to_owned()));
            return Some(Found { twin: Some(TwinHint::Skip), ..found });
        }
        if opts.has(&["-m", "--module"]) {
            let inner = self.module("python", spec, &[]);
            return Some(Found { script: inner.script, ground: inner.ground, language: Language::Python, ..found });
        }
        if path::extension(spec) == "json" {
            self.flags.insert(Flag::ConfigFileEntry);
            return Some(self.fastmcp_config(found, spec));
        }
        let script = self.object_file(spec);
        Some(found.script(script, Language::Python))
    }

    /// `mcp-hmr F:object`: puts changed modules into the running server by itself.
    fn patched(&mut self, args: &[String]) -> Option<Found> {
        let opts = Opts::read(args, &["-t", "--transport", "-l", "--log-level", "--host", "--port", "-w", "--watch"]);
        let (spec, rest) = opts.rest.split_first()?;
        self.flags.insert(Flag::SelfReloading);
        let script = self.object_file(spec);
        Some(Found::new(Kind::Python).script(script, Language::Python).rest(rest))
    }

    /// `fastmcp.json` names its script below `source.path`, relative to itself.
    fn fastmcp_config(&mut self, found: Found, spec: &str) -> Found {
        let config = self.script_at(spec);
        let source = self.text(&config).and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let file = source.as_ref().and_then(|config| config.pointer("/source/path")).and_then(|path| path.as_str());
        match (file, path::parent(&config)) {
            (Some(file), Some(folder)) => {
                let script = path::join(folder, file);
                Found { also: Some(config), ..found.script(script, Language::Python) }
            }
            _ => found.script(config, Language::Python),
        }
    }

    /// `file.py:object`, where the colon of `C:\` is none.
    fn object_file(&mut self, spec: &str) -> String {
        let split = spec.rfind(':').filter(|at| *at > 1 && !spec[at + 1..].contains(['/', '\\', '.']));
        let file = match split {
            Some(at) => {
                self.flags.insert(Flag::ObjectSuffix);
                &spec[..at]
            }
            None => spec,
        };
        self.python_file(file)
    }

    fn asgi(&mut self, args: &[String]) -> Found {
        const VALUED: &[&str] = &[
            "--host",
            "--port",
            "-p",
            "--bind",
            "-b",
            "--app-dir",
            "--log-level",
            "--workers",
            "-w",
            "--env-file",
            "--reload-dir",
            "--uds",
            "--fd",
            "--loop",
            "--http",
            "--ws",
            "--interface",
            "--root-path",
            "-k",
            "-c",
        ];
        // The application may stand anywhere among the options.
        let first = Opts::read(args, VALUED);
        if args.iter().any(|word| word == "--reload") {
            self.flags.insert(Flag::SelfReloading);
        }
        let app = first.rest.first().cloned();
        let after = Opts::read(first.rest.get(1..).unwrap_or_default(), VALUED);
        if let Some(folder) = first.value(&["--app-dir"]).or_else(|| after.value(&["--app-dir"])) {
            self.enter(folder);
        }
        let rest: Vec<String> =
            args.iter().map(|word| if word == "-b" { "--bind".into() } else { word.clone() }).collect();
        let found = Found::new(Kind::Asgi).rest(&rest);
        let module = app.as_deref().map(|app| app.split(':').next().unwrap_or(app));
        let script = module.and_then(|module| {
            let package = || self.find_module("python", &format!("{module}.__init__"));
            self.find_module("python", module).or_else(package)
        });
        match script {
            Some(script) => found.script(script, Language::Python),
            None => {
                self.flags.insert(Flag::NoScript);
                found
            }
        }
    }
}

fn is_python(name: &str) -> bool {
    let version = ["python", "pythonw", "pypy", "py"].iter().find_map(|base| name.strip_prefix(base));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
