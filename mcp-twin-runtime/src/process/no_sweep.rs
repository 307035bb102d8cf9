//! No sweep by token: the environment of a process cannot be read here. On Windows nothing is left to be swept, since a
//! job ends with its front; on macOS what left its twin's group, or outlived a killed front, has to end by itself, as a
//! server does at the end of its stdin.

use mcp_twin_core::ProcessIdentity;

/// Ends nothing.
#[cfg(unix)]
pub fn sweep_orphans(_token: &str) {}

/// Ends nothing, and so returns 0.
pub fn sweep_token(_prefix: &str, _spare: impl Fn(&str) -> bool, _leaders: &[ProcessIdentity]) -> usize {
    0
}

/// Ends nothing, and so returns 0.
pub async fn sweep_token_and_wait(_prefix: &str, _spare: impl Fn(&str) -> bool, _leaders: &[ProcessIdentity]) -> usize {
    0
}
