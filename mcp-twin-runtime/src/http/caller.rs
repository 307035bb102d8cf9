//! Requests to twins: connections that are kept, and whether a request that failed was ever sent.

mod line;
mod pool;

pub use line::Answer;

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::http::uri::Authority;
use hyper::{Request, Response, Uri};
use line::{Line, NoAnswer};
use pool::Pool;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a connection to a twin on this machine may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one is kept for the next request: a little less than the shortest time after which servers close them
/// (5 s: Node, uvicorn), for a request that crosses such an end is lost.
const IDLE: Duration = Duration::from_secs(4);

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
    pool: Arc<Pool>,
    connect: Duration,
}

impl Caller {
    /// A caller without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::foreign(CONNECT, IDLE)
    }

    /// A caller of a server that is not ours: it may be far away, and may close connections that are idle. One that was
    /// idle for longer than `idle` is not used again, for a request on it could be lost.
    #[must_use]
    pub fn foreign(connect: Duration, idle: Duration) -> Self {
        Self { pool: Pool::new(idle), connect }
    }

    /// Sends one request, whose address says to whom, and returns when its answer begins. Dropped before, or with the
    /// answer unread, it closes the connection.
    ///
    /// # Errors
    /// Why there is none, and whether the twin can have seen the request.
    pub fn send(
        &self,
        request: Request<Payload>,
    ) -> impl Future<Output = Result<Response<Answer>, CallError>> + use<'_> {
        // It goes on its way here: what waits for its answer is moved often, and had better be small.
        let begun = addressed(request).map(|(to, request)| match self.pool.take(&to) {
            Some(line) => (to, Some(Box::pin(line.exchange(request))), None),
            None => (to, None, Some(Box::new(request))),
        });
        async move {
            let (to, sent, mut unsent) = begun?;
            if let Some(sent) = sent {
                match sent.await {
                    Ok((response, line)) => return Ok(self.answer(response, line, to)),
                    Err(NoAnswer { why, unsent: None }) => return Err(CallError::Broken(why)),
                    // The twin had closed it before: nothing has gone out.
                    Err(NoAnswer { unsent: back, .. }) => unsent = back,
                }
            }
            match unsent {
                Some(request) => Box::pin(self.send_anew(to, request)).await,
                None => Err(CallError::NotSent("there is nothing to be sent".to_owned())),
            }
        }
    }

    /// Sends on a connection that was not used before.
    async fn send_anew(&self, to: Authority, request: Box<Request<Payload>>) -> Result<Response<Answer>, CallError> {
        let line = Line::connect(&to, self.connect).await?;
        match line.exchange(*request).await {
            Ok((response, line)) => Ok(self.answer(response, line, to)),
            Err(NoAnswer { why, unsent: Some(_) }) => Err(CallError::NotSent(why)),
            Err(NoAnswer { why, unsent: None }) => Err(CallError::Broken(why)),
        }
    }

    fn answer(&self, response: Response<Incoming>, line: Line, to: Authority) -> Response<Answer> {
        response.map(|body| Answer::new(body, line, to, Arc::clone(&self.pool)))
    }
}

/// To whom a request goes, and the request as it is written to him.
fn addressed(request: Request<Payload>) -> Result<(Authority, Request<Payload>), CallError> {
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri).into_parts();
    let (Some(to), Some(path)) = (uri.authority, uri.path_and_query) else {
        return Err(CallError::NotSent("the request has no address".to_owned()));
    };
    parts.uri = Uri::from(path);
    Ok((to, Request::from_parts(parts, body)))
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

#[cfg(test)]
mod tests;
