use super::*;
use mcp_twin_core::notify::{Address, Given};
use mcp_twin_core::swap::Notice;
use mcp_twin_core::{Code, Fault};
use std::sync::mpsc;
use tokio::sync::mpsc as channel;

/// A desktop of which every message is seen; one that is full takes none.
struct Fake {
    seen: Mutex<mpsc::Sender<(String, String)>>,
    refuses: bool,
}

impl Notifier for Fake {
    fn show(&self, title: &str, text: &str) -> Result<(), String> {
        let _ = self.seen.lock().unwrap().send((title.to_owned(), text.to_owned()));
        if self.refuses { Err("nobody sits here".to_owned()) } else { Ok(()) }
    }
}

fn desktop(events: &[Event]) -> Target {
    Target { kind: Kind::Desktop, address: None, events: events.to_vec(), secret: None, headers: Vec::new() }
}

/// A webhook at an address that refuses for as long as the socket lives: it is taken, and nobody listens.
fn nowhere() -> (Target, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = Some(Address::Url(format!("http://{}/", socket.local_addr().unwrap())));
    (Target { kind: Kind::Webhook, address, ..desktop(&Event::ALL) }, socket)
}

fn down(why: &str) -> Notice {
    Notice::Down { fault: Fault::new(Code::Down, why) }
}

fn swapped(previous: Option<u32>, active: u32) -> Notice {
    Notice::Swapped { previous: previous.map(Generation), active: Generation(active), diff: Default::default() }
}

type Ears = channel::UnboundedReceiver<(String, Heard)>;

fn notices(refuses: bool) -> (Notices, mpsc::Receiver<(String, String)>, Ears) {
    let (seen, see) = mpsc::channel();
    let (said, ears) = channel::unbounded_channel();
    let hear: Hear = Arc::new(move |target, heard| drop(said.send((target.to_string(), heard))));
    let sender = Sender { server: "notes".into(), project: "shop".into(), host: "box".into(), front: "f".into() };
    (Notices::new(sender, hear, Some(Arc::new(Fake { seen: Mutex::new(seen), refuses }))), see, ears)
}

async fn heard(ears: &mut Ears) -> Heard {
    tokio::time::timeout(Duration::from_secs(20), ears.recv()).await.expect("an end of the message").expect("ears").1
}

