//! The other runtimes of JavaScript and TypeScript: bun and deno.

use super::super::reading::{Found, Reading, looks_like_path};
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
            "task" => {
                let opts = Opts::read(rest, &["--cwd", "-c", "--config"]);
                if let Some(folder) = opts.value(&["--cwd"]) {
                    self.enter(folder);
                }
                self.flags.insert(Flag::Task);
                let folder = self.project_of_cwd().or_else(|| self.cwd.clone());
                return Found::new(Kind::Deno).folder(folder, Language::Deno);
            }
            _ => global.rest,
        };
        let opts = Opts::read(rest, DENO);
        if opts.has(&["--watch", "--watch-hmr"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        match opts.rest.split_first() {
            Some((word, rest)) if ["jsr:", "npm:", "https:", "http:"].iter().any(|scheme| word.starts_with(scheme)) => {
                self.flags.insert(Flag::InstalledPackage);
                Found::new(Kind::Deno).package(word).rest(rest).slow()
            }
            Some((word, rest)) => {
                let script = self.script_at(word);
                Found::new(Kind::Deno).script(script, Language::Deno).rest(rest)
            }
            None => self.nothing(Kind::Deno),
        }
    }
}
