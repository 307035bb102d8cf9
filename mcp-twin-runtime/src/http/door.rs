//! Who may come in: the checks of `Host` and `Origin`, and the token.

use super::headers::{TOKEN, text};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The checks of one front.
#[derive(Clone, Debug)]
pub struct Door {
    loopback: bool,
    token: Option<Vec<u8>>,
}

/// Why a request does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorError {
    /// `Host` names another machine: a page in a browser may have been led here.
    Host,
    /// `Origin` is a page that is not from here.
    Origin,
    /// There is no token, or a wrong one.
    Token,
}

impl DoorError {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// What happened and what to do.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Host => "the Host header names another machine; use 127.0.0.1 or localhost",
            Self::Origin => "requests of this web page are not accepted (Origin)",
            Self::Token => "a token is needed: Authorization: Bearer TOKEN, or Mcp-Twin-Token: TOKEN",
        }
    }
}

impl Door {
    /// The checks of a front at this address.
    #[must_use]
    pub fn new(address: IpAddr, token: Option<String>) -> Self {
        Self { loopback: address.is_loopback(), token: token.map(String::into_bytes) }
    }

    /// Lets a request in, or says why not. Our token is taken out of `Authorization`: the twin has not asked for it.
    ///
    /// # Errors
    /// Why it does not come in.
    pub fn check(&self, headers: &mut HeaderMap) -> Result<(), DoorError> {
        if self.admits(headers)? {
            headers.remove(AUTHORIZATION);
        }
        Ok(())
    }

    /// Whether the token came in `Authorization`.
    fn admits(&self, headers: &HeaderMap) -> Result<bool, DoorError> {
        let named = text(headers, &HOST).map(host_of);
        // A front that was put on another address on purpose has names that nobody knows here; it has a token.
        if self.loopback && !named.is_some_and(is_local) {
            return Err(DoorError::Host);
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let origin =
                origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| host_of(rest));
            let own = origin.is_some_and(|origin| is_local(origin) || (!self.loopback && named == Some(origin)));
            if !own {
                return Err(DoorError::Origin);
            }
        }
        let Some(token) = &self.token else { return Ok(false) };
        let same = |given: &[u8]| bool::from(given.ct_eq(token.as_slice()));
        if headers.get(TOKEN).is_some_and(|given| same(given.as_bytes())) {
            return Ok(false);
        }
        let bearer = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let given = bearer.and_then(|value| {
            let (scheme, rest) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
        });
        if given.is_some_and(same) { Ok(true) } else { Err(DoorError::Token) }
    }
}

/// The host of `host:port`, without brackets.
fn host_of(authority: &str) -> &str {
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_local(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost")
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn check(door: &Door, pairs: &[(&'static str, &str)]) -> (Result<(), DoorError>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        (door.check(&mut headers), headers)
    }

    #[test]
    fn only_local_names_and_pages_come_in_at_loopback() {
        let door = Door::new("127.0.0.1".parse().unwrap(), None);
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"] {
            assert_eq!(check(&door, &[("host", host)]).0, Ok(()), "{host}");
        }
        for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            assert_eq!(check(&door, &[("host", host)]).0, Err(DoorError::Host), "{host}");
        }
        assert_eq!(check(&door, &[]).0, Err(DoorError::Host));
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:9"] {
            assert_eq!(check(&door, &[("host", "localhost"), ("origin", origin)]).0, Ok(()), "{origin}");
        }
        for origin in
            ["http://evil.example", "null", "http://localhost.evil.example:1", "http://evil.example/localhost"]
        {
            let found = check(&door, &[("host", "localhost"), ("origin", origin)]).0;
            assert_eq!(found, Err(DoorError::Origin), "{origin}");
        }
    }

    #[test]
    fn a_token_comes_in_either_header_and_only_ours_is_taken_out() {
        let door = Door::new("0.0.0.0".parse().unwrap(), Some("s3cret".to_owned()));
        let host = ("host", "mcp.example");
        let (found, left) = check(&door, &[host, ("authorization", "bearer s3cret")]);
        assert_eq!((found, left.contains_key(AUTHORIZATION)), (Ok(()), false));
        let (found, left) = check(&door, &[host, ("authorization", "Bearer other"), ("mcp-twin-token", "s3cret")]);
        assert_eq!((found, left.contains_key(AUTHORIZATION)), (Ok(()), true));
        for wrong in ["Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret", "Bearer "] {
            assert_eq!(check(&door, &[host, ("authorization", wrong)]).0, Err(DoorError::Token), "{wrong}");
        }
        assert_eq!(check(&door, &[host]).0, Err(DoorError::Token));
        let page = ("origin", "https://mcp.example");
        assert_eq!(check(&door, &[host, page, ("mcp-twin-token", "s3cret")]).0, Ok(()));
        let page = ("origin", "https://evil.example");
        assert_eq!(check(&door, &[host, page, ("mcp-twin-token", "s3cret")]).0, Err(DoorError::Origin));
    }
}
