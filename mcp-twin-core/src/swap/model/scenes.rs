//! The scenes, as small as can be and each about one thing.

use super::{Budget, Mistake, Scene, Strategy, Word};
use crate::spec::{Breaking, Options, Promote, Standby, Transport};

const WORDS: &[Word] = &[Word::Start, Word::Reload, Word::Swap, Word::Rollback, Word::Stop];

/// It begins with nothing, and what is started may fail so often that it is not given up.
fn fresh(scene: &mut Scene) {
    (scene.fresh, scene.failures) = (true, 4);
}

impl Scene {
    pub(super) fn base(name: &'static str) -> Self {
        let mut options = Options::defaults(Transport::Http);
        options.standby = Standby::OnDemand;
        options.breaking = Breaking::Warn;
        options.settle = std::time::Duration::ZERO;
        options.drain = None;
        Self {
            name,
            options,
            durable: true,
            codes: &[0, 2],
            calls: false,
            reuse: false,
            always_up: false,
            touch: true,
            breaks: false,
            fresh: false,
            commands: WORDS,
            budget: Budget::default(),
            live_twins: 5,
            retiring: 2,
            failures: 2,
            mistakes: &[],
            blind_host: false,
        }
    }

    pub(super) fn stdio(mut self) -> Self {
        self.durable = false;
        self
    }

    pub(super) fn manual(mut self) -> Self {
        self.options.promote = Promote::Manual;
        self
    }

    pub(super) fn handoff(mut self) -> Self {
        self.options.strategy = Strategy::Handoff;
        self
    }

    pub(super) fn warm(mut self) -> Self {
        self.options.standby = Standby::Warm;
        self
    }

    pub(super) fn breaking(mut self) -> Self {
        self.options.breaking = Breaking::Wait;
        self.breaks = true;
        self
    }

    pub(super) fn checked(mut self) -> Self {
        self.options.check = Some(crate::spec::Check::Command(String::new()));
        self
    }

    pub(super) fn codes(mut self, codes: &'static [u8]) -> Self {
        self.codes = codes;
        self
    }

