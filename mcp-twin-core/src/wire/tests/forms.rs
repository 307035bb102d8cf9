//! What an edit makes of each form that an entry is written in: the text after it, and the same text again by structure.

use super::*;

/// Each form, what comes of it, and what is different after the undo by structure, if anything is.
fn table(syntax: Syntax, at: &str, shape: Shape, change: &Change, forms: &[&str]) -> String {
    let mut out = String::new();
    for form in forms {
        let wired = wired(form, &site(syntax, at, shape), change);
        let back = by_structure(&wired.text, &wired.undo);
        out.push_str(&format!("{form}\n=>\n{}\n", text(&wired)));
        if back != *form {
            out.push_str(&format!("<=\n{back}\n"));
        }
        out.push_str("----\n");
    }
    out.replace('\r', "\\r").replace('\t', "\\t").replace('\u{feff}', "\\u{feff}")
}

#[test]
fn json() {
    let made = table(
        Syntax::Json,
        "mcpServers/a",
        WORDS,
        &run(),
        &[
            "{\"mcpServers\":{\"a\":{\"command\":\"node\",\"args\":[\"s.js\",\"-v\"]}}}",
            "{\"mcpServers\":{\"a\":{\"command\":\"node\",\"args\":[\"s.js\"],\"env\":{}}}}\n",
            "{\"mcpServers\":{\"a\":{\"command\":\"node\"}}}",
            "{\"mcpServers\": {\"a\": {\"args\": [\"s.js\"], \"command\": \"node\"}}}",
            "{\"mcpServers\": {\"a\": {\"command\": \"node\", \"args\": []}}}",
            "{\"mcpServers\": {\"a\": {\"command\": \"node\", \"args\": null}}}",
            "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"node\",\n      \"args\": [\n        \"s.js\",\n        \"-v\"\n      ],\n      \"env\": {\"X\": \"1\"}\n    }\n  }\n}\n",
            "{\n\t\"mcpServers\": {\n\t\t\"a\": {\n\t\t\t\"command\": \"node\",\n\t\t\t\"args\": [\"s.js\", \"-v\"]\n\t\t}\n\t}\n}",
            "{\r\n    \"mcpServers\": {\r\n        \"a\": {\r\n            \"command\": \"node\"\r\n        }\r\n    }\r\n}\r\n",
            "\u{feff}{\r\n    \"mcpServers\": {\r\n        \"a\": {\r\n            \"command\": \"node\",\r\n            \"args\": [\r\n                \"s.js\"\r\n            ]\r\n        }\r\n    }\r\n}\r\n",
            "{\n  \"mcpServers\": {\n    \"b\": {\n      \"command\": \"x\",\n      \"args\": [\n        \"y\"\n      ]\n    },\n    \"a\": {\n      \"type\": \"stdio\",\n      \"command\": \"node\"\n    }\n  }\n}\n",
            "{\"mcpServers\": {\"a\": {\"command\": \"C:\\\\bin\\\\n\\u00f6de.exe\", \"args\": [ \"s.js\" ]}}}",
            "{\"mcpServers\": {\"a\": {\"command\": \"node s.js\"}}}",
        ],
    );
    insta::assert_snapshot!(made);
}

#[test]
fn json_with_comments() {
    let made = table(
        Syntax::Jsonc,
        "servers/a",
        WORDS,
        &run(),
        &[
            "{\n  // all of them\n  \"servers\": {\n    \"a\": { // this one\n      \"command\": \"node\", // the command\n      \"args\": [ // the args\n        // the script\n        \"s.js\", // it\n        /* last */ \"-v\",\n      ],\n    },\n  },\n}\n",
            "{\n  \"servers\": {\n    \"a\": {\n      \"command\": \"node\" // no args\n    }\n  }\n}\n",
            "{\n  \"servers\": {\n    \"a\": {\n      \"command\": \"node\", // no args\n      /* and */ \"env\": {}\n    }\n  }\n}\n",
            "{\n  \"servers\": {\n    \"a\": { \"command\": /* c */ \"node\" /* d */, }\n  }\n}\n",
            "{\n  \"servers\": {\n    \"a\": { \"command\": \"node\", \"args\": [/* none */] }\n  }\n}\n",
            "{\n  \"servers\": {\n    \"a\": { \"command\": \"node\", \"args\": [\n      // none\n    ] }\n  }\n}\n",
            "{\n  \"servers\": {\n    \"a\": { \"command\": \"node\", \"args\": [ /* a\n b */ \"s.js\" ] }\n  }\n}\n",
        ],
    );
    insta::assert_snapshot!(made);
}

