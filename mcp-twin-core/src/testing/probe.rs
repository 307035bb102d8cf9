//! Probes whose findings are known beforehand.

use super::shared::Shared;
use crate::error::Fault;
use crate::host::HealthProbe;
use crate::ids::TwinId;
use crate::swap::ProbeReport;
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};

/// What a probe finds.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The twin is ready.
    Ready(ProbeReport),
    /// The twin will never be ready.
    NotReady(Fault),
    /// No answer, until [`ScriptedProbe::of`] gives one.
    Silent,
}

impl Verdict {
    /// Ready, with an empty report.
    #[must_use]
    pub fn ready() -> Self {
        Self::Ready(ProbeReport::default())
    }
}

/// Answers by twin, else in order, else that the twin is ready.
///
/// ```
/// use futures_util::FutureExt;
/// use mcp_twin_core::host::HealthProbe;
/// use mcp_twin_core::testing::{ScriptedProbe, Verdict};
/// use mcp_twin_core::{Code, Fault, TwinId};
///
/// let probe = ScriptedProbe::default();
/// probe.next(Verdict::NotReady(Fault::new(Code::ProbeRefused, "no")));
/// probe.of(TwinId(7), Verdict::Silent);
/// assert!(probe.check(TwinId(7)).now_or_never().is_none());
/// assert!(probe.check(TwinId(0)).now_or_never().unwrap().is_err());
/// assert!(probe.check(TwinId(1)).now_or_never().unwrap().is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedProbe(Shared<Script>);

#[derive(Debug, Default)]
struct Script {
    closed: bool,
    by_twin: BTreeMap<TwinId, Verdict>,
    in_order: VecDeque<Verdict>,
    begun: Vec<(TwinId, bool)>,
    checked: Vec<TwinId>,
    words: String,
}

impl ScriptedProbe {
    /// What the next twin without a verdict of its own will hear, behind those that were given before.
    pub fn next(&self, verdict: Verdict) {
        self.0.change(|script| script.in_order.push_back(verdict));
    }

    /// What this twin hears, also one that has waited in silence until now.
    pub fn of(&self, twin: TwinId, verdict: Verdict) {
        self.0.change(|script| script.by_twin.insert(twin, verdict));
    }

    /// No probe begins before [`open`](Self::open), as if the client had not opened its session yet.
    pub fn close(&self) {
        self.0.change(|script| script.closed = true);
    }

    /// Probes may begin.
    pub fn open(&self) {
        self.0.change(|script| script.closed = false);
    }

    /// What every twin has on its stderr.
    pub fn says(&self, words: &str) {
        self.0.change(|script| script.words = words.to_owned());
    }

    /// The probes that were asked for, with their `force`, oldest first.
    #[must_use]
    pub fn begun(&self) -> Vec<(TwinId, bool)> {
        self.0.read(|script| script.begun.clone())
    }

    /// The twins whose verdict was asked for, oldest first.
    #[must_use]
    pub fn checked(&self) -> Vec<TwinId> {
        self.0.read(|script| script.checked.clone())
    }
}

#[async_trait]
impl HealthProbe for ScriptedProbe {
    async fn begin(&self, twin: TwinId, force: bool) {
        self.0.change(|script| script.begun.push((twin, force)));
        self.0.wait(|script| (!script.closed).then_some(())).await;
    }

    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault> {
        self.0.change(|script| {
            script.checked.push(twin);
            let next = &mut script.in_order;
            script.by_twin.entry(twin).or_insert_with(|| next.pop_front().unwrap_or_else(Verdict::ready));
        });
        self.0
            .wait(|script| match script.by_twin.get(&twin) {
                Some(Verdict::Ready(report)) => Some(Ok(report.clone())),
                Some(Verdict::NotReady(fault)) => Some(Err(fault.clone())),
                Some(Verdict::Silent) | None => None,
            })
            .await
    }
    fn last_words(&self, _twin: TwinId) -> String {
        self.0.read(|script| script.words.clone())
    }
}
