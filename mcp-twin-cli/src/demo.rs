//! `mcp-twin demo`: a live server is edited, broken, repaired and rolled back while a client keeps calling it, and every
//! call is accounted for. It uses what everybody uses: `mcp-twin run` as a child, a client on its pipes, saved files, the
//! control socket.

mod client;
mod report;
mod source;
mod stage;
mod story;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use report::Progress;
use source::Language;
use stage::Stage;
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs it. `program` is how this command was started.
pub(crate) fn demo(program: Option<&OsString>, keep: bool, json: bool) -> Result<Exit, Failure> {
    let language = Language::find().ok_or_else(|| {
        Failure::refused("demo::language::none", "the demo's server needs python3 or node, and neither is on the PATH")
    })?;
    let world = |error: std::io::Error| {
        Failure::configuration("demo::stage", format!("the demo cannot set up its server: {error}"))
    };
    stage::catch_interrupts();
    let stage = Stage::new(language).map_err(world)?;
    let mut progress = Progress::new(json);
    let told = story::play(&stage, &command(program).map_err(world)?, &mut progress);
    progress.end();
    let said = if told.is_err() { stage.stderr_tail() } else { String::new() };
    let kept = keep.then(|| stage.keep());
    let report = told.map_err(|trouble| trouble.into_failure(&said))?;
    if json {
        Screen::json(&report.document());
    } else {
        Screen::print(&report.text(kept.as_deref()));
    }
    Ok(report.exit())
}

/// This very command, also where a package of another language runs it (then the first argument is its script).
fn command(program: Option<&OsString>) -> std::io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let is_ours = own.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("mcp-twin"));
    Ok(program.filter(|_| !is_ours).map_or(own, PathBuf::from))
}
