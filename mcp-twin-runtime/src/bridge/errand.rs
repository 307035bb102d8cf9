//! One message of the client on its way: a POST, and what comes back until its answer is there.

use super::Bridge;
use super::books::{Asked, Ticket};
use super::listen::again;
use super::mouth::SLOW;
use crate::http::caller::{Answer, CallError};
use crate::http::exchange::{
    AGAIN, Heard, LONGEST_PAUSE, describe, events, excerpt, is_forgotten, is_stream, nameless, whole,
};
use crate::http::headers::{self, METHOD, SESSION, VERSION};
use futures_util::StreamExt;
use hyper::body::{Body, Bytes};
use hyper::header::{HeaderMap, LOCATION};
use hyper::{Method, Response, StatusCode};
use mcp_twin_core::relay::{Message, one_line};
use mcp_twin_core::{Code, Fault};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

/// The refusal of a request whose headers do not say what it says (2026-07-28).
const MISMATCH: i64 = -32020;
/// Pages of the list of tools that are fetched after such a refusal.
const PAGES: usize = 64;
/// A body of up to so many bytes is read beside any number of others.
const SMALL: u64 = 64 << 10;
/// How much is read of a refusal.
const REFUSAL: usize = 1 << 20;
/// How long a stream may go on behind its answer, so that its connection can be used again.
const BEHIND: Duration = Duration::from_secs(1);

/// A message on its way.
#[derive(Debug)]
pub struct Errand {
    /// The message.
    pub asked: Asked,
    /// Who waits for its answer, if it is a request.
    pub ticket: Option<Ticket>,
    /// Until when it is held while the server cannot be reached.
    pub until: Instant,
}

