//! What the processes of twins take of the machine, as far as the system says which process another one has started.

use super::{LOOKED_AT, Load};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The load of each tree, given by its leaders; none where no leader lives any more. All processes of the machine are
/// looked at for it, on a thread of its own.
pub async fn loads(trees: Vec<Vec<u32>>) -> Vec<Option<Load>> {
    let none = vec![None; trees.len()];
    tokio::task::spawn_blocking(move || look(&trees)).await.ok().flatten().unwrap_or(none)
}

fn look(trees: &[Vec<u32>]) -> Option<Vec<Option<Load>>> {
    let mut system = System::new().ok()?;
    let wanted = ProcessRefreshKind::nothing().with_memory().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, wanted);
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, process) in system.processes() {
        if let Some(parent) = process.parent() {
            children.entry(parent.as_u32()).or_default().push(pid.as_u32());
        }
    }
    let load = |leaders: &Vec<u32>| {
        let mut open = leaders.clone();
        let mut looked_at = BTreeSet::new();
        let mut load = Load::default();
        while let Some(pid) = open.pop() {
            if looked_at.len() >= LOOKED_AT || !looked_at.insert(pid) {
                continue;
            }
            let Some(process) = system.process(Pid::from_u32(pid)) else { continue };
            load.processes += 1;
            load.memory += process.memory();
            load.cpu += Duration::from_millis(process.accumulated_cpu_time());
            open.extend(children.get(&pid).into_iter().flatten());
        }
        (load.processes > 0).then_some(load)
    };
    Some(trees.iter().map(load).collect())
}
