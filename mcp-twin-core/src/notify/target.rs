//! Who is told, and of what.

use super::address::{Address, AddressError, host_of};
use super::event::Event;
use crate::detect::is_loopback;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// How a target wants its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A JSON document of ours by POST.
    Webhook,
    /// An incoming webhook of Slack.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// The desktop of this machine.
    Desktop,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::Discord, Self::Desktop];

    /// Their words in a configuration file.
    pub const WORDS: [&'static str; 4] = ["webhook", "slack", "discord", "desktop"];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Desktop => "desktop",
        }
    }

    /// Whether messages may go to this URL. That of Slack and Discord is a secret, so it goes in the clear to this machine only.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts(self, url: &str) -> Result<(), AddressError> {
        host_of(url)?;
        let secret = matches!(self, Self::Slack | Self::Discord);
        if secret && url.starts_with("http://") && !is_loopback(url) { Err(AddressError::Clear) } else { Ok(()) }
    }
}

/// Where a secret is kept; what it is, only the host finds out, when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A variable of mcp-twin's own environment.
    Variable(String),
    /// The first line of a file.
    File(PathBuf),
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// One that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub kind: Kind,
    /// Where; `None` for the desktop.
    pub address: Option<Address>,
    /// Of what.
    pub events: Vec<Event>,
    /// What its messages are signed with.
    pub secret: Option<Given>,
    /// Headers beside our own, by the variable that holds each value.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// Whether it wants to hear of this.
    #[must_use]
    pub fn wants(&self, event: Event) -> bool {
        event == Event::Test || self.events.contains(&event)
    }
}

/// What may be shown of it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        self.address.iter().try_for_each(|address| write!(f, " {address}"))
    }
}
