//! TLS of the system, with the authorities that it trusts.

use super::post::Stream;
use tokio::net::TcpStream;
use tokio_native_tls::{TlsConnector, native_tls};

/// The same connection, with this host proven at its other end.
pub async fn wrap(host: &str, tcp: TcpStream) -> Result<Box<dyn Stream>, String> {
    let connector = native_tls::TlsConnector::new().map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(connector).connect(host, tcp).await.map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}
