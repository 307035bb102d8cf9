//! Which entries are to be wired, and why others are not. Pure: what is configured comes in.

use super::reason::Reason;
use mcp_twin_core::detect::launch::{Flag, TwinHint};
use mcp_twin_core::detect::{Client, EntryFlag, Inventory, Mark, Scope, Server, Source, Transport};
use mcp_twin_core::spec::slug;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Which entries are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// These; all if empty.
    pub(crate) names: &'a [String],
    pub(crate) client: Option<Client>,
    pub(crate) scope: Option<Scope>,
    pub(crate) force: bool,
}

/// What an entry becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It runs its command through mcp-twin.
    Run,
    /// It stays, and one of a closer scope hides it.
    Shadow,
    /// It connects to this front.
    Address(String),
}

/// An entry that is meant, and what is to become of it.
#[derive(Clone, Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) source: &'a Source,
    pub(crate) server: &'a Server,
    /// Every client that reads the file.
    pub(crate) readers: Vec<Client>,
    pub(crate) verdict: Result<How, Reason>,
}

/// What the world knows beyond the configuration.
pub(crate) struct Known<'a> {
    /// The real path behind links.
    pub(crate) real: &'a dyn Fn(&Path) -> PathBuf,
    /// Whether there is such a file.
    pub(crate) exists: &'a dyn Fn(&Path) -> bool,
    /// Where the front of the server of this name is reached at this path, if one was ever begun.
    pub(crate) front: &'a dyn Fn(&str, &str) -> Option<String>,
}

/// Every entry that is meant, once, however many clients read its file; in the order of the inventory.
pub(crate) fn choose<'a>(inventory: &'a Inventory, wanted: &Wanted<'_>, known: &Known<'_>) -> Vec<Choice<'a>> {
    let mut readers: HashMap<PathBuf, Vec<Client>> = HashMap::new();
    for file in &inventory.files {
        let of_file = readers.entry((known.real)(&file.source.path)).or_default();
        if !of_file.contains(&file.source.client) {
            of_file.push(file.source.client);
        }
    }
    let mut choices: Vec<Choice<'a>> = Vec::new();
    let mut at: HashMap<(PathBuf, &[_]), usize> = HashMap::new();
    let entries =
        inventory.files.iter().flat_map(|file| file.parsed.servers.iter().map(|server| (&file.source, server)));
    for (source, server) in entries {
        if !is_meant(wanted, source, server) {
            continue;
        }
        let real = (known.real)(&source.path);
        let readers = readers.get(&real).cloned().unwrap_or_default();
        let verdict = verdict(source, server, wanted, known);
        let choice = Choice { source, server, readers, verdict };
        match at.get(&(real.clone(), server.site.path.as_slice())) {
            // The reader that allows it decides, else the first.
            Some(index) => {
                if let Some(known) = choices.get_mut(*index)
                    && known.verdict.is_err()
                    && choice.verdict.is_ok()
                {
                    *known = choice;
                }
            }
            None => {
                at.insert((real, server.site.path.as_slice()), choices.len());
                choices.push(choice);
            }
        }
    }
    choices
}

fn is_meant(wanted: &Wanted<'_>, source: &Source, server: &Server) -> bool {
    let scope = match wanted.scope {
        None => true,
        // Its shadow will be local.
        Some(Scope::Local) => source.scope == Scope::Local || can_be_hidden(source),
        Some(scope) => source.scope == scope,
    };
    scope
        && wanted.client.is_none_or(|client| client == source.client)
        && (wanted.names.is_empty() || wanted.names.iter().any(|name| names(name, &server.name)))
}

/// Whether somebody who says `said` means the server of this name.
pub(crate) fn names(said: &str, name: &str) -> bool {
    said.eq_ignore_ascii_case(name) || said == slug(name).as_str()
}

/// Whether an entry of another scope can take the place of those in this file.
fn can_be_hidden(source: &Source) -> bool {
    source.client.id() == "claude-code" && source.scope == Scope::Project
}