impl Errand {
    /// Sends it, and passes on what comes back.
    pub async fn run(self, bridge: &Bridge, sent: oneshot::Sender<()>) {
        let mut sent = Some(sent);
        let (mut reopened, mut listed) = (false, false);
        let mut again = self.may_repeat();
        loop {
            let (number, had) = {
                let session = bridge.session();
                (session.number, session.id.is_some() && !self.asked.modern && !self.opens())
            };
            let headers = self.headers(bridge);
            let line = &self.asked.line;
            let call = || {
                // What was cancelled while it was held is never delivered.
                let wanted = self.ticket.is_none() || self.waits(bridge);
                wanted.then(|| bridge.request(Method::POST, headers.clone(), line.clone(), sent.take())).flatten()
            };
            let response = match bridge.held(self.until, call).await {
                Ok(response) => response,
                Err(CallError::NotSent(why)) => return self.unreachable(bridge, &why),
                // Without an effect: a kept connection may just have been closed.
                Err(CallError::Broken(_)) if std::mem::take(&mut again) => continue,
                Err(CallError::Broken(why)) => return self.lost(bridge, &format!("the connection broke: {why}")),
            };
            let status = response.status();
            if !matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST) {
                return self.hear(bridge, response).await;
            }
            let location = location(&response);
            let body = whole(response.into_body(), bridge.options.max_message.min(REFUSAL)).await.unwrap_or_default();
            if had && !reopened && is_forgotten(status, &body) {
                reopened = true;
                match bridge.reopen(number).await {
                    Ok(()) => continue,
                    Err(why) => bridge.say(&format!("the server has forgotten the session: {why}")),
                }
            }
            if self.asked.modern && !listed && self.asked.method == "tools/call" && is_mismatch(&body) {
                // Refused unread: the server wants arguments in headers of which nobody told us, or no longer does.
                listed = true;
                if self.list_tools(bridge).await && self.headers(bridge) != headers {
                    continue;
                }
            }
            return self.refused(bridge, status, &location, &body);
        }
    }

    fn opens(&self) -> bool {
        self.asked.method == "initialize"
    }

    /// Whether it has no effect that could happen twice.
    fn may_repeat(&self) -> bool {
        matches!(
            self.asked.method.as_str(),
            "initialize"
                | "server/discover"
                | "ping"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
        )
    }

    /// What the POST says of the message.
    fn headers(&self, bridge: &Bridge) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.asked.modern {
            if !self.opens() {
                bridge.session().dress(&mut headers);
            }
            return headers;
        }
        if let Some(version) = &bridge.session().modern {
            // A notification has no metadata of its own.
            headers.insert(VERSION, headers::value(version));
        }
        headers.insert(METHOD, headers::value(&self.asked.method));
        if let Ok(message) = Message::read(&self.asked.line) {
            describe(&message, &mut headers);
            if let Some(tool) = message.text("name").filter(|_| self.asked.method == "tools/call") {
                bridge.params().mirror(&tool, message.raw("arguments"), &mut headers);
            }
        }
        headers
    }

    async fn hear(self, bridge: &Bridge, response: Response<Answer>) {
        let status = response.status();
        if self.opens() && status.is_success() {
            bridge.session().opened(response.headers().get(SESSION).cloned());
        }
        if is_stream(&response) {
            return self.hear_events(bridge, response).await;
        }
        let location = location(&response);
        let large = response.body().size_hint().exact().is_none_or(|bytes| bytes > SMALL);
        // Only some are read at once: what one waits for in a slow client's queue the others would hold too.
        let _turn = if large { bridge.bodies.acquire().await.ok() } else { None };
        bridge.mouth.room(SLOW).await;
        match whole(response.into_body(), bridge.options.max_message).await {
            Ok(body) if body.is_empty() && status == StatusCode::ACCEPTED => {
                self.lost(bridge, "the request was taken for a notification (202)");
            }
            Ok(body) if body.is_empty() && status.is_success() => self.lost(bridge, "the answer was empty"),
            Ok(body) if status.is_success() => {
                bridge.said(&one_line(&body), self.ticket.as_ref());
                self.lost(bridge, &format!("what came is no answer to it: {}", excerpt(&body)));
            }
            Ok(body) => self.refused(bridge, status, &location, &body),
            Err(why) => self.lost(bridge, &why),
        }
    }

    async fn hear_events(self, bridge: &Bridge, response: Response<Answer>) {
        let mut heard = Heard::default();
        let mut body = Some(response);
        let (mut tries, pause) = AGAIN;
        while let Some(response) = body.take() {
            let mut why = "the stream ended before the answer came".to_owned();
            let mut stream = Box::pin(events(response.into_body(), bridge.options.max_message));
            while let Some(event) = stream.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        why = format!("the stream broke before the answer came: {error}");
                        break;
                    }
                };
                bridge.mouth.room(SLOW).await;
                if let Some(line) = heard.take(event) {
                    tries = AGAIN.0;
                    bridge.said(&line, self.ticket.as_ref());
                }
                if !self.waits(bridge) {
                    break;
                }
            }
            if !self.waits(bridge) {
                // It ends now, as a rule; one that does not is not waited for.
                let rest = async {
                    while let Some(Ok(event)) = stream.next().await {
                        bridge.mouth.room(SLOW).await;
                        if let Some(line) = heard.take(event) {
                            bridge.said(&line, None);
                        }
                    }
                };
                let _ = timeout(BEHIND, rest).await;
                return self.lost(bridge, &why);
            }
            // A server that gives its events ids may have closed the connection on purpose (2025-11-25 basic/transports:
            // SSE polling).
            if self.asked.modern || heard.last.is_none() {
                return self.lost(bridge, &why);
            }
            while body.is_none() {
                if tries == 0 {
                    return self.lost(bridge, &format!("{why}, and could not be taken up again"));
                }
                tries -= 1;
                sleep(heard.retry.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                body = self.taken_up(bridge, &heard).await;
                if !self.waits(bridge) {
                    return self.lost(bridge, &why);
                }
            }
        }
    }

    /// Takes a broken stream up again; a server that is away is waited for as long as a request is held.
    async fn taken_up(&self, bridge: &Bridge, heard: &Heard) -> Option<Response<Answer>> {
        let until = Instant::now() + bridge.options.hold;
        loop {
            match again(bridge, heard).await {
                Some(response) => return is_stream(&response).then_some(response),
                None if Instant::now() >= until || !self.waits(bridge) => return None,
                None => sleep(AGAIN.1).await,
            }
        }
    }

    fn waits(&self, bridge: &Bridge) -> bool {
        self.ticket.as_ref().is_some_and(|ticket| bridge.books().wants(ticket))
    }

    /// Fetches the list of tools for its schemas. The client is not asked: it knows nothing of headers.
    async fn list_tools(&self, bridge: &Bridge) -> bool {
        let Some(meta) = meta_of(&self.asked.line) else { return false };
        let mut cursor = Value::Null;
        for page in 0..PAGES {
            let mut params = json!({ "_meta": meta });
            if page > 0 {
                params["cursor"] = cursor;
            }
            let line = json!({"jsonrpc": "2.0", "id": "mcp-twin-tools", "method": "tools/list", "params": params});
            let line = Bytes::from(line.to_string());
            let mut headers = HeaderMap::new();
            if let Ok(message) = Message::read(&line) {
                describe(&message, &mut headers);
            }
            let Ok(response) = bridge.post_held(line.clone(), headers).await else { return false };
            let Some(answer) = bridge.answer_of(response).await else { return false };
            let Ok(read) = serde_json::from_slice::<Value>(&answer) else { return false };
            if !read["result"].is_object() {
                return false;
            }
            bridge.params().learn(&answer, page == 0);
            cursor = read["result"]["nextCursor"].clone();
            if !cursor.is_string() {
                break;
            }
        }
        true
    }

    /// The server refused it in HTTP's own words, or in those of JSON-RPC.
    fn refused(&self, bridge: &Bridge, status: StatusCode, location: &str, body: &[u8]) {
        let line = one_line(body);
        if self.ticket.is_none() {
            return bridge.say(&format!(
                "the server refused a message ({}) with {status}: {}",
                self.asked.method,
                excerpt(body)
            ));
        }
        if Message::read(&line).is_ok_and(|message| message.is_answer()) {
            bridge.said(&line, self.ticket.as_ref());
        } else if let Some(line) = nameless(&line, &self.asked.id) {
            bridge.said(&line, self.ticket.as_ref());
        }
        let text = match excerpt(body) {
            text if text.is_empty() => String::new(),
            text => format!(": {text}"),
        };
        let message =
            format!("the server at {} refused the request with {status}{location}{text}", bridge.target.url());
        let help = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                "give the token to `mcp-twin run --url` with --header 'Authorization: Bearer TOKEN'"
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                "check the path of the URL; it must be an endpoint of Streamable HTTP (HTTP+SSE of 2024-11-05 is not spoken)"
            }
            status if status.is_redirection() => {
                "put that address into `mcp-twin run --url`, if it is the server that you mean"
            }
            _ => "the log of the server may say more",
        };
        bridge.fail(self.ticket.as_ref(), &Fault::new(Code::HttpStatus, message).with_help(help));
    }

    fn unreachable(&self, bridge: &Bridge, why: &str) {
        let (url, hold) = (bridge.target.url(), bridge.options.hold.as_secs_f64());
        let message = format!(
            "the server at {url} cannot be reached ({why}), which was tried for {hold} s; the request was not delivered and \
             can be repeated safely"
        );
        let help = "start the server, or correct the URL in the client's configuration; --hold waits longer for it";
        if self.ticket.is_none() {
            bridge.say(&format!("a message ({}) was not delivered: {why}", self.asked.method));
        }
        bridge.fail(self.ticket.as_ref(), &Fault::new(Code::Down, message).with_help(help));
    }

    /// No answer will come. Nothing happens if it came already.
    fn lost(&self, bridge: &Bridge, why: &str) {
        let (after, help) = if self.may_repeat() {
            ("it can be repeated safely", "the log of the server may say more")
        } else {
            ("it may have been carried out in part or in full", "check whether it was carried out before you repeat it")
        };
        let message = format!("the server did not answer {}: {why}; {after}", self.asked.method);
        bridge.fail(self.ticket.as_ref(), &Fault::new(Code::TwinLost, message).with_help(help));
    }
}

/// Where a redirection leads, for a message.
fn location(response: &Response<Answer>) -> String {
    let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    location.and_then(|to| to.to_str().ok()).map(|to| format!(" to {to}")).unwrap_or_default()
}

fn is_mismatch(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["error"]["code"] == MISMATCH)
}

/// The metadata of a request for one of ours: without what concerns that request alone.
fn meta_of(line: &[u8]) -> Option<Value> {
    let message = Message::read(line).ok()?;
    let mut meta: Value = serde_json::from_str(message.raw("_meta")?).ok()?;
    let fields = meta.as_object_mut()?;
    fields.remove("progressToken");
    fields.remove("io.modelcontextprotocol/logLevel");
    Some(meta)
}
