//! One server as a file configures it, and what its command line comes to.

use super::client::{Client, Scope};
use super::launch::Launch;
use super::site::Site;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// How a client reaches a server. (What a *front* offers is [`crate::spec::Transport`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// It starts it and talks over its pipes.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// The older HTTP with server-sent events.
    Sse,
    /// A web socket.
    Ws,
}

impl Transport {
    /// The transport of this spelling of `type`; clients have found many.
    pub(super) fn spelled(text: &str) -> Option<Self> {
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Some(match plain.as_str() {
            "stdio" | "local" => Self::Stdio,
            "http" | "https" | "streamablehttp" | "streamablehttps" | "httpstream" | "remote" => Self::Http,
            "sse" => Self::Sse,
            "ws" | "wss" | "websocket" => Self::Ws,
            _ => return None,
        })
    }
}

/// Something worth knowing about an entry or its file; what there is to know about its command line is a
/// [`super::launch::Flag`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntryFlag {
    /// The file has a byte order mark.
    Bom,
    /// The file has CRLF line ends.
    Crlf,
    /// The client itself watches and restarts this server.
    ClientWatches,
    /// The file holds a key twice.
    DuplicateKey,
    /// Variables are read from this file.
    EnvFile(String),
    /// A place that the client has left.
    LegacyLocation,
    /// A URL on this machine.
    Loopback,
    /// It holds a reference that the user is asked for.
    NeedsInput(String),
    /// `transport: {…}`, as Cline has it.
    NestedTransport,
    /// It belongs to a plugin.
    PluginOwned,
    /// The same names stand in several scopes, and this is the one of this entry.
    Scope(Scope),
    /// It hides an entry of this scope.
    Shadows(Scope),
    /// A variable without value and default.
    UnsetVariable(String),
    /// YAML's merge keys or anchors were used.
    MergeKey,
}

impl fmt::Display for EntryFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Bom => "bom",
            Self::Crlf => "crlf",
            Self::ClientWatches => "client-watches",
            Self::DuplicateKey => "duplicate-key",
            Self::EnvFile(path) => return write!(f, "env-file:{path}"),
            Self::LegacyLocation => "legacy-location",
            Self::Loopback => "loopback",
            Self::NeedsInput(id) => return write!(f, "needs-input:{id}"),
            Self::NestedTransport => "nested-transport",
            Self::PluginOwned => "plugin-owned",
            Self::Scope(scope) => return write!(f, "scope:{scope}"),
            Self::Shadows(scope) => return write!(f, "shadows:{scope}"),
            Self::UnsetVariable(name) => return write!(f, "unset-var:{name}"),
            Self::MergeKey => "yaml-merge-key",
        };
        f.write_str(word)
    }
}

/// A server as one file configures it. Of variables and headers there are names only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name in the file.
    pub name: String,
    /// Whose file it is.
    pub client: Client,
    /// For whom the file counts.
    pub scope: Scope,
    /// How the client reaches it.
    pub transport: Transport,
    /// Whether the client starts it.
    pub enabled: bool,
    /// Whether another entry of this client counts in its place.
    pub hidden: bool,
    /// The command line, its references replaced; empty if it is remote. A reference to a variable that is a secret by its
    /// name stays as it is written, and so does what is not known.
    pub argv: Vec<String>,
    /// The names of its variables, in the order of the file.
    pub env_names: Vec<String>,
    /// The names of the headers that the client sends, in the order of the file.
    pub header_names: Vec<String>,
    /// The address, without user, password and the values of its query.
    pub url: Option<String>,
    /// The working directory in which the client starts it; `None` if nobody knows.
    pub cwd: Option<PathBuf>,
    /// The file that variables are read from.
    pub env_file: Option<PathBuf>,
    /// Where its entry stands.
    pub site: Site,
    /// What else was found.
    pub flags: BTreeSet<EntryFlag>,
    /// What its command line really runs; `None` if it is remote.
    pub launch: Option<Launch>,
}

impl Server {
    /// Whether the client starts it by a command, and not reaches for it at an address.
    #[must_use]
    pub fn is_stdio(&self) -> bool {
        self.transport == Transport::Stdio
    }

    /// The command line as it may be shown to people: values of headers, of options and variables that are secrets by their
    /// name, and what is secret in an address, are left out. [`Server::argv`] and its JSON have the line as it is run.
    #[must_use]
    pub fn shown_argv(&self) -> Vec<String> {
        super::shown::words(&self.argv)
    }

    /// All flags as they are shown, those of the entry and those of its command line, in order.
    #[must_use]
    pub fn all_flags(&self) -> Vec<String> {
        let own = self.flags.iter().map(ToString::to_string);
        let launch = self.launch.iter().flat_map(|launch| launch.flags.iter().map(ToString::to_string));
        own.chain(launch).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether two copies may live side by side, in one word: what [`Launch::twin`] says, or `remote`, or `skip` for what a
    /// plugin owns.
    #[must_use]
    pub fn twin(&self) -> String {
        match &self.launch {
            None => "remote".to_owned(),
            Some(launch) if launch.twin == super::launch::TwinHint::Already => launch.twin.to_string(),
            Some(_) if self.flags.contains(&EntryFlag::PluginOwned) => super::launch::TwinHint::Skip.to_string(),
            Some(launch) => launch.twin.to_string(),
        }
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        View::of(self).serialize(serializer)
    }
}

/// A server as `detect --json` shows it.
#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    client: Client,
    scope: Scope,
    transport: Transport,
    enabled: bool,
    hidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    argv: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env_keys: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_keys: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<Option<String>>,
    launcher: Option<&'static str>,
    script: Option<String>,
    package: Option<&'a str>,
    watch_root: Option<String>,
    watch_globs: Vec<&'a str>,
    watchable: bool,
    twin: String,
    flags: Vec<String>,
}

impl<'a> View<'a> {
    fn of(server: &'a Server) -> Self {
        let launch = server.launch.as_ref();
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let stdio = server.is_stdio();
        Self {
            name: &server.name,
            client: server.client,
            scope: server.scope,
            transport: server.transport,
            enabled: server.enabled,
            hidden: server.hidden,
            argv: stdio.then_some(&server.argv),
            url: server.url.as_deref(),
            env_keys: stdio.then_some(&server.env_names),
            header_keys: (!stdio).then_some(&server.header_names),
            cwd: stdio.then(|| launch.and_then(|launch| launch.cwd.as_ref()).map(text)),
            launcher: launch.map(|launch| launch.kind.as_str()),
            script: launch.and_then(|launch| launch.script.as_ref()).map(text),
            package: launch.and_then(|launch| launch.package.as_deref()),
            watch_root: launch.and_then(|launch| launch.root.as_ref()).map(text),
            watch_globs: launch
                .map(|launch| launch.watch.iter().map(|glob| glob.pattern.as_str()).collect())
                .unwrap_or_default(),
            watchable: launch.is_some_and(Launch::watchable),
            twin: server.twin(),
            flags: server.all_flags(),
        }
    }
}
