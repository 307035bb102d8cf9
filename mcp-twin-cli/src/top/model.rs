//! What the screen knows, and what follows of a key, an answer or the time: pure, so that every course can be tested.

mod front;
mod server;

pub(crate) use front::{Front, Health};
pub(crate) use server::Group;

use super::key::Key;
use crate::act;
use crate::render::history;
use crate::render::outcome::{self, Verb};
use crate::render::style::harmless;
use crate::status::answered;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::error::Fault;
use mcp_twin_core::swap::Outcome;
use mcp_twin_runtime::fronts::{AskError, FrontAddress};
use mcp_twin_runtime::history::HistoryLine;
use mcp_twin_runtime::servers::ServerKey;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A page of the logs.
const PAGE: usize = 10;

/// Something that has happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// A key.
    Key(Key),
    /// It is time to look again.
    Tick,
    /// The terminal has changed.
    Redraw,
    /// These fronts run.
    Running(Vec<FrontAddress>),
    /// A front has answered `status`, or not.
    Status(String, Box<Result<Answer, AskError>>),
    /// A front has done what a key wanted, or not.
    Done(Verb, FrontAddress, Box<Result<Answer, AskError>>),
    /// The end of the history of a server.
    History(ServerKey, Vec<HistoryLine>),
    /// The end of the logs in a folder.
    Logs(PathBuf, Vec<String>),
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// See which fronts run.
    Look,
    /// Ask a front how it is.
    Ask(FrontAddress),
    /// Let a front do something.
    Act(Verb, Ask, FrontAddress),
    /// Read the history of a server.
    ReadHistory(ServerKey),
    /// Read the logs of a server.
    ReadLogs(ServerKey),
}

/// The time, as whoever has a clock tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// Since the screen began.
    pub(crate) since: Duration,
    /// Since 1970.
    pub(crate) wall: Duration,
}

/// How good what is said is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Good,
    Plain,
    Warn,
    Bad,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Servers,
    /// The logs of the chosen server; so many lines above the last one.
    Logs(usize),
    Help,
}

/// A command that fronts have not finished.
#[derive(Debug)]
struct Acting {
    since: Duration,
    /// The fronts that have not answered.
    left: BTreeSet<String>,
    /// What the others have said.
    told: Vec<(Tone, String)>,
}

/// All that the screen knows.
#[derive(Debug)]
pub(crate) struct Model {
    /// Whether colours are wanted.
    pub(crate) colours: bool,
    pub(crate) page: Page,
    pub(crate) now: Now,
    /// Whether anything was seen yet.
    pub(crate) looked: bool,
    /// What came of the last key.
    pub(crate) said: Option<(Tone, String)>,
    /// The end of the chosen server's logs.
    pub(crate) logs: Vec<String>,
    fronts: Vec<Front>,
    /// Fronts that were asked and have not answered.
    asked: BTreeSet<String>,
    chosen: Option<ServerKey>,
    acting: BTreeMap<(ServerKey, &'static str), Acting>,
    history: Option<(ServerKey, Vec<HistoryLine>)>,
    over: bool,
}

impl Model {
    /// A screen that has seen nothing.
    pub(crate) fn new(colours: bool) -> Self {
        Self {
            colours,
            page: Page::Servers,
            now: Now::default(),
            looked: false,
            said: None,
            logs: Vec::new(),
            fronts: Vec::new(),
            asked: BTreeSet::new(),
            chosen: None,
            acting: BTreeMap::new(),
            history: None,
            over: false,
        }
    }

    /// Takes note of what has happened, and says what is to be done.
    pub(crate) fn update(&mut self, message: Message, now: Now) -> Vec<Effect> {
        self.now = now;
        match message {
            Message::Key(key) => return self.key(key),
            Message::Tick => return std::iter::once(Effect::Look).chain(self.reads()).collect(),
            Message::Redraw => {}
            Message::Running(running) => return self.running(running),
            Message::Status(id, reply) => {
                self.asked.remove(&id);
                if let Some(front) = self.fronts.iter_mut().find(|front| front.address.front == id) {
                    front.answered(answered(&reply));
                }
            }
            Message::Done(verb, front, reply) => return self.done(verb, &front, &reply),
            Message::History(key, lines) => {
                if self.chosen.as_ref() == Some(&key) {
                    self.history = Some((key, lines));
                }
            }
            Message::Logs(folder, lines) => {
                let wanted = self.chosen.as_ref().map(ServerKey::as_str);
                if folder.file_name().and_then(|name| name.to_str()) == wanted {
                    self.logs = lines;
                }
            }
        }
        Vec::new()
    }

