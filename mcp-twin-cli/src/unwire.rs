//! `mcp-twin unwire`: what was wired is taken back.

use crate::args::UnwireArgs;
use crate::document::wiring as document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::unwire as render;
use crate::render::wire::again;
use crate::screen::Screen;
use crate::wire::choose::names;
use crate::wire::consent::{Answer, ask, can_ask, pick};
use crate::wire::place::Surroundings;
use crate::wire::{nothing_changed, which};
use mcp_twin_core::detect::{Client, Inventory, Scope};
use mcp_twin_core::wire::WireError;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::wiring::{self, Record, Undone, WiringError};

/// One change that is to be undone.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) record: Record,
    /// How it stands: what would change, or why it cannot be undone.
    pub(crate) preview: Result<String, WiringError>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Undone(Undone),
    /// Only the record was dropped.
    Forgotten,
    Failed(WiringError),
}

/// `mcp-twin unwire`
pub(crate) fn unwire(home: &Home, args: &UnwireArgs, json: bool) -> Result<Exit, Failure> {
    let which_args = &args.which;
    let around = Surroundings::look(which_args.project.as_deref())?;
    let records = wiring::list(home).map_err(failure)?;
    let meant = |record: &&Record| {
        (which_args.names.is_empty() || which_args.names.iter().any(|name| names(name, &record.server)))
            && which_args.client.is_none_or(|client| Client::named(&record.client) == Some(client))
            && which_args.scope.is_none_or(|scope| scope_of(record, &around.inventory) == Some(scope))
    };
    let mut backs: Vec<Back> = records.iter().filter(meant).map(back).collect();
    if which_args.names.is_empty() && !which_args.all && !backs.is_empty() {
        let servers: Vec<String> = backs.iter().map(|back| back.record.server.clone()).collect();
        if json || !can_ask() {
            return Err(which(&servers, "unwire"));
        }
        if servers.len() > 1 {
            let labels: Vec<String> = backs.iter().map(|back| render::label(&back.record, around.home())).collect();
            let Some(picked) = pick("Which changes shall be undone?", &labels)? else {
                return Ok(nothing_changed());
            };
            let mut at = 0;
            backs.retain(|_| {
                at += 1;
                picked.contains(&(at - 1))
            });
        }
    }
    let again = again("unwire", which_args, args.force);
    let possible = backs.iter().any(|back| back.preview.is_ok() || args.force);
    let answer = if possible {
        if !json && (which_args.dry_run || !which_args.yes) {
            Screen::print(&render::plan(&backs, around.home()));
        }
        ask(which_args.dry_run, which_args.yes, json, &render::question(&backs, args.force))?
    } else {
        Answer::Nothing
    };
    let outcomes: Vec<Outcome> = match answer {
        Answer::Yes => backs.iter().map(|back| take_back(home, back, args.force)).collect(),
        _ => Vec::new(),
    };
    let failed = match answer {
        Answer::Yes => outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))),
        _ => !args.force && backs.iter().any(|back| back.preview.is_err()),
    };
    let exit = match answer {
        Answer::NotAsked => Exit::Usage,
        Answer::No => Exit::No,
        _ if failed => Exit::Configuration,
        _ => Exit::Fine,
    };
    if json {
        Screen::json(&document::Unwiring::of(exit, &backs, &outcomes, which_args.dry_run));
        return Ok(exit);
    }
    match answer {
        Answer::Nothing if backs.is_empty() => {
            let others: Vec<&str> = records.iter().map(|record| record.server.as_str()).collect();
            Screen::print(&render::nothing(&which_args.names, &others));
        }
        Answer::Nothing => Screen::error(&render::impossible(&backs, around.home())),
        Answer::DryRun => Screen::print(&crate::render::wire::dry_run(&again)),
        Answer::NotAsked => Screen::error(&crate::render::wire::not_asked(&again)),
        Answer::No => return Ok(nothing_changed()),
        Answer::Yes => {
            let (done, wrong) = render::done(&backs, &outcomes, around.home());
            Screen::print(&done);
            Screen::error(&wrong);
        }
    }
    Ok(exit)
}

fn back(record: &Record) -> Back {
    Back { record: record.clone(), preview: wiring::preview_undo(record) }
}

fn take_back(home: &Home, back: &Back, force: bool) -> Outcome {
    let id = &back.record.id;
    match wiring::undo(home, id) {
        Ok(undone) => Outcome::Undone(undone),
        Err(error) if force && is_gone(&error) => match wiring::forget(home, id) {
            Ok(_) => Outcome::Forgotten,
            Err(error) => Outcome::Failed(error),
        },
        Err(error) => Outcome::Failed(error),
    }
}

/// Whether there is nothing left to be undone. A file that cannot be read just now is no reason to forget a change of it.
pub(crate) fn is_gone(error: &WiringError) -> bool {
    match error {
        WiringError::Missing(_) => true,
        WiringError::Text { source, .. } => matches!(source, WireError::NotOurs { .. } | WireError::Absent { .. }),
        _ => false,
    }
}

/// The scope of the entry that a change is about, where it is still there.
fn scope_of(record: &Record, inventory: &Inventory) -> Option<Scope> {
    let path = record.undo.path();
    let files = inventory.files.iter().filter(|file| file.source.path == record.file);
    let mut entries = files.flat_map(|file| &file.parsed.servers);
    entries.find(|server| server.site.path.starts_with(&path)).map(|server| server.scope)
}

fn failure(error: WiringError) -> Failure {
    Failure::configuration(error.code(), error.to_string())
}
