//! A front's twins without the front.

use mcp_twin_core::host::{Instance, ProcessSpawner, SpawnOrder};
use mcp_twin_core::port::{PortError, Ranges, first_place};
use mcp_twin_core::spec::{ServerId, ServerName};
use mcp_twin_core::swap::Record;
use mcp_twin_core::swap::record::{Phase, SCHEMA, TwinRecord};
use mcp_twin_core::testing::source;
use mcp_twin_core::{ProcessIdentity, Slot, TwinId};
use mcp_twin_runtime::fronts::token_prefix;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::ports::is_free;
use mcp_twin_runtime::process::sweep_token;
use mcp_twin_runtime::servers::ServerKey;
use mcp_twin_runtime::twins::{CONNECT_TIMEOUT, HttpTwins, TwinsListener, TwinsOrder};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server that answers one word per connection: `say X` writes X to its stderr, `flood N` writes so many lines,
/// `exit` ends it.
pub const SERVER: &str = r#"
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
while True:
    peer, _ = listener.accept()
    try:
        word, _, rest = peer.makefile().readline().strip().partition(" ")
        if word == "say":
            print(rest, file=sys.stderr, flush=True)
        if word == "flood":
            for n in range(int(rest)):
                sys.stderr.write("line %d %s\n" % (n, "x" * 1000))
            sys.stderr.flush()
        if word == "env":
            print(rest, "is", os.environ.get(rest), flush=True)
        if word == "exit":
            sys.exit(3)
        peer.sendall(b"done\n")
    except OSError:
        pass
    peer.close()
"#;

/// The server as a command.
pub fn server() -> Vec<String> {
    words(&["python3", "-c", SERVER, "{port}"])
}

/// A shell's script as a command; `$0` is the server, to be run by `python3 -c "$0" {port}`.
pub fn script(text: &str) -> Vec<String> {
    words(&["sh", "-c", text, SERVER])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Remembers all that it hears.
#[derive(Default)]
pub struct Heard {
    lines: Mutex<Vec<(TwinId, String)>>,
    notes: Mutex<Vec<String>>,
}

impl Heard {
    pub fn lines_of(&self, twin: TwinId) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|(own, _)| *own == twin).map(|(_, line)| line.clone()).collect()
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

impl TwinsListener for Heard {
    fn named(&self, _twin: TwinId, _name: String) {}

    fn said(&self, twin: TwinId, line: &str) {
        self.lines.lock().unwrap().push((twin, line.to_owned()));
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

/// One server's place in the world. What bears a token of its front ends with it.
pub struct Rig {
    pub dir: PathBuf,
    _owned: Option<(tempfile::TempDir, TcpListener)>,
    pub name: String,
    pub front: String,
    pub first_port: u16,
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
    pub keep: Vec<String>,
    pub heard: Arc<Heard>,
}

impl Rig {
    pub fn new(command: Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Home::at(dir.path()).ensure().unwrap();
        let unique = dir.path().file_name().unwrap().to_string_lossy().replace('.', "").to_lowercase();
        let name = format!("notes-{unique}");
        let front = format!("front-{unique}");
        let (first_port, guard) = own_ports(&name);
        let (env, keep, heard) = (Vec::new(), Vec::new(), Arc::default());
        let (place, owned) = (dir.path().to_owned(), Some((dir, guard)));
        Self { dir: place, _owned: owned, name, front, first_port, command, env, keep, heard }
    }

    /// What another process needs to act for this front.
    pub fn as_text(&self) -> String {
        serde_json::json!({
            "dir": self.dir, "name": self.name, "front": self.front, "port": self.first_port, "command": self.command, "keep": self.keep,
        })
        .to_string()
    }

    /// The front of another process, which owns its folder.
    pub fn from_text(text: &str) -> Self {
        let mut place: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut take = |name: &str| place[name].take();
        Self {
            dir: serde_json::from_value(take("dir")).unwrap(),
            _owned: None,
            name: serde_json::from_value(take("name")).unwrap(),
            front: serde_json::from_value(take("front")).unwrap(),
            first_port: serde_json::from_value(take("port")).unwrap(),
            command: serde_json::from_value(take("command")).unwrap(),
            env: Vec::new(),
            keep: serde_json::from_value(take("keep")).unwrap(),
            heard: Arc::default(),
        }
    }

    pub fn home(&self) -> Home {
        Home::at(&self.dir)
    }

    pub fn id(&self) -> ServerId {
        ServerId::new(ServerName::new(self.name.clone()).unwrap(), "/project")
    }

    pub fn key(&self) -> ServerKey {
        ServerKey::new(&self.name, Path::new("/project"))
    }

    pub fn order(&self) -> TwinsOrder {
        TwinsOrder {
            home: self.home(),
            server: self.id(),
            display: None,
            front: self.front.clone(),
            ranges: Ranges::new(self.first_port, self.first_port + 100).unwrap(),
            command: self.command.clone(),
            cwd: self.dir.clone(),
            env: self.env.clone(),
            keep: self.keep.clone(),
            bound: false,
            connect_timeout: CONNECT_TIMEOUT,
            listener: Arc::clone(&self.heard) as Arc<dyn TwinsListener>,
        }
    }

    pub async fn start(&self) -> Arc<HttpTwins> {
        HttpTwins::start(self.order(), None).await.unwrap()
    }

    pub async fn restart(&self, record: &Record) -> Result<Arc<HttpTwins>, PortError> {
        HttpTwins::start(self.order(), Some(record)).await
    }

    /// The files that twins write now.
    pub fn outputs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home().logs_of(&self.key())).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "out" || extension == "read"));
        paths
    }
}

