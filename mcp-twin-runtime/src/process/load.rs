//! What the processes of twins take of the machine: a look at those that descend from their leaders, and at those of their
//! groups that have lost their parent to this process. It signals none, so a number that was given anew does no harm.

use super::identity::fields;
use super::sweep::{children, children_of};
use super::{LOOKED_AT, Load};
use std::collections::BTreeSet;
use std::time::Duration;

/// Ticks in a second: `USER_HZ`, the same on every architecture that Rust is built for.
const TICKS: u64 = 100;

/// The load of each tree, given by its leaders; none where no leader lives any more. A few small reads for each process: it
/// is done on the spot. Elsewhere it takes a thread.
pub async fn loads(trees: Vec<Vec<u32>>) -> Vec<Option<Load>> {
    let adopted = children().into_iter().filter_map(|pid| Some((pid, Seen::of(pid)?.group)));
    let adopted: Vec<(u32, u32)> = adopted.collect();
    trees.iter().map(|leaders| load(leaders, &adopted)).collect()
}

fn load(leaders: &[u32], adopted: &[(u32, u32)]) -> Option<Load> {
    let members = adopted.iter().filter(|(_, group)| leaders.contains(group)).map(|(pid, _)| *pid);
    let mut open: Vec<u32> = leaders.iter().copied().chain(members).collect();
    let mut looked_at = BTreeSet::new();
    let mut load = Load::default();
    while let Some(pid) = open.pop() {
        if looked_at.len() >= LOOKED_AT || !looked_at.insert(pid) {
            continue;
        }
        let Some(seen) = Seen::of(pid) else { continue };
        load.processes += 1;
        load.memory += seen.memory;
        load.cpu += seen.cpu;
        open.extend(children_of(&pid.to_string()));
    }
    (load.processes > 0).then_some(load)
}

/// One process.
struct Seen {
    group: u32,
    memory: u64,
    /// With that of the children whose end it has seen.
    cpu: Duration,
}

impl Seen {
    fn of(pid: u32) -> Option<Self> {
        let fields = fields(pid)?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // proc(5), counted from the third field: pgrp; utime, stime, cutime, cstime; rss, in pages.
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // What has ended and was not reaped yet is no process any more.
        if fields.first() == Some(&"Z") {
            return None;
        }
        let ticks: u64 = (11..=14).filter_map(number).sum();
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Some(Self {
            group: u32::try_from(number(2)?).ok()?,
            memory: number(21)?.saturating_mul(page),
            cpu: Duration::from_millis(ticks.saturating_mul(1000 / TICKS)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    fn look(leaders: &[u32]) -> Option<Load> {
        let looked = loads(vec![leaders.to_vec()]);
        futures_executor::block_on(looked).pop().flatten()
    }

    #[test]
    fn a_tree_is_seen_whole() {
        // A child that has ended and taken its time, and one that lives.
        let script = "i=0; (while [ $i -lt 300000 ]; do i=$((i+1)); done); sleep 60 & echo ready; wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let both = look(&[shell.id()]).expect("it lives");
        for child in children_of(&shell.id().to_string()) {
            Command::new("kill").arg(child.to_string()).status().unwrap();
        }
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(both.processes, 2, "{both:?}");
        assert!((1 << 17..1 << 30).contains(&both.memory), "{both:?}");
        assert!(both.cpu >= Duration::from_millis(20), "of the child that has ended: {both:?}");
        assert_eq!(look(&[shell.id()]), None, "it has ended");
    }

    #[test]
    fn a_tree_counts_once_however_it_is_named() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let load = look(&[child.id(), child.id(), u32::MAX]).expect("it lives");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(load.processes, 1);
    }
}
