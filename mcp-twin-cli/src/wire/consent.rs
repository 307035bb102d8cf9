//! The user's word for a change of files that are theirs.

use crate::failure::Failure;
use crate::screen::Screen;
use dialoguer::console::Term;
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, MultiSelect, Select};
use std::io::IsTerminal as _;

/// Whether a change is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is.
    Yes,
    /// The user said no.
    No,
    /// It was only to be shown.
    DryRun,
    /// Nobody could be asked, and nobody said yes beforehand.
    NotAsked,
    /// There is nothing to be changed.
    Nothing,
}

/// Whether somebody sits at a terminal who can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, unless the command line has said it already or nobody can be asked.
pub(crate) fn ask(dry_run: bool, yes: bool, json: bool, question: &str) -> Result<Answer, Failure> {
    if dry_run {
        return Ok(Answer::DryRun);
    }
    if yes {
        return Ok(Answer::Yes);
    }
    // A document is for programs.
    if json || !can_ask() {
        return Ok(Answer::NotAsked);
    }
    let theme = ColorfulTheme::default();
    let said = prompt(|| Confirm::with_theme(&theme).with_prompt(question).default(true).interact_opt())?;
    Ok(if said.unwrap_or(false) { Answer::Yes } else { Answer::No })
}

/// Lets the user take some of a list, all of which are marked at first; `None` if they leave it or take none.
pub(crate) fn pick(question: &str, labels: &[String]) -> Result<Option<Vec<usize>>, Failure> {
    let theme = ColorfulTheme::default();
    let question = format!("{question} (space marks, enter goes on)");
    let select = MultiSelect::with_theme(&theme).with_prompt(question).report(false);
    let picked = prompt(|| select.items_checked(labels.iter().map(|label| (label, true))).interact_opt())?;
    Ok(picked.filter(|picked| !picked.is_empty()))
}

/// Lets the user choose one of a few ways; `None` if they leave it.
pub(crate) fn one_of(question: &str, ways: &[&str]) -> Result<Option<usize>, Failure> {
    let theme = ColorfulTheme::default();
    let select = Select::with_theme(&theme).with_prompt(question).items(ways).default(0);
    prompt(|| select.interact_opt())
}

/// Asks; `None` also for Ctrl-C.
fn prompt<T>(ask: impl FnOnce() -> dialoguer::Result<Option<T>>) -> Result<Option<T>, Failure> {
    keep_alive();
    match ask() {
        Ok(said) => Ok(said),
        Err(dialoguer::Error::IO(error)) => {
            // It was hidden for the prompt, which does not bring it back then.
            let _ = Term::stderr().show_cursor();
            if error.kind() == std::io::ErrorKind::Interrupted {
                Screen::error("\n");
                return Ok(None);
            }
            Err(Failure::usage(format!("the terminal cannot be asked: {error}"))
                .advise("try", "the same command with --yes, or with --dry-run to see what it would do"))
        }
    }
}

/// Ctrl-C ends the prompt from now on and not the process, which would leave the terminal without its cursor.
fn keep_alive() {
    // On Windows a prompt does not end with it.
    #[cfg(unix)]
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        runtime.block_on(async {
            // The first look registers it, for as long as the process lives.
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => {}
                () = std::future::ready(()) => {}
            }
        });
    }
}
