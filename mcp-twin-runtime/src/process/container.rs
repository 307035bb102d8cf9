//! Containers behind twins: a twin started by `docker run` is only the engine's client, and a container can outlive that.
//!
//! Before such a twin starts, a note is left beside the front's lock, and the engine is asked to write the container's id
//! into a file beside it (`--cidfile`). When the client ended by a signal, or could not say how the container ended, the
//! container is removed by that id. The note lets the next front do the same for one that was killed. Knows nothing of
//! engines but the words of the command line (`core::detect::launch`).

use super::adopted::Own;
use crate::files::{self, FileError, Flush};
use crate::home::Home;
use mcp_twin_core::detect::launch::{ContainerRun, removal};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

/// How long the engine may take to remove a container.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of what it says then is logged.
const SAID: u64 = 4096;
/// A note that is older is given up: nobody could remove its container in all that time.
const TOO_OLD: Duration = Duration::from_secs(24 * 3600);
/// What a client says that failed itself; every other status is the container's own.
const ENGINE_FAILED: i32 = 125;

/// Hears what is done, line by line.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// How the twins of one front start their containers.
pub struct Containers {
    run: ContainerRun,
    command: Vec<String>,
    cwd: PathBuf,
    folder: PathBuf,
    front: String,
    say: Say,
}

/// One twin's container, or what will be one.
pub struct Container {
    note: Note,
    path: PathBuf,
    detached: bool,
    say: Say,
}

/// What is needed to remove a container, as it stands in `run/<front>.<twin>.container`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    engine: Vec<String>,
    cwd: PathBuf,
    cidfile: PathBuf,
}

impl Containers {
    /// The containers of a front that starts `command` in `cwd`.
    #[must_use]
    pub fn new(run: ContainerRun, command: Vec<String>, cwd: PathBuf, home: &Home, front: &str, say: Say) -> Self {
        Self { run, command, cwd, folder: home.run(), front: front.to_owned(), say }
    }

    /// Why the containers of this command cannot be followed, if so: in words for people.
    #[must_use]
    pub fn unfollowed(run: &ContainerRun) -> Option<String> {
        if run.name.is_some() || run.cidfile.is_some() {
            return None;
        }
        let why = if !run.is_reachable() {
            "it is started within a shell line"
        } else if is_confined(run.program()) {
            "this engine may not write into the state directory"
        } else {
            return None;
        };
        Some(format!(
            "the container is not removed if its client has to be killed ({why}); `--cidfile FILE` behind `run` helps"
        ))
    }

    /// The command that starts a twin, or another process (`of` tells it from the others), and its container, if it can be
    /// followed. Leaves the note.
    ///
    /// # Errors
    /// The note cannot be written; the twin can be started all the same, with the plain command.
    pub fn begin(&self, of: &str) -> Result<(Vec<String>, Option<Container>), FileError> {
        let plain = || Ok((self.command.clone(), None));
        let own = self.folder.join(format!("{}.{of}.cid", self.front));
        let (command, cidfile) = match &self.run.cidfile {
            // One that is there already is another container's; the engine refuses to start then.
            Some(file) if self.cwd.join(file).exists() => return plain(),
            Some(file) => (self.command.clone(), self.cwd.join(file)),
            None if is_confined(self.run.program()) => return plain(),
            None => match own.to_str().and_then(|file| self.run.with_cidfile(&self.command, file)) {
                Some(command) => (command, own),
                None => return plain(),
            },
        };
        let note = Note { engine: self.run.engine().to_vec(), cwd: self.cwd.clone(), cidfile };
        let path = self.folder.join(format!("{}.{of}.container", self.front));
        let bytes = serde_json::to_vec(&note)
            .map_err(|error| FileError::Unwritable { path: path.clone(), why: error.to_string() })?;
        files::write_atomic(&path, &bytes, Flush::Later)?;
        let container = Container { note, path, detached: self.run.detached, say: Arc::clone(&self.say) };
        Ok((command, Some(container)))
    }
}

