//! What twins write.

use crate::rig::{Rig, order, script, server, tell, until, up};
use mcp_twin_core::host::ProcessSpawner;
use mcp_twin_core::{Slot, TwinId};
use mcp_twin_runtime::logs::{LARGEST, stderr_tail::KEPT};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const TWIN: TwinId = TwinId(0);

#[tokio::test]
async fn each_line_is_heard_when_it_is_written() {
    let rig = Rig::new(server());
    let twins = rig.start().await;
    let mut instance = up(&twins, 0, Slot::A).await;
    let at = twins.address_of(TWIN).unwrap();
    for n in 1..=3 {
        tell(at, &format!("say line {n}"));
        until("the line", || (rig.heard.lines_of(TWIN).len() > n).then_some(())).await;
    }
    assert_eq!(rig.heard.lines_of(TWIN), ["listens", "line 1", "line 2", "line 3"]);
    assert_eq!(twins.last_words(TWIN), "listens\nline 1\nline 2\nline 3\n");
    for path in rig.outputs() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(rig.outputs().len(), 2);
    instance.stop(Duration::ZERO, Duration::from_secs(1)).await;
    until("the end of its files", || rig.outputs().is_empty().then_some(())).await;
    assert_eq!(twins.last_words(TWIN), "");
}

#[tokio::test]
async fn the_last_of_much_is_kept_and_the_file_is_cut() {
    let rig = Rig::new(server());
    let twins = rig.start().await;
    let mut instance = up(&twins, 0, Slot::A).await;
    let at = twins.address_of(TWIN).unwrap();
    let many = usize::try_from(LARGEST).unwrap() / 1000 + 200;
    tell(at, &format!("flood {many}"));
    until("all lines", || (rig.heard.lines_of(TWIN).len() == many + 1).then_some(())).await;
    let file = rig.outputs().into_iter().find(|path| path.extension().unwrap() == "out").unwrap();
    until("the cut", || (fs::metadata(&file).unwrap().len() == 0).then_some(())).await;
    let words = twins.last_words(TWIN);
    assert!(words.len() <= KEPT && words.len() > KEPT - 1100 && words.ends_with("x\n"), "{}", words.len());
    // It goes on where the file now ends.
    tell(at, "say behind the cut");
    until("the next line", || (rig.heard.lines_of(TWIN).last().unwrap() == "behind the cut").then_some(())).await;
    assert!(fs::metadata(&file).unwrap().len() < 100);
    tell(at, "exit");
    let exit = tokio::time::timeout(Duration::from_secs(10), instance.exited()).await.unwrap();
    assert_eq!(exit.code, Some(3));
    assert!(exit.stderr_tail.len() <= KEPT && exit.stderr_tail.starts_with("line "));
    assert!(exit.stderr_tail.ends_with("x\nbehind the cut\n"));
}

#[tokio::test]
async fn a_last_line_without_an_end_is_heard_and_bytes_that_are_no_text_too() {
    let rig = Rig::new(script(r"printf 'one\r\nt\377o'; exit 1"));
    let twins = rig.start().await;
    let mut instance = twins.spawn(&order(0, Slot::A)).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(10), instance.exited()).await.unwrap();
    assert_eq!(exit.stderr_tail, "one\r\nt\u{fffd}o");
    assert_eq!(rig.heard.lines_of(TWIN), ["one", "t\u{fffd}o"]);
}

#[tokio::test]
async fn a_twin_whose_output_cannot_be_kept_runs_all_the_same() {
    let rig = Rig::new(server());
    fs::create_dir_all(rig.home().logs()).unwrap();
    // A file is in the way of the folder.
    fs::write(rig.home().logs_of(&rig.key()), "").unwrap();
    let twins = rig.start().await;
    let mut instance = up(&twins, 0, Slot::A).await;
    assert_eq!(twins.last_words(TWIN), "");
    assert!(rig.heard.notes().iter().any(|note| note.contains("is not kept")), "{:?}", rig.heard.notes());
    instance.stop(Duration::ZERO, Duration::from_secs(1)).await;
}
