//! One exchange with a server over HTTP, as both fronts make them: the request, what its headers say, and what may come
//! back. Who asks, and who hears the answer, is no business of this module.

use super::caller::{Answer, Payload, Whole};
use super::headers::{self, METHOD, NAME, VERSION};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, BodyStream, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use mcp_twin_core::relay::{Message, one_line};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often, and how far apart, a broken stream is taken up again.
pub const AGAIN: (usize, Duration) = (5, Duration::from_millis(200));
/// The longest pause that a server may ask for before its stream is taken up again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An endpoint as a request names it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    uri: Uri,
    host: HeaderValue,
}

impl Endpoint {
    /// The endpoint `path` at `authority`; `None` if no address can be made of them.
    #[must_use]
    pub fn new(authority: &str, path: &str) -> Option<Self> {
        let uri = Uri::try_from(format!("http://{authority}{path}")).ok()?;
        Some(Self { uri, host: headers::value(authority) })
    }

    /// Its URL, as it is called.
    #[must_use]
    pub fn url(&self) -> String {
        self.uri.to_string()
    }
}

/// A request to an endpoint, which expects JSON or events.
#[must_use]
pub fn request(
    endpoint: &Endpoint,
    method: Method,
    mut headers: HeaderMap,
    body: Bytes,
    sent: Option<oneshot::Sender<()>>,
) -> Request<Payload> {
    headers.insert(HOST, endpoint.host.clone());
    if method == Method::POST {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json, text/event-stream"));
    } else if method == Method::GET {
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    } else {
        headers.remove(CONTENT_TYPE);
    }
    let mut request = Request::new(Payload::Whole(Whole::new(body, sent)));
    *request.method_mut() = method;
    *request.uri_mut() = endpoint.uri.clone();
    *request.headers_mut() = headers;
    request
}

/// The headers that say what a request of the modern era says (2026-07-28 basic/transports/streamable-http).
pub fn describe(message: &Message<'_>, headers: &mut HeaderMap) {
    let Some(method) = message.method() else { return };
    headers.insert(METHOD, headers::value(method));
    if let Some(version) = message.version() {
        headers.insert(VERSION, headers::value(&version));
    }
    let named = match method {
        "tools/call" | "prompts/get" => message.text("name"),
        "resources/read" => message.text("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => message.text("taskId"),
        _ => None,
    };
    if let Some(name) = named {
        headers.insert(NAME, headers::mirrored(&name));
    }
}

/// Whether what comes is a stream of events.
#[must_use]
pub fn is_stream(response: &Response<Answer>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    response.status().is_success() && kind.starts_with("text/event-stream")
}

/// Whether a refusal says that the server has forgotten the session. It should be 404, and some say 400 (2025-11-25
/// basic/transports: Session Management).
#[must_use]
pub fn is_forgotten(status: StatusCode, body: &[u8]) -> bool {
    match status {
        StatusCode::NOT_FOUND => true,
        StatusCode::BAD_REQUEST => String::from_utf8_lossy(body).to_ascii_lowercase().contains("session"),
        _ => false,
    }
}

/// What was heard on a stream of events, to go on behind it.
#[derive(Debug, Default)]
pub struct Heard {
    /// The last event that had an id.
    pub last: Option<String>,
    /// How long the server wants its clients to wait.
    pub retry: Option<Duration>,
}

impl Heard {
    /// Takes note of an event; the message in it, if there is one.
    pub fn take(&mut self, event: sse_stream::Sse) -> Option<Vec<u8>> {
        if let Some(id) = event.id.filter(|id| !id.is_empty()) {
            self.last = Some(id);
        }
        if let Some(retry) = event.retry {
            self.retry = Some(Duration::from_millis(retry));
        }
        let data = event.data.filter(|data| !data.is_empty())?;
        event.event.is_none_or(|kind| kind == "message").then(|| one_line(data.as_bytes()).into_owned())
    }
}

/// The events of a body. One of them may be as large as a message may be.
pub fn events(body: Answer, max_message: usize) -> impl futures_util::Stream<Item = Result<sse_stream::Sse, String>> {
    let since = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&since);
    let data = TryStreamExt::map_err(BodyStream::new(body), std::io::Error::other).try_filter_map(move |frame| {
        let data = frame.into_data().ok();
        let read = data.as_ref().map_or(0, Bytes::len);
        let large = count.fetch_add(read, Ordering::Relaxed) > max_message;
        let result = if large { Err(std::io::Error::other("an event is larger than `max_message`")) } else { Ok(data) };
        async move { result }
    });
    sse_stream::SseByteStream::new(Box::pin(data)).map(move |event| {
        since.store(0, Ordering::Relaxed);
        event.map_err(|error| error.to_string())
    })
}

/// A whole body within the bound.
///
/// # Errors
/// Why it could not be read.
pub async fn whole(body: Answer, max_message: usize) -> Result<Bytes, String> {
    match Limited::new(body, max_message).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(format!("its answer could not be read: {error}")),
    }
}

/// An error answer whose id is null, as servers send it that refuse a request unread, under the id of the request.
#[must_use]
pub fn nameless(line: &[u8], id: &str) -> Option<Vec<u8>> {
    let mut value: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
    if !value.get("error")?.is_object() || value.get("id").is_some_and(|id| !id.is_null()) {
        return None;
    }
    value.insert("id".to_owned(), serde_json::from_str(id).ok()?);
    serde_json::to_vec(&value).ok()
}

/// The beginning of a body, for a message.
#[must_use]
pub fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..200).unwrap_or(body)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_the_message_says() {
        let described = |text: &str| {
            let mut headers = HeaderMap::new();
            describe(&Message::read(text.as_bytes()).unwrap(), &mut headers);
            let text = |name| headers::text(&headers, name).map(str::to_owned);
            (text(&METHOD), text(&NAME), text(&VERSION))
        };
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let owned = |method: &str, name: Option<&str>| {
            (Some(method.to_owned()), name.map(str::to_owned), Some("2026-07-28".to_owned()))
        };
        for (method, params, name) in [
            ("tools/call", r#""name":"a","uri":"b","#, Some("a")),
            ("prompts/get", r#""name":"gr\u00fc\u00df","#, Some("=?base64?Z3LDvMOf?=")),
            ("resources/read", r#""name":"a","uri":"file:///x","#, Some("file:///x")),
            ("tasks/get", r#""taskId":"t 1","#, Some("t 1")),
            ("tools/list", r#""name":"a","#, None),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}{meta}}}}}"#);
            assert_eq!(described(&line), owned(method, name), "{line}");
        }
        assert_eq!(described(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), (None, None, None));
    }

    #[test]
    fn a_refusal_without_an_id_gets_that_of_its_request() {
        let line = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#;
        let named = nameless(line, "\"a\"").unwrap();
        assert_eq!(named, br#"{"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"no"}}"#);
        assert_eq!(nameless(br#"{"error":{},"id":3}"#, "1"), None);
        assert_eq!(nameless(br#"{"error":"invalid_token"}"#, "1"), None);
        assert_eq!(nameless(b"<html>", "1"), None);
    }
}
