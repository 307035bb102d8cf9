//! The front is killed, its twins live on, the next front takes them over; and nobody else is taken for a twin.

use crate::front::{Front, host, options, process_of, recorded};
use crate::rig::{Rig, alive, group_and_session, kill, order, record, script, server, tell, until, up};
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::host::ProcessSpawner;
use mcp_twin_core::swap::{Command, Outcome, Record, Swap};
use mcp_twin_core::testing::{Fakes, source};
use mcp_twin_core::{ProcessIdentity, Slot, TwinId};
use mcp_twin_runtime::process::{TOKEN, boot_id, prove, start_time};
use mcp_twin_runtime::twins::HttpTwins;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The next front, as `mcp-twin serve` would do it.
async fn recovered(rig: &Rig, fakes: &Fakes) -> (Arc<HttpTwins>, Handle) {
    let record = recorded(rig);
    let twins = rig.restart(&record).await.unwrap();
    let adopted = twins.adopt(&record);
    let mut live = Vec::new();
    for (twin, _) in &adopted {
        if twins.ready_to_connect(*twin).await {
            live.push(*twin);
        }
    }
    let host = host(rig, &twins, fakes);
    let now = host.clock.now();
    let swap = Swap::recover(options(), record, &live, host.sources.now().await, now);
    let (driver, handle) = Driver::with_adopted(swap, host, adopted);
    tokio::spawn(driver.run());
    (twins, handle)
}

