//! Starting a twin.

use super::identity::{boot_id, start_time};
use super::{Leader, TOKEN, system};
use crate::pipes::Descriptor;
use mcp_twin_core::{Code, Fault, ProcessIdentity};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
}

/// A process that runs, with its pipes.
#[derive(Debug)]
pub struct Launched {
    /// Proof of identity.
    pub identity: ProcessIdentity,
    /// To be minded.
    pub leader: Leader,
    /// To write to.
    pub stdin: Descriptor,
    /// To read from.
    pub stdout: Descriptor,
    /// To read from.
    pub stderr: Descriptor,
}

/// Starts a process in a group (on Windows a job) of its own, with pipes. Where the system can do that it dies with the
/// thread that called this. Must be called on a runtime.
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
    let mut command = Command::new(system::found(program, &launch.cwd));
    command
        .args(arguments)
        .current_dir(&launch.cwd)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .env(TOKEN, &launch.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (leader, pipes) = system::start(command, &launch.token).map_err(|error| refused(program, &error))?;
    let pid = leader.pid();
    let identity = ProcessIdentity {
        pid,
        pgid: pid,
        start_time: start_time(pid).unwrap_or(0),
        boot_id: boot_id(),
        token: launch.token.clone(),
    };
    let Some([stdin, stdout, stderr]) = pipes else {
        return Err(Fault::new(Code::SpawnFailed, "the system gave no pipes"));
    };
    Ok(Launched { identity, leader, stdin, stdout, stderr })
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
        _ if error.raw_os_error() == Some(system::NOT_A_PROGRAM) => {
            Fault::new(Code::NotExecutable, format!("`{program}` is not a program that this system can run"))
                .with_help("a script needs a first line such as #!/usr/bin/env python3, or its interpreter as the command")
        }
        _ => Fault::new(Code::SpawnFailed, format!("`{program}` could not be started: {error}")),
    }
}
