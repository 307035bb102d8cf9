//! `mcp-twin notify`: whether messages reach those who are told.

use crate::args::{NotifyArgs, NotifyVerb};
use crate::configured::{Configured, user_home};
use crate::document::notify as document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::notify as render;
use crate::screen::{Screen, Waiting};
use mcp_twin_core::notify::Target;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::notices::{Tried, sender, try_all};

/// One target, where it stands, and what became of the message.
pub(crate) struct Row {
    pub(crate) target: Target,
    pub(crate) place: String,
    pub(crate) tried: Tried,
}

/// One of the commands.
pub(crate) fn notify(home: &Home, args: &NotifyArgs, json: bool) -> Result<Exit, Failure> {
    match args.verb {
        NotifyVerb::Test => test(home, json),
    }
}

fn test(home: &Home, json: bool) -> Result<Exit, Failure> {
    let here = std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
    })?;
    let configured = Configured::seen_from(&here, home)?;
    let all = configured.layers.notify(user_home().as_deref());
    if all.is_empty() {
        return Err(Failure::configuration("notify::nobody", "no configuration file names anybody who is told")
            .advise("try", "[[notify]] with kind = \"slack\" and url_env = \"SLACK_WEBHOOK_URL\" in mcp-twin.toml")
            .advise("what may stand there", "mcp-twin config schema"));
    }
    let (targets, places): (Vec<Target>, Vec<String>) = all
        .into_iter()
        .map(|(layer, found)| (found.value, format!("{}:{}", layer.path.display(), found.place)))
        .unzip();
    let waiting = Waiting::begin("whether the messages arrive".to_owned());
    let tried = try_all(&targets, &sender("mcp-twin", &here, "notify test"));
    drop(waiting);
    let tried = tried.map_err(|error| {
        Failure::configuration("notify::impossible", format!("nothing can be sent from here: {error}"))
    })?;
    let rows = targets.into_iter().zip(places).zip(tried);
    let rows: Vec<Row> = rows.map(|((target, place), tried)| Row { target, place, tried }).collect();
    let exit = if rows.iter().all(|row| row.tried.arrived) { Exit::Fine } else { Exit::No };
    if json {
        Screen::json(&document::Tested::new(exit, &rows));
    } else {
        Screen::print(&render::tested(&rows));
    }
    Ok(exit)
}