    /// Whether the screen is to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The servers, in their order, each with its fronts.
    pub(crate) fn servers(&self) -> Vec<Group<'_>> {
        Group::all(&self.fronts)
    }

    /// The chosen one, by its place among them.
    pub(crate) fn chosen(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.servers().iter().position(|server| server.key() == *chosen)
    }

    /// The history of the chosen server, the oldest line first.
    pub(crate) fn history(&self) -> &[HistoryLine] {
        let (key, lines) = match &self.history {
            Some((key, lines)) => (Some(key), lines.as_slice()),
            None => (None, &[][..]),
        };
        if key == self.chosen.as_ref() { lines } else { &[] }
    }

    /// What is to be said now: what the chosen server is at, else what came of the last key.
    pub(crate) fn told(&self) -> Option<(Tone, String)> {
        let chosen = self.chosen.as_ref()?;
        let acting = self.acting.iter().filter(|((key, _), _)| key == chosen);
        let latest = acting.max_by_key(|(_, acting)| acting.since);
        latest.map_or_else(
            || self.said.clone(),
            |((key, verb), acting)| {
                let seconds = self.now.since.saturating_sub(acting.since).as_secs();
                Some((Tone::Plain, format!("{verb} {}: under way … {seconds} s", key.name())))
            },
        )
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        match (key, self.page) {
            (Key::Quit, _) => self.over = true,
            (Key::Help, Page::Help) | (Key::Back, _) => self.page = Page::Servers,
            (Key::Logs, Page::Logs(_)) => self.page = Page::Servers,
            (Key::Help, _) => self.page = Page::Help,
            (Key::Logs, _) => {
                if self.chosen.is_none() {
                    self.said = Some((Tone::Warn, "no server runs, so there are no logs to show".to_owned()));
                    return Vec::new();
                }
                self.page = Page::Logs(0);
                self.logs.clear();
                return self.reads();
            }
            (Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::First | Key::Last, Page::Logs(above)) => {
                let most = self.logs.len().saturating_sub(1);
                let above = match key {
                    Key::Up => above + 1,
                    Key::Down => above.saturating_sub(1),
                    Key::PageUp => above + PAGE,
                    Key::PageDown => above.saturating_sub(PAGE),
                    Key::First => most,
                    _ => 0,
                };
                self.page = Page::Logs(above.min(most));
            }
            (Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::First | Key::Last, _) => return self.choose(key),
            (Key::Reload, _) => return self.act(Verb::Reload, &Ask::Reload),
            (Key::Swap, _) => return self.act(Verb::Swap, &Ask::Swap { force: false }),
            (Key::Rollback, _) => return self.act(Verb::Rollback, &Ask::Rollback { to: None }),
        }
        Vec::new()
    }

    fn choose(&mut self, key: Key) -> Vec<Effect> {
        let servers = self.servers();
        let Some(last) = servers.len().checked_sub(1) else { return Vec::new() };
        let at = self.chosen().unwrap_or(0);
        let at = match key {
            Key::Up => at.saturating_sub(1),
            Key::PageUp => at.saturating_sub(PAGE),
            Key::Down => at + 1,
            Key::PageDown => at + PAGE,
            Key::First => 0,
            _ => last,
        };
        let key = servers.get(at.min(last)).map(Group::key);
        if self.chosen != key {
            (self.chosen, self.said) = (key, None);
        }
        self.reads()
    }

    /// What is to be read for the chosen server.
    fn reads(&self) -> Vec<Effect> {
        let Some(chosen) = self.chosen.clone() else { return Vec::new() };
        match self.page {
            Page::Logs(_) => vec![Effect::ReadLogs(chosen)],
            Page::Servers | Page::Help => vec![Effect::ReadHistory(chosen)],
        }
    }

