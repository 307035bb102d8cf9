//! The stream of what the server says to a client of the legacy era that belongs to no request: a GET that is opened once
//! the session is, and again as long as it lasts.

use super::Bridge;
use super::mouth::SLOW;
use crate::http::caller::Answer;
use crate::http::exchange::{AGAIN, Heard, LONGEST_PAUSE, events, is_forgotten, is_stream, whole};
use crate::http::headers::{self, LAST_EVENT};
use futures_util::StreamExt;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The longest pause between two tries.
const SLOWEST: Duration = Duration::from_secs(5);

/// Listens for as long as there is a session.
pub async fn listen(bridge: Arc<Bridge>) {
    let mut complete = bridge.complete.subscribe();
    loop {
        let number = *complete.borrow_and_update();
        tokio::select! {
            // A session that was opened anew has another stream.
            changed = complete.changed() => if changed.is_err() { return },
            () = listen_to(&bridge, number), if number > 0 => {
                if complete.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Listens to one session; returns when there is nothing to listen to.
async fn listen_to(bridge: &Bridge, number: u64) {
    let mut heard = Heard::default();
    let mut pause = AGAIN.1;
    loop {
        match again(bridge, &heard).await {
            Some(response) if is_stream(&response) => {
                let mut stream = Box::pin(events(response.into_body(), bridge.options.max_message));
                while let Some(Ok(event)) = stream.next().await {
                    pause = AGAIN.1;
                    bridge.mouth.room(SLOW).await;
                    if let Some(line) = heard.take(event) {
                        bridge.said(&line, None);
                    }
                }
            }
            Some(response) => {
                let status = response.status();
                let body = whole(response.into_body(), bridge.options.max_message).await.unwrap_or_default();
                let may_come_back =
                    status.is_server_error() || matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
                // What is refused may be the place to go on from, which the server has forgotten: then from here on.
                if !may_come_back && heard.last.take().is_none() {
                    let forgotten = bridge.session().id.is_some() && is_forgotten(status, &body);
                    // A server without such a stream answers 405, and that is fine.
                    if !forgotten || bridge.reopen(number).await.is_ok() {
                        return;
                    }
                }
            }
            None => {}
        }
        sleep(heard.retry.unwrap_or(pause).min(LONGEST_PAUSE)).await;
        pause = (pause * 2).min(SLOWEST);
    }
}

/// Takes a stream up behind what was heard of it; `None` if the server cannot be reached.
pub async fn again(bridge: &Bridge, heard: &Heard) -> Option<Response<Answer>> {
    let mut headers = HeaderMap::new();
    bridge.session().dress(&mut headers);
    if let Some(last) = &heard.last {
        headers.insert(LAST_EVENT, headers::value(last));
    }
    let request = bridge.request(Method::GET, headers, Bytes::new(), None)?;
    bridge.caller.send(request).await.ok()
}
