//! `mcp-twin verify`: whether a server does what it must, for CI: it opens in both eras, its lists are well-formed, its tools
//! answer, it survives swaps under load, and it ends by itself.
//!
//! The server runs behind a front of this process with a state directory of its own, so nothing that others run is touched,
//! and no other command sees it. The last checks look at the bare server.

mod course;
mod front;
pub(crate) mod junit;
mod load;
pub(crate) mod report;
mod shape;
mod stage;

use crate::args::VerifyArgs;
use crate::configured::{Configured, Given};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::named::Named;
use crate::render::verify as render;
use crate::run::{not_a_folder, text};
use crate::screen::Screen;
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_runtime::process::{not_runnable, told_to_end};
use mcp_twin_runtime::run::Variables;
use mcp_twin_runtime::session::Era;
use report::Report;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The JSON Schema of `verify --json`.
const SCHEMA: &str = include_str!("../schema/verify.json");

/// What is to be verified.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The server's name, if it is given one.
    pub(crate) name: String,
    /// Its command and arguments.
    pub(crate) command: Vec<String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// Its variables.
    pub(crate) env: Variables,
    /// Its options, as its configuration has them.
    pub(crate) options: Options,
    /// How long one answer may take.
    pub(crate) timeout: Duration,
    /// How often it is swapped.
    pub(crate) swaps: u32,
    /// The tools that are called, with their arguments.
    pub(crate) calls: Vec<(String, Value)>,
}

/// Verifies a server; the exit status is 1 if a check fails.
pub(crate) fn verify(args: VerifyArgs, json: bool) -> Result<Exit, Failure> {
    if args.schema {
        Screen::print(SCHEMA);
        return Ok(Exit::Fine);
    }
    let junit = args.junit.clone();
    let order = order(args)?;
    let begun = Instant::now();
    let mut show = |text: String| {
        if !json {
            Screen::print(&text);
        }
    };
    show(render::heading(&order.command));
    let (name, eras) = played(&order, &mut show)?;
    let report = Report::new(name, &order.command, eras, begun.elapsed());
    show(render::summary(&report));
    if let Some(file) = junit {
        write(&file, &junit::document(&report)?)?;
    }
    if json {
        Screen::json(&report);
    }
    Ok(report.exit())
}

/// Goes through both eras, one after the other: a server may not like to be there twice.
fn played(order: &Order, show: &mut dyn FnMut(String)) -> Result<(String, Vec<report::EraReport>), Failure> {
    let off = |error: std::io::Error| {
        Failure::configuration("cli::verify::cannot_begin", format!("nothing can be started here: {error}"))
    };
    // One thread: processes that it starts die with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(off)?;
    let stage = stage::Stage::default();
    let played = runtime.block_on(async {
        let eras = async {
            let mut eras: Vec<report::EraReport> = Vec::new();
            for era in Era::ALL {
                show(render::era(era));
                let must = era == Era::Modern && !eras.iter().any(report::EraReport::is_open);
                let mut told = |check: &report::Check| show(render::check(check));
                eras.push(course::run(order, era, must, &stage, &mut told).await);
            }
            report::settle(&mut eras);
            eras
        };
        tokio::select! {
            eras = eras => Ok(eras),
            name = told_to_end() => Err(name),
        }
    });
    runtime.block_on(stage.clear());
    runtime.shutdown_timeout(Duration::from_secs(1));
    let eras = played
        .map_err(|name| Failure::refused("cli::verify::interrupted", format!("ended by {name}: nothing is proven")))?;
    Ok((stage.name(), eras))
}

/// What the command line asks for.
fn order(args: VerifyArgs) -> Result<Order, Failure> {
    let here = std::env::current_dir().map_err(|error| {
        Failure::configuration("cli::cwd::none", format!("the working directory cannot be read: {error}"))
            .advise("try", "run it from a folder that exists")
    })?;
    let calls = args.call.iter().map(|call| wanted_call(call)).collect::<Result<Vec<_>, _>>()?;
    let command = args.command.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let home = crate::home()?;
    let configured = Configured::seen_from(&here, &home)?;
    let named = Named::meant(args.server, command, &configured, &home, here)?;
    // Nothing is followed here, what goes wrong is told by the report alone, and the bare server has no tools of ours.
    let mut options = Options { watch_files: false, tell: false, ..Options::defaults(Transport::Stdio) };
    let mut chosen = vec!["watch_files", "tell", "tools"];
    if let Some(check) = &args.check {
        options.set("check", check).map_err(|error| Failure::usage(format!("--check: {error}")))?;
        chosen.push("check");
    }
    let given = Given::of(named, options, chosen);
    let (named, _) = configured.order(&home, given);
    not_a_folder(&named.command, &named.cwd)?;
    if named.command.iter().any(|word| word.contains("{port}")) {
        return Err(Failure::usage("only a server over stdio can be verified, and `{port}` is for one over HTTP")
            .advise("try", "the command with which it speaks stdio, if it has one"));
    }
    let program = named.command.first().map(String::as_str).unwrap_or_default();
    if let Some(fault) = not_runnable(program, &named.cwd) {
        return Err(fault
            .help
            .into_iter()
            .fold(Failure::broken(fault.message), |failure, help| failure.advise("try", help)));
    }
    Ok(Order {
        name: named.name.unwrap_or_default(),
        command: named.command,
        cwd: named.cwd,
        env: named.env,
        options: named.options,
        timeout: args.timeout,
        swaps: args.swaps,
        calls,
    })
}

/// `TOOL`, or `TOOL={"argument": "value"}`.
fn wanted_call(text: &str) -> Result<(String, Value), Failure> {
    let (tool, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    arguments_of(arguments).map(|arguments| (tool.to_owned(), arguments)).map_err(|why| {
        Failure::usage(format!("--call {tool}: {why}")).advise("such as", "--call 'echo={\"text\": \"hello\"}'")
    })
}

/// The arguments of a tool, as JSON.
pub(crate) fn arguments_of(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("the arguments of a tool are a JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::configuration("cli::verify::junit", format!("{} cannot be written: {error}", file.display()))
            .advise("try", "a file in a folder that exists and that you can write")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_are_read_with_and_without_arguments() {
        assert_eq!(wanted_call("ping_db"), Ok(("ping_db".to_owned(), json!({}))));
        assert_eq!(wanted_call(r#"echo={"text":"a=b"}"#), Ok(("echo".to_owned(), json!({"text": "a=b"}))));
        for wrong in ["echo=", "echo=[1]", "echo={text:1}", "echo=\"a\""] {
            assert_eq!(wanted_call(wrong).expect_err(wrong).exit_status(), 2, "{wrong}");
        }
    }
}
