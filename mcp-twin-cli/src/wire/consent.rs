//! The user's word for a change of files that are theirs.

use crate::failure::Failure;
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
    let said = Confirm::with_theme(&ColorfulTheme::default()).with_prompt(question).default(true).interact_opt();
    Ok(if said.map_err(no_prompt)?.unwrap_or(false) { Answer::Yes } else { Answer::No })
}

/// Lets the user take some of a list, all of which are marked at first; `None` if they leave it or take none.
pub(crate) fn pick(question: &str, labels: &[String]) -> Result<Option<Vec<usize>>, Failure> {
    let theme = ColorfulTheme::default();
    let prompt = format!("{question} (space marks, enter goes on)");
    let select = MultiSelect::with_theme(&theme).with_prompt(prompt).report(false);
    let picked = select.items_checked(labels.iter().map(|label| (label, true))).interact_opt().map_err(no_prompt)?;
    Ok(picked.filter(|picked| !picked.is_empty()))
}

/// Lets the user choose one of a few ways; `None` if they leave it.
pub(crate) fn one_of(question: &str, ways: &[&str]) -> Result<Option<usize>, Failure> {
    let theme = ColorfulTheme::default();
    let select = Select::with_theme(&theme).with_prompt(question).items(ways).default(0);
    select.interact_opt().map_err(no_prompt)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn no_prompt(error: dialoguer::Error) -> Failure {
    Failure::usage(format!("the terminal cannot be asked: {error}"))
        .advise("try", "the same command with --yes, or with --dry-run to see what it would do")
}
