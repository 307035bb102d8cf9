//! Whether the headers of a request of the modern era say what its body says (2026-07-28 basic/transports/streamable-http:
//! Request Headers). Servers over HTTP see to that themselves; for one over stdio the front does.

use super::exchange::describe;
use super::headers::{METHOD, NAME, VERSION, unmirrored};
use super::params::Params;
use hyper::header::{HeaderMap, HeaderName};
use mcp_twin_core::relay::Message;

/// What does not agree, if anything; `params` tells which arguments are to stand in headers too.
#[must_use]
pub fn disagreement(message: &Message<'_>, headers: &HeaderMap, params: Option<&Params>) -> Option<String> {
    let mut wanted = HeaderMap::new();
    describe(message, &mut wanted);
    let tool = message.text("name").filter(|_| message.method() == Some("tools/call"));
    let mut names = vec![VERSION, METHOD, NAME];
    if let (Some(tool), Some(params)) = (&tool, params) {
        params.mirror(tool, message.raw("arguments"), &mut wanted);
        names.extend(params.marked(tool).cloned());
    }
    names.into_iter().find_map(|name| differs(&name, headers, &wanted))
}

fn differs(name: &HeaderName, headers: &HeaderMap, wanted: &HeaderMap) -> Option<String> {
    let mut given = headers.get_all(name).iter();
    let (first, more) = (given.next(), given.next());
    if more.is_some() {
        return Some(format!("{name} is there more than once"));
    }
    let text = |value: &hyper::header::HeaderValue| unmirrored(value.to_str().ok()?.trim());
    match (first, wanted.get(name)) {
        (None, None) => None,
        // Of what is not about anything the name says nothing.
        (Some(_), None) if *name == NAME => None,
        (Some(_), None) => Some(format!("{name} is there, and the body has nothing for it")),
        (None, Some(_)) => Some(format!("{name} is missing")),
        (Some(given), Some(wanted)) => match (text(given), text(wanted)) {
            (Some(given), Some(wanted)) if same(&given, &wanted) => None,
            (Some(given), Some(wanted)) => Some(format!("{name} says `{given}`, the body `{wanted}`")),
            _ => Some(format!("{name} cannot be read")),
        },
    }
}

/// Equal as text, or as numbers.
fn same(given: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    given == wanted || number(given).is_some_and(|given| number(wanted) == Some(given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(headers: &[(&str, &str)]) -> Option<String> {
        let mut params = Params::default();
        let marks = json!({"region": {"type": "string", "x-mcp-header": "Region"}, "n": {"type": "integer", "x-mcp-header": "N"}});
        let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "sql", "inputSchema": {"properties": marks}}]}});
        params.learn(list.to_string().as_bytes(), true);
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "sql", "arguments": {"region": "eu wést"}, "_meta": meta}});
        let all: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), (*value).parse().unwrap()))
            .collect();
        disagreement(&Message::read(body.to_string().as_bytes()).unwrap(), &all, Some(&params))
    }

    #[test]
    fn what_the_headers_say_is_compared_with_the_body() {
        let right = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "sql"),
            ("mcp-param-region", "=?base64?ZXUgd8Opc3Q=?="),
        ];
        assert_eq!(told(&right), None);
        for (at, name) in right.iter().enumerate().map(|(at, (name, _))| (at, *name)) {
            let mut without = right.to_vec();
            without.remove(at);
            assert_eq!(told(&without), Some(format!("{name} is missing")));
            let mut other = right;
            other[at].1 = "other";
            assert!(told(&other).unwrap().starts_with(&format!("{name} says `other`, the body `")));
        }
        let more = [&right[..], &[("mcp-param-n", "1")]].concat();
        assert_eq!(told(&more).unwrap(), "mcp-param-n is there, and the body has nothing for it");
        assert_eq!(told(&[&right[..], &[("mcp-param-unknown", "1")]].concat()), None);
        let mut wrapped = right;
        wrapped[2].1 = "=?base64?c3Fs?=";
        assert_eq!(told(&wrapped), None, "a client may wrap what needs no wrapping");
        wrapped[2].1 = "=?base64?***?=";
        assert_eq!(told(&wrapped).unwrap(), "mcp-name cannot be read");
    }
}
