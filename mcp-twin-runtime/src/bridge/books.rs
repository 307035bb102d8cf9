//! The requests of the client that are owed an answer: each gets exactly one.

use std::collections::HashMap;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// So many requests may be open; each holds a connection.
pub const OPEN: usize = 256;

/// One open request, told apart from an earlier or later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    key: String,
    number: u64,
}

/// What an open request is.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its id, as the client wrote it.
    pub id: String,
    /// Its method.
    pub method: String,
    /// Whether it is of the modern era: the end of its POST cancels it there.
    pub modern: bool,
    /// Its line.
    pub line: hyper::body::Bytes,
}

#[derive(Debug)]
struct Entry {
    asked: Asked,
    number: u64,
    /// What waits for its answer.
    task: Option<AbortHandle>,
    /// Hears that it has gone out.
    sent: Option<oneshot::Receiver<()>>,
    /// The client wants no answer any more; one that comes all the same is passed on.
    cancelled: bool,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Its id is that of another open request.
    InUse,
    /// Too many are open, in number or bytes.
    TooMany,
}

/// What is to be done about a cancellation.
#[derive(Debug)]
pub enum Cancelled {
    /// Nothing: there is no such request, or its POST was closed, which says it all.
    Done,
    /// The server is to be told of this request's, once it has gone out.
    Tell(Ticket, Option<oneshot::Receiver<()>>),
}

/// All open requests.
#[derive(Debug, Default)]
pub struct Books {
    open: HashMap<String, Entry>,
    bytes: usize,
    last: u64,
}

impl Books {
    /// Takes up a request. Beside others that are open it may be no larger than what is left of `max_bytes`.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn open(&mut self, asked: Asked, max_bytes: usize) -> Result<Ticket, NotTaken> {
        let key = key(&asked.id);
        if self.open.contains_key(&key) {
            return Err(NotTaken::InUse);
        }
        let bytes = self.bytes + asked.line.len();
        if self.open.len() >= OPEN || !self.open.is_empty() && bytes > max_bytes {
            return Err(NotTaken::TooMany);
        }
        self.bytes = bytes;
        self.last += 1;
        let number = self.last;
        self.open.insert(key.clone(), Entry { asked, number, task: None, sent: None, cancelled: false });
        Ok(Ticket { key, number })
    }

    /// What waits for its answer, and what hears that it has gone out.
    pub fn attach(&mut self, ticket: &Ticket, task: AbortHandle, sent: oneshot::Receiver<()>) {
        if let Some(entry) = self.open.get_mut(&ticket.key).filter(|entry| entry.number == ticket.number) {
            (entry.task, entry.sent) = (Some(task), Some(sent));
        }
    }

    /// Whether a request with this id, as written, is open.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.open.contains_key(&key(id))
    }

    /// Whether the request still wants its answer.
    #[must_use]
    pub fn wants(&self, ticket: &Ticket) -> bool {
        self.open.get(&ticket.key).is_some_and(|entry| entry.number == ticket.number && !entry.cancelled)
    }

    /// An answer to this id came: the request that it closes.
    pub fn answered(&mut self, id: &str) -> Option<Asked> {
        let entry = self.open.remove(&key(id))?;
        self.bytes -= entry.asked.line.len();
        Some(entry.asked)
    }

    /// No answer will come: the request, if it is still owed one.
    pub fn given_up(&mut self, ticket: &Ticket) -> Option<Asked> {
        let entry = self.open.get(&ticket.key).filter(|entry| entry.number == ticket.number)?;
        let cancelled = entry.cancelled;
        self.answered(&ticket.key).filter(|_| !cancelled)
    }

    /// The client wants no answer any more.
    pub fn cancel(&mut self, id: &str) -> Cancelled {
        let key = key(id);
        let Some(entry) = self.open.get_mut(&key) else { return Cancelled::Done };
        if !entry.asked.modern {
            entry.cancelled = true;
            return Cancelled::Tell(Ticket { key, number: entry.number }, entry.sent.take());
        }
        if let Some(task) = &entry.task {
            task.abort();
        }
        self.answered(&key);
        Cancelled::Done
    }

    /// A request that the client cancelled is not waited for any longer.
    pub fn forget(&mut self, ticket: &Ticket) {
        let Some(entry) = self.open.get(&ticket.key).filter(|entry| entry.number == ticket.number) else { return };
        if let Some(task) = &entry.task {
            task.abort();
        }
        self.answered(&ticket.key);
    }

    /// How many are owed an answer, when the client asks no more: not those that listen until somebody ends them.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.open.values().filter(|entry| !entry.cancelled && entry.asked.method != "subscriptions/listen").count()
    }

    /// Ends all that waits; gives back what is still owed.
    pub fn close(&mut self) -> Vec<Ticket> {
        for entry in self.open.values() {
            if let Some(task) = &entry.task {
                task.abort();
            }
        }
        let owed = |entry: &&Entry| !entry.cancelled && entry.asked.method != "subscriptions/listen";
        self.open
            .values()
            .filter(owed)
            .map(|entry| Ticket { key: key(&entry.asked.id), number: entry.number })
            .collect()
    }
}

