//! Entries of our own: what they look like, and that they leave nothing.

use super::super::{insert, shadow};
use super::*;
use serde_json::json;

fn added(text: &str, syntax: Syntax, at: &str) -> String {
    let entry = json!({"type": "stdio", "command": "/opt/mcp-twin", "args": ["run", "--name", "n", "--", "node"], "env": {"T": "${T}"}});
    let steps: Vec<_> = at.split('|').map(|key| Step::Key(key.to_owned())).collect();
    let added = insert(text.as_bytes(), syntax, &steps, &entry).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(added.undo.added());
    let back = unwire(&added.text, &added.undo).unwrap();
    assert!(back.exact && back.text == text.as_bytes(), "{text}");
    let after = String::from_utf8(added.text.clone()).unwrap();
    let structure = by_structure(&added.text, &added.undo);
    let rest = if structure == text { String::new() } else { format!("<=\n{structure}\n") };
    format!("{text}\n=>\n{after}\n{rest}----\n").replace('\r', "\\r")
}

#[test]
fn in_every_place() {
    let claude = "projects|/home/u/p.q|mcpServers|a";
    let json = [
        ("{}", "mcpServers|a"),
        ("{}\n", claude),
        ("{\n}\n", claude),
        ("{\"numStartups\":3}", claude),
        (
            "{\n  \"projects\": {\n    \"/home/u/p.q\": {\n      \"mcpServers\": {},\n      \"history\": [\n        \"x\"\n      ]\n    }\n  },\n  \"userID\": \"x\"\n}\n",
            claude,
        ),
        (
            "{\r\n\t\"projects\": {\r\n\t\t\"/home/u/p.q\": {\r\n\t\t\t\"mcpServers\": {\r\n\t\t\t\t\"b\": {}\r\n\t\t\t}\r\n\t\t}\r\n\t}\r\n}\r\n",
            claude,
        ),
        ("{\n  \"projects\": {\n    \"/x\": {\"mcpServers\": {\"b\": {}}}\n  }\n}", claude),
        ("{\n  \"projects\": {\"/home/u/p.q\": {\"mcpServers\": {\"b\": {\"command\": \"x\"}}}}\n}\n", claude),
    ];
    let mut made: String = json.iter().map(|(text, at)| added(text, Syntax::Json, at)).collect();
    made.push_str(&added("{\n  // these\n  \"servers\": { // none\n  },\n}\n", Syntax::Jsonc, "servers|a"));
    made.push_str(&added("{\n  \"servers\": {\n    \"b\": {}, // last\n  },\n}\n", Syntax::Jsonc, "servers|a"));
    for text in
        ["", "model = \"x\"\n", "[mcp_servers.b]\ncommand = \"x\"", "[mcp_servers.b]\r\ncommand = \"x\"\r\n\r\n"]
    {
        made.push_str(&added(text, Syntax::Toml, "mcp_servers|a.b"));
    }
    for text in [
        "extensions:\n  b:\n    cmd: x\n",
        "extensions: {}\n",
        "x: |\n  y\n",
        "extensions:\n  b:\n    args:\n    - x # last\nother: 1",
    ] {
        made.push_str(&added(text, Syntax::Yaml, "extensions|yes"));
    }
    insta::assert_snapshot!(made);
}

#[test]
fn what_is_there_or_no_object_is_refused() {
    let code = |text: &str, at: &str| {
        let steps: Vec<_> = at.split('|').map(|key| Step::Key(key.to_owned())).collect();
        insert(text.as_bytes(), Syntax::Json, &steps, &json!({})).unwrap_err().code()
    };
    assert_eq!(code("{\"m\": {\"a\": null}}", "m|a"), "wire::exists");
    assert_eq!(code("{\"m\": []}", "m|a"), "wire::shape");
    assert_eq!(code("{\"m\": {}, \"m\": {}}", "m|a"), "wire::duplicate_key");
    assert_eq!(code("{\"m\": {}", "m|a"), "wire::invalid");
    let list = [Step::Key("m".to_owned()), Step::Index(0)];
    assert_eq!(insert(b"{\"m\": []}", Syntax::Json, &list, &json!({})).unwrap_err().code(), "wire::shape");
    // A table in braces has no room for one with a header.
    let steps = path("m/a");
    assert_eq!(insert(b"m = {}\n", Syntax::Toml, &steps, &json!({"command": "x"})).unwrap_err().code(), "wire::shape");
    assert_eq!(insert(b"x = 1\n", Syntax::Toml, &steps, &json!({"command": null})).unwrap_err().code(), "wire::shape");
    assert_eq!(insert(b"m:\n", Syntax::Yaml, &steps, &json!({"command": "x"})).unwrap_err().code(), "wire::shape");
}

#[test]
fn what_others_put_beside_it_stays() {
    let entry = json!({"command": "/opt/mcp-twin", "args": ["run", "--", "x"]});
    let steps: Vec<_> =
        ["projects", "/p", "mcpServers", "a"].into_iter().map(|key| Step::Key(key.to_owned())).collect();
    let added = insert(b"{\n  \"x\": 1\n}\n", Syntax::Json, &steps, &entry).unwrap();
    let edit = |from: &str, to: &str| {
        let text = std::str::from_utf8(&added.text).unwrap().replace(from, to);
        unwire(text.as_bytes(), &added.undo).map(|back| String::from_utf8(back.text).unwrap())
    };
    // The project has got a history: it stays, with its now empty servers gone.
    let back = edit("\"/p\": {", "\"/p\": {\n      \"history\": [],").unwrap();
    assert_eq!(back, "{\n  \"x\": 1,\n  \"projects\": {\n    \"/p\": {\n      \"history\": []\n    }\n  }\n}\n");
    assert_eq!(edit("\"x\": 1", "\"x\": 2").unwrap(), "{\n  \"x\": 2\n}\n");
    assert_eq!(edit("/opt/mcp-twin", "other").unwrap_err().code(), "wire::not_ours");
    assert_eq!(edit("\"a\"", "\"b\"").unwrap_err().code(), "wire::absent");
}

#[test]
fn a_shadow_takes_over_what_is_no_secret() {
    let source = json!({
        "type": "stdio", "command": "node", "args": ["s.js", "${PORT:-1}"], "timeout": 5,
        "env": {"A": "${TOKEN}", "B": "sk-123", "C": "${X}${Y}", "D": "${X:-secret}", "E": "", "F": 1, "G": "x${X}"},
    });
    let shadow = shadow(&source, "/opt/mcp-twin", "n").unwrap();
    assert_eq!(
        shadow.entry,
        json!({
            "type": "stdio", "command": "/opt/mcp-twin",
            "args": ["run", "--name", "n", "--", "node", "s.js", "${PORT:-1}"],
            "env": {"A": "${TOKEN}", "C": "${X}${Y}"}, "timeout": 5,
        })
    );
    assert_eq!(shadow.missing, ["B", "D", "E", "F", "G"]);
    assert_eq!(super::super::shadow(&json!({"url": "http://x"}), "/opt/mcp-twin", "n"), None);
    assert_eq!(super::super::shadow(&json!({"command": "x", "args": "y"}), "/opt/mcp-twin", "n"), None);
}
