//! `mcp-twin call`: a tool of a running server, called beside its clients.

use crate::act::unanswered;
use crate::args::CallArgs;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::content;
use crate::render::style::harmless;
use crate::screen::{Screen, Waiting};
use crate::target::{self, Wanted};
use crate::verify::arguments_of;
use mcp_twin_core::control::{Answer, Ask, ToolAnswer};
use mcp_twin_core::error::{Code, Fault};
use mcp_twin_runtime::fronts::{self, FrontAddress};
use mcp_twin_runtime::home::Home;
use serde_json::{Value, json};
use std::time::Duration;

/// So much longer than the tool the front may take.
const GRACE: Duration = Duration::from_secs(10);

/// What the words of the command line are.
#[derive(Debug, PartialEq)]
struct Words<'a> {
    server: Option<&'a str>,
    tool: &'a str,
    arguments: Value,
}

/// Calls the tool and shows what it answered.
pub(crate) fn call(home: &Home, args: &CallArgs, json: bool) -> Result<Exit, Failure> {
    let words = words(&args.words)?;
    // A check before a swap asks at its own front, and so does a server that calls itself.
    let own = std::env::var("MCP_TWIN_FRONT").ok().filter(|_| words.server.is_none() && args.front.is_none());
    let front = match &own {
        Some(id) => own_front(home, id)?,
        None => front(home, words.server, args.front.as_deref())?,
    };
    let ask = Ask::Call {
        standby: args.standby,
        tool: words.tool.to_owned(),
        arguments: words.arguments,
        patience_ms: u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX),
    };
    let waiting = Waiting::begin(format!("{} of {}", words.tool, front.server));
    let reply = fronts::ask(&front, &ask, args.timeout.saturating_add(GRACE));
    drop(waiting);
    match reply {
        Ok(Answer::Called(answer)) => Ok(show(&front, words.tool, args.standby, &answer, json)),
        Ok(Answer::Error(fault)) => Err(failed(fault, Exit::Broken)),
        Ok(_) => Err(failed(Fault::new(Code::Host, "the front answered another question"), Exit::NoFront)),
        Err(error) => Err(failed(unanswered(&error), Exit::NoFront)),
    }
}

/// The server where three words or two are given, the tool, and the arguments where the last word is JSON.
fn words(words: &[String]) -> Result<Words<'_>, Failure> {
    let (names, arguments) = match words.split_last() {
        Some((last, names)) if !names.is_empty() && (last.trim_start().starts_with(['{', '[']) || words.len() == 3) => {
            let arguments = arguments_of(last)
                .map_err(|why| Failure::usage(why).advise("such as", "mcp-twin call echo '{\"text\": \"hello\"}'"))?;
            (names, arguments)
        }
        _ => (words, json!({})),
    };
    match names {
        [tool] => Ok(Words { server: None, tool, arguments }),
        [server, tool] => Ok(Words { server: Some(server), tool, arguments }),
        _ => Err(Failure::usage("a tool is needed: mcp-twin call [SERVER] TOOL [JSON]")),
    }
}

/// The front that has started this process, whatever else runs.
fn own_front(home: &Home, id: &str) -> Result<FrontAddress, Failure> {
    fronts::running(home).into_iter().find(|front| front.front == id).ok_or_else(|| {
        let message = format!("the front that started this, {id} by MCP_TWIN_FRONT, does not run any more");
        Failure::no_front(message).advise("to call another one", "mcp-twin call SERVER TOOL")
    })
}

/// The front that is meant. A tool may change things, so it is never called at two.
fn front(home: &Home, server: Option<&str>, id: Option<&str>) -> Result<FrontAddress, Failure> {
    let mut found = target::pick(&fronts::running(home), &target::known(home), Wanted::one(server), "call")?;
    if let Some(id) = id {
        found.retain(|front| front.front == id);
        if found.is_empty() {
            return Err(Failure::unknown_server(id).advise("see", "mcp-twin status"));
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        several => {
            let ids: Vec<String> =
                several.iter().map(|front| format!("--front {}  (PID {})", front.front, front.pid)).collect();
            let message = format!("{} fronts serve this server; which one?", several.len());
            Err(Failure::ambiguous_server(message).advise("one of", format!("\n{}", ids.join("\n"))))
        }
    }
}

fn show(front: &FrontAddress, tool: &str, standby: bool, answer: &ToolAnswer, json: bool) -> Exit {
    let exit = exit(answer);
    if json {
        Screen::json(&document::Called {
            command: "call",
            exit: exit.status(),
            whose: front.into(),
            tool,
            standby,
            twin: (&answer.twin).into(),
            result: answer.result.as_ref(),
            error: answer.error.as_ref(),
            ms: answer.ms,
        });
        return exit;
    }
    if let Some(result) = &answer.result {
        Screen::print(&content::text(result));
        if result["resultType"] == "input_required" {
            let why = format!("`{tool}` asks for more input, which nobody gives here");
            let _ = Failure::refused("cli::call::input_required", why).show(false);
        }
    }
    if let Some(error) = &answer.error {
        let message = harmless(error["message"].as_str().unwrap_or("an error without a message"));
        let _ = Failure::refused("cli::call::refused", format!("the server refuses it: {message} ({})", error["code"]))
            .show(false);
    }
    exit
}

fn exit(answer: &ToolAnswer) -> Exit {
    let good = |result: &Value| result["isError"] != true && result["resultType"] != "input_required";
    if answer.error.is_none() && answer.result.as_ref().is_some_and(good) { Exit::Fine } else { Exit::No }
}

fn failed(fault: Fault, exit: Exit) -> Failure {
    let said = fault.first_line().to_owned();
    let message = if said.is_empty() { fault.message } else { format!("{}: {}", fault.message, harmless(&said)) };
    let failure = Failure::of(exit, fault.code.as_str(), message);
    fault.help.into_iter().fold(failure, |failure, help| failure.advise("try", help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<(Option<String>, String, Value), u8> {
        let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let words = words(&line).map_err(|failure| failure.exit_status())?;
        Ok((words.server.map(str::to_owned), words.tool.to_owned(), words.arguments))
    }

    #[test]
    fn one_to_three_words_are_told_apart() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(&["ping"]), Ok((None, "ping".into(), json!({}))));
        assert_eq!(read(&["web", "ping"]), Ok((some("web"), "ping".into(), json!({}))));
        assert_eq!(read(&["ping", "{\"a\":1}"]), Ok((None, "ping".into(), json!({"a": 1}))));
        assert_eq!(read(&["web", "ping", " {}"]), Ok((some("web"), "ping".into(), json!({}))));
        for wrong in [&["web", "ping", "x"][..], &["ping", "[1]"], &["ping", "{a}"]] {
            assert_eq!(read(wrong), Err(2), "{wrong:?}");
        }
    }
}
