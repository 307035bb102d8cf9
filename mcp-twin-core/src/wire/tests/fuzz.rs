//! Arbitrary bytes, and configurations with bytes changed, cut, doubled and moved: nothing panics, what is refused is
//! refused with a code, and what is edited can be undone to the byte.

use super::super::{diff, insert};
use super::*;
use crate::testing::chance::{Chance, asked};
use serde_json::{Value, json};

/// Inputs without the variable.
const SHORT: usize = 20_000;

/// What configurations are made of, and what their readers stumble over.
const BITS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "#",
    "//",
    "/*",
    "*/",
    "-",
    "- ",
    "--",
    "---\n",
    "...\n",
    "null",
    "~",
    "|",
    ">",
    "|-\n",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "? ",
    "=",
    ".",
    "\"\"\"",
    "'''",
    "[[",
    "]]",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{2028}",
    "é",
    "🦀",
    "\0",
    "command",
    "args",
    "\"args\": [],",
    "command: x\n",
    "mcp-twin",
    "{\"command\": \"x\"}",
    "[mcp_servers.a]\n",
    "1e999",
    "0x",
    "%YAML 1.2\n",
    "${X}",
];

/// The configurations among the fixtures of detection.
fn seeds() -> Vec<(Syntax, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config-detect");
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let fixture = |path: &std::path::PathBuf| {
        #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
        let text = std::fs::read_to_string(path).unwrap();
        let fixture: Value = serde_json::from_str(&text).ok()?;
        let syntax = match fixture["format"].as_str()? {
            "json" => Syntax::Json,
            "jsonc" => Syntax::Jsonc,
            "toml" => Syntax::Toml,
            _ => Syntax::Yaml,
        };
        Some((syntax, fixture["content"].as_str()?.as_bytes().to_vec()))
    };
    let mut all: Vec<_> = paths.iter().filter_map(fixture).collect();
    // Few of the fixtures are TOML or YAML.
    for text in
        ["[mcp_servers.a]\ncommand = 'x' # it\nargs = [\n 'y', # y\n]\n", "mcp_servers = { a = { command = \"x\" } }\n"]
    {
        (0..8).for_each(|_| all.push((Syntax::Toml, text.as_bytes().to_vec())));
    }
    for text in [
        "extensions:\n  a:\n    cmd: x # it\n    args:\n      - 'y' # y\n    envs: {K: v}\n",
        "b: &b\n  command: x\nmcpServers:\n  a:\n    <<: *b\n    args: [\"y\", z]\n",
        "mcpServers:\n- name: a\n  command: x\n  args:\n  - y\n",
    ] {
        (0..8).for_each(|_| all.push((Syntax::Yaml, text.as_bytes().to_vec())));
    }
    all
}

fn mutate(text: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..chance.below(4) {
        let at = chance.below(text.len() + 1);
        match chance.below(6) {
            0 if at < text.len() => text[at] = chance.below(256) as u8,
            1 => text.truncate(at),
            2 => {
                let end = (at + chance.below(12)).min(text.len());
                text.drain(at..end);
            }
            3 => {
                let end = (at + chance.below(60)).min(text.len());
                let part = text[at..end].to_vec();
                let to = chance.below(text.len() + 1);
                text.splice(to..to, part);
            }
            _ => {
                let bit = BITS[chance.below(BITS.len())].bytes();
                text.splice(at..at, bit);
            }
        }
    }
}

/// Paths that lead somewhere in most of the seeds.
fn sites(syntax: Syntax, chance: &mut Chance) -> Site {
    let maps = ["mcpServers", "servers", "mcp_servers", "extensions", "mcp", "context_servers", "amp.mcpServers"];
    let names = ["a", "n", "0", "1", "server", "b", "transport"];
    let shapes =
        [WORDS, WORDS, WORDS, Shape::Words { command: "cmd" }, Shape::Array, Shape::Program, Shape::Url { url: "url" }];
    let at = format!("{}/{}", maps[chance.below(maps.len())], names[chance.below(names.len())]);
    site(syntax, &at, shapes[chance.below(shapes.len())])
}

/// The path of something with a command in it, as a reader of JSON or YAML sees it.
fn real(syntax: Syntax, text: &[u8], chance: &mut Chance) -> Option<Site> {
    let text = std::str::from_utf8(text).ok()?;
    let root = super::super::tree::read(text, syntax).ok()?;
    let mut found = Vec::new();
    walk(&root, &mut Vec::new(), &mut found);
    let (path, shape) = found.get(chance.below(found.len()))?.clone();
    Some(Site { syntax, path, shape })
}

