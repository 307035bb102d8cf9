//! `mcp-twin hook EVENT`: what the plugin for Claude Code runs at its hooks.
//!
//! It must never be in the way of a session: whatever happens the exit status is 0 (another one would be shown as an error,
//! and 2 would block the tool), there is a bound on what is read and a deadline on each wait, and where there is nothing to
//! say nothing is written.

mod edit;
mod event;
mod files;
mod session;
mod words;

use crate::exit::Exit;
use crate::screen::Screen;
use event::Event;
use mcp_twin_runtime::home::Home;
use serde_json::Value;

/// Answers one hook. An event that is not known here, of a newer client say, is none of ours.
pub(crate) fn hook(home: Option<&Home>, event: &str) -> Exit {
    // Its input is read in any case: a pipe that breaks while the client writes is the client's error message.
    let event = Event::read(event, std::io::stdin());
    if let (Some(home), Some(event)) = (home, event)
        && let Some(answer) = answer(home, &event)
    {
        // One line: the client reads the first one that is JSON.
        Screen::print(&format!("{answer}\n"));
    }
    Exit::Fine
}

fn answer(home: &Home, event: &Event) -> Option<Value> {
    match event {
        Event::SessionStart { cwd } => session::start(home, cwd),
        // What is said at this hook goes to the model.
        Event::PostToolUse { file } => edit::told(home, file).map(|text| {
            serde_json::json!({
                "hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": text}
            })
        }),
        // Nothing can be said to the model at this one; this line is shown to the person.
        Event::FileChanged { file } => edit::told(home, file).map(|text| serde_json::json!({ "systemMessage": text })),
    }
}
