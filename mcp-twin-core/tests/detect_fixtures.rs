//! Configurations as clients really write them, each with what is to be found in it: `tests/config-detect`, or the folder
//! that `MCP_TWIN_FIXTURES` names. Nothing of them is put on the disk: the world around a configuration is a list of names.

#![allow(clippy::disallowed_methods, reason = "a test reads its fixtures; the core reads nothing")]
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

#[path = "detect_fixtures/world.rs"]
mod world;

use mcp_twin_core::detect::{Client, Configuration, ParseError, Parsed, Scope, Source, parse, settle};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;
use world::{Fixture, World};

#[test]
fn every_fixture_is_read_as_expected() {
    let folder = std::env::var_os("MCP_TWIN_FIXTURES")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config-detect")), PathBuf::from);
    let read =
        |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let expected: Map<String, Value> = serde_json::from_str(&read(folder.join("expected.json"))).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let fixtures: Vec<Fixture> = names
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "json") && !path.ends_with("expected.json"))
        .map(|path| serde_json::from_str(&read(path)).unwrap())
        .collect();
    assert!(!fixtures.is_empty(), "no fixtures in {}", folder.display());
    let (mut equal, mut report) = (0, String::new());
    for fixture in &fixtures {
        let differences = match expected.get(&fixture.id) {
            Some(wanted) => differences(fixture, wanted),
            None => vec!["expected.json does not name it".to_owned()],
        };
        equal += usize::from(differences.is_empty());
        for difference in differences {
            report.push_str(&format!("{}: {difference}\n", fixture.id));
        }
    }
    println!("fixtures: {equal} of {} equal\n{report}", fixtures.len());
    assert!(
        equal == fixtures.len() && equal == expected.len(),
        "{equal} of {} fixtures are read as expected",
        expected.len()
    );
}

fn differences(fixture: &Fixture, wanted: &Value) -> Vec<String> {
    let world = World::of(fixture);
    let wanted = world.filled(wanted);
    let found = found(fixture, &world);
    let mut out = Vec::new();
    compare("", &wanted, &found, &world, &mut out);
    out
}

/// Every field that is expected is there and the same. Names and flags are sets.
fn compare(at: &str, wanted: &Value, found: &Value, world: &World, out: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                match found.get(key) {
                    Some(other) => compare(&format!("{at}.{key}"), value, other, world, out),
                    None => out.push(format!("{at}.{key}: expected {value}, found nothing")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if at.ends_with("servers") => {
            if wanted.len() != found.len() {
                out.push(format!("{at}: expected {} servers, found {}", wanted.len(), found.len()));
            }
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{at}[{index}]"), wanted, found, world, out);
            }
        }
        (Value::Array(wanted), Value::Array(found))
            if ["flags", "env_keys", "header_keys"].iter().any(|key| at.ends_with(key)) =>
        {
            let set = |values: &[Value]| values.iter().map(|value| world.plain(value)).collect::<BTreeSet<_>>();
            if set(wanted) != set(found) {
                out.push(format!("{at}: expected {wanted:?}, found {found:?}"));
            }
        }
        _ if world.plain(wanted) == world.plain(found) => {}
        _ => out.push(format!("{at}: expected {wanted}, found {found}")),
    }
}

/// What detection makes of a fixture, in the form of the expectations.
fn found(fixture: &Fixture, world: &World) -> Value {
    let mut files: Vec<Configuration> = sources(fixture, world)
        .into_iter()
        .map(|source| {
            let parsed = parse(&source, world.content.as_bytes(), &world.machine());
            Configuration { source, parsed }
        })
        .collect();
    settle(&mut files);
    let with: Vec<&Parsed> = files.iter().map(|file| &file.parsed).filter(|parsed| parsed.found).collect();
    let keys = match with.as_slice() {
        [] => files.first().map(|file| file.parsed.servers_key.clone()).unwrap_or_default(),
        with => with.iter().map(|parsed| parsed.servers_key.as_str()).collect::<Vec<_>>().join(" + "),
    };
    let error = files.iter().find_map(|file| file.parsed.error.as_ref()).map(ParseError::code);
    let skipped: Vec<&str> = with.iter().flat_map(|parsed| parsed.skipped.iter().map(String::as_str)).collect();
    let error = match error {
        Some(code) => Some(code.rsplit("::").next().unwrap().replace('_', "-")),
        None if skipped.is_empty() => None,
        None => Some(format!("skipped:{}", skipped.join(","))),
    };
    let servers: Vec<Value> = with
        .iter()
        .flat_map(|parsed| &parsed.servers)
        .filter(|server| !server.hidden)
        .map(|server| serde_json::to_value(server).unwrap())
        .collect();
    serde_json::json!({ "servers_key": keys, "error": error, "servers": servers })
}

/// The sources that the client's row in the table gives for the fixture's path; where a file holds several scopes, those
/// that are asked for.
fn sources(fixture: &Fixture, world: &World) -> Vec<Source> {
    let Some(client) = Client::named(&fixture.client) else {
        println!("{}: no client is called {}", fixture.id, fixture.client);
        return Vec::new();
    };
    let machine = world.machine();
    let mut listed: Vec<Source> =
        client.sources(&machine).into_iter().filter(|source| world.is_its_path(&source.path)).collect();
    let scopes: BTreeSet<Scope> = listed.iter().map(|source| source.scope).collect();
    if scopes.len() > 1 {
        let asked: Vec<Source> = listed
            .iter()
            .filter(|source| fixture.scope.split('+').any(|scope| scope == source.scope.to_string()))
            .cloned()
            .collect();
        if !asked.is_empty() {
            listed = asked;
        }
    }
    if listed.is_empty() {
        let scope = match fixture.scope.as_str() {
            "local" => Scope::Local,
            "project" | "workspace" | "solution" | "repo" => Scope::Project,
            "managed" => Scope::Managed,
            "system" => Scope::System,
            "plugin" | "extension" => Scope::Plugin,
            "profile" => Scope::Profile,
            "agent" => Scope::Agent,
            _ => Scope::User,
        };
        println!("{}: {} is in no row of {}; read as one of scope {scope}", fixture.id, world.path, fixture.client);
        listed.extend(Source::named(client, scope, world.path.as_ref(), &machine));
    }
    listed
}
