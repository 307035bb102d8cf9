//! The exit statuses, the same for every command.

use std::process::ExitCode;

/// How a command ended, as its exit status. The greater one wins where a command spoke to several fronts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// 0: done.
    Fine = 0,
    /// 1: it worked, and the answer is no (`demo` lost a call).
    No = 1,
    /// 2: usage; an unknown or ambiguous server too, and a change that nobody could be asked about.
    Usage = 2,
    /// 3: configuration.
    Configuration = 3,
    /// 4: the server is broken or was rolled back, a swap was refused, a rollback is not possible.
    Broken = 4,
    /// 5: no running front, or none that answers.
    NoFront = 5,
    /// 70: a bug of mcp-twin.
    Bug = 70,
}

impl Exit {
    /// The number that the system sees.
    #[must_use]
    pub const fn status(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// The table shown under `--help`.
pub(crate) const HELP: &str = "\
Exit statuses:
   0  done
   1  the answer is no
   2  usage: also an unknown or ambiguous server, or a change that needs --yes
   3  configuration
   4  the server is broken or was rolled back, a swap was refused, a rollback is not possible
   5  no running front, or none that answers
  70  a bug of mcp-twin; please report it";
