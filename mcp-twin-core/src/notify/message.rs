//! What people are told of a notice: bounded, and without what is known to be a secret.

use super::event::Event;
use crate::error::Fault;
use crate::ids::Generation;
use crate::redact::Redaction;
use crate::swap::Notice;
use serde::Serialize;

/// A text of the server's or a fault's is cut behind so many characters.
const LONGEST: usize = 1000;
/// So many breaking changes are named.
const MOST: usize = 20;

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The server's name.
    pub server: String,
    /// The folder of its project, without the way to it.
    pub project: String,
    /// The machine.
    pub host: String,
    /// The front.
    pub front: String,
}

/// Why it came so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The stable code, such as `twin::spawn::exited_early`.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the server's stderr that says most; empty if it said nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// One message. Its form is the generic webhook's; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// What happened.
    pub event: Event,
    /// The same for every try and every target: who has seen it has seen the message.
    pub id: String,
    /// When it happened.
    pub time: String,
    /// The server's name.
    pub server: String,
    /// The folder of its project.
    pub project: String,
    /// The machine.
    pub host: String,
    /// The front.
    pub front: String,
    /// The generation that it is about: that failed, crashed, was left, serves now or waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The other one: that served before a swap, or serves after a rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Generation>,
    /// What happened, in one sentence.
    pub text: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What a swap changed in the lists, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub changes: String,
    /// What it breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaking: Vec<String>,
}

impl Message {
    /// What is said of a notice; `None` where nobody is told. `id` and `time` are the host's.
    #[must_use]
    pub fn new(notice: &Notice, sender: &Sender, id: String, time: String, redaction: &Redaction) -> Option<Self> {
        let event = Event::of(notice)?;
        let mut message = Self::empty(event, sender, id, time);
        let mut breaking: &[String] = &[];
        let mut fault = None;
        message.text = match notice {
            Notice::ReloadFailed { generation, fault: why } => {
                (message.generation, fault) = (Some(*generation), Some(why));
                format!("generation {generation} does not serve; the old code goes on")
            }
            Notice::RolledBack { left, active, why } => {
                (message.generation, message.other, fault) = (Some(*left), Some(*active), why.as_ref());
                let by = if why.is_none() { " by command" } else { "" };
                format!("generation {left} was rolled back to {active}{by}")
            }
            Notice::Crashed { generation, fault: why } => {
                (message.generation, fault) = (Some(*generation), Some(why));
                format!("generation {generation} crashed")
            }
            Notice::Down { fault: why } => {
                fault = Some(why);
                "nothing serves".to_owned()
            }
            Notice::Swapped { previous, active, diff } => {
                (message.generation, message.other) = (Some(*active), *previous);
                message.changes = diff.describe();
                breaking = &diff.breaking;
                match previous {
                    Some(previous) => format!("generation {active} serves in place of {previous}"),
                    None => format!("generation {active} serves"),
                }
            }
            Notice::Waiting { generation, breaking: broken } => {
                message.generation = Some(*generation);
                breaking = broken;
                format!("generation {generation} is verified and waits for `mcp-twin swap {}`", sender.server)
            }
            Notice::StateOff { .. } | Notice::StateOn => return None,
        };
        message.reason = fault.map(|fault| reason(fault, redaction));
        message.changes = told(&message.changes, redaction);
        message.breaking = breaking.iter().take(MOST).map(|text| told(text, redaction)).collect();
        if let Some(more) = breaking.len().checked_sub(MOST).filter(|more| *more > 0) {
            message.breaking.push(format!("and {more} more"));
        }
        Some(message)
    }

    /// Somebody tries whether messages arrive.
    #[must_use]
    pub fn test(sender: &Sender, id: String, time: String) -> Self {
        let text = "this is a test: messages of mcp-twin arrive here".to_owned();
        Self { text, ..Self::empty(Event::Test, sender, id, time) }
    }

    fn empty(event: Event, sender: &Sender, id: String, time: String) -> Self {
        Self {
            event,
            id,
            time,
            server: sender.server.clone(),
            project: sender.project.clone(),
            host: sender.host.clone(),
            front: sender.front.clone(),
            generation: None,
            other: None,
            text: String::new(),
            reason: None,
            changes: String::new(),
            breaking: Vec::new(),
        }
    }

    /// Its headline.
    #[must_use]
    pub fn title(&self) -> String {
        let what = match self.event {
            Event::Failed => "new code does not serve",
            Event::RolledBack => "rolled back",
            Event::Crashed => "crashed",
            Event::Down => "down",
            Event::Swapped => "swapped",
            Event::Waiting => "new code waits",
            Event::Test => "test",
        };
        format!("{}: {what}", self.server)
    }

    /// What happened and why, for people, without the server's own words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let why = self.reason.as_ref().map(|reason| format!(": {}", reason.message)).unwrap_or_default();
        format!("{}{why}", self.text)
    }

    /// Where it happened.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} on {}", self.project, self.host)
    }
}

fn reason(fault: &Fault, redaction: &Redaction) -> Reason {
    Reason {
        code: fault.code.as_str(),
        message: told(&fault.message, redaction),
        help: fault.help.as_ref().map(|help| told(help, redaction)),
        stderr: told(fault.first_line(), redaction),
    }
}

/// A text as it may leave this machine.
fn told(text: &str, redaction: &Redaction) -> String {
    // Before it is cut: half of a secret would not be found.
    let mut text = text.to_owned();
    redaction.apply_to_text(&mut text);
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    cut(&text, LONGEST)
}

/// At most so many UTF-16 units, by which Slack's and Discord's limits hold however they count.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |c: &char| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    };
    text.chars().take_while(fits).chain(std::iter::once('…')).collect()
}
