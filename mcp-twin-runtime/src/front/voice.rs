//! What a front says to people: on its stderr (to its host, in the process of others), in its log, and, once per failure, to
//! the client.

use super::ground::Ground;
use super::off::{Off, Part};
use crate::logs::LogFile;
use crate::notices::{self, Heard, MISSING, Notices, system_notifier};
use crate::run::RunOrder;
use crate::wire::Listener;
use mcp_twin_core::host::Observer;
use mcp_twin_core::notify::{Sender, Target};
use mcp_twin_core::relay::LastGood;
use mcp_twin_core::relay::diff::ListDiff;
use mcp_twin_core::swap::Notice;
use mcp_twin_core::{Code, Fault, Generation, TwinId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How many warnings `status` shows at most; the oldest go first.
const WARNINGS: usize = 8;

/// How the warning begins that the record cannot be written.
const STATE_OFF: &str = "the state cannot be written";

/// How the warning begins that a message did not arrive.
const NOT_TOLD: &str = "a message did not arrive at";

/// Tells clients of a failure.
type Tell = Box<dyn Fn(String) + Send + Sync>;

/// A front's voice. Cheap to share.
pub struct Voice {
    ground: Ground,
    log: Mutex<Option<LogFile>>,
    warnings: Mutex<VecDeque<String>>,
    /// Why the command could not be run when it was last tried.
    unrunnable: Mutex<Option<String>>,
    /// What of the state directory was off from the start, and is said already.
    off: Off,
    /// How a twin is named in front of its lines, such as `A generation 3`.
    names: Mutex<BTreeMap<TwinId, String>>,
    /// The generation that was swapped to last, and what that changed in the lists.
    swapped: Mutex<Option<(Generation, ListDiff)>>,
    /// Wakes who waits for the next thing that people are told.
    told: Notify,
    clients: OnceLock<Tell>,
    tell: AtomicBool,
    /// Tells those who do not sit before it.
    notices: OnceLock<Notices>,
    /// Whether what changes nothing is logged too (`MCP_TWIN_DEBUG`).
    debug: bool,
    keep_last_good: Box<dyn Fn(&LastGood) + Send + Sync>,
}

impl Voice {
    /// A voice on this ground that writes to `log`, if there is one, and tells the client of failures if `tell`.
    pub fn new(
        ground: Ground,
        log: Option<LogFile>,
        tell: bool,
        off: Off,
        keep_last_good: Box<dyn Fn(&LastGood) + Send + Sync>,
    ) -> Arc<Self> {
        ground.clear_the_throat();
        Arc::new(Self {
            ground,
            log: Mutex::new(log),
            warnings: Mutex::default(),
            unrunnable: Mutex::default(),
            off,
            names: Mutex::default(),
            swapped: Mutex::default(),
            told: Notify::new(),
            clients: OnceLock::new(),
            tell: AtomicBool::new(tell),
            notices: OnceLock::new(),
            debug: std::env::var_os("MCP_TWIN_DEBUG").is_some(),
            keep_last_good,
        })
    }

    /// Whether failures are told to clients from now on.
    pub fn set_tell(&self, tell: bool) {
        self.tell.store(tell, Ordering::Relaxed);
    }

    /// From now on failures are told to the clients in this way.
    pub fn speak_through(&self, tell: impl Fn(String) + Send + Sync + 'static) {
        let _ = self.clients.set(Box::new(tell));
    }

    /// From now on notices go to those of this order who are told, too. Must be called on the runtime of the front.
    pub fn tell_others(self: &Arc<Self>, sender: Sender, order: &RunOrder) {
        let voice = Arc::downgrade(self);
        let hear = move |target: &Target, heard: Heard| {
            if let Some(voice) = voice.upgrade() {
                voice.heard(target, heard);
            }
        };
        let notices = Notices::new(sender, Arc::new(hear), system_notifier());
        if self.notices.set(notices).is_ok() {
            self.aim(order);
        }
    }

    /// Those who are told are those of this order.
    pub fn aim(&self, order: &RunOrder) {
        let (Some(notices), Some(config)) = (self.notices.get(), &order.config) else { return };
        // What did not arrive at one who is told no longer is nothing to mend.
        lock(&self.warnings).retain(|known| !known.starts_with(NOT_TOLD) && known != MISSING);
        for text in notices::warnings(&config.notify) {
            self.warn(&text);
        }
        notices.aim(&config.notify, order.env.clone());
    }

    /// What became of a message to one of them.
    fn heard(&self, target: &Target, heard: Heard) {
        // With the colon: one host's name may be the beginning of another's.
        let beginning = format!("{NOT_TOLD} {target}:");
        match heard {
            Heard::Arrived => self.mended(&beginning, &format!("messages to {target} arrive again")),
            Heard::Lost(why) => {
                self.warn_instead(&beginning, &format!("{beginning} {why} (`mcp-twin notify test` tries it)"));
            }
            Heard::Dropped => self.write_log(&format!("too many messages wait for {target}: the oldest was dropped")),
        }
    }

    /// The front ends: what is on its way to others gets a moment.
    pub async fn last_words(&self) {
        let Some(notices) = self.notices.get() else { return };
        let left = notices.finish().await;
        if left > 0 {
            self.write_log(&format!("{left} target(s) were not told everything before the front ended"));
        }
    }

    /// Names a twin.
    pub fn name(&self, twin: TwinId, name: String) {
        let mut names = lock(&self.names);
        names.insert(twin, name);
        // Twins are few at a time; the lines of one long gone are not.
        while names.len() > 32 {
            names.pop_first();
        }
    }

    /// One line to stderr and log.
    pub fn say(&self, text: &str) {
        self.write_log(text);
        for line in text.lines() {
            self.ground.say(line);
        }
    }

    /// Something is off, and stays so: said once, and shown by `status`.
    pub fn warn(&self, text: &str) {
        {
            let mut warnings = lock(&self.warnings);
            if warnings.iter().any(|known| known == text) {
                return;
            }
            warnings.push_back(text.to_owned());
            if warnings.len() > WARNINGS {
                warnings.pop_front();
            }
        }
        self.say(text);
    }

    /// The same in place of all warnings that begin so.
    pub fn warn_instead(&self, beginning: &str, text: &str) {
        lock(&self.warnings).retain(|known| known == text || !known.starts_with(beginning));
        self.warn(text);
    }

    /// Something went wrong with a part of the state directory. Where that was off from the start it was said then.
    pub fn warn_of(&self, part: Part, text: &str) {
        if self.off.has(part) { self.write_log(text) } else { self.warn(text) }
    }

    /// What the warnings that begin so spoke of is well again, which `text` says.
    pub fn mended(&self, beginning: &str, text: &str) {
        let before = {
            let mut warnings = lock(&self.warnings);
            let before = warnings.len();
            warnings.retain(|known| !known.starts_with(beginning));
            before - warnings.len()
        };
        if before > 0 {
            self.say(text);
        }
    }

    /// What is off.
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).iter().cloned().collect()
    }

    /// The next thing that people are told after this call.
    pub fn next_notice(&self) -> Notified<'_> {
        self.told.notified()
    }

    /// What the last swap changed in the lists, if it was one to this generation.
    pub fn swapped_to(&self, generation: Generation) -> Option<ListDiff> {
        lock(&self.swapped).as_ref().filter(|(known, _)| *known == generation).map(|(_, diff)| diff.clone())
    }

    /// One line of a twin's stderr.
    pub fn twin_said(&self, twin: TwinId, line: &str) {
        let name = self.name_of(twin);
        self.write_log(&format!("[{name}] {line}"));
        self.ground.twin_said(&name, line);
    }

    fn name_of(&self, twin: TwinId) -> String {
        lock(&self.names).get(&twin).cloned().unwrap_or_else(|| format!("twin {twin}"))
    }

    /// One line to the log only.
    pub fn write_log(&self, text: &str) {
        if let Some(log) = lock(&self.log).as_mut() {
            log.line(text);
        }
    }

    fn tell(&self, text: String) {
        if let Some(clients) = self.clients.get().filter(|_| self.tell.load(Ordering::Relaxed)) {
            clients(text);
        }
    }

    /// A step of an operation is over.
    pub fn step_over(&self) {
        self.ground.step_over();
    }

    /// Whether this was the last reason for which nothing serves.
    fn said_already(&self, fault: &Fault) -> bool {
        lock(&self.unrunnable).replace(fault.message.clone()).as_ref() == Some(&fault.message)
    }

    fn fail(&self, said: &str, fault: &Fault) {
        // What the twin wrote stands above already, line by line as it came.
        self.say(&format!("{said}: {}", fault.message));
        if let Some(help) = &fault.help {
            self.say(help);
        }
    }
}

