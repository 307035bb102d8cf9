//! A route that goes nowhere.

use super::shared::Shared;
use crate::error::Fault;
use crate::host::Traffic;
use crate::ids::TwinId;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What was asked of the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// To bring the client's state to a twin.
    Prepare(TwinId),
    /// To move the route.
    Handover {
        /// From this twin.
        from: Option<TwinId>,
        /// To this one.
        to: TwinId,
        /// Whether a trial begins.
        bake: bool,
        /// Whether the route moved.
        moved: bool,
    },
    /// To end the trial of a twin.
    EndBake(TwinId),
    /// To hold new requests.
    Hold,
    /// To refuse requests.
    Refuse(Fault),
    /// To hold requests when this twin has no open call.
    AwaitIdle(TwinId),
    /// To cut what is open on a twin.
    Cut(TwinId, Fault),
    /// To let a twin finish.
    Drain(TwinId),
}

/// Records what it was asked and where the route is. Twins owe nothing, unless they are [`busy`](Self::busy).
///
/// ```
/// use futures_util::FutureExt;
/// use mcp_twin_core::host::Traffic;
/// use mcp_twin_core::testing::RecordingTraffic;
/// use mcp_twin_core::{Code, Fault, TwinId};
///
/// let traffic = RecordingTraffic::default();
/// traffic.refuse_handover(Fault::new(Code::Host, "not ready at this instant"));
/// assert!(traffic.handover(None, TwinId(0), false).now_or_never().unwrap().is_err());
/// assert_eq!(traffic.route(), None);
/// assert!(traffic.handover(None, TwinId(0), false).now_or_never().unwrap().is_ok());
/// assert_eq!(traffic.route(), Some(TwinId(0)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecordingTraffic(Shared<Route>);

#[derive(Debug, Default)]
struct Route {
    calls: Vec<Routed>,
    to: Option<TwinId>,
    busy: BTreeSet<TwinId>,
    refuse_prepare: VecDeque<Fault>,
    refuse_handover: VecDeque<Fault>,
    bad: BTreeMap<TwinId, Fault>,
}

impl RecordingTraffic {
    /// Everything that was asked, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Routed> {
        self.0.read(|route| route.calls.clone())
    }

    /// Where new requests go; `None` while they are held or refused.
    #[must_use]
    pub fn route(&self) -> Option<TwinId> {
        self.0.read(|route| route.to)
    }

    /// Waits until new requests go to this twin.
    pub async fn routed_to(&self, twin: TwinId) {
        self.0.wait(|route| (route.to == Some(twin)).then_some(())).await;
    }

    /// The next twin to be prepared cannot take the client's state.
    pub fn refuse_prepare(&self, fault: Fault) {
        self.0.change(|route| route.refuse_prepare.push_back(fault));
    }

    /// The next handover finds its twin not ready.
    pub fn refuse_handover(&self, fault: Fault) {
        self.0.change(|route| route.refuse_handover.push_back(fault));
    }

    /// A twin on trial shows that it is bad.
    pub fn fail_bake(&self, twin: TwinId, fault: Fault) {
        self.0.change(|route| route.bad.insert(twin, fault));
    }

    /// A call is open on this twin.
    pub fn busy(&self, twin: TwinId) {
        self.0.change(|route| route.busy.insert(twin));
    }

    /// What was open on this twin is answered.
    pub fn free(&self, twin: TwinId) {
        self.0.change(|route| route.busy.remove(&twin));
    }

    async fn owes_nothing(&self, twin: TwinId) {
        self.0.wait(|route| (!route.busy.contains(&twin)).then_some(())).await;
    }
}

#[async_trait]
impl Traffic for RecordingTraffic {
    async fn prepare(&self, twin: TwinId) -> Result<(), Fault> {
        self.0.change(|route| {
            route.calls.push(Routed::Prepare(twin));
            route.refuse_prepare.pop_front().map_or(Ok(()), Err)
        })
    }

    async fn handover(&self, from: Option<TwinId>, to: TwinId, bake: bool) -> Result<(), Fault> {
        self.0.change(|route| {
            let refused = route.refuse_handover.pop_front();
            route.calls.push(Routed::Handover { from, to, bake, moved: refused.is_none() });
            if refused.is_none() {
                route.to = Some(to);
            }
            refused.map_or(Ok(()), Err)
        })
    }

    async fn bake_failed(&self, twin: TwinId) -> Fault {
        self.0.wait(|route| route.bad.remove(&twin)).await
    }

    fn end_bake(&self, twin: TwinId) {
        self.0.change(|route| route.calls.push(Routed::EndBake(twin)));
    }

    fn hold(&self) {
        self.0.change(|route| {
            route.calls.push(Routed::Hold);
            route.to = None;
        });
    }

    fn refuse(&self, fault: &Fault) {
        self.0.change(|route| {
            route.calls.push(Routed::Refuse(fault.clone()));
            route.to = None;
        });
    }

    async fn idle(&self, twin: TwinId) {
        self.0.change(|route| route.calls.push(Routed::AwaitIdle(twin)));
        self.owes_nothing(twin).await;
        self.0.change(|route| {
            if route.to == Some(twin) {
                route.to = None;
            }
        });
    }

    fn cut(&self, twin: TwinId, fault: &Fault) {
        self.0.change(|route| {
            route.calls.push(Routed::Cut(twin, fault.clone()));
            route.busy.remove(&twin);
            if route.to == Some(twin) {
                route.to = None;
            }
        });
    }

    async fn drained(&self, twin: TwinId) {
        self.0.change(|route| route.calls.push(Routed::Drain(twin)));
        self.owes_nothing(twin).await;
    }
}
