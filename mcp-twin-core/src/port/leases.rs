//! The content of `ports.json`: which server holds which ports.

use super::{PLACES, PortError, Ranges, first_place};
use crate::spec::ServerId;
use serde::{Deserialize, Serialize};

/// The version of the layout that this release writes.
pub const VERSION: u32 = 1;

/// The ports of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// Where clients connect. Never moves once given out: it stands in their configurations.
    pub front: u16,
    /// The twin in slot A.
    pub a: u16,
    /// The twin in slot B.
    pub b: u16,
}

impl Lease {
    fn ports(self) -> [u16; 3] {
        [self.front, self.a, self.b]
    }

    fn shares_a_port_with(self, other: Self) -> bool {
        self.ports().iter().any(|port| other.ports().contains(port))
    }
}

/// Every lease of this machine's user. The host reads and writes it under a lock; this only decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    version: u32,
    #[serde(default)]
    leases: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    server: ServerId,
    ports: Lease,
}

impl Default for Leases {
    fn default() -> Self {
        Self { version: VERSION, leases: Vec::new() }
    }
}

impl Leases {
    /// The ports of `server`: those it had, or the first free ones from its place on, round the hundred.
    ///
    /// A lease is stable once it is stored, also when the ranges are set otherwise later. The front's port never moves;
    /// the twins' ports do when a stranger took one of them. `own` are ports on which twins of this very server listen
    /// that its front is about to adopt: they do not count as in use. `is_free` is asked about a port only if no lease
    /// of another server has it.
    ///
    /// # Errors
    /// [`PortError::FrontBusy`], [`PortError::Full`], and [`PortError::Newer`] where something would have to be written.
    pub fn lease(
        &mut self,
        ranges: &Ranges,
        server: &ServerId,
        own: &[u16],
        is_free: impl Fn(u16) -> bool,
    ) -> Result<Lease, PortError> {
        self.lease_as(server.name.as_str(), ranges, server, own, is_free)
    }

    /// [`Leases::lease`] for a server that people know under another name: its place is found from that one, as they
    /// and their tools would.
    ///
    /// # Errors
    /// As [`Leases::lease`].
    pub fn lease_as(
        &mut self,
        display: &str,
        ranges: &Ranges,
        server: &ServerId,
        own: &[u16],
        is_free: impl Fn(u16) -> bool,
    ) -> Result<Lease, PortError> {
        let usable = |port: u16| own.contains(&port) || is_free(port);
        let held = self.held_by(server);
        if let Some(held) = held {
            if !usable(held.front) {
                return Err(PortError::FrontBusy { server: server.name.to_string(), port: held.front });
            }
            if usable(held.a) && usable(held.b) {
                return Ok(held);
            }
        }
        if self.version > VERSION {
            return Err(PortError::Newer { found: self.version });
        }
        let first = first_place(display);
        let found = (0..PLACES).map(|step| ranges.at(first + step)).find_map(|place| {
            // With a lease already, only the twins look for another place.
            let ports = held.map_or(place, |held| Lease { front: held.front, ..place });
            let taken = self.others(server).any(|other| ports.shares_a_port_with(other));
            // The ranges may have been set otherwise since: a front may stand where twins would now.
            let distinct = ports.front != ports.a && ports.front != ports.b;
            (!taken && distinct && ports.ports().into_iter().all(usable)).then_some(ports)
        });
        let ports = found.ok_or_else(|| self.full(ranges, server))?;
        match self.leases.iter_mut().find(|entry| entry.server == *server) {
            Some(entry) => entry.ports = ports,
            None => self.leases.push(Entry { server: server.clone(), ports }),
        }
        Ok(ports)
    }

    /// A port for a twin beyond slots A and B, for its life only: of the twins' range, in no lease, free. Nothing is
    /// stored: the caller keeps the ports of its live twins out through `is_free`.
    ///
    /// # Errors
    /// [`PortError::Full`].
    pub fn spare(&self, ranges: &Ranges, server: &ServerId, is_free: impl Fn(u16) -> bool) -> Result<u16, PortError> {
        let first = first_place(server.name.as_str());
        (0..PLACES)
            .map(|step| ranges.at(first + step))
            .flat_map(|place| [place.a, place.b])
            .find(|port| !self.leases.iter().any(|entry| entry.ports.ports().contains(port)) && is_free(*port))
            .ok_or_else(|| self.full(ranges, server))
    }

