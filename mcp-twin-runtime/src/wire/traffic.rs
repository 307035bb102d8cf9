//! The wire as the swap machine's driver sees it: where requests go, and what proves a twin healthy.

use super::Wire;
use crate::front::{ToolCaller, too_late};
use async_trait::async_trait;
use mcp_twin_core::host::{Clock, HealthProbe, Traffic};
use mcp_twin_core::relay::Called;
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, Moment, TwinId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

fn gone() -> Fault {
    Fault::new(Code::ExitedEarly, "the twin ended before it could answer")
}

#[async_trait]
impl HealthProbe for Wire {
    async fn begin(&self, twin: TwinId, force: bool) {
        let (probing, begun) = oneshot::channel();
        let (ready, verdict) = oneshot::channel();
        {
            let waiters = &mut self.lock().waiters;
            waiters.probing.insert(twin, probing);
            waiters.ready.insert(twin, ready);
            waiters.verdicts.insert(twin, verdict);
        }
        self.with(|relay, now| relay.probe(twin, force, now));
        // A twin that is gone has begun and failed: `check` says so.
        let _ = begun.await;
    }

    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault> {
        let verdict = self.lock().waiters.verdicts.remove(&twin);
        match verdict {
            Some(verdict) => verdict.await.unwrap_or_else(|_| Err(gone())),
            None => Err(gone()),
        }
    }

    fn last_words(&self, twin: TwinId) -> String {
        self.stderr_tail(twin).unwrap_or_default()
    }
}

#[async_trait]
impl Traffic for Wire {
    async fn prepare(&self, twin: TwinId) -> Result<(), Fault> {
        let (tx, rx) = oneshot::channel();
        self.lock().waiters.prepared.insert(twin, tx);
        self.with(|relay, now| relay.prepare(twin, now));
        rx.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn handover(&self, _from: Option<TwinId>, to: TwinId, bake: bool) -> Result<(), Fault> {
        self.with(|relay, now| {
            relay.handover(to, now)?;
            if bake {
                relay.begin_bake(to);
            }
            Ok(())
        })?;
        if let Some(recorder) = self.recorder() {
            recorder.serves(to);
        }
        Ok(())
    }

    async fn bake_failed(&self, twin: TwinId) -> Fault {
        let (tx, rx) = oneshot::channel();
        self.lock().waiters.bake.insert(twin, tx);
        match rx.await {
            Ok(fault) => fault,
            // Its end is an event of its own.
            Err(_) => std::future::pending().await,
        }
    }

    fn end_bake(&self, twin: TwinId) {
        self.lock().waiters.bake.remove(&twin);
        self.with(|relay, _| relay.end_bake(twin));
    }

    fn hold(&self) {
        self.with(|relay, now| relay.hold(now));
    }

    fn refuse(&self, fault: &Fault) {
        self.with(|relay, now| relay.refuse(fault.clone(), now));
    }

    async fn idle(&self, twin: TwinId) {
        let (tx, rx) = oneshot::channel();
        self.lock().waiters.idle.insert(twin, tx);
        self.with(|relay, now| relay.await_idle(twin, now));
        let _ = rx.await;
    }

    fn cut(&self, twin: TwinId, fault: &Fault) {
        self.with(|relay, now| relay.cut(twin, fault, now));
    }

    async fn drained(&self, twin: TwinId) {
        let (tx, rx) = oneshot::channel();
        self.lock().waiters.drained.insert(twin, tx);
        self.with(|relay, now| relay.drain(twin, now));
        // Gone is drained too.
        let _ = rx.await;
    }
}

#[async_trait]
impl ToolCaller for Wire {
    async fn call_tool(&self, twin: TwinId, tool: &str, arguments: &str, limit: Duration) -> Result<Called, Fault> {
        let (number, answer) = {
            let now = self.now();
            let mut inner = self.lock();
            let number = inner.relay.call_tool(twin, tool, arguments)?;
            let (tx, rx) = oneshot::channel();
            inner.waiters.called.insert(number, tx);
            self.pump(&mut inner, now);
            (number, rx)
        };
        match timeout(limit, answer).await {
            Ok(answer) => Ok(answer.unwrap_or_else(|_| Called::Lost(gone()))),
            Err(_) => {
                self.lock().waiters.called.remove(&number);
                self.with(|relay, now| relay.give_up_tool(number, now));
                Err(too_late(limit))
            }
        }
    }
}

#[async_trait]
impl Clock for Wire {
    fn now(&self) -> Moment {
        Self::now(self)
    }

    async fn sleep_until(&self, at: Moment) {
        tokio::time::sleep_until(self.instant(at)).await;
    }
}
