//! A change that is cut off at any of its steps: the file is the old one or the new one, and can be undone.

use super::*;
use std::process::{Command, Stdio};

const HOME: &str = "MCP_TWIN_WIRING_HOME";
const FILE: &str = "MCP_TWIN_WIRING_FILE";
const DOES: &str = "MCP_TWIN_WIRING_DOES";

/// Not a test by itself: what the children of the others run.
#[test]
fn child() {
    let (Ok(home), Ok(file)) = (std::env::var(HOME), std::env::var(FILE)) else { return };
    let home = Home::at(home);
    if std::env::var(DOES).is_ok_and(|does| does == "undo") {
        let id = list(&home).unwrap()[0].id.clone();
        undo(&home, &id).unwrap();
    } else {
        apply(&home, Path::new(&file), "cursor", "a", &edit("a")).unwrap();
    }
}

/// Lets a child do it and end at a step.
fn cut_off(world: &World, does: &str, stop: Step) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "wiring::tests::cut::child"]).stdout(Stdio::null()).stderr(Stdio::null());
    child.env(HOME, world.home.path()).env(FILE, &world.file).env(DOES, does).env(STOP, format!("{stop:?}"));
    let status = child.status().unwrap();
    assert!(!status.success(), "the child did not stop at {stop:?}");
}

const STEPS: [Step; 6] = [Step::BackedUp, Step::Noted, Step::Written, Step::Compared, Step::Renamed, Step::Done];

#[test]
fn wiring_cut_off_at_each_step_can_be_undone() {
    for stop in STEPS {
        let world = World::new();
        cut_off(&world, "wire", stop);
        let renamed = matches!(stop, Step::Renamed | Step::Done);
        assert_eq!(world.text() != TEXT, renamed, "{stop:?}");
        let records = list(&world.home).unwrap();
        assert_eq!(records.len(), usize::from(stop != Step::BackedUp), "{stop:?}");
        for record in records {
            assert_eq!(standing(&record) == Standing::Untouched, renamed, "{stop:?}");
            assert_eq!(undo(&world.home, &record.id).unwrap().changed, renamed, "{stop:?}");
        }
        assert_eq!(world.text(), TEXT, "{stop:?}");
        // What the next one finds it cleans up.
        assert!(world.wire("b").unwrap().changed);
        assert_eq!(world.left(), (vec!["mcp.json".to_owned()], 1), "{stop:?}");
    }
}

#[test]
fn wiring_cut_off_at_each_step_can_be_done_again() {
    for stop in STEPS {
        let world = World::new();
        cut_off(&world, "wire", stop);
        let renamed = matches!(stop, Step::Renamed | Step::Done);
        let again = world.wire("a").unwrap();
        assert_eq!(again.changed, !renamed, "{stop:?}");
        let records = list(&world.home).unwrap();
        assert_eq!((records.len(), records[0].done, Some(&records[0].id)), (1, true, again.id.as_ref()), "{stop:?}");
        assert_eq!(world.left(), (vec!["mcp.json".to_owned()], 1), "{stop:?}");
        undo(&world.home, &records[0].id).unwrap();
        assert_eq!(world.text(), TEXT, "{stop:?}");
    }
}

#[test]
fn a_change_cut_off_before_the_file_is_nothing_once_the_client_wrote_it() {
    let world = World::new();
    cut_off(&world, "wire", Step::Written);
    fs::write(&world.file, TEXT.replace("hunter2", "hunter3")).unwrap();
    let record = list(&world.home).unwrap().remove(0);
    assert!(!undo(&world.home, &record.id).unwrap().changed);
    assert_eq!(world.text(), TEXT.replace("hunter2", "hunter3"));
    assert_eq!((list(&world.home).unwrap(), world.left()), (vec![], (vec!["mcp.json".to_owned()], 0)));
}

#[test]
fn an_undo_cut_off_at_each_step_can_be_done_again() {
    for stop in [Step::Noted, Step::Written, Step::Compared, Step::Renamed, Step::Done] {
        for edited in [false, true] {
            let world = World::new();
            let id = world.wire("a").unwrap().id.unwrap();
            let mut text = TEXT.to_owned();
            if edited {
                fs::write(&world.file, world.text().replace("hunter2", "hunter3")).unwrap();
                text = TEXT.replace("hunter2", "hunter3");
            }
            cut_off(&world, "undo", stop);
            let renamed = matches!(stop, Step::Renamed | Step::Done);
            assert_eq!(world.text() == text, renamed, "{stop:?}");
            if stop == Step::Done {
                assert_eq!(undo(&world.home, &id).unwrap_err().code(), "wiring::unknown");
            } else {
                assert_eq!(undo(&world.home, &id).unwrap().changed, !renamed, "{stop:?}");
            }
            assert_eq!(world.text(), text, "{stop:?}");
            assert_eq!(
                (list(&world.home).unwrap(), world.left()),
                (vec![], (vec!["mcp.json".to_owned()], 0)),
                "{stop:?}"
            );
        }
    }
}

#[test]
fn two_at_once_wait_for_each_other() {
    let world = World::new();
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let world = &world;
            scope.spawn(move || world.wire(name).unwrap());
        }
    });
    assert_eq!(list(&world.home).unwrap().len(), 2);
    assert_eq!(world.text().matches("/opt/mcp-twin").count(), 2);
}
