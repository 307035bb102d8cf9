//! `mcp-twin status`.

use crate::act::{ask_all, unanswered};
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::named::{Detected, Offer};
use crate::render::status as render;
use crate::screen::Screen;
use crate::target::{self, Wanted};
use mcp_twin_core::control::{Answer, Ask, FrontStatus};
use mcp_twin_core::error::Fault;
use mcp_twin_runtime::fronts::{self, AskError, FrontAddress};
use mcp_twin_runtime::home::Home;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A front answers `status` at once or is hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Shows every front that is meant.
pub(crate) fn status(home: &Home, server: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let seen = Seen::look(home, server)?;
    if json {
        Screen::json(&seen.document());
    } else {
        Screen::print(&seen.text());
    }
    Ok(seen.exit())
}

/// What every front that is meant has answered.
pub(crate) struct Seen {
    fronts: Vec<FrontAddress>,
    replies: Vec<Result<Answer, AskError>>,
    /// Names of servers that could be started.
    available: Vec<String>,
    /// Seconds since 1970.
    now: i64,
}

impl Seen {
    /// Asks all fronts of a server, or of all.
    pub(crate) fn look(home: &Home, server: Option<&str>) -> Result<Self, Failure> {
        let running = fronts::running(home);
        let detected =
            server.is_none().then(|| std::env::current_dir().ok()).flatten().map(|here| Detected::seen_from(&here));
        let fronts =
            target::pick(&running, &target::known(home), Wanted::all(server), "status").map_err(|failure| {
                let offers = detected.as_ref().map(|detected| detected.offers(&running, &[])).unwrap_or_default();
                match offers.is_empty() {
                    true => failure,
                    false => failure
                        .advise("available", names(&offers).join(", "))
                        .advise("to start one", "mcp-twin start NAME"),
                }
            })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        let replies = ask_all(&fronts, &Ask::Status, PATIENCE, |_, _| ());
        let available = detected.map(|detected| {
            let statuses = replies.iter().filter_map(|reply| match reply {
                Ok(Answer::Status(status)) => Some(status.command.as_slice()),
                _ => None,
            });
            names(&detected.offers(&running, &statuses.collect::<Vec<_>>()))
        });
        Ok(Self { fronts, replies, available: available.unwrap_or_default(), now })
    }

    /// What is to be shown to people.
    pub(crate) fn text(&self) -> String {
        let blocks = self.each().map(|(front, answer)| match answer {
            Ok(status) => render::status(status, self.now),
            Err(fault) => {
                let advice = fault.help.as_deref().unwrap_or_default();
                render::silent(&front.server, &front.root.to_string_lossy(), &fault.message, advice)
            }
        });
        render::heading() + &blocks.collect::<String>() + &render::available(&self.available)
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> document::Statuses<'_> {
        let (mut fronts, mut silent) = (Vec::new(), Vec::new());
        for (front, answer) in self.each() {
            match answer {
                Ok(status) => fronts.push(status.into()),
                Err(fault) => silent.push(document::Silent { whose: front.into(), error: fault.into() }),
            }
        }
        let available = self.available.clone();
        document::Statuses { command: "status", exit: self.exit().status(), fronts, silent, available }
    }

    /// The exit status: that of the worst front.
    pub(crate) fn exit(&self) -> Exit {
        let each = self.each().map(|(_, answer)| answer.map_or(Exit::NoFront, render::exit));
        each.max().unwrap_or(Exit::Fine)
    }

    fn each(&self) -> impl Iterator<Item = (&FrontAddress, Result<&FrontStatus, Fault>)> {
        self.fronts.iter().zip(&self.replies).map(|(front, reply)| (front, answered(reply)))
    }
}

/// The status in an answer, or why there is none.
pub(crate) fn answered(reply: &Result<Answer, AskError>) -> Result<&FrontStatus, Fault> {
    match reply {
        Ok(Answer::Status(status)) => Ok(status),
        Ok(Answer::Error(fault)) => Err(fault.clone()),
        Ok(_) => Err(unanswered(&AskError::Unknown("an answer to another question".to_owned()))),
        Err(error) => Err(unanswered(error)),
    }
}

fn names(offers: &[Offer]) -> Vec<String> {
    offers.iter().map(|offer| offer.name.clone()).collect()
}
