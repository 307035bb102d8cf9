//! The process of a twin as Unix has it: the leader of a process group.

use super::sweep::{sweep_orphans, sweep_token_and_wait};
use super::{Launch, Own};
use crate::pipes::Descriptor;
use crate::run::Variables;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

/// What `exec` says of a file that is no program.
pub(super) const NOT_A_PROGRAM: i32 = rustix::io::Errno::NOEXEC.raw_os_error();

/// Whether this process is a front's own, with its signals and its orphans: not one in which others have put a front.
static OWN_PROCESS: AtomicBool = AtomicBool::new(false);

/// How long a killed twin is waited for whose minder was ended before it, in the process of others.
const REAPED: Duration = Duration::from_secs(1);

/// A process that is not reaped yet, so that its number, and that of its group, can belong to nobody else.
#[derive(Debug)]
pub struct Leader {
    pid: Pid,
    token: String,
    /// Names of programs that outlive it.
    keep: Vec<String>,
    sigchld: Option<tokio::signal::unix::Signal>,
    /// How its end is seen where the signals are not ours.
    #[cfg(target_os = "linux")]
    handle: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
    reaped: bool,
    _own: Own,
}

/// The program to start: the system looks for it by itself.
pub(super) fn found(program: &str, _cwd: &Path) -> OsString {
    program.into()
}

/// Whether this user may run the file.
pub(super) fn may_run(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Starts the command as the leader of a group. No pipes: the system gave none.
pub(super) fn start(mut command: Command, launch: &Launch) -> io::Result<(Leader, Option<[Descriptor; 3]>)> {
    command.process_group(0);
    die_with_this_thread(&mut command);
    let mut child = command.spawn()?;
    Ok((leader(&child, launch)?, pipes(&mut child)))
}

/// Starts the command as the leader of a session, and so of a group, that goes on when this process dies; `bound`: that dies
/// with the thread that calls this, where the system can do that.
pub(super) fn start_detached(mut command: Command, launch: &Launch, bound: bool) -> io::Result<Leader> {
    lead_a_session(&mut command);
    if bound {
        die_with_this_thread(&mut command);
    }
    leader(&command.spawn()?, launch)
}

fn leader(child: &Child, launch: &Launch) -> io::Result<Leader> {
    let own = Own::new(child.id());
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Leader {
        pid,
        token: launch.token.clone(),
        keep: launch.keep.clone(),
        sigchld: None,
        #[cfg(target_os = "linux")]
        handle: None,
        reaped: false,
        _own: own,
    })
}

fn pipes(child: &mut Child) -> Option<[Descriptor; 3]> {
    Some([child.stdin.take()?.into(), child.stdout.take()?.into(), child.stderr.take()?.into()])
}

