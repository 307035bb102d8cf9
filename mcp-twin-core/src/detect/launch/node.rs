//! JavaScript and TypeScript: node, npx, tsx, and the scripts of a package.

mod runtimes;

use super::reading::{Found, Reading, bare_package, looks_like_path};
use super::root::Language;
use super::words::{Opts, shell_line};
use super::{Flag, Kind, TwinHint, path};

const NODE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "--env-file",
    "--env-file-if-exists",
    "-C",
    "--conditions",
    "--watch-path",
    "--input-type",
    "--stack-trace-limit",
    "--icu-data-dir",
    "--openssl-config",
    "--title",
    "--experimental-default-type",
    "--disable-warning",
    "--trace-event-categories",
    "--redirect-warnings",
    "--diagnostic-dir",
    "--unhandled-rejections",
    "--max-http-header-size",
    "--secure-heap",
    "--test-name-pattern",
    "--localstorage-file",
    "--allow-fs-read",
    "--allow-fs-write",
];

const TSX: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--env-file",
    "--conditions",
    "-C",
    "--tsconfig",
    "--include",
    "--exclude",
    "--ignore",
    "-P",
    "--project",
    "-O",
    "--compiler-options",
    "--cwd",
    "--dir",
];

const PACKAGE_MANAGER: &[&str] = &[
    "--prefix",
    "-C",
    "--dir",
    "--cwd",
    "--filter",
    "-F",
    "-w",
    "--workspace",
    "-p",
    "--package",
    "--loglevel",
    "--registry",
    "--cache",
    "--userconfig",
    "--node-options",
    "--script-shell",
];

/// Commands that only pass a remote server on.
const BRIDGES: &[&str] = &["mcp-remote", "supergateway", "mcp-proxy"];

