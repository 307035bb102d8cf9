//! Requests that do not come in: too slow, too large, from elsewhere, without the token.

use crate::{project, served};
use mcp_twin_tests::http_client::HttpClient;
use mcp_twin_tests::{Project, Served, until};
use serde_json::json;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const BOTH: (&str, &str) = ("Accept", "application/json, text/event-stream");
const TOKEN: &str = "0123456789abcdef-of-a-test";

fn connected(front: &Served) -> TcpStream {
    let host = HttpClient::new(front.url()).host().to_owned();
    let wire = TcpStream::connect(host).unwrap();
    wire.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    wire
}

/// Reads what is there; true once the connection has ended.
fn ended(wire: &mut TcpStream, text: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    match wire.read(&mut piece) {
        Ok(0) => true,
        Ok(count) => {
            text.extend_from_slice(&piece[..count]);
            false
        }
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn clients_that_dribble_are_sent_away_and_disturb_nobody() {
    let (project, front) = served(&[]);
    let client = front.client();
    let headers = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let mut slow: Vec<_> = (0..200)
        .map(|n| {
            let mut wire = connected(&front);
            // Half of them never end their headers, half never end their body.
            let rest = if n % 2 == 0 { "X-Slow: " } else { "Content-Length: 1000\r\n\r\n{" };
            wire.write_all(format!("{headers}{rest}").as_bytes()).unwrap();
            (wire, Vec::new())
        })
        .collect();
    let begin = Instant::now();
    // Longer than the 60 s that a body may take, and headers half of it.
    let limit = Duration::from_secs(75);
    let mut next = Instant::now();
    while !slow.is_empty() {
        assert!(begin.elapsed() < limit, "{} dribblers are still there", slow.len());
        if next <= Instant::now() {
            for (wire, _) in &mut slow {
                let _ = wire.write_all(b"x");
            }
            assert_eq!(client.version(), "v1");
            next += Duration::from_secs(2);
        }
        let mut at = 0;
        while let Some((wire, text)) = slow.get_mut(at) {
            wire.set_nonblocking(true).unwrap();
            if ended(wire, text) {
                slow.swap_remove(at);
            } else {
                at += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn headers_without_end_are_refused() {
    let (project, front) = served(&[]);
    let client = front.client();
    let large = "x".repeat(100 << 10);
    let mut refused = client.raw("POST", &[JSON, BOTH, ("X-Large", &large)], b"{}");
    assert!([400, 431].contains(&refused.status()), "{refused:?}");
    let many: Vec<(String, &str)> = (0..200).map(|n| (format!("X-{n}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let status = client.raw("POST", &many, b"{}").status();
    assert!([400, 431].contains(&status), "{status}");
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn a_body_larger_than_a_message_may_be_is_refused_unread() {
    let (project, front) = served(&["--max-message", "64KiB"]);
    let client = front.client();
    let fits = json!({"text": "x".repeat(40 << 10)});
    assert_eq!(client.text("echo", fits).len(), 40 << 10);
    for client in [&client, &front.modern()] {
        let mut refused = client.call("echo", json!({"text": "x".repeat(80 << 10)}));
        assert_eq!(refused.status(), 413);
        assert!(refused.body().contains("max_message"));
    }
    // One that does not say how long it is, and does not end.
    let mut wire = connected(&front);
    let head =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    wire.write_all(head.as_bytes()).unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let mut text = Vec::new();
    until("an answer before the end of the body", || {
        let _ = wire.write_all(chunk.as_bytes());
        let over = ended(&mut wire, &mut text);
        (over || String::from_utf8_lossy(&text).contains(" 413 ")).then_some(())
    });
    assert!(String::from_utf8_lossy(&text).contains(" 413 "), "{}", String::from_utf8_lossy(&text));
    assert_eq!(client.version(), "v1");
    project.finish_http(&front);
}

#[test]
fn a_page_from_elsewhere_is_refused() {
    let (project, front) = served(&[]);
    let client = front.client();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    for foreign in [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1.evil.example:80"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            let status = client.raw(method, &[JSON, BOTH, foreign], body.as_bytes()).status();
            assert_eq!(status, 403, "{method} {foreign:?}");
        }
    }
    assert_eq!(client.raw("POST", &[JSON, BOTH, ("Origin", "http://localhost:3000")], body.as_bytes()).status(), 200);
    assert_eq!(client.version(), "v1", "its session is still there");
    project.finish_http(&front);
}

fn with_token(project: &Project, token: &str) -> String {
    let file = project.home().with_file_name("token");
    fs::write(&file, token).unwrap();
    file.display().to_string()
}

#[test]
fn without_the_token_nobody_comes_in() {
    let project = project(&[]);
    let file = with_token(&project, &format!("{TOKEN}\n"));
    let front = project.serve(&["--settle", "0", "--token-file", &file]);
    let bare = HttpClient::new(front.url());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let longer = format!("Bearer {TOKEN}x");
    let shorter = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    let basic = format!("Basic {TOKEN}");
    for wrong in [None, Some("Bearer "), Some(&longer[..]), Some(&shorter), Some(&basic), Some(TOKEN)] {
        let mut headers = vec![JSON, BOTH];
        headers.extend(wrong.map(|wrong| ("Authorization", wrong)));
        let mut refused = bare.raw("POST", &headers, body.as_bytes());
        assert_eq!(refused.status(), 401, "{wrong:?}");
        assert_eq!(refused.head().header("www-authenticate"), Some("Bearer"));
        assert!(!refused.body().contains(TOKEN));
    }
    for header in [("Authorization", format!("Bearer {TOKEN}")), ("Mcp-Twin-Token", TOKEN.to_owned())] {
        let client = HttpClient::new(front.url()).with_header(header.0, &header.1);
        client.open();
        let seen = client.body("seen", json!({}));
        assert!(!seen["headers"].to_string().contains(TOKEN), "the twin is not told: {seen}");
    }
    project.finish_http(&front);
    // Nor is it written anywhere.
    let mut folders = vec![project.home()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(TOKEN), "{}", path.display());
            }
        }
    }
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_a_good_one() {
    let project = project(&[]);
    let attempt = |flags: &[&str]| {
        let serve = project.serve_command(flags);
        project.cli(&serve[1..].iter().map(String::as_str).collect::<Vec<_>>())
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = attempt(&["--listen", address]);
        assert_eq!(refused.status, 3, "{refused:?}");
        assert!(refused.stderr.contains("a token is needed") && refused.stderr.contains("--token-file"), "{refused:?}");
    }
    let short = with_token(&project, "short\n");
    let refused = attempt(&["--listen", "0.0.0.0:0", "--token-file", &short]);
    assert!(refused.status == 3 && refused.stderr.contains("5 characters"), "{refused:?}");
    let file = with_token(&project, TOKEN);
    let front = project.serve(&["--listen", "0.0.0.0:0", "--settle", "0", "--token-file", &file]);
    let client = HttpClient::new(front.url()).with_header("Authorization", &format!("Bearer {TOKEN}"));
    client.open();
    assert_eq!(client.version(), "v1");
    assert_eq!(HttpClient::new(front.url()).raw("POST", &[JSON, BOTH], b"{}").status(), 401);
    project.finish_http(&front);
}
