//! What `mcp-twin start` says once a server is served.

use super::style::{DIM, GOOD, NAME, paint};
use mcp_twin_core::control::FrontStatus;
use mcp_twin_core::swap::TwinView;
use std::fmt::Write as _;

/// `✓ Started twins for api …`
pub(crate) fn started(status: &FrontStatus) -> String {
    let server = &status.server;
    let mut text = format!("{} Started twins for {}\n", paint(GOOD, "✓"), paint(NAME, server));
    text.push_str(&place(status));
    let tip = if status.watched.is_some_and(|files| files > 0) {
        "edit your server code and save it".to_owned()
    } else {
        format!("edit your server code, then run mcp-twin reload {server}")
    };
    let _ = writeln!(text, "  {} {tip}", paint(DIM, "Tip:    "));
    text
}

/// Where it is, and the twins behind it.
pub(crate) fn place(status: &FrontStatus) -> String {
    let mut text = String::new();
    if let Some(url) = &status.url {
        let _ = writeln!(text, "  Front:   {url}");
    }
    let swap = &status.swap;
    let standby = swap.warm.as_ref().or(swap.standby.as_ref().map(|(standby, _)| standby));
    if let Some(active) = &swap.active {
        let standby = standby.map_or_else(String::new, |standby| {
            format!(
                "   Standby: {}{}",
                twin(standby),
                if swap.warm.is_some() && !swap.warm_ready { ", starting" } else { "" }
            )
        });
        let _ = writeln!(text, "  Active:  {}{standby}", twin(active));
    }
    text
}

fn twin(view: &TwinView) -> String {
    let port = view.port.map_or_else(String::new, |port| format!(" port {port}"));
    let pid = view.pid.map_or_else(String::new, |pid| format!(" (PID {pid})"));
    format!("{}{port}{pid}", view.slot)
}
