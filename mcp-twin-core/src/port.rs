//! Ports of HTTP servers: where the search begins, who holds what, and what to do when everything is taken.
//!
//! Every server has a place `k` in a row of a hundred, found from its name: its front listens on `8000 + k`, its twins on
//! `8100 + 2k` and `8101 + 2k`. The same name gives the same ports on every machine, so that a URL can be written down
//! before the server has ever run. Whether a port is free is the host's to say; nothing in here opens a socket.

mod leases;

pub use leases::{Lease, Leases, VERSION};

use serde::{Deserialize, Serialize};

/// How many servers a range has room for.
pub const PLACES: u16 = 100;

/// The lowest port that a range may begin at: those below need privileges.
const LOWEST: u16 = 1024;

/// The 32-bit string hash `h = h * 31 + c` over UTF-16 code units with wrap-around, as an absolute value.
///
/// This is what Java and many JavaScript programs compute, so other tools can find the same ports. The absolute value of
/// the smallest number is taken without overflow: 2147483648.
#[must_use]
pub fn hash_code(name: &str) -> u32 {
    name.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit))).unsigned_abs()
}

/// The place in the row of a hundred at which the search for a server of this name begins.
#[must_use]
pub fn first_place(name: &str) -> u16 {
    // Less than a hundred, so it always fits.
    (hash_code(name) % u32::from(PLACES)) as u16
}

/// The two ports that the twins of a server of this name get where nothing is in their way.
#[must_use]
pub fn assign_ports(name: &str) -> (u16, u16) {
    let ports = Ranges::default().at(first_place(name));
    (ports.a, ports.b)
}

/// Where the ranges of ports begin: a hundred for fronts, two hundred for twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRanges", into = "RawRanges")]
pub struct Ranges {
    front: u16,
    twins: u16,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { front: 8000, twins: 8100 }
    }
}

impl Ranges {
    /// Fronts on `front .. front + 100`, twins on `twins .. twins + 200`.
    ///
    /// # Errors
    /// A range reaches below 1024 or beyond 65535, or the two overlap.
    pub fn new(front: u16, twins: u16) -> Result<Self, PortError> {
        let (front_end, twins_end) = (u32::from(front) + u32::from(PLACES), u32::from(twins) + 2 * u32::from(PLACES));
        if front < LOWEST || twins < LOWEST || front_end > 65_536 || twins_end > 65_536 {
            return Err(PortError::OutOfRange { front, twins });
        }
        if u32::from(front) < twins_end && u32::from(twins) < front_end {
            return Err(PortError::Overlap { front, twins });
        }
        Ok(Self { front, twins })
    }

    /// The first port of fronts.
    #[must_use]
    pub fn front(&self) -> u16 {
        self.front
    }

    /// The first port of twins.
    #[must_use]
    pub fn twins(&self) -> u16 {
        self.twins
    }

    /// The ports at place `k`, counted round the hundred.
    #[must_use]
    pub fn at(&self, k: u16) -> Lease {
        let k = k % PLACES;
        Lease { front: self.front + k, a: self.twins + 2 * k, b: self.twins + 2 * k + 1 }
    }
}

#[derive(Serialize, Deserialize)]
struct RawRanges {
    front: u16,
    twins: u16,
}

impl TryFrom<RawRanges> for Ranges {
    type Error = PortError;
    fn try_from(raw: RawRanges) -> Result<Self, PortError> {
        Self::new(raw.front, raw.twins)
    }
}

impl From<Ranges> for RawRanges {
    fn from(ranges: Ranges) -> Self {
        Self { front: ranges.front, twins: ranges.twins }
    }
}

/// Why a server has no ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// A range does not fit between 1024 and 65535.
    #[error(
        "the port ranges {front} (100 ports for fronts) and {twins} (200 ports for twins) must lie between 1024 and 65535; choose others"
    )]
    OutOfRange {
        /// First port of fronts.
        front: u16,
        /// First port of twins.
        twins: u16,
    },
    /// The ranges overlap.
    #[error(
        "the port ranges {front} (100 ports for fronts) and {twins} (200 ports for twins) overlap; move one of them"
    )]
    Overlap {
        /// First port of fronts.
        front: u16,
        /// First port of twins.
        twins: u16,
    },
    /// Somebody else listens on the port that this server's clients know.
    #[error(
        "port {port} of server `{server}` is in use by another program; end that program, since clients know this port, or give the server another one with `--port`"
    )]
    FrontBusy {
        /// The server.
        server: String,
        /// The front's port.
        port: u16,
    },
    /// Not one of the hundred places is free.
    #[error(
        "no free ports for server `{server}`: {leased} of the 100 places from {front} and {twins} are leased to other servers and the rest are in use; remove servers that are no longer needed from ports.json, or set other `ports` ranges in the configuration"
    )]
    Full {
        /// The server.
        server: String,
        /// How many other servers hold leases.
        leased: usize,
        /// First port of fronts.
        front: u16,
        /// First port of twins.
        twins: u16,
    },
    /// The leases were written by a newer release, and would lose what it knows if they were changed.
    #[error(
        "the port leases are of version {found}, this release writes version {VERSION}; upgrade mcp-twin, or move ports.json away"
    )]
    Newer {
        /// The version found.
        found: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ports_are_those_that_other_tools_compute() {
        for (name, port) in [
            ("inbox-collab", 8244),
            ("phi-proxy", 8280),
            ("zti-server", 8294),
            ("fsl-compression", 8108),
            ("my-api-server", 8250),
        ] {
            let ports = Ranges::default().at(first_place(name));
            assert_eq!((ports.a, ports.b), (port, port + 1), "{name}");
            assert_eq!(assign_ports(name), (port, port + 1), "{name}");
            assert_eq!(ports.front, 8000 + (port - 8100) / 2, "{name}");
        }
    }

    #[test]
    fn the_hash_counts_utf16_units_and_survives_its_smallest_number() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("a"), 97);
        assert_eq!(hash_code("hello"), 99_162_322);
        // U+1F600 is the surrogate pair D83D DE00.
        assert_eq!(hash_code("😀"), 0xD83D * 31 + 0xDE00);
        // The well-known string whose hash is i32::MIN.
        assert_eq!(hash_code("polygenelubricants"), 2_147_483_648);
        assert_eq!(first_place("polygenelubricants"), 48);
    }

    #[test]
    fn ranges_are_checked() {
        assert!(Ranges::new(8000, 8100).is_ok());
        assert!(Ranges::new(9000, 8100).is_ok());
        assert!(Ranges::new(8300, 8100).is_ok());
        assert!(Ranges::new(65_436, 8100).is_ok());
        assert!(matches!(Ranges::new(65_437, 8100), Err(PortError::OutOfRange { .. })));
        assert!(matches!(Ranges::new(8000, 65_400), Err(PortError::OutOfRange { .. })));
        assert!(matches!(Ranges::new(80, 8100), Err(PortError::OutOfRange { .. })));
        assert!(matches!(Ranges::new(8000, 8099), Err(PortError::Overlap { .. })));
        assert!(matches!(Ranges::new(8299, 8100), Err(PortError::Overlap { .. })));
        assert!(serde_json::from_str::<Ranges>(r#"{"front":8000,"twins":8050}"#).is_err());
        let read: Ranges = serde_json::from_str(r#"{"front":9000,"twins":9100}"#).unwrap();
        assert_eq!((read.front(), read.twins()), (9000, 9100));
    }
}
