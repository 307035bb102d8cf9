//! `mcp-twin serve` and `mcp-twin start`.

use crate::args::ServeArgs;
use crate::configured::{Configured, Given};
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::named::{self, Named, Offer, Purpose};
use crate::render::named as render;
use crate::render::style::{DIM, GOOD, NAME, paint};
use crate::render::{fault, served};
use crate::screen::{Screen, Waiting};
use mcp_twin_core::control::{Answer, Ask, FrontStatus};
use mcp_twin_core::spec::{Options, Transport, slug};
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::run::Variables;
use mcp_twin_runtime::serve::{ServeError, ServeOrder, detached_output, detached_said, serve as serve_front};
use mcp_twin_runtime::servers;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So many sessions there may be, over HTTP and where each has a process of its own.
const SESSIONS: (u32, u32) = (1024, 32);
/// So long one may lie idle before it makes room.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a front gets beyond the start of its twins before `start` stops waiting for it.
const SLACK: Duration = Duration::from_secs(15);
/// How often `start` looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long `start` waits for the second twin once the first serves.
const STANDBY: Duration = Duration::from_secs(3);

/// `mcp-twin serve`: returns when the front has ended.
pub(crate) fn serve(home: &Home, args: ServeArgs, options: Options) -> Result<Exit, Failure> {
    if args.detached {
        mcp_twin_runtime::process::leave_terminal();
    }
    let detached = args.detached;
    let order = order(home, args, options)?;
    let name = order.run.name.clone().unwrap_or_default();
    let status = serve_front(order, |url| {
        if detached {
            // From here on `status` and `logs` tell.
            return mcp_twin_runtime::process::fall_silent();
        }
        let name = if name.is_empty() { "the server" } else { &name };
        Screen::error(&format!("{} {name} listens on {url}\n", paint(DIM, "mcp-twin:")));
    });
    match status {
        Ok(0) => Ok(Exit::Fine),
        Ok(_) => Ok(Exit::Broken),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &ServeError) -> Failure {
    let failure = match error {
        ServeError::Running { .. } => Failure::refused("cli::serve::running", error.to_string()),
        _ => Failure::configuration("cli::serve", error.to_string()),
    };
    error.help().into_iter().fold(failure, |failure, help| failure.advise("try", help))
}

fn order(home: &Home, args: ServeArgs, options: Options) -> Result<ServeOrder, Failure> {
    let name = args.named().map(str::to_owned);
    let here = here()?;
    let configured = Configured::seen_from(&here, home)?;
    let keys = given_keys(&args);
    let named = if !args.command.is_empty() {
        let command = args.command.into_iter().map(crate::run::text).collect::<Result<Vec<_>, _>>()?;
        let stdio = is_known_as_stdio(home, &command, &here);
        Named { name: name.unwrap_or_default(), command, recorded: None, cwd: here, env: Variables::default(), stdio }
    } else if let Some(name) = name.clone().filter(|name| configured.starts(name)) {
        Named::in_a_file(name, here)
    } else {
        remembered(home, name.as_deref(), &here)?
    };
    let mut stdio = named.stdio;
    let given = Given { watch: args.watch, ignore: args.ignore, keys, ..Given::of(named, options, args.chosen) };
    let from_a_file = given.command.is_empty();
    let (run, wanted) = configured.order(home, given);
    if from_a_file {
        stdio = is_known_as_stdio(home, &run.command, &run.cwd);
    }
    let asks = run.command.iter().any(|word| word.contains("{port}"));
    let stdio = args.stdio || wanted.transport.map_or(stdio && !asks, |transport| transport == Transport::Stdio);
    crate::run::not_a_folder(&run.command, &run.cwd)?;
    let listen = args.listen.or(wanted.listen).as_deref().map(address).transpose()?;
    let path = args.path.or(wanted.path).unwrap_or_else(|| "/mcp".to_owned());
    if !path.starts_with('/') || path.contains(['?', '#', '{', '}', ' ']) {
        return Err(Failure::usage(format!("`{path}` is no path: it begins with `/`, such as /mcp")));
    }
    let most = args.max_sessions.or(wanted.max_sessions).unwrap_or(if stdio { SESSIONS.1 } else { SESSIONS.0 });
    Ok(ServeOrder {
        run,
        listen,
        stdio,
        path,
        token_file: args.token_file.or(wanted.token_file),
        max_sessions: usize::try_from(most).unwrap_or(usize::MAX),
        session_idle: args.session_idle.or(wanted.session_idle).unwrap_or(SESSION_IDLE),
    })
}

/// The keys beside the options that a command line gives.
fn given_keys(args: &ServeArgs) -> Vec<&'static str> {
    let given = [
        ("listen", args.listen.is_some()),
        ("path", args.path.is_some()),
        ("token_file", args.token_file.is_some()),
        ("max_sessions", args.max_sessions.is_some()),
        ("session_idle", args.session_idle.is_some()),
        ("transport", args.stdio),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
}

/// Whether this very command is known as a server over stdio: from `run`, or from an earlier `serve`.
fn is_known_as_stdio(home: &Home, command: &[String], cwd: &std::path::Path) -> bool {
    let known = servers::load(home).unwrap_or_default().into_iter();
    let mut same =
        known.filter(|entry| entry.cwd == cwd && std::iter::once(&entry.command).chain(&entry.args).eq(command.iter()));
    same.next().is_some_and(|entry| entry.stdio || entry.transport == Transport::Stdio)
}

/// The command of a server that is only named.
fn remembered(home: &Home, name: Option<&str>, here: &Path) -> Result<Named, Failure> {
    match name {
        Some(name) => named::find(home, name, here, Purpose::Serve),
        None => Err(nothing_named(&named::offers(home, here))),
    }
}

fn nothing_named(offers: &[Offer]) -> Failure {
    let failure = Failure::usage("which server? Name one, or give its command behind `--`");
    let failure = failure.advise("such as", "mcp-twin serve --name api -- python server.py --port {port}");
    if offers.is_empty() {
        return failure;
    }
    let lines = offers.iter().map(|offer| format!("mcp-twin start {}", shell_words::quote(&offer.name)));
    failure.advise("known", std::iter::once(String::new()).chain(lines).collect::<Vec<_>>().join("\n"))
}

/// Asks a person which server is meant. Without a terminal nobody is asked.
fn asked(home: &Home, json: bool) -> Result<String, Failure> {
    let here = here()?;
    let offers = named::offers(home, &here);
    if json || offers.is_empty() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(nothing_named(&offers));
    }
    let lines = render::offers(&offers);
    let chosen = dialoguer::Select::new().with_prompt("Which server").items(&lines).default(0).interact_opt();
    let none = || Failure::usage("no server was chosen");
    let at = chosen.map_err(|error| none().advise("the terminal says", error.to_string()))?.ok_or_else(none)?;
    offers.get(at).map(|offer| offer.name.clone()).ok_or_else(none)
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
    })
}

