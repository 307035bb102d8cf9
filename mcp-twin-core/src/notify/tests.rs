use super::*;
use crate::error::{Code, Fault};
use crate::ids::Generation;
use crate::redact::Redaction;
use crate::relay::diff::ListDiff;
use crate::swap::Notice;
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

fn sender() -> Sender {
    Sender { server: "my_notes".into(), project: "shop".into(), host: "box".into(), front: "notes-1-a".into() }
}

fn redaction() -> Redaction {
    Redaction::new(&[], [("API_KEY", "s3cr3t-value"), ("EDITOR", "vi-editor")])
}

fn message(notice: &Notice) -> Message {
    Message::new(notice, &sender(), "id-1".into(), "2026-01-02T03:04:05Z".into(), &redaction()).unwrap()
}

fn fault() -> Fault {
    Fault::new(Code::ExitedEarly, "it ended with status 1 before it was ready: <tools> & more")
        .with_help("see `mcp-twin logs my_notes`")
        .with_stderr("Traceback\nValueError: ```key``` s3cr3t-value is *not* <!channel> valid\n")
}

fn every_notice() -> Vec<Notice> {
    let diff = ListDiff { breaking: vec!["tool `add_all`: removed".into()], ..ListDiff::default() };
    vec![
        Notice::ReloadFailed { generation: Generation(4), fault: fault() },
        Notice::RolledBack { left: Generation(4), active: Generation(3), why: Some(fault()) },
        Notice::RolledBack { left: Generation(4), active: Generation(3), why: None },
        Notice::Crashed { generation: Generation(3), fault: fault() },
        Notice::Down { fault: Fault::new(Code::Down, "the server cannot be started") },
        Notice::Swapped { previous: Some(Generation(3)), active: Generation(4), diff },
        Notice::Waiting { generation: Generation(5), breaking: vec!["tool `add_all`: removed".into()] },
    ]
}

