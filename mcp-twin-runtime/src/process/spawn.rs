//! Starting a twin.

use super::identity::{boot_id, start_time};
use super::{KEEP, Leader, TOKEN, system};
use crate::pipes::Descriptor;
use mcp_twin_core::{Code, Fault, ProcessIdentity};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
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
    /// Names of programs that outlive it.
    pub keep: Vec<String>,
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
    let (program, mut command) = prepared(launch)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (leader, pipes) = system::start(command, launch).map_err(|error| refused(program, &launch.cwd, &error))?;
    let identity = identity(&leader, launch);
    let Some([stdin, stdout, stderr]) = pipes else {
        return Err(Fault::new(Code::SpawnFailed, "the system gave no pipes"));
    };
    Ok(Launched { identity, leader, stdin, stdout, stderr })
}

/// The program of an order, and the command to start it but for what it reads and writes.
pub(super) fn prepared(launch: &Launch) -> Result<(&str, Command), Fault> {
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
        .env(TOKEN, &launch.token);
    if launch.keep.is_empty() {
        // The front may itself run below a twin of another front, which keeps something.
        command.env_remove(KEEP);
    } else {
        command.env(KEEP, launch.keep.join(","));
    }
    Ok((program, command))
}

/// Proof of identity of a process that was just started and is not reaped yet.
pub(super) fn identity(leader: &Leader, launch: &Launch) -> ProcessIdentity {
    let pid = leader.pid();
    ProcessIdentity {
        pid,
        pgid: pid,
        start_time: start_time(pid).unwrap_or(0),
        boot_id: boot_id(),
        token: launch.token.clone(),
    }
}

/// Why a command cannot run at all, as far as can be seen without running it: what was tried, and where.
#[must_use]
pub fn not_runnable(program: &str, cwd: &Path) -> Option<Fault> {
    let found = system::found(program, cwd);
    let program = &*found.to_string_lossy();
    if !program.contains(std::path::is_separator) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tried: Vec<PathBuf> = std::env::split_paths(&path).map(|folder| cwd.join(folder).join(program)).collect();
        if tried.iter().any(|file| system::may_run(file)) {
            return None;
        }
        if let Some(file) = tried.iter().find(|file| file.is_file()) {
            return Some(not_executable(&file.display().to_string()));
        }
        let message = format!("`{program}` was not found in any folder of PATH");
        let help = format!(
            "check the command behind `mcp-twin run --`, or write its absolute path (a client started from a desktop has a \
             shorter PATH); PATH is {}",
            path.to_string_lossy()
        );
        return Some(Fault::new(Code::NotExecutable, message).with_help(help));
    }
    let file = cwd.join(program);
    if file.is_dir() {
        return Some(
            Fault::new(Code::NotExecutable, format!("`{program}` is a folder, not a program")).with_help(
                "write the command that starts the server behind `mcp-twin run --`, such as python server.py",
            ),
        );
    }
    if !file.exists() {
        let tried = if Path::new(program).is_absolute() { String::new() } else { format!(" ({})", file.display()) };
        return Some(
            Fault::new(Code::NotExecutable, format!("there is no file `{program}`{tried}")).with_help(
                "check the command behind `mcp-twin run --`; a relative path begins at the working directory",
            ),
        );
    }
    (!system::may_run(&file)).then(|| not_executable(program))
}

fn not_executable(program: &str) -> Fault {
    Fault::new(Code::NotExecutable, format!("`{program}` may not be executed"))
        .with_help("make it executable (chmod +x), or name its interpreter first")
}

/// Why the system refused to start a program.
pub(super) fn refused(program: &str, cwd: &Path, error: &io::Error) -> Fault {
    let seen = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        .then(|| not_runnable(program, cwd))
        .flatten();
    if let Some(fault) = seen {
        return fault;
    }
    match error.kind() {
        ErrorKind::NotFound => {
            Fault::new(Code::NotExecutable, format!("`{program}` is there, but what its first line names (#!) is not"))
                .with_help("correct the first line of the script, or name its interpreter as the command")
        }
        ErrorKind::PermissionDenied => not_executable(program),
        _ if error.raw_os_error() == Some(system::NOT_A_PROGRAM) => {
            Fault::new(Code::NotExecutable, format!("`{program}` is not a program that this system can run")).with_help(
                "a script needs a first line such as #!/usr/bin/env python3, or its interpreter as the command",
            )
        }
        _ => Fault::new(Code::SpawnFailed, format!("`{program}` could not be started: {error}")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_cannot_run_is_told_with_what_was_tried() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path();
        let file = |name: &str, mode: u32| {
            std::fs::write(cwd.join(name), "#!/nowhere/interpreter\n").unwrap();
            std::fs::set_permissions(cwd.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        file("plain", 0o644);
        file("script", 0o755);
        let told = |program: &str| {
            let launch = Launch {
                command: vec![program.to_owned()],
                cwd: cwd.to_owned(),
                token: "t:0".to_owned(),
                keep: Vec::new(),
                env: Vec::new(),
            };
            let fault = spawn(&launch).unwrap_err();
            assert_eq!(fault.code, Code::NotExecutable, "{program}");
            let text = format!("{}; {}", fault.message, fault.help.unwrap_or_default());
            text.replace(&std::env::var("PATH").unwrap(), "$PATH").replace(&cwd.display().to_string(), "$CWD")
        };
        for (program, wanted) in [
            ("twin-of-nobody", "`twin-of-nobody` was not found in any folder of PATH; "),
            ("twin-of-nobody", "PATH is $PATH"),
            ("./none", "there is no file `./none` ($CWD/./none)"),
            ("/none/at/all", "there is no file `/none/at/all`; "),
            ("./plain", "`./plain` may not be executed"),
            ("./script", "what its first line names (#!) is not"),
            ("/tmp", "`/tmp` is a folder"),
        ] {
            assert!(told(program).contains(wanted), "{program}: {}", told(program));
        }
        assert_eq!(not_runnable("sh", cwd), None);
        assert_eq!(not_runnable("./script", cwd), None, "only running it shows that");
    }
}
