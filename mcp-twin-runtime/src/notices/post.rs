//! One POST: a connection of its own, no proxy, no redirection.

use super::aside::aside;
use super::lane::NotTried;
use super::tls;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use mcp_twin_core::notify::Answered;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Posts a document. Its caller limits the time.
pub async fn post(url: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answered, NotTried> {
    let unusable = |why: &str| NotTried::Unusable(why.to_owned());
    // The error of the parser would do, but nothing of the URL is to be seen.
    let uri: Uri = url.parse().map_err(|_| unusable("its URL cannot be read"))?;
    let authority = uri.authority().ok_or_else(|| unusable("its URL names no host"))?;
    let secure = uri.scheme_str() == Some("https");
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let tcp = connect(&host, port).await.map_err(NotTried::NoAnswer)?;
    let stream: Box<dyn Stream> = if secure {
        tls::wrap(&host, tcp).await.map_err(|why| NotTried::NoAnswer(format!("no TLS with {host}: {why}")))?
    } else {
        Box::new(tcp)
    };
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers;
    let wrong = || unusable("its URL cannot be read");
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    *request.uri_mut() = uri.path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| wrong())?;
    exchange(stream, request).await.map_err(|error| NotTried::NoAnswer(format!("{host} did not answer: {error}")))
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Answered, hyper::Error> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    // Both are driven here, so that whoever gives up leaves nothing behind.
    let answer = tokio::select! {
        answer = &mut answer => answer?,
        ended = &mut connection => {
            ended?;
            answer.await?
        }
    };
    Ok(answered(&answer))
}

fn answered<T>(answer: &Response<T>) -> Answered {
    let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Answered::Status {
        status: answer.status().as_u16(),
        retry_after: wait.and_then(|wait| retry_after(wait, jiff::Timestamp::now())),
    }
}

/// Seconds, or a date.
pub fn retry_after(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.ceil()).ok();
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => {
            let name = host.to_owned();
            let found = aside(move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await?;
            found.map_err(|error| format!("{host} is not found: {error}"))?
        }
    };
    let mut why = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("no connection to {host}: {error}"),
        }
    }
    Err(why)
}