/// What ids are compared by: `"a\u0062"` is `"ab"`, and `1` is not `"1"`.
fn key(id: &str) -> String {
    let plain = || serde_json::to_string(&serde_json::from_str::<String>(id).ok()?).ok();
    if id.contains('\\') { plain().unwrap_or_else(|| id.to_owned()) } else { id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: &str, modern: bool, bytes: usize) -> Asked {
        let line = vec![b'x'; bytes].into();
        Asked { id: id.to_owned(), method: "tools/call".to_owned(), modern, line }
    }

    #[test]
    fn each_request_is_closed_once() {
        let mut books = Books::default();
        let first = books.open(asked(r#""a\u0062""#, false, 1), 10).unwrap();
        assert_eq!(books.open(asked("\"ab\"", false, 1), 10), Err(NotTaken::InUse));
        assert_eq!(books.answered("\"ab\"").unwrap().id, r#""a\u0062""#);
        assert!(books.answered("\"ab\"").is_none() && books.given_up(&first).is_none());
        let second = books.open(asked("\"ab\"", false, 1), 10).unwrap();
        assert!(books.given_up(&first).is_none(), "the ticket is of an earlier request");
        assert!(books.wants(&second) && !books.wants(&first));
        assert!(books.given_up(&second).is_some());
        assert_eq!((books.owed(), books.bytes), (0, 0));
    }

    #[test]
    fn what_was_cancelled_is_owed_nothing() {
        let mut books = Books::default();
        let (legacy, modern) =
            (books.open(asked("1", false, 1), 10).unwrap(), books.open(asked("\"1\"", true, 1), 10).unwrap());
        assert!(matches!(books.cancel("1"), Cancelled::Tell(..)) && matches!(books.cancel("\"1\""), Cancelled::Done));
        assert!(matches!(books.cancel("7"), Cancelled::Done));
        assert_eq!((books.owed(), books.has("1"), books.has("\"1\"")), (0, true, false));
        assert!(books.given_up(&legacy).is_none() && books.given_up(&modern).is_none());
        assert!(!books.has("1"));
        let ticket = books.open(asked("1", false, 1), 10).unwrap();
        books.forget(&legacy);
        assert!(books.has("1"), "the ticket is of an earlier request");
        books.forget(&ticket);
        assert!(!books.has("1"));
    }

    #[test]
    fn open_requests_are_bounded_in_number_and_bytes() {
        let mut books = Books::default();
        assert!(books.open(asked("0", false, 100), 10).is_ok(), "one alone may be as large as a message");
        assert_eq!(books.open(asked("1", false, 1), 10), Err(NotTaken::TooMany));
        assert!(books.answered("0").is_some());
        for id in 0..OPEN {
            assert!(books.open(asked(&id.to_string(), false, 0), 10).is_ok());
        }
        assert_eq!(books.open(asked("x", false, 0), 10), Err(NotTaken::TooMany));
        assert_eq!(books.close().len(), OPEN);
    }
}
