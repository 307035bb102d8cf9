//! The front over HTTP: one server, its twins, any number of clients; from the first byte to the last process.

use super::answers::{Answers, View};
use super::behind::{HubSpawner, TwinVoice, Twins, for_processes};
use super::build::Builds;
use super::examine::{Examination, Examiner};
use super::families::{Families, Verdicts};
use super::files::{Before, ServerFiles};
use super::first::First;
use super::ground::Ground;
use super::living::{Living, LivingParts, NO_TOOLS};
use super::off::{Off, Part};
use super::plan::Plan;
use super::spawner::{Recipe, ServerCommand};
use super::voice::Voice;
use super::{Kind, registered, watch, watching_or_saying};
use crate::control;
use crate::fronts::{FrontInfo, FrontSeat, SeatError};
use crate::history::Numbers;
use crate::http::{Book, Hub, HubOptions, ListenOptions, Listener};
use crate::logs::LogFile;
use crate::notices;
use crate::process::{self, Containers, StopOrder};
use crate::serve::{ServeError, ServeOrder};
use crate::servers::ServerKey;
use crate::store::{FileStore, Loaded, last_good};
use crate::twins::{CONNECT_TIMEOUT, HttpTwins, TwinsOrder};
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::host::{HealthProbe, Host, Sources};
use mcp_twin_core::port::Ranges;
use mcp_twin_core::spec::{Options, ServerId, ServerName, Transport};
use mcp_twin_core::swap::{Command, Record, Swap};
use mcp_twin_core::watch::Debounce;
use mcp_twin_core::{Code, Fault, TwinId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, watch as signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// Twins that a front ends, and has been told to end itself, get so long for it.
const GONE: Duration = Duration::from_secs(12);
/// From TERM to KILL when the front ends.
const KILL: Duration = Duration::from_secs(8);
/// Clients that are still connected when the front ends get so long for it.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs a front over HTTP until it is told to end, on the runtime of this thread. Returns the exit status.
///
/// # Errors
/// Why it could not begin.
pub async fn serve_http(order: ServeOrder, token: Option<String>, ready: impl FnOnce(&str)) -> Result<u8, ServeError> {
    process::own_this_process();
    // What has read the command line.
    #[cfg(target_os = "linux")]
    process::forget_the_code();
    tokio::spawn(process::reap_adopted());
    let front = Served::begin(order, token, &Ground::Own).await?;
    #[cfg(target_os = "linux")]
    process::forget_the_code();
    ready(&front.url);
    let over = tokio::select! {
        () = front.stopped() => Over::ByCommand,
        name = process::told_to_end() => {
            front.voice.say(&format!("ended by {name}: what is open may finish"));
            Over::Drained
        }
    };
    front.end(over).await;
    Ok(0)
}

/// Why a front over HTTP ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The server was stopped by command.
    ByCommand,
    /// The front was told to end: what is open may finish for as long as the options say.
    Drained,
}

/// A front over HTTP that has begun.
pub struct Served {
    /// Where clients reach it.
    pub url: String,
    /// What answers commands.
    pub answers: Arc<Answers>,
    /// What came of the first start.
    pub first: First,
    voice: Arc<Voice>,
    hub: Hub,
    twins: Twins,
    handle: Handle,
    driver: JoinHandle<()>,
    listening: JoinHandle<()>,
    close: signal::Sender<bool>,
    stopped: Arc<Notify>,
    drain: Duration,
    sessions: PathBuf,
    seat: FrontSeat,
}