    fn running(&mut self, running: Vec<FrontAddress>) -> Vec<Effect> {
        self.looked = true;
        let mut known = std::mem::take(&mut self.fronts);
        for address in running {
            let at = known.iter().position(|front| front.address.front == address.front);
            let front = at.map_or_else(|| Front::new(address.clone()), |at| known.swap_remove(at));
            self.fronts.push(Front { address, ..front });
        }
        self.fronts.sort_by(|a, b| (&a.address.server, &a.address.root).cmp(&(&b.address.server, &b.address.root)));
        let mut effects = Vec::new();
        if self.chosen().is_none() {
            self.chosen = self.servers().first().map(Group::key);
            effects.extend(self.reads());
        }
        // One that has not answered yet is not asked again meanwhile.
        let asked = &mut self.asked;
        let fronts = self.fronts.iter().filter(|front| asked.insert(front.address.front.clone()));
        effects.extend(fronts.map(|front| Effect::Ask(front.address.clone())));
        effects
    }

    fn act(&mut self, verb: Verb, ask: &Ask) -> Vec<Effect> {
        let servers = self.servers();
        let Some(server) = self.chosen().and_then(|at| servers.get(at)) else {
            self.said = Some((Tone::Warn, format!("{}: no server runs", verb.word())));
            return Vec::new();
        };
        let key = server.key();
        if self.acting.contains_key(&(key.clone(), verb.word())) {
            // What is told of it says that it is under way.
            return Vec::new();
        }
        let fronts: Vec<FrontAddress> = server.fronts.iter().map(|front| front.address.clone()).collect();
        let left = fronts.iter().map(|front| front.front.clone()).collect();
        let acting = Acting { since: self.now.since, left, told: Vec::new() };
        self.acting.insert((key, verb.word()), acting);
        fronts.into_iter().map(|front| Effect::Act(verb, ask.clone(), front)).collect()
    }

    fn done(&mut self, verb: Verb, front: &FrontAddress, reply: &Result<Answer, AskError>) -> Vec<Effect> {
        let key = ServerKey::new(&front.server, &front.root);
        let at = (key, verb.word());
        if let Some(acting) = self.acting.get_mut(&at) {
            acting.left.remove(&front.front);
            acting.told.push(came_of(verb, reply));
            if acting.left.is_empty() {
                let acting = self.acting.remove(&at);
                self.said = acting.map(|acting| summary(verb, &front.server, acting.told));
            }
        }
        // What it has changed is seen at once.
        let mut effects = self.reads();
        if self.asked.insert(front.front.clone()) {
            effects.push(Effect::Ask(front.clone()));
        }
        effects
    }
}

/// What one front made of a command.
fn came_of(verb: Verb, reply: &Result<Answer, AskError>) -> (Tone, String) {
    let failed = |fault: &Fault| {
        let help = fault.help.as_deref().map_or_else(String::new, |help| format!(" ({help})"));
        (Tone::Bad, harmless(&format!("failed: {}{help}", fault.message)))
    };
    match reply {
        Ok(Answer::Outcome(told)) => {
            let (_, word, what) = history::outcome(told, None);
            let fine = outcome::exit(verb, told) == crate::exit::Exit::Fine;
            // What stderr says, and what to do.
            let more: Vec<&str> = match told {
                Outcome::Failed { fault, .. } | Outcome::RolledBack { why: Some(fault), .. } => {
                    let first = Some(fault.first_line()).filter(|line| !line.is_empty());
                    first.into_iter().chain(fault.help.as_deref()).collect()
                }
                Outcome::NothingNewer { .. } => vec!["r starts it afresh"],
                Outcome::Verified { .. } => vec!["s switches to it"],
                _ => Vec::new(),
            };
            let more = if more.is_empty() { String::new() } else { format!(" ({})", harmless(&more.join("; "))) };
            (if fine { Tone::Good } else { Tone::Bad }, format!("{word}: {what}{more}"))
        }
        Ok(Answer::Error(fault)) => failed(fault),
        Ok(_) => failed(&act::unanswered(&act::out_of_turn())),
        Err(error) => failed(&act::unanswered(error)),
    }
}

/// What all fronts of a server made of it: the worst first, and each text once.
fn summary(verb: Verb, server: &str, mut told: Vec<(Tone, String)>) -> (Tone, String) {
    let fronts = told.len();
    told.sort_by(|a, b| b.cmp(a));
    told.dedup();
    let tone = told.first().map_or(Tone::Plain, |(tone, _)| *tone);
    let which = if fronts > 1 { format!(" ({fronts} fronts)") } else { String::new() };
    let texts: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
    (tone, format!("{} {server}{which}: {}", verb.word(), texts.join(" | ")))
}

#[cfg(test)]
pub(crate) mod tests;
