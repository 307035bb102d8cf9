//! What can be said of new code without running it. Under `handoff` the old twin must go before the new one starts, so a
//! typing mistake is better found while it still serves.

use crate::process::Own;
use mcp_twin_core::detect::launch::Launch;
use mcp_twin_core::{Code, Fault};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// A check that takes longer says nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// Parses a file as Python does before it runs it; writes no `__pycache__`.
const PARSE: &str = "import sys; compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')";

/// A look at the script by its own interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    interpreter: String,
    arguments: Vec<String>,
    script: PathBuf,
    cwd: PathBuf,
}

impl Check {
    /// The check for this launch, if its language has one.
    #[must_use]
    pub fn of(launch: &Launch, cwd: &Path) -> Option<Self> {
        let script = launch.script.clone()?;
        let interpreter = launch.argv.first()?.clone();
        let program = Path::new(&interpreter).file_stem()?.to_str()?;
        let ends =
            |wanted: &[&str]| script.extension().and_then(|end| end.to_str()).is_some_and(|end| wanted.contains(&end));
        let arguments: &[&str] = if program.starts_with("python") && ends(&["py"]) {
            &["-c", PARSE]
        } else if program == "node" && ends(&["js", "mjs", "cjs"]) {
            &["--check"]
        } else {
            return None;
        };
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Some(Self { interpreter, arguments, script, cwd: cwd.to_owned() })
    }

    /// Looks at the script as it is now.
    ///
    /// # Errors
    /// It cannot be parsed; the interpreter's own words are in `stderr_tail`. An interpreter that cannot be asked says
    /// nothing.
    pub async fn run(&self) -> Result<(), Fault> {
        let child = Command::new(&self.interpreter)
            .args(&self.arguments)
            .arg(&self.script)
            .current_dir(&self.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let Ok(child) = child else { return Ok(()) };
        let _own = child.id().map(Own::new);
        let Ok(Ok(output)) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else { return Ok(()) };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let message = format!("{} cannot be parsed, so the server was not stopped for it", self.script.display());
        Err(Fault::new(Code::BuildFailed, message).with_stderr(said))
    }
}
