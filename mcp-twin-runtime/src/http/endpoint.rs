//! The endpoint: what a client's POST, GET and DELETE get.

use super::headers::{LAST_EVENT, SESSION, VERSION, text, value};
use super::hub::{Entered, Hub, Refusal};
use super::pass;
use super::stream::{Events, Reply};
use axum::body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use mcp_twin_core::relay::{Message, NoMessage, one_line};
use serde_json::json;
use serde_json::value::RawValue;
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// How long a client may take to send a body.
const BODY: Duration = Duration::from_secs(60);
/// The versions of the legacy era.
const LEGACY: [&str; 5] = ["2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// What a message without a session is told.
const NO_SESSION: &str = "Bad Request: no Mcp-Session-Id; open a session with `initialize` first, and send the id that its \
                          answer bears with everything else";
/// From this version on there are no sessions.
const MODERN: &str = "2026-";

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Answers one request to the endpoint.
pub fn answer(hub: Hub, request: Request<Incoming>) -> Answering {
    match *request.method() {
        Method::POST => {
            let (parts, body) = request.into_parts();
            Box::pin(post(hub, parts, body))
        }
        Method::GET => Box::pin(ready(Ok(get(&hub, &request)))),
        Method::DELETE => Box::pin(async move { Ok(delete(hub, request).await) }),
        _ => {
            let mut response =
                refuse(StatusCode::METHOD_NOT_ALLOWED, -32000, "only POST, GET and DELETE are understood");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
            Box::pin(ready(Ok(response)))
        }
    }
}

async fn post(hub: Hub, parts: Parts, body: Incoming) -> Result<Response<Body>, Infallible> {
    let kind = text(&parts.headers, &CONTENT_TYPE).unwrap_or_default();
    const JSON: &str = "application/json";
    if !kind.get(..JSON.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(JSON)) {
        return Ok(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, -32000, "Content-Type must be application/json"));
    }
    let body = match timeout(BODY, Limited::new(body, hub.max_message()).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE, -32600, "the message is larger than `max_message`"));
        }
        Ok(Err(_)) => return Ok(refuse(StatusCode::BAD_REQUEST, -32700, "the body ended too early")),
        Err(_) => return Ok(refuse(StatusCode::REQUEST_TIMEOUT, -32600, "the body did not come in time")),
    };
    match take_in(&hub, parts, body) {
        Taken::Done(response) => Ok(response),
        Taken::Entered(mut entered) => {
            let answer = (&mut entered.reply).await;
            Ok(respond(answer.ok(), entered, None))
        }
        Taken::Later(answering) => answering.await,
    }
}

/// What becomes of a message.
enum Taken {
    /// It is answered.
    Done(Response<Body>),
    /// A relay has it.
    Entered(Entered),
    /// Something else is to be done first.
    Later(Answering),
}

/// Takes a message in. What waits for its answer need not hold it.
fn take_in(hub: &Hub, parts: Parts, body: Bytes) -> Taken {
    let refused = |status, code, why: &str| Taken::Done(refuse(status, code, why));
    let line = one_line(&body);
    let said = text(&parts.headers, &VERSION);
    let name = text(&parts.headers, &SESSION);
    let (message, ids, opens) = match Message::read(&line) {
        Ok(message) => {
            if message.version().is_some_and(|version| &*version >= MODERN) {
                if message.is_request() {
                    if hub.speaks_for_itself()
                        && let Some(objection) = hub.objection(&message, &parts.headers)
                    {
                        return Taken::Done(json(StatusCode::BAD_REQUEST, objection));
                    }
                    return match hub.post_modern(&message, parts.headers) {
                        Some(entered) => Taken::Entered(entered),
                        None => refused(StatusCode::SERVICE_UNAVAILABLE, -32000, "the front is ending"),
                    };
                }
                return if hub.speaks_for_itself() { Taken::Done(accepted()) } else { pass_on(hub, parts, &body) };
            }
            if said.is_some_and(|version| version >= MODERN) {
                if hub.speaks_for_itself() {
                    // A notification of that era needs no metadata; there is none that a server could want.
                    return match hub.objection(&message, &parts.headers).filter(|_| message.is_request()) {
                        Some(objection) => Taken::Done(json(StatusCode::BAD_REQUEST, objection)),
                        None => Taken::Done(accepted()),
                    };
                }
                // Header and body do not agree: the server has its own words for that.
                return pass_on(hub, parts, &body);
            }
            let id = message.id().filter(|_| message.is_request());
            let (ids, opens) = (id.map(str::to_owned).into_iter().collect(), message.method() == Some("initialize"));
            (Ok(message), ids, opens)
        }
        Err(NoMessage::Batch) => (Err(&*line), ids_of(&line), false),
        Err(NoMessage::NotJson(why)) => {
            return refused(StatusCode::BAD_REQUEST, -32700, &format!("the message is not JSON: {why}"));
        }
        Err(NoMessage::Invalid(why)) => {
            return refused(StatusCode::BAD_REQUEST, -32600, &format!("the message is not MCP: {why}"));
        }
    };
    match name {
        None if opens => open(hub, &message, ids, parts.headers),
        None if hub.speaks_for_itself() => refused(StatusCode::BAD_REQUEST, -32000, NO_SESSION),
        // A server without sessions takes it; another one says that it wants one.
        None => pass_on(hub, parts, &body),
        Some(name) => {
            if let Some(said) = said.filter(|said| !LEGACY.contains(said)) {
                let why = format!("Bad Request: Unsupported protocol version: {said}");
                return refused(StatusCode::BAD_REQUEST, -32000, &why);
            }
            let Some(sid) = hub.session(name) else { return Taken::Done(unknown_session()) };
            let asks = !ids.is_empty();
            match hub.post(sid, &message, ids, parts.headers) {
                Ok(entered) if asks => Taken::Entered(entered),
                Ok(_) => Taken::Done(accepted()),
                Err(Refusal::Gone) => Taken::Done(unknown_session()),
                Err(Refusal::InUse) => {
                    refused(StatusCode::BAD_REQUEST, -32600, "a request with this id is still open in this session")
                }
            }
        }
    }
}

