//! The request ledger: every open request of the client, and every open request of a twin to the client.

use super::Relay;
use super::diff::ListKind;
use super::era::Envelope;
use super::frame::{self, Name};
use super::ids::{ClientId, Token};
use super::lists::notice_of;
use super::route::Timer;
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;

/// So many requests of the client may be open, and so many bytes be kept of them.
const OPEN: usize = 1 << 16;
const OPEN_BYTES: usize = 64 << 20;

/// The tally of the ledger; those before it are the lists'.
pub(super) const LEDGER: usize = 3;

/// An open request of the client.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: ClientId,
    pub(super) method: Method,
    /// The capability that it needs of the server.
    pub(super) needs: Option<Capability>,
    pub(super) place: Place,
    /// When it came.
    pub(super) began: Moment,
    /// When it is answered with an error, if nothing happens until then.
    pub(super) deadline: Option<Moment>,
    /// The client's progress token.
    pub(super) token: Option<Token>,
    /// The line with our number, kept where it may go to a second twin after the first died.
    pub(super) again: Option<Box<[u8]>>,
    /// How many twins have accepted it.
    pub(super) deliveries: u8,
    /// The level or the URI of a ledger request, the task that a request is about, or the cursor of a list of tools, as JSON.
    pub(super) entry: Option<Box<str>>,
    /// The `requestState` that it brings back, by hash.
    pub(super) state: Option<u64>,
    /// Its metadata, if its answer may settle the era.
    pub(super) settles: Option<Box<Envelope>>,
}

/// Where an open request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It waits for a twin.
    Held,
    /// It is in the queue to this twin; its newline was not accepted yet.
    Writing(TwinId),
    /// This twin has it.
    InFlight(TwinId),
}

impl Call {
    /// What is kept of its bytes.
    pub(super) fn weight(&self) -> usize {
        let token = |token: &Token| if let Token::Text(text) = token { text.len() } else { 0 };
        let kept = [&self.again.as_ref().map(|line| line.len()), &self.entry.as_ref().map(|entry| entry.len())];
        // The id and the token are keys too.
        let names = 2 * (token(&self.id.token) + self.token.as_ref().map_or(0, token));
        names
            + kept.into_iter().flatten().sum::<usize>()
            + self.settles.as_ref().map_or(0, |settles| settles.meta.len())
    }

    /// The twin that has it or is about to.
    pub(super) fn owner(&self) -> Option<TwinId> {
        match self.place {
            Place::Held => None,
            Place::Writing(twin) | Place::InFlight(twin) => Some(twin),
        }
    }

    /// Its newline was accepted.
    pub(super) fn accepted(&mut self) {
        if let Place::Writing(twin) = self.place {
            self.place = Place::InFlight(twin);
            self.deliveries = self.deliveries.saturating_add(1);
        }
    }
}

/// An open request of a twin to the client.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) twin: TwinId,
    /// The twin's own id, as written.
    pub(super) id: Box<str>,
    /// The twin's own progress token, as written.
    pub(super) token: Option<Box<str>>,
    /// The elicitation by URL that it asks for, by hash.
    pub(super) link: Option<u64>,
    /// The task of the client that it is about, by hash.
    pub(super) task: Option<u64>,
    /// Its answer comes when that task has ended.
    pub(super) ends_task: bool,
}

/// What the relay must know of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Initialize,
    Discover,
    Ping,
    List(ListKind),
    ToolCall,
    /// A call of one of the front's own tools, which no twin sees.
    Agent,
    /// Another call whose refusals count in a bake.
    Work,
    SetLevel,
    Subscribe,
    Unsubscribe,
    /// A subscription of the modern era.
    Listen,
    /// About one task, by its id.
    Task,
    /// Waits for the end of a task.
    TaskResult,
    TaskList,
    Other,
}

/// A capability of a server, as far as the relay must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capability {
    Tools,
    Prompts,
    Resources,
    Subscriptions,
    Logging,
    Completions,
    Tasks,
}

impl Capability {
    /// What a method needs.
    pub(super) fn of(method: &str) -> Option<Self> {
        if matches!(method, "resources/subscribe" | "resources/unsubscribe") {
            return Some(Self::Subscriptions);
        }
        match method.split_once('/')?.0 {
            "tools" => Some(Self::Tools),
            "prompts" => Some(Self::Prompts),
            "resources" => Some(Self::Resources),
            "logging" => Some(Self::Logging),
            "completion" => Some(Self::Completions),
            "tasks" => Some(Self::Tasks),
            _ => None,
        }
    }
}

