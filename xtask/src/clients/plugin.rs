//! The plugin for Claude Code, as that client itself takes it: validated, installed from the market of this repository, its
//! command run, and its hooks seen at an edit.

use super::client::Client;
use super::round::{PATIENCE, told};
use super::says::Says;
use super::stage::{OWN_TOOL, Stage};
use crate::bounded::{self, Said};
use crate::exec::{Result, fail, mcp_twin, root};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Which of the clients has plugins of this kind.
pub(super) const CLIENT: &str = "claude";

/// The server's name in the configuration.
const NAME: &str = "clock";

/// Keeps the client's standard input open until the hook at a changed file has answered, and changes the server's file every
/// few seconds: when the client has begun to watch it does not say.
const EDITING: &str = r##"
(
    echo
    turn=0
    until grep -q '^answer hook FileChanged {' "$LOG" || [ $turn -gt 80 ]; do
        if grep -q '^answer hook SessionStart {' "$LOG" && [ $((turn % 8)) = 4 ]; then
            echo "# an edit, $turn" >>"$SERVER"
        fi
        turn=$((turn + 1))
        sleep 0.5
    done
) | "$@"
"##;

/// Tries all of it in a home of its own; gives back how long that took.
pub(super) fn check(client: &Client, keep: bool) -> Result<Duration> {
    let begin = Instant::now();
    let mut stage = Stage::new(client)?;
    let done = Plugin { client, stage: &stage }.check();
    if keep {
        eprintln!("clients: the plugin's home is kept in {}", stage.keep().display());
    }
    done.map(|()| begin.elapsed())
}

struct Plugin<'a> {
    client: &'a Client,
    stage: &'a Stage,
}

impl Plugin<'_> {
    fn check(&self) -> Result {
        self.record()?;
        let (folder, market) = (root().join("mcp-twin-node"), root());
        let (folder, market) = (folder.to_string_lossy(), market.to_string_lossy());
        for what in [&folder, &market] {
            self.well(&["plugin", "validate", what, "--strict"])?;
        }
        let (front, server) = (mcp_twin(), self.stage.server());
        let (front, server) = (front.to_string_lossy(), server.to_string_lossy());
        self.well(&["mcp", "add", NAME, "--", &front, "run", "--name", NAME, "--", "python3", &server])?;

        let said = self.well(&["--plugin-dir", &folder, "mcp", "list"])?;
        if Says::ClaudeList.read(&said.stdout, NAME).is_none() {
            return fail(format!("with the plugin the server is not connected:\n{}", told(&said)));
        }
        self.well(&["plugin", "marketplace", "add", &market])?;
        self.well(&["plugin", "install", "mcp-twin@mcp-twin"])?;
        let said = self.well(&["plugin", "details", "mcp-twin"])?;
        if !["twin", "SessionStart", "PostToolUse", "FileChanged"].iter().all(|part| said.stdout.contains(part)) {
            return fail(format!("the installed plugin has not all its parts:\n{}", told(&said)));
        }
        self.command_runs()?;
        self.hooks_fire()
    }

    /// The command and the server's tools are there, and the command has run `mcp-twin status`.
    fn command_runs(&self) -> Result {
        let arguments = ["-p", "/mcp-twin:twin status", "--output-format", "stream-json", "--verbose"];
        // Without an account it ends with 1, but the command is run before the model is asked.
        let said = self.run(&arguments)?;
        let lines = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let Some(init) = lines.into_iter().find(|line| line["subtype"] == "init") else {
            return fail(format!("it does not say what it has:\n{}", told(&said)));
        };
        let tool = format!("mcp__{NAME}__{OWN_TOOL}");
        for (list, wanted) in
            [("slash_commands", "mcp-twin:twin"), ("skills", "mcp-twin:mcp-twin"), ("tools", tool.as_str())]
        {
            if !init[list].as_array().is_some_and(|names| names.iter().any(|name| name == wanted)) {
                return fail(format!("`{wanted}` is not among its {list}: {}", init[list]));
            }
        }
        self.recorded("answer status MCP Twin Status", &said)
    }

    /// A session hears of the server at its begin, and an edit is told to be live.
    fn hooks_fire(&self) -> Result {
        let _ = fs::remove_file(self.log());
        fs::write(self.log(), "")?;
        let streams = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
        let inner = self.command(&streams)?;
        let mut words: Vec<PathBuf> = vec!["sh".into(), "-c".into(), EDITING.into(), "sh".into()];
        words.push(inner.get_program().into());
        words.extend(inner.get_args().map(PathBuf::from));
        let mut command = self.stage.command(&words, self.client)?;
        command.env("MCP_TWIN_BIN", self.recorder()).env("LOG", self.log()).env("SERVER", self.stage.server());
        let said = bounded::run(command, PATIENCE)?;
        self.stage.settle()?;
        let watched = format!("\"watchPaths\":[\"{}", self.stage.server().parent().unwrap_or(&root()).display());
        for part in [&format!("`{NAME}`"), &watched, &format!("is live in `{NAME}`")] {
            self.recorded(part, &said)?;
        }
        Ok(())
    }

    /// Whether this stands in what the plugin's mcp-twin answered.
    fn recorded(&self, wanted: &str, said: &Said) -> Result {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        if log.contains(wanted) {
            return Ok(());
        }
        fail(format!("the plugin's mcp-twin has not answered {wanted:?}, but:\n{log}\n{}", told(said)))
    }

    /// Puts a program in the place of mcp-twin that writes down what that answers.
    fn record(&self) -> Result {
        let script = format!(
            "#!/bin/sh\ninput=; [ \"$1\" = hook ] && input=$(cat)\n\
             answer=$(printf '%s' \"$input\" | '{}' \"$@\"); status=$?\n\
             printf 'answer %s %s\\n' \"$*\" \"$answer\" >>'{}'\nprintf '%s\\n' \"$answer\"\nexit $status\n",
            mcp_twin().display(),
            self.log().display()
        );
        fs::write(self.recorder(), script)?;
        #[cfg(unix)]
        fs::set_permissions(self.recorder(), std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(())
    }

    fn recorder(&self) -> PathBuf {
        self.stage.beside("recorder")
    }

    fn log(&self) -> PathBuf {
        self.stage.beside("answers")
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut words = self.client.program()?;
        words.extend(arguments.iter().map(PathBuf::from));
        let mut command = self.stage.command(&words, self.client)?;
        command.env("MCP_TWIN_BIN", self.recorder());
        Ok(command)
    }

    fn run(&self, arguments: &[&str]) -> Result<Said> {
        let said = bounded::run(self.command(arguments)?, PATIENCE)?;
        self.stage.settle()?;
        Ok(said)
    }

    /// Runs the client with these arguments, which it has to do well.
    fn well(&self, arguments: &[&str]) -> Result<Said> {
        let said = self.run(arguments)?;
        if said.status.success() {
            return Ok(said);
        }
        fail(format!("`claude {}` ended with {}:\n{}", arguments.join(" "), said.status, told(&said)))
    }
}