impl Observer for Voice {
    fn notice(&self, notice: &Notice) {
        self.ground.notice(notice);
        if let Notice::Swapped { active, diff, .. } = notice {
            lock(&self.unrunnable).take();
            *lock(&self.swapped) = Some((*active, diff.clone()));
        }
        self.told.notify_waiters();
        if let Some(notices) = self.notices.get() {
            notices.tell(notice);
        }
        match notice {
            Notice::ReloadFailed { generation, fault } => {
                self.fail(&format!("generation {generation} does not serve, the old code goes on"), fault);
                self.tell(told(
                    &format!("the newest code (generation {generation}) does not serve"),
                    fault,
                    "The answers are still those of the code before it.",
                ));
            }
            Notice::RolledBack { left, active, why: Some(fault) } => {
                self.fail(&format!("rolled back from generation {left} to {active}"), fault);
                self.tell(told(&format!("generation {left} was rolled back to {active}"), fault, ""));
            }
            Notice::RolledBack { left, active, why: None } => {
                self.say(&format!("rolled back from generation {left} to {active}"));
                self.tell(format!(
                    "mcp-twin: generation {left} was rolled back to {active} by command. `mcp-twin status` says more."
                ));
            }
            Notice::Crashed { generation, fault } => {
                self.fail(&format!("generation {generation} crashed"), fault);
                self.tell(told(
                    &format!("the server (generation {generation}) crashed"),
                    fault,
                    "What it held in memory is lost.",
                ));
            }
            Notice::Swapped { previous: None, active, .. } => self.say(&format!("generation {active} serves")),
            Notice::Swapped { previous: Some(previous), active, diff } => {
                let lists = diff.describe();
                let lists = if lists.is_empty() { String::new() } else { format!("; {lists}") };
                self.say(&format!("swapped generation {previous} for {active}{lists}"));
                for breaking in &diff.breaking {
                    self.say(&format!("breaking change: {breaking}"));
                }
            }
            Notice::Waiting { generation, breaking } => {
                let why =
                    if breaking.is_empty() { String::new() } else { format!(" (breaking: {})", breaking.join("; ")) };
                self.say(&format!("generation {generation} is verified and waits for `mcp-twin swap`{why}"));
            }
            // What cannot run at all is tried again with the same words: they are said once.
            Notice::Down { fault } if fault.code == Code::NotExecutable && self.said_already(fault) => {
                self.write_log(&format!("nothing serves: {}", fault.message));
            }
            Notice::Down { fault } => self.fail("nothing serves", fault),
            Notice::StateOff { why } => {
                self.warn_of(Part::State, &format!("{STATE_OFF}, so it is kept in memory only: {why}"));
            }
            Notice::StateOn => self.mended(STATE_OFF, "the state is written again"),
        }
    }

