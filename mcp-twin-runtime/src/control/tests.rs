use super::*;
use crate::fronts::seat::tests::{home, seat};
use crate::fronts::{self, AskError, FrontAddress};
use mcp_twin_core::Generation;
use mcp_twin_core::swap::Outcome;
use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const LONG: Duration = Duration::from_secs(60);

/// Asks on another thread, so that the runtime's thread is free to answer.
async fn ask(address: &FrontAddress, ask: Ask) -> Result<Answer, AskError> {
    let address = address.clone();
    tokio::task::spawn_blocking(move || fronts::ask(&address, &ask, LONG)).await.unwrap()
}

fn outcome(by: u32) -> Answer {
    Answer::Outcome(Outcome::Superseded { by: Generation(by) })
}

/// A raw connection: sends lines, reads lines.
struct Raw(BufReader<Stream>);

impl Raw {
    async fn to(address: &FrontAddress) -> Self {
        use interprocess::local_socket::traits::tokio::Stream as _;
        let name = address.socket.as_path().to_fs_name::<GenericFilePath>().unwrap();
        Self(BufReader::new(Stream::connect(name).await.unwrap()))
    }
    async fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }
    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }
}

#[tokio::test]
async fn commands_are_answered_and_the_front_is_listed() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let server = Server::bind(&seat).unwrap();
    assert_eq!(fronts::running(&home), [seat.address().clone()]);
    let served = tokio::spawn(server.serve(async |ask: Ask| match ask {
        Ask::Rollback { to: Some(to) } => outcome(to.0),
        Ask::Swap { force: true } => outcome(0),
        other => Answer::Error(Fault::new(Code::NoPrevious, format!("{other:?}"))),
    }));
    let address = seat.address();
    let to = Some(Generation(7));
    assert_eq!(ask(address, Ask::Rollback { to }).await.unwrap(), outcome(7));
    assert_eq!(ask(address, Ask::Swap { force: true }).await.unwrap(), outcome(0));
    let Answer::Error(fault) = ask(address, Ask::Status).await.unwrap() else { panic!("no error") };
    assert_eq!((fault.code, fault.message.as_str()), (Code::NoPrevious, "Status"));
    served.abort();
    assert!(served.await.unwrap_err().is_cancelled());
    assert!(matches!(ask(address, Ask::Status).await, Err(AskError::Gone)));
}

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_for_its_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let _server = Server::bind(&seat).unwrap();
    let mode = std::fs::metadata(&seat.address().socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_handler_that_is_bound_to_its_thread_will_do() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let server = Server::bind(&seat).unwrap();
    let count = Rc::new(RefCell::new(0));
    let counted = Rc::clone(&count);
    let local = LocalSet::new();
    local.spawn_local(server.serve(move |_| {
        *counted.borrow_mut() += 1;
        async { outcome(1) }
    }));
    let address = seat.address();
    local.run_until(async { assert_eq!(ask(address, Ask::Stop).await.unwrap(), outcome(1)) }).await;
    assert_eq!(*count.borrow(), 1);
}

#[tokio::test]
async fn accepted_comes_before_a_slow_outcome_and_not_before_a_status() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let (finish, finished) = tokio::sync::watch::channel(false);
    tokio::spawn(Server::bind(&seat).unwrap().serve(move |ask| {
        let mut finished = finished.clone();
        async move {
            if ask == Ask::Reload {
                finished.wait_for(|done| *done).await.unwrap();
            }
            outcome(3)
        }
    }));
    let mut slow = Raw::to(seat.address()).await;
    slow.say("{\"v\":1,\"id\":5,\"ask\":\"reload\"}\n").await;
    let accepted = slow.hear().await;
    assert_eq!((&accepted["id"], &accepted["answer"]), (&5.into(), &"accepted".into()));
    // Meanwhile others are answered.
    let mut other = Raw::to(seat.address()).await;
    other.say("{\"v\":1,\"id\":6,\"ask\":\"status\"}\n").await;
    assert!(other.hear().await["answer"]["outcome"].is_object());
    finish.send(true).unwrap();
    assert_eq!(slow.hear().await["id"], 5);
}

#[tokio::test]
async fn what_other_releases_ask_is_understood_or_refused() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    tokio::spawn(Server::bind(&seat).unwrap().serve(async |_| outcome(1)));
    let mut raw = Raw::to(seat.address()).await;
    raw.say("{\"v\":9,\"id\":1,\"ask\":{\"dance\":{\"with\":2}}}\n").await;
    let refused = raw.hear().await;
    let message = refused["answer"]["error"]["message"].as_str().unwrap();
    assert!(message.contains(env!("CARGO_PKG_VERSION")) && message.contains("dance"), "{message}");
    raw.say("not json\n").await;
    assert!(raw.hear().await["answer"]["error"]["message"].as_str().unwrap().contains("cannot be read"));
    raw.say("{\"v\":9,\"id\":2,\"more\":1,\"ask\":{\"status\":{\"verbose\":true}}}\n").await;
    assert!(raw.hear().await["answer"]["outcome"].is_object());
    raw.say("{\"v\":9,\"id\":3,\"ask\":{\"swap\":{\"gently\":true}}}\n").await;
    assert_eq!(raw.hear().await["answer"], "accepted");
}

