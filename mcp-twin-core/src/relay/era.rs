//! The two eras of the protocol: `legacy`, up to 2025-11-25, opens with a handshake; `modern`, from 2026-07-28 on, carries
//! what a handshake settled in the `_meta` of every request.

use super::frame::{self, Name};
use std::borrow::Cow;

/// The `_meta` key that makes a request a modern one (2026-07-28 basic/index: `_meta`).
static VERSION: Name = Name::new("io.modelcontextprotocol/protocolVersion");
/// Who the client is.
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
/// Who the server is, in the `_meta` of its results.
const SERVER: &str = "io.modelcontextprotocol/serverInfo";
/// From which level on a request wants log messages.
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The `_meta` key of everything that belongs to a `subscriptions/listen`: the id of that request.
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
static SUBSCRIBED: Name = Name::new(SUBSCRIPTION);

/// How a session was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Era {
    /// With `initialize`.
    #[default]
    Legacy,
    /// With the metadata of a request.
    Modern,
}

/// What the metadata of a modern request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The protocol version that the client speaks.
    pub(super) version: String,
    /// Name and version of the client.
    pub(super) client: Option<(String, String)>,
    /// The metadata for requests of our own: as the client wrote it, without what concerns its request alone.
    pub(super) meta: Box<str>,
}

impl Envelope {
    /// Reads the metadata of a request; none if the request is not a modern one.
    pub(super) fn read(params: Option<&str>) -> Option<Self> {
        let meta = modern_meta(params)?;
        let version = VERSION.of(meta).and_then(frame::string)?.into_owned();
        let part = |info, name| frame::member(info, name).and_then(frame::string).unwrap_or_default().into_owned();
        let client = frame::member(meta, CLIENT).map(|info| (part(info, "name"), part(info, "version")));
        Some(Self { version, client, meta: own(meta).into() })
    }
}

/// The metadata of a request that can be a modern one.
fn modern_meta(params: Option<&str>) -> Option<&str> {
    frame::member(params.filter(|params| VERSION.may_be_in(params))?, "_meta")
}

/// The protocol version in the metadata of a request; none if the request is not a modern one.
pub(super) fn version(params: Option<&str>) -> Option<Cow<'_, str>> {
    VERSION.of(modern_meta(params)?).and_then(frame::string)
}

/// Metadata without the progress token and the log level: we report no progress to anybody, and want no log of our own.
fn own(meta: &str) -> String {
    let mut own = String::with_capacity(meta.len());
    for (name, value) in frame::members(meta) {
        let key = frame::key(name);
        if key != "progressToken" && key != LOG_LEVEL {
            own.push(if own.is_empty() { '{' } else { ',' });
            own.push_str(name);
            own.push(':');
            own.push_str(value);
        }
    }
    own.push_str(if own.is_empty() { "{}" } else { "}" });
    own
}

/// The id in `params._meta` or `result._meta` that says to which `subscriptions/listen` a message belongs, as written.
pub(super) fn subscription(part: Option<&str>) -> Option<&str> {
    let part = part.filter(|part| SUBSCRIBED.may_be_in(part))?;
    SUBSCRIBED.of(frame::member(part, "_meta")?)
}

/// Name and version of the server of a modern result, which says so in its metadata.
pub(super) fn server(result: &str) -> Option<&str> {
    frame::member(frame::member(result, "_meta")?, SERVER)
}

/// The versions of a result of `server/discover`.
pub(super) fn versions(result: &str) -> Vec<Cow<'_, str>> {
    let list = frame::member(result, "supportedVersions").unwrap_or("[]");
    frame::elements(list).into_iter().filter_map(frame::string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_modern_by_its_metadata() {
        let params = r#"{"name":"t","_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":1e2,"io.modelcontextprotocol/logLevel":"debug","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}}"#;
        let envelope = Envelope::read(Some(params)).unwrap();
        assert_eq!(envelope.version, "2026-07-28");
        assert_eq!(envelope.client, Some(("c".into(), "1".into())));
        assert_eq!(
            &*envelope.meta,
            r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":1e2,"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}"#
        );
        assert_eq!(Envelope::read(Some(r#"{"_meta":{"progressToken":1}}"#)), None);
        assert_eq!(Envelope::read(Some(r#"{"text":"io.modelcontextprotocol/protocolVersion"}"#)), None);
        assert_eq!(Envelope::read(None), None);
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        let params = r#"{"_meta":{"io.modelcontextprotocol\/protocolVersion":"v"}}"#;
        assert_eq!(Envelope::read(Some(params)).unwrap().version, "v");
    }

    #[test]
    fn versions_are_read_as_strings() {
        assert_eq!(versions(r#"{"supportedVersions":["2026-07-28",3,"a\u0062"]}"#), ["2026-07-28", "ab"]);
        assert!(versions("{}").is_empty());
    }
}
