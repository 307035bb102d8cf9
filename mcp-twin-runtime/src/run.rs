//! `mcp-twin run`: the stdio front.

use crate::home::Home;
use mcp_twin_core::spec::Options;
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
    /// `--watch`, in order.
    pub watch: Vec<String>,
    /// `--ignore`, in order.
    pub ignore: Vec<String>,
    /// The options.
    pub options: Options,
    /// Keys of the options that somebody chose; for the others the command line may suggest something better.
    pub chosen: Vec<&'static str>,
    /// Where the front runs.
    pub cwd: PathBuf,
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