    pub(super) fn commands(mut self, commands: &'static [Word]) -> Self {
        self.commands = commands;
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn mistaken(mut self, mistakes: &'static [Mistake]) -> Self {
        self.mistakes = mistakes;
        self
    }

    /// Changes, crashes of the front, deaths, commands, failed writes, failed probes of good code.
    pub(super) fn budget(mut self, all: [u8; 6]) -> Self {
        let [changes, crashes, deaths, commands, failed_writes, failed_probes] = all;
        let (late, reconfigures) = (0, 0);
        self.budget = Budget { changes, crashes, deaths, commands, failed_writes, failed_probes, late, reconfigures };
        self
    }

    /// Other options come once.
    pub(super) fn reconfigured(mut self) -> Self {
        self.budget.reconfigures = 1;
        self
    }

    /// The other strategy, and no warm twin.
    pub(super) fn other_options(&self) -> Options {
        let strategy = match self.options.strategy {
            Strategy::Overlap => Strategy::Handoff,
            Strategy::Handoff => Strategy::Overlap,
        };
        Options { strategy, standby: Standby::OnDemand, ..self.options.clone() }
    }

    pub(super) fn late(mut self, late: u8) -> Self {
        self.budget.late = late;
        self
    }

    /// Every scene by its name. The budgets are the largest that take seconds.
    pub(super) fn all() -> Vec<Self> {
        let base = Self::base;
        vec![
            base("crash").codes(&[1, 2]).with(|s| s.reuse = true).budget([1, 1, 1, 0, 0, 0]),
            base("crash twice").with(|s| s.reuse = true).budget([2, 2, 1, 0, 0, 0]),
            base("write").codes(&[2]).budget([1, 0, 1, 0, 1, 0]),
            base("write and crash").codes(&[2]).budget([1, 1, 1, 0, 2, 0]),
            base("changes").codes(&[0, 1, 2]).budget([2, 0, 0, 0, 0, 0]),
            base("three changes").budget([3, 0, 0, 0, 0, 0]),
            base("silent watcher").with(|s| s.touch = false).budget([3, 0, 0, 0, 0, 0]),
            base("changes and deaths").stdio().codes(&[1, 2]).with(|s| s.failures = 2).budget([2, 0, 1, 0, 0, 0]),
            base("drain").stdio().with(|s| s.calls = true).budget([3, 0, 0, 0, 0, 0]).with(|s| s.retiring = 1),
            base("drain and death").stdio().codes(&[1, 2]).with(|s| s.calls = true).budget([1, 0, 1, 0, 0, 0]),
            base("commands").codes(&[0, 1, 2]).budget([1, 0, 0, 2, 0, 0]),
            base("commands and death").stdio().codes(&[2]).budget([1, 0, 1, 1, 0, 0]),
            base("commands and crash").codes(&[1, 2]).budget([1, 1, 0, 1, 0, 0]),
            base("manual").manual().codes(&[1, 2]).budget([1, 1, 0, 1, 0, 0]),
            base("manual and death").manual().stdio().codes(&[2, 4]).budget([1, 0, 1, 1, 0, 0]),
            base("manual twice").manual().stdio().codes(&[2, 4]).budget([2, 0, 0, 1, 0, 0]),
            base("drops").stdio().codes(&[2, 4]).budget([5, 0, 0, 0, 0, 0]).with(|s| s.live_twins = 4),
            base("always up").codes(&[1, 3]).with(|s| (s.always_up, s.calls) = (true, true)).budget([2, 0, 0, 0, 0, 0]),
            base("probe").codes(&[2, 4]).with(|s| s.calls = true).budget([2, 0, 0, 0, 0, 1]),
            base("first start").stdio().codes(&[2]).with(fresh).budget([1, 0, 1, 0, 0, 1]),
            base("first start of bad code")
                .stdio()
                .codes(&[1, 2])
                .with(fresh)
                .with(|s| s.failures = 2)
                .budget([1, 0, 0, 0, 0, 0]),
            base("first start and crash").codes(&[2]).with(fresh).budget([1, 1, 1, 0, 0, 0]),
            base("first start and write").codes(&[2]).with(fresh).budget([1, 0, 1, 0, 1, 0]),
            base("copies").stdio().codes(&[2]).commands(&[Word::Copy, Word::Swap]).budget([1, 0, 0, 2, 0, 0]),
            base("copies and death").stdio().codes(&[1]).commands(&[Word::Copy]).budget([1, 0, 1, 2, 0, 0]),
            base("copies by hand")
                .stdio()
                .manual()
                .codes(&[2, 4])
                .commands(&[Word::Copy, Word::Swap])
                .budget([2, 0, 1, 2, 0, 0]),
            base("handoff").handoff().codes(&[1, 2]).with(|s| s.calls = true).budget([1, 0, 1, 0, 0, 0]),
            base("handoff and crash").handoff().codes(&[2, 4]).budget([2, 1, 1, 1, 0, 0]),
            base("handoff by hand").handoff().manual().stdio().codes(&[1, 2]).budget([2, 0, 0, 1, 0, 0]),
            base("warm").warm().with(|s| s.failures = 4).codes(&[2]).budget([1, 0, 1, 0, 0, 1]),
            base("warm and crash").warm().codes(&[2]).budget([1, 1, 1, 0, 0, 0]),
            base("warm and commands").warm().codes(&[2]).budget([1, 0, 0, 2, 0, 0]),
            base("stop and start").codes(&[2]).commands(&[Word::Start, Word::Stop]).budget([1, 0, 1, 2, 0, 0]),
            base("breaking").breaking().codes(&[2, 4]).commands(&[Word::Swap, Word::Force]).budget([2, 0, 0, 1, 0, 0]),
            base("check").checked().codes(&[2]).with(|s| s.failures = 4).budget([1, 0, 1, 0, 0, 1]),
            base("check and commands")
                .checked()
                .stdio()
                .codes(&[2, 4])
                .with(|s| s.failures = 4)
                .budget([2, 0, 0, 1, 0, 1]),
            base("check and crash").checked().codes(&[2]).with(|s| s.failures = 4).budget([1, 1, 0, 1, 0, 1]),
            base("reconfigured handoff").handoff().codes(&[1, 2]).budget([1, 0, 1, 0, 0, 0]).reconfigured(),
            base("reconfigured").codes(&[1, 2]).budget([2, 1, 0, 0, 0, 0]).reconfigured(),
            base("reconfigured warm").warm().codes(&[2]).budget([1, 0, 1, 0, 0, 0]).reconfigured(),
            base("late answers").codes(&[2, 4]).budget([2, 0, 0, 1, 0, 0]).late(2),
            base("late answers at a start").codes(&[2]).with(fresh).budget([1, 0, 0, 0, 0, 0]).late(2),
        ]
    }

    pub(super) fn named(name: &str) -> Self {
        Self::all().into_iter().find(|scene| scene.name == name).unwrap()
    }
}
