//! One session at one twin: its requests there, each a POST of its own, and the stream of what belongs to none of them.

use super::caller::{Answer, CallError};
use super::exchange::{
    AGAIN, Heard, LONGEST_PAUSE, describe, events, excerpt, is_forgotten, is_stream, nameless, whole,
};
use super::headers::{self, SESSION, VERSION};
use super::hub::{Hub, Sid};
use super::stream::Manner;
use futures_util::StreamExt;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use mcp_twin_core::relay::{Message, one_line};
use mcp_twin_core::{Code, Fault, TwinId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

/// How long what comes behind `initialized` waits for its acceptance.
const BEHIND: Duration = Duration::from_secs(5);
/// How long the end of a session at a twin may take: nobody waits for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// A session at a twin that is spoken to over HTTP.
#[derive(Debug, Default)]
pub struct Posts {
    /// The twin's own id of the session.
    pub session: Option<HeaderValue>,
    /// The version that was agreed on with it.
    pub version: Option<HeaderValue>,
    /// The opening and what completed it, to be sent again should the twin forget the session.
    opening: Option<Bytes>,
    completed: Option<Bytes>,
    /// Whether what came before must be accepted first.
    behind: Option<watch::Receiver<bool>>,
    /// Requests that are open: to be given up.
    open: BTreeMap<u64, Open>,
    /// The stream of what belongs to no request.
    get: Option<AbortHandle>,
    /// The twin is about to be ended: no stream is opened there any more.
    leaving: bool,
    /// Whose turn it is to open the session anew.
    pub turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Open {
    task: AbortHandle,
    /// The request has gone out.
    sent: Option<oneshot::Receiver<()>>,
    line: Bytes,
}

/// What goes to a twin, and for whom.
#[derive(Clone, Debug)]
pub struct Errand {
    /// The session.
    pub sid: Sid,
    /// The twin.
    pub twin: TwinId,
    /// Our number of the request, if it is one.
    pub number: Option<u64>,
    /// Whether closing the stream is the way to cancel it (2026-07-28).
    pub modern: bool,
    /// Whether it opens the session.
    opens: bool,
    line: Bytes,
    headers: Arc<HeaderMap>,
}

impl Posts {
    /// Takes up a message for its twin; the errand is to carry its line.
    pub fn forward(&mut self, hub: &Hub, message: &Message<'_>, mut errand: Errand) {
        let method = message.method().unwrap_or_default();
        if errand.modern && method == "notifications/cancelled" {
            if let Some(number) = message.raw("requestId").and_then(|id| id.parse().ok()) {
                self.give_up(number);
            }
            return;
        }
        errand.opens = method == "initialize";
        if errand.opens {
            self.opening = Some(errand.line.clone());
        }
        let wait = self.awaited();
        let done = self.completes(method, &errand.line);
        let first = self.after_sent(method, message);
        self.begin(hub, errand, wait, first, done);
    }

    /// Takes up a request that is neither an opening nor says anything of other messages.
    pub fn send(&mut self, hub: &Hub, errand: Errand) {
        let wait = self.awaited();
        self.begin(hub, errand, wait, None, None);
    }

    /// Sends it once what comes `first` was sent, and says when it is `done`.
    fn begin(
        &mut self,
        hub: &Hub,
        errand: Errand,
        wait: Option<watch::Receiver<bool>>,
        first: Option<oneshot::Receiver<()>>,
        done: Option<watch::Sender<bool>>,
    ) {
        let (number, line) = (errand.number, errand.line.clone());
        let (sent_tx, sent) = oneshot::channel();
        let hub = hub.clone();
        let task = tokio::spawn(async move {
            if let Some(mut wait) = wait {
                let _ = timeout(BEHIND, wait.wait_for(|done| *done)).await;
            }
            if let Some(first) = first {
                let _ = timeout(BEHIND, first).await;
            }
            errand.run(&hub, sent_tx).await;
            if let Some(done) = done {
                let _ = done.send(true);
            }
        });
        if let Some(number) = number {
            self.open.insert(number, Open { task: task.abort_handle(), sent: Some(sent), line });
        }
    }

    /// What is still to be accepted before anything else is sent.
    fn awaited(&mut self) -> Option<watch::Receiver<bool>> {
        self.behind.take_if(|behind| *behind.borrow());
        self.behind.clone()
    }

    /// What comes behind `initialized` waits until the twin has accepted it.
    fn completes(&mut self, method: &str, line: &Bytes) -> Option<watch::Sender<bool>> {
        if method != "notifications/initialized" {
            return None;
        }
        self.completed = Some(line.clone());
        let (done, wait) = watch::channel(false);
        self.behind = Some(wait);
        Some(done)
    }

    /// A cancellation goes out behind its request.
    fn after_sent(&mut self, method: &str, message: &Message<'_>) -> Option<oneshot::Receiver<()>> {
        if method != "notifications/cancelled" {
            return None;
        }
        let number: u64 = message.raw("requestId")?.parse().ok()?;
        self.open.get_mut(&number)?.sent.take()
    }

    /// Gives up a request: its stream is closed.
    fn give_up(&mut self, number: u64) {
        if let Some(open) = self.open.remove(&number) {
            open.task.abort();
        }
    }

    /// Requests of which nothing has gone out, so that the twin has certainly not seen them.
    pub fn unsent(&mut self) -> Vec<Bytes> {
        // Where the sender is gone without a word its request was given back unsent. A cancelled one counts as seen.
        let waits = |open: &mut Open| open.sent.as_mut().is_some_and(|sent| sent.try_recv().is_err());
        self.open.values_mut().filter_map(|open| waits(open).then(|| open.line.clone())).collect()
    }

    /// A request is over.
    pub fn closed(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Listens to what belongs to no request, if nobody does yet.
    pub fn listen(&mut self, hub: &Hub, sid: Sid, twin: TwinId, headers: HeaderMap) {
        if self.leaving || self.get.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let hub = hub.clone();
        self.get = Some(tokio::spawn(async move { listen(&hub, sid, twin, headers).await }).abort_handle());
    }

    /// Everything that runs for the session at this twin ends; the twin is told that it is over. What is given back has
    /// ended when the twin has heard that.
    pub fn end(&mut self, hub: &Hub, twin: TwinId, headers: HeaderMap) -> Option<JoinHandle<()>> {
        self.silence();
        self.session.take().map(|session| {
            let (hub, version, behind) = (hub.clone(), self.version.clone(), self.behind.take());
            tokio::spawn(async move {
                if let Some(mut behind) = behind {
                    // A server whose session ends while it reads a message for it may break the connection.
                    let _ = timeout(BEHIND, behind.wait_for(|done| *done)).await;
                }
                let mut headers = headers;
                headers.insert(SESSION, session);
                if let Some(version) = version {
                    headers.insert(VERSION, version);
                }
                if let Some(request) = hub.request(twin, Method::DELETE, headers, Bytes::new(), None) {
                    let _ = timeout(FAREWELL, hub.caller().send(request)).await;
                }
            })
        })
    }

    /// The twin is about to be ended: what is held open there, and would be for ever, ends before, and so does the session
    /// unless a call is still to be answered.
    pub fn leave(
        &mut self,
        hub: &Hub,
        twin: TwinId,
        headers: HeaderMap,
        listens: impl Fn(u64) -> bool,
    ) -> Option<JoinHandle<()>> {
        self.leaving = true;
        for (_, open) in self.open.extract_if(.., |number, _| listens(*number)) {
            open.task.abort();
        }
        if let Some(get) = self.get.take() {
            get.abort();
        }
        if self.open.is_empty() { self.end(hub, twin, headers) } else { None }
    }

    /// Everything that runs for the session at this twin ends.
    pub fn silence(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            open.task.abort();
        }
        if let Some(get) = self.get.take() {
            get.abort();
        }
    }

    /// What a request to this twin carries beside the client's own headers.
    pub fn dress(&self, headers: &mut HeaderMap, opens: bool) {
        if opens {
            headers.remove(VERSION);
            return;
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        if let Some(version) = &self.version {
            headers.insert(VERSION, version.clone());
        }
    }

    /// The lines that open the session anew.
    #[must_use]
    pub fn reopening(&self) -> Option<(Bytes, Option<Bytes>)> {
        Some((self.opening.clone()?, self.completed.clone()))
    }
}

/// What is seldom gone through is boxed: each message begins with room for all of its way.
impl Errand {
    /// A line for a twin, on behalf of a session; `number` if it is a request.
    #[must_use]
    pub fn new(
        (sid, twin): (Sid, TwinId),
        number: Option<u64>,
        modern: bool,
        line: Bytes,
        headers: Arc<HeaderMap>,
    ) -> Self {
        Self { sid, twin, number, modern, opens: false, line, headers }
    }

    async fn run(&self, hub: &Hub, sent: oneshot::Sender<()>) {
        let mut sent = Some(sent);
        let mut reopened = false;
        let mut again = self.opens;
        loop {
            let (had, sending) = self.send(hub, sent.take());
            let response = match sending.await {
                Ok(response) => response,
                Err(CallError::NotSent(why)) => {
                    return Box::pin(hub.unsent(self.sid, self.twin, &self.line, &why)).await;
                }
                // An opening has no effect but a session that nobody knows of: a kept connection may just have been closed.
                Err(CallError::Broken(_)) if std::mem::take(&mut again) => continue,
                Err(CallError::Broken(why)) => return self.lost(hub, &format!("the connection broke: {why}")),
            };
            let status = response.status();
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST)
                && !self.opens
                && !self.modern
                && let Some(had) = had
            {
                let body = Box::pin(whole(response.into_body(), hub.max_message())).await.unwrap_or_default();
                if is_forgotten(status, &body)
                    && !reopened
                    && Box::pin(reopen(hub, self.sid, self.twin, &had, &self.headers)).await
                {
                    reopened = true;
                    continue;
                }
                return self.refused(hub, status, HeaderMap::new(), body);
            }
            return self.hear(hub, response).await;
        }
    }

    /// The session that the twin is sent the message in, and the sending.
    fn send<'a>(
        &self,
        hub: &'a Hub,
        sent: Option<oneshot::Sender<()>>,
    ) -> (Option<HeaderValue>, impl Future<Output = Result<Response<Answer>, CallError>> + 'a) {
        let mut headers = HeaderMap::clone(&self.headers);
        let mut session = None;
        if !self.modern {
            session = hub.dress(self.sid, self.twin, &mut headers, self.opens);
        } else if headers.is_empty()
            && let Ok(message) = Message::read(&self.line)
        {
            // A request of our own: the headers say what the body says. Those of a client stay as they are, right or wrong.
            describe(&message, &mut headers);
        }
        let request = hub.request(self.twin, Method::POST, headers, self.line.clone(), sent);
        let sending = request.map(|request| hub.caller().send(request));
        let sending = async move {
            match sending {
                Some(sending) => sending.await,
                None => Err(CallError::NotSent("the twin does not listen".to_owned())),
            }
        };
        (session, sending)
    }

    fn hear<'a>(&'a self, hub: &'a Hub, response: Response<Answer>) -> impl Future<Output = ()> + 'a {
        let streams = is_stream(&response);
        let (parts, body) = response.into_parts();
        let status = parts.status;
        if self.opens && status.is_success() {
            hub.opened(self.sid, self.twin, parts.headers.get(SESSION).cloned());
        }
        let kept = headers::to_client(parts.headers);
        async move {
            if streams {
                return Box::pin(self.hear_events(hub, body, kept)).await;
            }
            match whole(body, hub.max_message()).await {
                Ok(body) if body.is_empty() && status.is_success() => {
                    if self.number.is_some() && status != StatusCode::ACCEPTED {
                        self.lost(hub, "the answer was empty");
                    } else if self.number.is_some() {
                        self.lost(hub, "the request was taken for a notification (202)");
                    }
                }
                Ok(body) => self.refused(hub, status, kept, body),
                Err(why) => self.lost(hub, &why),
            }
        }
    }

    /// One body: the answer, or the server's refusal in HTTP's own words.
    fn refused(&self, hub: &Hub, status: StatusCode, headers: HeaderMap, body: Bytes) {
        let manner = Manner { events: false, status, headers };
        let line = one_line(&body);
        let Some(number) = self.number else {
            if !status.is_success() {
                hub.log(self.twin, &format!("refused a message with {status}: {}", excerpt(&body)));
            }
            return;
        };
        match Message::read(&line) {
            Ok(message) if message.is_answer() => {
                // Refusals that come before a server has read the message name no id.
                let own = number.to_string();
                if message.id() == Some(&own) {
                    hub.said_message(self.sid, self.twin, Some(number), &manner, &message);
                } else {
                    hub.said(self.sid, self.twin, Some(number), &manner, &message.with_id(&own));
                }
            }
            _ if status.is_success() => self.lost(hub, &format!("the answer is no message: {}", excerpt(&body))),
            _ => match nameless(&line, &number.to_string()) {
                Some(line) => hub.said(self.sid, self.twin, Some(number), &manner, &line),
                None => hub.raw(self.sid, self.twin, number, &manner, body),
            },
        }
    }

    async fn hear_events(&self, hub: &Hub, body: Answer, headers: HeaderMap) {
        let manner = Manner { events: true, status: StatusCode::OK, headers };
        let Some(gauge) = hub.gauge(self.sid, self.number) else { return };
        if let Some(number) = self.number {
            hub.events_begin(self.sid, number, &manner);
        }
        let mut heard = Heard::default();
        let mut body = Some(body);
        let (mut tries, pause) = AGAIN;
        while let Some(answer) = body.take() {
            let mut stream = Box::pin(events(answer, hub.max_message()));
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        gauge.room().await;
                        if let Some(line) = heard.take(event) {
                            hub.said(self.sid, self.twin, self.number, &manner, &line);
                        }
                    }
                    Err(why) => {
                        hub.log(self.twin, &format!("its stream of events broke: {why}"));
                        break;
                    }
                }
            }
            let Some(number) = self.number.filter(|number| hub.is_open(self.sid, self.twin, *number)) else { return };
            // The answer is still to come. A server that gives its events ids may have closed the connection on purpose
            // (2025-11-25 basic/transports: SSE polling).
            if self.modern || heard.last.is_none() || tries == 0 {
                return self.lost(hub, "the stream ended before the answer came");
            }
            tries -= 1;
            hub.pause(self.sid, number, heard.retry);
            sleep(heard.retry.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            match again(hub, &heard, self.sid, self.twin, &self.headers).await {
                Some(response) => body = Some(response.into_body()),
                None if hub.is_open(self.sid, self.twin, number) => {
                    return self.lost(hub, "the stream ended before the answer came, and could not be taken up again");
                }
                None => return,
            }
        }
    }

    fn lost(&self, hub: &Hub, why: &str) {
        match self.number {
            Some(number) => {
                let message = format!("the server did not answer: {why}; the call may have been carried out");
                let fault = Fault::new(Code::ProtocolBroken, message)
                    .with_help("check whether it was carried out before you repeat it");
                hub.lost(self.sid, self.twin, number, &fault);
            }
            None => hub.log(self.twin, &format!("a message to it was lost: {why}")),
        }
    }
}

