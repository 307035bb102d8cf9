//! A stdio front from its order to its last process: whoever its client is, and in whoever's process it runs.

use super::agent;
use super::answers::{Answers, View};
use super::build::Builds;
use super::examine::{Examination, Examiner};
use super::files::{Before, ServerFiles};
use super::ground::Ground;
use super::living::{Living, LivingParts};
use super::off::{Off, Part};
use super::plan::Plan;
use super::spawner::{Recipe, ServerCommand, TwinSpawner};
use super::voice::Voice;
use super::{
    CONTAINERS_GONE, First, Kind, registered, sweep_the_dead, sweep_their_containers, watch, watching_or_saying,
};
use crate::control;
use crate::fronts::{FrontInfo, FrontSeat, seconds_now};
use crate::history::Numbers;
use crate::logs::LogFile;
use crate::notices;
use crate::pipes::{Descriptor, Input, Output};
use crate::process::{self, Containers, StopOrder};
use crate::record::{self, Header, RecordOrder, Recorder};
use crate::run::RunOrder;
use crate::servers::ServerKey;
use crate::store::{FileStore, last_good};
use crate::wire::{ClientEnd, Wire};
use mcp_twin_core::Moment;
use mcp_twin_core::detect::shown_words;
use mcp_twin_core::drive::Driver;
use mcp_twin_core::host::Host;
use mcp_twin_core::redact::Redaction;
use mcp_twin_core::relay::{Meter, Relay};
use mcp_twin_core::spec::Transport;
use mcp_twin_core::swap::{Command, Swap};
use mcp_twin_core::watch::Debounce;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// The client is gone: it kills its servers 4 s after it closed their stdin, so everything must be over by then.
const CLIENT_GONE: StopOrder = StopOrder { term: Duration::from_millis(1500), kill: Duration::from_millis(1800) };
/// The same for a twin that is an engine's client: the engine needs a moment to remove a container once it was killed.
const CLIENT_OF_CONTAINER_GONE: StopOrder =
    StopOrder { term: Duration::from_millis(1000), kill: Duration::from_millis(1500) };
/// We were told to end.
const TOLD_TO_END: StopOrder = StopOrder { term: Duration::ZERO, kill: Duration::from_millis(1500) };
/// What is not gone by then is left to the sweep.
const ALL_GONE: Duration = Duration::from_millis(3600);

/// A stdio front that has begun.
pub struct Stdio {
    /// What answers commands.
    pub answers: Arc<Answers>,
    /// What came of the first start.
    pub first: First,
    wire: Wire,
    voice: Arc<Voice>,
    driver: JoinHandle<()>,
    spawner: Arc<TwinSpawner>,
    seat: Option<FrontSeat>,
}

