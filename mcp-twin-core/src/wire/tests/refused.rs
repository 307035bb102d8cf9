//! What is refused, with which code, and what is said.

use super::*;

fn refusal(text: &str, site: &Site, change: &Change) -> String {
    let error = wire(text.as_bytes(), site, change).expect_err(text);
    format!("{}: {error}", error.code())
}

#[test]
fn a_key_that_stands_twice_where_it_matters() {
    let json = [
        r#"{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}"#,
        r#"{"mcpServers": {"a": {"command": "x", "command": "y"}}}"#,
        r#"{"mcpServers": {"a": {"command": "x", "env": {"X": "1", "\u0058": "2"}}}}"#,
        r#"{"mcpServers": {"a": {"command": "x"}}, "mcpServers": {}}"#,
        r#"{"mcpServers": {"a": {"command": "x"}, "b": {"command": "x", "command": "y"}}}"#,
        r#"{"other": 1, "other": 2, "mcpServers": {"a": {"command": "x"}}}"#,
    ];
    for text in json {
        let said = refusal(text, &site(Syntax::Json, "mcpServers/a", WORDS), &run());
        assert!(said.starts_with("wire::duplicate_key: line 1, column "), "{said}");
    }
    let toml = "[mcp_servers.a]\ncommand = \"x\"\ncommand = \"y\"\n";
    let said = refusal(toml, &site(Syntax::Toml, "mcp_servers/a", WORDS), &run());
    assert!(said.starts_with("wire::duplicate_key: line 3, column 1: the key `command`"), "{said}");
    let yaml = "extensions:\n  a:\n    cmd: x\n    cmd: y\n";
    let said = refusal(yaml, &site(Syntax::Yaml, "extensions/a", Shape::Words { command: "cmd" }), &run());
    assert!(said.starts_with("wire::duplicate_key: line 4, column 5: the key `cmd`"), "{said}");
    // Elsewhere it is nobody's business of ours.
    let text = r#"{"editor": {"x": 1, "x": 2}, "mcpServers": {"a": {"command": "x"}}}"#;
    wired(text, &site(Syntax::Json, "mcpServers/a", WORDS), &run());
}

#[test]
fn text_that_is_not_valid() {
    let json = |text: &str| refusal(text, &site(Syntax::Json, "mcpServers/a", WORDS), &run());
    assert!(
        json("{\n  // no\n}").starts_with("wire::invalid: line 2, column 3: not valid JSON: "),
        "{}",
        json("{\n  // no\n}")
    );
    for text in [
        "",
        " \n",
        "{\"a\": 1,}",
        "{a: 1}",
        "{'a': 1}",
        "{\"a\": 0x1}",
        "{\"a\" 1}",
        "[1 2]",
        "{\"a\": +1}",
        "{} {}",
        "{\"a\": \"\u{1}\"}",
    ] {
        assert!(json(text).starts_with("wire::invalid: line "), "{text}: {}", json(text));
    }
    let toml = refusal("a = 1\nb = \n", &site(Syntax::Toml, "mcp_servers/a", WORDS), &run());
    assert!(toml.starts_with("wire::invalid: line 2, column "), "{toml}");
    for text in ["a: [\n", "a: {b\n- c", "a: b\n---\nc: d\n", "a: *nowhere\n", "a:\n  b: {command: x}\n\tc: d\n"] {
        let yaml = refusal(text, &site(Syntax::Yaml, "a/b", WORDS), &run());
        assert!(yaml.starts_with("wire::invalid: line "), "{text}: {yaml}");
    }
    let error = wire(b"{\"a\": \"\xff\"}", &site(Syntax::Json, "a", WORDS), &run()).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("column 8")), ("wire::invalid", true), "{error}");
    let deep = "[".repeat(100_000);
    for syntax in [Syntax::Json, Syntax::Jsonc, Syntax::Toml, Syntax::Yaml] {
        let deep = if syntax == Syntax::Toml { format!("a = {deep}") } else { deep.clone() };
        assert!(refusal(&deep, &site(syntax, "a", WORDS), &run()).starts_with("wire::invalid"), "{syntax:?}");
    }
    let large = vec![b' '; crate::wire::MOST + 1];
    assert_eq!(wire(&large, &site(Syntax::Json, "a", WORDS), &run()).unwrap_err().code(), "wire::too_large");
}

