//! What of a server's life is told to people who do not sit before it: by webhooks, in Slack and Discord, on the desktop.
//!
//! Pure: a [`Notice`](crate::swap::Notice) of the machine comes in, a bounded [`Message`] and its form for each kind of
//! [`Target`] come out, with the signature of the bytes and the times of the next tries. Who sends them, and what the secrets
//! are, is the host's.

mod address;
mod event;
mod message;
mod payload;
mod retry;
mod sign;
mod target;

pub use address::{Address, AddressError, host_of};
pub use event::Event;
pub use message::{Message, Reason, Sender};
pub use payload::{SCHEMA, payload};
pub use retry::{Answered, MOST_TRIES, Next, next};
pub use sign::{SIGNATURE_HEADER, signature};
pub use target::{Given, Kind, Target};

#[cfg(test)]
mod tests;
