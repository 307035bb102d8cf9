//! `mcp-twin run`: the stdio front.

use crate::config::Config;
use crate::home::Home;
use crate::record::RecordOrder;
use mcp_twin_core::spec::Options;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What `mcp-twin run` was asked to do.
#[derive(Clone, Debug)]
pub struct RunOrder {
    /// The state directory.
    pub home: Home,
    /// `--name`.
    pub name: Option<String>,
    /// The command and its arguments; not empty.
    pub command: Vec<String>,
    /// The command as it may be written down, where it holds values that may not: their references stand in it.
    pub recorded: Option<Vec<String>>,
    /// `--watch`, in order.
    pub watch: Vec<String>,
    /// `--ignore`, in order.
    pub ignore: Vec<String>,
    /// The options.
    pub options: Options,
    /// Keys of the options that somebody chose; for the others the command line may suggest something better.
    pub chosen: Vec<&'static str>,
    /// Where the server runs.
    pub cwd: PathBuf,
    /// Variables for the server beside those of this process, such as those that its entry in a client's configuration sets.
    pub env: Variables,
    /// The files by which this order came about; the front takes their changes over. Without them it watches none.
    pub config: Option<Box<Config>>,
    /// What its client and it say to each other is recorded (over stdio only).
    pub record: Option<RecordOrder>,
}

/// Variables and their values. Values are handed to processes and stand in no file and no text, this one's `Debug` included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl Variables {
    /// Each name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Runs a stdio front on this thread until the client is gone. Returns the exit status.
///
/// # Errors
/// The front could not begin at all (no such folder, no pipes).
pub fn run(order: RunOrder) -> io::Result<u8> {
    // One thread: it relays, and twins die with it. The few looks at files have a small pool that goes away again.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_stack_size(512 << 10)
        .build()?;
    let status = runtime.block_on(crate::front::serve(order));
    // A thread that still reads a terminal must not keep the process.
    runtime.shutdown_background();
    status
}