    fn ignored(&self, why: &'static str) {
        if self.debug {
            self.write_log(&format!("(ignored: {why})"));
        }
    }
}

impl Listener for Voice {
    fn log(&self, twin: Option<TwinId>, text: &str) {
        let name = twin.map_or_else(|| "front".to_owned(), |twin| self.name_of(twin));
        self.write_log(&format!("[{name}] {text}"));
    }

    fn junk(&self, twin: TwinId, beginning: &str) {
        self.write_log(&format!("[{}] on stdout, not MCP: {beginning}", self.name_of(twin)));
        self.warn("the server writes to its stdout what is not MCP; it is kept from the client and is in the log (let the server print to stderr)");
    }

    fn taken(&self, tool: &str) {
        self.warn(&format!(
            "the server has a tool `{tool}` of its own, so mcp-twin does not offer its tool of that name; `--tools-prefix` gives \
             its tools other names"
        ));
    }

    fn opened(&self, last_good: &LastGood) {
        (self.keep_last_good)(last_good);
    }
}

fn told(what: &str, fault: &Fault, then: &str) -> String {
    let first = fault.first_line();
    let quoted = if first.is_empty() { String::new() } else { format!(" It said: `{first}`.") };
    let then = if then.is_empty() { String::new() } else { format!(" {then}") };
    format!("mcp-twin: {what}: {}.{quoted}{then} `mcp-twin status` says more.", fault.message)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
