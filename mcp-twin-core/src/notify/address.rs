//! Where a target is: a URL, which may itself be a secret, or where that URL is kept.

use super::target::Given;
use std::fmt;

/// Where messages go.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// This URL.
    Url(String),
    /// The URL that is kept there.
    Kept(Given),
}

/// What may be shown of it: a URL's path is often a secret, its host is none.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(host_of(url).unwrap_or("?")),
            Self::Kept(given) => given.fmt(f),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Why a text is no address for messages. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("a URL that begins with https:// (or http://) is wanted")]
    Scheme,
    /// No host.
    #[error("the URL names no host")]
    Host,
    /// `user:password@`.
    #[error("a name and password in the URL are not sent; give them as a header by `headers_env`")]
    User,
    /// What cannot stand in a URL.
    #[error("there is a blank or another character in the URL that does not belong there")]
    Characters,
    /// In the clear, though the URL is a secret.
    #[error("its URL is a secret, so it begins with https://")]
    Clear,
}

/// Host and port of a URL, as it may be shown.
///
/// # Errors
/// It is no URL for messages.
pub fn host_of(url: &str) -> Result<&str, AddressError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(AddressError::Scheme)?;
    if url
        .contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
    {
        return Err(AddressError::Characters);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(AddressError::User);
    }
    let name = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    if name.is_empty() { Err(AddressError::Host) } else { Ok(authority) }
}