    /// What `server` holds.
    #[must_use]
    pub fn held_by(&self, server: &ServerId) -> Option<Lease> {
        self.leases.iter().find(|entry| entry.server == *server).map(|entry| entry.ports)
    }

    /// Every lease.
    pub fn iter(&self) -> impl Iterator<Item = (&ServerId, Lease)> {
        self.leases.iter().map(|entry| (&entry.server, entry.ports))
    }

    /// Gives the ports of `server` back. Says whether it held any.
    ///
    /// # Errors
    /// [`PortError::Newer`].
    pub fn release(&mut self, server: &ServerId) -> Result<bool, PortError> {
        if self.version > VERSION {
            return Err(PortError::Newer { found: self.version });
        }
        let before = self.leases.len();
        self.leases.retain(|entry| entry.server != *server);
        Ok(self.leases.len() < before)
    }

    fn others<'a>(&'a self, server: &'a ServerId) -> impl Iterator<Item = Lease> + 'a {
        self.leases.iter().filter(move |entry| entry.server != *server).map(|entry| entry.ports)
    }

    fn full(&self, ranges: &Ranges, server: &ServerId) -> PortError {
        PortError::Full {
            server: server.name.to_string(),
            leased: self.others(server).count(),
            front: ranges.front(),
            twins: ranges.twins(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ServerName;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn id(name: &str, root: &str) -> ServerId {
        ServerId::new(ServerName::new(name).unwrap(), root)
    }

    fn free(_: u16) -> bool {
        true
    }

    #[test]
    fn a_lease_is_stable_once_stored() {
        let mut leases = Leases::default();
        let first = leases.lease(&Ranges::default(), &id("phi-proxy", "/p"), &[], free).unwrap();
        assert_eq!(first, Lease { front: 8090, a: 8280, b: 8281 });
        let text = serde_json::to_string(&leases).unwrap();
        let mut read: Leases = serde_json::from_str(&text).unwrap();
        let elsewhere = Ranges::new(9000, 9100).unwrap();
        assert_eq!(read.lease(&elsewhere, &id("phi-proxy", "/p"), &[], free).unwrap(), first);
        assert_eq!(read, leases);
    }

    #[test]
    fn the_place_is_found_from_the_name_that_people_know() {
        let mut leases = Leases::default();
        let server = id("my-api-server-2", "/p");
        let ports = leases.lease_as("my-api-server", &Ranges::default(), &server, &[], free).unwrap();
        assert_eq!(ports, Lease { front: 8075, a: 8250, b: 8251 });
        assert_eq!(leases.lease(&Ranges::default(), &server, &[], free).unwrap(), ports, "it is the server's now");
    }

    #[test]
    fn the_same_name_in_another_root_gets_the_next_place_round_the_hundred() {
        let mut leases = Leases::default();
        let ranges = Ranges::default();
        let a = leases.lease(&ranges, &id("zti-server", "/a"), &[], free).unwrap();
        assert_eq!(a.a, 8294);
        let b = leases.lease(&ranges, &id("zti-server", "/b"), &[], free).unwrap();
        assert_eq!(b, Lease { front: 8098, a: 8296, b: 8297 });
        leases.lease(&ranges, &id("zti-server", "/c"), &[], free).unwrap();
        let d = leases.lease(&ranges, &id("zti-server", "/d"), &[], free).unwrap();
        assert_eq!(d, Lease { front: 8000, a: 8100, b: 8101 });
    }

    #[test]
    fn a_port_in_use_moves_a_new_server_on_whichever_of_the_three_it_is() {
        for busy in [8075, 8250, 8251] {
            let mut leases = Leases::default();
            let ports = leases.lease(&Ranges::default(), &id("my-api-server", "/p"), &[], |port| port != busy).unwrap();
            assert_eq!(ports, Lease { front: 8076, a: 8252, b: 8253 }, "{busy}");
        }
    }

    #[test]
    fn the_front_stays_and_says_so_when_its_port_is_taken() {
        let mut leases = Leases::default();
        let server = id("my-api-server", "/p");
        leases.lease(&Ranges::default(), &server, &[], free).unwrap();
        let error = leases.lease(&Ranges::default(), &server, &[], |port| port != 8075).unwrap_err();
        assert_eq!(error, PortError::FrontBusy { server: "my-api-server".into(), port: 8075 });
    }

    #[test]
    fn twins_move_behind_a_front_that_stays() {
        let mut leases = Leases::default();
        let server = id("my-api-server", "/p");
        leases.lease(&Ranges::default(), &server, &[], free).unwrap();
        let moved = leases.lease(&Ranges::default(), &server, &[], |port| port != 8251).unwrap();
        assert_eq!(moved, Lease { front: 8075, a: 8252, b: 8253 });
        assert_eq!(leases.held_by(&server), Some(moved));
        // The twin ports that were left are free for others, the front's is not.
        let other = leases.lease(&Ranges::default(), &id("my-api-server", "/q"), &[], free).unwrap();
        assert_eq!(other, Lease { front: 8077, a: 8254, b: 8255 });
    }

    #[test]
    fn own_twins_are_not_in_use() {
        let mut leases = Leases::default();
        let server = id("my-api-server", "/p");
        let ports = leases.lease(&Ranges::default(), &server, &[], free).unwrap();
        let again = leases.lease(&Ranges::default(), &server, &[ports.b], |port| port != ports.b).unwrap();
        assert_eq!(again, ports);
    }

    #[test]
    fn a_hundred_taken_is_an_error_that_says_what_to_do() {
        let mut leases = Leases::default();
        let ranges = Ranges::default();
        for n in 0..100 {
            leases.lease(&ranges, &id(&format!("s{n}"), "/p"), &[], free).unwrap();
        }
        let error = leases.lease(&ranges, &id("one-more", "/p"), &[], free).unwrap_err();
        assert_eq!(error, PortError::Full { server: "one-more".into(), leased: 100, front: 8000, twins: 8100 });
        assert!(error.to_string().contains("set other `ports` ranges"), "{error}");
        assert!(leases.spare(&ranges, &id("s0", "/p"), free).is_err());
        assert!(leases.release(&id("s5", "/p")).unwrap());
        assert!(!leases.release(&id("s5", "/p")).unwrap());
        assert!(leases.lease(&ranges, &id("one-more", "/p"), &[], free).is_ok());
        let other = Ranges::new(9000, 9100).unwrap();
        assert!(leases.lease(&other, &id("elsewhere", "/p"), &[], free).is_ok());
    }

    #[test]
    fn a_spare_port_is_in_no_lease() {
        let mut leases = Leases::default();
        let ranges = Ranges::default();
        let server = id("my-api-server", "/p");
        let ports = leases.lease(&ranges, &server, &[], free).unwrap();
        assert_eq!(leases.spare(&ranges, &server, free).unwrap(), ports.b + 1);
        assert_eq!(leases.spare(&ranges, &server, |port| port != ports.b + 1).unwrap(), ports.b + 2);
    }

    #[test]
    fn unknown_fields_are_tolerated_and_a_newer_version_is_read_only() {
        let text = r#"{"version":2,"colour":"red","leases":[
            {"server":{"name":"x","root":"/p","more":1},"ports":{"front":8001,"a":8102,"b":8103,"c":8104},"since":3}]}"#;
        let mut leases: Leases = serde_json::from_str(text).unwrap();
        let held = Lease { front: 8001, a: 8102, b: 8103 };
        assert_eq!(leases.lease(&Ranges::default(), &id("x", "/p"), &[], free).unwrap(), held);
        assert_eq!(leases.lease(&Ranges::default(), &id("y", "/p"), &[], free), Err(PortError::Newer { found: 2 }));
        assert_eq!(leases.release(&id("x", "/p")), Err(PortError::Newer { found: 2 }));
    }

    proptest! {
        #[test]
        fn no_two_servers_ever_share_a_port(
            steps in prop::collection::vec((0_u8..30, 0_u8..3, any::<u8>(), 0_u8..3, any::<bool>()), 1..120),
        ) {
            let mut leases = Leases::default();
            for (name, root, busy, range, release) in steps {
                let server = id(&format!("s{name}"), &format!("/r{root}"));
                let ranges = Ranges::new(8000 + 50 * u16::from(range), 8300 + 150 * u16::from(range)).unwrap();
                if release {
                    leases.release(&server).unwrap();
                } else {
                    // A different eighth of all ports is in use each time.
                    let _ = leases.lease(&ranges, &server, &[], |port| port % 8 != u16::from(busy) % 8);
                }
                let all: Vec<u16> = leases.iter().flat_map(|(_, ports)| ports.ports()).collect();
                prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
            }
        }
    }
}
