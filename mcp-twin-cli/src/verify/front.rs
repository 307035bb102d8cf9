//! The front that a server is verified behind.

use super::Order;
use mcp_twin_core::control::{Answer, Ask};
use mcp_twin_core::swap::{Notice, Outcome};
use mcp_twin_core::{Code, Fault};
use mcp_twin_runtime::embedded::{EventStream, Front, FrontEvent};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::run::RunOrder;

/// Returns only if the first start came to nothing.
pub(super) async fn cannot_start(front: &Front) -> Fault {
    match front.first().await {
        Some(Outcome::Failed { fault, .. }) => fault,
        _ => std::future::pending().await,
    }
}

/// A fresh twin of the same code takes over.
pub(super) async fn swap(front: &Front) -> Result<(), Fault> {
    for ask in [Ask::Reload, Ask::Swap { force: false }] {
        match front.ask(ask).await {
            Answer::Outcome(Outcome::Verified { .. } | Outcome::Swapped { .. }) => {}
            Answer::Outcome(Outcome::Failed { fault, .. } | Outcome::RolledBack { why: Some(fault), .. })
            | Answer::Error(fault) => return Err(fault),
            other => return Err(Fault::new(Code::Host, format!("the front did something else: {other:?}"))),
        }
    }
    Ok(())
}

/// What went wrong at the front, from its beginning to its end.
pub(super) async fn troubles(mut events: EventStream) -> Vec<Fault> {
    let mut troubles = Vec::new();
    while let Some(event) = events.next().await {
        if let FrontEvent::Notice(
            Notice::ReloadFailed { fault, .. }
            | Notice::Crashed { fault, .. }
            | Notice::Down { fault }
            | Notice::RolledBack { why: Some(fault), .. },
        ) = event
        {
            troubles.push(fault);
        }
    }
    troubles
}

/// The last that the serving twin wrote to its stderr.
pub(super) async fn stderr_of(front: &Front) -> String {
    match front.ask(Ask::Status).await {
        Answer::Status(status) => status.stderr_tail,
        _ => String::new(),
    }
}

/// The order that it is started with.
pub(super) fn order_of(order: &Order) -> RunOrder {
    let name = Some(order.name.clone()).filter(|name| !name.is_empty());
    RunOrder {
        // Not used: the front has a private one.
        home: Home::at(std::env::temp_dir()),
        name,
        command: order.command.clone(),
        recorded: None,
        watch: Vec::new(),
        ignore: Vec::new(),
        options: order.options.clone(),
        chosen: vec!["watch_files", "tell"],
        cwd: order.cwd.clone(),
        env: order.env.clone(),
        record: None,
        config: None,
    }
}