#[test]
fn other_shapes_of_json() {
    let array = table(
        Syntax::Jsonc,
        "mcp/a",
        Shape::Array,
        &run(),
        &[
            "{\n  \"mcp\": {\n    \"a\": {\"type\": \"local\", \"command\": [\"node\", \"s.js\"], \"enabled\": true}\n  }\n}\n",
            "{\n  \"mcp\": {\n    \"a\": {\n      \"command\": [\n        \"node\", // it\n        \"s.js\"\n      ]\n    }\n  }\n}\n",
        ],
    );
    let program = table(
        Syntax::Jsonc,
        "context_servers/a",
        Shape::Program,
        &run(),
        &[
            "{\n  \"context_servers\": {\n    \"a\": {\"command\": {\"path\": \"node\", \"args\": [\"s.js\"], \"env\": {}}, \"settings\": {}}\n  }\n}\n",
            "{\n  \"context_servers\": {\n    \"a\": {\n      \"command\": {\n        \"path\": \"node\"\n      }\n    }\n  }\n}\n",
        ],
    );
    let nested = table(
        Syntax::Json,
        "mcpServers/a/transport",
        WORDS,
        &run(),
        &[
            "{\n  \"mcpServers\": {\n    \"a\": {\n      \"transport\": {\n        \"type\": \"stdio\",\n        \"command\": \"node\",\n        \"args\": [\"s.js\"]\n      }\n    }\n  }\n}\n",
        ],
    );
    let address = table(
        Syntax::Json,
        "mcpServers/a",
        Shape::Url { url: "httpUrl" },
        &Change::Address { url: "http://127.0.0.1:8001/mcp".to_owned() },
        &["{\"mcpServers\": {\"a\": {\"httpUrl\": \"http:\\/\\/localhost:3000\\/mcp?k=1\", \"timeout\": 5}}}"],
    );
    let dotted = table(
        Syntax::Jsonc,
        "amp.mcpServers/a",
        WORDS,
        &run(),
        &["{\"amp.mcpServers\": {\"a\": {\"command\": \"node\", \"args\": [\"s.js\"]}},}"],
    );
    let split = Change::Run {
        program: "/opt/mcp-twin".to_owned(),
        name: "n".to_owned(),
        words: Some(vec!["node".to_owned(), "my server.js".to_owned()]),
    };
    let split = table(
        Syntax::Json,
        "mcpServers/a",
        WORDS,
        &split,
        &[
            "{\"mcpServers\": {\"a\": {\"command\": \"node 'my server.js'\", \"args\": [\"-v\"]}}}",
            "{\"mcpServers\": {\"a\": {\"command\": \"node 'my server.js'\"}}}",
        ],
    );
    let made = [array, program, nested, address, dotted, split].concat();
    insta::assert_snapshot!(made);
}

#[test]
fn toml() {
    let made = table(
        Syntax::Toml,
        "mcp_servers/a",
        WORDS,
        &run(),
        &[
            "# top\n[mcp_servers.a] # this\ncommand = \"node\" # the command\nargs = [\"s.js\", \"-v\"] # the args\n\n[mcp_servers.a.env]\nX = \"1\"\n",
            "[mcp_servers.a]\ncommand = 'node'\nargs = [\n  # the script\n  's.js', # it\n  '-v',\n]\n",
            "[mcp_servers.a]\ncommand = \"node\" # no args\nenv = { X = \"1\" }\n",
            "[mcp_servers.a]\r\ncommand = \"node\"",
            "mcp_servers.a.command = \"node\"\nmcp_servers.a.cwd = \"/x\"\n",
            "[mcp_servers]\n\"a\".\"command\"   =   \"node\"\n",
            "mcp_servers = { a = { command = \"node\", args = [\"s.js\"] }, b = { command = \"x\" } }\n",
            "mcp_servers = { a = { command = \"node\" } }\n",
            "mcp_servers = { a.command = \"node\", b.command = \"x\" }\n",
            "[mcp_servers.b]\ncommand = \"x\"\nargs = [\n    \"y\",\n]\n\n[mcp_servers.a]\ncommand = \"\"\"node\"\"\"\n",
            "[mcp_servers.a.env]\nX = \"1\"\n[mcp_servers.a]\ncommand = \"node\"\nargs = []\n[other]\n",
        ],
    );
    insta::assert_snapshot!(made);
}

