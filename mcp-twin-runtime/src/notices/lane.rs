//! One target, what waits for it, and the task that brings it there.

use super::desktop::{MISSING, Notifier};
use super::{Hear, Heard, aside, post, secret};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use mcp_twin_core::notify::{
    Address, Answered, Kind, Message, Next, SIGNATURE_HEADER, Target, next, payload, signature,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// So many messages wait at most; the oldest go first.
const MOST: usize = 32;
/// One try takes so long at most.
pub const ONE_TRY: Duration = Duration::from_secs(10);

/// A target with its queue. Its task ends with it.
pub struct Lane {
    course: Arc<Course>,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Course {
    target: Target,
    hear: Hear,
    notifier: Option<Arc<dyn Notifier>>,
    queue: Mutex<VecDeque<Arc<Message>>>,
    ready: Notify,
}

impl Lane {
    pub fn begin(target: Target, hear: Hear, notifier: Option<Arc<dyn Notifier>>) -> Self {
        let (closing, closed) = watch::channel(false);
        let course = Arc::new(Course { target, hear, notifier, queue: Mutex::default(), ready: Notify::new() });
        let task = tokio::spawn(Arc::clone(&course).run(closed));
        Self { course, closing, task }
    }

    pub fn target(&self) -> &Target {
        &self.course.target
    }

    /// Queues a message.
    pub fn push(&self, message: Arc<Message>) {
        let dropped = {
            let mut queue = self.course.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push_back(message);
            queue.len() > MOST && queue.pop_front().is_some()
        };
        self.course.ready.notify_one();
        if dropped {
            (self.course.hear)(&self.course.target, Heard::Dropped);
        }
    }

    /// Nothing more comes: what waits is tried once.
    pub fn close(&self) {
        let _ = self.closing.send(true);
    }

    /// Returns when everything was tried.
    pub async fn ended(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Course {
    async fn run(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        loop {
            let message = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match message {
                Some(message) => self.deliver(&message, &mut closed).await,
                None if *closed.borrow() => return,
                None => tokio::select! {
                    () = self.ready.notified() => {}
                    _ = closed.wait_for(|closed| *closed) => {}
                },
            }
        }
    }

    /// Tries until it has arrived, or nobody should try any more.
    async fn deliver(&self, message: &Message, closed: &mut watch::Receiver<bool>) {
        let begun = Instant::now();
        for tries in 1.. {
            let tried = attempt(&self.target, message, self.notifier.as_ref()).await;
            let (answered, why) = match tried {
                Ok(answered) => (answered, told(answered)),
                Err(NotTried::Unusable(why)) => return (self.hear)(&self.target, Heard::Lost(why)),
                Err(NotTried::NoAnswer(why)) => (Answered::Nothing, why),
            };
            match next(tries, begun.elapsed(), answered) {
                Next::Done => return (self.hear)(&self.target, Heard::Arrived),
                Next::GiveUp => return (self.hear)(&self.target, Heard::Lost(why)),
                Next::Again(wait) => tokio::select! {
                    () = sleep(wait) => {}
                    _ = closed.wait_for(|closed| *closed) => {
                        return (self.hear)(&self.target, Heard::Lost(format!("{why}, and the front ended")));
                    }
                },
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NotTried {
    /// Nothing was sent, and nothing will be: a secret is missing, an address is none.
    Unusable(String),
    /// It may be different next time.
    NoAnswer(String),
}

/// What an answer says, for people.
pub fn told(answered: Answered) -> String {
    match answered {
        Answered::Nothing => "no answer".to_owned(),
        Answered::Status { status, .. } => format!("it answered with status {status}"),
    }
}

/// One try.
pub async fn attempt(
    target: &Target,
    message: &Message,
    notifier: Option<&Arc<dyn Notifier>>,
) -> Result<Answered, NotTried> {
    let tried = match target.kind {
        Kind::Desktop => timeout(ONE_TRY, show(message, notifier)).await,
        _ => timeout(ONE_TRY, send(target, message)).await,
    };
    tried.unwrap_or_else(|_| Err(NotTried::NoAnswer(format!("no answer within {} s", ONE_TRY.as_secs()))))
}

async fn show(message: &Message, notifier: Option<&Arc<dyn Notifier>>) -> Result<Answered, NotTried> {
    let notifier = Arc::clone(notifier.ok_or_else(|| NotTried::Unusable(MISSING.to_owned()))?);
    let (title, text) = (message.title(), format!("{}\n{}", message.sentence(), message.place()));
    let shown = aside::aside(move || notifier.show(&title, &text)).await;
    // A desktop that is not there now is not there in a minute either.
    shown.and_then(|shown| shown).map_err(NotTried::Unusable)?;
    Ok(Answered::Status { status: 200, retry_after: None })
}

async fn send(target: &Target, message: &Message) -> Result<Answered, NotTried> {
    let url = match &target.address {
        Some(Address::Url(url)) => url.clone(),
        Some(Address::Kept(given)) => {
            let url = secret::read(given).map_err(NotTried::Unusable)?;
            target.kind.accepts(&url).map_err(|why| NotTried::Unusable(format!("{given}: {why}")))?;
            url
        }
        None => return Err(NotTried::Unusable("it has no address".to_owned())),
    };
    let body = payload(target.kind, message).to_string().into_bytes();
    let headers = headers(target, message, &body).map_err(NotTried::Unusable)?;
    post::post(&url, headers, body).await
}

fn headers(target: &Target, message: &Message, body: &[u8]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mcp-twin/", env!("CARGO_PKG_VERSION"))));
    if target.kind != Kind::Webhook {
        return Ok(headers);
    }
    let mut put = |name: &str, value: &str, secret: bool| -> Result<(), String> {
        let wrong = || format!("the header `{name}` cannot be sent: its value has characters that do not belong there");
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no name of a header"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(secret);
        headers.insert(known, value);
        Ok(())
    };
    put("idempotency-key", &message.id, false)?;
    put("mcp-twin-event", message.event.word(), false)?;
    for (name, variable) in &target.headers {
        put(name, &secret::variable(variable)?, true)?;
    }
    if let Some(given) = &target.secret {
        let secret = secret::read(given)?;
        let time = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        put(SIGNATURE_HEADER, &signature(secret.as_bytes(), time, body), false)?;
    }
    Ok(headers)
}
