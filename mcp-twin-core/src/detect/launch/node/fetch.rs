//! What fetches a package and runs it: npx, bunx, `pnpm dlx`; and the packages that only pass a remote server on.

use super::super::reading::{Found, Reading, bare_package, looks_like_path};
use super::super::root::Language;
use super::super::words::Opts;
use super::super::wrap::is_fetched;
use super::super::{Flag, Kind, TwinHint, path};
use super::language;

/// Commands that only pass a remote server on.
pub(super) const BRIDGES: &[&str] = &[
    "mcp-remote",
    "supergateway",
    "mcp-proxy",
    "mcp-stdio-to-streamable-http-adapter",
    "mcp-server-and-gw",
    "mcp-client-transport",
];

/// Commands that run a script of ours, wherever they come from.
const RUNNERS: &[&str] =
    &["tsx", "ts-node", "ts-node-esm", "node", "nodemon", "vite-node", "jiti", "esr", "swc-node", "bun", "deno"];

const NPX: &[&str] = &[
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
    "--userconfig",
    "--node-options",
];

impl Reading<'_> {
    /// npx, bunx, `pnpm dlx`: a package, a local path, or a runner that is only fetched.
    pub(in super::super) fn npx(&mut self, kind: Kind, args: &[String]) -> Found {
        let opts = Opts::read(args, NPX);
        if let Some(line) = opts.value(&["-c", "--call"]) {
            self.flags.insert(Flag::ShellWrapper);
            return self.line(line).slow();
        }
        let package = opts.value(&["-p", "--package"]);
        let Some((command, rest)) = opts.rest.split_first() else {
            return Found { package: package.map(str::to_owned), ..self.nothing(kind).slow() };
        };
        let bare = bare_package(command).to_owned();
        if bare == "mcp-twin" {
            return self.twinned();
        }
        if (RUNNERS.contains(&bare.as_str()) || is_fetched(&bare)) && !rest.is_empty() {
            let inner: Vec<String> = std::iter::once(bare).chain(rest.iter().cloned()).collect();
            return self.run(&inner).slow();
        }
        let spec = package.unwrap_or(command);
        let found = Found::new(kind).rest(rest).slow();
        let local = spec.strip_prefix("file:").unwrap_or(spec);
        if local != spec || looks_like_path(local) {
            self.flags.insert(Flag::LocalPackage);
            return self.local_package(found, local);
        }
        self.flags.insert(Flag::InstalledPackage);
        let found = found.package(spec);
        if spec.starts_with("@modelcontextprotocol/inspector") {
            return self.inspector(found);
        }
        self.bridge(found, &bare)
    }

    /// A script, a packed package, or the folder of one.
    fn local_package(&mut self, found: Found, path: &str) -> Found {
        let place = self.script_at(path);
        match path::extension(path).as_str() {
            _ if self.is_dir(&place) => found.package(path).folder(self.resolve(path), Language::TypeScript),
            "tgz" | "gz" => found.package(path).only_file(place),
            _ => {
                let script = self.node_file(path);
                let language = language(&script);
                found.script(script, language)
            }
        }
    }

    /// A bridge to a remote server is left alone: there is nothing of ours behind it.
    pub(in super::super) fn bridge(&mut self, found: Found, name: &str) -> Found {
        if !BRIDGES.contains(&name) {
            return found;
        }
        let is_url =
            |word: &&str| ["http://", "https://", "ws://", "wss://"].iter().any(|start| word.starts_with(start));
        let value =
            |word: &str| word.split_once('=').map(|(_, value)| value.to_owned()).filter(|_| word.starts_with('-'));
        let words = found.rest.iter().map(|word| value(word).unwrap_or_else(|| word.clone()));
        match words.into_iter().find(|word| is_url(&word.as_str())) {
            Some(url) => {
                self.flags.insert(Flag::RemoteBridge(url));
                Found { twin: Some(TwinHint::Skip), ..found }
            }
            None => found,
        }
    }
}
