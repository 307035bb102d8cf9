//! Tables and properties of the edits.

mod back;
mod entries;
mod forms;
mod fuzz;
mod refused;
mod shown;

use super::{Change, Undo, Wired, sha256, unwire, wire};
use crate::detect::{Shape, Site, Step, Syntax};

/// How most clients write an entry.
const WORDS: Shape = Shape::Words { command: "command" };

/// A path of keys, and of indices for what is a number.
fn path(text: &str) -> Vec<Step> {
    let step = |part: &str| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Index);
    text.split('/').map(step).collect()
}

fn site(syntax: Syntax, at: &str, shape: Shape) -> Site {
    Site { syntax, path: path(at), shape }
}

fn run() -> Change {
    Change::Run { program: "/opt/mcp-twin".to_owned(), name: "n".to_owned(), words: None }
}

/// Wires, and sees that the way back ends where it began.
fn wired(text: &str, site: &Site, change: &Change) -> Wired {
    let wired = wire(text.as_bytes(), site, change).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let back = unwire(&wired.text, &wired.undo).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(back.exact && back.text == text.as_bytes(), "not the same bytes again:\n{text}");
    // The journal is kept as JSON.
    let json = serde_json::to_string(&wired.undo).unwrap();
    assert_eq!(serde_json::from_str::<Undo>(&json).unwrap(), wired.undo);
    wired
}

fn text(wired: &Wired) -> &str {
    std::str::from_utf8(&wired.text).unwrap()
}

/// The text after the structural undo, as if it had been edited since.
fn by_structure(text: &[u8], undo: &Undo) -> String {
    let mut undo = undo.clone();
    undo.after = sha256(b"another text");
    undo.before = sha256(b"another one");
    let back = unwire(text, &undo).unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(text)));
    assert!(!back.exact);
    String::from_utf8(back.text).unwrap()
}

#[test]
fn the_hash_is_sha_256() {
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
