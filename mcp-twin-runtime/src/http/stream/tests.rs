use super::*;
use std::future::poll_fn;

fn streams() -> Streams {
    let mut streams = Streams::new(35, true);
    streams.priming = true;
    streams
}

fn message(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn events() -> Manner {
    Manner { events: true, ..Manner::default() }
}

/// What a stream carries now, without waiting for more.
async fn heard(events: &mut Events) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let next = poll_fn(|cx| Poll::Ready(events.poll_next(cx))).await;
        match next {
            Poll::Ready(Some(event)) => heard.push(String::from_utf8(event.to_vec()).unwrap()),
            Poll::Ready(None) => {
                heard.push("end".to_owned());
                return heard;
            }
            Poll::Pending => return heard,
        }
    }
}

fn data(events: &[String]) -> Vec<&str> {
    let lines = events.iter().flat_map(|event| event.lines());
    lines.filter_map(|line| line.strip_prefix("data: ")).filter(|data| !data.is_empty()).collect()
}

fn id(event: &str) -> &str {
    event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap()
}

fn as_events(reply: Reply) -> Events {
    match reply {
        Reply::Events { events, .. } => events,
        Reply::Whole { .. } => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn one_answer_alone_is_a_body_with_the_twins_status() {
    let mut streams = streams();
    let (key, reply) = streams.post(vec!["1".to_owned()], Arc::default());
    assert!(streams.is_busy() && streams.of("1") == Some(key));
    let manner = Manner { status: StatusCode::BAD_REQUEST, ..Manner::default() };
    streams.send(Some(key), message("{}"), &["1".to_owned()], &manner);
    match reply.await.unwrap() {
        Reply::Whole { status, body, .. } => assert_eq!((status, &*body), (StatusCode::BAD_REQUEST, &b"{}"[..])),
        Reply::Events { .. } => panic!("events"),
    }
    assert!(!streams.is_busy());
}

#[tokio::test]
async fn what_comes_before_the_answer_makes_it_events_that_begin_with_an_empty_one() {
    let mut streams = streams();
    let (key, reply) = streams.post(vec!["1".to_owned()], Arc::default());
    streams.send(Some(key), message("note"), &[], &events());
    let mut events_of = as_events(reply.await.unwrap());
    streams.send(Some(key), message("answer"), &["1".to_owned()], &Manner::default());
    let heard = heard(&mut events_of).await;
    assert!(heard[0].contains("retry: ") && heard[0].contains("data: \n"), "{heard:?}");
    assert_eq!(data(&heard), ["note", "answer"]);
    assert_eq!(heard.last().unwrap(), "end");
    let ids: Vec<_> = heard[..3].iter().map(|event| id(event)).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids.iter().all(|id| id.starts_with("z-")), "{ids:?}");
}

#[tokio::test]
async fn a_client_goes_on_behind_the_last_event_that_it_saw_also_after_the_end() {
    let mut streams = streams();
    let (key, reply) = streams.post(vec!["1".to_owned()], Arc::default());
    streams.send(Some(key), message("one"), &[], &events());
    let mut first = as_events(reply.await.unwrap());
    let seen = heard(&mut first).await;
    drop(first);
    streams.send(Some(key), message("two"), &[], &events());
    let mut second = streams.resume(id(&seen[1]), Arc::default()).unwrap();
    assert_eq!(data(&heard(&mut second).await), ["two"]);
    streams.send(Some(key), message("three"), &["1".to_owned()], &events());
    assert_eq!(heard(&mut second).await.last().unwrap(), "end");
    let mut third = streams.resume(id(&seen[1]), Arc::default()).unwrap();
    let heard = heard(&mut third).await;
    assert_eq!(data(&heard), ["two", "three"], "nothing doubled, nothing lost");
    assert_eq!(heard.last().unwrap(), "end");
    for unknown in ["", "z", "z-0", "y-0-1", "z-zz-1", "z-0-!"] {
        assert!(streams.resume(unknown, Arc::default()).is_none(), "{unknown}");
    }
}

#[tokio::test]
async fn what_belongs_to_no_request_waits_for_a_get_and_is_told_once() {
    let mut streams = streams();
    streams.send(None, message("early"), &[], &events());
    let mut get = streams.open_get(Arc::default());
    assert_eq!(data(&heard(&mut get).await), ["early"]);
    assert!(streams.listens());
    streams.send(Some(99), message("of a stream that is over"), &[], &events());
    assert_eq!(data(&heard(&mut get).await), ["of a stream that is over"]);
    drop(get);
    assert!(!streams.listens());
    streams.send(None, message("unheard"), &[], &events());
    let mut again = streams.open_get(Arc::default());
    assert_eq!(data(&heard(&mut again).await), ["unheard"]);
}

#[tokio::test]
async fn a_paused_stream_ends_for_now_and_keeps_its_answer() {
    let mut streams = streams();
    let (key, reply) = streams.post(vec!["1".to_owned()], Arc::default());
    streams.begin_events("1", &events());
    let mut first = as_events(reply.await.unwrap());
    streams.pause("1", Some(500));
    let seen = heard(&mut first).await;
    assert!(seen[1].contains("retry: 500") && seen.last().unwrap() == "end", "{seen:?}");
    streams.send(Some(key), message("answer"), &["1".to_owned()], &events());
    let mut later = streams.resume(id(&seen[1]), Arc::default()).unwrap();
    assert_eq!(data(&heard(&mut later).await), ["answer"]);
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_so_is_what_waits() {
    let mut streams = streams();
    let mut get = streams.open_get(Arc::default());
    let gauge = streams.gauge(None);
    let big = "x".repeat(64 << 10);
    for _ in 0..64 {
        streams.send(None, message(&big), &[], &events());
    }
    assert!(streams.kept.1 <= KEPT.1 && streams.kept.0 < 64, "{:?}", streams.kept);
    let full = tokio::time::timeout(std::time::Duration::ZERO, gauge.room()).await;
    assert!(full.is_err(), "4 MiB wait: the twin is not read on");
    assert_eq!(heard(&mut get).await.len(), 65);
    gauge.room().await;
    for n in 0..KEPT.0 * 2 {
        streams.send(None, message(&n.to_string()), &[], &events());
    }
    assert_eq!(streams.kept.0, KEPT.0);
    drop(get);
    assert_eq!(gauge.bytes.load(Ordering::Relaxed), 0, "what nobody will read does not wait");
}

#[tokio::test]
async fn the_answers_of_a_batch_come_as_one() {
    let mut streams = streams();
    let ids = ["1".to_owned(), "\"a\"".to_owned()];
    let (key, reply) = streams.post(ids.to_vec(), Arc::default());
    streams.send(Some(key), message("[1,2]"), &ids, &Manner::default());
    assert!(matches!(reply.await.unwrap(), Reply::Whole { body, .. } if &*body == b"[1,2]"));
    assert!(!streams.is_busy());
}
