//! Which headers of a client go on to a twin, and which of a twin's answer go back.

use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// The session of the legacy era (2025-03-26 basic/transports: Session Management).
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The version that a request is made in (2025-06-18 basic/transports: Protocol Version Header).
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Where a stream is to go on.
pub const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// The method of a request of the modern era (2026-07-28 basic/transports/streamable-http).
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// What a request of the modern era is about: a tool, a prompt, a resource or a task.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Our own token, for a server that uses `Authorization` itself.
pub const TOKEN: HeaderName = HeaderName::from_static("mcp-twin-token");

/// Headers that concern one connection only (RFC 9110, 7.6.1), and those that we write ourselves.
fn stays(name: &HeaderName) -> bool {
    matches!(
        *name,
        CONNECTION
            | TE
            | TRAILER
            | TRANSFER_ENCODING
            | UPGRADE
            | PROXY_AUTHENTICATE
            | PROXY_AUTHORIZATION
            | CONTENT_LENGTH
            | HOST
            | EXPECT
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
        || *name == TOKEN
}

/// What of a message's headers goes on: not those of the connection, nor those that `Connection` names.
#[must_use]
pub fn onward(headers: HeaderMap) -> HeaderMap {
    without(headers, stays)
}

/// The headers of a client's message for a twin. A twin's answer is read here, so it is not to be compressed.
#[must_use]
pub fn to_twin(headers: HeaderMap) -> HeaderMap {
    without(headers, |name| stays(name) || [ACCEPT_ENCODING, SESSION, LAST_EVENT].contains(name))
}

/// Headers of a twin's answer that are the client's to see.
#[must_use]
pub fn to_client(headers: HeaderMap) -> HeaderMap {
    without(headers, |name| stays(name) || [SESSION, CONTENT_TYPE, CACHE_CONTROL, DATE].contains(name))
}

/// Taken out where they are: most messages have one or two of them, and the others need not move.
fn without(mut headers: HeaderMap, drops: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut dropped: Vec<HeaderName> = headers.keys().filter(|name| drops(name)).cloned().collect();
    if dropped.contains(&CONNECTION) {
        let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        dropped.extend(named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()));
    }
    for name in dropped {
        headers.remove(name);
    }
    headers
}

/// What of such headers says who a client is: for what is sent on its behalf without a message of its own.
#[must_use]
pub fn own(to_twin: &HeaderMap) -> HeaderMap {
    let mut own = to_twin.clone();
    own.remove(CONTENT_TYPE);
    own.remove(ACCEPT);
    own
}

/// The value of a header as text.
#[must_use]
pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A header value from text that we made ourselves.
#[must_use]
pub fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// A value of a message in a header: as it is where a header can carry it, else in Base64 (2026-07-28
/// basic/transports/streamable-http: Value Encoding).
#[must_use]
pub fn mirrored(text: &str) -> HeaderValue {
    let plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && text == text.trim_matches(' ');
    let wrapped = text.starts_with("=?base64?") && text.ends_with("?=");
    if plain && !text.is_empty() && !wrapped {
        value(text)
    } else {
        value(&format!("=?base64?{}?=", BASE64_STANDARD.encode(text)))
    }
}

/// The text that a header carries in the form of [`mirrored`]; `None` if it is wrapped and cannot be unwrapped.
#[must_use]
pub fn unmirrored(text: &str) -> Option<String> {
    match text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?=")) {
        Some(wrapped) => String::from_utf8(BASE64_STANDARD.decode(wrapped).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::AUTHORIZATION;

    #[test]
    fn headers_of_the_connection_stay_and_the_rest_goes_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("host", "127.0.0.1:8000"),
            ("accept-encoding", "gzip"),
            ("mcp-twin-token", "secret"),
            ("mcp-session-id", "ours"),
            ("authorization", "Bearer x"),
            ("mcp-param-region", "eu"),
            ("x-unknown", "a"),
            ("x-unknown", "b"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let out = to_twin(headers.clone());
        assert_eq!(out.get(AUTHORIZATION).unwrap(), "Bearer x");
        assert_eq!(out.get("mcp-param-region").unwrap(), "eu");
        assert_eq!(out.get_all("x-unknown").iter().count(), 2);
        assert_eq!(out.len(), 4, "{out:?}");
        assert_eq!(onward(headers).get("mcp-session-id").unwrap(), "ours");
    }

    #[test]
    fn what_a_header_cannot_carry_is_wrapped() {
        let shown = |text: &str| mirrored(text).to_str().unwrap().to_owned();
        assert_eq!(shown("us-west 1"), "us-west 1");
        assert_eq!(unmirrored("us-west 1").as_deref(), Some("us-west 1"));
        for wrong in ["=?base64?YQ=?=", "=?base64?Y?=", "=?base64?Y*==?=", "=?base64?/w==?="] {
            assert_eq!(unmirrored(wrong), None, "{wrong}");
        }
        for (text, wanted) in [
            ("", ""),
            ("\u{1}", "AQ=="),
            ("é", "w6k="),
            (" ab", "IGFi"),
            ("a\r\nb", "YQ0KYg=="),
            ("=?base64?YQ==?=", "PT9iYXNlNjQ/WVE9PT89"),
            ("\u{ffff}~\u{10ffff}", "77+/fvSPv78="),
        ] {
            assert_eq!(shown(text), format!("=?base64?{wanted}?="), "{text:?}");
            assert_eq!(unmirrored(&shown(text)).as_deref(), Some(text));
        }
    }
}