impl Method {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "initialize" => Self::Initialize,
            "server/discover" => Self::Discover,
            "ping" => Self::Ping,
            "tools/list" => Self::List(ListKind::Tools),
            "prompts/list" => Self::List(ListKind::Prompts),
            "resources/list" => Self::List(ListKind::Resources),
            "resources/templates/list" => Self::List(ListKind::Templates),
            "tools/call" => Self::ToolCall,
            "prompts/get" | "resources/read" | "completion/complete" => Self::Work,
            "logging/setLevel" => Self::SetLevel,
            "resources/subscribe" => Self::Subscribe,
            "resources/unsubscribe" => Self::Unsubscribe,
            "subscriptions/listen" => Self::Listen,
            "tasks/get" | "tasks/update" | "tasks/cancel" => Self::Task,
            "tasks/result" => Self::TaskResult,
            "tasks/list" => Self::TaskList,
            _ => Self::Other,
        }
    }

    /// Whether it may go to a second twin after the first died: it has no effect that could happen twice.
    pub(super) fn may_repeat(self) -> bool {
        matches!(self, Self::Initialize | Self::Discover | Self::Ping | Self::List(_))
    }

    /// Whether it changes the ledger.
    pub(super) fn is_ledger(self) -> bool {
        matches!(self, Self::SetLevel | Self::Subscribe | Self::Unsubscribe)
    }

    /// Of which calls it is counted how many a twin has: lists by the notification that announces them, and the ledger.
    pub(super) fn tally(self) -> Option<usize> {
        match self {
            Self::List(kind) => Some(notice_of(kind)),
            _ if self.is_ledger() => Some(LEDGER),
            _ => None,
        }
    }

    /// Whether its refusals count in a bake.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::ToolCall | Self::Work)
    }

    /// As people know it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Initialize => "the opening of the session",
            Self::Discover => "the discovery",
            Self::Ping => "the ping",
            Self::List(_) => "the list",
            Self::ToolCall | Self::Agent => "the tool call",
            Self::SetLevel => "the log level",
            Self::Subscribe | Self::Unsubscribe | Self::Listen => "the subscription",
            Self::Task | Self::TaskResult | Self::TaskList => "the request about a task",
            Self::Work | Self::Other => "the request",
        }
    }
}

/// The `params._meta.progressToken` of a message, as written.
pub(super) fn progress_token(params: Option<&str>) -> Option<&str> {
    static TOKEN: Name = Name::new("progressToken");
    let params = params.filter(|params| TOKEN.may_be_in(params))?;
    let token = TOKEN.of(frame::member(params, "_meta")?)?;
    frame::is_id(token).then_some(token)
}

impl Relay {
    /// Takes a call out of the ledger: it was answered, or cancelled.
    pub(super) fn close(&mut self, number: u64) -> Option<Call> {
        let call = self.calls.remove(&number)?;
        self.calls_bytes = self.calls_bytes.saturating_sub(call.weight());
        self.names.remove(&call.id.token);
        if let Some(token) = &call.token
            && self.tokens.get(token) == Some(&number)
        {
            self.tokens.remove(token);
        }
        if let Some(at) = call.deadline {
            self.timers.remove(&(at, Timer::Call(number)));
        }
        if call.method == Method::Agent {
            self.agent.forget(number);
        }
        match call.owner() {
            None => self.unhold(number),
            Some(twin) => {
                self.unassign(call.method, twin);
            }
        }
        Some(call)
    }

    /// A call is no longer this twin's.
    pub(super) fn unassign(&mut self, method: Method, twin: TwinId) {
        if let Some(state) = self.twins.get_mut(&twin) {
            state.calls = state.calls.saturating_sub(1);
            if let Some(tally) = method.tally() {
                state.tallies[tally] = state.tallies[tally].saturating_sub(1);
            }
        }
    }

    /// Whether a call of this tally is open at a twin other than `but`.
    pub(super) fn is_open_elsewhere(&self, tally: usize, but: Option<TwinId>) -> bool {
        self.twins.iter().any(|(twin, state)| Some(*twin) != but && state.tallies[tally] > 0)
    }

    /// Why no more requests are taken, if so many are open that what is known of them has no bound.
    pub(super) fn too_many(&self) -> Option<Fault> {
        (self.calls.len() >= OPEN || self.calls_bytes > OPEN_BYTES).then(|| {
            let message =
                "too many requests are open; this one was not delivered and can be repeated once others are answered";
            Fault::new(Code::Busy, message)
        })
    }

    /// Gives an open call a deadline, or takes it away.
    pub(super) fn set_deadline(&mut self, number: u64, at: Option<Moment>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let Some(old) = call.deadline.take() {
            self.timers.remove(&(old, Timer::Call(number)));
        }
        if let Some(at) = at {
            call.deadline = Some(at);
            self.timers.insert((at, Timer::Call(number)));
        }
    }

    /// What must be looked at after a twin lost an open call or request: drain, idleness, owed list changes.
    pub(super) fn after_close(&mut self, method: Method, twin: Option<TwinId>, now: Moment) {
        if let Some(twin) = twin {
            self.check_drained(twin);
            self.check_idle(twin, now);
        }
        if let Method::List(_) = method {
            self.send_owed_changes();
        }
        if method.is_ledger() {
            self.check_prepared(now);
            self.release_ledger(now);
        }
    }
}
