//! The scripts of a package: `npm run NAME`, and the workspace that holds it.

use super::super::line::shell_line;
use super::super::reading::{Found, Reading, looks_like_path};
use super::super::root::Language;
use super::super::words::Opts;
use super::super::{Flag, Kind, TwinHint, path};

/// Options of all package managers that take a value.
const BOTH: &[&str] = &["--prefix", "-C", "--dir", "--cwd", "--filter", "-F", "--loglevel", "--reporter", "--registry"];

/// npm's own; `-w` of pnpm takes none.
const NPM: &[&str] =
    &["-w", "--workspace", "-p", "--package", "--cache", "--userconfig", "--node-options", "--script-shell"];

const FOLDERS: &[&str] = &["--prefix", "-C", "--dir", "--cwd"];

/// So many folders of a workspace are looked into.
const MOST: usize = 256;

impl Reading<'_> {
    pub(super) fn package_manager(&mut self, name: &str, args: &[String]) -> Found {
        let valued = if name == "npm" { [BOTH, NPM].concat() } else { BOTH.to_vec() };
        let global = Opts::read(args, &valued);
        let Some((verb, rest)) = global.rest.split_first() else { return self.nothing(Kind::NpmScript) };
        let opts = Opts::read(rest, &valued);
        // npm takes its own options wherever they stand in front of `--`.
        let own = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
        let exec = matches!(verb.as_str(), "exec" | "x" | "dlx");
        let anywhere = if name == "npm" && !exec { every_option(&rest[..own], &valued) } else { vec![opts.clone()] };
        let value =
            |names: &[&str]| anywhere.iter().chain([&global]).find_map(|opts| opts.value(names)).map(str::to_owned);
        if let Some(folder) = value(FOLDERS) {
            self.enter(&folder);
        }
        if name == "pnpm" && (global.has(&["-w", "--workspace-root"]) || opts.has(&["-w", "--workspace-root"])) {
            self.enter_workspace_root();
        }
        let member = if name == "npm" { value(&["-w", "--workspace"]) } else { value(&["-F", "--filter"]) };
        if let Some(member) = member {
            self.enter_member(&member);
        }
        // The first word is the script's name, the others are its arguments.
        let script = |from: &[String]| -> Option<(String, Vec<String>)> {
            if name != "npm" {
                return from.split_first().map(|(task, rest)| (task.clone(), rest.to_vec()));
            }
            let words = anywhere.iter().filter_map(|opts| opts.rest.first());
            let mut words: Vec<String> = words.cloned().collect();
            words.extend(rest.get(own + 1..).unwrap_or_default().iter().cloned());
            (!words.is_empty()).then(|| (words.remove(0), words))
        };
        match verb.as_str() {
            "run" | "run-script" => match script(opts.rest) {
                Some((task, rest)) => self.package_script(&task, &rest),
                None => self.nothing(Kind::NpmScript),
            },
            "start" | "test" | "stop" | "restart" => {
                let rest = if name == "npm" { rest.get(own + 1..).unwrap_or_default() } else { opts.rest };
                self.package_script(verb, rest)
            }
            "exec" | "x" if name == "npm" => self.npx(Kind::Npx, rest),
            "dlx" => {
                // `pnpm --package=x dlx bin`
                let package = global.value(&["--package"]).map(|package| format!("--package={package}"));
                let rest: Vec<String> = package.into_iter().chain(rest.iter().cloned()).collect();
                self.npx(Kind::PnpmDlx, &rest)
            }
            // These run what is installed in the project.
            "exec" => self.run(opts.rest),
            "node" => self.run(global.rest),
            "workspace" if name == "yarn" => match rest.split_first() {
                Some((member, rest)) => {
                    self.enter_member(member);
                    let inner: Vec<String> = std::iter::once(name.to_owned()).chain(rest.iter().cloned()).collect();
                    self.run(&inner)
                }
                None => self.nothing(Kind::NpmScript),
            },
            _ if name != "npm" => {
                let known = matches!(verb.as_str(), "tsx" | "ts-node" | "nodemon" | "vite-node");
                if known { self.run(global.rest) } else { self.package_script(verb, rest) }
            }
            _ => self.nothing(Kind::NpmScript),
        }
    }

    /// A script of `package.json`: what it runs, where that can be seen, in the folder of the package.
    pub(in super::super) fn package_script(&mut self, task: &str, rest: &[String]) -> Found {
        self.flags.insert(Flag::Task);
        let found = Found::new(Kind::NpmScript).rest(rest);
        let Some(cwd) = self.cwd.clone() else { return found };
        let folder = path::ancestors(&cwd).find(|folder| self.is_file(&path::join(folder, "package.json")));
        let folder = folder.unwrap_or(&cwd).to_owned();
        let package = self.json(&path::join(&folder, "package.json"));
        let line = package.as_ref().and_then(|package| package["scripts"][task].as_str());
        let found = self.task_line(found, line, &folder);
        found.folder(Some(folder), Language::TypeScript)
    }

    /// What the line of a task comes to, in the folder of its project.
    pub(in super::super) fn task_line(&mut self, found: Found, line: Option<&str>, folder: &str) -> Found {
        self.cwd = Some(folder.to_owned());
        let before = self.flags.clone();
        let inner = line.filter(|line| shell_line(line).is_some()).map(|line| self.line(line));
        // A task may move on to another folder; the project is still what is watched. What it hides is no news either.
        self.cwd = Some(folder.to_owned());
        for flag in [Flag::NoScript, Flag::OpaqueScript] {
            if !before.contains(&flag) {
                self.flags.remove(&flag);
            }
        }
        let Some(inner) = inner else { return found };
        let told = [TwinHint::Skip, TwinHint::Already, TwinHint::Conflict];
        let twin = inner.twin.filter(|twin| told.contains(twin));
        let rest = inner.rest.into_iter().chain(found.rest.clone()).collect();
        Found { script: inner.script, rest, twin, ..found }
    }

    pub(super) fn json(&self, file: &str) -> Option<serde_json::Value> {
        serde_json::from_str(&self.text(file)?).ok()
    }

    /// Up to the folder that holds the workspace together.
    fn enter_workspace_root(&mut self) {
        let Some(cwd) = self.cwd.clone() else { return };
        let root = path::ancestors(&cwd).find(|folder| self.is_file(&path::join(folder, "pnpm-workspace.yaml")));
        self.cwd = root.map(str::to_owned).or(Some(cwd));
    }

    /// Into a member of the workspace, named by its folder or its package.
    pub(super) fn enter_member(&mut self, selector: &str) {
        // `...pkg`, `pkg^...` and `{./pkg}` of pnpm: those around it do not matter.
        let name = selector.trim_matches(['.', '^', '{', '}']);
        let path = selector.trim_start_matches('{').trim_end_matches(['}', '.']);
        let is_package = |folder: &str| self.is_file(&path::join(folder, "package.json"));
        if let Some(folder) = self.resolve(path).filter(|folder| looks_like_path(path) || is_package(folder)) {
            self.cwd = Some(folder);
            return;
        }
        let Some(cwd) = self.cwd.clone() else { return };
        let bare = name.rsplit('/').next().unwrap_or(name);
        let found = self.members(&cwd, bare).into_iter().take(MOST).find(|folder| {
            is_package(folder)
                && match self.json(&path::join(folder, "package.json")).as_ref().map(|package| &package["name"]) {
                    Some(serde_json::Value::String(own)) => own == name,
                    _ => path::file_name(folder) == bare,
                }
        });
        self.cwd = found.or(Some(cwd));
    }

    /// The folders of a workspace that may hold a package of this name, the likeliest first.
    fn members(&self, root: &str, name: &str) -> Vec<String> {
        let mut patterns: Vec<String> = Vec::new();
        if let Some(package) = self.json(&path::join(root, "package.json")) {
            let list = package["workspaces"].as_array().or_else(|| package["workspaces"]["packages"].as_array());
            patterns.extend(list.into_iter().flatten().filter_map(|pattern| pattern.as_str().map(str::to_owned)));
        }
        let listed = self.text(&path::join(root, "pnpm-workspace.yaml"));
        let listed = listed.and_then(|text| serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&text).ok());
        if let Some(list) = listed.as_ref().and_then(|listed| listed["packages"].as_sequence()) {
            patterns.extend(list.iter().filter_map(|pattern| pattern.as_str().map(str::to_owned)));
        }
        patterns.extend(["packages/*", "apps/*", "*"].map(str::to_owned));
        let mut likely = Vec::new();
        let mut others = Vec::new();
        for pattern in patterns {
            match pattern
                .strip_suffix("/**")
                .or_else(|| pattern.strip_suffix("/*"))
                .or_else(|| pattern.strip_suffix('*'))
            {
                Some(above) => {
                    let above = path::join(root, above);
                    likely.push(path::join(&above, name));
                    others.extend(self.names(&above).iter().map(|name| path::join(&above, name)));
                }
                None => likely.push(path::join(root, &pattern)),
            }
        }
        likely.extend(others);
        likely
    }
}

/// The options between the words, each with the words that follow.
fn every_option<'a>(args: &'a [String], valued: &[&str]) -> Vec<Opts<'a>> {
    let mut all = Vec::new();
    let mut rest = args;
    loop {
        let opts = Opts::read(rest, valued);
        rest = opts.rest.get(1..).unwrap_or_default();
        let last = opts.rest.is_empty();
        all.push(opts);
        if last {
            return all;
        }
    }
}
