//! JavaScript and TypeScript: node, npx, tsx, and the scripts of a package.

mod fetch;
mod runtimes;
mod scripts;

use super::reading::{Found, Reading};
use super::root::Language;
use super::words::Opts;
use super::{Flag, Kind, TwinHint, path};
use fetch::BRIDGES;

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

impl Reading<'_> {
    pub(super) fn node_family(&mut self, name: &str, args: &[String]) -> Option<Found> {
        Some(match name {
            "node" | "nodejs" => self.node(args),
            "tsx" => self.tsx(Kind::Tsx, args),
            "ts-node" | "ts-node-esm" | "ts-node-script" | "ts-node-transpile-only" => {
                self.flags.insert(Flag::CompilesOnStart);
                self.tsx(Kind::TsNode, args)
            }
            "ts-node-dev" | "tsnd" => {
                self.flags.extend([Flag::CompilesOnStart, Flag::SelfReloading]);
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
                let found = self.bridge(Found::new(Kind::Binary).rest(args), name);
                return found.twin.is_some().then_some(found);
            }
            "mcp-inspector" => self.inspector(Found::new(Kind::Binary).rest(args)),
            _ => return None,
        })
    }

    fn node(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, NODE);
        if opts.has(&["--watch", "--watch-path"]) {
            self.flags.insert(Flag::SelfReloading);
        }
        self.env_file(&opts);
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

    /// A file with variables is read from the folder that the process starts in.
    pub(super) fn env_file(&mut self, opts: &Opts<'_>) {
        self.flags.extend(opts.value(&["--env-file"]).map(|file| Flag::EnvFile(self.script_at(file))));
    }

    /// `--inspect=9229` binds a port that a second copy cannot have.
    fn inspector_port(&mut self, opts: &Opts<'_>) {
        let names = ["--inspect", "--inspect-brk", "--inspect-wait"];
        if opts.has(&names) {
            let port = opts.value(&names).and_then(|at| at.rsplit(':').next()).and_then(|port| port.parse().ok());
            self.flags.extend(Some(port.unwrap_or(9229)).filter(|port| *port != 0).map(Flag::FixedPort));
        }
    }

    /// Starts an Inspector, which has ports of its own, and a browser.
    pub(super) fn inspector(&mut self, found: Found) -> Found {
        self.flags.insert(Flag::InspectorNotServer);
        Found { twin: Some(TwinHint::Conflict), ..found }
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
        self.env_file(&opts);
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
}

fn language(script: &str) -> Language {
    match path::extension(script).as_str() {
        "ts" | "mts" | "cts" | "tsx" => Language::TypeScript,
        _ => Language::JavaScript,
    }
}
