//! `mcp-twin status`.

use crate::act::{ask_all, unanswered};
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::named::{Detected, Offer};
use crate::render::status as render;
use crate::screen::Screen;
use crate::target::{self, Wanted};
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_runtime::fronts::{self, AskError};
use mcp_twin_runtime::home::Home;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A front answers `status` at once or is hung.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shows every front that is meant.
pub(crate) fn status(home: &Home, server: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let running = fronts::running(home);
    let detected =
        server.is_none().then(|| std::env::current_dir().ok()).flatten().map(|here| Detected::seen_from(&here));
    let fronts = target::pick(&running, &target::known(home), Wanted::all(server), "status").map_err(|failure| {
        let offers = detected.as_ref().map(|detected| detected.offers(&running, &[])).unwrap_or_default();
        match offers.is_empty() {
            true => failure,
            false => {
                failure.advise("available", names(&offers).join(", ")).advise("to start one", "mcp-twin start NAME")
            }
        }
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    let replies = ask_all(&fronts, &Ask::Status, PATIENCE, |_, _| ());
    let mut worst = Exit::Fine;
    let mut text = render::heading();
    let mut document = document::Statuses {
        command: "status",
        exit: 0,
        fronts: Vec::new(),
        silent: Vec::new(),
        available: Vec::new(),
    };
    for (front, reply) in fronts.iter().zip(&replies) {
        let silent = match reply {
            Ok(Answer::Status(status)) => {
                worst = worst.max(render::exit(status));
                text += &render::status(status, now);
                document.fronts.push((&**status).into());
                continue;
            }
            Ok(Answer::Error(fault)) => fault.clone(),
            Ok(_) => unanswered(&AskError::Unknown("an answer to another question".to_owned())),
            Err(error) => unanswered(error),
        };
        worst = worst.max(Exit::NoFront);
        let advice = silent.help.as_deref().unwrap_or_default();
        text += &render::silent(&front.server, &front.root.to_string_lossy(), &silent.message, advice);
        document.silent.push(document::Silent { whose: front.into(), error: silent.into() });
    }
    if let Some(detected) = detected {
        let statuses = replies.iter().filter_map(|reply| match reply {
            Ok(Answer::Status(status)) => Some(status.command.as_slice()),
            _ => None,
        });
        let offers = detected.offers(&running, &statuses.collect::<Vec<_>>());
        text += &render::available(&names(&offers));
        document.available = names(&offers);
    }
    if json {
        document.exit = worst.status();
        Screen::json(&document);
    } else {
        Screen::print(&text);
    }
    Ok(worst)
}

fn names(offers: &[Offer]) -> Vec<String> {
    offers.iter().map(|offer| offer.name.clone()).collect()
}