/// `ADDRESS:PORT`, or a port of this machine.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let text = text.replacen("localhost", "127.0.0.1", 1);
    text.parse().map_err(|_| {
        Failure::usage(format!("`{text}` is no address to listen on")).did_you_mean("--listen 127.0.0.1:8000")
    })
}

/// `mcp-twin start`: a front of its own, told of once it serves.
pub(crate) fn start(
    home: &Home,
    mut args: ServeArgs,
    options: &Options,
    words: &[OsString],
    json: bool,
) -> Result<Exit, Failure> {
    let mut words = words.to_vec();
    if args.command.is_empty() && args.named().is_none() {
        let chosen = asked(home, json)?;
        words.push(OsString::from(&chosen));
        args.server = Some(chosen);
    }
    // What is wrong with the command line is said here, not by a process that nobody sees.
    let name = args.named().map(str::to_owned);
    let command = args.command.clone();
    let order = order(home, args, options.clone())?;
    let patience = order.run.options.start_timeout + SLACK;
    let known = order
        .run
        .name
        .clone()
        .or(name)
        .unwrap_or_else(|| command.first().map_or_else(String::new, |word| word.to_string_lossy().into_owned()));
    home.ensure().map_err(|error| Failure::configuration("cli::home", error.to_string()))?;
    let output = detached_output(home, &known);
    // Its own look at the configuration has to find what this one found.
    let mut child = spawn(&words, &output, &here()?)?;
    let waiting = Waiting::begin(format!("start of {known}"));
    let begun = Instant::now();
    let (front, status) = loop {
        if let Ok(Some(ended)) = child.try_wait() {
            drop(waiting);
            let said = detached_said(&output);
            let _ = std::fs::remove_file(&output);
            return not_started(home, &known, ended.code(), &said, json);
        }
        if let Some((front, status)) = status_of(home, child.id())
            && settled(&status, begun.elapsed() > STANDBY)
        {
            break (front, status);
        }
        if begun.elapsed() > patience {
            drop(waiting);
            let _ = std::fs::remove_file(&output);
            return Err(Failure::broken(format!("`{known}` is not ready after {} s", begun.elapsed().as_secs()))
                .advise("see", format!("mcp-twin status {known}"))
                .advise("end it", format!("mcp-twin stop {known}")));
        }
        std::thread::sleep(LOOK);
    };
    drop(waiting);
    // It said nothing of use, and goes on without it.
    let _ = std::fs::remove_file(&output);
    let broken = status.swap.state != "serving";
    let exit = if broken { Exit::Broken } else { Exit::Fine };
    if json {
        Screen::json(&document::Started {
            command: "start",
            exit: exit.status(),
            front: document::Front::from(&*status),
        });
    } else if let (true, Some(why)) = (broken, &status.swap.degraded) {
        let head = format!("{}: the front runs, its server does not", paint(NAME, &front.server));
        let told: String =
            status.warnings.iter().map(|warning| format!("  {} {warning}\n", paint(DIM, "warning:"))).collect();
        Screen::print(&(fault::heading(&head) + &fault::fault_unwatched(why, &front.server) + &told));
    } else {
        Screen::print(&served::started(&status));
    }
    Ok(exit)
}

