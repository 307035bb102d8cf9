//! Which headers of a client go on to a twin, and which of a twin's answer go back.

use hyper::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// The session of the legacy era (2025-03-26 basic/transports: Session Management).
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The version that a request is made in (2025-06-18 basic/transports: Protocol Version Header).
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Where a stream is to go on.
pub const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// The method of a request of the modern era (2026-07-28 basic/transports/streamable-http).
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
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
    ) || name.as_str() == "keep-alive"
        || name.as_str() == "proxy-connection"
        || *name == TOKEN
}

/// What of a message's headers goes on: not those of the connection, nor those that `Connection` names.
#[must_use]
pub fn onward(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut out = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !stays(name) && !named.iter().any(|named| named == name.as_str()) {
            out.append(name.clone(), value.clone());
        }
    }
    out
}

/// The headers of a client's message for a twin. A twin's answer is read here, so it is not to be compressed.
#[must_use]
pub fn to_twin(headers: &HeaderMap) -> HeaderMap {
    let mut out = onward(headers);
    out.remove(ACCEPT_ENCODING);
    out.remove(SESSION);
    out.remove(LAST_EVENT);
    out
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
        let out = to_twin(&headers);
        assert_eq!(out.get(AUTHORIZATION).unwrap(), "Bearer x");
        assert_eq!(out.get("mcp-param-region").unwrap(), "eu");
        assert_eq!(out.get_all("x-unknown").iter().count(), 2);
        assert_eq!(out.len(), 4, "{out:?}");
        assert_eq!(onward(&headers).get("mcp-session-id").unwrap(), "ours");
    }
}
