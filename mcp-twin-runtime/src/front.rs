//! Fronts: one server and its twins, from the first byte to the last process. Over stdio with one client ([`stdio`]), over
//! HTTP with any number ([`served`]).

mod agent;
mod answers;
mod behind;
mod build;
mod check;
mod examine;
mod families;
mod files;
mod first;
mod ground;
mod living;
mod off;
mod plan;
mod served;
mod shell;
mod spawner;
mod stdio;
mod tool;
mod voice;

use crate::copies::Copies;
use crate::fronts::{self, seconds_now, token_prefix};
use crate::pipes::{self, Input};
use crate::process::{self, left_containers, sweep_containers, sweep_token};
use crate::run::RunOrder;
use crate::servers::{self, ServerEntry, ServerKey};
use crate::store::FileStore;
use crate::watcher::{Seen, Watch, WatchOrder};
pub(crate) use answers::Answers;
use files::ServerFiles;
pub(crate) use first::First;
pub(crate) use ground::Ground;
use living::Living;
use mcp_twin_core::drive::Handle;
use mcp_twin_core::host::{Clock, Sources};
use mcp_twin_core::spec::Transport;
use mcp_twin_core::watch::Debounce;
use off::{Off, Part};
use plan::Plan;
pub use served::serve_http;
pub(crate) use served::{Over, Served};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
pub(crate) use stdio::Stdio;
pub(crate) use tool::{ToolCaller, too_late};
use voice::Voice;

/// So long a start waits for the removal of containers that dead fronts left.
const CONTAINERS_GONE: Duration = Duration::from_secs(5);

/// Runs a stdio front until its client is gone, on the runtime of this thread. Returns the exit status.
///
/// # Errors
/// Stdin or stdout cannot be used at all.
pub async fn serve(order: RunOrder) -> io::Result<u8> {
    process::own_this_process();
    // What has read the command line.
    #[cfg(target_os = "linux")]
    process::forget_the_code();
    tokio::spawn(process::reap_adopted());
    let front = Stdio::begin(order, &Ground::Own, pipes::stdout()?)?;
    #[cfg(target_os = "linux")]
    process::forget_the_code();
    let stop = tokio::select! {
        end = front.serve(Input::new(pipes::stdin()?)?) => front.after(end),
        name = process::told_to_end() => front.told(&format!("ended by {name}")),
    };
    front.end(stop).await;
    Ok(0)
}

/// How a server is spoken to.
#[derive(Clone, Copy)]
struct Kind {
    /// By its clients.
    transport: Transport,
    /// Over stdio by a front that its clients reach over HTTP.
    stdio: bool,
}

/// The copies of a server's code, as this front sees them.
fn copies_of(order: &RunOrder, key: &ServerKey, front: &str, plan: &Plan, voice: &Arc<Voice>) -> Arc<Copies> {
    let heard = Arc::clone(voice);
    let (tree, shape, most) = (Arc::clone(&plan.tree), plan.shape.clone(), order.options.keep_copies);
    Copies::new(order.home.copies_of(key), front, tree, shape, most, Arc::new(move |text| heard.write_log(text)))
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

/// Passes on what the watches see; returns why they see nothing. Ends at once where there is nothing to see.
async fn watch(
    debounce: Arc<Mutex<Debounce>>,
    handle: Handle,
    store: Arc<FileStore>,
    files: Arc<ServerFiles>,
    living: Arc<Living>,
    clock: Arc<dyn Clock>,
) -> Option<String> {
    let order = WatchOrder { tree: living.watched(), beside: living.config_files() };
    if !living.watching() && order.beside.is_empty() {
        return None;
    }
    // Setting up watches walks the tree: off this thread.
    let tree = Arc::clone(&files.tree);
    let begun = tokio::task::spawn_blocking(move || Watch::begin(tree, debounce, order)).await.ok()?;
    let (mut watch, off) = match begun {
        Ok(begun) => begun,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(off) = off {
        files.voice().warn(&off);
    }
    // What was saved while the watches were set up was seen by nobody.
    living.reread().await;
    if living.watching() {
        handle.changed(files.now().await).await;
    }
    while let Some(seen) = watch.next(&*clock).await {
        match seen {
            Seen::Touched => handle.touched().await,
            Seen::Beside => {
                let reread = living.reread().await;
                if let Some(off) = watch.again() {
                    files.voice().warn(&off);
                }
                if reread.files {
                    handle.changed(files.now().await).await;
                }
            }
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
