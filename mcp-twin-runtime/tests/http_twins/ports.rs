//! Whose a port is.

use crate::rig::{Rig, order, record, script, server, tell, up};
use mcp_twin_core::host::ProcessSpawner;
use mcp_twin_core::port::PortError;
use mcp_twin_core::{Slot, TwinId};
use mcp_twin_runtime::ports::{is_free, nobody_listens};
use mcp_twin_runtime::process::{boot_id, listens, start_time};
use mcp_twin_runtime::twins::{HttpTwins, Unreachable};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

#[tokio::test]
async fn live_twins_have_ports_of_their_own() {
    let rig = Rig::new(script("exec sleep 1000"));
    let twins = rig.start().await;
    let lease = twins.lease();
    let mut all = Vec::new();
    for (twin, slot) in [(0, Slot::A), (1, Slot::B), (2, Slot::Extra), (3, Slot::Extra), (4, Slot::A)] {
        all.push(twins.spawn(&order(twin, slot)).await.unwrap());
    }
    let ports: Vec<u16> = all.iter().map(|twin| twin.port().unwrap()).collect();
    assert_eq!(ports[..2], [lease.a, lease.b]);
    let distinct: BTreeSet<u16> = ports.iter().copied().chain([lease.front]).collect();
    assert_eq!(distinct.len(), 6, "{ports:?}, front {}", lease.front);
    // A port is free again once its twin has ended.
    all[0].stop(Duration::ZERO, Duration::from_millis(100)).await;
    let next = twins.spawn(&order(5, Slot::A)).await.unwrap();
    assert_eq!(next.port(), Some(lease.a));
}

#[tokio::test]
async fn a_port_that_a_stranger_has_is_left_to_it() {
    let rig = Rig::new(script("exec sleep 1000"));
    let twins = rig.start().await;
    let lease = twins.lease();
    let stranger = TcpListener::bind(("127.0.0.1", lease.a)).unwrap();
    let one = twins.spawn(&order(0, Slot::A)).await.unwrap();
    assert_eq!(one.port(), Some(lease.b), "the other slot's");
    let two = twins.spawn(&order(1, Slot::B)).await.unwrap();
    assert!(![lease.a, lease.b, lease.front].contains(&two.port().unwrap()));
    drop(stranger);
}

#[tokio::test]
async fn a_stranger_on_its_port_does_not_pass_as_the_twin() {
    let rig = Rig::new(script("exec sleep 1000"));
    let twins = rig.start().await;
    let twin = twins.spawn(&order(0, Slot::A)).await.unwrap();
    let port = twin.port().unwrap();
    assert_eq!(twins.reach(TwinId(0)).await, Err(Unreachable::Refused(port)));
    for address in ["127.0.0.1", "0.0.0.0"] {
        let stranger = TcpListener::bind((address, port)).unwrap();
        assert_eq!(twins.reach(TwinId(0)).await, Err(Unreachable::Stranger(port)), "{address}");
        assert!(!twins.ready_to_connect(TwinId(0)).await);
        assert!(!listens(port, &twin.identity()));
        drop(stranger);
    }
    assert_eq!(twins.address_of(TwinId(0)), None);
    assert_eq!(twins.reach(TwinId(9)).await, Err(Unreachable::Gone));
}

#[tokio::test]
async fn a_listener_of_the_twin_or_of_its_descendants_is_the_twins() {
    for text in [
        "exec python3 -c \"$0\" {port}",
        "python3 -c \"$0\" {port} & wait",
        "setsid -f python3 -c \"$0\" {port}; sleep 1000",
    ] {
        let rig = Rig::new(script(text));
        let twins = rig.start().await;
        let twin = up(&twins, 0, Slot::A).await;
        let port = twin.port().unwrap();
        assert!(listens(port, &twin.identity()), "{text}");
        assert_eq!(twins.address_of(TwinId(0)), Some(([127, 0, 0, 1], port).into()));
        let me = std::process::id();
        let other = mcp_twin_core::ProcessIdentity {
            pid: me,
            pgid: me,
            start_time: start_time(me).unwrap(),
            boot_id: boot_id(),
            token: "another:0".to_owned(),
        };
        assert!(!listens(port, &other), "{text}");
    }
}

