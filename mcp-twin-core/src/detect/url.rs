//! Addresses, as far as they may be shown.

/// An address without user, password, fragment and the values of its query: keys are often kept there.
pub(super) fn shown(url: &str) -> String {
    let (base, query) = match url.split_once('#').map_or(url, |(base, _)| base).split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url.split_once('#').map_or(url, |(base, _)| base), None),
    };
    let base = match base.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or(authority))
        }
        None => base.to_owned(),
    };
    let Some(query) = query else { return base };
    let hidden = |pair: &str| match pair.split_once('=') {
        // A reference is no value, and says where it comes from.
        Some((name, value)) if value.starts_with("${") && value.ends_with('}') => format!("{name}={value}"),
        Some((name, _)) => format!("{name}=***"),
        None => "***".to_owned(),
    };
    format!("{base}?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&"))
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(inner),
        None => host.split(':').next().unwrap_or(host),
    };
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for (url, expected) in [
            ("https://a.example/mcp", "https://a.example/mcp"),
            ("https://dana:pw@a.example:8080/mcp", "https://a.example:8080/mcp"),
            ("https://a.example/mcp?api_key=abc&x=${X}", "https://a.example/mcp?api_key=***&x=${X}"),
            ("https://a.example/mcp?abc#tok", "https://a.example/mcp?***"),
            ("https://p@ss:w@a.example", "https://a.example"),
            ("a.example/mcp#x", "a.example/mcp"),
            ("unix:///run/x.sock", "unix:///run/x.sock"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn loopback() {
        for url in [
            "http://localhost:3000/mcp",
            "http://127.0.0.1/",
            "https://[::1]:8/x",
            "ws://u@LOCALHOST",
            "http://0.0.0.0:1",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in
            ["http://localhost.example.org", "https://10.0.0.1/mcp", "127.0.0.1", "https://x/?u=http://localhost"]
        {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
