//! What an opening settled.

use crate::ids::TwinId;
use crate::relay::era::{self, Envelope, Era};
use crate::relay::frame;
use serde_json::{Map, Value};

/// What the opening settled.
#[derive(Debug, Default)]
pub(in crate::relay) struct Session {
    /// How it was opened.
    pub(in crate::relay) era: Era,
    /// The client's `params` of `initialize`, byte for byte.
    pub(in crate::relay) params: Box<str>,
    /// The metadata of our own requests (modern).
    pub(in crate::relay) meta: Box<str>,
    /// A request other than `server/discover` was accepted: the era stays (modern).
    pub(in crate::relay) firm: bool,
    /// The version that the client asked for.
    pub(in crate::relay) asked: String,
    /// The version of the answer.
    pub(in crate::relay) version: Option<String>,
    /// The capabilities that the client was told of.
    pub(in crate::relay) told: Map<String, Value>,
    /// The front told the client that the list of tools may change: there are tools of its own.
    pub(in crate::relay) announced: bool,
    /// The twin that answered the client's own `initialize`, while it lives.
    pub(in crate::relay) opener: Option<TwinId>,
    /// `clientInfo`: name and version.
    pub(in crate::relay) client: Option<(String, String)>,
}

impl Session {
    /// A modern one that is not settled yet.
    pub(in crate::relay) fn modern(envelope: Envelope) -> Self {
        Self {
            era: Era::Modern,
            meta: envelope.meta,
            asked: envelope.version,
            client: envelope.client,
            ..Self::default()
        }
    }

    /// Whether the client was told of the capability that this notification belongs to.
    pub(in crate::relay) fn told_of(&self, notification: &str) -> bool {
        if self.era == Era::Modern {
            // What belongs to a subscription is passed on by its own rules; the rest was asked for by the request itself.
            return true;
        }
        match notification {
            "notifications/tools/list_changed" => self.told_flag("tools", "listChanged"),
            "notifications/prompts/list_changed" => self.told_flag("prompts", "listChanged"),
            "notifications/resources/list_changed" => self.told_flag("resources", "listChanged"),
            "notifications/resources/updated" => self.told_flag("resources", "subscribe"),
            "notifications/message" => self.told.contains_key("logging"),
            name if name.starts_with("notifications/tasks/") => self.told.contains_key("tasks"),
            _ => true,
        }
    }

    pub(in crate::relay) fn told_flag(&self, capability: &str, flag: &str) -> bool {
        if self.announced && (capability, flag) == ("tools", "listChanged") {
            return true;
        }
        self.told.get(capability).and_then(|value| value.get(flag)).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// What a result of `initialize`, or of `server/discover`, says.
pub(in crate::relay) struct Welcome {
    /// The version that was chosen; none in a result of `server/discover`, which lists what the server speaks.
    pub(in crate::relay) version: String,
    pub(in crate::relay) capabilities: Map<String, Value>,
    pub(in crate::relay) server: Option<String>,
}

/// Deeper than this, what is no plain value is taken as text.
const DEPTH: usize = 16;

/// The members of a raw object. What no value can hold (`1e400`, half a surrogate pair) costs its neighbours nothing.
fn object(raw: &str, depth: usize) -> Map<String, Value> {
    let value = |raw: &str| match serde_json::from_str(raw) {
        Ok(value) => value,
        Err(_) if raw.starts_with('{') && depth > 0 => Value::Object(object(raw, depth - 1)),
        Err(_) => Value::from(raw),
    };
    frame::members(raw).into_iter().map(|(name, raw)| (frame::key(name).into_owned(), value(raw))).collect()
}

impl Welcome {
    /// Reads a result.
    pub(in crate::relay) fn read(result: &str) -> Self {
        let text = |raw: Option<&str>| raw.and_then(frame::string).map(std::borrow::Cow::into_owned);
        let capabilities = frame::member(result, "capabilities").map(|raw| object(raw, DEPTH));
        let info = frame::member(result, "serverInfo").or_else(|| era::server(result));
        let name = text(info.and_then(|info| frame::member(info, "name")));
        let version = text(info.and_then(|info| frame::member(info, "version")));
        Self {
            version: text(frame::member(result, "protocolVersion")).unwrap_or_default(),
            capabilities: capabilities.unwrap_or_default(),
            server: name.map(|name| match version {
                Some(version) => format!("{name} {version}"),
                None => name,
            }),
        }
    }
}
