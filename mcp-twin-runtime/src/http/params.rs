//! Which arguments of which tool a server wants to see in headers too (2026-07-28 basic/transports/streamable-http: Custom
//! Headers). It is learnt from the lists of tools that pass by: a client over stdio knows nothing of headers.

use super::headers::mirrored;
use hyper::header::{HeaderMap, HeaderName};
use serde_json::Value;
use std::collections::HashMap;

/// What marks an argument in a tool's schema.
const MARK: &str = "x-mcp-header";
/// What is remembered at most: tools, arguments of one, and how deep they lie.
const TOOLS: usize = 4096;
const ARGUMENTS: usize = 64;
const DEPTH: usize = 16;

/// The marked arguments of the tools that are known.
#[derive(Debug, Default)]
pub struct Params {
    tools: HashMap<String, Vec<Marked>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Marked {
    path: Vec<String>,
    header: HeaderName,
}

impl Params {
    /// Takes note of a page of the list of tools; the first one takes the place of all that was known.
    pub fn learn(&mut self, answer: &[u8], first: bool) {
        if first {
            self.tools.clear();
        }
        // Parsing is paid only where there is something to find. An escape may hide the mark.
        let marked = memchr::memmem::find(answer, MARK.as_bytes()).is_some();
        let known = !self.tools.is_empty() && memchr::memmem::find(answer, b"\"tools\"").is_some();
        if !marked && !known && memchr::memchr(b'\\', answer).is_none() {
            return;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return };
        for tool in answer["result"]["tools"].as_array().into_iter().flatten() {
            let Some(name) = tool["name"].as_str() else { continue };
            match marked_in(&tool["inputSchema"]) {
                Some(found) if !found.is_empty() && self.tools.len() < TOOLS => {
                    self.tools.insert(name.to_owned(), found);
                }
                _ => drop(self.tools.remove(name)),
            }
        }
    }

    /// The headers that arguments of this tool may be mirrored in.
    pub fn marked(&self, tool: &str) -> impl Iterator<Item = &HeaderName> {
        self.tools.get(tool).into_iter().flatten().map(|marked| &marked.header)
    }

    /// The headers that belong to a call of this tool with these arguments.
    pub fn mirror(&self, tool: &str, arguments: Option<&str>, headers: &mut HeaderMap) {
        let Some(marked) = self.tools.get(tool) else { return };
        let Some(Ok(arguments)) = arguments.map(serde_json::from_str::<Value>) else { return };
        for Marked { path, header } in marked {
            let found = path.iter().try_fold(&arguments, |value, name| value.get(name));
            if let Some(text) = found.and_then(text) {
                headers.insert(header.clone(), mirrored(&text));
            }
        }
    }
}

/// The marked arguments of a schema; `None` if a mark is one that no client may follow.
fn marked_in(schema: &Value) -> Option<Vec<Marked>> {
    let mut found: Vec<Marked> = Vec::new();
    // Only `properties` within `properties` count: what else a schema may say depends on the arguments.
    let mut open = vec![(Vec::new(), schema)];
    while let Some((path, schema)) = open.pop() {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path: Vec<String> = path.iter().chain([name]).cloned().collect();
            if let Some(mark) = property.get(MARK) {
                let header = mark.as_str().filter(|mark| !mark.is_empty())?;
                let header = format!("mcp-param-{}", header.to_ascii_lowercase());
                let header = HeaderName::from_bytes(header.as_bytes()).ok()?;
                let kind = property["type"].as_str().unwrap_or_default();
                let twice = found.iter().any(|marked| marked.header == header);
                if !matches!(kind, "string" | "integer" | "boolean") || twice || found.len() >= ARGUMENTS {
                    return None;
                }
                found.push(Marked { path: path.clone(), header });
            }
            if path.len() < DEPTH {
                open.push((path, property));
            }
        }
    }
    Some(found)
}

/// A value as headers write it; none for what is no plain value.
fn text(value: &Value) -> Option<String> {
    /// Up to here every whole number is exact in a double, which is what others read.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT)?;
            Some(format!("{whole:.0}"))
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(tools: &[(&str, Value)]) -> Vec<u8> {
        let tools: Vec<Value> = tools
            .iter()
            .map(|(name, properties)| json!({"name": name, "inputSchema": {"properties": properties}}))
            .collect();
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string().into_bytes()
    }

    fn headers(params: &Params, tool: &str, arguments: &str) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        params.mirror(tool, Some(arguments), &mut headers);
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        all.sort();
        all
    }

    fn owned(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn marked_arguments_become_headers() {
        let mut params = Params::default();
        let nested = json!({
            "region": {"type": "string", "x-mcp-header": "Region"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "at": {"type": "object", "properties": {"limit": {"type": "integer", "x-mcp-header": "Limit"}}},
            "plain": {"type": "string"},
        });
        params.learn(&list(&[("sql", nested)]), true);
        let call = r#"{"region":"eu w\u00e9st","dry":true,"at":{"limit":12.0},"plain":"x"}"#;
        let wanted =
            [("mcp-param-dry", "true"), ("mcp-param-limit", "12"), ("mcp-param-region", "=?base64?ZXUgd8Opc3Q=?=")];
        assert_eq!(headers(&params, "sql", call), owned(&wanted));
        assert_eq!(headers(&params, "sql", r#"{"region":null,"at":3,"dry":[1]}"#), []);
        assert_eq!(headers(&params, "other", call), []);
        params.learn(&list(&[("other", json!({"a": {"type": "string", "x-mcp-header": "A"}}))]), false);
        assert_eq!(headers(&params, "other", r#"{"a":"1"}"#), owned(&[("mcp-param-a", "1")]));
        assert_eq!(headers(&params, "sql", call).len(), 3, "a second page adds");
        params.learn(&list(&[]), true);
        assert_eq!(headers(&params, "sql", call), [], "a new list takes the place of the old");
    }

    #[test]
    fn marks_that_no_client_may_follow_are_not_followed() {
        for wrong in [
            json!({"a": {"type": "number", "x-mcp-header": "A"}}),
            json!({"a": {"type": "string", "x-mcp-header": "A B"}}),
            json!({"a": {"type": "string", "x-mcp-header": ""}}),
            json!({"a": {"type": "string", "x-mcp-header": 1}}),
            json!({"a": {"type": "string", "x-mcp-header": "X"}, "b": {"type": "string", "x-mcp-header": "x"}}),
            json!({"a": {"anyOf": [{"type": "string", "x-mcp-header": "A"}]}}),
        ] {
            let mut params = Params::default();
            params.learn(&list(&[("t", wrong.clone())]), true);
            assert_eq!(headers(&params, "t", r#"{"a":"1","b":"2"}"#), [], "{wrong}");
        }
    }
}
