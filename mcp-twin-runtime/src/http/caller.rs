//! Requests to twins: connections that are kept, and whether a request that failed was ever sent.

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a connection to a twin on this machine may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Connections that wait for the next request, for each twin.
const KEPT: usize = 256;

/// What a request may carry.
pub enum Payload {
    /// A message.
    Whole(Whole),
    /// What somebody else sends, as it comes.
    Passing(UnsyncBoxBody<Bytes, io::Error>),
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.bytes.is_none(),
            Self::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(body) => body.size_hint(),
        }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub enum CallError {
    /// The twin has certainly not seen it.
    NotSent(String),
    /// The twin may have seen it.
    Broken(String),
}

/// Sends requests to twins on this machine.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Payload>,
}

impl Caller {
    /// A caller without connections.
    #[must_use]
    pub fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(KEPT).build(connector(CONNECT));
        Self { client }
    }

    /// A caller of a server that is not ours: it may be far away, and may close connections that are idle. One that was
    /// idle for longer than `idle` is not used again, for a request on it could be lost.
    #[must_use]
    pub fn foreign(connect: Duration, idle: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(KEPT)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .build(connector(connect));
        Self { client }
    }

    /// Sends one request and returns when its answer begins.
    ///
    /// # Errors
    /// Why there is none, and whether the twin can have seen the request.
    pub async fn send(&self, request: Request<Payload>) -> Result<Response<Incoming>, CallError> {
        self.client.request(request).await.map_err(|error| {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            if error.is_connect() { CallError::NotSent(text) } else { CallError::Broken(text) }
        })
    }
}

fn connector(connect: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect));
    connector.set_nodelay(true);
    connector
}

/// A whole body, which says when it was taken to be written.
pub struct Whole {
    bytes: Option<Bytes>,
    sent: Option<oneshot::Sender<()>>,
}

impl Whole {
    /// A body of these bytes; `sent` hears when they go out.
    #[must_use]
    pub fn new(bytes: Bytes, sent: Option<oneshot::Sender<()>>) -> Self {
        Self { bytes: Some(bytes), sent }
    }

    fn take(&mut self) -> Option<Bytes> {
        if let Some(sent) = self.sent.take() {
            // Whoever waited may be gone.
            let _ = sent.send(());
        }
        self.bytes.take()
    }
}
