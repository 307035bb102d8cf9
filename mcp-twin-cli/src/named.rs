//! The command of a server that is only named and that no configuration file has: that of an earlier front, or that of an
//! entry in a client's configuration.
//!
//! A recorded one counts before a detected one. Values of variables are read from the configuration at this very moment, and
//! only handed to the server.

use crate::configured::Configured;
use crate::failure::Failure;
use crate::render::style::{DIM, paint};
use crate::screen::Screen;
use crate::target;
use mcp_twin_core::detect::{Browse as _, Inventory, LARGEST, Server, Source, Start, detect};
use mcp_twin_core::spec::{Transport, slug};
use mcp_twin_runtime::fronts::FrontAddress;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::machine::{Disk, ThisMachine};
use mcp_twin_runtime::run::Variables;
use mcp_twin_runtime::servers::{self, ServerEntry};
use std::path::{Path, PathBuf};

/// What a front is to be started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name, without what told it from others.
    pub(crate) name: String,
    /// The command and its arguments.
    pub(crate) command: Vec<String>,
    /// The command as it may be written down, where values of variables stand in it.
    pub(crate) recorded: Option<Vec<String>>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// Its variables.
    pub(crate) env: Variables,
    /// Whether it speaks stdio.
    pub(crate) stdio: bool,
}

impl Named {
    /// The server over stdio that is meant: by this command, or without one by its name: that of a configuration file, of an
    /// earlier start, or of a client's entry.
    pub(crate) fn meant(
        server: Option<String>,
        command: Vec<String>,
        configured: &Configured,
        home: &Home,
        here: PathBuf,
    ) -> Result<Self, Failure> {
        match server {
            Some(name) if command.is_empty() && configured.starts(&name) => Ok(Self::in_a_file(name, here)),
            Some(name) if command.is_empty() => find(home, &name, &here, Purpose::Run),
            name => Ok(Self {
                name: name.unwrap_or_default(),
                command,
                recorded: None,
                cwd: here,
                env: Variables::default(),
                stdio: true,
            }),
        }
    }

    /// A server whose command a configuration file has.
    pub(crate) fn in_a_file(name: String, here: PathBuf) -> Self {
        Self { name, command: Vec::new(), recorded: None, cwd: here, env: Variables::default(), stdio: false }
    }
}

/// What it is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `run`: it has to speak stdio.
    Run,
    /// `serve` and `start`.
    Serve,
}

impl Purpose {
    fn word(self) -> &'static str {
        if self == Self::Run { "run" } else { "start" }
    }
}

/// The command of the server of this name, seen from the folder `here`.
pub(crate) fn find(home: &Home, name: &str, here: &Path, purpose: Purpose) -> Result<Named, Failure> {
    let detected = Detected::seen_from(here);
    let known = servers::load(home).unwrap_or_default();
    match recorded(&known, name, purpose) {
        Some(entry) => {
            let known = of_record(entry, &detected);
            detected.tell_of_another(&known, purpose);
            Ok(known)
        }
        None => detected.named(name, here, &known, purpose),
    }
}

/// What was recorded under a name. Over HTTP a server that speaks HTTP itself is meant before one over stdio.
fn recorded<'a>(known: &'a [ServerEntry], name: &str, purpose: Purpose) -> Option<&'a ServerEntry> {
    let wanted = slug(name);
    let of_name = || known.iter().filter(|entry| entry.name == wanted.as_str() && !entry.command.is_empty());
    let speaks_stdio = |entry: &&ServerEntry| entry.transport == Transport::Stdio || entry.stdio;
    match purpose {
        Purpose::Run => of_name().find(speaks_stdio),
        Purpose::Serve => of_name().find(|entry| entry.transport == Transport::Http).or_else(|| of_name().next()),
    }
}