/// Whether there is something to tell: both twins are there (or one, and enough time has passed), or it does not work.
fn settled(status: &FrontStatus, late: bool) -> bool {
    match status.swap.state.as_str() {
        "serving" => late || status.stdio_twins || status.swap.warm.is_some(),
        "down" => true,
        _ => status.swap.degraded.is_some(),
    }
}

fn status_of(home: &Home, pid: u32) -> Option<(FrontAddress, Box<FrontStatus>)> {
    let front = fronts::running(home).into_iter().find(|front| front.pid == pid)?;
    match fronts::ask(&front, &Ask::Status, LOOK * 40) {
        Ok(Answer::Status(status)) => Some((front, status)),
        _ => None,
    }
}

/// The same command line with `serve` in place of `start`, in a session of its own, away from this terminal.
fn spawn(words: &[OsString], output: &std::path::Path, cwd: &std::path::Path) -> Result<Child, Failure> {
    let wrong = |what: &str, error: std::io::Error| {
        Failure::configuration("cli::start", format!("cannot start by itself: {what}: {error}"))
    };
    let program = std::env::current_exe().map_err(|error| wrong("its own program", error))?;
    let file = std::fs::File::create(output).map_err(|error| wrong(&output.display().to_string(), error))?;
    let errors = file.try_clone().map_err(|error| wrong("its output", error))?;
    let at = words.iter().position(|word| word == "start").unwrap_or(1);
    let mut command = Command::new(program);
    command
        .args(["serve", "--detached"])
        .args(
            words
                .iter()
                .enumerate()
                .skip(1)
                .filter(|(index, word)| *index != at && !(*index < at && *word == "--json"))
                .map(|(_, word)| word),
        )
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors);
    command.spawn().map_err(|error| wrong("mcp-twin serve", error))
}

/// The front ended before it served: it is there already, or it has said why.
fn not_started(home: &Home, name: &str, code: Option<i32>, said: &str, json: bool) -> Result<Exit, Failure> {
    let wanted = slug(name);
    let running = fronts::running(home).into_iter().find(|front| front.server == wanted.as_str());
    if let Some(front) = running.filter(|_| said.contains("served already"))
        && let Some((_, status)) = status_of(home, front.pid)
    {
        if json {
            Screen::json(&document::Started { command: "start", exit: 0, front: document::Front::from(&*status) });
        } else {
            let line = format!("{} {} is served already\n", paint(GOOD, "✓"), paint(NAME, &front.server));
            Screen::print(&(line + &served::place(&status)));
        }
        return Ok(Exit::Fine);
    }
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim_start_matches("✗ ");
    let failure = match code {
        Some(3) => Failure::configuration("cli::serve", first),
        Some(2) => Failure::usage(first),
        _ => Failure::broken(first),
    };
    let rest = said.lines().skip_while(|line| line.trim().is_empty()).skip(1).filter(|line| !line.trim().is_empty());
    Err(rest.take(20).fold(failure, |failure, line| failure.advise("", line.trim())))
}