/// Takes a stream up again behind what was heard of it.
async fn again(hub: &Hub, heard: &Heard, sid: Sid, twin: TwinId, headers: &HeaderMap) -> Option<Response<Answer>> {
    let mut headers = headers.clone();
    hub.dress(sid, twin, &mut headers, false);
    if let Some(last) = &heard.last {
        headers.insert(headers::LAST_EVENT, headers::value(last));
    }
    let request = hub.request(twin, Method::GET, headers, Bytes::new(), None)?;
    let response = hub.caller().send(request).await.ok()?;
    is_stream(&response).then_some(response)
}

/// Listens to what a twin says that belongs to no request, as long as the session is there.
async fn listen(hub: &Hub, sid: Sid, twin: TwinId, headers: HeaderMap) {
    let manner = Manner { events: true, ..Manner::default() };
    let mut heard = Heard::default();
    let mut pause = AGAIN.1;
    let Some(gauge) = hub.gauge(sid, None) else { return };
    loop {
        // A server without such a stream answers 405, and that is fine.
        let Some(response) = again(hub, &heard, sid, twin, &headers).await else { return };
        let mut stream = Box::pin(events(response.into_body(), hub.max_message()));
        while let Some(Ok(event)) = stream.next().await {
            pause = AGAIN.1;
            gauge.room().await;
            if let Some(line) = heard.take(event) {
                hub.said(sid, twin, None, &manner, &line);
            }
        }
        sleep(heard.retry.unwrap_or(pause)).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Opens a session anew at a twin that has forgotten it. True if the twin has a session again.
async fn reopen(hub: &Hub, sid: Sid, twin: TwinId, had: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(_turn) = hub.reopening(sid, twin, had).await else {
        // Somebody else has opened it meanwhile, or nobody can.
        return hub.link_session(sid, twin).is_some_and(|session| session != *had);
    };
    let Some((opening, completed)) = hub.openings(sid, twin) else { return false };
    let mut first = headers.clone();
    first.remove(VERSION);
    let Some(request) = hub.request(twin, Method::POST, first, opening, None) else { return false };
    let Ok(response) = hub.caller().send(request).await else { return false };
    let session = response.headers().get(SESSION).cloned();
    if !response.status().is_success() || session.is_none() {
        return false;
    }
    // The answer says nothing new, but the server may wait for it to be read.
    let _ = whole(response.into_body(), hub.max_message()).await;
    hub.reopened(sid, twin, session);
    if let Some(completed) = completed {
        let mut headers = headers.clone();
        hub.dress(sid, twin, &mut headers, false);
        if let Some(request) = hub.request(twin, Method::POST, headers, completed, None) {
            let _ = timeout(BEHIND, hub.caller().send(request)).await;
        }
    }
    hub.forgot(sid, twin);
    true
}
