//! The front over HTTP: one endpoint for any number of clients, with the twins behind it.
//!
//! Owns the listener, the clients' streams and the requests to twins. What a session is owed is the relay's to know
//! (`mcp_twin_core::relay`): there is one for each session of the legacy era, and one for all requests of the modern era.

mod agree;
mod book;
pub(crate) mod caller;
mod door;
mod endpoint;
pub(crate) mod exchange;
pub(crate) mod headers;
mod hub;
mod listener;
pub(crate) mod params;
mod pass;
mod posts;
mod stream;

pub use book::Book;
pub use door::{Door, DoorError};
pub use hub::{Behind, Hub, HubOptions, SameCode, TwinPorts, TwinProcesses};
pub use listener::{ListenOptions, Listener};
