//! Very many sessions, and clients that do not read: what they cost the front, and the others.

use crate::project;
use mcp_twin_tests::http_client::{HttpClient, Next};
use mcp_twin_tests::{Project, Served, process, tools, until};
use serde_json::json;

/// What memory may grow by while clients misbehave, KiB: what is kept for one session, and the allocator's slack.
const SLACK: u64 = 24 << 10;

fn resident(front: &Served) -> u64 {
    process::status_number(front.pid(), "VmRSS").unwrap()
}

/// Opens sessions over one connection, and leaves them.
fn abandon(url: &str, sessions: usize) {
    let client = HttpClient::new(url);
    let info = json!({"name": "crowd", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
    let mut wire = client.wire();
    for number in 0..sessions {
        let message = client.message(Some(json!(number)), "initialize", params.clone());
        let mut exchange = client.post_over(wire, &message);
        let answer = exchange.answer();
        assert!(answer["result"].is_object(), "{answer}");
        wire = exchange.reuse().expect("a connection that is kept");
    }
}

#[test]
fn ten_thousand_abandoned_sessions_cost_nothing_and_a_live_one_is_served() {
    let project = project(&[]);
    let version = project.home().with_file_name("version");
    std::fs::write(&version, "1").unwrap();
    let mut words = project.serve_command(&["--settle", "0", "--max-sessions", "500", "--standby", "on-demand"]);
    words.truncate(words.iter().position(|word| word == "--").unwrap() + 1);
    words.push(tools::built("tiny-http-server").display().to_string());
    words.push(version.display().to_string());
    words.extend(["--port", "{port}", "--sessions"].map(str::to_owned));
    let front = Served::front(&mut project.process(&words));
    let live = front.client();
    let mut stream = live.get();
    assert_eq!(stream.event().data, "", "the one that begins it");
    let round = |sessions: usize| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| abandon(front.url(), sessions / 4));
            }
        });
        assert_eq!(live.version(), "1");
    };
    round(2000);
    let (before, fds) = (resident(&front), process::descriptors(front.pid()));
    for _ in 0..8 {
        round(1000);
    }
    let (after, fds_after) = (resident(&front), process::descriptors(front.pid()));
    assert!(after <= before + SLACK / 3, "{before} KiB before, {after} KiB after 8,000 more");
    assert!(fds_after <= fds + 16, "{fds} descriptors before, {fds_after} after");
    let sessions = project.status()["sessions"].as_u64().unwrap();
    assert!((1..=500).contains(&sessions), "{sessions} sessions");
    let book = std::fs::read_dir(project.home().join("state")).unwrap().flatten();
    let book =
        book.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "sessions")).unwrap();
    assert!(std::fs::metadata(book).unwrap().len() < 4 << 20);
    assert_eq!(
        stream.next(std::time::Duration::ZERO),
        Next::Nothing,
        "its stream is still open, and nothing was said on it"
    );
    project.finish_http(&front);
}

/// A server that says 50 MB, in pieces of 64 KiB, before it answers `flood`.
fn flooding(project: &Project) {
    project.set("EXTRA_TOOLS", "[\"flood\"]");
    let code = std::fs::read_to_string(project.file()).unwrap();
    let flood = "            if name == \"flood\":\n                piece = \"x\" * 65536\n                for _ in range(800):\n                    \
                 self.stream.say({\"method\": \"notifications/message\", \"params\": {\"level\": \"info\", \"data\": piece}})\n            \
                 return text(VERSION)\n";
    let flooded = code.replace("            return text(VERSION)\n", flood);
    assert_ne!(code, flooded, "the fixture has changed");
    std::fs::write(project.file(), flooded).unwrap();
}

#[test]
fn a_client_that_does_not_read_holds_no_memory_and_no_other_client() {
    let project = project(&[]);
    flooding(&project);
    let front = project.serve(&["--settle", "0", "--standby", "on-demand"]);
    let (legacy, modern) = (front.client(), front.modern());
    assert_eq!((legacy.version(), modern.version()), ("v1".to_owned(), "v1".to_owned()));
    let before = resident(&front);
    for client in [&legacy, &modern] {
        let mut flood = client.call("flood", json!({}));
        assert_eq!(flood.status(), 200);
        // Others of both eras hear their own streams meanwhile.
        for other in [&front.client(), &front.modern()] {
            for _ in 0..20 {
                let params = json!({"name": "steps", "arguments": {"ms": 3}, "_meta": {"progressToken": "p"}});
                let mut steps = other.send("tools/call", params);
                assert!(steps.answer()["result"].is_object());
                assert_eq!(steps.said().len(), 3);
            }
        }
        let peak = resident(&front);
        assert!(peak <= before + SLACK, "{before} KiB before, {peak} KiB with a client that does not read");
        // Who reads at last gets everything.
        let mut pieces = 0;
        let answer = loop {
            let event = flood.event();
            if event.data.is_empty() {
                continue;
            }
            let message = event.message();
            if message.get("method").is_none() {
                break message;
            }
            pieces += 1;
        };
        assert_eq!((pieces, &answer["result"]["content"][0]["text"]), (800, &json!("v1")));
        // And who leaves instead frees it.
        let mut left = client.call("flood", json!({}));
        assert_eq!(left.status(), 200);
        drop(left);
    }
    until("the memory of one who left", || (resident(&front) <= before + SLACK).then_some(()));
    project.finish_http(&front);
}
