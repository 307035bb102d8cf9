//! Numbers without a seed of the clock, for searches among the tests.

/// A failure comes again (splitmix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// How large a search is to be: `MCP_TWIN_FUZZ_INPUTS` and `MCP_TWIN_FUZZ_SEED` ask for more, and for others (`cargo xtask
/// fuzz`).
pub(crate) fn asked(name: &str, otherwise: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test is told its size by the environment; the core reads none")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