/// A recorded command, with the variables of the entry that has the same one.
fn of_record(entry: &ServerEntry, detected: &Detected) -> Named {
    let command: Vec<String> = std::iter::once(&entry.command).chain(&entry.args).cloned().collect();
    let same = detected.starts().into_iter().find(|(_, server, start)| {
        (start.command == command || server.original() == command)
            && start.cwd.as_ref().is_none_or(|cwd| *cwd == entry.cwd)
    });
    // What was written down has references where values may not stand.
    let recorded = same.as_ref().and_then(|(_, server, start)| recorded_as(server, start));
    let (command, env) = match same {
        Some((_, _, start)) => (start.command, Variables(start.env)),
        None => (command, Variables::default()),
    };
    let missing: Vec<&str> = entry
        .env_names
        .iter()
        .map(String::as_str)
        .filter(|name| !env.iter().any(|(known, _)| known == name) && std::env::var_os(name).is_none())
        .collect();
    if !missing.is_empty() {
        Screen::error(&format!(
            "{} `{}` was started with {} before, which no configuration that is read from here sets any more\n",
            paint(DIM, "mcp-twin:"),
            entry.name,
            missing.join(", ")
        ));
    }
    Named {
        name: entry.name.clone(),
        command,
        recorded,
        cwd: entry.cwd.clone(),
        env,
        stdio: entry.stdio || entry.transport == Transport::Stdio,
    }
}

/// The command of an entry as it may be written down, if that is another one than what is started.
fn recorded_as(server: &Server, start: &Start) -> Option<Vec<String>> {
    (server.original() != start.command).then(|| server.original().to_vec())
}

/// What the clients of this machine have configured.
pub(crate) struct Detected(Option<(ThisMachine, Inventory)>);

/// A server that could be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Its name.
    pub(crate) name: String,
    /// Its command line as it may be shown; empty if nobody asked the configuration.
    pub(crate) what: String,
    /// Its command line.
    command: Vec<String>,
}

impl Detected {
    /// What is configured as seen from a folder. Where nobody knows the user's home, that is nothing.
    pub(crate) fn seen_from(here: &Path) -> Self {
        let this = ThisMachine::seen_from(Some(here.to_owned()));
        Self(this.map(|this| {
            let inventory = detect(&this.machine());
            (this, inventory)
        }))
    }

    /// Each entry that counts, with its file; those that a client starts by itself come first.
    fn entries(&self) -> Vec<(&Source, &Server)> {
        let Some((_, inventory)) = &self.0 else { return Vec::new() };
        let all =
            inventory.files.iter().flat_map(|file| file.parsed.servers.iter().map(|server| (&file.source, server)));
        let mut entries: Vec<_> = all.filter(|(_, server)| !server.hidden).collect();
        entries.sort_by_key(|(_, server)| !server.enabled);
        entries
    }

    /// Each entry with a command, and what starts it.
    fn starts(&self) -> Vec<(&Source, &Server, Start)> {
        self.entries()
            .into_iter()
            .filter(|(_, server)| !server.original().is_empty())
            .filter_map(|(source, server)| Some((source, server, self.start(source, server)?)))
            .collect()
    }

    fn start(&self, source: &Source, server: &Server) -> Option<Start> {
        let (this, _) = self.0.as_ref()?;
        let bytes = Disk.read(&source.path, LARGEST).ok()??;
        source.start(server, &bytes, &this.machine())
    }

    /// What could be started and does not run, each name once.
    pub(crate) fn offers(&self, running: &[FrontAddress], commands: &[&[String]]) -> Vec<Offer> {
        let mut offers: Vec<Offer> = Vec::new();
        for (_, server) in self.entries() {
            let command = server.original();
            let known = offers.iter().any(|offer| offer.name == server.name || offer.command == command);
            let wanted = slug(&server.name);
            let runs = running
                .iter()
                .any(|front| front.server == wanted.as_str() || front.display.as_deref() == Some(server.name.as_str()));
            if command.is_empty() || !server.enabled || known || runs || commands.contains(&command) {
                continue;
            }
            offers.push(Offer {
                name: server.name.clone(),
                what: shell_words::join(server.shown_original()),
                command: command.to_vec(),
            });
        }
        offers
    }

