//! What of a front may change while it lives: its configuration files are read again, and what they say now is taken over
//! as far as that is possible.
//!
//! Options count at once. What a process is started from counts for the next twin. What clients hold on to, or what twins that
//! are there would forbid, stays until the front is started anew, and that is said.

use super::behind::for_processes;
use super::build::Builds;
use super::examine::{Examination, Examiner};
use super::files::{Before, ServerFiles};
use super::plan::Plan;
use super::voice::Voice;
use crate::config::ConfigFault;
use crate::run::RunOrder;
use crate::sources::Tree;
use mcp_twin_core::config::{Layers, Origin};
use mcp_twin_core::control::Setting;
use mcp_twin_core::detect::launch::ContainerRun;
use mcp_twin_core::drive::Handle;
use mcp_twin_core::notify::Target;
use mcp_twin_core::spec::{OPTIONS, OptionInfo, Options, Transport};
use mcp_twin_core::watch::Debounce;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the warning begins that a file is broken.
const BROKEN: &str = "the configuration cannot be used, what counted before goes on";

/// Gives options to whatever relays the traffic.
type Relays = Box<dyn Fn(&Options) + Send + Sync>;
/// Gives the next twin what it is started from: the order, its options, and the container that its command starts.
pub type Recipes = Box<dyn Fn(&RunOrder, Option<ContainerRun>) + Send + Sync>;

/// What `tools` comes to over HTTP.
pub const NO_TOOLS: &str = "`tools` counts for `run` only: over HTTP no tools of mcp-twin's own are offered";

/// All that hears of a change.
pub struct LivingParts {
    /// How clients speak to the front.
    pub transport: Transport,
    /// Whether its twins speak stdio though it is reached over HTTP.
    pub stdio: bool,
    /// The server's name, for advice.
    pub server: String,
    /// Its files.
    pub tree: Arc<Tree>,
    /// When a burst of changes is over.
    pub debounce: Arc<Mutex<Debounce>>,
    /// What looks at them.
    pub files: Arc<ServerFiles>,
    /// Who speaks.
    pub voice: Arc<Voice>,
    /// The machine.
    pub handle: Handle,
    /// The traffic.
    pub relays: Relays,
    /// The next twin.
    pub recipes: Recipes,
    /// What builds it first.
    pub builds: Builds,
    /// What tries it before it takes over.
    pub examiner: Arc<Examiner>,
}

/// What counts now, and what hears of a change.
pub struct Living {
    parts: LivingParts,
    /// Whether files are watched.
    watching: Arc<AtomicBool>,
    now: Mutex<Now>,
}

struct Now {
    /// What the command line and the files say.
    order: RunOrder,
    /// The options that count, with what the command suggests.
    options: Options,
}

/// What a look at the files changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reread {
    /// Other files count, or they are watched from now on.
    pub files: bool,
}

