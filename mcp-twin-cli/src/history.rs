//! `mcp-twin history`: what was tried with a server and how each of it ended, from the file, also of one that does not run.

use crate::args::HistoryArgs;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logs;
use crate::render::history as render;
use crate::screen::Screen;
use mcp_twin_runtime::history as kept;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::servers::ServerKey;

/// Shows the last operations, the oldest first.
pub(crate) fn history(home: &Home, wanted: &HistoryArgs, json: bool) -> Result<Exit, Failure> {
    // Whoever has a history has logs: both are kept under the same key.
    let logs::Kept { server, folder } = logs::find(home, wanted.server.as_deref())?;
    let key = folder.file_name().and_then(|key| ServerKey::parse(key.to_str()?));
    let mut lines = match key {
        Some(key) => kept::read(home, &key).map_err(|error| {
            Failure::configuration("cli::history", error.to_string()).advise("try", "mcp-twin doctor")
        })?,
        None => Vec::new(),
    };
    lines.drain(..lines.len().saturating_sub(wanted.lines));
    if json {
        Screen::json(&document::History { command: "history", exit: 0, server: &server, lines });
    } else if lines.is_empty() {
        Screen::error(&format!("nothing has happened to {server} yet\n"));
    } else {
        lines.iter().for_each(|line| Screen::print(&render::line(line)));
    }
    Ok(Exit::Fine)
}
