//! Requests that are no business of the relay: they go to the twin that serves, as they are.

use super::caller::{Answer, CallError, Payload};
use super::endpoint::refuse;
use super::headers::{onward, value};
use super::hub::{Hub, Passing};
use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Frame};
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a request that waits for a twin looks for one.
const LOOK: Duration = Duration::from_millis(20);

/// Passes on a request whose body was read already.
pub async fn whole(hub: &Hub, parts: Parts, body: Bytes) -> Response<Body> {
    let path = hub.path().to_owned();
    send(hub, parts, Some(path), Body::from(body)).await
}

/// Passes on a request to its own path, as it comes.
pub async fn through(hub: Hub, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    send(&hub, parts, None, body).await
}

async fn send(hub: &Hub, parts: Parts, path: Option<String>, body: Body) -> Response<Body> {
    let passing = match waited(hub).await {
        Ok(passing) => passing,
        Err(response) => return response,
    };
    let own = parts.uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let path = path.as_deref().unwrap_or(own);
    let mut headers = onward(parts.headers);
    headers.insert(HOST, value(&passing.at.to_string()));
    let body = Limited::new(body, hub.max_message()).map_err(std::io::Error::other).boxed_unsync();
    let body = Payload::Passing(body);
    let request = Request::builder().method(parts.method).uri(format!("http://{}{path}", passing.at)).body(body);
    let Ok(mut request) = request else {
        return refuse(StatusCode::BAD_REQUEST, -32600, "the address of the request is not valid");
    };
    *request.headers_mut() = headers;
    match hub.caller().send(request).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let mut response = Response::new(Body::new(Passed { body, _passing: passing }));
            *response.status_mut() = parts.status;
            *response.headers_mut() = onward(parts.headers);
            response
        }
        Err(CallError::NotSent(why)) => {
            let text = format!("the server did not accept the request ({why}); it was not delivered");
            refuse(StatusCode::SERVICE_UNAVAILABLE, -32000, &text)
        }
        Err(CallError::Broken(why)) => {
            let text = format!("the server did not answer ({why}); it may have carried the request out");
            refuse(StatusCode::BAD_GATEWAY, -32000, &text)
        }
    }
}

/// The twin that serves, waited for as long as a request may be held.
async fn waited(hub: &Hub) -> Result<Passing, Response<Body>> {
    let until = Instant::now() + hub.hold_time();
    loop {
        match hub.pass() {
            Ok(passing) => return Ok(passing),
            Err(Some(fault)) => {
                return Err(refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    -32000,
                    &format!("no server runs: {}", fault.message),
                ));
            }
            Err(None) if Instant::now() >= until => {
                let mut response = refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    -32000,
                    "the server is being started; try again in a moment",
                );
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return Err(response);
            }
            Err(None) => sleep(LOOK).await,
        }
    }
}

/// A twin's body on its way to the client.
struct Passed {
    body: Answer,
    _passing: Passing,
}

impl hyper::body::Body for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