impl Served {
    /// Begins: it listens, the first twin starts or one of an earlier front is taken over, and commands are answered. Must be
    /// called on the runtime on which the front lives.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn begin(order: ServeOrder, token: Option<String>, ground: &Ground) -> Result<Self, ServeError> {
        let ServeOrder { mut run, listen, stdio, path, max_sessions, session_idle, .. } = order;
        let as_given = run.clone();
        if stdio {
            run.options = for_processes(&run.options, &run.chosen);
        }
        let mut plan = Plan::new(&run, Transport::Http);
        let run = crate::run::RunOrder { options: plan.options.clone(), ..run };
        let mut warnings: Vec<String> = plan.warnings.drain(..).collect();
        let off = Off::find(&run.home);
        if off.has(Part::State) || off.has(Part::Socket) {
            // Over HTTP the twins outlive their front: where it cannot be found again it must not begin.
            return Err(ServeError::Home(off.line().unwrap_or_default()));
        }
        warnings.extend(off.line());
        if run.options.tools {
            warnings.push(NO_TOOLS.to_owned());
        }
        let name = registered(&run, &plan, Kind { transport: Transport::Http, stdio }, &off, &mut warnings);
        let key = ServerKey::new(&name, &plan.root);
        let info = FrontInfo { server: name.clone(), display: run.name.clone(), root: plan.root.clone() };
        // One in the process of others is one of many: its twins die with it, and nobody takes them over.
        let taken = match ground {
            Ground::Own => FrontSeat::take_for_server(&run.home, info, key.as_str()),
            Ground::Hosted(_) => FrontSeat::take(&run.home, info),
        };
        let seat = match taken {
            Ok(seat) => seat,
            Err(SeatError::Taken) => return Err(ServeError::Running { server: name }),
            Err(error) => return Err(ServeError::Home(error.to_string())),
        };
        let front = seat.front().to_owned();
        let (_, containers_left) = super::sweep_the_dead(&run);
        let log = LogFile::open(&run.home.logs_of(&key), &front);
        let (home, last_good_key) = (run.home.clone(), key.clone());
        let keep = move |found: &mcp_twin_core::relay::LastGood| {
            // Only a help for a later start: what cannot be kept is missing then, nothing more.
            let _ = last_good::save(&home, &last_good_key, found);
        };
        let voice = Voice::new(ground.clone(), Some(log), run.options.tell, off, Box::new(keep));
        voice.tell_others(notices::sender(&name, &plan.root, &front), &as_given);
        let heard = Arc::clone(&voice);
        let (store, loaded) = FileStore::open(&run.home, &front, &key, &plan.root, move |off| match off {
            Some(text) => heard.warn_of(Part::History, text),
            None => heard.mended(FileStore::HISTORY_OFF, "the history is written again"),
        });
        let record = recorded(loaded, &voice);

