use super::*;
use crate::fronts::seat::tests::home;
use mcp_twin_core::ids::{ProcessIdentity, Slot, Source, SourceHash, TwinId};
use mcp_twin_core::swap::Outcome;
use mcp_twin_core::swap::effect::Cause;
use mcp_twin_core::swap::record::{Phase, TwinRecord};
use std::sync::Arc;

pub(crate) fn source(generation: u32) -> Source {
    Source { hash: Some(SourceHash(u128::from(generation))), generation: Generation(generation) }
}

pub(crate) fn record(epoch: u32) -> Record {
    let process = ProcessIdentity { pid: 7, pgid: 7, start_time: 99, boot_id: "boot".into(), token: "f:1".into() };
    let twin = TwinRecord {
        twin: TwinId(1),
        slot: Slot::A,
        source: source(3),
        port: None,
        process: Some(process),
        verified: true,
        lists_hash: u64::MAX,
        last_exit: None,
        fault: None,
    };
    Record {
        schema: SCHEMA,
        epoch,
        phase: Phase::Commit,
        active: Some(TwinId(1)),
        active_source: Some(source(3)),
        prev: None,
        rejected: Some(source(2)),
        passed_over: None,
        baking: true,
        op: None,
        twins: vec![twin],
        last_good: None,
    }
}

pub(crate) fn entry(generation: u32) -> HistoryEntry {
    HistoryEntry {
        what: Cause::Reload,
        causes: vec![Cause::Change],
        generation: Generation(generation),
        source: source(generation),
        from: None,
        outcome: Outcome::Superseded { by: Generation(generation + 1) },
        phases: Vec::new(),
    }
}

fn store(home: &Home) -> (FileStore, Loaded) {
    FileStore::open(home, "f-1", &ServerKey::new("f", Path::new("/p")), Path::new("/p"), |why| panic!("{why:?}"))
}

#[tokio::test]
async fn a_record_comes_back_with_whose_it_is() {
    let (_dir, home) = home();
    let (store, loaded) = store(&home);
    assert_eq!(loaded, Loaded::Missing);
    store.save(&record(1)).await.unwrap();
    let Loaded::Good(saved) = load(&home.record_of("f-1")) else { panic!("not good") };
    assert_eq!((saved.front.as_str(), saved.root.as_path()), ("f-1", Path::new("/p")));
    assert_eq!(saved.server, ServerKey::new("f", Path::new("/p")).as_str());
    assert_eq!(saved.record, record(1));
}

#[tokio::test]
async fn only_changes_are_written() {
    let (_dir, home) = home();
    let (store, _) = store(&home);
    let path = home.record_of("f-1");
    store.save(&record(1)).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    store.save(&record(1)).await.unwrap();
    assert!(!path.exists(), "the same record was written twice");
    store.save(&record(2)).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_record_cut_at_any_byte_is_damaged_and_can_be_written_again() {
    let (_dir, home) = home();
    let path = home.record_of("f-1");
    store(&home).0.save(&record(1)).await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (store, loaded) = store(&home);
        let Loaded::Damaged { set_aside: Some(aside), .. } = loaded else { panic!("cut at {cut}: {loaded:?}") };
        assert_eq!(std::fs::read(aside).unwrap(), &whole[..cut]);
        store.save(&record(1)).await.unwrap();
        assert!(matches!(load(&path), Loaded::Good(_)), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_changed_byte_is_noticed() {
    let (_dir, home) = home();
    let path = home.record_of("f-1");
    store(&home).0.save(&record(1)).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"pid\":7", "\"pid\":8"), ("\"crc\":\"", "\"crc\":\"0"), ("\"epoch\":1", "\"epoch\": 1")] {
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let loaded = load(&path);
        assert!(matches!(&loaded, Loaded::Damaged { why, .. } if why.contains("checksum")), "{to}: {loaded:?}");
    }
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_left_alone() {
    let (_dir, home) = home();
    let path = home.record_of("f-1");
    let text = "{\"schema\":2,\"of\":\"tomorrow\"}";
    std::fs::write(&path, text).unwrap();
    let (store, loaded) = store(&home);
    assert_eq!(loaded, Loaded::Newer { schema: 2 });
    let error = store.save(&record(1)).await.unwrap_err();
    assert!(error.contains("newer release"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_removed_state_directory_is_made_again() {
    let (_dir, home) = home();
    let (store, _) = store(&home);
    store.save(&record(1)).await.unwrap();
    std::fs::remove_dir_all(home.state()).unwrap();
    store.save(&record(2)).await.unwrap();
    assert!(matches!(load(&home.record_of("f-1")), Loaded::Good(_)));
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_an_error_each_time() {
    let (_dir, home) = home();
    std::fs::remove_dir_all(home.state()).unwrap();
    std::fs::write(home.state(), "in the way").unwrap();
    let (store, _) = store(&home);
    for _ in 0..2 {
        let error = store.save(&record(1)).await.unwrap_err();
        assert!(error.contains("f-1.json"), "{error}");
    }
}

#[tokio::test]
async fn the_history_names_the_file_that_changed() {
    let (_dir, home) = home();
    let (store, _) = store(&home);
    for generation in 1..=40 {
        store.note_cause(Generation(generation), format!("{generation}.py"));
    }
    store.note_cause(Generation(40), "late.py");
    for generation in [1, 40, 41] {
        store.history(&entry(generation)).await;
    }
    let lines = history::read(&home, &ServerKey::new("f", Path::new("/p"))).unwrap();
    let files: Vec<_> = lines.iter().map(|line| line.file.as_deref()).collect();
    assert_eq!(files, [None, Some(Path::new("late.py")), None]);
    assert!(lines.iter().all(|line| line.front == "f-1"));
}

#[tokio::test]
async fn a_history_that_cannot_be_written_is_said_once_and_so_is_its_repair() {
    let (_dir, home) = home();
    std::fs::remove_dir_all(home.history()).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&said);
    let warn = move |why: Option<&str>| hears.lock().unwrap().push(why.map(str::to_owned));
    let key = ServerKey::new("f", Path::new("/p"));
    let (store, _) = FileStore::open(&home, "f-1", &key, Path::new("/p"), warn);
    store.history(&entry(1)).await;
    store.history(&entry(2)).await;
    assert_eq!(said.lock().unwrap().len(), 1);
    assert!(said.lock().unwrap()[0].as_ref().unwrap().starts_with(FileStore::HISTORY_OFF));
    home.ensure().unwrap();
    store.history(&entry(3)).await;
    store.history(&entry(4)).await;
    assert_eq!(said.lock().unwrap()[1..], [None]);
}
