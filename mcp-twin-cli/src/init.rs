//! `mcp-twin init`: the first run. Shows what is configured, and wires what the user picks.

use crate::args::{InitArgs, WireArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::wire as render;
use crate::screen::Screen;
use crate::wire::consent::{can_ask, one_of, pick};
use crate::wire::place::Surroundings;
use crate::wire::{carry_out, keep, make};
use mcp_twin_runtime::home::Home;

/// `mcp-twin init`
pub(crate) fn init(home: &Home, args: InitArgs, json: bool) -> Result<Exit, Failure> {
    let mut args = WireArgs::from(args);
    let around = Surroundings::look(args.which.project.as_deref())?;
    let mut plan = make(home, &around, &args)?;
    if !json {
        Screen::print(&render::found(&plan, around.home()));
    }
    let asks = !json && !args.which.yes && !args.which.dry_run && can_ask();
    if asks && !plan.changes.is_empty() {
        let labels: Vec<String> = plan.changes.iter().map(|change| render::label(change, around.home())).collect();
        let ways = ["Yes, all", "Select specific", "Skip for now"];
        match one_of("Shall they go through mcp-twin?", &ways)? {
            Some(0) => {}
            Some(1) => match pick("Which ones?", &labels)? {
                Some(picked) => keep(&mut plan, &picked),
                None => return Ok(skipped()),
            },
            _ => return Ok(skipped()),
        }
        // The diff is shown and asked for once more: these are the user's files.
        args.which.yes = false;
    }
    let exit = carry_out(home, &around, &plan, &args, "init", json)?;
    if !json && exit == Exit::Fine && !args.which.dry_run {
        Screen::print(&render::next_steps(&plan));
    }
    Ok(exit)
}

fn skipped() -> Exit {
    Screen::print("Nothing was changed. Later: mcp-twin init, or mcp-twin wire NAME\n");
    Exit::Fine
}
