//! Starting a twin that outlives its front.

use super::spawn::{identity, prepared, refused};
use super::{Launch, Leader, system};
use mcp_twin_core::{Code, Fault, ProcessIdentity};
use std::fs::File;
use std::io::ErrorKind;
use std::process::Stdio;

/// A process that runs and goes on when this one dies.
#[derive(Debug)]
pub struct Detached {
    /// Proof of identity.
    pub identity: ProcessIdentity,
    /// To be minded, as long as this process lives.
    pub leader: Leader,
}

/// Starts a process in a session of its own: it reads nothing, writes stdout and stderr to `output` (`None`: nowhere) and
/// no signal of its parent's death reaches it; but one that is `bound` dies with the thread that calls this.
///
/// # Errors
/// `NotExecutable` if the command cannot run at all, else `SpawnFailed`; so it is on Windows.
pub fn spawn_detached(launch: &Launch, output: Option<&File>, bound: bool) -> Result<Detached, Fault> {
    let (program, mut command) = prepared(launch)?;
    let to = || output.map_or_else(|| Ok(Stdio::null()), |file| file.try_clone().map(Stdio::from));
    let failed = |error| refused(program, &launch.cwd, &error);
    command.stdin(Stdio::null()).stdout(to().map_err(failed)?).stderr(to().map_err(failed)?);
    let leader = system::start_detached(command, launch, bound).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => {
            Fault::new(Code::SpawnFailed, "twins that outlive their front are not supported on Windows yet")
                .with_help("serve over stdio with `mcp-twin run`, or start `mcp-twin serve` within WSL")
        }
        _ => failed(error),
    })?;
    Ok(Detached { identity: identity(&leader, launch), leader })
}