fn walk(node: &super::super::tree::Node, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Shape)>) {
    use super::super::tree::Kind;
    match &node.kind {
        Kind::Map { members, .. } => {
            for member in members {
                let shape = match (member.key.as_str(), &member.value.kind) {
                    ("cmd", _) => Some(Shape::Words { command: "cmd" }),
                    ("command", Kind::List { .. }) => Some(Shape::Array),
                    ("command", Kind::Map { .. }) => Some(Shape::Program),
                    ("command" | "<<", _) => Some(WORDS),
                    ("url", _) => Some(Shape::Url { url: "url" }),
                    _ => None,
                };
                found.extend(shape.map(|shape| (path.clone(), shape)));
                path.push(Step::Key(member.key.clone()));
                walk(&member.value, path, found);
                path.pop();
            }
        }
        Kind::List { items, .. } => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// One text through everything; how many edits it took.
fn one(syntax: Syntax, text: &[u8], undo: Option<&Undo>, chance: &mut Chance) -> Option<Undo> {
    let site = real(syntax, text, chance).unwrap_or_else(|| sites(syntax, chance));
    let change = match site.shape {
        Shape::Url { .. } => Change::Address { url: "http://127.0.0.1:1/mcp".to_owned() },
        _ => run(),
    };
    if let Some(undo) = undo {
        // Of another text: whatever comes of it is valid.
        if let Ok(back) = unwire(text, undo) {
            assert!(
                super::super::tree::read(
                    std::str::from_utf8(&back.text).unwrap().trim_start_matches('\u{feff}'),
                    undo.syntax()
                )
                .is_ok()
            );
        }
        let _ = diff(text, text, undo, "config");
    }
    let steps = [path("mcpServers/new"), site.path.clone()].concat();
    if let Ok(added) =
        insert(text, syntax, &steps[..2], &json!({"command": "/opt/mcp-twin", "args": ["run", "--", "x"]}))
    {
        assert_eq!(unwire(&added.text, &added.undo).unwrap().text, text);
    }
    match wire(text, &site, &change) {
        Ok(wired) => {
            let back = unwire(&wired.text, &wired.undo).unwrap();
            assert!(back.exact && back.text == text);
            let _ = diff(text, &wired.text, &wired.undo, "config");
            Some(wired.undo)
        }
        Err(error) => {
            // Of a proof that fails there is no known case: each is a mistake of ours, though one without harm.
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

#[test]
fn whatever_stands_there_is_survived() {
    let inputs = asked("MCP_TWIN_FUZZ_INPUTS", SHORT);
    let seed = asked("MCP_TWIN_FUZZ_SEED", 1) as u64;
    let seeds = seeds();
    let (mut edits, mut last) = (0, None);
    for input in 0..inputs {
        let mut chance =
            Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (input as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
        chance.below(1);
        let (syntax, mut text) = match chance.below(20) {
            // Bytes, and bits of configurations, in any order.
            0 => (Syntax::Json, (0..chance.below(64)).map(|_| chance.below(256) as u8).collect()),
            1 => {
                let bits = (0..chance.below(24)).map(|_| BITS[chance.below(BITS.len())]).collect::<String>();
                (Syntax::Yaml, bits.into_bytes())
            }
            _ => seeds[chance.below(seeds.len())].clone(),
        };
        mutate(&mut text, &mut chance);
        // Often by the wrong reader.
        let all = [Syntax::Json, Syntax::Jsonc, Syntax::Toml, Syntax::Yaml];
        let syntax = if chance.below(4) == 0 { all[chance.below(4)] } else { syntax };
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(syntax, &text, last.as_ref(), &mut chance)));
        match result {
            Ok(Some(undo)) => {
                edits += 1;
                last = Some(undo);
            }
            Ok(None) => {}
            Err(panic) => {
                eprintln!("at input {input}, seed {seed}, {syntax:?}: {:?}", String::from_utf8_lossy(&text));
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("{inputs} texts, {edits} edits");
    // A search that stays at the gate proves nothing.
    assert!(edits > inputs / 10, "{edits} edits of {inputs} texts");
}
