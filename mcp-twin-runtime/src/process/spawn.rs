//! Starting a twin.

use super::identity::{boot_id, start_time};
use super::{KEEP, TOKEN};
use mcp_twin_core::{Code, Fault, ProcessIdentity};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What to start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// The token of the twin.
    pub token: String,
    /// Added to the front's own environment.
    pub env: Vec<(String, String)>,
    /// Names of programs that outlive it.
    pub keep: Vec<String>,
}

/// A process that runs, with its pipes.
pub struct Launched {
    /// Proof of identity.
    pub identity: ProcessIdentity,
    /// To write to.
    pub stdin: OwnedFd,
    /// To read from.
    pub stdout: OwnedFd,
    /// To read from.
    pub stderr: OwnedFd,
    /// Names of programs that outlive it.
    pub keep: Vec<String>,
}

/// Starts a process in a group of its own, with pipes, that dies with the thread that called this.
///
/// # Errors
/// `NotExecutable` if the command cannot run at all, else `SpawnFailed`.
pub fn spawn(launch: &Launch) -> Result<Launched, Fault> {
    let Some((program, arguments)) = launch.command.split_first() else {
        return Err(Fault::new(Code::NotExecutable, "there is no command to run"));
    };
    if !launch.cwd.is_dir() {
        let message = format!("the working directory {} does not exist", launch.cwd.display());
        return Err(Fault::new(Code::NotExecutable, message));
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&launch.cwd)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .env(TOKEN, &launch.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if launch.keep.is_empty() {
        // The front may itself run below a twin of another front, which keeps something.
        command.env_remove(KEEP);
    } else {
        command.env(KEEP, launch.keep.join(","));
    }
    die_with_this_thread(&mut command);
    let mut child = command.spawn().map_err(|error| refused(program, &error))?;
    let pid = child.id();
    let identity = ProcessIdentity {
        pid,
        pgid: pid,
        start_time: start_time(pid).unwrap_or(0),
        boot_id: boot_id(),
        token: launch.token.clone(),
    };
    let pipes = pipes(&mut child);
    let Some((stdin, stdout, stderr)) = pipes else {
        return Err(Fault::new(Code::SpawnFailed, "the system gave no pipes"));
    };
    Ok(Launched { identity, stdin, stdout, stderr, keep: launch.keep.clone() })
}

fn pipes(child: &mut Child) -> Option<(OwnedFd, OwnedFd, OwnedFd)> {
    Some((child.stdin.take()?.into(), child.stdout.take()?.into(), child.stderr.take()?.into()))
}

fn refused(program: &str, error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => {
            Fault::new(Code::NotExecutable, format!("`{program}` was not found"))
                .with_help("check the command behind `mcp-twin run --`; a client started from a desktop has a shorter PATH, so an absolute path is safer")
        }
        ErrorKind::PermissionDenied if std::path::Path::new(program).is_dir() => {
            Fault::new(Code::NotExecutable, format!("`{program}` is a folder, not a program"))
                .with_help("write the command that starts the server behind `mcp-twin run --`, such as python server.py")
        }
        ErrorKind::PermissionDenied => {
            Fault::new(Code::NotExecutable, format!("`{program}` may not be executed"))
                .with_help("make it executable (chmod +x), or name its interpreter first")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            Fault::new(Code::NotExecutable, format!("`{program}` is not a program that this system can run"))
                .with_help("a script needs a first line such as #!/usr/bin/env python3, or its interpreter as the command")
        }
        _ => Fault::new(Code::SpawnFailed, format!("`{program}` could not be started: {error}")),
    }
}

/// Descendants that leave their group and lose their parent become children of this process, so that they can be ended.
/// Where the system has no such thing nothing happens.
pub fn become_subreaper() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
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
