//! The listener: connections, their limits, and the routes.

use super::door::{Door, DoorError};
use super::endpoint::{self, refuse};
use super::hub::Hub;
use super::pass;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Connections at once: behind it the system's own queue.
const CONNECTIONS: usize = 2048;
/// How long a client may take for the headers of a request, and lie idle between two.
const HEADERS: Duration = Duration::from_secs(30);
/// Headers of one request, in bytes; their number is bounded by hyper (100).
const HEADER_BYTES: usize = 64 << 10;
/// How long a refused accept (no descriptors left) is waited for.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// The address.
    pub address: SocketAddr,
    /// The path of the endpoint.
    pub path: String,
    /// The token that clients must have.
    pub token: Option<String>,
}

/// A front's ear. Dropped, it listens no more.
pub struct Listener {
    socket: TcpListener,
    options: ListenOptions,
}

#[derive(Clone)]
struct Shared {
    hub: Hub,
    door: Arc<Door>,
}

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    /// It is taken already, or not one of this machine.
    pub async fn bind(options: ListenOptions) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(options.address).await?, options })
    }

    /// The address that it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves clients until `closing` says so, then lets what is open end, for as long as `grace`.
    pub async fn serve(self, hub: Hub, mut closing: watch::Receiver<bool>, grace: Duration) {
        let door = Arc::new(Door::new(self.options.address.ip(), self.options.token.clone()));
        let shared = Shared { hub, door };
        let routes = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readiness))
            .fallback(elsewhere)
            .with_state(shared.clone());
        let routes = Routes { endpoint: self.options.path.into(), shared, others: TowerToHyperService::new(routes) };
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = closed(&mut closing) => break,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(NO_ROOM).await;
                continue;
            };
            // Answers are small and whole: waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS)
                .max_buf_size(HEADER_BYTES)
                .serve_connection(TokioIo::new(stream), routes.clone());
            let mut closing = closing.clone();
            tokio::spawn(async move {
                let mut connection = std::pin::pin!(connection);
                tokio::select! {
                    biased;
                    _ = connection.as_mut() => {}
                    () = closed(&mut closing) => {
                        connection.as_mut().graceful_shutdown();
                        let _ = timeout(grace, connection).await;
                    }
                }
                drop(place);
            });
        }
        drop(self.socket);
        // All places are free when all connections have ended.
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(grace, room.acquire_many(all)).await;
    }
}

/// Returns when the front ends.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that nobody can say it any more.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// The endpoint by itself, on the shortest way: nearly every request is to it. All else is the router's.
#[derive(Clone)]
struct Routes {
    endpoint: Arc<str>,
    shared: Shared,
    others: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if request.uri().path() == &*self.endpoint {
            if let Err(error) = self.shared.door.check(request.headers_mut()) {
                return Box::pin(ready(Ok(turned_away(error))));
            }
            endpoint::answer(self.shared.hub.clone(), request)
        } else {
            Box::pin(self.others.call(request))
        }
    }
}

/// What somebody gets who does not come in.
fn turned_away(error: DoorError) -> Response {
    let mut response = refuse(error.status(), -32000, error.text());
    if error.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

async fn elsewhere(State(shared): State<Shared>, mut request: Request<Body>) -> Response {
    if let Err(error) = shared.door.check(request.headers_mut()) {
        return turned_away(error);
    }
    if matches!(request.uri().path(), "/sse" | "/messages" | "/messages/") {
        let text = "HTTP+SSE of 2024-11-05 is not served here: it was replaced by Streamable HTTP (2025-03-26); \
                    configure the client for that, with the endpoint of this front";
        return refuse(StatusCode::GONE, -32000, text);
    }
    if shared.hub.speaks_for_itself() {
        // A server over stdio has no other paths.
        let text = "nothing is here; the endpoint of this server is at the path that `mcp-twin status` shows";
        return refuse(StatusCode::NOT_FOUND, -32000, text);
    }
    pass::through(shared.hub, request).await
}

async fn readiness(State(shared): State<Shared>) -> Response {
    if shared.hub.is_ready() {
        Response::new(Body::from("ready\n"))
    } else {
        let mut response = Response::new(Body::from("no server is ready\n"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    }
}
