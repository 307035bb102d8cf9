//! Each known mistake is found: a model that finds nothing when a rule is broken proves nothing when it finds nothing.

use super::explore::walk;
use super::*;

/// The search finds that this law is broken when the machine makes these mistakes.
#[track_caller]
fn found(scene: Scene, mistakes: &'static [Mistake], law: &str) {
    let seen = walk(&scene.mistaken(mistakes), 3_000_000);
    let (broken, moves) = seen.broken.expect("the mistake is not found");
    assert!(broken.starts_with(law), "`{broken}` is found instead of `{law}`: {moves:?}");
}

macro_rules! mistakes {
    ($($test:ident: $scene:expr, [$($mistake:ident),*] => $law:literal;)+) => {
        $(#[test] fn $test() { found($scene, &[$(Mistake::$mistake),*], $law); })+
    };
}

fn scene(name: &str) -> Scene {
    Scene::named(name)
}

mistakes! {
    stale_target: scene("probe").with(|s| s.budget.deaths = 1), [StaleTarget] => "I1";
    touch_ignored: scene("three changes"), [TouchIgnored] => "I15";
    touch_ignored_by_a_silent_watcher: scene("silent watcher"), [TouchIgnored] => "I15";
    no_join: scene("commands"), [NoJoin] => "a saved change is only verified";
    intent_ends_bake: scene("three changes"), [IntentEndsBake] => "a bake was ended";
    unbaked_prev: scene("always up"), [UnbakedPrev] => "down although";
    no_live_bound: scene("drops"), [NoLiveBound] => "I9";
    no_compare: scene("crash twice"), [NoCompare] => "the newest code does not serve";
    rollback_keeps_op: scene("commands").codes(&[2, 4]).budget([2, 0, 0, 1, 0, 0]), [RollbackKeepsOp] => "a rollback is undone";
    no_rejected: scene("commands and crash"), [NoRejected] => "a rollback is undone";
    manual_starts: scene("manual and death"), [ManualStarts] => "unapproved code";
    approval_carries: scene("manual twice"), [ApprovalCarries] => "unapproved code";
    change_starts_stopped: scene("commands"), [ChangeStartsStopped] => "a stopped server";
    stop_unwritten: scene("commands and crash"), [StopUnwritten] => "a stopped server";
    no_rewrite: scene("write"), [NoRewrite] => "I1";
    start_needs_write: scene("write"), [StartNeedsWrite] => "a start is refused";
    no_revert: scene("changes"), [NoRevert] => "an operation runs for the code";
    useless_goes_on: scene("three changes").with(|s| s.budget.deaths = 1), [UselessGoesOn] => "an operation runs for the code";
    rejected_stays_down: scene("changes and deaths"), [RejectedStaysDown] => "I4 down for ever";
    no_identity: scene("crash").with(|s| s.blind_host = true), [] => "I6";
    no_sweep: scene("crash"), [NoSweep] => "I5";
    kill_first: scene("three changes"), [KillFirst] => "I2";
    route_first: scene("three changes"), [RouteFirst] => "I1";
    no_recheck: scene("changes and deaths"), [NoRecheck] => "I";
    late_means_ready: scene("three changes"), [LateMeansReady, NoRecheck] => "I";
    no_rehash: scene("three changes"), [NoRehash] => "I15";
    no_drop: scene("drops"), [NoDrop] => "the newest code does not serve";
    respawn_edited: scene("changes and deaths"), [RespawnEdited, NoRehash] => "I15";
    unapproved_takes_over: scene("manual and death"), [UnapprovedTakesOver] => "unapproved code";
    breaking_ignored: scene("breaking"), [BreakingIgnored] => "a breaking change";
    not_examined: scene("check"), [NotExamined] => "code that nobody tried";
    two_copies: scene("handoff"), [TwoCopies] => "two copies";
    strategy_taken: scene("reconfigured handoff"), [StrategyTaken] => "two copies";
    unwanted_warm: scene("reconfigured warm"), [UnwantedWarm] => "a warm twin stays";
}

/// stateright sees the same states, and finds the same.
#[test]
fn stateright_agrees() {
    for name in ["three changes", "drain", "manual", "handoff", "write", "breaking", "first start"] {
        let seen = super::explore::check(scene(name));
        assert_eq!(seen.broken, None, "{name}");
        assert_eq!(seen.states, walk(&scene(name), 400_000).states, "{name}");
    }
    for (name, mistakes) in [("three changes", &[Mistake::KillFirst] as &[_]), ("crash twice", &[Mistake::NoCompare])] {
        let wrong = super::explore::check(scene(name).mistaken(mistakes));
        assert!(wrong.broken.is_some(), "{mistakes:?} are not found in {name}");
    }
}