impl Container {
    /// The client never ran: there is no container.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// The client has ended, with this status or by a signal. Removes the container if it may live, then what was written
    /// about it; what cannot be removed now is left to the next front.
    pub async fn end(self, code: Option<i32>) {
        let ended_itself = !self.detached && code.is_some_and(|code| code != ENGINE_FAILED);
        if ended_itself || self.note.remove(&self.say).await {
            let _ = fs::remove_file(&self.note.cidfile);
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the containers that a front left behind, whose lock the caller holds. False if one may still live.
pub async fn sweep_containers(home: &Home, front: &str, say: &Say) -> bool {
    let mut all = true;
    for path in notes(home, front) {
        let note = files::read(&path).ok().flatten().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        let done = match &note {
            Some(note) => note.remove(say).await || is_old(&path),
            // Written whole or not at all: this is none of ours, or of a release that wrote it otherwise.
            None => true,
        };
        if done {
            if let Some(note) = note {
                let _ = fs::remove_file(&note.cidfile);
            }
            let _ = fs::remove_file(&path);
        }
        all &= done;
    }
    all
}

/// Whether a front left containers behind.
#[must_use]
pub fn left_containers(home: &Home, front: &str) -> bool {
    notes(home, front).next().is_some()
}

fn notes(home: &Home, front: &str) -> impl Iterator<Item = PathBuf> {
    let prefix = format!("{front}.");
    fs::read_dir(home.run()).into_iter().flatten().flatten().map(|entry| entry.path()).filter(move |path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let of = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".container"));
        of.is_some_and(is_of_a_process)
    })
}

/// What tells a process from the others of its front: the twin, or the life of the front, the twin and a number. The id of
/// another front that begins with this one's is none.
fn is_of_a_process(of: &str) -> bool {
    let parts: Vec<&str> = of.split('.').collect();
    match parts[..] {
        [twin] => twin.parse::<u32>().is_ok(),
        [_, twin, number] => twin.parse::<u32>().is_ok() && number.parse::<u64>().is_ok(),
        _ => false,
    }
}

fn is_old(path: &Path) -> bool {
    let written = fs::metadata(path).and_then(|meta| meta.modified());
    written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > TOO_OLD))
}

impl Note {
    /// Whether the container is certainly gone now, or never was.
    async fn remove(&self, say: &Say) -> bool {
        let id = match fs::read_to_string(&self.cidfile) {
            Ok(id) => id,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(error) => {
                say(&format!("the container's id cannot be read from {}: {error}", self.cidfile.display()));
                return false;
            }
        };
        // An empty one: the engine's client had not got as far as a container.
        let Some(words) = removal(&self.engine, &id) else { return true };
        let line = words.join(" ");
        match said_by(&words, &self.cwd).await {
            Ok((success, said)) => {
                // It may have gone by itself (`--rm`).
                let gone = success || said.to_ascii_lowercase().contains("no such container");
                say(&format!("{line}: {}", if gone { "the container is gone" } else { "failed" }));
                said.lines().for_each(|said| say(&format!("{line}: {said}")));
                gone
            }
            Err(error) => {
                say(&format!("{line}: {error}"));
                false
            }
        }
    }
}

/// Runs a command to its end: whether it succeeded, and the beginning of what it said.
async fn said_by(words: &[String], cwd: &Path) -> io::Result<(bool, String)> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(cwd).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // If the front ends meanwhile, the command goes on: it is what makes an end. A client that kills the front's group
    // must not hit it.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let _own = child.id().map(Own::new);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = timeout(PATIENCE, async {
        let (out, err) = tokio::join!(beginning(stdout), beginning(stderr));
        Ok((child.wait().await?.success(), format!("{out}{err}")))
    });
    let Ok(ended) = ended.await else {
        child.start_kill()?;
        let _ = timeout(Duration::from_secs(1), child.wait()).await;
        return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {} s", PATIENCE.as_secs())));
    };
    ended
}

async fn beginning(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut said = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(SAID).read_to_end(&mut said).await;
        // The rest is read too, so that it can end; nobody keeps it.
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Whether an engine cannot write into the state directory: a snap is kept out of hidden folders, a Windows program does
/// not know the paths of a Unix.
fn is_confined(program: &str) -> bool {
    if cfg!(windows) {
        return false;
    }
    let on_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
    };
    let path = if program.contains('/') { Some(PathBuf::from(program)) } else { on_path() };
    let Some(path) = path else { return false };
    let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let snap = |path: &Path| path.starts_with("/snap") || path.file_name().is_some_and(|name| name == "snap");
    snap(&path) || snap(&real) || real.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("exe"))
}
