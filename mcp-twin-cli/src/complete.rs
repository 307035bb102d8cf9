//! Completion in a shell: `mcp-twin completions SHELL` prints what asks this very program for each word, so that names of
//! servers are those of the moment.

use crate::args;
use crate::configured::Configured;
use crate::named;
use crate::target;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use mcp_twin_runtime::{fronts, home::Home};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// The variable by which the script of a shell asks for words.
const ASKED: &str = "MCP_TWIN_COMPLETE";

/// Answers the script of a shell; `false` if this is no such question.
pub(crate) fn answer(args: &[OsString]) -> bool {
    if std::env::var_os(ASKED).is_none() {
        return false;
    }
    let here = std::env::current_dir().ok();
    // A wrong question gets no words: nobody would see a message.
    let _ = CompleteEnv::with_factory(args::command).var(ASKED).try_complete(args.to_vec(), here.as_deref());
    true
}

/// The script for a shell, which asks the `mcp-twin` on PATH.
pub(crate) fn script(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    match Shells::builtins().completer(&shell.to_string()) {
        Some(completer) => {
            // Only what cannot be written fails, and memory can.
            let _ = completer.write_registration(ASKED, "mcp-twin", "mcp-twin", "mcp-twin", &mut script);
        }
        None => clap_complete::generate(shell, &mut args::command(), "mcp-twin", &mut script),
    }
    script
}

/// Servers that run.
pub(crate) fn running() -> Vec<CompletionCandidate> {
    let Some(home) = home() else { return Vec::new() };
    candidates(fronts::running(&home).into_iter().map(|front| (front.server, front.root.display().to_string())))
}

/// Servers that run or ran.
pub(crate) fn known() -> Vec<CompletionCandidate> {
    let Some(home) = home() else { return Vec::new() };
    candidates(target::known(&home).into_iter().map(|name| (name, String::new())))
}

/// Servers that configuration files have.
pub(crate) fn configured() -> Vec<CompletionCandidate> {
    let (Some(home), Ok(here)) = (home(), std::env::current_dir()) else { return Vec::new() };
    let offers = Configured::seen_from(&here, &home).map(|configured| configured.offers()).unwrap_or_default();
    candidates(
        offers
            .into_iter()
            .map(|(name, command)| (name, shell_words::join(mcp_twin_core::detect::shown_words(&command)))),
    )
}

/// Servers that could be started.
pub(crate) fn startable() -> Vec<CompletionCandidate> {
    let (Some(home), Ok(here)) = (home(), std::env::current_dir()) else { return Vec::new() };
    candidates(named::offers(&home, &here).into_iter().map(|offer| (offer.name, offer.what)))
}

fn home() -> Option<Home> {
    Home::from_env(|name| std::env::var_os(name)).ok()
}

/// Each name once, with what is said of it.
fn candidates(found: impl Iterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let mut seen = BTreeSet::new();
    let once = found.filter(|(name, _)| seen.insert(name.clone()));
    once.map(|(name, what)| CompletionCandidate::new(name).help((!what.is_empty()).then(|| what.into()))).collect()
}