fn verdict(source: &Source, server: &Server, wanted: &Wanted<'_>, known: &Known<'_>) -> Result<How, Reason> {
    let launch = server.launch.as_ref();
    if launch.is_some_and(|launch| launch.twin == TwinHint::Already) {
        // Started by name it is found on PATH, or not, by the client.
        let program = server.argv.first().map(Path::new).filter(|program| program.is_absolute());
        let gone = program.filter(|program| !(known.exists)(program));
        return Err(gone.map_or(Reason::Already, |program| Reason::Moved(program.display().to_string())));
    }
    match source.scope {
        Scope::Managed => return Err(Reason::Managed),
        Scope::System => return Err(Reason::System),
        Scope::Plugin => return Err(Reason::Plugin),
        _ => {}
    }
    if !server.enabled {
        return Err(Reason::Disabled);
    }
    if server.hidden {
        return Err(Reason::Hidden);
    }
    let how = match launch {
        None => How::Address(front(server, known)?),
        Some(launch) if launch.twin == TwinHint::Skip => {
            let bridge = launch.flags.iter().find_map(|flag| match flag {
                Flag::RemoteBridge(url) => Some(url.clone()),
                _ => None,
            });
            return Err(bridge.map_or(Reason::Foreign, Reason::Bridge));
        }
        Some(_) => How::Run,
    };
    if !source.rewritable() && !wanted.force {
        return Err(if source.mark <= Mark::Source { Reason::Legacy } else { Reason::Unsure });
    }
    let named = !wanted.names.is_empty();
    if let Some(launch) = launch.filter(|launch| !launch.watchable() && !named && !wanted.force) {
        let installed = launch.flags.contains(&Flag::InstalledPackage);
        return Err(Reason::NothingToReload(launch.package.clone().filter(|_| installed)));
    }
    if source.scope == Scope::Project && wanted.scope != Some(Scope::Project) {
        return if can_be_hidden(source) && how == How::Run { Ok(How::Shadow) } else { Err(Reason::Shared) };
    }
    Ok(how)
}

/// The address of the front of a server that is reached on this machine.
fn front(server: &Server, known: &Known<'_>) -> Result<String, Reason> {
    let url = server.url.clone().unwrap_or_default();
    if !server.flags.contains(&EntryFlag::Loopback) {
        return Err(Reason::Remote(url));
    }
    if server.transport != Transport::Http {
        return Err(Reason::OtherTransport(url));
    }
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
    let path = path.split(['?', '#']).next().unwrap_or(path);
    match (known.front)(&server.name, path) {
        Some(front) if same_place(&front, &url) => Err(Reason::Already),
        Some(front) => Ok(front),
        None => Err(Reason::Unrecorded(url)),
    }
}

