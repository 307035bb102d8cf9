//! Every entry of every configuration among the fixtures of detection.

use super::reading::{read, sites};
use super::{check, check_after, check_cut};
use mcp_twin_core::detect::Syntax;
use mcp_twin_core::wire::wire;

fn fixtures() -> Vec<(String, Syntax, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config-detect");
    #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
    let files = std::fs::read_dir(folder).expect("the fixtures are there");
    let mut all: Vec<_> = files
        .filter_map(|file| {
            let path = file.expect("it can be listed").path();
            let name = path.file_name()?.to_str()?.to_owned();
            if !name.ends_with(".json") || name == "expected.json" {
                return None;
            }
            #[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let fixture: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            let syntax = match fixture["format"].as_str()? {
                "json" => Syntax::Json,
                "jsonc" => Syntax::Jsonc,
                "toml" => Syntax::Toml,
                _ => Syntax::Yaml,
            };
            Some((name, syntax, fixture["content"].as_str()?.to_owned()))
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn wiring_and_back_changes_no_byte() {
    let (mut entries, mut refused) = (0, Vec::new());
    for (name, syntax, text) in fixtures() {
        for site in sites(&text, syntax) {
            match wire(text.as_bytes(), &site, &super::change(site.shape)) {
                Ok(_) => {
                    check(&text, &site);
                    entries += 1;
                }
                Err(error) => refused.push(format!("{} {}", &name[..3], error.code())),
            }
        }
    }
    assert!(entries > 50, "{entries} entries");
    // Two are one key; one is wired already, the other of its file too. All the rest can be changed.
    assert_eq!(refused, ["079 wire::duplicate_key", "081 wire::already", "081 wire::already"]);
}

#[test]
fn what_is_edited_elsewhere_stays() {
    for (_, syntax, text) in fixtures() {
        for site in sites(&text, syntax) {
            let Ok(wired) = wire(text.as_bytes(), &site, &super::change(site.shape)) else { continue };
            let after = String::from_utf8(wired.text).expect("it is text");
            let add = |text: &str| match syntax {
                Syntax::Json | Syntax::Jsonc => text.replacen('{', "{\"added\": [1, {\"x\": \"y\"}],", 1),
                Syntax::Toml => format!("added = \"x\"\n{text}"),
                Syntax::Yaml => format!("{text}\nadded: x\n"),
            };
            let want = read(&add(&text), syntax).expect("it is valid");
            let back = check_after(&add(&after), &wired.undo, &want, &site);
            assert_eq!(back, add(&text), "more than the entry changed its bytes");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_never_made_worse() {
    for (_, syntax, text) in fixtures() {
        for site in sites(&text, syntax) {
            (0..text.len()).step_by(7).for_each(|at| check_cut(&text, &site, at));
        }
    }
}
