//! A terminal as a person has one: keys go in, and what stands on its screen is seen.

use crate::process;
use crate::wait::{until, until_right};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// A program on a terminal of its own.
pub struct Console {
    child: Child,
    /// The terminal's own side.
    ours: File,
    /// The program's side, held open so that its settings can be seen when the program is gone.
    theirs: OwnedFd,
    shown: Arc<Mutex<Shown>>,
    reader: Option<JoinHandle<()>>,
}

struct Shown {
    screen: vt100::Parser,
    /// All that was ever written.
    bytes: Vec<u8>,
}

/// What a program has left behind.
#[derive(Debug)]
pub struct Left {
    /// How it ended.
    pub status: ExitStatus,
    /// What stands on the screen.
    pub text: String,
    /// All that it has written.
    pub bytes: Vec<u8>,
    /// Whether the screen is still another one than the shell's.
    pub alternate: bool,
    /// Whether the cursor is hidden.
    pub hidden: bool,
    /// Whether lines are edited and shown as they are typed, as a shell wants them.
    pub cooked: bool,
}

impl Left {
    /// Fails the test unless the terminal is as it was before.
    pub fn assert_restored(&self) {
        assert!(!self.alternate && !self.hidden && self.cooked, "{self:?}");
    }
}

impl Console {
    /// Starts a program on a terminal of so many columns and rows.
    #[must_use]
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal that may be used");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .expect("the program's side");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("a size");
        let end = || Stdio::from(theirs.try_clone().expect("another descriptor"));
        // A terminal that can do everything, unless the command says otherwise.
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program starts");
        // The command has descriptors too, which would keep the program's side open for as long as it is there.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let some = |number| NonZero::new(number).expect("a terminal of some size");
        let screen = vt100::Parser::new(some(rows), some(columns), 0);
        let shown = Arc::new(Mutex::new(Shown { screen, bytes: Vec::new() }));
        let (mut from, seen) = (File::from(ours.try_clone().expect("another descriptor")), Arc::clone(&shown));
        // It ends when the last descriptor of the program's side is closed.
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = from.read(&mut buffer) {
                if read == 0 {
                    return;
                }
                let mut shown = seen.lock().expect("no panic while reading");
                shown.screen.process(&buffer[..read]);
                shown.bytes.extend_from_slice(&buffer[..read]);
            }
        });
        Self { child, ours: ours.into(), theirs, shown, reader: Some(reader) }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        (&self.ours).write_all(keys.as_bytes()).expect("a terminal that takes keys");
    }

    /// What stands on the screen.
    #[must_use]
    pub fn text(&self) -> String {
        self.shown().screen.screen().contents()
    }

    /// Waits until the screen is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        until_right(what, || {
            let text = self.text();
            if wanted(&text) { Ok(text) } else { Err(text) }
        })
    }

    /// Waits until all of this stands there.
    pub fn until_shown(&self, wanted: &[&str]) -> String {
        self.until(&format!("{wanted:?} on the screen"), |text| wanted.iter().all(|part| text.contains(part)))
    }

    /// Waits for the end of the program.
    #[must_use]
    pub fn left(mut self) -> Left {
        let text = self.text();
        let status = until(&format!("the end of the program on the terminal; it shows:\n{text}"), || {
            self.child.try_wait().expect("a child of ours")
        });
        let modes = tcgetattr(self.theirs.as_fd()).expect("the terminal's settings");
        let lines = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let cooked = modes.local_modes.contains(lines) && modes.output_modes.contains(OutputModes::OPOST);
        // What it has written last is read to the end.
        let Self { theirs, reader, shown, .. } = &mut self;
        drop(std::mem::replace(theirs, File::open("/dev/null").expect("a descriptor").into()));
        reader.take().expect("it was not waited for yet").join().expect("no panic while reading");
        let shown = shown.lock().expect("no panic while reading");
        let screen = shown.screen.screen();
        Left {
            status,
            text: screen.contents(),
            bytes: shown.bytes.clone(),
            alternate: screen.alternate_screen(),
            hidden: screen.hide_cursor(),
            cooked,
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().expect("no panic while reading")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // A failed test must not leave it behind.
        if matches!(self.child.try_wait(), Ok(None)) {
            process::kill(self.child.id());
            let _ = self.child.wait();
        }
    }
}
