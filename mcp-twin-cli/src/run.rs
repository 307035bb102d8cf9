//! `mcp-twin run`: standard output carries MCP and nothing else.

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::render::style::{DIM, GOOD, paint};
use crate::screen::Screen;
use mcp_twin_core::spec::Options;
use mcp_twin_runtime::process::not_runnable;
use mcp_twin_runtime::run::RunOrder;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;

/// Becomes the front, or with `MCP_TWIN_DISABLE=1` the server itself. Returns the exit status.
pub(crate) fn run(args: RunArgs, options: Options) -> Result<u8, Failure> {
    if disabled(std::env::var_os("MCP_TWIN_DISABLE").as_deref()) {
        return become_server(&args.command);
    }
    let cwd = std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
            .advise("try", "run it from a folder that exists")
    })?;
    let command = args.command.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    not_a_folder(&command, &cwd)?;
    if std::io::stdin().is_terminal() {
        // A client gets this as the answer to its opening; a person would wait for nothing.
        if let Some(fault) = command.first().and_then(|program| not_runnable(program, &cwd)) {
            let failure = Failure::broken(fault.message);
            return Err(fault.help.into_iter().fold(failure, |failure, help| failure.advise("try", help)));
        }
        Screen::error(&greeting(&command));
    }
    let home = crate::home()?;
    let order = RunOrder {
        home,
        name: args.name,
        command,
        watch: args.watch,
        ignore: args.ignore,
        options,
        chosen: args.chosen,
        cwd,
    };
    mcp_twin_runtime::run::run(order)
        .map_err(|error| Failure::configuration("cli::run::cannot_begin", format!("the front cannot begin: {error}")))
}

/// A folder is no command, though `run -- .` may well be meant.
pub(crate) fn not_a_folder(command: &[String], cwd: &Path) -> Result<(), Failure> {
    let Some(program) = command.first() else { return Ok(()) };
    let named = program.contains(std::path::is_separator) || matches!(program.as_str(), "." | "..");
    if !cwd.join(program).is_dir() || !named && not_runnable(program, cwd).is_none() {
        return Ok(());
    }
    Err(Failure::usage(format!("`{program}` is a folder, not a command"))
        .did_you_mean("mcp-twin run -- python server.py")
        .advise("note", "the server runs in the working directory; `--watch PATH` names what counts as its code"))
}

/// What a person sees who typed the command that is meant for a client's configuration.
fn greeting(command: &[String]) -> String {
    let line = shell_words::join(command);
    format!(
        "{} this speaks MCP on stdin and stdout: it is meant to be started by an MCP client, such as\n  {}\n\
         It waits for a client now; Ctrl-C ends it. To see what it does: {}\n",
        paint(DIM, "mcp-twin run:"),
        paint(GOOD, &format!("claude mcp add NAME -- \"$(command -v mcp-twin)\" run -- {line}")),
        paint(GOOD, "mcp-twin demo"),
    )
}

pub(crate) fn text(word: OsString) -> Result<String, Failure> {
    word.into_string().map_err(|word| Failure::usage(format!("`{}` is not Unicode text", word.to_string_lossy())))
}

/// Whether the value of `MCP_TWIN_DISABLE` says yes.
fn disabled(value: Option<&std::ffi::OsStr>) -> bool {
    let value = value.map(|value| value.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    !matches!(value.as_str(), "" | "0" | "false" | "no" | "off")
}

fn become_server(words: &[OsString]) -> Result<u8, Failure> {
    let program = words.first().ok_or_else(|| Failure::usage("the server's command is missing"))?;
    let code = mcp_twin_runtime::process::become_command(words).map_err(|error| {
        Failure::broken(format!("cannot run `{}`: {error}", program.to_string_lossy()))
            .advise("note", "MCP_TWIN_DISABLE is set: mcp-twin only started the server")
    })?;
    // Where a process cannot become another one: the server has ended, and this ends as it did.
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn the_switch_off_is_read_as_people_write_it() {
        for yes in ["1", "true", "yes", "on"] {
            assert!(disabled(Some(OsStr::new(yes))), "{yes}");
        }
        for no in ["", "0", "false", "No", "off"] {
            assert!(!disabled(Some(OsStr::new(no))), "{no}");
        }
        assert!(!disabled(None));
    }

    #[test]
    fn a_person_is_told_what_it_is_for() {
        let text = greeting(&["python".to_owned(), "my server.py".to_owned()]);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn a_folder_is_a_usage_error_that_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("twin-src-of-nobody")).expect("a folder below it");
        let tried = |program: &str| not_a_folder(&[program.to_owned()], folder.path());
        for program in [".", "..", "./", "twin-src-of-nobody", "./twin-src-of-nobody", "/tmp"] {
            let failure = tried(program).expect_err(program);
            assert_eq!(failure.exit_status(), 2, "{program}");
        }
        let shown = tried(".").expect_err("a folder").text();
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string());
        // A command on PATH is meant before a folder of its name here.
        std::fs::create_dir(folder.path().join("sh")).expect("a folder below it");
        for program in ["sh", "nowhere-to-be-found", "./nothing"] {
            assert_eq!(tried(program), Ok(()), "{program}");
        }
    }

    #[test]
    fn a_server_that_cannot_be_run_is_exit_status_4() {
        let failure = become_server(&[OsString::from("/nowhere/server")]).expect_err("there is no such file");
        assert_eq!(failure.exit_status(), 4);
    }
}