fn told(kind: Kind) -> String {
    let all = every_notice().into_iter().map(|notice| message(&notice)).chain([Message::test(
        &sender(),
        "id-2".into(),
        "now".into(),
    )]);
    all.map(|message| serde_json::to_string_pretty(&payload(kind, &message)).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_generic_document_of_every_event() {
    insta::assert_snapshot!(told(Kind::Webhook));
}

#[test]
fn slack_of_every_event() {
    insta::assert_snapshot!(told(Kind::Slack));
}

#[test]
fn discord_of_every_event() {
    insta::assert_snapshot!(told(Kind::Discord));
}

#[test]
fn a_known_secret_leaves_this_machine_in_no_form() {
    for kind in Kind::ALL {
        let text = told(kind);
        assert!(!text.contains("s3cr3t-value"), "{text}");
        assert!(text.contains("***"), "{text}");
    }
    // Where it would be cut in two as well.
    let long = Fault::new(Code::Crashed, format!("{}s3cr3t-value", "x".repeat(994)));
    let told = message(&Notice::Crashed { generation: Generation(1), fault: long }).sentence();
    assert!(!told.contains("s3cr"), "{told}");
}

#[test]
fn what_concerns_the_fronts_own_files_is_no_event() {
    for notice in [Notice::StateOff { why: "full".into() }, Notice::StateOn] {
        assert_eq!(Event::of(&notice), None);
        assert_eq!(Message::new(&notice, &sender(), String::new(), String::new(), &redaction()), None);
    }
    for (event, word) in Event::ALL.into_iter().zip(Event::WORDS) {
        assert_eq!((event.word(), Event::of_word(word)), (word, Some(event)));
    }
    assert_eq!(Event::of_word("test"), None, "nobody chooses it");
    assert_eq!(Kind::ALL.map(Kind::word), Kind::WORDS);
}

#[test]
fn a_target_hears_what_it_chose_and_every_test() {
    let target =
        Target { kind: Kind::Desktop, address: None, events: vec![Event::Down], secret: None, headers: Vec::new() };
    assert!(target.wants(Event::Down) && target.wants(Event::Test) && !target.wants(Event::Crashed));
}

/// Made with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac topsecret`.
#[test]
fn the_signature_is_what_others_compute() {
    assert_eq!(
        signature(b"topsecret", 1_700_000_000, br#"{"a":1}"#),
        "t=1700000000,v1=6a939b0c71853d606167625a15168ee9188c6a511c773ef4f42d307f3849e50f"
    );
    assert_ne!(signature(b"topsecret", 1, b"x"), signature(b"topsecret", 2, b"x"));
}

#[test]
fn what_failed_is_tried_again_with_longer_waits_and_an_end() {
    let seconds = Duration::from_secs;
    let status = |status| Answered::Status { status, retry_after: None };
    for done in [200, 202, 204] {
        assert_eq!(next(1, seconds(0), status(done)), Next::Done);
    }
    // Also a redirection: nobody is sent elsewhere with what was meant for one.
    for never in [301, 307, 400, 401, 403, 404, 410] {
        assert_eq!(next(1, seconds(0), status(never)), Next::GiveUp, "{never}");
    }
    for again in [Answered::Nothing, status(500), status(503), status(429), status(408)] {
        let waits: Vec<Next> = (1..=MOST_TRIES).map(|tries| next(tries, seconds(0), again)).collect();
        let expected = [
            Next::Again(seconds(1)),
            Next::Again(seconds(4)),
            Next::Again(seconds(16)),
            Next::Again(seconds(64)),
            Next::GiveUp,
        ];
        assert_eq!(waits, expected);
    }
    let asked = |retry_after| Answered::Status { status: 429, retry_after: Some(seconds(retry_after)) };
    assert_eq!(next(1, seconds(0), asked(30)), Next::Again(seconds(30)));
    assert_eq!(next(2, seconds(0), asked(1)), Next::Again(seconds(4)), "our own wait is the longer one");
    assert_eq!(next(1, seconds(0), asked(86_400)), Next::GiveUp, "nobody waits for a day");
    assert_eq!(next(2, seconds(299), status(500)), Next::GiveUp);
}

#[test]
fn urls_are_looked_at_and_never_quoted() {
    assert_eq!(host_of("https://hooks.slack.com/services/T0/B0/xyz"), Ok("hooks.slack.com"));
    assert_eq!(host_of("http://[::1]:8080/x"), Ok("[::1]:8080"));
    assert_eq!(host_of("ftp://x/"), Err(AddressError::Scheme));
    assert_eq!(host_of("https:///x"), Err(AddressError::Host));
    assert_eq!(host_of("https://a:b@x/"), Err(AddressError::User));
    assert_eq!(host_of("https://x/ y"), Err(AddressError::Characters));
    assert_eq!(Kind::Slack.accepts("http://hooks.slack.com/services/x"), Err(AddressError::Clear));
    assert_eq!(Kind::Discord.accepts("http://127.0.0.1:9/x"), Ok(()));
    assert_eq!(Kind::Webhook.accepts("http://inside.example/x"), Ok(()));
    let address = Address::Url("https://hooks.slack.com/services/T0/B0/xyz".into());
    assert_eq!(
        (address.to_string(), format!("{address:?}")),
        ("hooks.slack.com".into(), "Address(hooks.slack.com)".into())
    );
}

/// Every text of a document with its greatest length.
fn within(document: &Value, path: &[&str], most: usize) {
    let mut found = document;
    for step in path {
        found = step.parse::<usize>().map_or_else(|_| &found[*step], |at| &found[at]);
    }
    let length = found.as_str().unwrap_or_default().encode_utf16().count();
    assert!(length <= most, "{path:?}: {length}");
}

proptest! {
    #[test]
    fn no_text_is_longer_than_the_documented_limits(text in "(?s)[&<>`*_x\u{1f600}\\n]{0,5000}", name in "[&<_a]{0,200}") {
        let fault = Fault::new(Code::Crashed, text.clone()).with_help(text.clone()).with_stderr(format!("error {text}"));
        let diff = ListDiff { breaking: vec![text; 30], ..ListDiff::default() };
        let notices = [
            Notice::Crashed { generation: Generation(1), fault },
            Notice::Swapped { previous: None, active: Generation(2), diff },
        ];
        for notice in notices {
            let sender = Sender { server: name.clone(), project: name.clone(), ..sender() };
            let message = Message::new(&notice, &sender, "i".into(), "t".into(), &redaction()).unwrap();
            let slack = payload(Kind::Slack, &message);
            within(&slack, &["text"], 4000);
            within(&slack, &["blocks", "0", "text", "text"], 150);
            let blocks = slack["blocks"].as_array().unwrap();
            prop_assert!(blocks.len() <= 50);
            for at in 1..blocks.len() {
                within(&slack, &["blocks", &at.to_string(), "text", "text"], 3000);
                within(&slack, &["blocks", &at.to_string(), "elements", "0", "text"], 3000);
            }
            let discord = payload(Kind::Discord, &message);
            within(&discord, &["content"], 2000);
            let embed = &discord["embeds"][0];
            within(embed, &["title"], 256);
            within(embed, &["description"], 4096);
            within(embed, &["footer", "text"], 2048);
            for field in embed["fields"].as_array().unwrap() {
                within(field, &["value"], 1024);
                prop_assert_ne!(&field["value"], "");
            }
            let all: usize = ["title", "description"].iter().map(|key| embed[*key].as_str().unwrap().encode_utf16().count()).sum::<usize>()
                + embed["footer"]["text"].as_str().unwrap().encode_utf16().count()
                + embed["fields"].as_array().unwrap().iter().flat_map(|field| [&field["name"], &field["value"]])
                    .map(|text| text.as_str().unwrap().encode_utf16().count()).sum::<usize>();
            prop_assert!(all <= 6000, "{}", all);
            // A document is small, whatever a server says.
            prop_assert!(serde_json::to_vec(&payload(Kind::Webhook, &message)).unwrap().len() < 128 * 1024);
        }
    }
}