impl Stdio {
    /// Begins: the first twin starts, the client is written to through `client`, and commands are answered. Must be called on
    /// the runtime on which the front lives.
    ///
    /// # Errors
    /// The client's descriptor cannot be used.
    pub fn begin(order: RunOrder, ground: &Ground, client: Descriptor) -> io::Result<Self> {
        let mut plan = Plan::new(&order, Transport::Stdio);
        ground.step_over();
        let as_given = order.clone();
        let order = RunOrder { options: plan.options.clone(), ..order };
        let mut warnings: Vec<String> = plan.warnings.drain(..).collect();
        let off = Off::find(&order.home);
        warnings.extend(off.line());
        let name = registered(&order, &plan, Kind { transport: Transport::Stdio, stdio: false }, &off, &mut warnings);
        let key = ServerKey::new(&name, &plan.root);
        let (swept, containers_left) = sweep_the_dead(&order);
        let info = FrontInfo { server: name.clone(), display: order.name.clone(), root: plan.root.clone() };
        let seat = match FrontSeat::take(&order.home, info) {
            Ok(seat) => Some(seat),
            Err(error) => {
                if !off.has(Part::Socket) {
                    warnings.push(format!("`mcp-twin status` cannot see this front: {error}"));
                }
                None
            }
        };
        let front =
            seat.as_ref().map_or_else(|| format!("{name}-{}", std::process::id()), |seat| seat.front().to_owned());

        let log = LogFile::open(&order.home.logs_of(&key), &front);
        let home = order.home.clone();
        let last_good_key = key.clone();
        let keep = move |found: &mcp_twin_core::relay::LastGood| {
            // Only a help for a later start: what cannot be kept is missing then, nothing more.
            let _ = last_good::save(&home, &last_good_key, found);
        };
        let voice = Voice::new(ground.clone(), Some(log), order.options.tell, off, Box::new(keep));
        voice.tell_others(notices::sender(&name, &plan.root, &front), &as_given);
        if swept > 0 {
            voice.say(&format!("ended {swept} process(es) that a killed front had left behind"));
        }

        let mut relay = Relay::new(&order.options);
        relay.set_last_good(last_good::load(&order.home, &key));
        relay.offer_tools(agent::prefix(&order.options), Moment::ZERO);
        let meter = Meter::default();
        relay.set_meter(meter.clone());
        let wire = Wire::new(relay, Output::new(client)?, Arc::clone(&voice) as Arc<_>);
        record(&order, &name, &wire, &voice);
        let told = wire.finder();
        voice.speak_through(move |text| {
            if let Some(wire) = told() {
                wire.with(|relay, _| relay.tell(text));
            }
        });
        let debounce =
            Debounce::new(order.options.watch_quiet, order.options.watch_max).with_script(plan.script.clone());
        let debounce = Arc::new(Mutex::new(debounce));
        let numbers = Numbers::new(&order.home, &key);
        let builds = Builds::new(&order.home, &key, &front);
        let build = plan.build.take().map(|what| builds.build(what, &order));
        let files = ServerFiles::new(
            Arc::clone(&plan.tree),
            Arc::clone(&debounce),
            numbers,
            Before { build, check: plan.check.take() },
            super::copies_of(&order, &key, &front, &plan, &voice),
            Arc::clone(&voice),
            Arc::new(wire.clone()),
        );
        let heard = Arc::clone(&voice);
        let (store, _) = FileStore::open(&order.home, &front, &key, &plan.root, move |off| match off {
            Some(text) => heard.warn_of(Part::History, text),
            None => heard.mended(FileStore::HISTORY_OFF, "the history is written again"),
        });
        let store = Arc::new(store);
        let logging = Arc::clone(&voice);
        let say: process::Say = Arc::new(move |text: &str| logging.write_log(text));
        let containers = plan.container.take().map(|run| {
            Containers::new(run, order.command.clone(), order.cwd.clone(), &order.home, &front, Arc::clone(&say))
        });
        let own_containers = containers.is_some();
        let command = ServerCommand {
            recipe: Mutex::new(Arc::new(Recipe::new(&order, containers))),
            front: front.clone(),
            server: name.clone(),
            voice: Arc::clone(&voice),
            copies: Arc::clone(&files.copies),
        };
        let spawner = Arc::new(TwinSpawner {
            command,
            leaders: Arc::default(),
            max_message: order.options.max_message,
            wire: wire.clone(),
            files: Arc::clone(&files),
        });
        let what = Examination::new(&order, &order.options);
        let examiner = Examiner::new(&Arc::new(wire.clone()), (&order.home, &front, &name), what, |_| None);
        let host = Host {
            spawner: Arc::clone(&spawner) as Arc<_>,
            probe: Arc::clone(&examiner) as Arc<_>,
            store: Arc::clone(&store) as Arc<_>,
            clock: Arc::new(wire.clone()),
            traffic: Arc::new(wire.clone()),
            sources: Arc::clone(&files) as Arc<_>,
            observer: Arc::clone(&voice) as Arc<_>,
        };
        let (driver, handle) = Driver::new(Swap::new(order.options.clone()), host);
        let driver = tokio::spawn(driver.run());
        // The twin starts before anything is read: its boot is what the client waits for.
        let start = handle.clone();
        let sweep = tokio::spawn(sweep_their_containers(order.home.clone(), containers_left, say));
        let (told, first) = First::new();
        tokio::spawn(async move {
            if own_containers {
                // A port that an old container holds is free for the new one first.
                let _ = timeout(CONTAINERS_GONE, sweep).await;
            }
            told.tell(start.command(Command::Start).await);
        });
        for text in warnings {
            voice.warn(&text);
        }
        let watching = Arc::new(AtomicBool::new(order.options.watch_files && !plan.tree.is_empty()));
        let (relaying, starting, at) = (wire.clone(), Arc::clone(&spawner), front.clone());
        let parts = LivingParts {
            transport: Transport::Stdio,
            stdio: false,
            server: name.clone(),
            tree: Arc::clone(&plan.tree),
            debounce: Arc::clone(&debounce),
            files: Arc::clone(&files),
            voice: Arc::clone(&voice),
            handle: handle.clone(),
            relays: Box::new(move |options| {
                relaying.with(|relay, now| {
                    relay.set_options(options);
                    relay.offer_tools(agent::prefix(options), now);
                });
            }),
            recipes: Box::new(move |order, container| {
                let (logging, home) = (Arc::clone(&starting.command.voice), &order.home);
                let say: process::Say = Arc::new(move |text: &str| logging.write_log(text));
                let containers =
                    container.map(|run| Containers::new(run, order.command.clone(), order.cwd.clone(), home, &at, say));
                starting.command.set_recipe(Recipe::new(order, containers));
            }),
            builds,
            examiner,
        };
        let living = Living::new(parts, as_given, order.options.clone(), watching);
        let answers = Arc::new(Answers {
            order: order.clone(),
            name,
            root: plan.root.clone(),
            front,
            started: seat.as_ref().map_or_else(seconds_now, FrontSeat::started),
            logs: order.home.logs_of(&key),
            living: Arc::clone(&living),
            handle: handle.clone(),
            view: Box::new(view_of(wire.clone(), meter)),
            tools: Arc::new(wire.clone()),
            clock: Arc::new(wire.clone()),
            url: None,
            stopped: None,
            voice: Arc::clone(&voice),
            store: Arc::clone(&store),
            files: Arc::clone(&files),
        });
        tokio::spawn(agent::answer_calls(wire.agent_calls(), Arc::clone(&answers), wire.clone()));
        if let Some(seat) = &seat {
            match control::Server::bind(seat) {
                Ok(server) => {
                    let answers = Arc::clone(&answers);
                    tokio::spawn(server.serve(move |ask| Arc::clone(&answers).answer(ask)));
                }
                Err(error) => voice.warn(&format!("`mcp-twin status` cannot see this front: {error}")),
            }
        }
        ground.step_over();
        let watching = watch(debounce, handle, store, Arc::clone(&files), living, Arc::new(wire.clone()));
        tokio::spawn(watching_or_saying(watching, Arc::clone(&voice)));
        Ok(Self { answers, first, wire, voice, driver, spawner, seat })
    }

