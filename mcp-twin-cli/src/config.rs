//! `mcp-twin config`: the files, what is wrong with them, and what they come to.

use crate::args::{ConfigArgs, ConfigVerb};
use crate::configured::{Configured, user_home, wrong};
use crate::document::config as document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::config as render;
use crate::screen::Screen;
use mcp_twin_core::config::{Asked, Origin, PROJECT_FILE, Scope, Wanted, schema, sketch};
use mcp_twin_core::detect::detect;
use mcp_twin_core::notify::Target;
use mcp_twin_core::spec::{OPTIONS, ServerName, Transport, slug};
use mcp_twin_runtime::config::{ConfigFault, Places, read};
use mcp_twin_runtime::machine::ThisMachine;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One of the commands.
pub(crate) fn config(args: ConfigArgs, json: bool) -> Result<Exit, Failure> {
    match args.verb {
        ConfigVerb::Check { file } => check(file, json),
        ConfigVerb::Schema => {
            Screen::json(&schema());
            Ok(Exit::Fine)
        }
        ConfigVerb::Path => path(json),
        ConfigVerb::Show { server } => show(server.as_deref(), json),
        ConfigVerb::Init => init(json),
    }
}

fn check(file: Option<PathBuf>, json: bool) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = match &file {
        Some(file) => vec![file.clone()],
        None => places()?.all().map(|(_, path)| path.to_owned()).into_iter().filter(|path| path.exists()).collect(),
    };
    let mut faults: Vec<ConfigFault> = Vec::new();
    for path in &files {
        match read(path) {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(Failure::configuration("config::missing", format!("there is no file {}", path.display())));
            }
            Err(fault) => faults.push(fault),
        }
    }
    let exit = if faults.is_empty() { Exit::Fine } else { Exit::Configuration };
    let targets: Vec<Target> = files
        .iter()
        .filter_map(|path| read(path).ok().flatten())
        .flat_map(|file| file.notify.into_iter().map(|table| table.target))
        .collect();
    for text in mcp_twin_runtime::notices::warnings(&targets) {
        Screen::error(&format!("mcp-twin: {text}\n"));
    }
    if json {
        Screen::json(&document::Checked::new(exit, &files, &faults));
    } else if faults.is_empty() {
        Screen::print(&render::checked(&files));
    } else {
        return Err(wrong(&faults));
    }
    Ok(exit)
}

fn path(json: bool) -> Result<Exit, Failure> {
    let places = places()?;
    if json {
        Screen::json(&document::Paths::new(&places));
    } else {
        let files = places.all().map(|(scope, path)| (scope, path.to_owned(), path.exists()));
        Screen::print(&render::paths(&files));
    }
    Ok(Exit::Fine)
}

fn show(server: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let (here, home) = (here()?, crate::home()?);
    let configured = Configured::seen_from(&here, &home)?;
    if let Some(name) = server.filter(|name| !configured.layers.has(&slug(name))) {
        let known: Vec<String> = configured
            .layers
            .iter()
            .flat_map(|layer| &layer.file.servers)
            .map(|table| table.server().to_string())
            .collect();
        let failure = Failure::unknown_server(name).advise("note", "no configuration file has a table of that name");
        let near = crate::target::nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        let failure = near.into_iter().fold(failure, |failure, near| failure.did_you_mean(near));
        return Err(if known.is_empty() { failure } else { failure.advise("known", known.join(", ")) });
    }
    let over = |transport| {
        let asked = match server {
            Some(name) => Asked::named(name, &here, user_home(), transport),
            None => Asked { name: None, ..Asked::named("", &here, user_home(), transport) },
        };
        configured.layers.apply(&asked)
    };
    // Nothing in a table says `run` or `serve` but this.
    let stdio = over(Transport::Stdio);
    let (wanted, transport) = match stdio.transport {
        Some(Transport::Http) => (over(Transport::Http), Transport::Http),
        _ => (stdio, Transport::Stdio),
    };
    let rows = rows(&wanted, transport);
    if json {
        Screen::json(&document::Shown::new(server, transport, &rows));
    } else {
        let servers: Vec<String> = configured.offers().into_iter().map(|(name, _)| name).collect();
        Screen::print(&render::shown(server, &rows, &servers));
    }
    Ok(Exit::Fine)
}

