//! One connection to a server, which whoever waits for its answer drives.
//!
//! No task of its own stands between: a request, its answer and the bytes of both are one future's work.

use super::pool::Pool;
use super::{CallError, Payload};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::http::uri::Authority;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection.
pub struct Line {
    wire: Box<Wire>,
}

/// Why there is no answer.
pub struct NoAnswer {
    /// What people are told.
    pub why: String,
    /// The request, if nothing of it was written.
    pub unsent: Option<Box<Request<Payload>>>,
}

struct Wire {
    sender: SendRequest<Payload>,
    /// None when it is over. It is dropped then: only so are requests given back that it never took up.
    connection: Option<Connection<TokioIo<TcpStream>, Payload>>,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// Nothing was sent: why.
    pub async fn connect(to: &Authority, within: Duration) -> Result<Self, CallError> {
        let host = to.host().trim_start_matches('[').trim_end_matches(']');
        let stream = match timeout(within, TcpStream::connect((host, to.port_u16().unwrap_or(80)))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(CallError::NotSent(format!("no connection to {to}: {error}"))),
            Err(_) => return Err(CallError::NotSent(format!("no connection to {to} within {within:?}"))),
        };
        // A request is written at once and whole: waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let opened = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|error| CallError::NotSent(in_full(&error)))?;
        Ok(Self { wire: Box::new(Wire { sender, connection: Some(connection) }) })
    }

    /// Sends a request until its answer begins.
    ///
    /// # Errors
    /// Why there is none; the request, if nothing of it was written.
    pub fn exchange(
        mut self,
        request: Request<Payload>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Self), NoAnswer>> + Send {
        let answer = self.wire.sender.try_send_request(request);
        async move {
            let mut answer = pin!(answer);
            let answered = poll_fn(|cx| {
                self.drive(cx);
                answer.as_mut().poll(cx)
            });
            match answered.await {
                Ok(response) => Ok((response, self)),
                Err(mut error) => {
                    Err(NoAnswer { why: in_full(error.error()), unsent: error.take_message().map(Box::new) })
                }
            }
        }
    }

    /// Whether it takes another request now.
    pub fn is_free(&self) -> bool {
        self.wire.connection.is_some() && self.wire.sender.is_ready()
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let connection = &mut self.wire.connection;
        if connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(cx).is_ready()) {
            *connection = None;
        }
    }
}

/// The body of an answer. Read to its end, it gives its connection back for the next request.
pub struct Answer {
    body: Incoming,
    line: Option<Line>,
    to: Authority,
    pool: Arc<Pool>,
}

impl Answer {
    pub(super) fn new(body: Incoming, line: Line, to: Authority, pool: Arc<Pool>) -> Self {
        Self { body, line: Some(line), to, pool }
    }

    fn give_back(&mut self) {
        if let Some(line) = self.line.take().filter(Line::is_free) {
            self.pool.put(&self.to, line);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_pending()
            && let Some(line) = &mut this.line
        {
            // The body has said that it wants more.
            line.drive(cx);
            polled = Pin::new(&mut this.body).poll_frame(cx);
        }
        if let Poll::Ready(None) = polled {
            this.give_back();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Whoever knows that no more comes need not ask for it.
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}

/// An error and all its causes.
fn in_full(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