impl Reading<'_> {
    pub(super) fn node_family(&mut self, name: &str, args: &[String]) -> Option<Found> {
        Some(match name {
            "node" | "nodejs" => self.node(args),
            "tsx" => self.tsx(Kind::Tsx, args),
            "ts-node" | "ts-node-esm" | "ts-node-script" | "ts-node-transpile-only" => {
                self.flags.insert(Flag::CompilesOnStart);
                self.tsx(Kind::TsNode, args)
            }
            "vite-node" | "esr" | "swc-node" | "jiti" => self.tsx(Kind::Tsx, args),
            "nodemon" => self.nodemon(args),
            "npx" | "pnpx" => self.npx(if name == "npx" { Kind::Npx } else { Kind::PnpmDlx }, args),
            "bunx" => self.npx(Kind::Bunx, args),
            "npm" | "pnpm" | "yarn" => self.package_manager(name, args),
            "bun" => self.bun(args),
            "deno" => self.deno(args),
            name if BRIDGES.contains(&name) => {
                let found = Found::new(Kind::Binary).rest(args);
                self.bridge(found, name)
            }
            _ => return None,
        })
    }

    fn node(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, NODE);
        if opts.has(&["--watch", "--watch-path"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        self.flags.extend(opts.value(&["--env-file"]).map(|file| Flag::EnvFile(self.script_at(file))));
        self.inspector_port(&opts);
        if opts.has(&["--run"]) {
            let task = opts.value(&["--run"]).or_else(|| opts.rest.first().map(String::as_str));
            return self.package_script(task.unwrap_or("start"), &[]);
        }
        if opts.has(&["-e", "--eval", "-p", "--print", "-i", "--interactive"]) {
            return self.nothing(Kind::Node);
        }
        let typescript = opts.all(&["--import", "--loader", "-r", "--require", "--experimental-loader"]);
        let typescript = typescript.iter().any(|module| module.contains("tsx") || module.contains("ts-node"));
        match opts.rest.split_first() {
            Some((script, rest)) if script != "-" => {
                let script = self.node_file(script);
                let language = if typescript { Language::TypeScript } else { language(&script) };
                Found::new(Kind::Node).script(script, language).rest(rest)
            }
            _ => self.nothing(Kind::Node),
        }
    }

    /// `--inspect=9229` binds a port that a second copy cannot have.
    fn inspector_port(&mut self, opts: &Opts<'_>) {
        let names = ["--inspect", "--inspect-brk", "--inspect-wait"];
        if opts.has(&names) {
            let port = opts.value(&names).and_then(|at| at.rsplit(':').next()).and_then(|port| port.parse().ok());
            self.flags.extend(Some(port.unwrap_or(9229)).filter(|port| *port != 0).map(Flag::FixedPort));
        }
    }

    /// A file as node finds it: with an extension left out, or through the `main` of a folder.
    fn node_file(&self, word: &str) -> String {
        let script = self.script_at(word);
        if self.is_dir(&script) {
            let package = self.text(&path::join(&script, "package.json"));
            let package = package.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            let main = package.as_ref().and_then(|package| package["main"].as_str()).unwrap_or("index.js");
            return path::join(&script, main);
        }
        let guesses = ["js", "cjs", "mjs"].iter().map(|end| format!("{script}.{end}"));
        if self.exists(&script) {
            script
        } else {
            guesses.into_iter().find(|file| self.is_file(file)).unwrap_or(script)
        }
    }

    fn nothing(&mut self, kind: Kind) -> Found {
        self.flags.insert(Flag::NoScript);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(kind) }
    }

    fn tsx(&mut self, kind: Kind, args: &[String]) -> Found {
        let mut opts = Opts::read(args, TSX);
        if opts.rest.first().is_some_and(|word| word == "watch") {
            self.flags.insert(Flag::SelfReloading);
            opts = Opts::read(&opts.rest[1..], TSX);
        }
        if opts.has(&["--watch"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        if let Some(folder) = opts.value(&["--cwd", "--dir"]) {
            self.enter(folder);
        }
        match opts.rest.split_first() {
            Some((script, rest)) => {
                let script = self.script_at(script);
                Found::new(kind).script(script, Language::TypeScript).rest(rest)
            }
            None => self.nothing(kind),
        }
    }

    fn nodemon(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::SelfReloading);
        let opts = Opts::read(
            args,
            &[
                "-w", "--watch", "-e", "--ext", "-i", "--ignore", "-x", "--exec", "--delay", "-d", "--config", "-s",
                "--signal",
            ],
        );
        match opts.value(&["-x", "--exec"]) {
            Some(command) => {
                let line = [&[command.to_owned()], opts.rest].concat().join(" ");
                self.line(&line)
            }
            None => self.node(opts.rest),
        }
    }

    /// npx, bunx, `pnpm dlx`: a package, a local path, or a runner that npx only fetches.
    pub(super) fn npx(&mut self, kind: Kind, args: &[String]) -> Found {
        let opts = Opts::read(
            args,
            &[
                "-p",
                "--package",
                "-c",
                "--call",
                "-w",
                "--workspace",
                "--prefix",
                "--registry",
                "--cache",
                "--node-arg",
                "--loglevel",
            ],
        );
        if let Some(line) = opts.value(&["-c", "--call"]) {
            self.flags.insert(Flag::ShellWrapper);
            return self.line(line).slow();
        }
        let package = opts.value(&["-p", "--package"]);
        let Some((command, rest)) = opts.rest.split_first() else {
            return Found { package: package.map(str::to_owned), ..self.nothing(kind).slow() };
        };
        let bare = bare_package(command).to_owned();
        let runner = matches!(
            bare.as_str(),
            "tsx"
                | "ts-node"
                | "ts-node-esm"
                | "node"
                | "nodemon"
                | "vite-node"
                | "jiti"
                | "esr"
                | "bun"
                | "deno"
                | "dotenvx"
                | "dotenv"
                | "env-cmd"
        );
        if runner && !rest.is_empty() {
            let inner: Vec<String> = std::iter::once(bare).chain(rest.iter().cloned()).collect();
            return self.run(&inner).slow();
        }
        if looks_like_path(command) {
            self.flags.insert(Flag::LocalPackage);
            let script = self.node_file(command);
            let language = language(&script);
            let found = Found::new(kind).rest(rest).slow();
            return if self.is_dir(&self.script_at(command)) {
                found.folder(self.resolve(command), Language::TypeScript)
            } else {
                found.script(script, language)
            };
        }
        self.flags.insert(Flag::InstalledPackage);
        let found = Found::new(kind).package(package.unwrap_or(command)).rest(rest).slow();
        self.bridge(found, &bare)
    }

    /// A bridge to a remote server is left alone: there is nothing of ours behind it.
    pub(super) fn bridge(&mut self, found: Found, name: &str) -> Found {
        let url = found.rest.iter().find(|word| word.starts_with("http://") || word.starts_with("https://"));
        match url {
            Some(url) if BRIDGES.contains(&name) => {
                self.flags.insert(Flag::RemoteBridge(url.clone()));
                Found { twin: Some(TwinHint::Skip), ..found }
            }
            _ => found,
        }
    }

    fn package_manager(&mut self, name: &str, args: &[String]) -> Found {
        let global = Opts::read(args, PACKAGE_MANAGER);
        let Some((verb, rest)) = global.rest.split_first() else { return self.nothing(Kind::NpmScript) };
        let opts = Opts::read(rest, PACKAGE_MANAGER);
        let folders = ["--prefix", "-C", "--dir", "--cwd"];
        if let Some(folder) = opts.value(&folders).or_else(|| global.value(&folders)) {
            self.enter(folder);
        }
        match verb.as_str() {
            "run" | "run-script" => match opts.rest.split_first() {
                Some((task, rest)) => self.package_script(task, rest),
                None => self.nothing(Kind::NpmScript),
            },
            "start" | "test" => self.package_script(verb, opts.rest),
            "exec" | "x" if name == "npm" => self.npx(Kind::Npx, rest),
            "dlx" => self.npx(Kind::PnpmDlx, rest),
            // These run what is installed in the project.
            "exec" | "node" => {
                let inner: Vec<String> = match verb.as_str() {
                    "node" => global.rest.to_vec(),
                    _ => opts.rest.to_vec(),
                };
                self.run(&inner)
            }
            _ if name != "npm" => {
                let known = matches!(verb.as_str(), "tsx" | "ts-node" | "nodemon" | "vite-node");
                if known { self.run(global.rest) } else { self.package_script(verb, rest) }
            }
            _ => self.nothing(Kind::NpmScript),
        }
    }

    /// A script of `package.json`: what it runs, where that can be seen, in the folder of the package.
    fn package_script(&mut self, task: &str, rest: &[String]) -> Found {
        self.flags.insert(Flag::Task);
        let found = Found::new(Kind::NpmScript).rest(rest);
        let Some(cwd) = self.cwd.clone() else { return found };
        let folder = path::ancestors(&cwd).find(|folder| self.is_file(&path::join(folder, "package.json")));
        let folder = folder.unwrap_or(&cwd).to_owned();
        let package = self.text(&path::join(&folder, "package.json"));
        let package = package.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let line = package.as_ref().and_then(|package| package["scripts"][task].as_str());
        self.cwd = Some(folder.clone());
        let inner = line.filter(|line| shell_line(line).is_some()).map(|line| self.line(line));
        // A script may move on to another folder; the package is still what is watched.
        self.cwd = Some(folder.clone());
        let script = inner.as_ref().and_then(|inner| inner.script.clone());
        let rest = inner.map(|inner| inner.rest).unwrap_or_default().into_iter().chain(found.rest.clone()).collect();
        Found { script, rest, ..found.folder(Some(folder), Language::TypeScript) }
    }
}

fn language(script: &str) -> Language {
    match path::extension(script).as_str() {
        "ts" | "mts" | "cts" | "tsx" => Language::TypeScript,
        _ => Language::JavaScript,
    }
}