    /// The server of this name. `NAME@CLIENT` is the one of this client.
    fn named(&self, wanted: &str, here: &Path, known: &[ServerEntry], purpose: Purpose) -> Result<Named, Failure> {
        let (name, client) = match wanted.rsplit_once('@') {
            Some((name, client)) if mcp_twin_core::detect::Client::named(client).is_some() => (name, Some(client)),
            _ => (wanted, None),
        };
        let of_name = |source: &Source, server: &Server| {
            slug(&server.name) == slug(name) && client.is_none_or(|client| source.client.id() == client)
        };
        let mut found = self.starts();
        found.retain(|(source, server, _)| of_name(source, server));
        // As it is spelled, before what only looks like it; one that a client starts, before one that is switched off.
        for better in
            [&|server: &Server| server.name == name, &|server: &Server| server.enabled] as [&dyn Fn(&Server) -> bool; 2]
        {
            if found.iter().any(|(_, server, _)| better(server)) {
                found.retain(|(_, server, _)| better(server));
            }
        }
        let Some((_, server, first)) = found.first().cloned() else {
            return Err(self.not_found(name, known, purpose, |source, server| of_name(source, server)));
        };
        if found.iter().any(|(_, _, start)| start.command != first.command || start.cwd != first.cwd) {
            let mut lines: Vec<String> = Vec::new();
            for (source, server, _) in &found {
                let line = format!(
                    "mcp-twin {} {}  ({})",
                    purpose.word(),
                    shell_words::quote(&format!("{name}@{}", source.client.id())),
                    shell_words::join(server.shown_original())
                );
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            let failure = Failure::ambiguous_server(format!("`{name}` is the name of several servers"));
            return Err(failure.advise("one of", format!("\n{}", lines.join("\n"))));
        }
        Ok(Named {
            name: name.to_owned(),
            recorded: recorded_as(server, &first),
            command: first.command,
            cwd: first.cwd.unwrap_or_else(|| here.to_owned()),
            env: Variables(first.env),
            stdio: true,
        })
    }

    /// Says it where the entry of this name runs something else than what is recorded.
    fn tell_of_another(&self, known: &Named, purpose: Purpose) {
        let of_name = |(_, server, _): &(&Source, &Server, Start)| slug(&server.name).as_str() == known.name;
        let found: Vec<_> = self.starts().into_iter().filter(of_name).collect();
        let same =
            |start: &Start| start.command == known.command && start.cwd.as_ref().is_none_or(|cwd| *cwd == known.cwd);
        if found.iter().any(|(_, _, start)| same(start)) {
            return;
        }
        if let Some((source, server, _)) = found.first() {
            Screen::error(&format!(
                "{} `{}` runs what it ran the last time, in {}; its entry in {} has another command: mcp-twin {} {}\n",
                paint(DIM, "mcp-twin:"),
                known.name,
                known.cwd.display(),
                source.path.display(),
                purpose.word(),
                shell_words::quote(&format!("{}@{}", server.name, source.client.id())),
            ));
        }
    }

    fn not_found(
        &self,
        name: &str,
        known: &[ServerEntry],
        purpose: Purpose,
        of_name: impl Fn(&Source, &Server) -> bool,
    ) -> Failure {
        let entries = self.entries();
        if let Some((source, server)) = entries.iter().find(|(source, server)| of_name(source, server)) {
            let place = source.path.display();
            return match &server.url {
                Some(url) => {
                    let failure =
                        Failure::usage(format!("`{name}` is a server at {url}: there is no command to start"))
                            .advise("its entry", place.to_string());
                    match url.starts_with("http://") {
                        true => {
                            failure.advise("a bridge to it", format!("mcp-twin run --url {}", shell_words::quote(url)))
                        }
                        false => failure,
                    }
                }
                None => Failure::usage(format!("the entry of `{name}` runs mcp-twin and names no command behind `--`"))
                    .advise("its entry", place.to_string())
                    .advise("such as", format!("mcp-twin {} --name {name} -- python server.py", purpose.word())),
            };
        }
        let mut names: Vec<String> = self.offers(&[], &[]).into_iter().map(|offer| offer.name).collect();
        names.extend(
            known.iter().map(|entry| entry.name.clone()).filter(|name| !names.contains(name)).collect::<Vec<_>>(),
        );
        let failure = Failure::unknown_server(name);
        let failure = if name.contains(['/', '\\', '.']) || name == "python" || name == "node" {
            failure.did_you_mean(format!("mcp-twin {} -- {}", purpose.word(), shell_words::quote(name)))
        } else {
            match target::nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => failure.did_you_mean(nearest),
                None => failure,
            }
        };
        let failure = match names.is_empty() {
            true => failure,
            false => failure.advise("available", names.join(", ")),
        };
        failure.advise("such as", format!("mcp-twin {} --name {} -- python server.py", purpose.word(), slug(name)))
    }
}

