//! The processes of twins: started in a group of their own, ended as a whole tree, never mistaken for a stranger.
//!
//! Owns spawning, waiting, the stop ladder and the sweep. Knows nothing of MCP: pipes are handed to whoever asked.
//!
//! On Unix a leader is waited for without being reaped, its group is signalled while the leader still holds the group's
//! id, and only then is it reaped: so no signal can reach a process that merely got the same number. Where children are to
//! be kept (`keep_children`), the members of the group are signalled one by one instead. On Windows a twin is a job, and is
//! ended through its handle. A twin that outlived the front which started it is nobody's child here: see [`Survivor`].

#[cfg_attr(not(target_os = "linux"), path = "process/no_adopted.rs")]
mod adopted;
mod container;
mod detached;
mod identity;
mod keep;
#[cfg_attr(not(target_os = "linux"), path = "process/any_listener.rs")]
mod listener;
#[cfg_attr(not(target_os = "linux"), path = "process/polled_load.rs")]
mod load;
mod minder;
#[cfg(target_os = "linux")]
mod pages;
#[cfg_attr(not(target_os = "linux"), path = "process/no_seen.rs")]
mod seen;
mod spawn;
#[cfg_attr(not(target_os = "linux"), path = "process/polled_survivor.rs")]
mod survivor;
#[cfg_attr(not(target_os = "linux"), path = "process/no_sweep.rs")]
mod sweep;
#[cfg_attr(unix, path = "process/unix.rs")]
#[cfg_attr(windows, path = "process/windows.rs")]
mod system;

pub use adopted::{Own, reap_adopted};
pub use container::{Container, Containers, Say, left_containers, sweep_containers};
pub use detached::{Detached, spawn_detached};
pub use identity::{boot_id, start_time};
pub use keep::KEEP;
pub use listener::{listeners, listens};
pub use load::loads;
pub use minder::{Minded, Minder, Pipes, StopOrder};
#[cfg(target_os = "linux")]
pub use pages::forget_the_code;
pub use seen::seen;
pub use spawn::{Launch, Launched, not_runnable, spawn};
pub use survivor::{Survivor, prove};
pub use sweep::{sweep_token, sweep_token_and_wait};
pub use system::{Leader, become_command, fall_silent, leave_terminal, own_this_process, told_to_end};

use std::time::Duration;

/// The variable that carries the token of a twin into its environment, and so into those of its children.
pub const TOKEN: &str = "MCP_TWIN_TOKEN";

/// What a tree of processes takes of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many live.
    pub processes: usize,
    /// Their resident memory, in bytes.
    pub memory: u64,
    /// The time of a processor that they have taken, with that of descendants that have ended since.
    pub cpu: Duration,
}

/// So many processes of a tree are looked at.
const LOOKED_AT: usize = 512;

/// A process of this user, as far as it can be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub pid: u32,
    /// The process that started it, or took it over.
    pub parent: u32,
    /// Its command line.
    pub command: Vec<String>,
    /// The token, if it is a twin or was started by one.
    pub token: Option<String>,
    /// The state directory that its environment means.
    pub home: Option<std::path::PathBuf>,
    /// Whether it outlives its twin by wish (`keep_children`).
    pub kept: bool,
    /// When it was started.
    pub started: Option<std::time::SystemTime>,
}
