//! What to say about a command line that was not understood: above all, what was probably meant.

use super::command;
use crate::failure::Failure;
use clap::ArgAction;
use clap::error::ErrorKind;
use std::ffi::{OsStr, OsString};

/// The failure for a clap error, with the corrected line where we can tell it.
pub(crate) fn usage(args: &[OsString], error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage_help(error.render().ansi().to_string());
    }
    let rest: Vec<&OsStr> = args.iter().skip(1).map(OsString::as_os_str).collect();
    let verb = rest.iter().position(|arg| !arg.to_string_lossy().starts_with('-'));
    match verb {
        Some(at) if rest[at] == "run" => match split_run(&rest[at + 1..]) {
            (flags, [first, ..]) if unexpected(error, first) => {
                let line = joined(["mcp-twin", "run"].map(OsStr::new).into_iter().chain(flags.iter().copied()));
                let server = joined(rest[at + 1 + flags.len()..].iter().copied());
                Failure::usage("the server's command stands behind `--`").did_you_mean(format!("{line} -- {server}"))
            }
            (_, []) if error.kind() == ErrorKind::MissingRequiredArgument => {
                Failure::usage("the server's command is missing").did_you_mean("mcp-twin run -- python server.py")
            }
            _ => plain(error),
        },
        Some(at) if error.kind() == ErrorKind::InvalidSubcommand && rest.len() > at + 1 => {
            let server = joined(rest[at..].iter().copied().filter(|arg| *arg != "--"));
            plain(error).or_perhaps(format!("mcp-twin run -- {server}"))
        }
        _ => plain(error),
    }
}

/// The words of a command line, quoted for a shell.
pub(crate) fn joined<'a>(words: impl Iterator<Item = &'a OsStr>) -> String {
    shell_words::join(words.map(OsStr::to_string_lossy))
}

/// clap's own message, without its heading.
fn plain(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    Failure::usage(text.trim_start_matches("error: ").trim_end().to_owned())
}

/// Whether clap stumbled over the word with which the server's command begins.
fn unexpected(error: &clap::Error, first: &OsStr) -> bool {
    error.kind() == ErrorKind::UnknownArgument
        && error.get(clap::error::ContextKind::InvalidArg).is_some_and(|arg| arg.to_string() == first.to_string_lossy())
}

/// Splits what follows `run` into our flags (with their values) and the first word that is neither, up to `--`.
fn split_run<'a, 'b>(words: &'b [&'a OsStr]) -> (&'b [&'a OsStr], &'b [&'a OsStr]) {
    let whole = command();
    let takes_value = |word: &str| {
        let name = word.strip_prefix("--").unwrap_or_default();
        whole
            .find_subcommand("run")
            .and_then(|run| run.get_arguments().find(|arg| arg.get_long() == Some(name)))
            .is_some_and(|arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append))
    };
    let mut at = 0;
    while let Some(word) = words.get(at).map(|word| word.to_string_lossy()) {
        if word == "--" {
            return (&words[..at], &[]);
        }
        if !word.starts_with('-') {
            return (&words[..at], &words[at..=at]);
        }
        at += if takes_value(&word) { 2 } else { 1 };
    }
    (words, &[])
}
