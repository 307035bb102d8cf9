//! The way back from a file that somebody edited since.

use super::*;

const ENTRY: &str = "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"no\\u0064e\",\n      \"args\": [\"s.js\"],\n      \"env\": {\"X\": \"1\"}\n    },\n    \"b\": {\"command\": \"x\"}\n  }\n}\n";

fn json() -> (Wired, Site) {
    let site = site(Syntax::Json, "mcpServers/a", WORDS);
    (wired(ENTRY, &site, &run()), site)
}

/// The undo after an edit of the wired text.
fn after(wired: &Wired, edit: impl Fn(&str) -> String) -> Result<String, String> {
    let edited = edit(text(wired));
    assert_ne!(edited, text(wired), "the edit did nothing");
    match unwire(edited.as_bytes(), &wired.undo) {
        Ok(back) => {
            assert!(!back.exact);
            Ok(String::from_utf8(back.text).unwrap())
        }
        Err(error) => Err(format!("{}: {error}", error.code())),
    }
}

#[test]
fn what_others_changed_stays() {
    let (wired, _) = json();
    let same = |from: &str, to: &str| {
        let edit = |text: &str| text.replace(from, to);
        assert_eq!(after(&wired, edit).unwrap(), ENTRY.replace(from, to), "{from} to {to}");
    };
    same("\"X\": \"1\"", "\"X\": \"2\"");
    same("\"b\": {\"command\": \"x\"}", "\"b\": {\"command\": \"y\"},\n    \"c\": {}");
    same("\"s.js\"]", "\"s.js\", \"-v\"]");
    same("{\n  \"mcpServers\"", "{\n  \"theme\": \"dark\",\n  \"mcpServers\"");
}

#[test]
fn a_client_that_writes_the_file_anew() {
    let (wired, _) = json();
    let anew = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    assert_eq!(after(&wired, anew).unwrap(), anew(ENTRY).replace("\"node\"", "\"no\\u0064e\""));
    let without = "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"node\"\n    }\n  }\n}";
    let wired = super::wired(without, &site(Syntax::Json, "mcpServers/a", WORDS), &run());
    assert_eq!(after(&wired, anew).unwrap(), without);
    assert_eq!(
        after(&wired, |text| text.replace("\"node\"]", "\"node\", \"-v\"]")).unwrap(),
        without.replace("\"node\"", "\"node\",\n      \"args\": [\"-v\"]")
    );
}

#[test]
fn options_of_ours_and_a_new_server_behind_them() {
    let (wired, _) = json();
    let options = |text: &str| text.replace("\"run\", ", "\"run\", \"--watch\", \"src\", ");
    assert_eq!(after(&wired, options).unwrap(), ENTRY);
    let moved = |text: &str| text.replace("/opt/mcp-twin", "/usr/local/bin/mcp-twin");
    assert_eq!(after(&wired, moved).unwrap(), ENTRY);
    let other = |text: &str| text.replace("\"node\", \"s.js\"", "\"bun\", \"s.ts\"");
    assert_eq!(after(&wired, other).unwrap(), ENTRY.replace("no\\u0064e", "bun").replace("s.js", "s.ts"));
}

#[test]
fn an_entry_that_is_gone_or_not_ours() {
    let (wired, _) = json();
    let refused = |from: &str, to: &str, code: &str| {
        let said = after(&wired, |text| text.replace(from, to)).unwrap_err();
        assert!(said.starts_with(code), "{said}");
    };
    refused("\"a\"", "\"renamed\"", "wire::absent");
    refused("/opt/mcp-twin", "python", "wire::not_ours");
    refused("\"run\", \"--name\", \"n\", \"--\", \"node\", \"s.js\"", "\"status\"", "wire::not_ours");
    refused("\"node\", \"s.js\"", "", "wire::invalid");
    refused(", \"node\", \"s.js\"", "", "wire::not_ours");
    refused("\"b\"", "\"a\"", "wire::duplicate_key");
    refused("}\n}\n", "", "wire::invalid");
    // Somebody undid it by hand, to the byte or to the letter.
    assert_eq!(unwire(ENTRY.as_bytes(), &wired.undo).unwrap().text, ENTRY.as_bytes());
    refused(
        "\"/opt/mcp-twin\",\n      \"args\": [\"run\", \"--name\", \"n\", \"--\", \"node\", ",
        "\"node\",\n      \"args\": [",
        "wire::not_ours",
    );
}

#[test]
fn an_entry_of_a_list_is_found_by_its_name() {
    let before = "mcpServers:\n  - name: b\n    command: x\n  - name: a\n    command: node\n    args:\n      - s.js\n";
    let wired = super::wired(before, &site(Syntax::Yaml, "mcpServers/1", WORDS), &run());
    let gone = |text: &str| text.replace("  - name: b\n    command: x\n", "");
    assert_eq!(after(&wired, gone).unwrap(), gone(before));
    let more = |text: &str| {
        text.replace("mcpServers:\n", "mcpServers:\n  - name: c\n    command: /opt/mcp-twin\n    args: [run, --, q]\n")
    };
    assert_eq!(after(&wired, more).unwrap(), more(before));
    let said = after(&wired, |text| text.replace("name: a", "name: z")).unwrap_err();
    assert!(said.starts_with("wire::absent"), "{said}");
}

#[test]
fn arrays_addresses_and_the_other_syntaxes() {
    let array = "{\"mcp\": {\"a\": {\"command\": [\"node\", \"s.js\"], \"enabled\": true}}}\n";
    let wired = super::wired(array, &site(Syntax::Jsonc, "mcp/a", Shape::Array), &run());
    let off = |text: &str| text.replace("true", "false");
    assert_eq!(after(&wired, off).unwrap(), off(array));

    let address = "{\"m\": {\"a\": {\"url\": \"http:\\/\\/h\", \"timeout\": 5}}}\n";
    let to = Change::Address { url: "http://127.0.0.1:8001/mcp".to_owned() };
    let wired = super::wired(address, &site(Syntax::Json, "m/a", Shape::Url { url: "url" }), &to);
    let slower = |text: &str| text.replace(": 5", ": 50");
    assert_eq!(after(&wired, slower).unwrap(), slower(address));
    let said = after(&wired, |text| text.replace("8001", "8002")).unwrap_err();
    assert!(said.starts_with("wire::not_ours"), "{said}");

    let toml = "[mcp_servers.a]\ncommand = 'node' # it\n\n[mcp_servers.a.env]\nX = \"1\"\n";
    let wired = super::wired(toml, &site(Syntax::Toml, "mcp_servers/a", WORDS), &run());
    let more = |text: &str| format!("# top\n{text}\n[other]\ny = 2024-01-01\n");
    assert_eq!(after(&wired, more).unwrap(), more(toml));

    let yaml = "extensions:\n  a:\n    cmd: node\n    args: ~\n    envs: {X: y}\n";
    let wired = super::wired(yaml, &site(Syntax::Yaml, "extensions/a", Shape::Words { command: "cmd" }), &run());
    let more = |text: &str| text.replace("X: y", "X: z");
    assert_eq!(after(&wired, more).unwrap(), more(yaml));
    // As a client writes it anew: without the null, all in blocks.
    let anew = "extensions:\n  a:\n    cmd: /opt/mcp-twin\n    args:\n    - run\n    - --name\n    - n\n    - --\n    - node\n";
    assert_eq!(after(&wired, |_| anew.to_owned()).unwrap(), "extensions:\n  a:\n    cmd: node\n    args: []\n");
}
