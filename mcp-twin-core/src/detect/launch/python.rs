//! Python and what starts it: the interpreter, uv, pipx, poetry and their like, `mcp run`, `fastmcp run`, uvicorn.

use super::reading::{Found, Reading, looks_like_path};
use super::root::Language;
use super::words::Opts;
use super::{Flag, Kind, TwinHint, path};

/// Options of `uv` and `uv run` that take a value.
const UV: &[&str] = &[
    "--directory",
    "--project",
    "--with",
    "--with-editable",
    "--with-requirements",
    "--python",
    "-p",
    "--extra",
    "--no-extra",
    "--group",
    "--no-group",
    "--only-group",
    "--env-file",
    "--package",
    "-P",
    "--upgrade-package",
    "--refresh-package",
    "--reinstall-package",
    "--index",
    "--default-index",
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
    "--index-strategy",
    "--keyring-provider",
    "--resolution",
    "--prerelease",
    "--fork-strategy",
    "--config-setting",
    "-C",
    "--exclude-newer",
    "--link-mode",
    "--cache-dir",
    "--config-file",
    "--color",
    "--allow-insecure-host",
    "--python-preference",
    "--python-platform",
    "--no-binary-package",
    "--no-build-package",
    "--no-build-isolation-package",
    "-w",
    "--from",
    "-c",
    "--constraints",
    "--overrides",
    "--build-constraints",
    "--torch-backend",
];

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
                if args[at + 1..].iter().any(|word| word == "-m") {
                    self.flags.insert(Flag::ModuleAfterScript);
                }
                let script = self.python_file(script);
                Found::new(Kind::Python).script(script, Language::Python).rest(&args[at + 1..])
            }
            _ => self.no_script(),
        }
    }

    /// A Python file, or the `__main__.py` of a folder.
    fn python_file(&self, word: &str) -> String {
        let script = self.script_at(word);
        let main = path::join(&script, "__main__.py");
        if self.is_dir(&script) && self.is_file(&main) { main } else { script }
    }

    fn no_script(&mut self) -> Found {
        self.flags.insert(Flag::NoScript);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Python) }
    }

    fn module(&mut self, interpreter: &str, module: &str, rest: &[String]) -> Found {
        if let Some(script) = self.find_module(interpreter, module) {
            return Found::new(Kind::PythonModule).script(script, Language::Python).rest(rest);
        }
        let known = match module {
            "mcp" | "mcp.cli" => self.mcp_cli(rest),
            "fastmcp" | "fastmcp.cli" => self.fastmcp(rest),
            "uv" => Some(self.uv(rest)),
            "pipx" => Some(self.pipx(rest)),
            "uvicorn" | "hypercorn" | "gunicorn" | "granian" => Some(self.asgi(rest)),
            "debugpy" => Some(self.debugged(interpreter, rest)),
            "pdb" | "cProfile" | "profile" | "trace" => {
                let opts = Opts::read(rest, &["-o", "-s", "-c"]);
                Some(self.python(interpreter, opts.rest))
            }
            "coverage" => {
                let opts =
                    Opts::read(rest.get(1..).unwrap_or_default(), &["--source", "--rcfile", "--include", "--omit"]);
                Some(self.python(interpreter, opts.rest))
            }
            _ => None,
        };
        known.unwrap_or_else(|| {
            self.flags.insert(Flag::InstalledPackage);
            Found::new(Kind::PythonModule).package(module).rest(rest)
        })
    }

    fn debugged(&mut self, interpreter: &str, args: &[String]) -> Found {
        let opts = Opts::read(args, &["--listen", "--connect", "--log-to", "--configure-subProcess", "--pid"]);
        // `-m` and `-c` of debugpy belong to the program: give them back to the interpreter's reading.
        let port = opts.value(&["--listen"]).and_then(|at| at.rsplit(':').next()).and_then(|port| port.parse().ok());
        self.flags.extend(port.filter(|port| *port != 0).map(Flag::FixedPort));
        let module = args.iter().position(|word| word == "-m");
        match module {
            Some(at) => self.python(interpreter, &args[at..]),
            None => self.python(interpreter, opts.rest),
        }
    }

    /// The file of a module, looked for where the interpreter would look first.
    fn find_module(&self, interpreter: &str, module: &str) -> Option<String> {
        let mut bases: Vec<String> = self.cwd.iter().flat_map(|cwd| [cwd.clone(), path::join(cwd, "src")]).collect();
        let paths = self.variable("PYTHONPATH").unwrap_or("").split(':').filter(|path| !path.is_empty());
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

    fn uv(&mut self, args: &[String]) -> Found {
        let global = Opts::read(args, UV);
        if let Some(folder) = global.value(&["--directory"]) {
            self.enter(folder);
        }
        let project = global.value(&["--project"]).map(str::to_owned);
        match global.rest {
            [verb, rest @ ..] if verb == "run" => self.uv_run(rest, project),
            [tool, verb, rest @ ..] if tool == "tool" && verb == "run" => self.uvx(rest),
            [verb, rest @ ..] if verb == "x" => self.uvx(rest),
            _ => {
                self.flags.insert(Flag::NoScript);
                Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::UvRun) }
            }
        }
    }

    fn uv_run(&mut self, args: &[String], project: Option<String>) -> Found {
        let opts = Opts::read(args, UV);
        if let Some(folder) = opts.value(&["--directory"]) {
            self.enter(folder);
        }
        self.flags.extend(opts.value(&["--env-file"]).map(|file| Flag::EnvFile(self.script_at(file))));
        let project = opts.value(&["--project"]).map(str::to_owned).or(project).and_then(|path| self.resolve(&path));
        let slow = |found: Found| found.slow();
        let Some((word, rest)) = opts.rest.split_first() else { return slow(self.no_script()) };
        if opts.has(&["-m", "--module"]) {
            let found = self.module("python", word, rest);
            return slow(found);
        }
        let script = self.script_at(word);
        let is_script = opts.has(&["-s", "--script", "--gui-script"])
            || matches!(path::extension(word).as_str(), "py" | "pyw")
            || (looks_like_path(word) && self.is_file(&script));
        if is_script {
            let script = self.python_file(word);
            return slow(Found::new(Kind::UvRun).script(script, Language::Python).rest(rest));
        }
        let found = self.inner(opts.rest);
        let editable = opts.value(&["--with-editable"]).and_then(|path| self.resolve(path));
        slow(found.unwrap_or_else(|| self.console_script(Kind::UvRun, word, rest, project.or(editable))))
    }

    /// The rest of a project runner's line, if it is a command that is known.
    fn inner(&mut self, argv: &[String]) -> Option<Found> {
        let (first, args) = argv.split_first()?;
        let name = path::command(first);
        let found = self
            .wrapper(&name, args)
            .or_else(|| self.python_family(first, &name, args))
            .or_else(|| self.node_family(&name, args));
        found.map(|found| if found.argv.is_empty() { Found { argv: argv.to_vec(), ..found } } else { found })
    }

    /// An entry point of the project: its module, if the project's file names one, else the project's folder.
    pub(super) fn console_script(&mut self, kind: Kind, name: &str, rest: &[String], project: Option<String>) -> Found {
        self.flags.insert(Flag::ConsoleScript);
        let found = Found::new(kind).rest(rest);
        let Some(project) = project.or_else(|| self.project_of_cwd()).or_else(|| self.cwd.clone()) else {
            return found;
        };
        let module = self.text(&path::join(&project, "pyproject.toml")).and_then(|text| entry_point(&text, name));
        let script = module.and_then(|module| {
            let below = module.replace('.', "/");
            ["src/", ""]
                .iter()
                .flat_map(|base| [format!("{base}{below}.py"), format!("{base}{below}/__init__.py")])
                .map(|file| path::join(&project, &file))
                .find(|file| self.is_file(file))
        });
        let found = found.folder(Some(project), Language::Python);
        Found { script, ..found }
    }

    fn uvx(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, UV);
        let from = opts.value(&["--from"]);
        let Some((command, rest)) = opts.rest.split_first() else {
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Uvx).slow() };
        };
        // `uvx fastmcp run server.py` runs a script of ours with a fetched tool.
        let bare = super::reading::bare_package(command).to_owned();
        if matches!(bare.as_str(), "mcp" | "fastmcp" | "uvicorn" | "python" | "python3")
            && let Some(found) = self.python_family(&bare, &bare, rest)
        {
            return Found { argv: opts.rest.to_vec(), ..found.slow() };
        }
        let spec = from.unwrap_or(command);
        let local =
            looks_like_path(spec) || self.resolve(spec).is_some_and(|path| from.is_some() && self.is_dir(&path));
        if local {
            self.flags.insert(Flag::LocalPackage);
            let folder = self.resolve(spec);
            return Found { kind: Kind::Uvx, ..self.console_script(Kind::Uvx, command, rest, folder) }.slow();
        }
        if from.is_some() {
            self.flags.insert(Flag::ConsoleScript);
        }
        self.flags.insert(Flag::InstalledPackage);
        self.bridge(Found::new(Kind::Uvx).package(spec).rest(rest).slow(), &bare)
    }

    fn pipx(&mut self, args: &[String]) -> Found {
        let args = args.strip_prefix(&["run".to_owned()][..]).unwrap_or(args);
        let opts = Opts::read(args, &["--spec", "--python", "--pip-args", "--with", "--index-url", "-i"]);
        let Some((command, rest)) = opts.rest.split_first() else {
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Pipx).slow() };
        };
        let spec = opts.value(&["--spec"]).unwrap_or(command);
        if path::extension(command) == "py" {
            let script = self.script_at(command);
            return Found::new(Kind::Pipx).script(script, Language::Python).rest(rest).slow();
        }
        if looks_like_path(spec) {
            self.flags.insert(Flag::LocalPackage);
            let folder = self.resolve(spec);
            return self.console_script(Kind::Pipx, command, rest, folder).slow();
        }
        self.flags.insert(Flag::InstalledPackage);
        Found::new(Kind::Pipx).package(spec).rest(rest).slow()
    }

    fn project_runner(&mut self, name: &str, args: &[String]) -> Found {
        const VALUED: &[&str] = &[
            "-C",
            "--directory",
            "-P",
            "--project",
            "-p",
            "--manifest-path",
            "-e",
            "--environment",
            "-n",
            "--name",
            "--prefix",
            "--cwd",
            "--env",
            "--env-file",
        ];
        let kind = match name {
            "poetry" => Kind::PoetryRun,
            "hatch" => Kind::HatchRun,
            "pixi" => Kind::PixiRun,
            "conda" | "mamba" | "micromamba" => Kind::CondaRun,
            _ => Kind::ProjectRun,
        };
        let global = Opts::read(args, VALUED);
        let verb = global.rest.first().is_some_and(|word| matches!(word.as_str(), "run" | "exec"));
        let opts = if verb { Opts::read(&global.rest[1..], VALUED) } else { global.clone() };
        let both = |names: &[&str]| opts.value(names).or_else(|| global.value(names)).map(str::to_owned);
        match kind {
            // conda's -p and -n name environments, not folders of the project.
            Kind::CondaRun => {
                if let Some(folder) = both(&["--cwd"]) {
                    self.enter(&folder);
                }
            }
            Kind::PixiRun => {
                let manifest = both(&["--manifest-path"]).and_then(|path| self.resolve(&path));
                if let Some(manifest) = manifest {
                    let folder = if path::extension(&manifest) == "toml" { path::parent(&manifest) } else { None };
                    self.cwd = Some(folder.unwrap_or(&manifest).to_owned());
                }
            }
            Kind::PoetryRun => {
                if let Some(folder) = both(&["-C", "--directory", "-P", "--project"]) {
                    self.enter(&folder);
                }
            }
            _ => {
                if let Some(folder) = both(&["-p", "--project", "--directory"]) {
                    self.enter(&folder);
                }
            }
        }
        let Some((word, rest)) = opts.rest.split_first() else {
            self.flags.insert(Flag::NoScript);
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(kind) };
        };
        // hatch writes `env:task`.
        if let Some(found) = self.inner(opts.rest) {
            return found;
        }
        if path::extension(word) == "py" {
            let script = self.python_file(word);
            return Found::new(kind).script(script, Language::Python).rest(rest);
        }
        if matches!(kind, Kind::PixiRun | Kind::HatchRun) {
            return self.task(kind).rest(rest);
        }
        self.console_script(kind, word, rest, None)
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
        let spec = opts.rest.first().map_or("fastmcp.json", String::as_str);
        // The options of `fastmcp run` may stand before the file; they are the server's all the same.
        let found = found.rest(rest);
        if path::extension(spec) == "json" {
            self.flags.insert(Flag::ConfigFileEntry);
            return Some(self.fastmcp_config(found, spec));
        }
        let script = self.object_file(spec);
        Some(found.script(script, Language::Python))
    }

    /// `fastmcp.json` names its script below `source.path`, relative to itself.
    fn fastmcp_config(&mut self, found: Found, spec: &str) -> Found {
        let config = self.script_at(spec);
        let source = self.text(&config).and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let file = source.as_ref().and_then(|config| config.pointer("/source/path")).and_then(|path| path.as_str());
        match (file, path::parent(&config)) {
            (Some(file), Some(folder)) => found.script(path::join(folder, file), Language::Python),
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

/// The module of an entry point, from the `[project.scripts]` of a project's file.
fn entry_point(pyproject: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for line in pyproject.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = matches!(line, "[project.scripts]" | "[tool.poetry.scripts]");
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim().trim_matches(['"', '\'']) == name
        {
            let value = value.trim().trim_start_matches(['"', '\'']);
            return value.split([':', '"', '\'']).next().map(str::to_owned);
        }
    }
    None
}
