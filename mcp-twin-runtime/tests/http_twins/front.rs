//! A front in a process of its own, which can be killed: all of it is fake but its twins and its record.

use crate::rig::{Rig, until, until_ready};
use mcp_twin_core::drive::Driver;
use mcp_twin_core::host::Host;
use mcp_twin_core::spec::{Options, Standby, Transport};
use mcp_twin_core::swap::{Command, Outcome, Record, Swap};
use mcp_twin_core::testing::Fakes;
use mcp_twin_core::{ProcessIdentity, TwinId};
use mcp_twin_runtime::store::{self, FileStore, Loaded};
use mcp_twin_runtime::twins::HttpTwins;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Where the front that is to be killed finds what it is to do.
const PLACE: &str = "HTTP_TWINS_TEST_PLACE";

pub fn options() -> Options {
    let kill = Duration::from_millis(500);
    Options {
        standby: Standby::OnDemand,
        settle: Duration::ZERO,
        stop_kill: kill,
        ..Options::defaults(Transport::Http)
    }
}

/// All of a front but its twins and its record is fake.
pub fn host(rig: &Rig, twins: &Arc<HttpTwins>, fakes: &Fakes) -> Host {
    let (store, _) = FileStore::open(&rig.home(), &rig.front, &rig.key(), Path::new("/project"), |_| {});
    Host { spawner: Arc::clone(twins) as Arc<_>, store: Arc::new(store), ..fakes.host() }
}

/// A front in a process of its own, to be killed.
pub struct Front(Child);

impl Front {
    /// One whose first twin serves.
    pub fn serving(rig: &Rig) -> Self {
        let mut front = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "front::the_front_that_is_killed", "--ignored", "--nocapture"])
            .env(PLACE, rig.as_text())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(front.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.ends_with("the first twin serves"));
        assert!(ready, "the front did not come up");
        Self(front)
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "the other tests run it, to kill it"]
async fn the_front_that_is_killed() {
    let rig = Rig::from_text(&std::env::var(PLACE).unwrap());
    let twins = rig.start().await;
    let host = host(&rig, &twins, &Fakes::new());
    let (driver, handle) = Driver::new(Swap::new(options()).durable(), host);
    tokio::spawn(driver.run());
    assert!(matches!(handle.command(Command::Start).await, Outcome::Started { .. }));
    until_ready(&twins, TwinId(0)).await;
    // What it said is read, and marked so.
    until("the twin's words", || rig.heard.lines_of(TwinId(0)).iter().any(|line| line == "listens").then_some(()))
        .await;
    println!("\nthe first twin serves");
    std::future::pending::<()>().await;
}

/// What it has recorded.
pub fn recorded(rig: &Rig) -> Record {
    match store::load(&rig.home().record_of(&rig.front)) {
        Loaded::Good(saved) => saved.record,
        other => panic!("{other:?}"),
    }
}

pub fn process_of(record: &Record, twin: u32) -> ProcessIdentity {
    record.twins.iter().find(|known| known.twin == TwinId(twin)).unwrap().process.clone().unwrap()
}
