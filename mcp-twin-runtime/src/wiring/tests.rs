//! Changes of real files: what is kept, what is refused, and what is left when a change is cut off.

mod cut;
mod files;

use super::step::Step;
use super::*;
use mcp_twin_core::detect::Shape;
use std::cell::RefCell;
use std::fs;

pub(super) type Hook = Box<dyn FnMut(Step)>;

thread_local! {
    /// What a test does at each step of the changes on its thread.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// The variable that tells a child at which step it ends.
const STOP: &str = "MCP_TWIN_WIRING_STOP";

pub(super) fn reached(step: Step) {
    if std::env::var(STOP).is_ok_and(|stop| stop == format!("{step:?}")) {
        // As if it was killed: nothing is unwound, nothing cleaned up.
        std::process::abort();
    }
    HOOK.with(|hook| {
        if let Some(hook) = hook.borrow_mut().as_mut() {
            hook(step);
        }
    });
}

/// Runs something with a hook at each step.
fn with_hook<T>(hook: impl FnMut(Step) + 'static, run: impl FnOnce() -> T) -> T {
    HOOK.with(|slot| *slot.borrow_mut() = Some(Box::new(hook)));
    let result = run();
    HOOK.with(|slot| *slot.borrow_mut() = None);
    result
}

const TEXT: &str = "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"node\",\n      \"args\": [\"s.js\"],\n      \"env\": {\"KEY\": \"hunter2\"}\n    },\n    \"b\": {\"command\": \"x\"}\n  }\n}\n";

/// A home and a configuration, for as long as it lives.
struct World {
    _dir: tempfile::TempDir,
    home: Home,
    file: PathBuf,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let folder = root.join("client");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("mcp.json");
        fs::write(&file, TEXT).unwrap();
        Self { home: Home::at(root.join("home")), file, _dir: dir }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    fn wire(&self, name: &str) -> Result<Applied, WiringError> {
        apply(&self.home, &self.file, "cursor", name, &edit(name))
    }

    /// The names in the client's folder, and those of the backups.
    fn left(&self) -> (Vec<String>, usize) {
        let names = |folder: &Path| -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(folder)
                .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
                .unwrap_or_default();
            names.sort();
            names
        };
        (names(self.file.parent().unwrap()), names(&self.home.backups()).len())
    }
}

fn edit(name: &str) -> Edit {
    let path = ["mcpServers", name].map(|key| At::Key(key.to_owned())).to_vec();
    Edit::Wire {
        site: Site { syntax: Syntax::Json, path, shape: Shape::Words { command: "command" } },
        change: Change::Run { program: "/opt/mcp-twin".to_owned(), name: name.to_owned(), words: None },
    }
}

#[test]
fn there_and_back() {
    let world = World::new();
    let shown = preview(&world.file, &edit("a")).unwrap();
    assert_eq!(world.text(), TEXT, "a preview writes nothing");
    let applied = world.wire("a").unwrap();
    let id = applied.id.unwrap();
    assert!(applied.changed && applied.diff == shown && !shown.contains("hunter2"), "{shown}");
    assert!(
        world.text().contains("\"args\": [\"run\", \"--name\", \"a\", \"--\", \"node\", \"s.js\"]"),
        "{}",
        world.text()
    );

    let records = list(&world.home).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].client.as_str(), records[0].server.as_str(), records[0].done), ("cursor", "a", true));
    assert_eq!(standing(&records[0]), Standing::Untouched);
    assert_eq!(fs::read_to_string(backup_of(&world.home, &records[0])).unwrap(), TEXT);
    let journal = fs::read_to_string(world.home.wired()).unwrap();
    assert!(!journal.contains("hunter2"), "{journal}");
    assert!(preview_undo(&records[0]).unwrap().contains("+      \"command\": \"node\","));

    let undone = undo(&world.home, &id).unwrap();
    assert!(undone.changed && undone.exact);
    assert_eq!(world.text(), TEXT);
    assert_eq!(world.left(), (vec!["mcp.json".to_owned()], 0));
    assert_eq!(undo(&world.home, &id).unwrap_err().code(), "wiring::unknown");
}

