//! Arbitrary bytes and spoiled configurations, read as every client would: there is always an answer, it is no panic, and
//! what it says holds together.

use super::Disk;
use crate::detect::launch::Look;
use crate::detect::{Client, Machine, Os, Source, parse};
use crate::testing::chance::{Chance, asked};
use std::path::{Path, PathBuf};

/// Inputs without the variable.
const SHORT: usize = 20_000;

/// No input is longer.
const LONGEST: usize = 16 << 10;

/// Pieces that mean something in one of the syntaxes or to one of the clients.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    " ",
    "#",
    "//",
    "/*",
    "*/",
    "\u{feff}",
    "\0",
    "é",
    "😀",
    "null",
    "true",
    "false",
    "42",
    "-1e9",
    "${",
    "}",
    "${X}",
    "${X:-",
    "${env:X}",
    "${input:i}",
    "${{ secrets.S }}",
    "$X",
    "$(",
    "{env:X}",
    "%X%",
    "${workspaceFolder}",
    "\"mcpServers\"",
    "\"servers\"",
    "\"command\"",
    "\"args\"",
    "\"env\"",
    "\"url\"",
    "\"type\"",
    "\"transport\"",
    "mcpServers:\n",
    "extensions:\n",
    "  - name: a\n",
    "    command: x\n",
    "<<: *a\n",
    "&a ",
    "*a",
    "|\n",
    ">-\n",
    "---\n",
    "!!binary ",
    "? ",
    "- ",
    "[mcp_servers.a]\n",
    "[[a]]\n",
    "a.b.c = 1\n",
    "'''",
    "\"\"\"",
    "\\u0000",
    "\\ud800",
    "../",
    "C:\\",
    "\\\\srv\\x",
    "~/",
    "\"\": ",
    "file:///",
    "http://u:p@h/?q#f",
    "[::1]",
    "--port",
    "&&",
    "|",
];

/// Configurations beside the fixtures, one for each shape.
const MORE: &[(&str, &str)] = &[
    ("librechat", "x: &d {command: node, args: [a.js]}\nmcpServers:\n  a:\n    <<: *d\n    env: {K: v}\n  b: *d\n"),
    (
        "goose",
        "extensions:\n  a:\n    type: stdio\n    cmd: npx\n    args: [-y, pkg]\n    envs: {A: b}\n    env_keys: [C]\n  b: {type: sse, uri: 'http://localhost:1'}\n",
    ),
    (
        "continue",
        "mcpServers:\n  - name: a\n    command: python\n    args:\n      - |\n        x\n  - name: b\n    url: https://b\n",
    ),
    (
        "codex",
        "[mcp_servers.a]\ncommand = 'x'\nargs = [\n 'a', # c\n]\nenv_vars = ['A', {name = 'B'}]\n[mcp_servers.b]\nurl = 'https://b'\nbearer_token_env_var = 'T'\n",
    ),
    (
        "zed",
        r#"{"context_servers": {"a": {"command": {"path": "x", "args": ["y"], "env": {"K": "v"}}}}, "amp.mcpServers": {"b": {"command": "b"}}}"#,
    ),
    (
        "opencode",
        r#"{"mcp": {"a": {"type": "local", "command": ["bun", "{env:X}"]}, "servers": {"b": {"type": "remote", "url": "https://b"}}}}"#,
    ),
    ("warp", r#"{"a": {"command": "x y 'z"}, "b": {"httpUrl": "wss://b", "headers": {"H": "${X}"}}}"#),
];

/// Configurations, each with the client that it is of, if it is of one.
fn seeds() -> Vec<(Option<Client>, Vec<u8>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config-detect"));
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures; the core reads nothing")]
    let files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    let content = |text: &String| {
        let fixture: serde_json::Value = serde_json::from_str(text).ok()?;
        let client = Client::named(fixture.get("client")?.as_str()?);
        Some((client, fixture.get("content")?.as_str()?.as_bytes().to_vec()))
    };
    let mut seeds: Vec<_> = files.iter().filter_map(content).collect();
    assert!(seeds.len() >= 43, "the fixtures are found");
    seeds.extend(MORE.iter().map(|(client, text)| (Client::named(client), text.as_bytes().to_vec())));
    seeds
}

/// An input: a seed as it is, spoiled, grown into another one, or no configuration at all.
fn input(seeds: &[(Option<Client>, Vec<u8>)], chance: &mut Chance) -> (Option<Client>, Vec<u8>) {
    let (client, mut input) = match chance.below(20) {
        0 => (None, (0..chance.below(200)).map(|_| chance.next() as u8).collect()),
        1 => (None, (0..chance.below(60)).flat_map(|_| chance.pick(PIECES).bytes()).collect()),
        _ => chance.pick(seeds).clone(),
    };
    for _ in 0..chance.below(6) {
        let (from, to) = (chance.below(input.len() + 1), chance.below(input.len() + 1));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 300));
        match chance.below(8) {
            0 => {
                input.drain(from..to);
            }
            1 => {
                let copy = input[from..to].to_vec();
                input.splice(from..from, copy);
            }
            2 => {
                let (_, other) = chance.pick(seeds);
                let at = chance.below(other.len());
                input.truncate(from);
                input.extend_from_slice(&other[at..]);
            }
            3 if !input.is_empty() => {
                let at = chance.below(input.len());
                input[at] = chance.next() as u8;
            }
            4 => {
                let piece = chance.pick(PIECES).repeat(1 + chance.below(200));
                input.splice(from..from, piece.into_bytes());
            }
            _ => {
                let piece = chance.pick(PIECES);
                input.splice(from..from, piece.bytes());
            }
        }
    }
    input.truncate(LONGEST);
    (client, input)
}

