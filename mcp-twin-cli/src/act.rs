//! The commands that change something: `reload`, `swap`, `rollback`, `stop`.

use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::outcome::{self, Verb};
use crate::render::style::{DIM, NAME, paint};
use crate::render::{fault, outcome::exit};
use crate::screen::{Screen, Waiting};
use crate::target::{self, Wanted};
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_core::ids::Generation;
use mcp_twin_core::swap::Outcome;
use mcp_twin_runtime::fronts::{self, AskError, FrontAddress};
use mcp_twin_runtime::home::Home;
use std::collections::BTreeSet;
use std::time::Duration;

/// The front bounds every operation itself; this is only for a front that forgets us.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// `mcp-twin reload`
pub(crate) fn reload(home: &Home, server: Option<&str>, json: bool) -> Result<Exit, Failure> {
    act(home, Verb::Reload, Wanted::one(server), &Ask::Reload, json)
}

/// `mcp-twin swap`
pub(crate) fn swap(home: &Home, server: Option<&str>, force: bool, json: bool) -> Result<Exit, Failure> {
    act(home, Verb::Swap, Wanted::one(server), &Ask::Swap { force }, json)
}

/// `mcp-twin rollback`
pub(crate) fn rollback(home: &Home, server: Option<&str>, to: Option<u32>, json: bool) -> Result<Exit, Failure> {
    act(home, Verb::Rollback, Wanted::one(server), &Ask::Rollback { to: to.map(Generation) }, json)
}

/// `mcp-twin stop`
pub(crate) fn stop(home: &Home, server: Option<&str>, all: bool, json: bool) -> Result<Exit, Failure> {
    act(home, Verb::Stop, if all { Wanted::All } else { Wanted::one(server) }, &Ask::Stop, json)
}

fn act(home: &Home, verb: Verb, wanted: Wanted<'_>, ask: &Ask, json: bool) -> Result<Exit, Failure> {
    let fronts = target::pick(&fronts::running(home), &target::known(home), wanted, verb.word())?;
    let servers: BTreeSet<&str> = fronts.iter().map(|front| front.server.as_str()).collect();
    let servers = servers.into_iter().collect::<Vec<_>>().join(", ");
    let mut waiting = Waiting::begin(format!("{} of {servers}", verb.word()));
    let replies = ask_all(&fronts, ask, PATIENCE, |front, reply| {
        waiting = None;
        if !json {
            let twice = fronts.iter().filter(|other| other.server == front.server).count() > 1;
            let which =
                if twice { format!("{}\n", paint(DIM, &format!("Front PID {}:", front.pid))) } else { String::new() };
            Screen::print(&(which + &block(verb, front, reply).0));
        }
    });
    let worst =
        fronts.iter().zip(&replies).map(|(front, reply)| block(verb, front, reply).1).max().unwrap_or(Exit::NoFront);
    if json {
        let results = fronts.iter().zip(&replies).map(|(front, reply)| entry(verb, front, reply)).collect();
        Screen::json(&document::Acts { command: verb.word(), exit: worst.status(), results });
    }
    Ok(worst)
}

/// Asks every front at once; `tell` sees the replies in the order of `fronts`, each as soon as those before it are there.
pub(crate) fn ask_all(
    fronts: &[FrontAddress],
    ask: &Ask,
    patience: Duration,
    mut tell: impl FnMut(&FrontAddress, &Result<Answer, AskError>),
) -> Vec<Result<Answer, AskError>> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = fronts.iter().map(|front| scope.spawn(move || fronts::ask(front, ask, patience))).collect();
        let replies = fronts.iter().zip(asked).map(|(front, asked)| {
            let reply = asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            tell(front, &reply);
            reply
        });
        replies.collect()
    })
}

