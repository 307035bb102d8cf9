//! The leased ports on disk: `ports.json`, shared by all fronts.
//!
//! What the leases are and who gets which is core's (`mcp_twin_core::port`); this reads and writes them under a lock, and
//! knows which ports are in use.

use crate::files::{self, FileError, Flush, lock};
use crate::home::Home;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpSocket;

/// Reads the leases. A file that cannot be read as such counts as empty.
///
/// # Errors
/// The file cannot be opened.
pub fn load<L: Default + DeserializeOwned>(home: &Home) -> Result<L, FileError> {
    let bytes = files::read(&home.ports())?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Changes the leases under the lock, which is waited for 1 s; they are written only if they differ afterwards, so that
/// leases of a newer release, which core refuses to change, stay as they are. A damaged file is set aside first: the
/// same names get the same ports again.
///
/// # Errors
/// The lock cannot be had, or the file cannot be read or written.
pub fn change<L, R>(home: &Home, change: impl FnOnce(&mut L) -> R) -> Result<R, FileError>
where
    L: Default + Serialize + DeserializeOwned,
{
    let path = home.ports();
    let unwritable = |error: serde_json::Error| FileError::Unwritable { path: path.clone(), why: error.to_string() };
    lock::with_lock(&lock::beside(&path), || {
        let mut leases: L = match files::read(&path)?.map(|bytes| serde_json::from_slice(&bytes)) {
            Some(Ok(leases)) => leases,
            Some(Err(_)) => {
                let _ = files::set_aside(&path);
                L::default()
            }
            None => L::default(),
        };
        let before = serde_json::to_vec_pretty(&leases).map_err(unwritable)?;
        let result = change(&mut leases);
        let after = serde_json::to_vec_pretty(&leases).map_err(unwritable)?;
        if before != after {
            files::write_atomic(&path, &after, Flush::Now)?;
        }
        Ok(result)
    })
}

/// Whether nobody listens on this port of this machine: what a lease asks, and a twin that has one. Connections of an
/// earlier listener that are only remembered (`TIME_WAIT`) do not count, so that neither moves for them.
#[must_use]
pub fn nobody_listens(port: u16) -> bool {
    // Where an address may be bound twice nothing would be learnt that way.
    free(port, cfg!(unix))
}

/// Whether any server can listen on this port just now, also one that does not ask for the reuse of addresses: what is
/// asked first where nobody knows the port yet.
#[must_use]
pub fn is_free(port: u16) -> bool {
    free(port, false)
}

/// A port that is spoken for until this is dropped: between the choice of a port and the moment when a twin listens on it
/// another front must not choose it too. Fronts of one state directory have their leases for that; this holds between
/// those of several. On Linux only, where such a claim needs no file and ends with its process.
#[derive(Debug)]
pub struct Claim {
    #[cfg(target_os = "linux")]
    _socket: Option<std::os::unix::net::UnixDatagram>,
}

/// Speaks for a port; `None` if another front does.
#[must_use]
pub fn claim(port: u16) -> Option<Claim> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let bound = SocketAddr::from_abstract_name(format!("mcp-twin-port-{port}"))
            .and_then(|address| UnixDatagram::bind_addr(&address));
        match bound {
            Ok(socket) => Some(Claim { _socket: Some(socket) }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => None,
            // Where there are no such names nobody has one.
            Err(_) => Some(Claim { _socket: None }),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = port;
        Some(Claim {})
    }
}

/// A port that the system has to spare, free for v4 and v6.
#[must_use]
pub fn ephemeral() -> Option<u16> {
    // The system looks at one family only.
    (0..16).find_map(|_| {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).ok()?;
        let port = socket.local_addr().ok()?.port();
        drop(socket);
        is_free(port).then_some(port)
    })
}

/// Each address by itself: on some systems `0.0.0.0` can be bound beside a listener on `127.0.0.1`.
fn free(port: u16, reuse: bool) -> bool {
    let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED].map(IpAddr::V4);
    let v6 = [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED].map(IpAddr::V6);
    let bound = |ip: IpAddr| {
        let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(reuse)?;
        // Bound only: nobody can connect, and the next one finds it free.
        socket.bind(SocketAddr::new(ip, port))
    };
    // A family that this machine has not is no obstacle.
    v4.into_iter().chain(v6).all(|ip| bound(ip).err().is_none_or(|error| error.kind() != ErrorKind::AddrInUse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::home;
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    type Leases = BTreeMap<String, u16>;

    fn take(home: &Home, name: &str) -> u16 {
        change(home, |leases: &mut Leases| {
            let next = 8000 + u16::try_from(leases.len()).unwrap();
            *leases.entry(name.to_owned()).or_insert(next)
        })
        .unwrap()
    }

    #[test]
    fn leases_are_kept_and_given_out_once() {
        let (_dir, home) = home();
        let mut given: Vec<_> = std::thread::scope(|scope| {
            let home = &home;
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || take(home, &format!("s{n}")))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        given.sort_unstable();
        assert_eq!(given, (8000..8008).collect::<Vec<_>>());
        assert_eq!(load::<Leases>(&home).unwrap().len(), 8);
    }

    #[test]
    fn what_does_not_change_is_not_written() {
        let (_dir, home) = home();
        change(&home, |_: &mut Leases| ()).unwrap();
        assert!(!home.ports().exists());
        std::fs::write(home.ports(), "{\"a\":8000 }").unwrap();
        assert_eq!(take(&home, "a"), 8000);
        assert_eq!(std::fs::read_to_string(home.ports()).unwrap(), "{\"a\":8000 }");
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let (_dir, home) = home();
        std::fs::write(home.ports(), "{\"a\":80").unwrap();
        assert_eq!(load::<Leases>(&home).unwrap(), Leases::new());
        assert_eq!(take(&home, "b"), 8000);
        assert!(home.path().join("ports.json.damaged").exists());
    }

    #[test]
    fn a_listener_on_any_address_is_seen() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let listener = match TcpListener::bind(address) {
                Ok(listener) => listener,
                // A machine without v6.
                Err(_) if address.starts_with('[') => continue,
                Err(error) => panic!("{address}: {error}"),
            };
            let port = listener.local_addr().unwrap().port();
            assert!(!nobody_listens(port) && !is_free(port), "{address}");
            drop(listener);
            assert!(nobody_listens(port) && is_free(port), "{address}");
        }
    }

    #[test]
    fn a_remembered_connection_is_told_from_a_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (served, _) = listener.accept().unwrap();
        // Whoever closes first remembers: the server, here.
        drop((served, listener));
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        assert!(nobody_listens(port));
        assert!(!is_free(port));
    }

    #[test]
    fn a_spare_port_is_free() {
        let port = ephemeral().unwrap();
        assert!(is_free(port) && nobody_listens(port));
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_is_spoken_for_once() {
        let port = ephemeral().unwrap();
        let held = claim(port).unwrap();
        assert!(claim(port).is_none() && is_free(port));
        drop(held);
        assert!(claim(port).is_some());
    }
}
