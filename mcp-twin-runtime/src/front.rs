//! The stdio front: one client, one server, its twins; from the first byte to the last process.

mod answers;
mod behind;
mod check;
mod families;
mod files;
mod off;
mod plan;
mod served;
mod spawner;
mod voice;

use crate::control;
use crate::fronts::{self, FrontInfo, FrontSeat, seconds_now, token_prefix};
use crate::history::Numbers;
use crate::logs::LogFile;
use crate::pipes::{self, Input, Output};
use crate::process::{self, Containers, StopOrder, left_containers, sweep_containers, sweep_token};
use crate::run::RunOrder;
use crate::servers::{self, ServerEntry, ServerKey};
use crate::store::{FileStore, last_good};
use crate::watcher::{Seen, Watch};
use crate::wire::{ClientEnd, Wire};
use answers::{Answers, View};
use files::ServerFiles;
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::host::{Clock, Host, Sources};
use mcp_twin_core::relay::Relay;
use mcp_twin_core::spec::Transport;
use mcp_twin_core::swap::{Command, Swap};
use mcp_twin_core::watch::Debounce;
use off::{Off, Part};
use plan::Plan;
pub use served::serve_http;
use spawner::{ServerCommand, TwinSpawner};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use voice::Voice;

/// The client is gone: it kills its servers 4 s after it closed their stdin, so everything must be over by then.
const CLIENT_GONE: StopOrder = StopOrder { term: Duration::from_millis(1500), kill: Duration::from_millis(1800) };
/// The same for a twin that is an engine's client: the engine needs a moment to remove a container once it was killed.
const CLIENT_OF_CONTAINER_GONE: StopOrder =
    StopOrder { term: Duration::from_millis(1000), kill: Duration::from_millis(1500) };
/// We were told to end.
const TOLD_TO_END: StopOrder = StopOrder { term: Duration::ZERO, kill: Duration::from_millis(1500) };
/// What is not gone by then is left to the sweep.
const ALL_GONE: Duration = Duration::from_millis(3600);

/// So long a start waits for the removal of containers that dead fronts left.
const CONTAINERS_GONE: Duration = Duration::from_secs(5);

/// Runs a stdio front until its client is gone, on the runtime of this thread. Returns the exit status.
///
/// # Errors
/// Stdin or stdout cannot be used at all.
pub async fn serve(order: RunOrder) -> io::Result<u8> {
    process::become_subreaper();
    tokio::spawn(process::reap_adopted());
    let mut plan = Plan::new(&order, Transport::Stdio);
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
    let front = seat.as_ref().map_or_else(|| format!("{name}-{}", std::process::id()), |seat| seat.front().to_owned());

    let log = LogFile::open(&order.home.logs_of(&key), &front);
    let home = order.home.clone();
    let last_good_key = key.clone();
    let keep = move |found: &mcp_twin_core::relay::LastGood| {
        // Only a help for a later start: what cannot be kept is missing then, nothing more.
        let _ = last_good::save(&home, &last_good_key, found);
    };
    let voice = Voice::new(Some(log), order.options.tell, off, Box::new(keep));
    if swept > 0 {
        voice.say(&format!("ended {swept} process(es) that a killed front had left behind"));
    }

    let mut relay = Relay::new(&order.options);
    relay.set_last_good(last_good::load(&order.home, &key));
    let wire = Wire::new(relay, Output::new(pipes::stdout()?)?, Arc::clone(&voice) as Arc<_>);
    let told = wire.clone();
    voice.speak_through(move |text| told.with(|relay, _| relay.tell(text)));
    let debounce = Debounce::new(order.options.watch_quiet, order.options.watch_max).with_script(plan.script.clone());
    let debounce = Arc::new(Mutex::new(debounce));
    let numbers = Numbers::new(&order.home, &key);
    let files = ServerFiles::new(
        Arc::clone(&plan.tree),
        Arc::clone(&debounce),
        numbers,
        plan.check.clone(),
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
        command: order.command.clone(),
        cwd: order.cwd.clone(),
        env: order.env.clone(),
        front: front.clone(),
        server: name.clone(),
        keep: order.options.keep_children.clone(),
        containers,
        voice: Arc::clone(&voice),
    };
    let spawner = Arc::new(TwinSpawner {
        command,
        leaders: Arc::default(),
        max_message: order.options.max_message,
        wire: wire.clone(),
        files: Arc::clone(&files),
    });
    let host = Host {
        spawner: Arc::clone(&spawner) as Arc<_>,
        probe: Arc::new(wire.clone()),
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
    tokio::spawn(async move {
        if own_containers {
            // A port that an old container holds is free for the new one first.
            let _ = timeout(CONTAINERS_GONE, sweep).await;
        }
        start.command(Command::Start).await
    });
    for text in warnings {
        voice.warn(&text);
    }
    let answers = Arc::new(Answers {
        order: order.clone(),
        name,
        root: plan.root.clone(),
        front,
        started: seat.as_ref().map_or_else(seconds_now, FrontSeat::started),
        logs: order.home.logs_of(&key),
        watching: order.options.watch_files && !plan.tree.is_empty(),
        handle: handle.clone(),
        view: Box::new(view_of(wire.clone())),
        clock: Arc::new(wire.clone()),
        url: None,
        stopped: None,
        voice: Arc::clone(&voice),
        store: Arc::clone(&store),
        files: Arc::clone(&files),
    });
    if let Some(seat) = &seat {
        match control::Server::bind(seat) {
            Ok(server) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(server.serve(move |ask| Arc::clone(&answers).answer(ask)));
            }
            Err(error) => voice.warn(&format!("`mcp-twin status` cannot see this front: {error}")),
        }
    }
    if answers.watching {
        let watching =
            watch(Arc::clone(&plan.tree), debounce, handle, store, Arc::clone(&files), Arc::new(wire.clone()));
        tokio::spawn(watching_or_saying(watching, Arc::clone(&voice)));
    }

    #[cfg(target_os = "linux")]
    process::forget_the_start();
    let stop = tokio::select! {
        end = wire.serve_client(Input::new(pipes::stdin()?)?, order.options.max_message) => {
            voice.write_log(match end {
                ClientEnd::Finished => "the client ended its input",
                ClientEnd::Gone => "the client is gone",
            });
            if own_containers { CLIENT_OF_CONTAINER_GONE } else { CLIENT_GONE }
        }
        name = process::told_to_end() => {
            voice.write_log(&format!("ended by {name}"));
            TOLD_TO_END
        }
    };
    // Nothing is to be started any more.
    driver.abort();
    let _ = driver.await;
    let all_gone = end_twins(&wire, stop).await;
    spawner.sweep_all();
    match seat {
        // What could not be ended now is the next front's to sweep: it finds it by the record and the free lock.
        Some(seat) if !all_gone => seat.leave_to_sweep(),
        seat => drop(seat),
    }
    Ok(0)
}