/// Looks at what an answer says of itself.
fn check(source: &Source, bytes: &[u8], machine: &Machine<'_>) -> usize {
    let parsed = parse(source, bytes, machine);
    let again = parse(source, bytes, machine);
    assert_eq!(parsed, again, "the same file is read in the same way");
    assert!(parsed.error.is_none() || parsed.servers.is_empty(), "servers of a file that its client refuses");
    assert!(parsed.found || parsed.servers.is_empty(), "servers from nowhere");
    for server in &parsed.servers {
        assert_eq!(server.is_stdio(), server.launch.is_some(), "{}", server.name);
        assert_eq!(server.is_stdio(), server.url.is_none(), "{}", server.name);
        assert_eq!(server.is_stdio(), !server.argv.is_empty(), "{}", server.name);
        assert!(!server.site.path.is_empty(), "an entry that is the file");
        serde_json::to_string(server).unwrap();
    }
    if let Some((line, column)) = parsed.error.as_ref().and_then(crate::detect::ParseError::position) {
        assert!(line >= 1 && column >= 1 && line <= bytes.len() + 2, "line {line}, column {column}");
    }
    parsed.servers.len()
}

#[test]
fn whatever_is_in_a_file_there_is_an_answer() {
    let inputs = asked("MCP_TWIN_FUZZ_INPUTS", SHORT);
    let seed = asked("MCP_TWIN_FUZZ_SEED", 1) as u64;
    let seeds = seeds();
    let disks = [Disk::new(), Disk::windows(), Disk::new().os(Os::Macos).without_project()]
        .map(|disk| disk.env(&[("X", "x"), ("S", "${X}")]));
    let sources: Vec<Vec<Source>> = disks
        .iter()
        .map(|disk| {
            let machine = disk.machine();
            Client::all().flat_map(|client| client.sources(&machine)).collect()
        })
        .collect();
    let mut found = 0;
    for number in 0..inputs as u64 {
        // Each input has a seed of its own, by which it is found again.
        let mut chance = Chance(seed.wrapping_add(number.wrapping_mul(0x1_0000_0001)));
        let (client, bytes) = input(&seeds, &mut chance);
        let at = chance.below(disks.len());
        let machine = disks[at].machine();
        // Mostly as its own client reads it, now and then as another one would.
        let own = client.filter(|_| !chance.one_in(4)).map(|client| client.sources(&machine));
        let own = own.filter(|own| !own.is_empty());
        let source = chance.pick(own.as_ref().unwrap_or(&sources[at])).clone();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&source, &bytes, &machine)));
        match checked {
            Ok(servers) => found += servers,
            Err(panic) => {
                eprintln!("input {number}, seed {seed}, {source:?}:\n{:?}", String::from_utf8_lossy(&bytes));
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("{inputs} files, {found} servers found in them");
    assert!(found > inputs / 8, "a search that stays at the gate proves nothing: {found} servers");
}

#[test]
fn no_place_in_the_table_leads_out_of_its_folders() {
    // A folder whose names are made to be trouble.
    struct Odd;
    impl Look for Odd {
        fn exists(&self, _path: &Path) -> bool {
            true
        }
        fn is_dir(&self, _path: &Path) -> bool {
            true
        }
        fn read_small(&self, _path: &Path) -> Option<String> {
            None
        }
        fn names(&self, _folder: &Path) -> Vec<String> {
            ["..", ".", "", "*", "a/b", "x.json", "é.yaml", "a.code-workspace"].map(str::to_owned).to_vec()
        }
    }
    impl crate::detect::Browse for Odd {
        fn read(&self, _path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
            Ok(None)
        }
    }
    let (home, project) = (PathBuf::from("/h"), PathBuf::from("/h/p"));
    let machine = Machine { os: Os::Linux, home: &home, project: Some(&project), env: &|_: &str| None, look: &Odd };
    for source in crate::detect::sources(&machine) {
        let path = source.path.to_string_lossy().into_owned();
        assert!(path.starts_with('/') && !path.contains(['*', '{', '$', '~']), "{path}");
        assert!(!path.split('/').any(|part| part == ".."), "{path}");
    }
}