#[tokio::test]
async fn the_desktop_shows_what_was_chosen_and_nothing_twice() {
    let (notices, see, mut ears) = notices(false);
    notices.aim(&[desktop(&[Event::Down, Event::Swapped])], Variables(vec![("API_KEY".into(), "s3cr3t-value".into())]));
    // The first start is no swap, and a crash was not chosen.
    notices.tell(&swapped(None, 1));
    notices.tell(&Notice::Crashed { generation: Generation(1), fault: Fault::new(Code::Crashed, "it ended") });
    notices.tell(&down("it said s3cr3t-value"));
    notices.tell(&down("it said s3cr3t-value"));
    notices.tell(&swapped(None, 2));
    for _ in 0..2 {
        assert_eq!(heard(&mut ears).await, Heard::Arrived);
    }
    assert_eq!(notices.finish().await, 0);
    let all: Vec<(String, String)> = see.try_iter().collect();
    let expected = [
        ("notes: down", "nothing serves: it said ***\nshop on box"),
        ("notes: swapped", "generation 2 serves\nshop on box"),
    ];
    assert_eq!(all, expected.map(|(title, text)| (title.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn a_desktop_that_refuses_is_told_of_and_not_tried_again() {
    let (notices, see, mut ears) = notices(true);
    notices.aim(&[desktop(&Event::DEFAULT)], Variables::default());
    notices.tell(&down("x"));
    assert_eq!(heard(&mut ears).await, Heard::Lost("nobody sits here".to_owned()));
    notices.finish().await;
    assert_eq!(see.try_iter().count(), 1);
}

#[tokio::test]
async fn without_the_feature_a_desktop_is_warned_of() {
    let warned = !warnings(&[desktop(&Event::ALL)]).is_empty();
    assert_eq!(warned, system_notifier().is_none());
    assert!(warnings(&[nowhere().0]).is_empty());
}

#[tokio::test]
async fn what_nobody_takes_is_bounded_and_the_oldest_goes() {
    let (notices, _see, mut ears) = notices(false);
    let (nowhere, _taken) = nowhere();
    notices.aim(&[nowhere], Variables::default());
    // The task has not run yet: nothing awaits between these.
    for at in 0..40 {
        notices.tell(&down(&format!("try {at}")));
    }
    let mut dropped = 0;
    while let Ok((_, Heard::Dropped)) = ears.try_recv() {
        dropped += 1;
    }
    assert_eq!(dropped, 40 - 32);
}

#[tokio::test]
async fn the_end_waits_for_no_further_try_and_says_what_was_lost() {
    let (notices, _see, mut ears) = notices(false);
    let (nowhere, _taken) = nowhere();
    notices.aim(&[nowhere], Variables::default());
    notices.tell(&down("x"));
    assert_eq!(notices.finish().await, 0, "it was tried once and given up");
    match heard(&mut ears).await {
        Heard::Lost(why) => {
            assert!(why.contains("no connection to 127.0.0.1") && why.contains("the front ended"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    notices.tell(&down("y"));
    assert!(ears.try_recv().is_err(), "it is over");
}

#[tokio::test]
async fn another_aim_keeps_what_waits_for_those_who_stay() {
    let (notices, see, mut ears) = notices(false);
    let stays = desktop(&[Event::Down]);
    let (nowhere, _taken) = nowhere();
    notices.aim(&[stays.clone(), nowhere], Variables::default());
    notices.tell(&down("x"));
    notices.aim(&[stays], Variables::default());
    assert_eq!(heard(&mut ears).await, Heard::Arrived);
    notices.finish().await;
    assert_eq!(see.try_iter().count(), 1);
    assert!(ears.try_recv().is_err(), "the other one was told nothing, and nobody hears of it");
}

#[test]
fn secrets_are_read_where_they_are_kept_and_named_in_errors_without_their_value() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hook");
    let given = Given::File(file.clone());
    assert!(secret::read(&given).unwrap_err().contains("cannot be read"));
    std::fs::write(&file, " s3cr3t \nmore\n").unwrap();
    assert_eq!(secret::read(&given).unwrap(), "s3cr3t");
    std::fs::write(&file, "\ns3cr3t").unwrap();
    let why = secret::read(&given).unwrap_err();
    assert!(why.ends_with("is empty") && !why.contains("s3cr3t"), "{why}");
    assert!(secret::read(&Given::File(dir.path().to_owned())).is_err());
    let why = secret::read(&Given::Variable("MCP_TWIN_TEST_NOBODY_SETS".into())).unwrap_err();
    assert!(why.contains("MCP_TWIN_TEST_NOBODY_SETS is not set"), "{why}");
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let at = |text: &str| post::retry_after(text, now).map(|wait| wait.as_secs());
    assert_eq!(at("7"), Some(7));
    assert_eq!(at("0.3"), Some(1), "Discord has fractions");
    assert_eq!(at("Fri, 02 Jan 2026 03:05:05 GMT"), Some(60));
    assert_eq!(at("Fri, 02 Jan 2026 03:00:00 GMT"), Some(0), "it is over");
    assert_eq!((at("soon"), at("-5"), at("NaN"), at("1e300")), (None, None, None, None));
}

#[tokio::test]
async fn what_hangs_in_the_system_is_bounded() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let hang = || {
        let wait = Arc::clone(&wait);
        tokio::spawn(aside::aside(move || drop(wait.lock().map(|wait| wait.recv()))))
    };
    let mut all = Vec::new();
    // Others of this process may have some too: at most this many can be begun.
    let mut refused = None;
    for _ in 0..8 {
        let one = hang();
        tokio::task::yield_now().await;
        if one.is_finished() {
            refused = Some(one.await.unwrap());
            break;
        }
        all.push(one);
    }
    assert!(refused.unwrap().unwrap_err().contains("still hang"));
    drop(release);
    for one in all {
        tokio::time::timeout(Duration::from_secs(20), one).await.expect("it ends").unwrap().unwrap();
    }
}
