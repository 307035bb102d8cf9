//! The example servers: what a reader of the README runs and edits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mcp_twin_tests::{Client, HttpClient, Project, Served, Server, tools};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The example in the project's folder, where it can be edited.
fn example(project: &Project, name: &str) -> PathBuf {
    let file = project.root().join(name);
    fs::copy(tools::root().join("examples").join(name), &file).unwrap();
    file
}

fn edit(file: &Path, before: &str, after: &str) {
    let code = fs::read_to_string(file).unwrap();
    assert!(code.contains(before), "no `{before}` in {}", file.display());
    fs::write(file, code.replace(before, after)).unwrap();
}

fn command(file: &Path, more: &[&str]) -> Vec<String> {
    let words = ["python3".to_owned(), file.display().to_string()];
    words.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

#[test]
fn the_stdio_example_is_edited_behind_a_front() {
    let project = Project::new(Server::Plain);
    let file = example(&project, "stdio-server.py");
    let words = [vec![tools::mcp_twin().display().to_string(), "run".to_owned(), "--".to_owned()], command(&file, &[])];
    let client = Client::spawn(&mut project.process(&words.concat()));
    client.open();
    assert_eq!(client.tools(), ["greet", "add", "countdown", "whoami"]);
    assert_eq!(client.text("greet", json!({"name": "Ada"})), "Hello, Ada!");
    assert_eq!(client.text("add", json!({"a": 2, "b": 3})), "5");
    edit(&file, "GREETING = \"Hello\"", "GREETING = \"Ahoy\"");
    mcp_twin_tests::until("the new greeting", || (client.text("greet", json!({})) == "Ahoy, world!").then_some(()));
    let params = json!({"name": "countdown", "arguments": {"seconds": 1}, "_meta": {"progressToken": "p"}});
    assert!(client.ask("tools/call", params)["result"]["isError"] == false);
    assert_eq!(client.notified("notifications/progress"), 1);
    let wrong = client.answer(&client.call("add", json!({"a": 2})));
    assert!(
        wrong["result"]["isError"] == true && wrong["result"]["content"][0]["text"].as_str().unwrap().contains("'b'")
    );
    assert_eq!(client.answer(&client.call("none", json!({})))["error"]["code"], -32602);
    assert_eq!(client.ask("no/such", json!({}))["error"]["code"], -32601);
    project.finish(&client);
}

#[test]
fn the_stdio_example_speaks_the_modern_era() {
    let project = Project::new(Server::Plain);
    let client = Client::spawn(&mut project.process(&command(&example(&project, "stdio-server.py"), &[])));
    let meta = |version: &str| json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}});
    let found = client.ask("server/discover", json!({"_meta": meta("2026-07-28")}));
    assert_eq!(found["result"]["supportedVersions"], json!(["2026-07-28"]));
    let called = client.ask("tools/call", json!({"name": "greet", "_meta": meta("2026-07-28")}));
    assert_eq!(
        (&called["result"]["resultType"], &called["result"]["content"][0]["text"]),
        (&json!("complete"), &json!("Hello, world!"))
    );
    assert_eq!(client.ask("tools/list", json!({"_meta": meta("2099-01-01")}))["error"]["code"], -32022);
    assert!(client.close().success());
}

#[test]
fn the_http_example_serves_both_eras() {
    let project = Project::new(Server::Plain);
    let file = example(&project, "http-server.py");
    let served = Served::bare(&mut project.process(&command(&file, &["--port", "0"])));
    for client in [served.client(), served.modern()] {
        client.open();
        assert_eq!(client.tools(), ["greet", "add", "countdown", "whoami"]);
        assert_eq!(client.text("greet", json!({"name": "Ada"})), "Hello, Ada!");
        let params = json!({"name": "countdown", "arguments": {"seconds": 1}, "_meta": {"progressToken": "p"}});
        let mut counting = client.send("tools/call", params);
        assert_eq!(counting.answer()["result"]["isError"], false);
        assert!(counting.head().streams() && counting.said().len() == 1, "{counting:?}");
        let wrong = client.call("add", json!({"a": 2})).answer();
        assert!(wrong["result"]["isError"] == true, "{wrong}");
        assert_eq!(client.call("none", json!({})).answer()["error"]["code"], -32602);
        assert_eq!(client.ask("no/such", json!({}))["error"]["code"], -32601);
    }
    edit(&file, "GREETING = \"Hello\"", "GREETING = \"Ahoy\"");
    // Without a front an edit needs a restart: the environment names the port this time.
    let again = Served::bare(&mut project.process(&command(&file, &[])));
    assert_eq!(again.client().text("greet", json!({})), "Ahoy, world!");
}

#[test]
fn the_http_example_refuses_what_it_should() {
    let project = Project::new(Server::Plain);
    let served = Served::bare(&mut project.process(&command(&example(&project, "http-server.py"), &["--port", "0"])));
    let client = served.client();
    let mut stream = client.get();
    assert_eq!(stream.status(), 200);
    let session = client.session().unwrap();
    client.set_session(Some("unknown"));
    assert_eq!(client.send("ping", json!({})).status(), 404);
    assert_eq!(client.get().status(), 404);
    client.set_session(None);
    assert_eq!(client.send("ping", json!({})).status(), 400);
    client.set_session(Some(&session));
    assert_eq!(client.delete(), 200);
    assert_eq!(stream.body(), "", "the stream ends with its session");
    assert_eq!(client.send("ping", json!({})).status(), 404);

    let accept = ("Accept", "application/json, text/event-stream");
    for (headers, body, status) in [
        (vec![accept, ("Origin", "http://elsewhere.example")], "{}", 403),
        (vec![accept, ("Host", "elsewhere.example")], "{}", 403),
        (vec![("Accept", "application/json")], "{}", 406),
        (vec![accept], "{", 400),
        (vec![accept], "[]", 400),
    ] {
        assert_eq!(
            HttpClient::new(served.url()).raw("POST", &headers, body.as_bytes()).status(),
            status,
            "{headers:?} {body}"
        );
    }
    let modern = served.modern();
    let call = modern.message(Some(json!(1)), "tools/call", json!({"name": "greet"}));
    for (name, value, code) in [("Mcp-Name", "add", -32020), ("Mcp-Method", "tools/list", -32020)] {
        let mut refused = served.modern().with_header(name, value).post(&call);
        assert_eq!((refused.status(), &refused.answer()["error"]["code"]), (400, &json!(code)), "{name}");
    }
    assert_eq!(modern.send("no/such", json!({})).status(), 404);
    let meta = [accept, ("MCP-Protocol-Version", "2026-07-28")];
    assert_eq!(HttpClient::new(served.url()).raw("GET", &meta, b"").status(), 405);
}
