//! Runners of Python projects: poetry, pdm, hatch, rye, pixi, conda, pipenv.

use super::super::reading::{Found, Reading};
use super::super::root::Language;
use super::super::words::Opts;
use super::super::{Flag, Kind, TwinHint, path};
use super::tables;

const VALUED: &[&str] = &[
    "-C",
    "--directory",
    "-P",
    "--project",
    "-p",
    "--manifest-path",
    "-m",
    "-e",
    "--environment",
    "-n",
    "--name",
    "--prefix",
    "--cwd",
    "--env",
    "--env-file",
    "--pyproject",
];

impl Reading<'_> {
    pub(in super::super) fn project_runner(&mut self, name: &str, args: &[String]) -> Found {
        let kind = match name {
            "poetry" => Kind::PoetryRun,
            "hatch" => Kind::HatchRun,
            "pixi" => Kind::PixiRun,
            "conda" | "mamba" | "micromamba" => Kind::CondaRun,
            _ => Kind::ProjectRun,
        };
        let global = Opts::read(args, VALUED);
        // `hatch env run`
        let verbs = if kind == Kind::HatchRun { global.rest.strip_prefix(&["env".to_owned()][..]) } else { None };
        let verbs = verbs.unwrap_or(global.rest);
        let verb = verbs.first().is_some_and(|word| matches!(word.as_str(), "run" | "exec"));
        let opts = if verb { Opts::read(&verbs[1..], VALUED) } else { global.clone() };
        let both = |names: &[&str]| opts.value(names).or_else(|| global.value(names)).map(str::to_owned);
        let mut project = None;
        match kind {
            // conda's -p and -n name environments, not folders of the project.
            Kind::CondaRun => {
                if let Some(folder) = both(&["--cwd"]) {
                    self.enter(&folder);
                }
            }
            Kind::PixiRun => {
                let manifest = both(&["--manifest-path", "-m"]).and_then(|path| self.resolve(&path));
                project = manifest.map(|manifest| folder_of(&manifest).to_owned());
            }
            Kind::PoetryRun => {
                if let Some(folder) = both(&["-C", "--directory"]) {
                    self.enter(&folder);
                }
                // Moves nothing: it says where the project is.
                project = both(&["-P", "--project"]).and_then(|path| self.resolve(&path));
            }
            // hatch's -p is the name of a project.
            Kind::HatchRun => {}
            _ => {
                if let Some(folder) = both(&["-p", "--project", "--directory"]) {
                    self.enter(&folder);
                }
                let manifest = both(&["--pyproject"]).and_then(|path| self.resolve(&path));
                project = manifest.map(|manifest| folder_of(&manifest).to_owned());
            }
        }
        let Some((word, rest)) = opts.rest.split_first() else {
            self.flags.insert(Flag::NoScript);
            return Found { twin: Some(TwinHint::Unknown), ..Found::new(kind) };
        };
        if let Some(found) = self.inner(opts.rest) {
            // The interpreter is the environment's, and only the runner knows which that is.
            let plain = matches!(found.kind, Kind::Python | Kind::PythonModule) && kind != Kind::ProjectRun;
            let script = found.script.clone();
            let script = script.map(|script| self.in_project(project.as_deref(), |reading| reading.script_at(&script)));
            let found = Found { script, ..found };
            return if plain { Found { kind, ..found } } else { found };
        }
        if path::extension(word) == "py" {
            let script = self.python_file(word);
            return Found::new(kind).script(script, Language::Python).rest(rest);
        }
        let project = project.or_else(|| self.project_of_cwd());
        let line = project.as_deref().and_then(|folder| {
            let text = |name: &str| self.text(&path::join(folder, name)).unwrap_or_default();
            tables::task(&text, word)
        });
        if line.is_none() && !matches!(kind, Kind::PixiRun | Kind::HatchRun) {
            return self.console_script(kind, word, rest, project);
        }
        self.flags.insert(Flag::Task);
        let found = Found::new(kind).rest(rest);
        let Some(folder) = project.or_else(|| self.cwd.clone()) else { return found };
        // Tasks run in the folder of their project.
        let found = self.task_line(found, line.as_deref(), &folder);
        found.folder(Some(folder), Language::Python)
    }
}

/// A manifest's folder, or the folder that was named instead of it.
fn folder_of(manifest: &str) -> &str {
    let is_file = matches!(path::extension(manifest).as_str(), "toml" | "lock");
    if is_file { path::parent(manifest).unwrap_or(manifest) } else { manifest }
}
