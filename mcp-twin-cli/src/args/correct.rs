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
            (flags, [_, ..]) if unexpected(error, &rest[at + 1 + flags.len()..]) => {
                let line = joined(["mcp-twin", "run"].map(OsStr::new).into_iter().chain(flags.iter().copied()));
                let server = joined(rest[at + 1 + flags.len()..].iter().copied());
                Failure::usage("the server's command stands behind `--`").did_you_mean(format!("{line} -- {server}"))
            }
            (_, []) if error.kind() == ErrorKind::MissingRequiredArgument => {
                Failure::usage("the server's command is missing").did_you_mean("mcp-twin run -- python server.py")
            }
            _ => plain(error),
        },
        Some(at) if error.kind() == ErrorKind::InvalidSubcommand && (rest.len() > at + 1 || is_path(rest[at])) => {
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

/// Whether a word looks like a file rather than like a command of ours.
fn is_path(word: &OsStr) -> bool {
    word.to_string_lossy().contains(['.', '/', '\\'])
}

/// clap's own message in our layout: what is wrong in the first line, then what to type instead.
fn plain(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text.trim_start_matches("error: ").lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().to_owned();
    let mut advice = Vec::new();
    for line in lines {
        if let Some(tip) = line.strip_prefix("tip: ") {
            // How to write a flag as a value is hardly ever what was meant.
            advice.extend((!tip.starts_with("to pass ")).then_some(("tip", tip)));
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            advice.push(("usage", usage));
        } else if line.starts_with("mcp-twin ") && advice.iter().any(|(label, _)| *label == "usage") {
            // A command that can be written in two ways.
            advice.push(("or", line));
        } else if !line.starts_with("For more information") {
            message = format!("{message} {line}");
        }
    }
    advice.into_iter().fold(Failure::usage(message), |failure, (label, text)| failure.advise(label, text))
}

/// Whether clap stumbled over a word of the server's command: the first of them may be a name for it.
fn unexpected(error: &clap::Error, words: &[&OsStr]) -> bool {
    let wrong = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string);
    matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::ArgumentConflict)
        && wrong.is_some_and(|wrong| words.iter().any(|word| word.to_string_lossy() == wrong))
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
