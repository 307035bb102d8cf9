//! What runs Python within a project or fetches it: uv, pipx, poetry, hatch, pixi, conda and their like.

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
    pub(super) fn uv(&mut self, args: &[String]) -> Found {
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

    pub(super) fn uvx(&mut self, args: &[String]) -> Found {
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

    pub(super) fn pipx(&mut self, args: &[String]) -> Found {
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

    pub(super) fn project_runner(&mut self, name: &str, args: &[String]) -> Found {
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
