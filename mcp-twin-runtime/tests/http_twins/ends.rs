//! The whole tree of a twin ends, and nothing else.

use crate::front::{Front, recorded};
use crate::rig::{Rig, alive, group_and_session, kill, order, script, until, until_ready};
use mcp_twin_core::host::{Instance, ProcessSpawner};
use mcp_twin_core::{Code, Slot, TwinId};
use mcp_twin_runtime::twins::HttpTwins;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// A server that ignores TERM, with a child in its group that ignores it too, one that has lost its environment, and one
/// that left group and parent.
const TREE: &str = r#"
trap '' TERM
(sleep 1000; true) & echo $! > in_group
env -i sleep 1000 & echo $! > without_token
(setsid sh -c 'echo $$ > gone_away; exec sleep 1000' &)
echo $$ > leader
exec python3 -c "$0" {port}
"#;

async fn tree(rig: &Rig) -> Vec<u32> {
    let mut pids = Vec::new();
    for name in ["leader", "in_group", "without_token", "gone_away"] {
        let file = rig.dir.join(name);
        let pid = until(name, || fs::read_to_string(&file).ok()?.trim().parse().ok()).await;
        pids.push(pid);
    }
    let gone_away = pids[3];
    until("its exec", || (group_and_session(gone_away).1 == gone_away).then_some(())).await;
    pids
}

async fn ended(mut instance: Box<dyn Instance>, pids: &[u32]) {
    assert!(pids.iter().all(|pid| alive(*pid)));
    let stop = instance.stop(Duration::from_secs(100), Duration::from_millis(200));
    // There is no stdin whose end could be waited for: `term` does not count.
    tokio::time::timeout(Duration::from_secs(10), stop).await.expect("it ends at KILL");
    for pid in pids {
        assert!(!alive(*pid), "{pid} of {pids:?}");
    }
}

#[tokio::test]
async fn the_whole_tree_of_a_twin_ends() {
    // Whoever loses its parent becomes ours, as with a front.
    mcp_twin_runtime::process::own_this_process();
    let rig = Rig::new(script(TREE));
    let twins = rig.start().await;
    let instance = twins.spawn(&order(0, Slot::A)).await.unwrap();
    until_ready(&twins, TwinId(0)).await;
    let pids = tree(&rig).await;
    ended(instance, &pids).await;
    assert_eq!(twins.port_of(TwinId(0)), None);
}

#[tokio::test]
async fn the_whole_tree_of_an_adopted_twin_ends() {
    let rig = Rig::new(script(TREE));
    let (twins, adopted) = adopted(&rig).await;
    let pids = tree(&rig).await;
    ended(adopted, &pids).await;
    assert_eq!(twins.port_of(TwinId(0)), None);
}

/// The twin of a front that was killed.
async fn adopted(rig: &Rig) -> (Arc<HttpTwins>, Box<dyn Instance>) {
    Front::serving(rig).kill();
    let record = recorded(rig);
    let twins = rig.restart(&record).await.unwrap();
    let (_, adopted) = twins.adopt(&record).pop().unwrap();
    assert!(twins.ready_to_connect(TwinId(0)).await);
    (twins, adopted)
}

#[tokio::test]
async fn an_adopted_twin_is_asked_before_it_is_ended() {
    let rig =
        Rig::new(script("trap 'echo asked; exit 0' TERM; python3 -c \"$0\" {port} & while :; do sleep 0.05; done"));
    let (_twins, mut adopted) = adopted(&rig).await;
    let exit = adopted.stop(Duration::ZERO, Duration::from_secs(30)).await;
    assert!(exit.stderr_tail.ends_with("asked\n"), "{}", exit.stderr_tail);
}

#[tokio::test]
async fn a_process_to_keep_outlives_an_adopted_twin() {
    let mut rig =
        Rig::new(script("sleep 1000 & echo $! > kept; cat /dev/zero > /dev/null & exec python3 -c \"$0\" {port}"));
    rig.keep = vec!["sleep".to_owned()];
    let (_twins, mut adopted) = adopted(&rig).await;
    let kept: u32 = fs::read_to_string(rig.dir.join("kept")).unwrap().trim().parse().unwrap();
    adopted.stop(Duration::ZERO, Duration::from_millis(200)).await;
    assert!(!alive(adopted.identity().pid));
    assert!(alive(kept));
    kill(kept);
}

#[tokio::test]
async fn a_twin_that_ends_by_itself_says_how() {
    let rig = Rig::new(script("echo 'Error: no table' >&2; exit 7"));
    let twins = rig.start().await;
    let mut instance = twins.spawn(&order(0, Slot::A)).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(10), instance.exited()).await.unwrap();
    assert_eq!((exit.code, exit.stderr_tail.as_str()), (Some(7), "Error: no table\n"));
}

#[tokio::test]
async fn a_command_that_cannot_run_leaves_no_trace() {
    let rig = Rig::new(vec!["twin-of-nobody".to_owned()]);
    let twins = rig.start().await;
    for _ in 0..2 {
        let Err(fault) = twins.spawn(&order(0, Slot::A)).await else { panic!("started") };
        assert_eq!(fault.code, Code::NotExecutable);
        assert_eq!(twins.port_of(TwinId(0)), None, "its port is free again");
        assert!(rig.outputs().is_empty());
    }
}
