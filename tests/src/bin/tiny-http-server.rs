//! An MCP server over Streamable HTTP that answers at once, so that what is measured is what stands before it. One thread.
//!
//! `tiny-http-server [FILE] [--port N] [--sessions]`: its version is what FILE holds at the start; `broken` does not start.
//! With `--sessions` the legacy era has session ids and a GET stream, on which nothing is ever said; the modern era has
//! neither. On stderr it says `listening on URL`.
#![allow(clippy::expect_used)] // A fixture: its panics are its failures.

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mcp_twin_tests::tiny;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

const SESSION: &str = "mcp-session-id";
const PROTOCOL: &str = "mcp-protocol-version";
const MODERN: &str = "2026-07-28";
const LARGEST: usize = 16 << 20;

struct Server {
    version: String,
    sessions: Option<RefCell<HashSet<String>>>,
    opened: Cell<u64>,
}

/// A stream on which nothing is said, open as long as its client.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

type Answer = Response<Either<Full<Bytes>, Silent>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (mut port, mut version, mut sessions) = (0, "1".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--port" => port = arguments.next().and_then(|port| port.parse().ok()).expect("a port behind --port"),
            "--sessions" => sessions = Some(RefCell::default()),
            file => std::fs::read_to_string(file).expect("the file of its code").trim().clone_into(&mut version),
        }
    }
    if version == "broken" {
        eprintln!("error: this code does not start");
        std::process::exit(7);
    }
    let server = Rc::new(Server { version, sessions, opened: Cell::new(0) });
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    eprintln!("listening on http://{}/mcp", listener.local_addr().expect("an address"));
    LocalSet::new().run_until(accept(listener, server)).await;
}

async fn accept(listener: TcpListener, server: Rc<Server>) {
    loop {
        // A connection that is gone again before it is taken is its client's matter.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let server = server.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.serve(request).await) }
            });
            // So is one that breaks.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Server {
    async fn serve(&self, request: Request<Incoming>) -> Answer {
        let headers = request.headers();
        let foreign = |name| headers.get(name).is_some_and(|value: &HeaderValue| !local(value));
        if foreign(HOST) || foreign(ORIGIN) {
            return empty(StatusCode::FORBIDDEN);
        }
        if request.uri().path() != "/mcp" {
            return empty(StatusCode::NOT_FOUND);
        }
        let modern = headers.get(PROTOCOL).is_some_and(|version| version == MODERN);
        let session = headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        match (request.method(), &self.sessions) {
            (&Method::POST, _) => self.post(request, session, modern).await,
            (&Method::GET | &Method::DELETE, Some(sessions)) if !modern => {
                let known = session.as_ref().is_some_and(|id| sessions.borrow().contains(id));
                match session {
                    None => empty(StatusCode::BAD_REQUEST),
                    Some(_) if !known => empty(StatusCode::NOT_FOUND),
                    Some(id) if request.method() == Method::DELETE => {
                        sessions.borrow_mut().remove(&id);
                        empty(StatusCode::OK)
                    }
                    Some(_) => stream(),
                }
            }
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    async fn post(&self, request: Request<Incoming>, session: Option<String>, modern: bool) -> Answer {
        let accepts = |kind: &str| {
            let said = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            said.contains(kind) || said.contains("*/*")
        };
        if !accepts("application/json") || !accepts("text/event-stream") {
            return empty(StatusCode::NOT_ACCEPTABLE);
        }
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mirrored = (text("mcp-method"), text("mcp-name"));
        let body = http_body_util::Limited::new(request.into_body(), LARGEST).collect().await;
        let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let Ok(message) = serde_json::from_slice::<Value>(&body) else { return empty(StatusCode::BAD_REQUEST) };
        if modern {
            let called = message["params"]["name"].as_str().filter(|_| message["method"] == "tools/call");
            if mirrored.0.as_deref() != message["method"].as_str()
                || called.is_some_and(|_| mirrored.1.as_deref() != called)
            {
                let error = r#"{"code":-32020,"message":"headers and body do not match"}"#;
                let text = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, message["id"]);
                return json(StatusCode::BAD_REQUEST, text);
            }
        }
        let opening = message["method"] == "initialize";
        if let Some(sessions) = self.sessions.as_ref().filter(|_| !modern && !opening) {
            match session {
                None => return empty(StatusCode::BAD_REQUEST),
                Some(id) if !sessions.borrow().contains(&id) => return empty(StatusCode::NOT_FOUND),
                Some(_) => {}
            }
        }
        let Some(answer) = tiny::answer(&message, &self.version, &["version", "echo"]) else {
            return empty(StatusCode::ACCEPTED);
        };
        let unknown = modern && answer["error"]["code"] == -32601;
        let mut answer = json(if unknown { StatusCode::NOT_FOUND } else { StatusCode::OK }, answer.to_string());
        if let Some(sessions) = self.sessions.as_ref().filter(|_| opening && !modern) {
            // Never guessed by anybody: it serves one machine's tests.
            self.opened.set(self.opened.get() + 1);
            let id = format!("{}-{}", std::process::id(), self.opened.get());
            answer.headers_mut().insert(SESSION, HeaderValue::from_str(&id).expect("an id of digits"));
            sessions.borrow_mut().insert(id);
        }
        answer
    }
}

/// Whether a Host or an Origin names this machine.
fn local(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    let host = text.split_once("://").map_or(text, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, text: String) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn stream() -> Answer {
    let mut response = Response::new(Either::Right(Silent));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