/// What is seen of the one session of a stdio front.
fn view_of(wire: Wire) -> impl Fn(Option<mcp_twin_core::TwinId>) -> View {
    move |active| {
        let stderr_tail = active.and_then(|twin| wire.stderr_tail(twin)).unwrap_or_default();
        wire.with(|relay, _| View {
            client: relay.client_info().map(|(name, version)| format!("{name} {version}").trim_end().to_owned()),
            protocol: relay.version().map(str::to_owned),
            stale_lists: relay.stale_lists().into_iter().map(|kind| kind.word().to_owned()).collect(),
            in_flight: relay.in_flight(),
            held: relay.held(),
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

/// How a server is spoken to.
#[derive(Clone, Copy)]
struct Kind {
    /// By its clients.
    transport: Transport,
    /// Over stdio by a front that its clients reach over HTTP.
    stdio: bool,
}

/// The name under which other commands know this server.
fn registered(order: &RunOrder, plan: &Plan, kind: Kind, off: &Off, warnings: &mut Vec<String>) -> String {
    use mcp_twin_core::spec::{ServerName, disambiguate};
    let command = order.recorded.as_ref().unwrap_or(&order.command);
    let decide = |known: &[ServerEntry]| {
        let taken: Vec<(ServerName, std::path::PathBuf)> = known
            .iter()
            .filter_map(|entry| Some((ServerName::new(entry.name.clone()).ok()?, entry.root.clone())))
            .collect();
        ServerEntry {
            name: disambiguate(&plan.name, &plan.root, &taken).as_str().to_owned(),
            root: plan.root.clone(),
            command: command.first().cloned().unwrap_or_default(),
            args: command.iter().skip(1).cloned().collect(),
            cwd: order.cwd.clone(),
            transport: kind.transport,
            stdio: kind.stdio,
            env_names: order.env.names(),
            last_used: seconds_now(),
        }
    };
    match servers::register(&order.home, decide) {
        Ok(entry) => entry.name,
        Err(error) => {
            if !off.has(Part::Servers) {
                warnings.push(format!("the server is not registered: {error}"));
            }
            plan.name.as_str().to_owned()
        }
    }
}

/// Ends what fronts that were killed have left behind. Their locks are held meanwhile, so nobody else does. Gives back how
/// many processes that were, and the fronts whose containers are still to be removed: an engine takes its time.
fn sweep_the_dead(order: &RunOrder) -> (usize, Vec<fronts::StaleFront>) {
    let mut ended = 0;
    let mut containers = Vec::new();
    for stale in fronts::stale(&order.home) {
        ended += sweep_token(&token_prefix(stale.front()), |_| false, &stale.leaders());
        if left_containers(&order.home, stale.front()) {
            containers.push(stale);
        } else {
            stale.clear();
        }
    }
    (ended, containers)
}

/// Removes the containers of dead fronts; one that cannot be removed now is left, with its front's lock, to the next front.
async fn sweep_their_containers(home: crate::home::Home, fronts: Vec<fronts::StaleFront>, say: process::Say) {
    for stale in fronts {
        if sweep_containers(&home, stale.front(), &say).await {
            stale.clear();
        }
    }
}

async fn watching_or_saying(watching: impl Future<Output = Option<String>>, voice: Arc<Voice>) {
    if let Some(why) = watching.await {
        voice.warn(&format!("files are not watched, so use `mcp-twin reload`: {why}"));
    }
}

/// Passes on what the watches see; returns why they see nothing.
async fn watch(
    tree: Arc<crate::sources::Tree>,
    debounce: Arc<Mutex<Debounce>>,
    handle: Handle,
    store: Arc<FileStore>,
    files: Arc<ServerFiles>,
    clock: Arc<dyn Clock>,
) -> Option<String> {
    // Setting up watches walks the tree: off this thread.
    let begun = tokio::task::spawn_blocking(move || Watch::begin(tree, debounce)).await.ok()?;
    let (mut watch, off) = match begun {
        Ok(begun) => begun,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(off) = off {
        files.voice().warn(&off);
    }
    // What was saved while the watches were set up was seen by nobody.
    handle.changed(files.now().await).await;
    while let Some(seen) = watch.next(&*clock).await {
        match seen {
            Seen::Touched => handle.touched().await,
            Seen::Burst(burst) => {
                let source = files.now().await;
                if let Some(path) = burst.paths.first() {
                    store.note_cause(source.generation, path);
                }
                handle.changed(source).await;
            }
        }
    }
    Some("the watcher ended".to_owned())
}
