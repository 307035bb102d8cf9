//! The session of a client of the legacy era with the server: its id, its version, and how it is opened again should the
//! server forget it.

use super::Bridge;
use super::books::Asked;
use crate::http::caller::{Answer, CallError};
use crate::http::exchange::{events, excerpt, is_stream, whole};
use crate::http::headers::{self, SESSION, VERSION};
use futures_util::StreamExt;
use hyper::Method;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use mcp_twin_core::relay::Message;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long opening a session again may take beyond what a request is held.
const REOPENING: Duration = Duration::from_secs(30);
/// How long the end of a session may take: nobody waits for it.
const FAREWELL: Duration = Duration::from_secs(2);
/// Subscriptions that are remembered.
const SUBSCRIPTIONS: usize = 4096;

/// The revision in which a line may be a batch.
const BATCHES: &str = "2025-03-26";

/// What is known of the session.
#[derive(Debug, Default)]
pub struct Session {
    /// How often one was opened: says apart the sessions that came one after the other.
    pub number: u64,
    /// Its id, if the server gives any.
    pub id: Option<HeaderValue>,
    /// The version that was agreed on.
    pub version: Option<String>,
    /// The version of the requests of the modern era, once there was one.
    pub modern: Option<String>,
    opening: Option<Bytes>,
    completed: Option<Bytes>,
    /// What the server was told and would have to be told again: the log level, and each subscription.
    ledger: BTreeMap<String, Bytes>,
}

impl Session {
    /// The client opens a session.
    pub fn opens(&mut self, line: Bytes) {
        *self = Self { number: self.number, modern: self.modern.take(), opening: Some(line), ..Self::default() };
    }

    /// The server took the opening, and named the session.
    pub fn opened(&mut self, id: Option<HeaderValue>) {
        self.number += 1;
        self.id = id;
    }

    /// The client completed the opening.
    pub fn completes(&mut self, line: Bytes) {
        self.completed = Some(line);
    }

    /// Whether the client speaks the legacy era, as far as that is known.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.opening.is_some() || self.modern.is_none()
    }

    /// Whether a line of the client may be a batch.
    #[must_use]
    pub fn has_batches(&self) -> bool {
        self.version.as_deref() == Some(BATCHES)
    }

    /// What every request of the session carries.
    pub fn dress(&self, headers: &mut HeaderMap) {
        if let Some(id) = &self.id {
            headers.insert(SESSION, id.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(VERSION, headers::value(version));
        }
    }

    /// A request was answered: what of it outlives the answer.
    pub fn note(&mut self, asked: &Asked, answer: &Message<'_>, text: &[u8]) {
        if answer.is_refusal() {
            return;
        }
        let uri = || Message::read(&asked.line).ok().and_then(|message| message.raw("uri").map(str::to_owned));
        match asked.method.as_str() {
            "initialize" => self.version = version_of(text),
            "logging/setLevel" => drop(self.ledger.insert(String::new(), asked.line.clone())),
            "resources/subscribe" if self.ledger.len() < SUBSCRIPTIONS => {
                if let Some(uri) = uri() {
                    self.ledger.insert(uri, asked.line.clone());
                }
            }
            "resources/unsubscribe" => {
                if let Some(uri) = uri() {
                    self.ledger.remove(&uri);
                }
            }
            _ => {}
        }
    }
}

/// The version that an answer to `initialize` agrees on.
fn version_of(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    answer["result"]["protocolVersion"].as_str().map(str::to_owned)
}

impl Bridge {
    /// Opens the session again that the server has forgotten: the client's own opening is replayed, and what it told the
    /// server since. Returns at once if that was done meanwhile.
    ///
    /// # Errors
    /// Why there is no session.
    pub async fn reopen(&self, forgotten: u64) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        if self.session().number != forgotten {
            return Ok(());
        }
        let opening = self.session().opening.clone().ok_or("it was never opened")?;
        let budget = self.options.hold + REOPENING;
        timeout(budget, self.replay(opening))
            .await
            .map_err(|_| "the server does not answer the opening".to_owned())??;
        self.say("the server had forgotten the session, which was opened again");
        Ok(())
    }

    async fn replay(&self, opening: Bytes) -> Result<(), String> {
        let response = self.post_held(opening, HeaderMap::new()).await?;
        let (status, id) = (response.status(), response.headers().get(SESSION).cloned());
        let answer = self.answer_of(response).await.unwrap_or_default();
        if !status.is_success() || Message::read(&answer).is_ok_and(|answer| answer.is_refusal()) {
            return Err(format!("it refused the opening with {status}: {}", excerpt(&answer)));
        }
        let version = version_of(&answer);
        let (completed, ledger, number) = {
            let mut session = self.session();
            if version != session.version {
                let (was, is) = (session.version.clone().unwrap_or_default(), version.unwrap_or_default());
                return Err(format!("it agreed on version {was} before and on {is} now; reconnect"));
            }
            session.opened(id);
            let ledger: Vec<Bytes> = session.ledger.values().cloned().collect();
            (session.completed.clone(), ledger, session.number)
        };
        let dressed = |bridge: &Self| {
            let mut headers = HeaderMap::new();
            bridge.session().dress(&mut headers);
            headers
        };
        if let Some(completed) = completed {
            self.post_held(completed, dressed(self)).await?;
            for (count, line) in ledger.iter().enumerate() {
                let Ok(message) = Message::read(line) else { continue };
                let line = message.with_id(&format!("\"mcp-twin-{count}\""));
                let response = self.post_held(line.into(), dressed(self)).await?;
                // Its answer says nothing new, but it is to be known before the next request.
                let _ = self.answer_of(response).await;
            }
            self.complete.send_replace(number);
        }
        Ok(())
    }

    /// The first answer in a response; whatever else stands before it goes to the client.
    pub async fn answer_of(&self, response: Response<Answer>) -> Option<Vec<u8>> {
        if !is_stream(&response) {
            return whole(response.into_body(), self.options.max_message).await.ok().map(|body| body.to_vec());
        }
        let mut heard = crate::http::exchange::Heard::default();
        let mut stream = Box::pin(events(response.into_body(), self.options.max_message));
        while let Some(Ok(event)) = stream.next().await {
            let Some(line) = heard.take(event) else { continue };
            match Message::read(&line) {
                Ok(message) if message.is_answer() => return Some(line),
                _ => self.said(&line, None),
            }
        }
        None
    }

    /// Sends a line of ours, which is held as those of the client are.
    pub async fn post_held(&self, line: Bytes, headers: HeaderMap) -> Result<Response<Answer>, String> {
        let until = Instant::now() + self.options.hold;
        match self.held(until, || self.request(Method::POST, headers.clone(), line.clone(), None)).await {
            Ok(response) => Ok(response),
            Err(CallError::NotSent(why) | CallError::Broken(why)) => Err(why),
        }
    }

    /// The session is over.
    pub async fn farewell(&self) {
        let mut headers = HeaderMap::new();
        {
            let session = self.session();
            if session.id.is_none() {
                return;
            }
            session.dress(&mut headers);
        }
        if let Some(request) = self.request(Method::DELETE, headers, Bytes::new(), None) {
            // A server that does not let sessions end (405) forgets them some day by itself.
            let _ = timeout(FAREWELL, self.caller.send(request)).await;
        }
    }
}
