//! Whose a listener is cannot be seen here: whoever accepts counts as the twin.

use mcp_twin_core::ProcessIdentity;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a connection to this machine itself may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// The loopback addresses on which something accepts connections to this port.
#[must_use]
pub fn listeners(port: u16, _twin: &ProcessIdentity) -> Vec<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let accepts = |ip: &IpAddr| TcpStream::connect_timeout(&SocketAddr::new(*ip, port), PATIENCE).is_ok();
    loopback.into_iter().filter(accepts).collect()
}

/// Whether something listens on this port of this machine.
#[must_use]
pub fn listens(port: u16, twin: &ProcessIdentity) -> bool {
    !listeners(port, twin).is_empty()
}
