//! The user's word for a change of files that are theirs.

use crate::failure::Failure;
use dialoguer::console::Term;
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, MultiSelect, Select};
use std::io::{ErrorKind, IsTerminal as _};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a signal takes at most from the system to the thread that waits for it.
const INTERRUPT: Duration = Duration::from_secs(1);

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

/// Asks, with the terminal as it was afterwards.
fn prompt<T>(ask: impl FnOnce() -> dialoguer::Result<Option<T>>) -> Result<Option<T>, Failure> {
    #[cfg(unix)]
    interrupt::heed();
    interrupt::OPEN.store(true, Ordering::SeqCst);
    let said = match ask() {
        Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::Interrupted => {
            // It was Ctrl-C, for which the other thread ends this process; else nobody said yes.
            std::thread::park_timeout(INTERRUPT);
            let _ = Term::stderr().show_cursor();
            Ok(None)
        }
        said => said,
    };
    interrupt::OPEN.store(false, Ordering::SeqCst);
    said.map_err(|dialoguer::Error::IO(error)| {
        let _ = Term::stderr().show_cursor();
        Failure::usage(format!("the terminal cannot be asked: {error}"))
            .advise("try", "the same command with --yes, or with --dry-run to see what it would do")
    })
}

/// Ctrl-C at a prompt, which hides the cursor and would leave it hidden.
mod interrupt {
    use std::sync::atomic::AtomicBool;

    /// Whether a prompt is open.
    pub(super) static OPEN: AtomicBool = AtomicBool::new(false);

    /// From now on Ctrl-C ends this process with its cursor shown. The thread that sees to it ends with the process.
    #[cfg(unix)]
    pub(super) fn heed() {
        static BEGUN: std::sync::Once = std::sync::Once::new();
        BEGUN.call_once(|| {
            // Without it Ctrl-C does what it always does, but for the cursor.
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let heard = {
                let _within = runtime.enter();
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
            };
            let Ok(mut heard) = heard else { return };
            std::thread::spawn(move || {
                if runtime.block_on(heard.recv()).is_some() {
                    end();
                }
            });
        });
    }

    #[cfg(unix)]
    fn end() -> ! {
        use crate::exit::Exit;
        use crate::screen::Screen;
        // What a shell says of a process that SIGINT ended.
        const INTERRUPTED: i32 = 130;
        let _ = dialoguer::console::Term::stderr().show_cursor();
        if OPEN.load(std::sync::atomic::Ordering::SeqCst) {
            Screen::error("\nNothing was changed.\n");
            std::process::exit(Exit::No.status().into());
        }
        std::process::exit(INTERRUPTED);
    }
}