impl Leader {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns when the process has ended, and leaves it unreaped. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        let own = OWN_PROCESS.load(Ordering::Relaxed);
        #[cfg(target_os = "linux")]
        if !own {
            if self.handle.is_none() {
                self.handle = watched(self.pid).ok();
            }
            if let Some(handle) = &self.handle {
                // Readable for ever once the process has ended. An error: the runtime is going, and this with it.
                let _ = handle.readable().await;
                return;
            }
        }
        // Registered before the first look, so that no end is missed between look and wait.
        if self.sigchld.is_none() && own {
            self.sigchld = signal(SignalKind::child()).ok();
        }
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            match waitid(WaitId::Pid(self.pid), options) {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return,
            }
            match &mut self.sigchld {
                Some(signals) => {
                    if signals.recv().await.is_none() {
                        self.sigchld = None;
                    }
                }
                None => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// TERM for the group.
    pub(super) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// KILL for the group.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// Signals the group, which is not reaped: all of it at once, or without those that are to be kept.
    fn signal(&self, signal: Signal) {
        #[cfg(target_os = "linux")]
        if !self.keep.is_empty() {
            return super::keep::signal_others(self.pid, signal, &self.keep);
        }
        let _ = kill_process_group(self.pid, signal);
    }

    /// Ends what is left of the group, then reaps the leader if it has ended: exit code and signal.
    pub(super) fn reap(&mut self) -> (Option<i32>, Option<i32>) {
        // The leader is not reaped yet, so the group's number can belong to nobody else.
        self.kill();
        self.reaped = true;
        let status = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok().flatten();
        status.map_or((None, None), |status| (status.exit_status(), status.terminating_signal()))
    }

    /// Sees to descendants: those of the group, and those that left it.
    pub(super) async fn end_rest(self) {
        if OWN_PROCESS.load(Ordering::Relaxed) {
            reap_group(self.pid, &self.keep).await;
            sweep_orphans(&self.token);
        } else {
            // They have become somebody else's children.
            let token = &self.token;
            sweep_token_and_wait(token, |found| found != token, &[]).await;
        }
    }
}

impl Drop for Leader {
    /// A process of others reaps nothing of ours when a front in it ends: what is still there is ended and reaped here.
    fn drop(&mut self) {
        if self.reaped || OWN_PROCESS.load(Ordering::Relaxed) {
            return;
        }
        self.kill();
        let begin = std::time::Instant::now();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        // KILL takes a moment; what sits in the kernel for longer stays a zombie of the host.
        while matches!(waitid(WaitId::Pid(self.pid), options), Ok(None)) && begin.elapsed() < REAPED {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A handle that is readable once the process has ended.
#[cfg(target_os = "linux")]
fn watched(pid: Pid) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    Ok(crate::pipes::register(handle, tokio::io::Interest::READABLE)?)
}

/// Reaps what is left of a killed group, where this process became its parent (subreaper). Bounded: what was killed is
/// gone within moments, and what is not ours is not waited for.
async fn reap_group(pid: Pid, keep: &[String]) {
    let mut sigchld = signal(SignalKind::child()).ok();
    let reap = async {
        loop {
            match waitid(WaitId::Pgid(Some(pid)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(_)) => {}
                // Kept ones live on, and would be waited for in vain.
                Ok(None) if !anyone_to_end(pid, keep) => return,
                Ok(None) => match &mut sigchld {
                    Some(signals) => {
                        if signals.recv().await.is_none() {
                            return;
                        }
                    }
                    None => return,
                },
                Err(_) => return,
            }
        }
    };
    let _ = timeout(Duration::from_secs(1), reap).await;
}

/// Whether a killed group may still have a member that is to end.
fn anyone_to_end(pid: Pid, keep: &[String]) -> bool {
    #[cfg(target_os = "linux")]
    if !keep.is_empty() {
        return super::keep::others_left(pid, keep);
    }
    let _ = (pid, keep);
    true
}

/// Puts this process into a session of its own, so that it goes on when the terminal is closed.
pub fn leave_terminal() {
    // It fails only for the leader of a group, which nobody makes of a process that is started for this.
    let _ = rustix::process::setsid();
}

/// What this process writes to stdout and stderr goes nowhere from now on: nobody reads it, and a file would grow for ever.
pub fn fall_silent() {
    // Without /dev/null it stays as it is.
    if let Ok(nowhere) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&nowhere);
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
}

/// Waits until this process is told to end, and says by what.
pub async fn told_to_end() -> &'static str {
    let wait = async |kind| match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::interrupt()) => "SIGINT",
        () = wait(SignalKind::hangup()) => "SIGHUP",
    }
}

/// Becomes the command, in this folder and with these variables beside those of this process. Returns only if it cannot be run.
///
/// # Errors
/// What the system said.
pub fn become_command(words: &[OsString], cwd: &Path, env: &Variables) -> io::Result<i32> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let env = env.iter().map(|(name, value)| (name, value));
    Err(Command::new(program).args(arguments).current_dir(cwd).envs(env).exec())
}

/// This process is a front's own from now on: the end of twins is heard by its signals, and descendants that leave their group
/// and lose their parent become its children, so that they can be ended (where the system has such a thing).
pub fn own_this_process() {
    OWN_PROCESS.store(true, Ordering::Relaxed);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[allow(unsafe_code)]
fn lead_a_session(command: &mut Command) {
    // SAFETY: between fork and exec only setsid is called, which is async-signal-safe; nothing is allocated or locked, and
    // the closure touches no memory.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_this_thread(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    let front = getpid();
    // SAFETY: between fork and exec only async-signal-safe system calls are made (prctl, getppid); nothing is allocated
    // or locked, and the closure touches no memory but its own copy of a number.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The front may have died before the signal was asked for: then nobody would send it.
            if getppid() == Some(front) { Ok(()) } else { Err(io::Error::from_raw_os_error(3)) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_this_thread(_command: &mut Command) {}