/// What `start` could be meant for where nothing is named: what files have, what is recorded for HTTP, and what is detected.
pub(crate) fn offers(home: &Home, here: &Path) -> Vec<Offer> {
    let running = mcp_twin_runtime::fronts::running(home);
    // A file with mistakes offers nothing; whoever starts a server is told of them.
    let of_files = Configured::seen_from(here, home).map(|configured| configured.offers()).unwrap_or_default();
    let recorded = servers::load(home).unwrap_or_default().into_iter().filter(|entry| {
        entry.transport == Transport::Http && !running.iter().any(|front| front.serves() && front.server == entry.name)
    });
    let runs = |name: &str| running.iter().any(|front| front.serves() && front.server == name);
    let of_files = of_files.into_iter().filter(|(name, _)| !runs(name));
    let mut offers: Vec<Offer> = of_files
        .map(|(name, command)| Offer {
            name,
            what: shell_words::join(mcp_twin_core::detect::shown_words(&command)),
            command,
        })
        .collect();
    let recorded: Vec<Offer> = recorded
        .map(|entry| {
            let command: Vec<String> = std::iter::once(entry.command).chain(entry.args).collect();
            Offer { name: entry.name, what: shell_words::join(&command), command }
        })
        .collect();
    let unknown = recorded.into_iter().filter(|offer| !offers.iter().any(|known| known.name == offer.name));
    let unknown: Vec<Offer> = unknown.collect();
    offers.extend(unknown);
    for offer in Detected::seen_from(here).offers(&running, &[]) {
        if !offers.iter().any(|known| known.command == offer.command || slug(&known.name) == slug(&offer.name)) {
            offers.push(offer);
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, transport: Transport, stdio: bool) -> ServerEntry {
        ServerEntry {
            name: name.to_owned(),
            root: "/srv".into(),
            command: format!("{transport:?}"),
            args: Vec::new(),
            cwd: "/srv".into(),
            transport,
            stdio,
            env_names: Vec::new(),
            last_used: 0,
        }
    }

    #[test]
    fn what_was_recorded_counts_if_it_can_be_used() {
        let both = [entry("api", Transport::Stdio, false), entry("api", Transport::Http, false)];
        let found = |known: &[ServerEntry], name: &str, purpose| {
            recorded(known, name, purpose).map(|entry| (entry.transport, entry.stdio))
        };
        assert_eq!(found(&both, "API", Purpose::Run), Some((Transport::Stdio, false)));
        assert_eq!(found(&both, "api", Purpose::Serve), Some((Transport::Http, false)));
        assert_eq!(found(&both[..1], "api", Purpose::Serve), Some((Transport::Stdio, false)));
        assert_eq!(found(&both[1..], "api", Purpose::Run), None, "it speaks HTTP only");
        let behind = [entry("api", Transport::Http, true)];
        assert_eq!(found(&behind, "api", Purpose::Run), Some((Transport::Http, true)));
        assert_eq!(found(&both, "web", Purpose::Serve), None);
    }
}
