//! `mcp-twin replay`: the client's part of a recording, played to a server, and its answers compared with the recorded ones.

pub(crate) mod compare;
mod course;
pub(crate) mod recording;
pub(crate) mod report;

use crate::args::ReplayArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::replay as render;
use crate::run::{not_a_folder, text};
use crate::screen::Screen;
use compare::Ignored;
use mcp_twin_runtime::bare::{Bare, BareOrder};
use mcp_twin_runtime::process::{StopOrder, told_to_end};
use mcp_twin_runtime::run::Variables;
use recording::Recording;
use report::Report;
use std::time::{Duration, Instant};

/// The server has nothing more to do.
const OVER: StopOrder = StopOrder { term: Duration::from_secs(2), kill: Duration::from_secs(3) };

/// Replays a recording; the exit status is 1 if an answer differs.
pub(crate) fn replay(args: ReplayArgs, json: bool) -> Result<Exit, Failure> {
    let recording = Recording::read(&args.file)?;
    let ignored = Ignored::read(&args.ignore).map_err(|why| {
        Failure::usage(format!("--ignore {why}")).advise("such as", "--ignore /result/content/*/text")
    })?;
    let command = args.command.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let cwd = std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
    })?;
    not_a_folder(&command, &cwd)?;
    if !json {
        Screen::print(&render::heading(&recording, &command));
    }
    let order = BareOrder { command: command.clone(), cwd, env: Variables::default() };
    let begun = Instant::now();
    let played = played(&order, &recording, &ignored, args.timeout)?;
    let report = Report::new(&args.file, &command, &recording, played, begun.elapsed());
    if json {
        Screen::json(&report);
    } else {
        Screen::print(&render::report(&report));
    }
    Ok(report.exit())
}

fn played(
    order: &BareOrder,
    recording: &Recording,
    ignored: &Ignored,
    limit: Duration,
) -> Result<course::Played, Failure> {
    let off = |error: std::io::Error| {
        Failure::configuration("cli::replay::cannot_begin", format!("nothing can be started here: {error}"))
    };
    // One thread: the process that it starts dies with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(off)?;
    let played = runtime.block_on(async {
        let (mut bare, pipe) = Bare::start(order).map_err(|fault| {
            let failure = Failure::broken(fault.message);
            fault.help.into_iter().fold(failure, |failure, help| failure.advise("try", help))
        })?;
        let played = tokio::select! {
            played = course::play(pipe, recording, ignored, limit) => Ok(played),
            name = told_to_end() => {
                Err(Failure::refused("cli::replay::interrupted", format!("ended by {name}: nothing is proven")))
            }
        };
        let exit = bare.stop(OVER).await;
        played.map(|mut played| {
            if played.ended {
                played.stderr = exit.stderr_tail.clone();
                played.exit = Some(exit.describe());
            }
            played
        })
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    played
}
