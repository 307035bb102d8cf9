//! Requests that flow while the server is swapped, each counted once.

use super::report::{Counted, ms};
use mcp_twin_runtime::session::{Era, Lists, RequestError, Session};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// So many requests are open at once.
const WORKERS: usize = 4;
/// From an answer to the next request of the same worker: a client that thinks a moment.
const THINKS: Duration = Duration::from_millis(2);
/// So many failures are told in words.
const TOLD: usize = 5;

/// A request that can be sent again and again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// Whether it is there: `ping`, in the modern era `server/discover`.
    Alive,
    /// A list, with all of its pages.
    List(Lists),
    /// A call, with its arguments.
    Call(String, Value),
}

/// The load, as long as it is not ended.
pub(crate) struct Load {
    books: Arc<Mutex<Books>>,
    stop: watch::Sender<bool>,
    answered: watch::Receiver<u64>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Books {
    sent: u64,
    lost: u64,
    failed: u64,
    longest: Duration,
    told: Vec<String>,
    stderr: String,
}

/// What came of the load.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What was counted.
    pub(crate) counted: Counted,
    /// What went wrong, in words.
    pub(crate) problems: Vec<String>,
    /// What the server said to it.
    pub(crate) stderr: String,
}

impl Load {
    /// Begins; `requests` is not empty, and each of them was answered well before.
    pub(crate) fn begin(session: &Session, requests: &[Request], limit: Duration) -> Self {
        let books = Arc::new(Mutex::new(Books::default()));
        let (stop, stopped) = watch::channel(false);
        let (counter, answered) = watch::channel(0);
        let counter = Arc::new(counter);
        let workers = (0..WORKERS).map(|at| {
            // Each begins elsewhere, so that all kinds are open at any moment.
            let mut mine = requests.to_vec();
            mine.rotate_left(at % requests.len().max(1));
            let worker = Worker {
                session: session.clone(),
                requests: mine,
                limit,
                books: Arc::clone(&books),
                answered: Arc::clone(&counter),
            };
            tokio::spawn(worker.work(stopped.clone()))
        });
        let workers = workers.collect();
        Self { books, stop, answered, workers }
    }

    /// Returns when so many more were answered, or after `limit`.
    pub(crate) async fn goes_on(&mut self, more: u64, limit: Duration) {
        let wanted = *self.answered.borrow() + more;
        let _ = timeout(limit, self.answered.wait_for(|answered| *answered >= wanted)).await;
    }

    /// Ends it; what is open is waited for.
    pub(crate) async fn end(self, swaps: u32) -> Ended {
        self.stop.send_replace(true);
        for worker in self.workers {
            // Each has its own limit for what it waits for.
            let _ = worker.await;
        }
        let mut books = lock(&self.books);
        let counted = Counted {
            swaps,
            requests: books.sent,
            lost: books.lost,
            failed: books.failed,
            longest_ms: ms(books.longest),
        };
        Ended { counted, problems: std::mem::take(&mut books.told), stderr: std::mem::take(&mut books.stderr) }
    }
}

struct Worker {
    session: Session,
    requests: Vec<Request>,
    limit: Duration,
    books: Arc<Mutex<Books>>,
    answered: Arc<watch::Sender<u64>>,
}

impl Worker {
    async fn work(self, mut stopped: watch::Receiver<bool>) {
        for request in self.requests.iter().cycle() {
            if *stopped.borrow() {
                return;
            }
            lock(&self.books).sent += 1;
            let begun = Instant::now();
            let answer = request.send(&self.session, self.limit).await;
            let over = matches!(answer, Err(RequestError::Closed));
            self.count(request, answer, begun.elapsed());
            self.answered.send_modify(|answered| *answered += 1);
            if over || timeout(THINKS, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
        }
    }

    fn count(&self, request: &Request, answer: Result<(), RequestError>, took: Duration) {
        let mut books = lock(&self.books);
        books.longest = books.longest.max(took);
        let Err(error) = answer else { return };
        match error {
            RequestError::Late(_) | RequestError::Closed => books.lost += 1,
            _ => books.failed += 1,
        }
        if books.told.len() < TOLD {
            books.told.push(format!("{}: {error}", request.words(self.session.era())));
        }
        if books.stderr.is_empty() {
            error.stderr().clone_into(&mut books.stderr);
        }
    }
}

impl Request {
    /// Sends it once; a result that says `isError` is an error.
    pub(crate) async fn send(&self, session: &Session, limit: Duration) -> Result<(), RequestError> {
        match self {
            Self::Alive => session.request(alive(session.era()), json!({}), limit).await.map(drop),
            Self::List(list) => session.list(*list, limit).await.map(drop),
            Self::Call(tool, arguments) => {
                let result = session.call(tool, arguments, limit).await?;
                good(&result).map_err(RequestError::Malformed)
            }
        }
    }

    fn words(&self, era: Era) -> String {
        match self {
            Self::Alive => alive(era).to_owned(),
            Self::List(list) => list.method().to_owned(),
            Self::Call(tool, _) => format!("tools/call {tool}"),
        }
    }
}

/// What asks a server whether it is there: the modern era has no `ping`.
fn alive(era: Era) -> &'static str {
    match era {
        Era::Legacy => "ping",
        Era::Modern => "server/discover",
    }
}

/// Whether the result of a call is one that a tool means to give.
pub(crate) fn good(result: &Value) -> Result<(), String> {
    if result["isError"] == true {
        let text = crate::render::content::text(result);
        return Err(format!(
            "the tool failed: {}",
            if text.is_empty() { "it does not say why" } else { text.trim_end() }
        ));
    }
    if result["resultType"] == "input_required" {
        return Err("the tool asks for more input, which nobody gives here".to_owned());
    }
    Ok(())
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_is_an_error_is_not_good() {
        assert_eq!(good(&json!({"content": []})), Ok(()));
        let failed = good(&json!({"isError": true, "content": [{"type": "text", "text": "no database"}]}));
        assert_eq!(failed, Err("the tool failed: no database".to_owned()));
        assert!(good(&json!({"resultType": "input_required"})).is_err());
        assert!(good(&json!({"isError": true})).unwrap_err().ends_with("it does not say why"));
    }
}