#[test]
fn entries_that_cannot_be_wired() {
    let json = |text: &str, at: &str, shape: Shape| refusal(text, &site(Syntax::Json, at, shape), &run());
    let servers = |entry: &str| format!("{{\"mcpServers\": {{\"a\": {entry}}}}}");
    let table: &[(&str, &str, Shape)] = &[
        ("42", "wire::shape", WORDS),
        ("{}", "wire::shape", WORDS),
        (r#"{"command": 1}"#, "wire::shape", WORDS),
        (r#"{"command": " "}"#, "wire::shape", WORDS),
        (r#"{"command": "x", "args": "y"}"#, "wire::shape", WORDS),
        (r#"{"command": "x"}"#, "wire::shape", Shape::Array),
        (r#"{"command": []}"#, "wire::shape", Shape::Array),
        (r#"{"command": "x"}"#, "wire::shape", Shape::Program),
        (r#"{"url": "http://x"}"#, "wire::shape", Shape::Url { url: "url" }),
        (r#"{"command": "mcp-twin", "args": ["run", "--", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "/a/mcp-twin", "args": ["run", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "C:\\b\\MCP-Twin.exe", "args": ["run", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "C:\\Program Files\\mcp-twin.exe", "args": ["run", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "npx", "args": ["-y", "mcp-twin@2", "run", "--", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "npx", "args": ["mcp-twin", "run", "--", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": "cmd", "args": ["/c", "npx", "-y", "mcp-twin", "run", "--", "x"]}"#, "wire::already", WORDS),
        (r#"{"command": ["mcp-twin", "run", "--", "x"]}"#, "wire::already", Shape::Array),
        (r#"{"command": {"path": "mcp-twin", "args": ["run"]}}"#, "wire::already", Shape::Program),
    ];
    for (entry, code, shape) in table {
        let said = json(&servers(entry), "mcpServers/a", *shape);
        assert!(said.starts_with(code), "{entry}: {said}");
    }
    assert!(
        json(&servers("{}"), "mcpServers/b", WORDS).starts_with("wire::absent: there is no entry at `mcpServers.b`")
    );
    assert!(json("[]", "mcpServers/b", WORDS).starts_with("wire::absent"));
    // What only looks like it.
    wired(
        &servers(r#"{"command": "npx", "args": ["x", "mcp-twin"]}"#),
        &site(Syntax::Json, "mcpServers/a", WORDS),
        &run(),
    );
    wired(&servers(r#"{"command": "my-mcp-twin"}"#), &site(Syntax::Json, "mcpServers/a", WORDS), &run());
    let address = Change::Address { url: "http://x".to_owned() };
    let url = site(Syntax::Json, "mcpServers/a", Shape::Url { url: "url" });
    assert!(refusal(&servers(r#"{"url": "http://x"}"#), &url, &address).starts_with("wire::already"));
    assert!(
        refusal(&servers(r#"{"url": "http://x"}"#), &site(Syntax::Json, "mcpServers/a", WORDS), &address)
            .starts_with("wire::shape")
    );
}

#[test]
fn yaml_that_others_share() {
    let yaml = |text: &str| refusal(text, &site(Syntax::Yaml, "s/a", WORDS), &run());
    // The edit would change `b` as well: the proof sees it.
    let anchored = "s:\n  a: &a\n    command: node\n    args: [x]\n  b: *a\n";
    assert!(
        yaml(anchored).starts_with("wire::shape: `s.a` cannot be changed safely: others use it"),
        "{}",
        yaml(anchored)
    );
    let args = "s:\n  a:\n    command: node\n    args: &x [y]\n  b:\n    command: node\n    args: *x\n";
    assert!(yaml(args).starts_with("wire::shape"), "{}", yaml(args));
    let alias = "s:\n  b: &b {command: node}\n  a: *b\n";
    assert!(yaml(alias).starts_with("wire::shape: `s.a` cannot be changed safely: it is an alias"), "{}", yaml(alias));
    let block = "s:\n  a:\n    command: |-\n      node\n";
    assert!(yaml(block).starts_with("wire::shape"), "{}", yaml(block));
    let bomb = "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g]\ns:\n  a: {command: x}\n";
    assert!(yaml(bomb).starts_with("wire::invalid"), "{}", yaml(bomb));
}
