//! Calls of the front's own: a person or a check asks for a tool. The client sees nothing of them; what the tool asks its
//! client meanwhile goes the way of everything that this twin asks.

use super::drain::CUT;
use super::probe::What;
use super::{Relay, RelayEvent, refusal};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;

/// So many of them may be open at one twin.
const OPEN: usize = 16;

/// How a call of the front's own ended. What the server said stands there as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// With a result.
    Result(Box<str>),
    /// With an error.
    Error(Box<str>),
    /// Without an answer.
    Lost(Fault),
}

impl Relay {
    /// Calls a tool for the front itself, at a twin that was proved healthy; `arguments` is a JSON object. Gives the number
    /// under which [`RelayEvent::Called`] will say how it ended.
    ///
    /// # Errors
    /// The twin cannot be asked now; nothing was sent to it.
    pub fn call_tool(&mut self, twin: TwinId, tool: &str, arguments: &str) -> Result<u64, Fault> {
        if !self.twins.get(&twin).is_some_and(|state| state.initialized) {
            let message = "no client has opened a session with this server process yet";
            return Err(Fault::new(Code::NotOpened, message).with_help("call again once a client is connected"));
        }
        let stuck = self.is_stuck(twin);
        let ready = self.is_ready_at(twin);
        let Some(state) = self.twins.get(&twin).filter(|state| ready && !state.out.is_shut()) else {
            return Err(Fault::new(Code::Down, "the server process takes no requests at this moment"));
        };
        if stuck || state.tools >= OPEN {
            return Err(Fault::new(Code::Busy, "the server process has too much to do: the call was not delivered"));
        }
        let params = format!("\"name\":{},\"arguments\":{arguments}", serde_json::Value::from(tool));
        let number = self.send_errand(twin, What::Tool, "tools/call", &params);
        if let Some(state) = self.twins.get_mut(&twin) {
            state.tools += 1;
        }
        Ok(number)
    }

    /// Nobody waits for this call any more: its twin is told, and what it still answers is dropped.
    pub fn give_up_tool(&mut self, number: u64, now: Moment) {
        let Some(errand) = self.errands.remove(&number) else { return };
        self.cancel_at(errand.twin, number, "it took too long");
        self.tool_over(errand.twin, now);
    }

    pub(super) fn tool_answered(&mut self, number: u64, twin: TwinId, answer: Result<&str, &str>, now: Moment) {
        let called = match answer {
            Ok(result) => Called::Result(result.into()),
            Err(error) => Called::Error(error.into()),
        };
        self.event(RelayEvent::Called(number, called));
        self.tool_over(twin, now);
    }

    /// Its twin is gone, or about to be.
    pub(super) fn tools_lost(&mut self, twin: TwinId, fault: &Fault) {
        let lost = self.errands.extract_if(.., |_, errand| errand.twin == twin && matches!(errand.what, What::Tool));
        let lost: Vec<u64> = lost.map(|(number, _)| number).collect();
        for number in lost {
            self.event(RelayEvent::Called(number, Called::Lost(refusal::lost_call(fault))));
        }
        if let Some(state) = self.twins.get_mut(&twin) {
            state.tools = 0;
        }
    }

    /// The same for one that lives on for a moment: it is told.
    pub(super) fn cut_tools(&mut self, twin: TwinId, fault: &Fault) {
        let open = self.errands.iter().filter(|(_, errand)| errand.twin == twin && matches!(errand.what, What::Tool));
        for number in open.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.cancel_at(twin, number, CUT);
        }
        self.tools_lost(twin, fault);
    }

    fn tool_over(&mut self, twin: TwinId, now: Moment) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.tools = state.tools.saturating_sub(1);
        }
        self.check_drained(twin);
        self.check_idle(twin, now);
    }
}