/// Whether two addresses of this machine are one port and path.
fn same_place(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (authority.rsplit(':').next().map(str::to_owned), path.trim_end_matches('/').to_owned())
    };
    place(one) == place(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_twin_core::detect::launch::Look;
    use mcp_twin_core::detect::{Browse, Machine, Os, detect};
    use std::collections::BTreeMap;

    struct Files(BTreeMap<&'static str, &'static str>);

    impl Look for Files {
        fn exists(&self, path: &Path) -> bool {
            path.to_str().is_some_and(|path| self.0.contains_key(path)) || self.is_dir(path)
        }

        fn is_dir(&self, path: &Path) -> bool {
            self.0.keys().any(|file| Path::new(file).starts_with(path) && Path::new(file) != path)
        }

        fn read_small(&self, path: &Path) -> Option<String> {
            self.0.get(path.to_str()?).map(|text| (*text).to_owned())
        }
    }

    impl Browse for Files {
        fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
            Ok(path.to_str().and_then(|path| self.0.get(path)).map(|text| text.as_bytes().to_vec()))
        }
    }

    const RUN: &str = r#"{"mcpServers": {"x": {"command": "python3", "args": ["/s/server.py"]}}}"#;

    /// What becomes of each entry, in words, with the number of its readers.
    fn chosen(files: &[(&'static str, &'static str)], wanted: &Wanted<'_>) -> Vec<String> {
        let files = Files(files.iter().copied().chain([("/s/server.py", "")]).collect());
        let machine = Machine {
            os: Os::Linux,
            home: Path::new("/h"),
            project: Some(Path::new("/h/p")),
            env: &|_| None,
            look: &files,
        };
        let inventory = detect(&machine);
        let known = Known {
            real: &Path::to_owned,
            exists: &|path| path == Path::new("/usr/bin/mcp-twin"),
            front: &|name, path| (name == "web").then(|| format!("http://127.0.0.1:8042{path}")),
        };
        let shown = |choice: &Choice<'_>| {
            let what = match &choice.verdict {
                Ok(How::Run) => "run".to_owned(),
                Ok(How::Shadow) => "shadow".to_owned(),
                Ok(How::Address(url)) => url.clone(),
                Err(reason) => reason.code().to_owned(),
            };
            format!("{} {} {what} {}", choice.server.name, choice.source.client.id(), choice.readers.len())
        };
        choose(&inventory, wanted, &known).iter().map(shown).collect()
    }

    const ALL: Wanted<'static> = Wanted { names: &[], client: None, scope: None, force: false };

    #[test]
    fn a_projects_file_is_hidden_where_that_is_possible() {
        let files = [("/h/p/.mcp.json", RUN)];
        let readers = chosen(&files, &ALL);
        let count: usize = readers[0].rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a number");
        assert!(readers.len() == 1 && readers[0].starts_with("x claude-code shadow ") && count > 2, "{readers:?}");
        assert!(chosen(&files, &Wanted { scope: Some(Scope::Local), ..ALL })[0].starts_with("x claude-code shadow"));
        let project = Wanted { scope: Some(Scope::Project), ..ALL };
        assert!(chosen(&files, &project)[0].starts_with("x claude-code run"));
        assert_eq!(chosen(&files, &Wanted { scope: Some(Scope::User), ..ALL }), [""; 0]);
        let cursor = [("/h/p/.cursor/mcp.json", RUN)];
        assert!(chosen(&cursor, &ALL)[0].contains(" shared "));
        assert!(chosen(&cursor, &project)[0].starts_with("x cursor run"));
    }

    #[test]
    fn what_is_known_from_others_or_was_left_needs_force() {
        let zed = r#"{"context_servers": {"x": {"command": "python3", "args": ["/s/server.py"]}}}"#;
        let old = r#"{"mcp": {"servers": {"x": {"command": "python3", "args": ["/s/server.py"]}}}}"#;
        for (file, text, client, reason) in [
            ("/h/.config/zed/settings.json", zed, "zed", "unsure"),
            ("/h/.config/Code/User/settings.json", old, "vscode", "legacy"),
        ] {
            let client = Client::named(client);
            let wanted = Wanted { client, ..ALL };
            assert!(chosen(&[(file, text)], &wanted)[0].contains(reason), "{file}");
            assert!(chosen(&[(file, text)], &Wanted { force: true, ..wanted })[0].contains(" run "), "{file}");
        }
    }

    #[test]
    fn an_installed_package_is_wired_when_it_is_named() {
        let files =
            [("/h/.cursor/mcp.json", r#"{"mcpServers": {"My Tool": {"command": "npx", "args": ["-y", "tool"]}}}"#)];
        assert_eq!(chosen(&files, &ALL), ["My Tool cursor nothing_to_reload 1"]);
        for said in ["My Tool", "my tool", "my-tool"] {
            let names = [said.to_owned()];
            assert_eq!(chosen(&files, &Wanted { names: &names, ..ALL }), ["My Tool cursor run 1"], "{said}");
        }
        assert_eq!(chosen(&files, &Wanted { names: &["tool".to_owned()], ..ALL }), [""; 0]);
        assert_eq!(chosen(&files, &Wanted { force: true, ..ALL }), ["My Tool cursor run 1"]);
    }

    #[test]
    fn addresses_of_this_machine_lead_to_their_front() {
        let text = |url: &str| -> &'static str {
            format!(r#"{{"mcpServers": {{"web": {{"url": "{url}"}}, "other": {{"url": "{url}"}}}}}}"#).leak()
        };
        let of = |url: &str| chosen(&[("/h/.cursor/mcp.json", text(url))], &ALL);
        let wired = ["web cursor http://127.0.0.1:8042/api/mcp 1", "other cursor unrecorded 1"];
        assert_eq!(of("http://localhost:3000/api/mcp?k=1"), wired);
        assert_eq!(of("http://localhost:8042/mcp/"), ["web cursor already 1", "other cursor unrecorded 1"]);
        assert_eq!(of("https://example.com/mcp"), ["web cursor remote 1", "other cursor remote 1"]);
        let sse = r#"{"mcpServers": {"web": {"type": "sse", "url": "http://localhost:3000/sse"}}}"#;
        assert_eq!(chosen(&[("/h/.cursor/mcp.json", sse)], &ALL), ["web cursor other_transport 1"]);
    }

    #[test]
    fn what_runs_through_mcp_twin_is_no_source_of_a_command() {
        let wired = r#"{"mcpServers": {
            "a": {"command": "/usr/bin/mcp-twin", "args": ["run", "--", "python3", "/s/server.py"]},
            "b": {"command": "mcp-twin", "args": ["run", "--", "python3", "/s/server.py"]},
            "c": {"command": "/gone/mcp-twin", "args": ["run", "--", "python3", "/s/server.py"]}}}"#;
        let every = Wanted { force: true, scope: Some(Scope::Project), ..ALL };
        let found = chosen(&[("/h/p/.cursor/mcp.json", wired)], &Wanted { client: Client::named("cursor"), ..every });
        let words: Vec<_> = found.iter().map(|line| line.split(' ').nth(2).unwrap_or_default()).collect();
        assert_eq!(words, ["already", "already", "moved"]);
    }

    #[test]
    fn an_administrators_file_is_not_ours_even_by_force() {
        let force = Wanted { force: true, ..ALL };
        let files = [("/etc/claude-code/managed-mcp.json", RUN), ("/h/.claude.json", RUN)];
        assert_eq!(chosen(&files, &force), ["x claude-code managed 1", "x claude-code hidden 1"]);
    }
}
