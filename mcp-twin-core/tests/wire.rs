//! Properties of the edits, over configurations as clients write them and over generated ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "wire/fixtures.rs"]
mod fixtures;
#[path = "wire/generated.rs"]
mod generated;
#[path = "wire/reading.rs"]
mod reading;
#[path = "wire/writing.rs"]
mod writing;

use mcp_twin_core::detect::{Shape, Site};
use mcp_twin_core::wire::{Change, Undo, Wired, unwire, wire};
use reading::{at_mut, read};
use serde_json::{Value, json};

/// The change that fits a shape.
fn change(shape: Shape) -> Change {
    match shape {
        Shape::Url { .. } => Change::Address { url: "http://127.0.0.1:8042/mcp".to_owned() },
        _ => Change::Run { program: "/opt/my tools/mcp-twin".to_owned(), name: "näme".to_owned(), words: None },
    }
}

/// What the whole document has to say after the change.
fn wanted(before: &str, site: &Site) -> Value {
    let mut whole = read(before, site.syntax).expect("it was read before");
    let entry = at_mut(&mut whole, &site.path).expect("it was found there");
    let ours = ["run", "--name", "näme", "--"].map(Value::from);
    let words = |holder: &mut Value, command: &str| {
        let was = holder[command].clone();
        let args = holder.get("args").and_then(Value::as_array).cloned().unwrap_or_default();
        holder[command] = "/opt/my tools/mcp-twin".into();
        holder["args"] = ours.iter().cloned().chain([was]).chain(args).collect();
    };
    match site.shape {
        Shape::Words { command } => words(entry, command),
        Shape::Program => words(&mut entry["command"], "path"),
        Shape::Array => {
            let was = entry["command"].as_array().cloned().unwrap_or_default();
            let program = Value::from("/opt/my tools/mcp-twin");
            entry["command"] = [program].into_iter().chain(ours).chain(was).collect();
        }
        Shape::Url { url } => entry[url] = "http://127.0.0.1:8042/mcp".into(),
    }
    whole
}

/// Wires a valid entry and proves all that is promised of an untouched file.
fn check(text: &str, site: &Site) -> Wired {
    let wired = wire(text.as_bytes(), site, &change(site.shape)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let after = std::str::from_utf8(&wired.text).expect("it is text");
    assert_eq!(read(after, site.syntax).as_ref(), Some(&wanted(text, site)), "\n{text}\n=>\n{after}");
    let back = unwire(&wired.text, &wired.undo).unwrap_or_else(|error| panic!("{error}\n{after}"));
    assert!(back.exact, "{text}");
    assert_eq!(back.text, text.as_bytes(), "not the same bytes again:\n{text}");
    let again = wire(&wired.text, site, &change(site.shape)).expect_err("it was wired twice");
    assert_eq!(again.code(), "wire::already", "{again}");
    wired
}

/// Undoes after an edit of others: what they wrote stays, and the entry says what it said.
fn check_after(edited: &str, undo: &Undo, want: &Value, site: &Site) -> String {
    let back = unwire(edited.as_bytes(), undo).unwrap_or_else(|error| panic!("{error}\n{edited}"));
    assert!(!back.exact, "{edited}");
    let text = String::from_utf8(back.text).expect("it is text");
    let said = read(&text, site.syntax);
    assert_eq!(said.as_ref(), Some(want), "\n{edited}\n=>\n{text}");
    text
}

/// A damaged file is never written: a text cut at any place is refused, or is one that says something whole.
fn check_cut(text: &str, site: &Site, at: usize) {
    let mut at = at % text.len().max(1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let cut = &text[..at];
    if let Ok(wired) = wire(cut.as_bytes(), site, &change(site.shape)) {
        let after = std::str::from_utf8(&wired.text).expect("it is text");
        assert_eq!(read(after, site.syntax), Some(wanted(cut, site)), "\n{cut}\n=>\n{after}");
    }
}

#[test]
fn the_readers_here_see_differences() {
    let site = Site {
        syntax: mcp_twin_core::detect::Syntax::Json,
        path: vec![mcp_twin_core::detect::Step::Key("a".to_owned())],
        shape: Shape::Words { command: "command" },
    };
    let want = wanted(r#"{"a": {"command": "x", "args": ["y"]}}"#, &site);
    let args = ["run", "--name", "näme", "--", "x", "y"];
    assert_eq!(want, json!({"a": {"command": "/opt/my tools/mcp-twin", "args": args}}));
}