/// The first of 300 ports for the fronts and twins of one test, below those that the system hands out by itself; and what
/// keeps other tests from them. Those that a server of this name gets were not used just before either.
fn own_ports(name: &str) -> (u16, TcpListener) {
    const GUARDED: u16 = 301;
    let start = std::process::id() % 70;
    let places = (0..70).map(|step| 10_000 + GUARDED * u16::try_from((start + step) % 70).unwrap());
    let own = |first: u16| {
        let guard = TcpListener::bind(("127.0.0.1", first + GUARDED - 1)).ok()?;
        let ranges = Ranges::new(first, first + 100).unwrap();
        let ports =
            (0..4).map(|step| ranges.at(first_place(name) + step)).flat_map(|lease| [lease.front, lease.a, lease.b]);
        ports.into_iter().all(is_free).then_some((first, guard))
    };
    places.into_iter().find_map(own).expect("300 free ports")
}

impl Drop for Rig {
    fn drop(&mut self) {
        sweep_token(&token_prefix(&self.front), |_| false, &[]);
    }
}

pub fn order(twin: u32, slot: Slot) -> SpawnOrder {
    SpawnOrder { twin: TwinId(twin), slot, source: source(7), kept: false }
}

/// A twin that is up.
pub async fn up(twins: &HttpTwins, twin: u32, slot: Slot) -> Box<dyn Instance> {
    let instance = twins.spawn(&order(twin, slot)).await.unwrap();
    until_ready(twins, TwinId(twin)).await;
    instance
}

pub async fn until_ready(twins: &HttpTwins, twin: TwinId) {
    let deadline = Instant::now() + PATIENCE;
    while !twins.ready_to_connect(twin).await {
        assert!(
            Instant::now() < deadline,
            "{twin} is not up: {:?}\n{}",
            twins.reach(twin).await,
            twins.last_words(twin)
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until it is found; a test that waits for ever fails.
pub async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Says one word to a server.
pub fn tell(at: SocketAddr, word: &str) {
    let mut peer = std::net::TcpStream::connect(at).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.write_all(format!("{word}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    // One that ends instead of answering closes the connection.
    let _ = peer.read_to_string(&mut answer);
}

/// What a front would have recorded of these twins.
pub fn record(twins: &[(u32, Slot, Option<u16>, ProcessIdentity)]) -> Record {
    let twin = |(twin, slot, port, process): &(u32, Slot, Option<u16>, ProcessIdentity)| TwinRecord {
        twin: TwinId(*twin),
        slot: *slot,
        source: source(7),
        port: *port,
        process: Some(process.clone()),
        verified: true,
        lists_hash: 0,
        last_exit: None,
        fault: None,
    };
    Record {
        schema: SCHEMA,
        epoch: 0,
        phase: Phase::Serving,
        active: twins.first().map(|(twin, ..)| TwinId(*twin)),
        active_source: Some(source(7)),
        prev: None,
        rejected: None,
        passed_over: None,
        baking: false,
        op: None,
        twins: twins.iter().map(twin).collect(),
        last_good: None,
    }
}

/// What `/proc/PID/stat` says of a process from its state on.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// Whether a process lives: a zombie does not.
pub fn alive(pid: u32) -> bool {
    fields(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

/// Group and session of a process.
pub fn group_and_session(pid: u32) -> (u32, u32) {
    let fields = fields(pid).unwrap();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