#[tokio::test]
async fn a_line_without_end_is_refused_and_closed() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    tokio::spawn(Server::bind(&seat).unwrap().serve(async |_| outcome(1)));
    let mut raw = Raw::to(seat.address()).await;
    raw.say(&"x".repeat(65 << 10)).await;
    assert_eq!(raw.hear().await["answer"]["error"]["code"], "twin::message::too_large");
    // What was not read may end the connection as a reset.
    let rest = raw.0.read(&mut [0]).await;
    assert!(matches!(rest, Ok(0) | Err(_)), "{rest:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn more_connections_than_room_wait_their_turn() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    tokio::spawn(Server::bind(&seat).unwrap().serve(async |_| outcome(1)));
    let mut full = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut raw = Raw::to(seat.address()).await;
        raw.say("{\"v\":1,\"id\":1,\"ask\":\"status\"}\n").await;
        assert_eq!(raw.hear().await["id"], 1);
        full.push(raw);
    }
    let mut late = Raw::to(seat.address()).await;
    late.say("{\"v\":1,\"id\":2,\"ask\":\"status\"}\n").await;
    // All that can be read is read by the time an earlier connection has its answer: the late one is not among them.
    full[0].say("{\"v\":1,\"id\":3,\"ask\":\"status\"}\n").await;
    assert_eq!(full[0].hear().await["id"], 3);
    let early = tokio::time::timeout(Duration::from_millis(20), late.hear()).await;
    assert!(early.is_err(), "{early:?}");
    full.pop();
    assert_eq!(late.hear().await["id"], 2);
}

#[tokio::test]
async fn a_command_that_goes_away_does_not_stop_what_it_began() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let (begun, mut begins) = mpsc::unbounded_channel();
    let (go, gone) = tokio::sync::watch::channel(false);
    tokio::spawn(Server::bind(&seat).unwrap().serve(move |_| {
        let (begun, mut gone) = (begun.clone(), gone.clone());
        async move {
            begun.send("begun").unwrap();
            gone.wait_for(|gone| *gone).await.unwrap();
            begun.send("finished").unwrap();
            outcome(1)
        }
    }));
    let mut raw = Raw::to(seat.address()).await;
    raw.say("{\"v\":1,\"id\":1,\"ask\":\"reload\"}\n").await;
    assert_eq!(begins.recv().await, Some("begun"));
    drop(raw);
    go.send(true).unwrap();
    assert_eq!(begins.recv().await, Some("finished"));
}

#[tokio::test]
async fn what_a_command_asked_that_has_gone_is_not_begun() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    // A front that stands still: the system takes connections for it, and it serves none.
    let server = Server::bind(&seat).unwrap();
    for ask in ["\"stop\"", "{\"rollback\":{}}"] {
        let mut raw = Raw::to(seat.address()).await;
        raw.say(&format!("{{\"v\":1,\"id\":1,\"ask\":{ask}}}\n")).await;
    }
    let (asked, mut asks) = mpsc::unbounded_channel();
    tokio::spawn(server.serve(move |ask| {
        asked.send(ask).unwrap();
        async { outcome(1) }
    }));
    // Connections are taken in order, and those before have been read by the time that this one is answered.
    let mut last = Raw::to(seat.address()).await;
    for id in 2..6 {
        last.say(&format!("{{\"v\":1,\"id\":{id},\"ask\":\"reload\"}}\n")).await;
        assert_eq!(last.hear().await["answer"], "accepted");
        assert!(last.hear().await["answer"]["outcome"].is_object());
        assert_eq!(asks.recv().await, Some(Ask::Reload));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_server_in_one_place_is_refused() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    let _first = Server::bind(&seat).unwrap();
    let error = Server::bind(&seat).unwrap_err();
    assert!(error.to_string().contains("control socket"), "{error}");
}

#[tokio::test]
async fn a_handler_that_never_answers_leaves_others_alone() {
    let (_dir, home) = home();
    let seat = seat(&home, "a");
    tokio::spawn(
        Server::bind(&seat)
            .unwrap()
            .serve(|ask| async move { if ask == Ask::Stop { pending().await } else { outcome(1) } }),
    );
    let address = seat.address().clone();
    let stuck = tokio::task::spawn_blocking(move || fronts::ask(&address, &Ask::Stop, Duration::ZERO));
    let error = stuck.await.unwrap().unwrap_err();
    assert!(matches!(error, AskError::Unfinished { .. }), "{error}");
    assert_eq!(ask(seat.address(), Ask::Status).await.unwrap(), outcome(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_front_with_a_long_home_can_be_asked_and_leaves_no_socket() {
    let dir = tempfile::tempdir().unwrap();
    let home = crate::home::Home::at(dir.path().join("h".repeat(100)).join("i".repeat(100)));
    home.ensure().unwrap();
    let seat = seat(&home, "a");
    let socket = seat.address().socket.clone();
    assert!(!socket.starts_with(home.path()), "{socket:?}");
    let served = tokio::spawn(Server::bind(&seat).unwrap().serve(async |_| outcome(1)));
    assert_eq!(fronts::running(&home), [seat.address().clone()]);
    assert_eq!(ask(seat.address(), Ask::Status).await.unwrap(), outcome(1));
    served.abort();
    assert!(served.await.is_err());
    let folder = socket.parent().unwrap().to_owned();
    drop(seat);
    std::fs::remove_dir(folder).unwrap();
}
