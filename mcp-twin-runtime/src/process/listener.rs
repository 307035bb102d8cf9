//! Whose a listener is: a stranger on a twin's port must not pass as the twin.
//!
//! The kernel's table of sockets names each by an inode; the twin's own processes are asked whether they hold it.

use super::identity::fields;
use super::sweep::bears;
use mcp_twin_core::ProcessIdentity;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The loopback addresses on which a connection to this port reaches the twin, and nobody else.
#[must_use]
pub fn listeners(port: u16, twin: &ProcessIdentity) -> Vec<IpAddr> {
    let table: Vec<Listening> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| text.lines().skip(1).filter_map(Listening::parse).collect::<Vec<_>>())
        .filter(|socket| socket.port == port)
        .collect();
    if table.is_empty() {
        return Vec::new();
    }
    let own = inodes_of(twin, &table);
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let any = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    // What the kernel prefers for a connection comes first: the address itself, then all addresses of its family, then,
    // for the older family, a socket that takes both. One that takes only the newer refuses, and is seen then.
    let reached = [
        (
            IpAddr::V4(v4),
            vec![v4.into(), v4.to_ipv6_mapped().into(), any.0.into(), any.0.to_ipv6_mapped().into(), any.1.into()],
        ),
        (IpAddr::V6(v6), vec![v6.into(), IpAddr::V6(any.1)]),
    ];
    let reaches = |addresses: &[IpAddr]| {
        let at = |address: &IpAddr| table.iter().filter(|socket| socket.address == *address).collect::<Vec<_>>();
        let first = addresses.iter().map(at).find(|sockets| !sockets.is_empty());
        // Several can share one address; any of them may be given the connection.
        first.is_some_and(|sockets| sockets.iter().all(|socket| own.contains(&socket.inode)))
    };
    reached.into_iter().filter(|(_, addresses)| reaches(addresses)).map(|(target, _)| target).collect()
}

/// Whether the twin listens on this port of this machine.
#[must_use]
pub fn listens(port: u16, twin: &ProcessIdentity) -> bool {
    !listeners(port, twin).is_empty()
}

/// One listening socket.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    address: IpAddr,
    port: u16,
    inode: u64,
}

impl Listening {
    /// A line of `/proc/net/tcp` or `tcp6`, if it is a listening socket's.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (address, port) = words.nth(1)?.split_once(':')?;
        if words.nth(1)? != LISTEN {
            return None;
        }
        let inode = words.nth(5)?.parse().ok()?;
        Some(Self { address: parse_address(address)?, port: u16::from_str_radix(port, 16).ok()?, inode })
    }
}

/// An address as the kernel prints it: words of 32 bits, each in the machine's own order.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match text.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (place, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(8 * place)?);
            }
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

/// Which of these sockets processes of the twin hold: those of its group and session, and what bears its token.
fn inodes_of(twin: &ProcessIdentity, sockets: &[Listening]) -> BTreeSet<u64> {
    let wanted: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mut found = BTreeSet::new();
    let (near, far): (Vec<u32>, Vec<u32>) = processes().into_iter().partition(|pid| is_near(*pid, twin));
    for pid in near.into_iter().chain(far.into_iter().filter(|pid| bears(*pid, &|token| token == twin.token))) {
        // The token is looked for only where the twin's own session does not suffice.
        if found.len() == wanted.len() {
            break;
        }
        found.extend(sockets_of(pid).into_iter().filter(|inode| wanted.contains(inode)));
    }
    found
}

fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process is in the twin's group or session: the fifth and sixth of proc(5).
fn is_near(pid: u32, twin: &ProcessIdentity) -> bool {
    let Some(fields) = fields(pid) else { return false };
    let mut fields = fields.split(' ').skip(2).map(str::parse::<u32>);
    let (group, session) = (fields.next(), fields.next());
    group == Some(Ok(twin.pgid)) || session == Some(Ok(twin.pid))
}

fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.flatten().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0";
        let socket = Listening::parse(v4).unwrap();
        assert_eq!(socket, Listening { address: Ipv4Addr::LOCALHOST.into(), port: 8080, inode: 4711 });
        let v6 = "   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 100 0 0 10 0";
        let socket = Listening::parse(v6).unwrap();
        assert_eq!(socket, Listening { address: Ipv6Addr::LOCALHOST.into(), port: 8081, inode: 12 });
        let mapped = v6.replace("00000000000000000000000001000000", "0000000000000000FFFF00000100007F");
        assert_eq!(Listening::parse(&mapped).unwrap().address, Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(Listening::parse(&v4.replace(" 0A ", " 01 ")), None, "an open connection");
        assert_eq!(Listening::parse("  sl  local_address rem_address   st tx_queue"), None);
    }
}
