//! The search, and what must always stay reachable: stateright for the laws, and a walk backwards from every good end for
//! what has to come about in time (I4, I13).

use super::*;
use stateright::{Checker, Model};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// What a search has seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) states: usize,
    /// The first broken law with the moves that lead there.
    pub(super) broken: Option<(String, Vec<Move>)>,
}

#[derive(Clone, Copy)]
struct Node {
    parent: usize,
    rests: bool,
    good: bool,
    serves: bool,
    code_is_good: bool,
    pinned: bool,
}

/// Breadth first over all states, so that a trace is a shortest one; then backwards.
pub(super) fn walk(scene: &Scene, limit: usize) -> Seen {
    let hasher = RandomState::new();
    let first = scene.first();
    let mut known = HashMap::from([(hasher.hash_one(&first), 0_usize)]);
    let mut nodes = vec![node(&first, 0)];
    let mut steps: Vec<Option<Move>> = vec![None];
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut queue = VecDeque::from([(0_usize, first)]);
    let mut moves = Vec::new();
    while let Some((at, world)) = queue.pop_front() {
        moves.clear();
        scene.actions(&world, &mut moves);
        for step in &moves {
            let next = scene.next(&world, step);
            let fault = step.is_fault(&world);
            let key = hasher.hash_one(&next);
            let to = *known.entry(key).or_insert_with(|| {
                nodes.push(node(&next, at));
                steps.push(Some(step.clone()));
                back.push(Vec::new());
                nodes.len() - 1
            });
            if !fault {
                back[to].push(u32::try_from(at).unwrap());
            }
            if to == nodes.len() - 1 && steps[to].as_ref() == Some(step) && nodes[to].parent == at {
                if let Some(law) = next.broken {
                    return Seen { states: nodes.len(), broken: Some((law.to_owned(), trace(&nodes, &steps, to))) };
                }
                queue.push_back((to, next));
            }
        }
        if nodes.len() > limit {
            return Seen { states: nodes.len(), broken: None };
        }
    }
    let broken = reachable(scene, &nodes, &back).map(|(law, at)| (law.to_owned(), trace(&nodes, &steps, at)));
    Seen { states: nodes.len(), broken }
}

fn node(world: &World, parent: usize) -> Node {
    Node {
        parent,
        rests: world.front.as_ref().is_some_and(|front| world.rests(front)),
        good: world.good_end(),
        serves: world.serves_or_stopped(),
        code_is_good: world.files.is_multiple_of(2),
        pinned: world.pinned.is_some(),
    }
}

fn reachable(scene: &Scene, nodes: &[Node], back: &[Vec<u32>]) -> Option<(&'static str, usize)> {
    let from = |goal: fn(&Node) -> bool| {
        let mut good: Vec<bool> = nodes.iter().map(goal).collect();
        let mut queue: VecDeque<usize> = (0..nodes.len()).filter(|at| good[*at]).collect();
        while let Some(at) = queue.pop_front() {
            for before in &back[at] {
                let before = *before as usize;
                if !good[before] {
                    good[before] = true;
                    queue.push_back(before);
                }
            }
        }
        good
    };
    let rest = from(|node| node.rests);
    if let Some(at) = rest.iter().position(|good| !good) {
        return Some(("I13 it never comes to rest", at));
    }
    let good = from(|node| node.good);
    if let Some(at) = (0..nodes.len()).find(|at| nodes[*at].code_is_good && !good[*at]) {
        return Some(("I4 good newest code can never serve", at));
    }
    let serves = from(|node| node.serves);
    let auto = scene.options.promote == crate::spec::Promote::Auto;
    let down = |node: &Node| auto && node.code_is_good && !node.pinned;
    (0..nodes.len()).find(|at| down(&nodes[*at]) && !serves[*at]).map(|at| ("I4 down for ever with good code", at))
}

fn trace(nodes: &[Node], steps: &[Option<Move>], mut at: usize) -> Vec<Move> {
    let mut out = Vec::new();
    while let Some(step) = &steps[at] {
        out.push(step.clone());
        at = nodes[at].parent;
    }
    out.reverse();
    out
}

/// The same by stateright: laws only.
pub(super) fn check(scene: Scene) -> Seen {
    let checker = scene.checker().threads(2).spawn_bfs().join();
    let broken = checker.discoveries().remove("every law holds").map(|path| {
        let law = path.last_state().broken.unwrap_or("").to_owned();
        (law, path.into_actions())
    });
    Seen { states: checker.unique_state_count(), broken }
}

/// `MCP_TWIN_MODEL=3` lets the files change once and one twin die more often (2: the files only), and takes minutes instead of seconds.
fn scale() -> usize {
    option_env!("MCP_TWIN_MODEL").and_then(|text| text.parse().ok()).unwrap_or(1)
}

impl Scene {
    fn scaled(mut self) -> Self {
        if scale() > 1 {
            self.budget.changes += 1;
        }
        if scale() > 2 {
            self.budget.deaths += 1;
            self.failures += 1;
        }
        self
    }
}

/// No law is broken in this scene, and every end that must be reachable is.
#[track_caller]
fn holds(name: &str) {
    let seen = walk(&Scene::named(name).scaled(), 3_000_000 * scale());
    if let Some((law, moves)) = seen.broken {
        panic!("{law}: {moves:#?}");
    }
    eprintln!("{name}: {} states", seen.states);
    assert!(scale() > 1 || seen.states <= 3_000_000, "`{name}` is too large to be searched to its end");
    assert!(seen.states > 20, "nothing happens in `{name}`");
}

macro_rules! scenes {
    ($($test:ident = $name:literal),+ $(,)?) => {
        $(#[test] fn $test() { holds($name); })+

        #[test]
        fn every_scene_is_searched() {
            let names: Vec<_> = Scene::all().into_iter().map(|scene| scene.name).collect();
            assert_eq!(names, [$($name),+]);
        }
    };
}

scenes! {
    crash = "crash",
    crash_twice = "crash twice",
    write = "write",
    write_and_crash = "write and crash",
    changes = "changes",
    three_changes = "three changes",
    silent_watcher = "silent watcher",
    changes_and_deaths = "changes and deaths",
    drain = "drain",
    drain_and_death = "drain and death",
    commands = "commands",
    commands_and_death = "commands and death",
    commands_and_crash = "commands and crash",
    manual = "manual",
    manual_and_death = "manual and death",
    manual_twice = "manual twice",
    drops = "drops",
    always_up = "always up",
    probe = "probe",
    first_start = "first start",
    first_start_of_bad_code = "first start of bad code",
    first_start_and_crash = "first start and crash",
    first_start_and_write = "first start and write",
    copies = "copies",
    copies_and_death = "copies and death",
    copies_by_hand = "copies by hand",
    handoff = "handoff",
    handoff_and_crash = "handoff and crash",
    handoff_by_hand = "handoff by hand",
    warm = "warm",
    warm_and_crash = "warm and crash",
    warm_and_commands = "warm and commands",
    stop_and_start = "stop and start",
    breaking = "breaking",
    a_check = "check",
    check_and_commands = "check and commands",
    check_and_crash = "check and crash",
    reconfigured_handoff = "reconfigured handoff",
    reconfigured = "reconfigured",
    reconfigured_warm = "reconfigured warm",
    late_answers = "late answers",
    late_answers_at_a_start = "late answers at a start",
}
