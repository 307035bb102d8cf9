//! What people and programs read of `wire`, `init` and `unwire`.

use super::*;
use crate::document::wiring::{Unwiring, Wiring};
use crate::exit::Exit;
use crate::render::unwire;
use crate::unwire::{Back, Outcome};
use crate::wire::program::Program;
use crate::wire::reason::Reason;
use mcp_twin_core::detect::{ParseError, Scope, Shape, Site, Step, Syntax};
use mcp_twin_core::wire::{Change as Entry, Undo, WireError, wire};
use mcp_twin_runtime::wiring::{Applied, Edit, Record, Undone, WiringError};

const HOME: &str = "/home/u";

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn client(id: &str) -> Client {
    Client::named(id).expect("a client")
}

fn site() -> Site {
    Site {
        syntax: Syntax::Json,
        path: vec![Step::Key("mcpServers".into()), Step::Key("files".into())],
        shape: Shape::Words { command: "command" },
    }
}

fn entry() -> Entry {
    Entry::Run { program: "/opt/bin/mcp-twin".into(), name: "files".into(), words: None }
}

fn undo() -> Undo {
    wire(br#"{"mcpServers": {"files": {"command": "node"}}}"#, &site(), &entry()).expect("an edit").undo
}

fn change(server: &str, id: &str, file: &str, how: How) -> Change {
    Change {
        server: server.into(),
        client: client(id),
        scope: if how == How::Shadow { Scope::Local } else { Scope::User },
        file: file.into(),
        others: Vec::new(),
        how,
        edit: Edit::Wire { site: site(), change: entry() },
        diff: "--- a\n+++ a\n@@ -1,3 +1,4 @@\n   \"files\": {\n-    \"command\": \"node\"\n+    \"command\": \"/opt/bin/mcp-twin\",\n+    \"args\": [\"run\", \"--name\", \"files\", \"--\", \"node\"]\n   }\n".into(),
        notes: Vec::new(),
    }
}

fn aside<Why>(server: &str, why: Why) -> Aside<Why> {
    let file = "/home/u/.cursor/mcp.json".into();
    Aside { server: server.into(), client: client("cursor"), scope: Scope::User, file, why }
}

fn twice() -> WiringError {
    let source = WireError::DuplicateKey { key: "mail".into(), line: 9, column: 5 };
    WiringError::Text { file: "/home/u/.cursor/mcp.json".into(), source }
}

fn whole() -> Plan {
    let url = || "https://example.com/mcp".to_owned();
    let reasons = [
        Reason::Already,
        Reason::Moved("/gone/mcp-twin".into()),
        Reason::Managed,
        Reason::System,
        Reason::Plugin,
        Reason::Disabled,
        Reason::Hidden,
        Reason::Remote(url()),
        Reason::Unrecorded("http://127.0.0.1:3000/mcp".into()),
        Reason::OtherTransport("http://127.0.0.1:3000/sse".into()),
        Reason::Bridge(url()),
        Reason::Foreign,
        Reason::Unsure,
        Reason::Legacy,
        Reason::NothingToReload(Some("mcp-server-fetch".into())),
        Reason::NothingToReload(None),
        Reason::Shared,
        Reason::Values(vec!["API_KEY".into(), "TOKEN".into()]),
    ];
    let mut files = change("files", "cursor", "/home/u/.cursor/mcp.json", How::Run);
    files.others = vec![client("vscode"), client("claude-code")];
    let mut shared = change("shared \u{1b}[31m", "claude-code", "/home/u/.claude.json", How::Shadow);
    shared.notes = vec!["/home/u/p/.mcp.json stays as it is".into()];
    let web = change("web", "codex", "/srv/codex.toml", How::Address("http://127.0.0.1:8042/mcp".into()));
    Plan {
        program: Program {
            path: "/opt/bin/mcp-twin".into(),
            warning: Some("/opt/bin/mcp-twin lies in a build folder, which may go away; install it".into()),
        },
        changes: vec![files, shared, web],
        left: reasons.into_iter().map(|reason| aside(reason.code(), reason)).collect(),
        refused: vec![aside("mail", twice())],
        unreadable: vec![("/home/u/.gemini/settings.json".into(), ParseError::TooLarge { limit: 1 << 24 })],
    }
}

fn results() -> Results {
    let applied = |changed| Applied { id: Some("0123456789ab".into()), changed, diff: String::new() };
    let busy = WiringError::Busy { file: "/srv/codex.toml".into(), tries: 5 };
    vec![Ok(applied(true)), Ok(applied(false)), Err(busy)]
}

#[test]
fn a_plan_and_what_is_left_alone() {
    insta::assert_snapshot!("plan", plain(&plan(&whole(), Path::new(HOME))));
    insta::assert_snapshot!("question", question(&whole()));
}

#[test]
fn what_was_done_and_what_went_wrong() {
    let only = Plan { left: Vec::new(), refused: Vec::new(), unreadable: Vec::new(), ..whole() };
    let (text, bad) = done(&only, &results(), &Home::at("/home/u/.mcp-twin"), Path::new(HOME), false);
    insta::assert_snapshot!("done", format!("{}\n--- stderr\n{}", plain(&text), plain(&bad)));
    let (told, _) = done(&whole(), &results(), &Home::at("/home/u/.mcp-twin"), Path::new(HOME), true);
    assert!(!told.contains("Left alone") && !told.contains("note:"), "the plan was shown before: {told}");
}

#[test]
fn where_there_is_nothing_to_do() {
    let empty =
        || Plan { changes: Vec::new(), left: Vec::new(), refused: Vec::new(), unreadable: Vec::new(), ..whole() };
    let left = Plan { left: vec![aside("files", Reason::Already)], ..empty() };
    let refused = Plan { refused: vec![aside("mail", twice())], ..empty() };
    let text = [empty(), left, refused].iter().map(|plan| plain(&nothing(plan, Path::new(HOME)))).collect::<Vec<_>>();
    insta::assert_snapshot!("nothing", text.join("---\n"));
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let bad = "x\u{1b}]0;title\u{7}";
    let file = "/home/u/.cursor/mcp.json";
    let plan = Plan {
        changes: vec![change(bad, "cursor", file, How::Run)],
        left: vec![aside(bad, Reason::Shared)],
        refused: vec![aside(bad, twice())],
        ..whole()
    };
    let home = Path::new(HOME);
    let (done, _) = done(&plan, &results(), &Home::at("/home/u/.mcp-twin"), home, false);
    for text in [super::plan(&plan, home), done, found(&plan, home), next_steps(&plan), nothing(&plan, home)] {
        assert!(!text.contains('\u{7}') && !text.contains("\u{1b}]"), "{text:?}");
    }
}

#[test]
fn the_first_run() {
    let text = found(&whole(), Path::new(HOME)) + &next_steps(&whole());
    insta::assert_snapshot!("init", plain(&text));
}

#[test]
fn the_line_that_does_it() {
    let which = WhichArgs {
        names: vec!["my files".into()],
        all: false,
        client: Some(client("cursor")),
        scope: Some(Scope::Project),
        project: Some("/p".into()),
        dry_run: false,
        yes: false,
    };
    let line = again("wire", &which, true);
    assert_eq!(line, "mcp-twin wire 'my files' --client cursor --scope project --project /p --force --yes");
    insta::assert_snapshot!("not_asked", plain(&(not_asked(&line) + &dry_run(&line))));
}

#[test]
fn the_document_of_wire() {
    let (plan, results, home) = (whole(), results(), Home::at("/home/u/.mcp-twin"));
    let document = Wiring::of("wire", Exit::Configuration, &plan, &results, false, &home);
    insta::assert_json_snapshot!("wire_json", document);
}

fn backs() -> Vec<Back> {
    let record = |server: &str, file: &str| Record {
        id: "0123456789ab".into(),
        file: file.into(),
        client: "cursor".into(),
        server: server.into(),
        at: 0,
        undo: undo(),
        done: true,
        undoing: false,
    };
    let diff = "--- a\n+++ a\n@@ -1,2 +1,2 @@\n-  \"command\": \"mcp-twin\"\n+  \"command\": \"node\"\n".to_owned();
    let gone = || WiringError::Missing("/home/u/.cursor/old.json".into());
    vec![
        Back { record: record("files", "/home/u/.cursor/mcp.json"), preview: Ok(diff.clone()) },
        Back { record: record("mail", "/home/u/.cursor/mcp.json"), preview: Ok(diff) },
        Back { record: record("web", "/home/u/.cursor/mcp.json"), preview: Ok(String::new()) },
        Back { record: record("old", "/home/u/.cursor/old.json"), preview: Err(gone()) },
        Back { record: record("older", "/home/u/.cursor/old.json"), preview: Err(gone()) },
    ]
}

fn outcomes() -> Vec<Outcome> {
    let undone = |changed, exact| {
        Outcome::Undone(Undone { file: "/home/u/.cursor/mcp.json".into(), changed, exact, diff: String::new() })
    };
    let gone = Outcome::Failed(WiringError::Missing("/home/u/.cursor/old.json".into()));
    vec![undone(true, true), undone(true, false), undone(false, true), Outcome::Forgotten, gone]
}

#[test]
fn the_way_back() {
    let home = Path::new(HOME);
    let (done, bad) = unwire::done(&backs(), &outcomes(), home);
    let text = [
        unwire::plan(&backs(), home),
        unwire::question(&backs(), false) + "\n" + &unwire::question(&backs(), true) + "\n",
        done,
        bad,
        unwire::nothing(&[], &[]),
        unwire::nothing(&["x".into()], &["b", "a", "b"]),
        unwire::nothing(&[], &["a"]),
    ];
    insta::assert_snapshot!("unwire", plain(&text.join("---\n")));
    insta::assert_json_snapshot!("unwire_json", Unwiring::of(Exit::Configuration, &backs(), &outcomes(), false));
}