#[tokio::test]
async fn a_twin_survives_its_front_and_serves_under_the_next() {
    let rig = Rig::new(server());
    Front::serving(&rig).kill();
    let before = recorded(&rig);
    let (twin, port) = (process_of(&before, 0), before.twins[0].port.unwrap());
    assert!(prove(&twin));
    assert_eq!(group_and_session(twin.pid), (twin.pid, twin.pid));
    // It goes on serving without any front, and what it writes then is not lost.
    tell(([127, 0, 0, 1], port).into(), "say nobody listens");

    let fakes = Fakes::new();
    fakes.sources.set(source(1));
    let (twins, handle) = recovered(&rig, &fakes).await;
    tokio::time::timeout(Duration::from_secs(10), fakes.traffic.routed_to(TwinId(0))).await.expect("it serves");
    assert_eq!(twins.port_of(TwinId(0)), Some(port));
    assert_eq!([twins.lease().a, twins.lease().b].first(), Some(&port), "the lease has not moved");
    let status = handle.status().await.unwrap();
    assert_eq!(status.active.map(|view| (view.pid, view.port)), Some((Some(twin.pid), Some(port))));
    until("what it wrote while no front ran", || (rig.heard.lines_of(TwinId(0)) == ["nobody listens"]).then_some(()))
        .await;
    tell(twins.address_of(TwinId(0)).unwrap(), "say again");
    until("what it writes now", || (rig.heard.lines_of(TwinId(0)).len() == 2).then_some(())).await;

    // A new twin beside it, and back: the adopted one is a twin like any other.
    let outcome = handle.command(Command::Reload).await;
    assert!(matches!(outcome, Outcome::Verified { .. }), "{outcome:?}");
    let stopped = handle.command(Command::Stop).await;
    assert!(matches!(stopped, Outcome::Stopped { .. }), "{stopped:?}");
    until("the end of the adopted twin", || (!alive(twin.pid)).then_some(())).await;
    until("the end of all that the twins wrote", || rig.outputs().is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_death_of_an_adopted_twin_is_heard_with_its_last_words() {
    let rig = Rig::new(server());
    Front::serving(&rig).kill();
    let record = recorded(&rig);
    let twins = rig.restart(&record).await.unwrap();
    let mut adopted = twins.adopt(&record);
    assert_eq!(adopted.len(), 1);
    assert!(twins.ready_to_connect(TwinId(0)).await);
    tell(twins.address_of(TwinId(0)).unwrap(), "say Error: the end is near");
    kill(process_of(&record, 0).pid);
    let exit = tokio::time::timeout(Duration::from_secs(10), adopted[0].1.exited()).await.unwrap();
    assert_eq!(exit.stderr_tail, "listens\nError: the end is near\n");
    assert_eq!(twins.port_of(TwinId(0)), None);
    assert!(!twins.ready_to_connect(TwinId(0)).await);
}

#[tokio::test]
async fn a_twin_that_died_meanwhile_is_gone_and_what_it_wrote_is_told() {
    let rig = Rig::new(server());
    Front::serving(&rig).kill();
    let record = recorded(&rig);
    tell(([127, 0, 0, 1], record.twins[0].port.unwrap()).into(), "say Error: no front, no life");
    let pid = process_of(&record, 0).pid;
    kill(pid);
    until("its end", || (!alive(pid)).then_some(())).await;
    let twins = rig.restart(&record).await.unwrap();
    assert!(twins.adopt(&record).is_empty());
    let notes = rig.heard.notes();
    assert!(notes.iter().any(|note| note.ends_with("had written:\nError: no front, no life")), "{notes:?}");
    assert_eq!(rig.outputs(), [] as [&Path; 0]);
}

#[tokio::test]
async fn what_bears_the_fronts_token_and_is_in_no_record_is_ended_and_its_port_is_kept() {
    let rig = Rig::new(server());
    Front::serving(&rig).kill();
    let record = recorded(&rig);
    let twin = process_of(&record, 0);
    let nothing = Record { twins: Vec::new(), ..record.clone() };
    let twins = rig.restart(&nothing).await.unwrap();
    assert!(!alive(twin.pid));
    assert_eq!(Some(twins.lease().a), record.twins[0].port, "its port is free again before the lease is looked at");
    assert!(rig.heard.notes().iter().any(|note| note.contains("ended 1 process")), "{:?}", rig.heard.notes());
}

#[tokio::test]
async fn nobody_else_is_taken_for_a_twin_or_signalled() {
    let rig = Rig::new(server());
    let theirs = |token: &str| std::process::Command::new("sleep").arg("60").env(TOKEN, token).spawn().unwrap();
    let mut stranger = theirs("another-front:0");
    let identity = |token: &str, pid: u32| ProcessIdentity {
        pid,
        // It is in this test's own group.
        pgid: group_and_session(pid).0,
        start_time: start_time(pid).unwrap(),
        boot_id: boot_id(),
        token: token.to_owned(),
    };
    until("its environment", || prove(&identity("another-front:0", stranger.id())).then_some(())).await;
    let right = identity("another-front:0", stranger.id());
    let reused = ProcessIdentity { start_time: right.start_time + 1, ..right.clone() };
    let foreign = ProcessIdentity { token: format!("{}:x.0", rig.front), ..right.clone() };
    let rebooted = ProcessIdentity { boot_id: "another boot".to_owned(), ..right.clone() };
    let unknown = ProcessIdentity { start_time: 0, ..right.clone() };
    let regrouped = ProcessIdentity { pgid: 1, ..right.clone() };
    for wrong in [reused, foreign, rebooted, unknown, regrouped] {
        assert!(!prove(&wrong), "{wrong:?}");
        let record = record(&[(0, Slot::A, Some(rig.first_port + 100), wrong)]);
        let twins = rig.restart(&record).await.unwrap();
        assert!(twins.adopt(&record).is_empty());
        twins.sweep(&[]).await;
        twins.sweep_all();
    }
    let without_port = record(&[(0, Slot::A, None, right)]);
    let twins = rig.restart(&without_port).await.unwrap();
    assert!(twins.adopt(&without_port).is_empty(), "a twin of a stdio front");
    assert!(stranger.try_wait().unwrap().is_none(), "it was signalled");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_sweep_spares_those_that_are_kept_and_those_that_were_started_since() {
    let rig = Rig::new(script("exec sleep 1000"));
    let mut left = Rig::new(script("exec sleep 1000"));
    left.front.clone_from(&rig.front);
    // An earlier life of the front, with two twins; its minders go on, as nobody kills this process.
    let earlier = left.start().await;
    let (one, two) =
        (earlier.spawn(&order(0, Slot::A)).await.unwrap(), earlier.spawn(&order(1, Slot::B)).await.unwrap());
    let left = record(&[(0, Slot::A, one.port(), one.identity()), (1, Slot::B, two.port(), two.identity())]);
    let twins = rig.restart(&left).await.unwrap();
    let adopted = twins.adopt(&left);
    assert_eq!(adopted.len(), 2);
    let new = twins.spawn(&order(2, Slot::Extra)).await.unwrap();
    twins.sweep(&[TwinId(0)]).await;
    assert!(alive(one.identity().pid) && alive(new.identity().pid));
    assert!(!alive(two.identity().pid));
}

#[tokio::test]
async fn a_twin_is_told_its_place() {
    let mut rig = Rig::new(server());
    rig.env = vec![("MY_URL".to_owned(), "http://localhost:{port}/mcp".to_owned())];
    let twins = rig.start().await;
    let _twin = up(&twins, 4, Slot::B).await;
    let port = twins.port_of(TwinId(4)).unwrap();
    let at = twins.address_of(TwinId(4)).unwrap();
    let wanted = [
        ("PORT", port.to_string()),
        ("MCP_TWIN_PORT", port.to_string()),
        ("MY_URL", format!("http://localhost:{port}/mcp")),
        ("MCP_TWIN_SERVER", rig.name.clone()),
        ("MCP_TWIN_FRONT", rig.front.clone()),
        ("MCP_TWIN_SLOT", "B".to_owned()),
        ("MCP_TWIN_GENERATION", "7".to_owned()),
    ];
    for (name, value) in wanted {
        tell(at, &format!("env {name}"));
        let line = format!("{name} is {value}");
        until(&line, || rig.heard.lines_of(TwinId(4)).contains(&line).then_some(())).await;
    }
}