impl Living {
    /// A front that begins with this order. `options`: those that count. `watching`: whether its files are watched.
    pub fn new(parts: LivingParts, order: RunOrder, options: Options, watching: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self { parts, watching, now: Mutex::new(Now { order, options }) })
    }

    /// Whether files are watched.
    pub fn watching(&self) -> bool {
        self.watching.load(Ordering::Relaxed)
    }

    /// The same, for whoever follows it.
    pub fn watched(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.watching)
    }

    /// The command, and where it runs.
    pub fn command(&self) -> (Vec<String>, PathBuf) {
        let now = self.lock();
        (now.order.command.clone(), now.order.cwd.clone())
    }

    /// The options that count.
    pub fn options(&self) -> Options {
        self.lock().options.clone()
    }

    /// The configuration files: those that are there, and those that would be read if they were.
    pub fn config_files(&self) -> Vec<PathBuf> {
        let now = self.lock();
        let places = now.order.config.as_ref().map(|config| &config.places);
        places.map(|places| places.all().map(|(_, path)| path.to_owned()).to_vec()).unwrap_or_default()
    }

    /// Every value that is no default, and where it comes from.
    pub fn settings(&self) -> Vec<Setting> {
        let now = self.lock();
        let Some(config) = &now.order.config else { return Vec::new() };
        let of = |key: &str| config.origins.iter().find(|(known, _)| *known == key).map(|(_, origin)| origin);
        let options = OPTIONS.iter().filter_map(|option| {
            let value = option.value(&now.options);
            let suggested = (value != option.default(self.parts.transport)).then_some(&Origin::Launch);
            Some(Setting::new(option.key, Some(value), of(option.key).or(suggested)?))
        });
        let list = |words: &[String]| Some(words.join(" "));
        let others = config.origins.iter().filter(|(key, _)| OPTIONS.iter().all(|option| option.key != *key));
        let others = others.map(|(key, origin)| {
            let value = match *key {
                "watch" => list(&now.order.watch),
                "ignore" => list(&now.order.ignore),
                "cwd" => Some(now.order.cwd.display().to_string()),
                "notify" => Some(shown(&config.notify)),
                _ => config.fixed.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()),
            };
            Setting::new(key, value, origin)
        });
        options.chain(others).collect()
    }

    /// Reads the files again and takes over what they say.
    pub async fn reread(&self) -> Reread {
        let Some(config) = self.lock().order.config.clone() else { return Reread::default() };
        let places = config.places.clone();
        let read = tokio::task::spawn_blocking(move || places.read()).await;
        match read {
            Ok(Ok(layers)) => self.take(&layers).await,
            Ok(Err(faults)) => {
                self.broken(&faults);
                Reread::default()
            }
            // The front is ending.
            Err(_) => Reread::default(),
        }
    }

    fn broken(&self, faults: &[ConfigFault]) {
        let lines: Vec<String> = faults.iter().map(ConfigFault::to_string).collect();
        self.parts.voice.warn_instead(BROKEN, &format!("{BROKEN}:\n{}", lines.join("\n")));
    }

    async fn take(&self, layers: &Layers) -> Reread {
        let (before, old_options) = {
            let now = self.lock();
            (now.order.clone(), now.options.clone())
        };
        let Some(config) = before.config.clone() else { return Reread::default() };
        self.parts.voice.mended(BROKEN, "the configuration can be used again");
        let mut wanted = config.wanted(layers);
        if wanted.command.is_empty() {
            // Its table is gone: whoever ran it by name goes on with what there was.
            (wanted.command, wanted.cwd) = (before.command.clone(), before.cwd.clone());
        }
        let fixed_before = config.fixed.clone();
        let old_origins = config.origins.clone();
        let mut order = config.order(before.clone(), &wanted);
        let others = told_of(&before) != told_of(&order);
        if others || before.env != order.env {
            self.parts.voice.aim(&order);
        }
        if others {
            let told = shown(told_of(&order));
            let told = if told.is_empty() { "nobody".to_owned() } else { told };
            self.parts.voice.say(&format!("the configuration changed: notify = {told}"));
        }
        if same(&before, &order) {
            self.lock().order = order;
            return Reread::default();
        }
        let (transport, stdio) = (self.parts.transport, self.parts.stdio);
        let planned = order.clone();
        let plan = tokio::task::spawn_blocking(move || {
            let options =
                if stdio { for_processes(&planned.options, &planned.chosen) } else { planned.options.clone() };
            Plan::new(&RunOrder { options, ..planned }, transport)
        });
        let Ok(mut plan) = plan.await else { return Reread::default() };
        let mut options = plan.options.clone();
        let mut stays = self.kept(&mut options, &old_options, &mut order, &old_origins);
        if let Some(config) = &order.config {
            stays.extend(config.fixed.iter().filter(|now| !fixed_before.contains(now)).map(|(key, _)| *key));
        }
        let changed: Vec<&OptionInfo> =
            OPTIONS.iter().filter(|option| option.value(&options) != option.value(&old_options)).collect();
        let next = next_twin(&before, &order, &changed);

        let on = options.watch_files && !plan.tree.is_empty();
        // With a build step its sources are watched, and not what it makes.
        let built = changed.iter().any(|option| option.key == "build");
        let other_files = built || before.watch != order.watch || before.ignore != order.ignore || !next.is_empty();
        if other_files {
            self.parts.tree.follow(&plan.tree);
        }
        let was_on = self.watching.swap(on, Ordering::Relaxed);
        {
            let mut debounce = self.parts.debounce.lock().unwrap_or_else(PoisonError::into_inner);
            debounce.set_times(options.watch_quiet, options.watch_max);
            debounce.set_script(plan.script.take());
        }
        let build = plan.build.take().map(|what| self.parts.builds.build(what, &order));
        self.parts.files.set_before(Before { build, check: plan.check.take() });
        self.parts.files.copies.set(plan.shape.clone(), options.keep_copies);
        self.parts.examiner.set(Examination::new(&order, &options));
        self.parts.voice.set_tell(options.tell);
        (self.parts.recipes)(&RunOrder { options: options.clone(), ..order.clone() }, plan.container.take());
        (self.parts.relays)(&options);
        self.parts.handle.reconfigure(options.clone()).await;
        for text in plan.warnings.drain(..) {
            self.parts.voice.warn(&text);
        }
        let watch = (before.watch != order.watch).then_some("watch");
        let ignore = (before.ignore != order.ignore).then_some("ignore");
        self.tell(&changed, &options, watch.into_iter().chain(ignore), &next, &stays);
        *self.lock() = Now { order, options };
        Reread { files: on && (other_files || !was_on) }
    }

    /// Options that stay while the front lives: twins that overlap are there already, and the client's side is being read.
    fn kept(
        &self,
        options: &mut Options,
        old: &Options,
        order: &mut RunOrder,
        old_origins: &[(&'static str, Origin)],
    ) -> Vec<&'static str> {
        let mut stays = Vec::new();
        if options.strategy != old.strategy {
            options.strategy = old.strategy;
            stays.push("strategy");
        }
        if self.parts.transport == Transport::Stdio && options.max_message != old.max_message {
            options.max_message = old.max_message;
            stays.push("max_message");
        }
        if self.parts.transport == Transport::Http && options.tools != old.tools {
            options.tools = old.tools;
            self.parts.voice.warn(NO_TOOLS);
        }
        if let Some(config) = order.config.as_mut() {
            config.origins.retain(|(key, _)| !stays.contains(key));
            config.origins.extend(old_origins.iter().filter(|(key, _)| stays.contains(key)).cloned());
        }
        stays
    }

    fn tell(
        &self,
        changed: &[&OptionInfo],
        options: &Options,
        files: impl Iterator<Item = &'static str>,
        next: &[&str],
        stays: &[&str],
    ) {
        let at_once = changed.iter().filter(|option| option.key != "keep_children");
        let at_once = at_once.map(|option| format!("{} = {}", option.key, option.value(options)));
        let at_once: Vec<String> = at_once.chain(files.map(str::to_owned)).collect();
        let (voice, server) = (&self.parts.voice, &self.parts.server);
        if !at_once.is_empty() {
            voice.say(&format!("the configuration changed: {}", at_once.join(", ")));
        }
        if !next.is_empty() {
            voice.say(&format!(
                "the configuration changed: {} for the next twin: `mcp-twin reload {server}` starts one",
                next.join(", ")
            ));
        }
        if !stays.is_empty() {
            let anew = match self.parts.transport {
                Transport::Stdio => "the client connects anew".to_owned(),
                Transport::Http => format!("`mcp-twin stop {server}` and a new start"),
            };
            voice.warn(&format!(
                "the configuration changed, but {} cannot while this front lives: {anew} will take it",
                stays.join(", ")
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an order asks for what another one asks for; where each value stands may differ.
fn same(before: &RunOrder, after: &RunOrder) -> bool {
    let fixed = |order: &RunOrder| order.config.as_ref().map(|config| config.fixed.clone());
    before.command == after.command
        && before.cwd == after.cwd
        && before.env == after.env
        && before.watch == after.watch
        && before.ignore == after.ignore
        && before.options == after.options
        && before.chosen == after.chosen
        && fixed(before) == fixed(after)
}

/// Who is told by an order.
fn told_of(order: &RunOrder) -> &[Target] {
    order.config.as_ref().map(|config| &config.notify[..]).unwrap_or_default()
}

fn shown(targets: &[Target]) -> String {
    targets.iter().map(Target::to_string).collect::<Vec<_>>().join(", ")
}

/// What only a fresh twin takes over, in words of the file.
fn next_twin(before: &RunOrder, after: &RunOrder, changed: &[&OptionInfo]) -> Vec<&'static str> {
    let mut next = Vec::new();
    if before.command != after.command {
        next.push("command");
    }
    if before.cwd != after.cwd {
        next.push("cwd");
    }
    if before.env != after.env {
        next.push("env");
    }
    if changed.iter().any(|option| option.key == "keep_children") {
        next.push("keep_children");
    }
    next
}
