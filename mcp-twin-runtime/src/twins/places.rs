//! Which ports the twins of a server get.

use super::{TwinsOrder, no_port};
use crate::ports::{self, Claim, claim, ephemeral, is_free, nobody_listens};
use mcp_twin_core::port::{Lease, Leases, PortError};
use mcp_twin_core::{Code, Fault, Slot};
use std::cell::RefCell;

/// The lease of the server. Where it cannot be written down it holds for this front's life.
pub(super) fn lease(order: &TwinsOrder, own: &[u16]) -> Result<Lease, PortError> {
    let display = order.display.as_deref().unwrap_or(order.server.name.as_str());
    let decide = |leases: &mut Leases| {
        let mut own = own.to_vec();
        // A bound front does not listen there: whoever does is not in its way.
        own.extend(leases.held_by(&order.server).filter(|_| order.bound).map(|lease| lease.front));
        leases.lease_as(display, &order.ranges, &order.server, &own, nobody_listens)
    };
    match ports::change(&order.home, decide) {
        Ok(lease) => lease,
        Err(error) => {
            order.listener.note(&format!("the ports are not written down, so they may be others next time: {error}"));
            decide(&mut ports::load(&order.home).unwrap_or_default())
        }
    }
}

/// A port for a new twin: its slot's, else the other slot's, else one to spare; none that a live twin has (I10).
///
/// A leased port is taken where nobody listens, for people know it: practically every server asks for the reuse of
/// addresses, and can listen where only the connections of an earlier one are remembered. (Those of one that did not ask
/// count as if somebody listened, on Linux.) Among spare ports, which nobody knows, those without a memory come first.
pub(super) fn choose(order: &TwinsOrder, lease: Lease, slot: Slot, taken: &[u16]) -> Result<(u16, Claim), Fault> {
    // The claim comes first: what is seen behind it stays so.
    let claimed = |port: u16, free: fn(u16) -> bool| {
        let claim = (!taken.contains(&port)).then(|| claim(port)).flatten()?;
        free(port).then_some(claim)
    };
    let leased = match slot {
        Slot::A => [Some(lease.a), Some(lease.b)],
        Slot::B => [Some(lease.b), Some(lease.a)],
        Slot::Extra => [None, None],
    };
    if let Some(found) = leased.into_iter().flatten().find_map(|port| Some((port, claimed(port, nobody_listens)?))) {
        return Ok(found);
    }
    let leases: Leases = ports::load(&order.home).unwrap_or_default();
    let found = RefCell::new(None);
    // Not one of our own leased ports either, where the lease could not be written down.
    let spare = |port: u16, free: fn(u16) -> bool| {
        let own = [lease.front, lease.a, lease.b].contains(&port);
        *found.borrow_mut() = (!own).then(|| claimed(port, free)).flatten();
        found.borrow().is_some()
    };
    let port = leases
        .spare(&order.ranges, &order.server, |port| spare(port, is_free))
        .or_else(|_| leases.spare(&order.ranges, &order.server, |port| spare(port, nobody_listens)))
        .or_else(|error| ephemeral().filter(|port| spare(*port, is_free)).ok_or(error))
        .map_err(|error| no_port(&error))?;
    let claim = found.take().ok_or_else(|| Fault::new(Code::SpawnFailed, "there is no port for the new twin"))?;
    Ok((port, claim))
}
