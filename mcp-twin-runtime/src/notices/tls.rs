//! TLS by rustls, with the authorities that the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` count).
//!
//! Messages are rare: everything is made for one connection and gone after it, so that a front that tells nobody holds nothing
//! of it.

use super::aside::aside;
use super::post::Stream;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The same connection, with this host proven at its other end.
pub async fn wrap(host: &str, tcp: TcpStream) -> Result<Box<dyn Stream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let config = aside(configured).await??;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}

/// Reads some hundred files: nothing for the front's thread.
fn configured() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err("this system trusts no authority; install its ca-certificates, or set SSL_CERT_FILE".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
