//! `mcp-twin call`: a tool, called beside the clients.

use super::answers::Answers;
use async_trait::async_trait;
use mcp_twin_core::control::{Answer, ToolAnswer};
use mcp_twin_core::relay::Called;
use mcp_twin_core::swap::{Status, TwinView};
use mcp_twin_core::{Code, Fault, TwinId};
use serde_json::Value;
use std::time::{Duration, Instant};

/// So long a call is waited for at most, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A larger answer does not pass the control socket.
const LARGEST: usize = 2 << 20;

/// What can call a tool of a twin.
#[async_trait]
pub trait ToolCaller: Send + Sync {
    /// Calls a tool at this twin; `arguments` is a JSON object.
    async fn call_tool(&self, twin: TwinId, tool: &str, arguments: &str, limit: Duration) -> Result<Called, Fault>;
}

/// Nobody waits any longer.
pub fn too_late(limit: Duration) -> Fault {
    let message = format!(
        "no answer within {} s; the tool was told to stop, and may have done its work in part or in full",
        limit.as_secs_f64()
    );
    Fault::new(Code::CallTimeout, message).with_help("`--timeout` gives it more time")
}

impl Answers {
    /// Calls a tool at the twin that serves, or at the one that waits.
    pub(super) async fn call(&self, standby: bool, tool: &str, arguments: &Value, patience: Duration) -> Answer {
        let Some(status) = self.handle.status().await else {
            return Answer::Error(Fault::new(Code::Stopped, "the front is ending"));
        };
        let found = if standby { waiting(&status) } else { serving(status) };
        let arguments = if arguments.is_null() { "{}".to_owned() } else { arguments.to_string() };
        let begun = Instant::now();
        let called = match found {
            Ok(twin) => self
                .tools
                .call_tool(twin.twin, tool, &arguments, patience.min(LONGEST))
                .await
                .map(|called| (twin, called)),
            Err(fault) => Err(fault),
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (twin, result, error) = match called {
            Ok((_, Called::Lost(fault))) | Err(fault) => return Answer::Error(fault),
            Ok((_, Called::Result(raw) | Called::Error(raw))) if raw.len() > LARGEST => {
                let message =
                    format!("the tool has answered {} bytes, which is more than can be shown here", raw.len());
                return Answer::Error(Fault::new(Code::TooLarge, message).with_help("call it through a client"));
            }
            Ok((twin, Called::Result(raw))) => (twin, Some(value(&raw)), None),
            Ok((twin, Called::Error(raw))) => (twin, None, Some(value(&raw))),
        };
        Answer::Called(ToolAnswer { twin, result, error, ms })
    }
}

/// What a server wrote; what no value can hold (`1e400`) is text.
fn value(raw: &str) -> Value {
    serde_json::from_str(raw).unwrap_or_else(|_| Value::from(raw))
}

fn serving(status: Status) -> Result<TwinView, Fault> {
    let why = status.degraded;
    status.active.ok_or_else(|| why.unwrap_or_else(|| Fault::new(Code::Down, "nothing serves at this moment")))
}

/// The standby, verified or in its check, else the warm twin of the code that serves.
fn waiting(status: &Status) -> Result<TwinView, Fault> {
    let none = |message: String| {
        Fault::new(Code::NoStandby, message).with_help("`mcp-twin reload` prepares one from the files as they are")
    };
    match &status.standby {
        Some((twin, stage))
            if ["checking", "verified"].contains(&stage.as_str()) && (twin.pid.is_some() || twin.port.is_some()) =>
        {
            Ok(twin.clone())
        }
        Some((_, stage)) if stage == "verified" => {
            Err(none("under `--strategy handoff` the standby is started by the swap itself".to_owned()))
        }
        Some((_, stage)) => Err(none(format!("the standby is not ready yet ({stage})"))),
        None => match &status.warm {
            Some(warm) if status.warm_ready => Ok(warm.clone()),
            _ => Err(none("no standby waits".to_owned())),
        },
    }
}