    /// Relays the client's input until its session is over, and says how it ended.
    pub async fn serve(&self, input: Input) -> ClientEnd {
        self.wire.serve_client(input, self.answers.order.options.max_message).await
    }

    /// How twins are to end once the client's session has.
    pub fn after(&self, end: ClientEnd) -> StopOrder {
        self.voice.write_log(match end {
            ClientEnd::Finished => "the client ended its input",
            ClientEnd::Gone => "the client is gone",
        });
        let containers = self.spawner.command.recipe().containers.is_some();
        if containers { CLIENT_OF_CONTAINER_GONE } else { CLIENT_GONE }
    }

    /// How twins are to end when somebody says so; `by` stands in the log.
    pub fn told(&self, by: &str) -> StopOrder {
        self.voice.write_log(by);
        TOLD_TO_END
    }

    /// Ends all twins and gives the seat up.
    pub async fn end(self, stop: StopOrder) {
        // Nothing is to be started any more.
        self.driver.abort();
        let _ = self.driver.await;
        let (all_gone, ()) = tokio::join!(end_twins(&self.wire, stop), self.voice.last_words());
        if let Some(recorder) = self.wire.recorder() {
            recorder.finish();
        }
        self.spawner.sweep_all();
        match self.seat {
            // What could not be ended now is the next front's to sweep: it finds it by the record and the free lock.
            Some(seat) if !all_gone => seat.leave_to_sweep(),
            seat => drop(seat),
        }
    }
}

/// Records the session, if that is asked for. What cannot be recorded is said, and stops nobody.
fn record(order: &RunOrder, name: &str, wire: &Wire, voice: &Arc<Voice>) {
    let Some(RecordOrder { file, redact }) = &order.record else { return };
    let inherited: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variables = inherited.iter().chain(order.env.iter()).map(|(name, value)| (name.as_str(), value.as_str()));
    let header = Header {
        recording: record::VERSION,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        server: name.to_owned(),
        command: shown_words(order.recorded.as_ref().unwrap_or(&order.command)),
        time: jiff::Timestamp::now().to_string(),
        redact: redact.clone(),
    };
    let heard = Arc::downgrade(voice);
    let tell = Arc::new(move |text: &str| {
        if let Some(voice) = heard.upgrade() {
            voice.warn(text);
        }
    });
    match Recorder::begin(&order.cwd.join(file), &header, Redaction::new(redact, variables), tell) {
        Ok(recorder) => wire.record(recorder),
        Err(error) => voice.warn(&format!("the session is not recorded: {}: {error}", file.display())),
    }
}

/// What is seen of the one session of a stdio front.
fn view_of(wire: Wire, meter: Meter) -> impl Fn(Option<mcp_twin_core::TwinId>) -> View {
    move |active| {
        let stderr_tail = active.and_then(|twin| wire.stderr_tail(twin)).unwrap_or_default();
        wire.with(|relay, now| View {
            client: relay.client_info().map(|(name, version)| format!("{name} {version}").trim_end().to_owned()),
            protocol: relay.version().map(str::to_owned),
            stale_lists: relay.stale_lists().into_iter().map(|kind| kind.word().to_owned()).collect(),
            in_flight: relay.in_flight(),
            held: relay.held(),
            figures: meter.figures(now),
            stderr_tail,
            ..View::default()
        })
    }
}

/// Ends all twins; false if some were still there when the time was over.
async fn end_twins(wire: &Wire, stop: StopOrder) -> bool {
    let deadline = Instant::now() + ALL_GONE;
    wire.stop_all(stop);
    for mut minder in wire.minders() {
        if timeout_at(deadline, minder.exited()).await.is_err() {
            return false;
        }
    }
    // What the client was promised may still be on its way to it. If it takes nothing any more it gets nothing.
    let _ = timeout_at(deadline, wire.flushed()).await;
    true
}
