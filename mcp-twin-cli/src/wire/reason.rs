//! Why an entry is left alone.

use mcp_twin_core::detect::Client;

/// Why an entry is not wired. None of these is a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It runs through mcp-twin.
    Already,
    /// It runs through mcp-twin at a path where nothing is any more.
    Moved(String),
    /// The administrator's file.
    Managed,
    /// A file of all users of the machine.
    System,
    /// A plugin's own file.
    Plugin,
    /// The client does not start it.
    Disabled,
    /// Another entry of its name counts.
    Hidden,
    /// It is reached at an address elsewhere.
    Remote(String),
    /// It is reached on this machine, and nobody knows its command.
    Unrecorded(String),
    /// It is reached by something else than Streamable HTTP.
    OtherTransport(String),
    /// Its command is a bridge to a remote server.
    Bridge(String),
    /// Its command runs it in another system.
    Foreign,
    /// How the client writes the file is only known from others.
    Unsure,
    /// The client has left this place.
    Legacy,
    /// It is made of no files that could be saved; a package's name where it is one.
    NothingToReload(Option<String>),
    /// The file is shared with whoever works in the project.
    Shared,
    /// It would have to be copied with values of these variables.
    Values(Vec<String>),
}

impl Reason {
    /// A word that stays the same.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Already => "already",
            Self::Moved(_) => "moved",
            Self::Managed => "managed",
            Self::System => "system",
            Self::Plugin => "plugin",
            Self::Disabled => "disabled",
            Self::Hidden => "hidden",
            Self::Remote(_) => "remote",
            Self::Unrecorded(_) => "unrecorded",
            Self::OtherTransport(_) => "other_transport",
            Self::Bridge(_) => "bridge",
            Self::Foreign => "foreign",
            Self::Unsure => "unsure",
            Self::Legacy => "legacy",
            Self::NothingToReload(_) => "nothing_to_reload",
            Self::Shared => "shared",
            Self::Values(_) => "values",
        }
    }

    /// Whether there is nothing to be done about it: what was asked for is so.
    pub(crate) fn is_fine(&self) -> bool {
        *self == Self::Already
    }

    /// The reason, for people.
    pub(crate) fn why(&self, client: Client) -> String {
        match self {
            Self::Already => "runs through mcp-twin already".to_owned(),
            Self::Moved(path) => format!("runs through mcp-twin at {path}, which is gone"),
            Self::Managed => "is set by the administrator".to_owned(),
            Self::System => "is set for all users of this machine".to_owned(),
            Self::Plugin => "belongs to a plugin, whose next update would undo it".to_owned(),
            Self::Disabled => format!("is switched off in {client}"),
            Self::Hidden => "does not count: a stronger entry has its name".to_owned(),
            Self::Remote(url) => format!("is reached at {url}, not run here"),
            Self::Unrecorded(url) => format!("is reached at {url}; its command is not known"),
            Self::OtherTransport(url) => format!("is reached at {url} by an older transport"),
            Self::Bridge(url) => format!("is a bridge to {url}, not run here"),
            Self::Foreign => "runs in another system".to_owned(),
            Self::Unsure => "is in a file that is known from other tools only".to_owned(),
            Self::Legacy => format!("is in a place that {client} has left"),
            Self::NothingToReload(Some(package)) => format!("is installed ({package}): nothing to reload"),
            Self::NothingToReload(None) => "has no files of its own that are known: nothing to reload".to_owned(),
            Self::Shared => "is in a file that the project shares".to_owned(),
            Self::Values(names) => format!("has values in its env ({})", names.join(", ")),
        }
    }

    /// What may be done about it, with the name of such a server.
    pub(crate) fn hint(&self, name: &str) -> Option<String> {
        let name = shell_words::quote(name);
        Some(match self {
            Self::Moved(_) => format!("mcp-twin unwire {name}, then mcp-twin wire {name}"),
            Self::Disabled => "switch it on in the client, then wire it".to_owned(),
            Self::Remote(_) | Self::Bridge(_) => {
                "where its code is yours, run it here behind `mcp-twin serve`".to_owned()
            }
            Self::Unrecorded(_) => {
                format!("run it behind a front (mcp-twin start {name} -- COMMAND …), then wire it")
            }
            Self::OtherTransport(_) => "a front speaks Streamable HTTP; let the server speak it too".to_owned(),
            Self::Unsure | Self::Legacy => format!("mcp-twin wire {name} --force"),
            Self::NothingToReload(_) => format!("mcp-twin wire {name}, if a front is wanted all the same"),
            Self::Shared => format!("mcp-twin wire {name} --scope project changes the shared file"),
            Self::Values(_) => {
                "values are not copied to another file: write ${NAME} there, or use --scope project".to_owned()
            }
            _ => return None,
        })
    }
}