        let listening = Arc::new(TwinVoice { voice: Arc::clone(&voice), files: OnceLock::new() });
        let twins_order = TwinsOrder {
            home: run.home.clone(),
            server: ServerId { name: server_name(&name), root: plan.root.clone() },
            display: run.name.clone(),
            front: front.clone(),
            // Of a server over stdio only the front has a port.
            ranges: Ranges::default(),
            command: run.command.clone(),
            cwd: run.cwd.clone(),
            env: run.env.0.clone(),
            keep: run.options.keep_children.clone(),
            bound: ground.hosted(),
            connect_timeout: CONNECT_TIMEOUT,
            listener: Arc::clone(&listening) as Arc<_>,
        };
        let ports = HttpTwins::start(twins_order, record.as_ref()).await?;
        let copies = super::copies_of(&run, &key, &front, &plan, &voice);
        ports.set_copies(Arc::clone(&copies));
        let lease = ports.lease();
        let watching = Arc::new(AtomicBool::new(run.options.watch_files && !plan.tree.is_empty()));
        let verdicts = Verdicts::new(Arc::clone(&voice));
        let twins = if stdio {
            let logging = Arc::clone(&voice);
            let say: process::Say = Arc::new(move |text: &str| logging.write_log(text));
            let containers = plan.container.take().map(|container| {
                Containers::new(container, run.command.clone(), run.cwd.clone(), &run.home, &front, Arc::clone(&say))
            });
            // Before there are any of this life: those of an earlier one have names like them.
            let _ = timeout(super::CONTAINERS_GONE, process::sweep_containers(&run.home, &front, &say)).await;
            tokio::spawn(super::sweep_their_containers(run.home.clone(), containers_left, say));
            let command = ServerCommand {
                recipe: Mutex::new(Arc::new(Recipe::new(&run, containers))),
                front: front.clone(),
                server: name.clone(),
                voice: Arc::clone(&voice),
                copies: Arc::clone(&copies),
            };
            Twins::Families(Families::new(command, Arc::clone(&watching), Arc::clone(&verdicts)))
        } else {
            Twins::Ports(ports)
        };
        // Its clients know the port of a front of `serve`. Whoever has put one into a process is told the address.
        let port = if ground.hosted() { 0 } else { lease.front };
        let address = listen.unwrap_or_else(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let listener = Listener::bind(ListenOptions { address, path: path.clone(), token }).await;
        let listener = listener.map_err(|source| ServeError::Address { address, source })?;
        let url = format!("http://{}{path}", shown(listener.address()?));

        let asks = run.command.iter().any(|word| word.contains("{port}"));
        let hub = Hub::new(HubOptions {
            options: run.options.clone(),
            path,
            epoch: u64::try_from(seat.started()).unwrap_or_default(),
            max_sessions,
            session_idle,
            listener: Arc::clone(&voice) as Arc<_>,
            book: Mutex::new(Book::open(run.home.sessions_of(&front))),
            behind: twins.behind(run.options.stop_kill, asks),
            last_good: last_good::load(&run.home, &key),
        });
        let told = hub.finder();
        voice.speak_through(move |text| {
            if let Some(hub) = told() {
                hub.tell(&text);
            }
        });
        let debounce = Debounce::new(run.options.watch_quiet, run.options.watch_max).with_script(plan.script.clone());
        let debounce = Arc::new(Mutex::new(debounce));
        let builds = Builds::new(&run.home, &key, &front);
        let build = plan.build.take().map(|what| builds.build(what, &run));
        let files = ServerFiles::new(
            Arc::clone(&plan.tree),
            Arc::clone(&debounce),
            Numbers::new(&run.home, &key),
            Before { build, check: plan.check.take() },
            copies,
            Arc::clone(&voice),
            Arc::new(hub.clone()),
        );
        let _ = listening.files.set(Arc::downgrade(&files));
        let store = Arc::new(store);
        let spawner = Arc::new(HubSpawner {
            spawner: twins.spawner(&hub),
            hub: hub.clone(),
            voice: Arc::clone(&voice),
            listens: stdio || asks,
        });
        let listens = hub.clone();
        let examiner = Examiner::new(
            &Arc::new(hub.clone()),
            (&run.home, &front, &name),
            Examination::new(&run, &run.options),
            move |twin| listens.ports()?.address(twin).map(|at| at.port()),
        );
        let host = Host {
            spawner: Arc::clone(&spawner) as Arc<_>,
            probe: Arc::clone(&examiner) as Arc<_>,
            store: Arc::clone(&store) as Arc<_>,
            clock: Arc::new(hub.clone()),
            traffic: Arc::new(hub.clone()),
            sources: Arc::clone(&files) as Arc<_>,
            observer: verdicts,
        };
        let (driver, handle) = begin(&run.options, record, &spawner, &twins, &files, host).await;
        if let Twins::Families(families) = &twins {
            families.know(&files, &handle);
        }
        let driver = tokio::spawn(driver.run());
        let start = handle.clone();
        let (told, first) = First::new();
        tokio::spawn(async move { told.tell(start.command(Command::Start).await) });
        for text in warnings {
            voice.warn(&text);
        }
        let stopped = Arc::new(Notify::new());
        let relaying = hub.clone();
        let parts = LivingParts {
            transport: Transport::Http,
            stdio,
            server: name.clone(),
            tree: Arc::clone(&plan.tree),
            debounce: Arc::clone(&debounce),
            files: Arc::clone(&files),
            voice: Arc::clone(&voice),
            handle: handle.clone(),
            relays: Box::new(move |options| relaying.set_options(options)),
            recipes: twins.recipes(&front, &voice),
            builds,
            examiner,
        };
        let living = Living::new(parts, as_given, run.options.clone(), watching);
        let answers = Arc::new(Answers {
            order: run.clone(),
            name: name.clone(),
            root: plan.root.clone(),
            front: front.clone(),
            started: seat.started(),
            logs: run.home.logs_of(&key),
            living: Arc::clone(&living),
            handle: handle.clone(),
            view: Box::new(view_of(hub.clone(), stdio)),
            tools: Arc::new(hub.clone()),
            clock: Arc::new(hub.clone()),
            url: Some(url.clone()),
            stopped: Some(Arc::clone(&stopped)),
            voice: Arc::clone(&voice),
            store: Arc::clone(&store),
            files: Arc::clone(&files),
        });
        let server = control::Server::bind(&seat).map_err(|error| ServeError::Home(error.to_string()))?;
        let answering = Arc::clone(&answers);
        tokio::spawn(server.serve(move |ask| Arc::clone(&answering).answer(ask)));
        let watching = watch(debounce, handle.clone(), store, files, living, Arc::new(hub.clone()));
        tokio::spawn(watching_or_saying(watching, Arc::clone(&voice)));
        let (close, closing) = signal::channel(false);
        let listening = tokio::spawn(listener.serve(hub.clone(), closing, GOODBYE));
        voice.write_log(&format!("listens on {url}"));
        let drain = run.options.drain.unwrap_or_default();
        let sessions = run.home.sessions_of(&front);
        Ok(Self {
            url,
            answers,
            first,
            voice,
            hub,
            twins,
            handle,
            driver,
            listening,
            close,
            stopped,
            drain,
            sessions,
            seat,
        })
    }

