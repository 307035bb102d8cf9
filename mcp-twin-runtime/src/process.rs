//! The processes of twins: started in a group of their own, ended as a whole tree, never mistaken for a stranger.
//!
//! Owns spawning, waiting, the stop ladder and the sweep. Knows nothing of MCP: pipes are handed to whoever asked.
//!
//! A leader is waited for without being reaped, its group is signalled while the leader still holds the group's id, and
//! only then is it reaped: so no signal can reach a process that merely got the same number. Where children are to be kept
//! (`keep_children`), the members of the group are signalled one by one instead.

mod container;
mod identity;
mod keep;
mod minder;
mod spawn;
mod sweep;

pub use container::{Container, Containers, Say, left_containers, sweep_containers};
pub use identity::{boot_id, start_time};
pub use keep::KEEP;
pub use minder::{Minder, Pipes, StopOrder};
pub use spawn::{Launch, Launched, become_subreaper, not_runnable, spawn};
pub use sweep::{sweep_orphans, sweep_token};

/// The variable that carries the token of a twin into its environment, and so into those of its children.
pub const TOKEN: &str = "MCP_TWIN_TOKEN";
