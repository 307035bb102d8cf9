//! What ties a session to a twin.

use crate::http::posts::Posts;

/// A session at a twin.
#[derive(Debug)]
pub(super) enum Link {
    /// Requests over HTTP.
    Posts(Box<Posts>),
    /// A process of its own, by our number; it runs if it is among the pipes, else it is being started.
    Process(u64),
}

impl Link {
    pub(super) fn posts(&self) -> Option<&Posts> {
        if let Self::Posts(posts) = self { Some(posts) } else { None }
    }

    pub(super) fn posts_mut(&mut self) -> Option<&mut Posts> {
        if let Self::Posts(posts) = self { Some(posts) } else { None }
    }

    pub(super) fn process(&self) -> Option<u64> {
        if let Self::Process(number) = self { Some(*number) } else { None }
    }
}
