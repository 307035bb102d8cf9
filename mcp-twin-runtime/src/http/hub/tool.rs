//! Calls of the front's own, on the sessions by which it proves twins.

use super::pump::gone;
use super::{Hub, Inner, Sid};
use crate::front::{ToolCaller, too_late};
use async_trait::async_trait;
use mcp_twin_core::relay::Called;
use mcp_twin_core::{Code, Fault, TwinId};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

#[async_trait]
impl ToolCaller for Hub {
    async fn call_tool(&self, twin: TwinId, tool: &str, arguments: &str, limit: Duration) -> Result<Called, Fault> {
        let (key, answer) = {
            let mut inner = self.lock();
            let sid = inner.own_at(twin).ok_or_else(|| {
                Fault::new(Code::NotOpened, "the front has no session of its own with this server process")
                    .with_help("`mcp-twin status` says how it stands; try again")
            })?;
            let session = inner.sessions.get_mut(&sid).ok_or_else(gone)?;
            let number = session.relay.call_tool(twin, tool, arguments)?;
            let (tx, rx) = oneshot::channel();
            inner.waiters.called.insert((sid, number), tx);
            inner.pump(self, sid, None);
            ((sid, number), rx)
        };
        match timeout(limit, answer).await {
            Ok(answer) => Ok(answer.unwrap_or_else(|_| Called::Lost(gone()))),
            Err(_) => {
                let now = self.now();
                let mut inner = self.lock();
                inner.waiters.called.remove(&key);
                if let Some(session) = inner.sessions.get_mut(&key.0) {
                    session.relay.give_up_tool(key.1, now);
                }
                inner.pump(self, key.0, None);
                Err(too_late(limit))
            }
        }
    }
}

impl Inner {
    /// A session of the front's own that this twin has accepted. The legacy one is asked first: it needs no headers that
    /// repeat what is in the arguments.
    fn own_at(&self, twin: TwinId) -> Option<Sid> {
        let next = self.own_next.get(&twin).copied().unwrap_or_default();
        let own = self.own.iter().rev().chain(next.iter().rev()).flatten().copied();
        let open =
            |sid: &Sid| self.sessions.get(sid).is_some_and(|own| own.relay.is_open() && own.relay.is_ready_at(twin));
        own.into_iter().find(open)
    }
}
