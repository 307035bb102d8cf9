//! `mcp-twin run`: standard output carries MCP and nothing else.

use crate::args::RunArgs;
use crate::configured::{Configured, Given};
use crate::failure::Failure;
use crate::named::Named;
use crate::render::style::{DIM, GOOD, paint};
use crate::screen::Screen;
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_runtime::bridge::{BridgeOrder, Target};
use mcp_twin_runtime::process::not_runnable;
use mcp_twin_runtime::record::RecordOrder;
use mcp_twin_runtime::run::Variables;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;

/// Becomes the front, or with `MCP_TWIN_DISABLE=1` the server itself. Returns the exit status.
pub(crate) fn run(args: RunArgs, options: Options) -> Result<u8, Failure> {
    if let Some(url) = &args.url {
        return bridge(url, &args, options);
    }
    let off = disabled(std::env::var_os("MCP_TWIN_DISABLE").as_deref());
    if off && !args.command.is_empty() {
        return become_server(&args.command, Path::new("."), &Variables::default());
    }
    let here = std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
            .advise("try", "run it from a folder that exists")
    })?;
    let command = args.command.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let home = crate::home()?;
    let configured = Configured::seen_from(&here, &home)?;
    let mut line = format!("-- {}", shell_words::join(&command));
    if command.is_empty()
        && let Some(name) = &args.server
    {
        line = shell_words::quote(name).into_owned();
    }
    let mut named = Named::meant(args.server, command, &configured, &home, here)?;
    if let Some(name) = args.name {
        named.name = name;
    }
    let given = Given { watch: args.watch, ignore: args.ignore, ..Given::of(named, options, args.chosen) };
    let from_a_file = given.command.is_empty();
    let (mut order, wanted) = configured.order(&home, given);
    if from_a_file && wanted.transport == Some(Transport::Http) {
        let name = order.name.unwrap_or_default();
        let failure = Failure::usage(format!("`{name}` speaks HTTP, as its configuration says"));
        return Err(failure.did_you_mean(format!("mcp-twin start {}", shell_words::quote(&name))));
    }
    if off {
        let words: Vec<OsString> = order.command.into_iter().map(OsString::from).collect();
        return become_server(&words, &order.cwd, &order.env);
    }
    let (command, cwd) = (&order.command, &order.cwd);
    not_a_folder(command, cwd)?;
    if std::io::stdin().is_terminal() {
        // A client gets this as the answer to its opening; a person would wait for nothing.
        if let Some(fault) = command.first().and_then(|program| not_runnable(program, cwd)) {
            let failure = Failure::broken(fault.message);
            return Err(fault.help.into_iter().fold(failure, |failure, help| failure.advise("try", help)));
        }
        Screen::error(&greeting(&line));
    }
    order.record = args.record.map(|file| RecordOrder { file, redact: args.redact });
    mcp_twin_runtime::run::run(order)
        .map_err(|error| Failure::configuration("cli::run::cannot_begin", format!("the front cannot begin: {error}")))
}

/// Becomes the bridge to a server over HTTP. Returns the exit status.
fn bridge(url: &str, args: &RunArgs, options: Options) -> Result<u8, Failure> {
    let target = bridge_target(url, &args.header, &args.chosen)?;
    if std::io::stdin().is_terminal() {
        Screen::error(&greeting(&format!("--url {}", shell_words::quote(url))));
    }
    mcp_twin_runtime::bridge::run(BridgeOrder { target, options })
        .map_err(|error| Failure::configuration("cli::run::cannot_begin", format!("the bridge cannot begin: {error}")))
}

/// Where a bridge is to lead, if everything that was said of it makes sense.
fn bridge_target(url: &str, headers: &[String], chosen: &[&str]) -> Result<Target, Failure> {
    if let Some(key) = chosen.iter().find(|key| !matches!(**key, "hold" | "max_message")) {
        let flag = key.replace('_', "-");
        return Err(Failure::usage(format!("--{flag} means nothing with --url: there are no twins behind it"))
            .advise("note", format!("give it to `mcp-twin serve`, if one is behind {url}")));
    }
    Target::new(url, headers).map_err(|error| Failure::usage(error.to_string()).advise("try", error.help()))
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
fn greeting(line: &str) -> String {
    format!(
        "{} this speaks MCP on stdin and stdout: it is meant to be started by an MCP client, such as\n  {}\n\
         It waits for a client now; Ctrl-C ends it. To see what it does: {}\n",
        paint(DIM, "mcp-twin run:"),
        paint(GOOD, &format!("claude mcp add NAME -- \"$(command -v mcp-twin)\" run {line}")),
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

fn become_server(words: &[OsString], cwd: &Path, env: &Variables) -> Result<u8, Failure> {
    let program = words.first().ok_or_else(|| Failure::usage("the server's command is missing"))?;
    let code = mcp_twin_runtime::process::become_command(words, cwd, env).map_err(|error| {
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
    fn what_no_bridge_can_do_is_said() {
        let shown = |url: &str, headers: &[&str], chosen: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
            let failure = bridge_target(url, &headers, chosen).expect_err(url);
            assert_eq!(failure.exit_status(), 2, "{url}");
            anstream::adapter::strip_str(&failure.text()).to_string()
        };
        insta::assert_snapshot!("bridge_https", shown("https://example.com/mcp", &[], &[]));
        insta::assert_snapshot!("bridge_no_url", shown("localhost:8000/mcp", &[], &[]));
        insta::assert_snapshot!("bridge_header", shown("http://h/mcp", &["Host: a"], &[]));
        insta::assert_snapshot!("bridge_option", shown("http://h/mcp", &[], &["hold", "bake"]));
        assert!(bridge_target("http://h/mcp", &["A: b".to_owned()], &["hold", "max_message"]).is_ok());
    }

    #[test]
    fn a_person_is_told_what_it_is_for() {
        let text = greeting("-- python 'my server.py'");
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
        let failure = become_server(&[OsString::from("/nowhere/server")], Path::new("."), &Variables::default())
            .expect_err("there is no such file");
        assert_eq!(failure.exit_status(), 4);
    }
}