    /// Returns when the server was stopped by command.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Ends all twins and gives the seat up.
    pub async fn end(self, over: Over) {
        let drain = if over == Over::ByCommand { Duration::ZERO } else { self.drain };
        end(&self.hub, &self.twins, &self.handle, self.close, drain).await;
        self.driver.abort();
        let _ = self.driver.await;
        self.voice.last_words().await;
        let _ = self.listening.await;
        match &self.twins {
            Twins::Ports(ports) => drop(ports.sweep_all()),
            Twins::Families(families) => drop(families.sweep_all()),
        }
        Book::burn(&self.sessions);
        drop(self.seat);
    }
}

/// The record of a front before this one, if it can be used.
fn recorded(loaded: Loaded, voice: &Voice) -> Option<Record> {
    match loaded {
        Loaded::Good(saved) => Some(saved.record),
        Loaded::Missing => None,
        Loaded::Newer { schema } => {
            voice.warn(&format!("the record of this server is of a newer release (schema {schema}) and is not used"));
            None
        }
        Loaded::Damaged { why, .. } => {
            voice.warn(&format!("the record of this server was damaged and is set aside: {why}"));
            None
        }
    }
}

/// The machine: a new one, or the one of a front that died, with the twins that live on.
async fn begin(
    options: &Options,
    record: Option<Record>,
    spawner: &HubSpawner,
    twins: &Twins,
    files: &Arc<ServerFiles>,
    host: Host,
) -> (Driver, Handle) {
    let hub = &spawner.hub;
    let Some(record) = record else {
        return Driver::new(Swap::new(options.clone()).durable(), host);
    };
    let adopted = match twins {
        Twins::Ports(ports) => spawner.adopt(ports, &record),
        // They die with their front.
        Twins::Families(_) => Vec::new(),
    };
    let live: Vec<TwinId> = adopted.iter().map(|(twin, _)| *twin).collect();
    // One that listens no more cannot serve, whatever else it does.
    if let Twins::Ports(ports) = twins {
        for twin in &live {
            ports.ready_to_connect(*twin).await;
            hub.adopted(*twin).await;
        }
    }
    let source = files.now().await;
    // A stopped server is started again by whoever starts a front for it.
    let swap = Swap::recover(options.clone(), record, &live, source, hub.now());
    Driver::with_adopted(swap, host, adopted)
}

/// Ends the front: no new requests, what is open may finish for a while, then the twins end.
async fn end(hub: &Hub, twins: &Twins, handle: &Handle, close: signal::Sender<bool>, drain: Duration) {
    let _ = close.send(true);
    let until = Instant::now() + drain;
    let _ = timeout_at(until, hub.quiet()).await;
    hub.close(&Fault::new(Code::Stopped, "the front was ended").with_help("start it again with `mcp-twin start`"));
    let deadline = Instant::now() + GONE;
    let _ = timeout_at(deadline, handle.command(Command::Stop)).await;
    let minders = match twins {
        Twins::Ports(ports) => {
            ports.stop_all(KILL);
            ports.minders()
        }
        Twins::Families(_) => {
            let minders = hub.minders();
            minders.iter().for_each(|minder| minder.stop(StopOrder { term: Duration::ZERO, kill: KILL }));
            minders
        }
    };
    for mut minder in minders {
        let _ = timeout_at(deadline, minder.exited()).await;
    }
}

/// An address as a client writes it.
fn shown(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

fn server_name(name: &str) -> ServerName {
    mcp_twin_core::spec::slug(name)
}

/// What is seen of the sessions of a front over HTTP.
fn view_of(hub: Hub, stdio: bool) -> impl Fn(Option<TwinId>) -> View {
    move |active| {
        let (sessions, in_flight, held) = hub.counts();
        View {
            in_flight,
            held,
            sessions: Some(sessions),
            figures: hub.figures(),
            processes: hub.pids(),
            stderr_tail: active.map(|twin| HealthProbe::last_words(&hub, twin)).unwrap_or_default(),
            stdio_twins: stdio,
            warnings: hub.refused(),
            ..View::default()
        }
    }
}
