//! A terminal that a screen of ours has taken for itself, and what comes from it: keys, other sizes, the wish to end.
//!
//! Whatever happens to us the terminal is given back as it was: at a key, at a signal, at a panic on any thread. Only a KILL
//! leaves it taken, and then `reset` helps.

use mcp_twin_runtime::process;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyEvent};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, IsTerminal as _, stdin, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is taken now. There is one of each process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken(());

impl Taken {
    /// Takes it: keys come one by one, nothing that is typed is shown, and there is a screen of our own.
    pub(crate) fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            // First, or the screen would take the message with it.
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                told(info);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let taken = Self(());
        execute!(stdout(), EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(taken)
    }

    /// Whether it is still ours: a panic on another thread has given it back.
    pub(crate) fn is_ours(&self) -> bool {
        TAKEN.load(Ordering::SeqCst)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(stdout(), Show, EnableLineWrap, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Whether there is a terminal to be taken: one that shows what is written anywhere, and has keys.
pub(crate) fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stdout().is_terminal() && stdin().is_terminal() && !dumb
}

/// Whether colours are wanted on it.
pub(crate) fn has_colours() -> bool {
    anstream::AutoStream::choice(&stdout()) != anstream::ColorChoice::Never
}

/// What comes from the terminal or about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// It has another size.
    Resized,
    /// The process is told to end, or the terminal is gone.
    Over,
}

/// Gives what comes from now on, until `take` says that nobody wants it any more. Needs a terminal that is taken.
pub(crate) fn listen(take: impl FnMut(Input) -> bool + Clone + Send + 'static) {
    let mut keys = take.clone();
    // It ends with the process: nothing can wake it but a key.
    std::thread::spawn(move || {
        loop {
            let input = match event::read() {
                Ok(Event::Key(key)) if key.is_press() => Input::Key(key),
                Ok(Event::Resize(..)) => Input::Resized,
                Ok(_) => continue,
                Err(_) => Input::Over,
            };
            if !keys(input) || input == Input::Over {
                return;
            }
        }
    });
    listen_for_the_end(take);
}

/// Says when the process is told to end.
pub(crate) fn listen_for_the_end(mut take: impl FnMut(Input) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // A system without signals has the keys.
        if let Ok(runtime) = runtime {
            runtime.block_on(process::told_to_end());
            take(Input::Over);
        }
    });
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};
    use std::fs::File;
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    /// What the test below runs on a terminal; by itself it does nothing.
    #[test]
    #[ignore = "needs a terminal, which it wrecks if it fails"]
    fn panics() {
        let _taken = Taken::take().expect("a terminal");
        let _ = std::thread::spawn(|| panic!("of another thread")).join();
        assert!(TAKEN.load(Ordering::SeqCst), "the first panic has given it back");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_read() {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("one that may be used");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other side");
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "terminal::tests::panics", "--ignored", "--nocapture"])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("it starts");
        let mut from = File::from(ours);
        // A terminal holds little: it is read while the child writes.
        let reader = std::thread::spawn(move || {
            let (mut all, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = from.read(&mut part) {
                all.extend_from_slice(&part[..read]);
            }
            String::from_utf8_lossy(&all).into_owned()
        });
        assert!(!child.wait().expect("a child").success(), "the second assertion has failed");
        let modes = tcgetattr(&theirs).expect("its settings");
        drop(theirs);
        let text = reader.join().expect("no panic");
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in {text:?}"));
        assert!(at("\u{1b}[?1049h") < at("\u{1b}[?1049l") && at("\u{1b}[?1049l") < at("of another thread"), "{text:?}");
        assert_eq!(text.matches("\u{1b}[?1049l").count(), 1, "once is enough: {text:?}");
        assert!(modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{text:?}");
    }
}