/// What to do about a front that did not answer.
pub(crate) fn unanswered(error: &AskError) -> Fault {
    let help = match error {
        AskError::Hung { pid } => format!(
            "see whether process {pid} is stopped (`kill -CONT {pid}` wakes it) or overloaded; nothing was begun: ask again once it answers"
        ),
        AskError::Gone => "its client has left; `mcp-twin status` shows what still runs".to_owned(),
        AskError::Unfinished { .. } => "it goes on with it; `mcp-twin status` shows how far it is".to_owned(),
        AskError::Unreachable { .. } => {
            "its socket must be open to this user; `mcp-twin logs` shows what it wrote".to_owned()
        }
        _ => "it may be of another release: reconnect the server in the client, so that both are of one".to_owned(),
    };
    Fault::new(Code::Host, error.to_string()).with_help(help)
}

/// The text and the exit status of one front's reply.
fn block(verb: Verb, front: &FrontAddress, reply: &Result<Answer, AskError>) -> (String, Exit) {
    let failed = |fault: &Fault| {
        fault::heading(&format!("{}: {} failed", paint(NAME, &front.server), verb.word()))
            + &fault::fault(fault, &front.server)
    };
    match reply {
        Ok(Answer::Outcome(told)) => (outcome::outcome(verb, &front.server, front.serves(), told), exit(verb, told)),
        Ok(Answer::Error(fault)) => (failed(fault), Exit::Broken),
        Ok(_) => (failed(&unanswered(&out_of_turn())), Exit::NoFront),
        Err(error) => (failed(&unanswered(error)), Exit::NoFront),
    }
}

/// The document of one front's reply.
fn entry<'a>(verb: Verb, front: &'a FrontAddress, reply: &'a Result<Answer, AskError>) -> document::Act<'a> {
    let silent = |error: &AskError| document::Act::silent(front, unanswered(error), Exit::NoFront.status());
    match reply {
        Ok(Answer::Outcome(told)) => document::Act::outcome(front, told, exit(verb, told).status()),
        Ok(Answer::Error(fault)) => document::Act::fault(front, fault, Exit::Broken.status()),
        Ok(_) => silent(&out_of_turn()),
        Err(error) => silent(error),
    }
}

pub(crate) fn out_of_turn() -> AskError {
    AskError::Unknown("an answer to another question".to_owned())
}

/// What `demo` does over the socket.
pub(crate) fn rollback_quietly(home: &Home) -> Result<Outcome, Fault> {
    let front = fronts::running(home).into_iter().next().ok_or_else(|| Fault::new(Code::Host, "the front is gone"))?;
    match fronts::ask(&front, &Ask::Rollback { to: None }, PATIENCE) {
        Ok(Answer::Outcome(outcome)) => Ok(outcome),
        Ok(Answer::Error(fault)) => Err(fault),
        Ok(_) => Err(unanswered(&out_of_turn())),
        Err(error) => Err(unanswered(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn fronts_that_do_not_answer() {
        let front = fixture::front();
        let replies = [
            Err(AskError::Hung { pid: 12000 }),
            Err(AskError::Gone),
            Err(AskError::Unfinished { pid: 12000, waited: PATIENCE }),
            Err(AskError::Unreachable { pid: 12000, source: std::io::ErrorKind::PermissionDenied.into() }),
            Err(AskError::Unknown("{\"v\":9}".to_owned())),
            Ok(Answer::Accepted),
            Ok(Answer::Error(Fault::new(Code::Busy, "more commands wait than the front holds"))),
        ];
        let texts = replies.iter().map(|reply| {
            let (text, exit) = block(Verb::Swap, &front, reply);
            assert_eq!(entry(Verb::Swap, &front, reply).exit, exit.status());
            format!("{}exit {}\n", anstream::adapter::strip_str(&text), exit.status())
        });
        insta::assert_snapshot!(texts.collect::<String>());
    }

    #[test]
    fn every_front_is_asked_and_told_in_order() {
        let gone = |id: &str| FrontAddress { front: id.to_owned(), socket: "/nowhere".into(), ..fixture::front() };
        let fronts = ["a", "b", "c"].map(gone);
        let mut told = Vec::new();
        let replies = ask_all(&fronts, &Ask::Reload, Duration::from_secs(1), |front, _| told.push(front.front.clone()));
        assert_eq!((told.as_slice(), replies.len()), (["a", "b", "c"].map(str::to_owned).as_slice(), 3));
        assert!(replies.iter().all(Result::is_err));
    }
}