/// The server's own business.
fn pass_on(hub: &Hub, parts: Parts, body: &Bytes) -> Taken {
    let (hub, body) = (hub.clone(), body.clone());
    Taken::Later(Box::pin(async move { Ok(pass::whole(&hub, parts, body).await) }))
}

/// A client opens a session.
fn open(hub: &Hub, message: &Result<Message<'_>, &[u8]>, ids: Vec<String>, headers: HeaderMap) -> Taken {
    let name = new_name();
    let Some(sid) = hub.open(name.clone()) else {
        let mut response = refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            -32000,
            "too many sessions are in use; end one, or try again later",
        );
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return Taken::Done(response);
    };
    let Ok(mut entered) = hub.post(sid, message, ids, headers) else { return Taken::Done(unknown_session()) };
    // The client may leave before it is answered: nobody would know the session's name.
    let unfinished = Unfinished { hub: hub.clone(), name: Some(name.clone()) };
    let hub = hub.clone();
    Taken::Later(Box::pin(async move {
        let answer = (&mut entered.reply).await;
        let events = matches!(answer, Ok(Reply::Events { .. }));
        if !events && !hub.is_accepted(sid) {
            return Ok(respond(answer.ok(), entered, None));
        }
        unfinished.keep();
        Ok(respond(answer.ok(), entered, Some(&name)))
    }))
}

/// A session whose name the client does not know yet.
struct Unfinished {
    hub: Hub,
    name: Option<String>,
}

impl Unfinished {
    fn keep(mut self) {
        self.name = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.hub.delete(&name);
        }
    }
}

fn respond(reply: Option<Reply>, entered: Entered, name: Option<&str>) -> Response<Body> {
    let mut response = match reply {
        Some(Reply::Whole { status, headers, body }) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response.headers_mut().extend(headers);
            response
        }
        Some(Reply::Events { headers, events }) => {
            let mut response = stream(events, Some(entered));
            response.headers_mut().extend(headers);
            response
        }
        None => refuse(StatusCode::SERVICE_UNAVAILABLE, -32000, "the session ended before the answer came"),
    };
    if let Some(name) = name {
        response.headers_mut().insert(SESSION, value(name));
    }
    response
}

fn get(hub: &Hub, request: &Request<Incoming>) -> Response<Body> {
    let headers = request.headers();
    let Some(name) = text(headers, &SESSION) else {
        let mut response = refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            -32000,
            "a GET needs the Mcp-Session-Id of an open session; from 2026-07-28 on there is none (use subscriptions/listen). \
             HTTP+SSE of 2024-11-05 is not served here: it was replaced by Streamable HTTP, so POST `initialize` to this address",
        );
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    };
    let accepts =
        text(headers, &ACCEPT).is_some_and(|accept| accept.contains("text/event-stream") || accept.contains("*/*"));
    if !accepts {
        return refuse(StatusCode::NOT_ACCEPTABLE, -32000, "Not Acceptable: a GET must accept text/event-stream");
    }
    let events = hub.session(name).and_then(|sid| hub.get(sid, text(headers, &LAST_EVENT), headers.clone()));
    let Some(events) = events else { return unknown_session() };
    let mut response = stream(events, None);
    response.headers_mut().insert(SESSION, value(name));
    response
}

async fn delete(hub: Hub, request: Request<Incoming>) -> Response<Body> {
    let Some(name) = text(request.headers(), &SESSION).map(str::to_owned) else {
        if hub.speaks_for_itself() {
            return refuse(StatusCode::BAD_REQUEST, -32000, NO_SESSION);
        }
        let (parts, _) = request.into_parts();
        return pass::whole(&hub, parts, Bytes::new()).await;
    };
    if hub.delete(&name) { Response::new(Body::empty()) } else { unknown_session() }
}

fn accepted() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn unknown_session() -> Response<Body> {
    refuse(StatusCode::NOT_FOUND, -32001, "Session not found: open a new one with `initialize`")
}

/// An answer of the front itself that belongs to no request.
pub fn refuse(status: StatusCode, code: i32, message: &str) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    json(status, body.to_string())
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn stream(events: Events, entered: Option<Entered>) -> Response<Body> {
    let mut response = Response::new(Body::new(EventBody { events, _entered: entered }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Events as a body; what was asked is over with it.
struct EventBody {
    events: Events,
    _entered: Option<Entered>,
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.events.poll_next(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

/// The ids of the requests in a batch.
fn ids_of(line: &[u8]) -> Vec<String> {
    let parts: Vec<&RawValue> = serde_json::from_slice(line).unwrap_or_default();
    let id = |part: &&RawValue| {
        let message = Message::read(part.get().as_bytes()).ok()?;
        message.id().filter(|_| message.is_request()).map(str::to_owned)
    };
    parts.iter().filter_map(id).collect()
}

/// A name that nobody can guess (2025-11-25 basic/transports: Session Management).
fn new_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
