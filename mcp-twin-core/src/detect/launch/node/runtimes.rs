//! The other runtimes of JavaScript and TypeScript: bun and deno.

use super::super::reading::{Found, Reading, bare_package, looks_like_path};
use super::super::root::Language;
use super::super::words::Opts;
use super::super::{Flag, Kind, path};
use super::language;

const BUN: &[&str] = &[
    "--cwd",
    "-c",
    "--config",
    "--env-file",
    "-r",
    "--preload",
    "--import",
    "--tsconfig-override",
    "-d",
    "--define",
    "-l",
    "--loader",
    "--port",
    "--conditions",
    "-F",
    "--filter",
];

const DENO: &[&str] = &[
    "-c",
    "--config",
    "--import-map",
    "--cert",
    "--location",
    "--seed",
    "--ext",
    "-L",
    "--log-level",
    "--minimum-dependency-age",
];

impl Reading<'_> {
    pub(super) fn bun(&mut self, args: &[String]) -> Found {
        let global = Opts::read(args, BUN);
        let verb = global.rest.first().is_some_and(|word| word == "run");
        let opts = if verb { Opts::read(&global.rest[1..], BUN) } else { global.clone() };
        if global.has(&["--watch", "--hot"]) || opts.has(&["--watch", "--hot"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        if let Some(folder) = opts.value(&["--cwd"]).or_else(|| global.value(&["--cwd"])) {
            self.enter(folder);
        }
        self.env_file(if opts.has(&["--env-file"]) { &opts } else { &global });
        if let Some(member) = opts.value(&["-F", "--filter"]).or_else(|| global.value(&["-F", "--filter"])) {
            self.enter_member(member);
        }
        match opts.rest.split_first() {
            Some((word, rest)) if word == "x" && !verb => self.npx(Kind::Bunx, rest),
            Some((word, rest)) => {
                let file = self.node_file(word);
                let is_file = looks_like_path(word) || !path::extension(word).is_empty() || word.contains('/');
                if is_file || self.is_file(&file) {
                    let language =
                        if path::extension(&file).starts_with("js") { language(&file) } else { Language::TypeScript };
                    return Found::new(Kind::Bun).script(file, language).rest(rest);
                }
                self.package_script(word, rest)
            }
            None => self.nothing(Kind::Bun),
        }
    }

    pub(super) fn deno(&mut self, args: &[String]) -> Found {
        let global = Opts::read(args, DENO);
        let Some((verb, rest)) = global.rest.split_first() else { return self.nothing(Kind::Deno) };
        let rest = match verb.as_str() {
            "run" | "serve" => rest,
            "x" => return self.deno_package(rest),
            "task" => return self.deno_task(rest, &global),
            _ => global.rest,
        };
        let opts = Opts::read(rest, DENO);
        self.env_file(&opts);
        if opts.has(&["--watch", "--watch-hmr"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        match opts.rest.split_first() {
            Some((word, _)) if is_remote(word) => self.deno_package(opts.rest),
            Some((word, rest)) => {
                let script = self.script_at(word);
                Found::new(Kind::Deno).script(script, Language::Deno).rest(rest)
            }
            None => self.nothing(Kind::Deno),
        }
    }

    /// `jsr:@a/b`, `npm:c`, a URL.
    fn deno_package(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, DENO);
        let Some((word, rest)) = opts.rest.split_first() else { return self.nothing(Kind::Deno) };
        self.flags.insert(Flag::InstalledPackage);
        let found = Found::new(Kind::Deno).package(word).rest(rest).slow();
        self.bridge(found, bare_package(word))
    }

    /// A task of `deno.json`: what it runs, where that can be seen.
    fn deno_task(&mut self, args: &[String], global: &Opts<'_>) -> Found {
        let opts = Opts::read(args, &["--cwd", "-c", "--config", "-f", "--filter"]);
        if let Some(folder) = opts.value(&["--cwd"]) {
            self.enter(folder);
        }
        self.flags.insert(Flag::Task);
        let config = opts.value(&["-c", "--config"]).or_else(|| global.value(&["-c", "--config"]));
        let config = config.and_then(|config| self.resolve(config));
        let folder = match config.as_deref() {
            Some(config) => path::parent(config).map(str::to_owned),
            None => self.project_of_cwd().or_else(|| self.cwd.clone()),
        };
        let (task, rest) = opts.rest.split_first().map_or(("", &[][..]), |(task, rest)| (task.as_str(), rest));
        let found = Found::new(Kind::Deno).rest(rest);
        let Some(folder) = folder else { return found };
        let names = ["deno.json", "deno.jsonc"].map(|name| path::join(&folder, name));
        let text = config.iter().chain(&names).find_map(|file| self.text(file));
        let line = text.and_then(|text| task_of(&text, task));
        let found = self.task_line(found, line.as_deref(), &folder);
        found.folder(Some(folder), Language::Deno)
    }
}

fn is_remote(word: &str) -> bool {
    ["jsr:", "npm:", "https:", "http:"].iter().any(|scheme| word.starts_with(scheme))
}

/// The line of a task: a text, or an object with a `command`.
fn task_of(config: &str, name: &str) -> Option<String> {
    let config: serde_json::Value = jsonc_parser::parse_to_serde_value(config, &Default::default()).ok()?;
    let task = &config["tasks"][name];
    task.as_str().or_else(|| task["command"].as_str()).map(str::to_owned)
}
