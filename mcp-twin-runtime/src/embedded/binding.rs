//! What the bindings to other languages have in common: orders, questions, answers, events and errors as texts of JSON, and the
//! one thread on which a process waits for what takes time.
//!
//! A binding adds the manners of its language and nothing else: the words, the codes and the shapes are the same in each.

mod executor;
mod machine;
mod order;
mod told;
mod trouble;

pub use executor::{blocking, spawn, spawn_answered};
pub use machine::{Starts, ask_other, detected, history, running, script_path, starts};
pub use order::{FrontKind, FrontOrder, state_home};
pub use told::{answer, asked, event, outcome, text};
pub use trouble::Trouble;

use super::{ClientReceiver, ClientSender, Front};

/// A front that has begun.
#[derive(Debug)]
pub struct Begun {
    /// The front.
    pub front: Front,
    /// Where clients reach it, if it has an address.
    pub url: Option<String>,
    /// Both directions of its client, if that is in this process.
    pub client: Option<(ClientSender, ClientReceiver)>,
}

/// Makes the front that a text of JSON orders (see [`FrontOrder`]).
///
/// # Errors
/// The order cannot be understood, or the front cannot begin. A server that cannot start is no such reason: see
/// [`Front::first`].
pub async fn begin(order: &str) -> Result<Begun, Trouble> {
    let order = FrontOrder::read(order)?;
    let embedding = order.embedding();
    Ok(match order.kind() {
        FrontKind::Client => {
            let (front, pipe) = super::stdio(order.run()?, embedding).await?;
            Begun { front, url: None, client: Some(pipe.split()) }
        }
        FrontKind::Stdio | FrontKind::Http => {
            let (front, url) = super::http(order.serve()?, embedding).await?;
            Begun { front, url: Some(url), client: None }
        }
    })
}
