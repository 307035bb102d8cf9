//! `mcp-twin wire`: clients' entries go through mcp-twin from now on.

pub(crate) mod choose;
pub(crate) mod consent;
mod front;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod program;
pub(crate) mod reason;

use crate::args::{WhichArgs, WireArgs};
use crate::document::wiring as document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::style::harmless;
use crate::render::wire as render;
use crate::screen::Screen;
use choose::Wanted;
use consent::{Answer, ask, can_ask};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::wiring::{self, Applied, WiringError};
use place::Surroundings;
use plan::{Change, Plan};
use program::Program;

/// What became of each change of a plan, in its order; empty if nothing was tried.
pub(crate) type Results = Vec<Result<Applied, WiringError>>;

/// `mcp-twin wire`
pub(crate) fn wire(home: &Home, args: &WireArgs, json: bool) -> Result<Exit, Failure> {
    let around = Surroundings::look(args.which.project.as_deref())?;
    let mut plan = make(home, &around, args)?;
    if args.which.names.is_empty() && !args.which.all {
        let names: Vec<String> = plan.changes.iter().map(|change| change.server.clone()).collect();
        if !names.is_empty() && (json || !can_ask()) {
            return Err(which(&names, "wire"));
        }
        if names.len() > 1 {
            let labels: Vec<String> = plan.changes.iter().map(|change| render::label(change, around.home())).collect();
            let Some(picked) = consent::pick("Which servers shall go through mcp-twin?", &labels)? else {
                return Ok(nothing_changed());
            };
            keep(&mut plan, &picked);
        }
    }
    if let Some(unknown) = args.which.names.iter().find(|name| !plan.knows(name)) {
        return Err(unknown_name(&around, unknown, &plan));
    }
    carry_out(home, &around, &plan, args, "wire", json)
}

/// The plan for what a command line means.
pub(crate) fn make(home: &Home, around: &Surroundings, args: &WireArgs) -> Result<Plan, Failure> {
    let WhichArgs { names, client, scope, .. } = &args.which;
    let wanted = Wanted { names, client: *client, scope: *scope, force: args.force };
    let program = Program::this()?;
    Ok(Plan::make(home, &around.inventory, &around.sources, &wanted, program))
}

/// Leaves the picked changes in a plan.
pub(crate) fn keep(plan: &mut Plan, picked: &[usize]) {
    let mut at = 0;
    plan.changes.retain(|_| {
        at += 1;
        picked.contains(&(at - 1))
    });
}

/// Shows a plan, asks, does it and says what came of it.
pub(crate) fn carry_out(
    home: &Home,
    around: &Surroundings,
    plan: &Plan,
    args: &WireArgs,
    verb: &'static str,
    json: bool,
) -> Result<Exit, Failure> {
    let which = &args.which;
    let again = render::again(verb, which, args.force);
    let answer = if plan.changes.is_empty() {
        Answer::Nothing
    } else {
        if !json && (which.dry_run || !which.yes) {
            Screen::print(&render::plan(plan, around.home()));
        }
        ask(which.dry_run, which.yes, json, &render::question(plan))?
    };
    let results: Results = match answer {
        Answer::Yes => plan.changes.iter().map(|change| apply(home, change)).collect(),
        _ => Vec::new(),
    };
    let failed = !plan.refused.is_empty() || results.iter().any(Result::is_err);
    let exit = match answer {
        Answer::NotAsked => Exit::Usage,
        Answer::No => Exit::No,
        _ if failed => Exit::Configuration,
        _ if which.names.iter().any(|name| !is_so(plan, name)) => Exit::No,
        _ => Exit::Fine,
    };
    if json {
        Screen::json(&document::Wiring::of(verb, exit, plan, &results, which.dry_run, home));
        return Ok(exit);
    }
    match answer {
        Answer::Nothing => Screen::print(&render::nothing(plan, around.home())),
        Answer::DryRun => Screen::print(&render::dry_run(&again)),
        Answer::NotAsked => Screen::error(&render::not_asked(&again)),
        Answer::No => return Ok(nothing_changed()),
        Answer::Yes => {
            let (done, wrong) = render::done(plan, &results, home, around.home(), !which.yes);
            Screen::print(&done);
            Screen::error(&wrong);
        }
    }
    Ok(exit)
}

fn apply(home: &Home, change: &Change) -> Result<Applied, WiringError> {
    wiring::apply(home, &change.file, change.client.id(), &change.server, &change.edit)
}

/// Whether what was asked for a name is so, or is going to be.
fn is_so(plan: &Plan, name: &str) -> bool {
    plan.changes.iter().any(|change| choose::names(name, &change.server))
        || plan.left.iter().any(|aside| aside.why.is_fine() && choose::names(name, &aside.server))
}

/// Somebody said no.
pub(crate) fn nothing_changed() -> Exit {
    Screen::error("Nothing was changed.\n");
    Exit::No
}

/// Nobody said which servers are meant, and nobody can be asked.
pub(crate) fn which(names: &[String], verb: &str) -> Failure {
    let mut lines: Vec<String> =
        names.iter().map(|name| format!("mcp-twin {verb} {}", harmless(&shell_words::quote(name)))).collect();
    lines.dedup();
    lines.push(format!("mcp-twin {verb} --all"));
    Failure::usage("which server? Name one or several, or say --all")
        .advise("such as", format!("\n{}", lines.join("\n")))
}

fn unknown_name(around: &Surroundings, name: &str, plan: &Plan) -> Failure {
    // Filters hide some of them.
    let all: Vec<&str> = around
        .inventory
        .files
        .iter()
        .flat_map(|file| file.parsed.servers.iter().map(|server| server.name.as_str()))
        .collect();
    let elsewhere = all.iter().any(|known| choose::names(name, known));
    let failure = if elsewhere {
        Failure::usage(format!("`{name}` is not configured for this client and scope")).advise(
            "try",
            format!("mcp-twin wire {} --dry-run, without --client and --scope", shell_words::quote(name)),
        )
    } else {
        let failure = Failure::unknown_server(name);
        match mcp_twin_core::spec::nearest(name, all.iter().copied()) {
            Some(nearest) => failure.did_you_mean(harmless(&format!("mcp-twin wire {}", shell_words::quote(nearest)))),
            None => failure,
        }
    };
    let mut names = all;
    names.sort_unstable();
    names.dedup();
    let text = if names.is_empty() { "none".to_owned() } else { harmless(&names.join(", ")) };
    let failure = failure.advise("configured", text);
    plan.unreadable
        .iter()
        .fold(failure, |failure, (file, error)| failure.advise("not read", format!("{}: {error}", file.display())))
}
