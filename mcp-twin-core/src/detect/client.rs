//! The words for clients and their files: who reads a file, for whom it counts, how well it is known.

use super::table::{ROWS, Row};
use serde::{Serialize, Serializer};
use std::fmt;

/// An MCP client: a row of the table.
#[derive(Clone, Copy)]
pub struct Client(pub(super) &'static Row);

impl Client {
    /// All clients that are known.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(Self)
    }

    /// The client of this id, such as `claude-code`, or of one of its other names.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.id == id || row.aliases.contains(&id)).map(Self)
    }

    /// The id, such as `claude-code`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// The name for people, such as `Claude Code`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// How a change of its files reaches it.
    #[must_use]
    pub fn pickup(self) -> Pickup {
        self.0.pickup
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Client {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Client {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.id)
    }
}

/// For whom a file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// The administrator's: it cannot be changed by the user.
    Managed,
    /// Whoever works in the project.
    Project,
    /// This user in this project.
    Local,
    /// This user everywhere.
    User,
    /// A profile of this user.
    Profile,
    /// An agent's own file.
    Agent,
    /// All users of the machine.
    System,
    /// A plugin or extension of the client owns it: an edit is lost at its next update.
    Plugin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Managed => "managed",
            Self::Project => "project",
            Self::Local => "local",
            Self::User => "user",
            Self::Profile => "profile",
            Self::Agent => "agent",
            Self::System => "system",
            Self::Plugin => "plugin",
        })
    }
}

/// How a file's place and form are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The client was run with it.
    Run,
    /// Its source or its vendor's documentation says so.
    Source,
    /// Only others' tools say so.
    ThirdParty,
    /// Nobody could check it, or sources disagree.
    Unverified,
}

/// How a change of a file reaches its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pickup {
    /// The client sees it by itself.
    Automatic,
    /// The client has a command for it, such as `/mcp`.
    Command(&'static str),
    /// Its next session has it.
    NextSession,
    /// It must be ended and started again.
    Restart,
}

impl fmt::Display for Pickup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic => f.write_str("it picks the change up by itself"),
            Self::Command(command) => write!(f, "use {command} in it, or restart it"),
            Self::NextSession => f.write_str("open a new session in it"),
            Self::Restart => f.write_str("restart it"),
        }
    }
}