#[tokio::test]
async fn a_server_on_the_newer_family_alone_is_reached() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no v6: nothing to see");
        return;
    }
    let mut rig = Rig::new(server());
    rig.command[2] = rig.command[2].replace(
        r#"socket.create_server(("127.0.0.1", int(sys.argv[1])))"#,
        r#"socket.create_server(("::1", int(sys.argv[1])), family=socket.AF_INET6)"#,
    );
    let twins = rig.start().await;
    let twin = up(&twins, 0, Slot::A).await;
    let at = twins.address_of(TwinId(0)).unwrap();
    assert_eq!((at.is_ipv6(), Some(at.port())), (true, twin.port()));
}

#[tokio::test]
async fn a_lease_is_the_same_after_a_restart_also_with_twins_on_it() {
    let rig = Rig::new(server());
    let twins = rig.start().await;
    let lease = twins.lease();
    let (a, b) = (up(&twins, 0, Slot::A).await, up(&twins, 1, Slot::B).await);
    let left = record(&[(0, Slot::A, a.port(), a.identity()), (1, Slot::B, b.port(), b.identity())]);
    let next = rig.restart(&left).await.unwrap();
    assert_eq!(next.lease(), lease);
    assert_eq!(next.adopt(&left).len(), 2);
    assert_eq!((next.port_of(TwinId(0)), next.port_of(TwinId(1))), (Some(lease.a), Some(lease.b)));
    // A further twin knows that they are taken.
    let third = up(&next, 2, Slot::Extra).await;
    assert!(![lease.a, lease.b].contains(&third.port().unwrap()));
}

#[tokio::test]
async fn a_stranger_moves_the_twins_but_never_the_front() {
    let rig = Rig::new(server());
    let lease = rig.start().await.lease();
    let stranger = TcpListener::bind(("127.0.0.1", lease.b)).unwrap();
    let moved = rig.start().await.lease();
    assert_eq!(moved.front, lease.front);
    assert!(moved.a != lease.a && moved.b != lease.b, "{moved:?}");
    drop(stranger);
    let stranger = TcpListener::bind(("127.0.0.1", lease.front)).unwrap();
    assert!(!nobody_listens(lease.front));
    let Err(error) = rig.restart(&record(&[])).await else { panic!("a front's port never moves") };
    assert_eq!(error, PortError::FrontBusy { server: rig.name.clone(), port: lease.front });
    drop(stranger);
    assert_eq!(rig.start().await.lease().front, lease.front);
}

/// Starts and ends a twin on the leased port of slot A, so that a connection is remembered there.
async fn used_up(twins: &HttpTwins) -> u16 {
    let mut twin = up(twins, 0, Slot::A).await;
    let port = twin.port().unwrap();
    assert_eq!(port, twins.lease().a);
    tell(twins.address_of(TwinId(0)).unwrap(), "say hello");
    twin.stop(Duration::ZERO, Duration::from_millis(100)).await;
    assert!(!is_free(port), "nothing is remembered at {port}");
    port
}

#[tokio::test]
async fn a_remembered_connection_moves_neither_a_twin_nor_a_lease() {
    let rig = Rig::new(server());
    let twins = rig.start().await;
    let port = used_up(&twins).await;
    assert_eq!(up(&twins, 1, Slot::A).await.port(), Some(port));
    let lease = twins.lease();
    drop(twins);
    assert_eq!(rig.restart(&record(&[])).await.unwrap().lease(), lease);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_cannot_listen_there_gets_another_port() {
    let mut rig = Rig::new(server());
    rig.command[2] = rig.command[2].replace(
        r#"socket.create_server(("127.0.0.1", int(sys.argv[1])))"#,
        r#"socket.socket(); listener.bind(("127.0.0.1", int(sys.argv[1]))); listener.listen()"#,
    );
    let twins = rig.start().await;
    let port = used_up(&twins).await;
    assert!(!nobody_listens(port));
    assert_eq!(up(&twins, 1, Slot::A).await.port(), Some(twins.lease().b));
}

#[tokio::test]
async fn a_lease_that_cannot_be_written_down_holds_for_this_front() {
    let rig = Rig::new(script("exec sleep 1000"));
    // A folder is in the way.
    std::fs::create_dir(rig.home().ports()).unwrap();
    let twins = rig.start().await;
    assert!(rig.heard.notes().iter().any(|note| note.contains("not written down")), "{:?}", rig.heard.notes());
    let lease = twins.lease();
    let twin = twins.spawn(&order(0, Slot::A)).await.unwrap();
    assert_eq!(twin.port(), Some(lease.a));
    let extra = twins.spawn(&order(1, Slot::Extra)).await.unwrap();
    assert!(![lease.front, lease.a, lease.b].contains(&extra.port().unwrap()));
}
