//! The `mcp-twin` command as a library, so that packages of other languages ship the very same one.
//!
//! It owns the words: arguments, texts, colours, JSON documents and exit statuses. It decides nothing about twins: every
//! command but `run`, `demo`, `verify` and `replay` asks the running fronts over their local sockets and shows what they answered.

mod act;
mod args;
mod call;
mod complete;
mod config;
mod configured;
mod demo;
mod detect;
mod doctor;
mod document;
mod exit;
mod failure;
mod history;
mod hook;
mod init;
mod logs;
mod named;
mod notify;
mod render;
mod replay;
mod run;
mod screen;
mod serve;
mod status;
mod target;
mod terminal;
mod top;
mod unwire;
mod verify;
mod watch;
mod wire;

pub use exit::Exit;

use args::Verb;
use failure::Failure;
use mcp_twin_runtime::home::Home;
use screen::Screen;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command line (the first argument is the program's own name) and returns its exit status: see [`Exit`].
///
/// Standard output carries the result; with `run` it carries MCP and nothing else. A panic is reported as a bug and
/// becomes exit status 70.
pub fn main_with_args<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString>,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        told(info);
        Screen::error(&failure::bug_report());
    }));
    if complete::answer(&args) {
        return Exit::Fine.into();
    }
    match std::panic::catch_unwind(|| dispatch(&args)) {
        Ok(status) => ExitCode::from(status),
        Err(_) => Exit::Bug.into(),
    }
}

fn dispatch(args: &[OsString]) -> u8 {
    let (cli, options) = match args::parse(args) {
        Ok(parsed) => parsed,
        Err(args::Unparsed::Shown(text)) => {
            Screen::print(&text);
            return Exit::Fine.status();
        }
        Err(args::Unparsed::Wrong { failure, json }) => return failure.show(json).status(),
    };
    let json = cli.json;
    let done = match cli.verb {
        // Its standard output belongs to the client, whatever happens.
        Verb::Run(order) => return run::run(order, options).unwrap_or_else(|failure| failure.show(false).status()),
        Verb::Hook { event } => return hooked(&event),
        Verb::Serve(order) => home().and_then(|home| serve::serve(&home, order, options)),
        Verb::Start(order) => home().and_then(|home| serve::start(&home, order, &options, args, json)),
        Verb::Completions { shell } => Ok(completions(shell, json)),
        Verb::Demo { keep } => demo::demo(args.first(), keep, json),
        Verb::Init(order) => home().and_then(|home| init::init(&home, order, json)),
        Verb::Wire(order) => home().and_then(|home| wire::wire(&home, &order, json)),
        Verb::Unwire(order) => home().and_then(|home| unwire::unwire(&home, &order, json)),
        Verb::Status(wanted) => used_home().and_then(|home| {
            let server = wanted.server.as_deref();
            match wanted.watch {
                true => watch::watch(&home, server, wanted.interval, json),
                false => status::status(&home, server, json),
            }
        }),
        Verb::Top(wanted) => used_home().and_then(|home| top::top(&home, wanted.interval, json)),
        Verb::Logs(wanted) => used_home().and_then(|home| logs::logs(&home, &wanted, json)),
        Verb::History(wanted) => used_home().and_then(|home| history::history(&home, &wanted, json)),
        Verb::Call(order) => used_home().and_then(|home| call::call(&home, &order, json)),
        Verb::Reload { server } => used_home().and_then(|home| act::reload(&home, server.as_deref(), json)),
        Verb::Swap { server, force } => used_home().and_then(|home| act::swap(&home, server.as_deref(), force, json)),
        Verb::Rollback { server, to } => used_home().and_then(|home| act::rollback(&home, server.as_deref(), to, json)),
        Verb::Stop { server, all } => used_home().and_then(|home| act::stop(&home, server.as_deref(), all, json)),
        Verb::Config(wanted) => config::config(wanted, json),
        Verb::Notify(wanted) => home().and_then(|home| notify::notify(&home, &wanted, json)),
        Verb::Detect(wanted) => detect::detect(&wanted, json),
        Verb::Doctor(wanted) => doctor::doctor(&wanted, json),
        Verb::Replay(order) => replay::replay(order, json),
        Verb::Verify(order) => verify::verify(order, json),
    };
    done.unwrap_or_else(|failure| failure.show(json)).status()
}

/// A hook fails no session, not even by a bug of ours: what a panic has to say stands on standard error.
fn hooked(event: &str) -> u8 {
    let home = used_home().ok();
    std::panic::catch_unwind(|| hook::hook(home.as_ref(), event)).unwrap_or(Exit::Fine).status()
}

/// The state directory, for commands that only look for fronts: what is no folder cannot hold any.
fn used_home() -> Result<Home, Failure> {
    let home = home()?;
    match std::fs::read_dir(home.path()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::configuration("cli::home", format!("{} cannot be read: {error}", home.path().display()))
                .advise("try", "make it a folder of yours (mode 0700), or set MCP_TWIN_HOME to another one"))
        }
        _ => Ok(home),
    }
}

/// The state directory of this process.
fn home() -> Result<Home, Failure> {
    Home::from_env(|name| std::env::var_os(name))
        .map_err(|error| Failure::configuration("cli::home", error.to_string()))
}

fn completions(shell: clap_complete::Shell, json: bool) -> Exit {
    let script = complete::script(shell);
    let script = String::from_utf8_lossy(&script);
    if json {
        Screen::json(&document::Completions { command: "completions", exit: 0, shell: shell.to_string(), script });
    } else {
        Screen::print(&script);
    }
    Exit::Fine
}
