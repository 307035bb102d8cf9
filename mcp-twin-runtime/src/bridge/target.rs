//! Where a bridge leads: the server's URL, and the headers that go with every request.

use crate::http::exchange::Endpoint;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// A server's endpoint.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is.
    pub(super) endpoint: Endpoint,
    /// What goes with every request.
    pub(super) headers: HeaderMap,
}

/// Why there can be no bridge to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// TLS is not spoken here.
    #[error("`{0}` needs TLS, which mcp-twin does not speak")]
    Https(String),
    /// Not the URL of an HTTP server.
    #[error("`{url}` is no URL of an HTTP server: {why}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Not a header.
    #[error("the header `{header}` cannot be sent: {why}")]
    Header {
        /// Its name, or what was given without a name. Never its value, which may be secret.
        header: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl TargetError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Https(_) => {
                "put the URL into the client itself, if it speaks HTTP; or let a local TLS proxy (stunnel, Caddy) make an \
                 http:// address of it"
            }
            Self::Url { .. } => "write it like http://127.0.0.1:8000/mcp",
            Self::Header { .. } => "write it like --header 'Authorization: Bearer TOKEN'",
        }
    }
}

impl Target {
    /// The endpoint at `url`, with headers written `Name: value`.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn new(url: &str, headers: &[String]) -> Result<Self, TargetError> {
        let wrong = |why: &str| TargetError::Url { url: url.to_owned(), why: why.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|error: hyper::http::uri::InvalidUri| wrong(&error.to_string()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Https(url.to_owned())),
            _ => return Err(wrong("it does not begin with http://")),
        }
        let authority = uri.authority().filter(|it| !it.host().is_empty()).ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a name and password in it are not sent; use --header 'Authorization: Basic …'"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let endpoint = Endpoint::new(authority.as_str(), path).ok_or_else(|| wrong("no address can be made of it"))?;
        let mut all = HeaderMap::new();
        for header in headers {
            let (name, value) = read(header)?;
            all.append(name, value);
        }
        Ok(Self { endpoint, headers: all })
    }

    /// The URL, as it is called.
    #[must_use]
    pub fn url(&self) -> String {
        self.endpoint.url()
    }
}

/// Headers that the bridge writes itself, or that would change how a message is framed.
const OURS: [&str; 10] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "last-event-id",
    "te",
    "transfer-encoding",
    "upgrade",
];

fn read(header: &str) -> Result<(HeaderName, HeaderValue), TargetError> {
    let (name, value) = header.split_once(':').ok_or_else(|| TargetError::Header {
        // It may be the value alone, and that may be secret.
        header: header.chars().take(4).chain(['…']).collect(),
        why: "there is no `:` behind its name",
    })?;
    let wrong = |why| TargetError::Header { header: name.trim().to_owned(), why };
    let lower = name.trim().to_ascii_lowercase();
    let parsed = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| wrong("its name is none of HTTP"))?;
    if OURS.contains(&lower.as_str()) || lower.starts_with("mcp-") && lower != "mcp-twin-token" {
        return Err(wrong("mcp-twin writes it itself"));
    }
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong("its value has characters of no header"))?;
    value.set_sensitive(parsed == AUTHORIZATION);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<String, String> {
        Target::new(url, &[]).map(|target| target.url()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_of_http_is_taken_and_others_are_explained() {
        assert_eq!(target("http://127.0.0.1:8000/mcp?a=b").unwrap(), "http://127.0.0.1:8000/mcp?a=b");
        assert_eq!(target("http://[::1]:8000").unwrap(), "http://[::1]:8000/");
        assert!(target("https://example.com/mcp").unwrap_err().contains("TLS"));
        for wrong in ["localhost:8000/mcp", "/mcp", "", "ftp://a/b", "http://", "http://a b/", "http://u:p@h/mcp"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_read_and_the_bridges_own_are_refused() {
        let all = |headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
            Target::new("http://h/mcp", &headers).map(|target| target.headers)
        };
        let headers = all(&["Authorization: Bearer a:b", "X-A:1", "x-a: 2"]).unwrap();
        assert_eq!(headers.get("authorization").unwrap(), "Bearer a:b");
        assert!(headers.get("authorization").unwrap().is_sensitive());
        assert_eq!(headers.get_all("x-a").iter().count(), 2);
        assert!(all(&["Mcp-Twin-Token: t"]).is_ok());
        for wrong in ["Host: a", "mcp-session-id: a", "Content-Length: 3", "no colon", "a b: c", "X-A: \n"] {
            let wrong = if wrong.ends_with('\n') { "X-A: a\nb" } else { wrong };
            assert!(all(&[wrong]).is_err(), "{wrong:?}");
        }
        let secret = all(&["Bearer-very-secret"]).unwrap_err().to_string();
        assert!(!secret.contains("secret"), "{secret}");
    }
}
