//! What runs Python within a project or fetches it: uv, uvx, pipx. The other runners of projects: below.

mod runner;
mod tables;

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
    "--excludes",
    "-b",
    "--preview-features",
    "--config-settings-package",
    "--config-setting-package",
    "--exclude-newer-package",
    "--trusted-host",
    "--no-sources-package",
    "--python-fetch",
];

/// Tools that run a script of ours, wherever they come from.
const FETCHED: &[&str] =
    &["mcp", "fastmcp", "uvicorn", "hypercorn", "python", "python3", "mcp-hmr", "mcpmon", "watchfiles"];

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
        let Some((word, rest)) = opts.rest.split_first() else {
            let found = self.no_script();
            return slow(Found { kind: Kind::UvRun, ..found });
        };
        if opts.has(&["-m", "--module"]) {
            let found = self.module("python", word, rest);
            return slow(found);
        }
        if word.starts_with("https://") || word.starts_with("http://") {
            self.flags.insert(Flag::InstalledPackage);
            return slow(Found::new(Kind::UvRun).package(word).rest(rest));
        }
        let script = self.script_at(word);
        let extension = path::extension(word);
        let python = matches!(extension.as_str(), "py" | "pyw" | "pyz");
        let is_script = opts.has(&["-s", "--script", "--gui-script"])
            || python
            || (looks_like_path(word) && extension.is_empty() && self.is_file(&script));
        if is_script {
            self.mark_module_after(rest);
            let script = self.in_project(project.as_deref(), |reading| reading.python_file(word));
            return slow(Found::new(Kind::UvRun).script(script, Language::Python).rest(rest));
        }
        if let Some(found) = self.inner(opts.rest) {
            return slow(found);
        }
        if looks_like_path(word) {
            return slow(self.run(opts.rest));
        }
        let editable = opts.value(&["--with-editable"]).and_then(|path| self.resolve(path));
        slow(self.console_script(Kind::UvRun, word, rest, project.or(editable)))
    }

    /// A script that is relative to nobody knows what is the project's, if the project has it.
    fn in_project(&mut self, project: Option<&str>, read: impl Fn(&mut Self) -> String) -> String {
        let script = read(self);
        if self.cwd.is_some() || path::is_absolute(&script) || project.is_none() {
            return script;
        }
        self.cwd = project.map(str::to_owned);
        let guess = read(self);
        self.cwd = None;
        if self.is_file(&guess) { guess } else { script }
    }

    /// An entry point of the project: its module, if the project's file names one, else the project's folder.
    pub(super) fn console_script(&mut self, kind: Kind, name: &str, rest: &[String], project: Option<String>) -> Found {
        self.flags.insert(Flag::ConsoleScript);
        let found = Found::new(kind).rest(rest);
        let Some(project) = project.or_else(|| self.project_of_cwd()).or_else(|| self.cwd.clone()) else {
            return found;
        };
        let module =
            self.text(&path::join(&project, "pyproject.toml")).and_then(|text| tables::entry_point(&text, name));
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
        let bare = super::reading::bare_package(command).to_owned();
        if bare == "mcp-twin" {
            return self.twinned();
        }
        // `uvx fastmcp run server.py` runs a script of ours with a fetched tool.
        if FETCHED.contains(&bare.as_str()) {
            let inner: Vec<String> = std::iter::once(bare.clone()).chain(rest.iter().cloned()).collect();
            if let Some(found) = self.inner(&inner) {
                return found.slow();
            }
        }
        let editable = opts.value(&["--with-editable"]).filter(|_| from.is_none());
        let spec = from.or(editable).unwrap_or(command);
        if let Some(path) = self.local_spec(spec, from.or(editable).is_some()) {
            return self.local_tool(Kind::Uvx, spec, &path, command, rest);
        }
        if from.is_some() {
            self.flags.insert(Flag::ConsoleScript);
        }
        self.flags.insert(Flag::InstalledPackage);
        self.bridge(Found::new(Kind::Uvx).package(spec).rest(rest).slow(), &bare)
    }

    /// The path in what a tool is installed from: `./srv`, `srv[extra]`, `file:///srv`, `name @ file:///srv`. A bare name is a
    /// folder only where an option names it.
    fn local_spec(&self, spec: &str, option: bool) -> Option<String> {
        let spec = spec.split_once(" @ ").map_or(spec, |(_, url)| url);
        let path = spec.strip_prefix("file://").unwrap_or(spec);
        let end = path.find('[').unwrap_or(path.len());
        let path = &path[..end];
        let folder = option && !path.contains("://") && self.resolve(path).is_some_and(|path| self.is_dir(&path));
        (path.len() < spec.len() && spec.starts_with("file:") || looks_like_path(path) || folder)
            .then(|| path.to_owned())
    }

    /// A tool from a folder or a file of ours.
    fn local_tool(&mut self, kind: Kind, spec: &str, path: &str, command: &str, rest: &[String]) -> Found {
        self.flags.insert(Flag::LocalPackage);
        let place = self.script_at(path);
        let found = if matches!(path::extension(path).as_str(), "whl" | "gz" | "zip") {
            self.flags.insert(Flag::ConsoleScript);
            Found::new(kind).only_file(place).rest(rest)
        } else {
            self.console_script(kind, command, rest, self.resolve(path))
        };
        found.package(spec).slow()
    }

    pub(super) fn pipx(&mut self, args: &[String]) -> Found {
        let args = args.strip_prefix(&["run".to_owned()][..]).unwrap_or(args);
        let opts = Opts::read(args, &["--spec", "--python", "--pip-args", "--with", "--index-url", "-i"]);
        let Some((command, rest)) = opts.rest.split_first() else {
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Pipx).slow() };
        };
        if super::reading::bare_package(command) == "mcp-twin" {
            return self.twinned();
        }
        let given = opts.value(&["--spec"]);
        let spec = given.unwrap_or(command);
        if path::extension(command) == "py" {
            let script = self.script_at(command);
            return Found::new(Kind::Pipx).script(script, Language::Python).rest(rest).slow();
        }
        if let Some(path) = self.local_spec(spec, given.is_some()) {
            return self.local_tool(Kind::Pipx, spec, &path, command, rest);
        }
        let bare = super::reading::bare_package(command).to_owned();
        self.flags.insert(Flag::InstalledPackage);
        self.bridge(Found::new(Kind::Pipx).package(spec).rest(rest).slow(), &bare)
    }
}
