//! The process of a twin as Windows has it: the first process of a Job Object.
//!
//! The job is closed with its last handle, which the front holds, and everything in it ends then: so a twin's whole tree
//! dies with its front, however that dies, and no sweep by token is needed. A process is only ever ended through its
//! handle, which no other process can come to bear.

use super::Launch;
use crate::pipes::Descriptor;
use crate::run::Variables;
use ::windows::Win32::System::Threading::CREATE_NO_WINDOW;
use process_wrap::tokio::{ChildWrapper, CommandWrap, CreationFlags, JobObject, KillOnDrop};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use tokio::signal::windows;

/// `ERROR_BAD_EXE_FORMAT`
pub(super) const NOT_A_PROGRAM: i32 = 193;

/// The first process of a job. Dropping it ends the job.
#[derive(Debug)]
pub struct Leader {
    child: Box<dyn ChildWrapper>,
    pid: u32,
    status: Option<ExitStatus>,
}

/// The program to start, with the extension that the system itself does not look for (`npx.cmd`).
pub(super) fn found(program: impl AsRef<OsStr>, cwd: &Path) -> OsString {
    let program = program.as_ref();
    which::which_in(program, std::env::var_os("PATH"), cwd).map_or_else(|_| program.to_owned(), Into::into)
}

/// Whether the file can be run at all: who may is known only by trying.
pub(super) fn may_run(file: &Path) -> bool {
    file.is_file()
}

/// Starts the command in a job. No pipes: the system gave none.
pub(super) fn start(command: Command, _launch: &Launch) -> io::Result<(Leader, Option<[Descriptor; 3]>)> {
    let mut command = CommandWrap::from(tokio::process::Command::from(command));
    // A console of its own, without a window: what is typed into the front's console is for the front alone.
    command.wrap(CreationFlags(CREATE_NO_WINDOW)).wrap(KillOnDrop).wrap(JobObject);
    let mut child = command.spawn()?;
    let pid = child.id().unwrap_or_default();
    let pipes = pipes(child.as_mut());
    Ok((Leader { child, pid, status: None }, pipes))
}

/// Nothing outlives its front here: the job ends with it.
pub(super) fn start_detached(_command: Command, _launch: &Launch, _bound: bool) -> io::Result<Leader> {
    Err(io::ErrorKind::Unsupported.into())
}

fn pipes(child: &mut dyn ChildWrapper) -> Option<[Descriptor; 3]> {
    let stdin = child.stdin().take()?.into_owned_handle().ok()?;
    let stdout = child.stdout().take()?.into_owned_handle().ok()?;
    let stderr = child.stderr().take()?.into_owned_handle().ok()?;
    Some([stdin, stdout, stderr])
}

impl Leader {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns when the process has ended. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        // Of the process itself: the job's own wait would go on for its descendants.
        self.status = self.child.inner_mut().wait().await.ok();
    }

    /// Nothing: the end of its stdin is all that a process without a console window can be told.
    pub(super) fn ask_to_end(&self) {}

    /// Ends the whole job.
    pub(super) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    /// Ends what is left of the job: exit code and signal of its first process.
    pub(super) fn reap(&mut self) -> (Option<i32>, Option<i32>) {
        self.kill();
        (self.status.and_then(|status| status.code()), None)
    }

    /// Closes the job, in which nothing lives any more.
    pub(super) async fn end_rest(self) {}
}

/// Waits until this process is told to end, and says by what.
pub async fn told_to_end() -> &'static str {
    // A system that cannot tell says nothing.
    macro_rules! told {
        ($how:ident) => {
            async {
                match windows::$how() {
                    Ok(mut told) => drop(told.recv().await),
                    Err(_) => std::future::pending().await,
                }
            }
        };
    }
    tokio::select! {
        () = told!(ctrl_c) => "Ctrl-C",
        () = told!(ctrl_break) => "Ctrl-Break",
        () = told!(ctrl_close) => "the end of its console",
        () = told!(ctrl_logoff) => "the end of the user's session",
        () = told!(ctrl_shutdown) => "the end of the system",
    }
}

/// Runs the command in this process's place, since no process can become another one here: with its stdin, stdout and
/// stderr, and in a job, so that it does not outlive this one. Returns its exit code.
///
/// # Errors
/// What the system said.
pub fn become_command(words: &[OsString], cwd: &Path, env: &Variables) -> io::Result<i32> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(found(program, cwd));
    command.args(arguments).current_dir(cwd).envs(env.iter().map(|(name, value)| (name, value)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(async {
        // Ctrl-C is for the command, which is on the same console: this process only waits for it.
        let _ours = windows::ctrl_c();
        let mut command = CommandWrap::from(tokio::process::Command::from(command));
        let mut child = command.wrap(KillOnDrop).wrap(JobObject).spawn()?;
        child.inner_mut().wait().await
    })?;
    Ok(status.code().unwrap_or(1))
}

/// Nothing: a job has all descendants of its first process, whoever their parent is.
pub fn own_this_process() {}

#[cfg(test)]
mod tests {
    use super::super::{Launch, spawn};
    use super::*;
    use std::io::Read;

    #[test]
    fn a_launcher_is_found_without_its_extension_and_gets_its_arguments() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("npx.cmd"), "@echo off\r\necho got %1\r\nexit 3\r\n").unwrap();
        let program = dir.path().join("npx").to_str().unwrap().to_owned();
        assert!(found(&program, dir.path()).to_string_lossy().to_ascii_lowercase().ends_with("npx.cmd"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let command = vec![program, "one".to_owned()];
            let launch =
                Launch { command, cwd: dir.path().into(), token: "t".into(), keep: Vec::new(), env: Vec::new() };
            let mut launched = spawn(&launch).unwrap();
            launched.leader.ended().await;
            assert_eq!(launched.leader.reap(), (Some(3), None));
            let mut text = String::new();
            std::fs::File::from(launched.stdout).read_to_string(&mut text).unwrap();
            assert_eq!(text.trim(), "got one");
        });
    }

    #[test]
    fn what_is_not_there_is_told_by_its_name() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let command = vec!["mcp-twin-no-such-program".to_owned()];
            let launch =
                Launch { command, cwd: std::env::temp_dir(), token: "t".into(), keep: Vec::new(), env: Vec::new() };
            let fault = spawn(&launch).unwrap_err();
            assert_eq!(fault.code, mcp_twin_core::Code::NotExecutable, "{fault:?}");
        });
    }
}

/// Nothing: a process started without a console has none to leave.
pub fn leave_terminal() {}

/// What goes nowhere on Unix stays in its file here: nothing starts by itself yet.
pub fn fall_silent() {}
