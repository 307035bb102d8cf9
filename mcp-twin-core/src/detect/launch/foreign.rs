//! Commands that run in another file system: WSL, ssh. Their paths name nothing here, so nothing of theirs is watched.

use super::reading::{Found, Reading};
use super::words::Opts;
use super::{Blind, Flag, Kind, Place, TwinHint, path};
use std::path::Path;

/// Options of `ssh` that take a value.
const SSH: &[&str] = &[
    "-B", "-b", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O", "-o", "-P", "-p", "-Q", "-R",
    "-S", "-W", "-w",
];

impl Reading<'_> {
    pub(super) fn foreign(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "wsl" => Some(self.wsl(args)),
            "ssh" => {
                let opts = Opts::read(args, SSH);
                let line = opts.rest.get(1..).unwrap_or_default().join(" ");
                Some(self.elsewhere(Kind::Binary, None, |reading| reading.line(&line)))
            }
            _ => None,
        }
    }

    fn wsl(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(
            args,
            &["-d", "--distribution", "--distribution-id", "-u", "--user", "--cd", "--shell-type", "--system"],
        );
        let folder = opts.value(&["--cd"]).filter(|folder| path::is_absolute(folder));
        if opts.has(&["--cd"]) {
            // `--cd ~` is a home that is not known here.
            self.cwd = folder.map(str::to_owned);
        }
        let inside = folder.filter(|folder| !path::is_windows(folder));
        self.elsewhere(Kind::Wsl, inside, |reading| reading.run(opts.rest))
    }

    /// What runs there is said, so far as its words tell; it is nothing to put a front before.
    fn elsewhere(&mut self, kind: Kind, cwd: Option<&str>, read: impl FnOnce(&mut Reading<'_>) -> Found) -> Found {
        self.flags.insert(Flag::ForeignFilesystem);
        let place = Place { cwd: cwd.map(Path::new), ..Place::new(&Blind) };
        let mut reading = Reading::new(&place);
        reading.depth = self.depth;
        let inner = read(&mut reading);
        self.cwd = reading.cwd.or(self.cwd.take());
        let lost = [Flag::NoScript, Flag::OpaqueScript];
        self.flags.extend(reading.flags.into_iter().filter(|flag| !lost.contains(flag)));
        Found { script: inner.script, package: inner.package, twin: Some(TwinHint::Skip), ..Found::new(kind) }
    }
}