#[test]
fn yaml() {
    let goose = table(
        Syntax::Yaml,
        "extensions/a",
        Shape::Words { command: "cmd" },
        &run(),
        &[
            "# top\nextensions:\n  a: # this\n    type: stdio\n    cmd: node # the command\n    args: # the args\n      # the script\n      - s.js # it\n      - -v\n    envs: {}\n  b:\n    cmd: x\n",
            "extensions:\n  a:\n    cmd: 'node'\n    args:\n    - 's.js'\n    enabled: true\n",
            "extensions:\n  a:\n    cmd: \"node\"\n    args: [\"s.js\", -v] # flow\n",
            "extensions:\n  a:\n    enabled: true\n    cmd: node # no args",
            "extensions:\r\n  a:\r\n    cmd: node\r\n    enabled: true\r\n",
            "extensions:\n  a:\n    cmd: node\n    args: []\n",
            "extensions:\n  a:\n    cmd: node\n    args:\n    enabled: true\n",
            "extensions:\n  a:\n    cmd: node\n    args: ~\n",
            "extensions: {a: {cmd: node, args: [s.js], enabled: true}}\n",
            "extensions: {a: {cmd: node}}\n",
            "---\nextensions:\n  a:\n    cmd: !!str node\n    args: !!seq\n      - &x s.js\n      - *x\n",
        ],
    );
    let list = table(
        Syntax::Yaml,
        "mcpServers/1",
        WORDS,
        &run(),
        &[
            "mcpServers:\n  - name: b\n    command: x\n  # this\n  - name: a\n    command: node\n    args:\n      - s.js\n    env:\n      KEY: |\n        two\n        lines\n",
            "mcpServers:\n- name: b\n  command: x\n- command: node\n  name: a\n",
            "mcpServers:\n- {name: b}\n- {name: a, command: node}\n",
        ],
    );
    let merged = table(
        Syntax::Yaml,
        "mcpServers/a",
        WORDS,
        &run(),
        &[
            "base: &base\n  command: node\n  args: [s.js]\nmcpServers:\n  a:\n    <<: *base\n    env: {X: y}\n",
            "base: &base\n  command: node\nmcpServers:\n  a:\n    <<: *base\n    args:\n      - s.js\n",
            "base: &base {command: node}\nmcpServers:\n  a: {args: [s.js], <<: *base}\n",
            "base: &args [s.js, -v]\nmcpServers:\n  a:\n    command: node\n    args: *args\n  b:\n    command: node\n    args: *args\n",
            "base: &base\n  args: [s.js]\nmcpServers:\n  a: # it\n    <<: *base\n    command: node\n",
        ],
    );
    let made = [goose, list, merged].concat();
    insta::assert_snapshot!(made);
}

#[test]
fn the_command_as_it_is_written() {
    let written =
        |syntax, text: &str, at: &str, shape| super::super::command(text.as_bytes(), &site(syntax, at, shape));
    let json =
        r#"{"m": {"a": {"command": "node ${X}/s.js"}, "b": {"command": ["node"]}, "z": {"command": {"path": "p q"}}}}"#;
    assert_eq!(written(Syntax::Json, json, "m/a", WORDS), Ok(Some("node ${X}/s.js".to_owned())));
    assert_eq!(written(Syntax::Json, json, "m/b", Shape::Array), Ok(None));
    assert_eq!(written(Syntax::Json, json, "m/z", Shape::Program), Ok(Some("p q".to_owned())));
    let yaml = "base: &b\n  cmd: node s.js\ne:\n  a:\n    <<: *b\n    args: []\n";
    assert_eq!(written(Syntax::Yaml, yaml, "e/a", Shape::Words { command: "cmd" }), Ok(Some("node s.js".to_owned())));
    assert!(written(Syntax::Json, json, "m/c", WORDS).is_err_and(|error| error.code() == "wire::absent"));
}