/// One value, and where it comes from.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// What counts: what files say of the server itself, then every option.
fn rows(wanted: &Wanted, transport: Transport) -> Vec<Row> {
    let of = |key: &str| wanted.origins.iter().find(|(known, _)| *known == key).map(|(_, origin)| origin.clone());
    let own = |key, value: String| of(key).map(|origin| Row { key, value, origin });
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let names: Vec<&str> = wanted.env.iter().map(|(name, _)| name.as_str()).collect();
    let token_file = wanted.token_file.as_ref().map(|file| file.display().to_string());
    let mut rows: Vec<Row> = [
        own("command", shell_words::join(mcp_twin_core::detect::shown_words(&wanted.command))),
        own("cwd", wanted.cwd.display().to_string()),
        own("env", names.join(" ")),
        own("transport", if transport == Transport::Http { "http" } else { "stdio" }.to_owned()),
        own("listen", text(&wanted.listen)),
        own("path", text(&wanted.path)),
        own("token_file", text(&token_file)),
        own("max_sessions", wanted.max_sessions.unwrap_or_default().to_string()),
        own("session_idle", format!("{}s", wanted.session_idle.unwrap_or_default().as_secs_f64())),
        own("watch", wanted.watch.join(" ")),
        own("ignore", wanted.ignore.join(" ")),
        own("notify", wanted.notify.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    ]
    .into_iter()
    .flatten()
    .collect();
    rows.extend(OPTIONS.iter().map(|option| Row {
        key: option.key,
        value: option.value(&wanted.options),
        origin: of(option.key).unwrap_or(Origin::Default),
    }));
    rows
}

fn init(json: bool) -> Result<Exit, Failure> {
    let file = here()?.join(PROJECT_FILE);
    let server = server_of(&here()?);
    let text = sketch(server.as_ref().map(|(name, command)| (name, command.as_slice())));
    // Never over one that is there, also not over one that comes to be at this moment.
    let made = std::fs::File::create_new(&file).and_then(|mut made| made.write_all(text.as_bytes()));
    made.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::refused("config::exists", format!("{} is there already", file.display()))
                .advise("what may stand there", "mcp-twin config schema")
        }
        _ => Failure::configuration("config::unwritable", format!("{} cannot be written: {error}", file.display())),
    })?;
    let name = server.map(|(name, _)| name.to_string());
    if json {
        Screen::json(&document::Made {
            command: "config init",
            exit: 0,
            file: file.display().to_string(),
            server: name,
        });
    } else {
        Screen::print(&render::made(&file, name.as_deref()));
    }
    Ok(Exit::Fine)
}

/// The server whose code is in this folder, as a client has configured it. A command line that holds what looks like a secret
/// is none for a file that a team shares.
fn server_of(here: &Path) -> Option<(ServerName, Vec<String>)> {
    let this = ThisMachine::seen_from(Some(here.to_owned()))?;
    let machine = this.machine();
    let inventory = detect(&machine);
    let all = inventory.files.iter().flat_map(|file| &file.parsed.servers);
    let mut here_too = all.filter(|server| {
        let root = server.original_launch(&machine).and_then(|launch| launch.root);
        server.enabled && !server.hidden && root.as_deref() == Some(here)
    });
    let server = here_too.next()?;
    let command = server.original().to_vec();
    let harmless = !command.is_empty() && server.shown_original() == command;
    harmless.then(|| (slug(&server.name), command))
}

fn places() -> Result<Places, Failure> {
    Ok(Places::seen_from(&here()?, &crate::home()?))
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
    })
}

/// Whose file it is, for people.
pub(crate) fn whose(scope: Scope) -> &'static str {
    match scope {
        Scope::Project => "project",
        Scope::User => "user",
    }
}