#[test]
fn twice_is_once() {
    let world = World::new();
    let first = world.wire("a").unwrap();
    let text = world.text();
    let again = world.wire("a").unwrap();
    assert_eq!((again.changed, again.id, world.text()), (false, first.id.clone(), text.clone()));
    assert_eq!(list(&world.home).unwrap().len(), 1);
    // Nobody noted how this one was before.
    let other = Home::at(world.home.path().with_file_name("other"));
    let unknown = apply(&other, &world.file, "cursor", "a", &edit("a")).unwrap();
    assert_eq!((unknown.changed, unknown.id), (false, None));
    assert_eq!(list(&other).unwrap(), []);
    // The client brought its old file back, so it is wired again; the old record goes.
    fs::write(&world.file, TEXT).unwrap();
    assert_eq!(standing(&list(&world.home).unwrap()[0]), Standing::Restored);
    let third = world.wire("a").unwrap();
    assert!(third.changed && third.id != first.id);
    assert_eq!((list(&world.home).unwrap().len(), world.left().1), (1, 1));
    undo(&world.home, &third.id.unwrap()).unwrap();
    assert_eq!(world.text(), TEXT);
}

#[test]
fn several_in_one_file_and_an_edit_in_between() {
    let world = World::new();
    let (a, b) = (world.wire("a").unwrap().id.unwrap(), world.wire("b").unwrap().id.unwrap());
    let ids: Vec<_> = list(&world.home).unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(ids, [b.clone(), a.clone()]);
    for id in ids {
        assert!(undo(&world.home, &id).unwrap().exact);
    }
    assert_eq!(world.text(), TEXT);

    let (a, b) = (world.wire("a").unwrap().id.unwrap(), world.wire("b").unwrap().id.unwrap());
    let changed = world.text().replace("hunter2", "hunter3");
    fs::write(&world.file, &changed).unwrap();
    assert_eq!(standing(&list(&world.home).unwrap()[0]), Standing::Edited);
    // In the wrong order, and after an edit.
    assert!(!undo(&world.home, &a).unwrap().exact);
    assert!(!undo(&world.home, &b).unwrap().exact);
    assert_eq!(world.text(), TEXT.replace("hunter2", "hunter3"));
}

#[test]
fn an_entry_that_is_not_ours_any_more_keeps_its_record_until_it_is_forgotten() {
    let world = World::new();
    let id = world.wire("a").unwrap().id.unwrap();
    let other = world.text().replace("/opt/mcp-twin", "python");
    fs::write(&world.file, &other).unwrap();
    assert_eq!(undo(&world.home, &id).unwrap_err().code(), "wire::not_ours");
    assert!(matches!(standing(&list(&world.home).unwrap()[0]), Standing::Lost(_)));
    fs::remove_file(&world.file).unwrap();
    assert_eq!(undo(&world.home, &id).unwrap_err().code(), "wiring::missing");
    forget(&world.home, &id).unwrap();
    assert_eq!((list(&world.home).unwrap(), world.left()), (vec![], (vec![], 0)));
}

#[test]
fn a_shadow_is_added_and_goes_again() {
    let world = World::new();
    let path = ["projects", "/p", "mcpServers", "a"].map(|key| At::Key(key.to_owned())).to_vec();
    let shadow =
        wire::shadow(&serde_json::json!({"command": "node", "env": {"K": "x"}}), "/opt/mcp-twin", "a").unwrap();
    let add = Edit::Add { syntax: Syntax::Json, path, entry: shadow.entry };
    let id = apply(&world.home, &world.file, "claude-code", "a", &add).unwrap().id.unwrap();
    let again = apply(&world.home, &world.file, "claude-code", "a", &add).unwrap();
    assert_eq!((again.changed, again.id), (false, Some(id.clone())));
    let other = Home::at(world.home.path().with_file_name("other"));
    assert_eq!(apply(&other, &world.file, "claude-code", "a", &add).unwrap_err().code(), "wire::exists");
    assert!(undo(&world.home, &id).unwrap().exact);
    assert_eq!(world.text(), TEXT);
}
