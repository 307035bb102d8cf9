//! `mcp-twin status`.

use super::ago::{ago, span};
use super::amount::{bytes, micros};
use super::style::{BAD, DIM, GOOD, NAME, WARN, harmless, paint};
use super::{count, diff, fault, started, twin};
use crate::exit::Exit;
use mcp_twin_core::control::FrontStatus;
use std::fmt::Write as _;
use std::time::Duration;

/// The heading above all blocks.
pub(crate) fn heading() -> String {
    format!("{}\n{}\n", paint(NAME, "MCP Twin Status"), paint(DIM, &"═".repeat(39)))
}

/// Whether the newest code of the server serves.
pub(crate) fn exit(status: &FrontStatus) -> Exit {
    let broken = status.swap.degraded.is_some() || status.swap.state == "down";
    if broken { Exit::Broken } else { Exit::Fine }
}

/// The block of one front. `now` is in seconds since 1970.
pub(crate) fn status(status: &FrontStatus, now: i64) -> String {
    let mut text = format!("\n{}\n", title(status));
    twins(&mut text, status);
    traffic(&mut text, status, now);
    trouble(&mut text, status);
    if let Some(next) = next(status) {
        let _ = writeln!(text, "  {} {next}", paint(GOOD, "Next:"));
    }
    text
}

/// The block of a front that did not answer.
pub(crate) fn silent(server: &str, root: &str, why: &str, advice: &str) -> String {
    let title = format!("{}  {}", paint(NAME, server), paint(DIM, root));
    format!("\n{title}\n  {} {why}\n  {} {advice}\n", paint(BAD, "✗"), paint(GOOD, "Next:"))
}

fn title(status: &FrontStatus) -> String {
    let display = status.display.as_deref().filter(|display| *display != status.server);
    let display = display.map_or_else(String::new, |display| format!(" (\"{}\")", harmless(display)));
    format!("{}{display}  {}", paint(NAME, &status.server), paint(DIM, &status.root))
}

fn twins(text: &mut String, status: &FrontStatus) {
    let swap = &status.swap;
    let health = match (&swap.degraded, swap.baking) {
        (Some(_), _) => paint(WARN, "● degraded: the newest code does not serve").to_string(),
        (None, true) => format!("{}, on trial since the swap", paint(GOOD, "● healthy")),
        (None, false) => paint(GOOD, "● healthy").to_string(),
    };
    match (&swap.active, swap.state.as_str()) {
        (Some(active), _) => line(text, "Active:", &format!("{} {health}", twin(active))),
        (None, "stopped") => line(text, "Active:", &format!("none {}", paint(WARN, "○ stopped by command"))),
        (None, "starting") => {
            let again =
                if swap.degraded.is_some() { "◌ starting again, the last try failed" } else { "◌ starting" };
            line(text, "Active:", &format!("none {}", paint(WARN, again)));
        }
        (None, "handoff") => line(text, "Active:", &format!("none {}", paint(WARN, "◌ handing over, requests wait"))),
        (None, _) => line(text, "Active:", &format!("none {}", paint(BAD, "● down"))),
    }
    match &swap.standby {
        Some((standby, stage)) if stage == "verified" && !started(standby) => {
            line(text, "Standby:", &format!("{}, not started: it starts when the old one has ended", twin(standby)));
        }
        Some((standby, stage)) if stage == "verified" => {
            line(text, "Standby:", &format!("{} {}, waits for swap", twin(standby), paint(GOOD, "● healthy")));
        }
        Some((standby, stage)) => {
            line(text, "Standby:", &format!("{} {}", twin(standby), paint(WARN, &format!("◌ {stage}"))))
        }
        None if swap.warm.is_some() => {
            let warm = swap.warm.as_ref().map(twin).unwrap_or_default();
            let health = if swap.warm_ready { paint(GOOD, "● healthy") } else { paint(WARN, "◌ starting") };
            line(text, "Standby:", &format!("{warm} {health}"));
        }
        None if swap.active.is_some() => {
            let hint = if watches(status) { "none (started at the next save)" } else { "none" };
            line(text, "Standby:", &paint(DIM, hint).to_string());
        }
        None => {}
    }
    if let Some(report) = swap.waiting.as_ref().filter(|report| !report.diff.is_empty()) {
        text.push_str(&diff::diff(&report.diff).replace("\n  ", "\n            ").replacen("  ", "            ", 1));
    }
    if let Some(prev) = &swap.prev {
        line(text, "Previous:", &format!("{}, kept for rollback", twin(prev)));
    }
    for old in &swap.retiring {
        line(text, "Retiring:", &format!("{}, finishes what it began", twin(old)));
    }
    let last =
        status.last_swap_ms_ago.map(|ms| format!(" | Last: {}", ago(Duration::from_millis(ms)))).unwrap_or_default();
    line(text, "Swaps:", &format!("{}{last}", swap.swaps));
}

fn traffic(text: &mut String, status: &FrontStatus, now: i64) {
    let client = match (&status.client, &status.protocol) {
        (Some(client), Some(protocol)) => format!("{} (MCP {})", harmless(client), harmless(protocol)),
        (Some(client), None) => harmless(client),
        (None, _) => "has not said who it is".to_owned(),
    };
    let held =
        if status.held == 0 { String::new() } else { format!(", {}", paint(WARN, &format!("{} held", status.held))) };
    match (&status.url, status.sessions) {
        (Some(url), sessions) => {
            line(text, "URL:", url);
            if status.stdio_twins {
                line(text, "Twins:", "over stdio, a process for each session");
            }
            let sessions = count(sessions.unwrap_or_default(), "session");
            line(text, "Clients:", &format!("{sessions}, {} in flight{held}", count(status.in_flight, "call")));
        }
        (None, _) => line(text, "Client:", &format!("{client}, {} in flight{held}", count(status.in_flight, "call"))),
    }
    calls(text, status);
    memory(text, status);
    let command = shell_words::join(&status.command);
    line(text, "Command:", &harmless(&command));
    let up = span(Duration::from_secs(u64::try_from(now - status.started).unwrap_or(0)));
    let watched = status
        .watched
        .filter(|files| *files > 0)
        .map_or_else(|| "no files watched".to_owned(), |files| format!("{} watched", count(files, "file")));
    line(text, "Front:", &paint(DIM, &format!("PID {}, up {up}, {watched}", status.pid)).to_string());
}

/// How the calls ended and how long they took, once there were any.
fn calls(text: &mut String, status: &FrontStatus) {
    let Some(figures) = status.figures.filter(|figures| figures.calls > 0) else { return };
    let bad = [(figures.tool_errors, "with isError"), (figures.refused, "refused"), (figures.failed, "failed")];
    let bad = bad.iter().filter(|(calls, _)| *calls > 0);
    let bad: String = bad.map(|(calls, how)| format!(", {}", paint(WARN, &format!("{calls} {how}")))).collect();
    let took = match (figures.p50_us, figures.p99_us) {
        (Some(p50), Some(p99)) => format!(" | p50 {}, p99 {}", micros(p50), micros(p99)),
        _ => String::new(),
    };
    line(text, "Calls:", &format!("{} answered{bad}{took}", figures.calls));
}

/// What each twin takes.
fn memory(text: &mut String, status: &FrontStatus) {
    let swap = &status.swap;
    let standby = swap.standby.as_ref().map(|(standby, _)| standby);
    let twins = [swap.active.as_ref(), standby, swap.warm.as_ref(), swap.prev.as_ref()];
    let twins = twins.into_iter().flatten().chain(&swap.retiring);
    let each = twins.filter_map(|twin| {
        let load = status.loads.iter().find(|load| load.twin == twin.twin)?;
        let more = if load.processes > 1 { format!(" in {} processes", load.processes) } else { String::new() };
        Some(format!("{} {}{more}", twin.slot, bytes(load.memory)))
    });
    let each = each.collect::<Vec<_>>();
    if !each.is_empty() {
        line(text, "Memory:", &each.join(", "));
    }
}

fn trouble(text: &mut String, status: &FrontStatus) {
    if let Some(why) = &status.swap.degraded {
        let block = if watches(status) { fault::fault } else { fault::fault_unwatched };
        let _ = write!(text, "  {}{}", paint(BAD, "✗"), block(why, &status.server).replacen("  ", " ", 1));
    }
    if status.watched == Some(0) {
        let _ = writeln!(
            text,
            "  {} no file is there that would be watched, so a save changes nothing: see --watch and --ignore",
            paint(WARN, "!")
        );
    }
    if !status.stale_lists.is_empty() {
        let lists = status.stale_lists.join(" and ");
        let _ = writeln!(
            text,
            "  {} the client has not listed {lists} again since the swap: it may go on with the old ones",
            paint(WARN, "!")
        );
    }
    for warning in &status.warnings {
        let _ = writeln!(text, "  {} {}", paint(WARN, "!"), harmless(warning));
    }
}

/// What to do, where there is something to do that no fault said already.
fn next(status: &FrontStatus) -> Option<String> {
    let server = &status.server;
    let swap = &status.swap;
    match (&swap.standby, swap.state.as_str()) {
        (_, "stopped") => Some(format!("mcp-twin reload {server} to start it again")),
        (Some((_, stage)), _) if stage == "verified" => Some(format!("mcp-twin swap {server} to switch traffic")),
        (_, "down") if swap.degraded.is_none() && watches(status) => {
            Some(format!("fix it and save, or mcp-twin reload {server}"))
        }
        (_, "down") if swap.degraded.is_none() => Some(format!("fix it, then mcp-twin reload {server}")),
        _ if swap.degraded.is_some() => None,
        _ if !status.stale_lists.is_empty() => {
            Some("reconnect the server in the client to see the new lists".to_owned())
        }
        _ => None,
    }
}

/// Whether a save of something starts a twin.
fn watches(status: &FrontStatus) -> bool {
    status.watched.is_some_and(|files| files > 0)
}

/// The servers that are configured and do not run.
pub(crate) fn available(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let text = format!("Available: {}", harmless(&names.join(", ")));
    format!("\n{}\n", super::detect::parts(&text, " ", 80).join("\n"))
}

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<9} {value}");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::render::fixture;
    use mcp_twin_core::control::{Figures, TwinLoad};
    use mcp_twin_core::error::{Code, Fault};
    use mcp_twin_core::ids::{Slot, TwinId};
    use mcp_twin_core::swap::{ProbeReport, Status};

    pub(crate) fn serving() -> FrontStatus {
        FrontStatus {
            release: "2.0.0".to_owned(),
            front: "inbox-collab-7f3a".to_owned(),
            server: "inbox-collab".to_owned(),
            display: Some("Inbox".to_owned()),
            root: "/home/u/mail".to_owned(),
            command: ["python", "my server.py"].map(str::to_owned).to_vec(),
            cwd: "/home/u/mail".to_owned(),
            transport: "stdio".to_owned(),
            stdio_twins: false,
            pid: 12000,
            started: 1_800_000_000,
            swap: Status {
                state: "serving".to_owned(),
                active: Some(fixture::twin(Slot::A, 3, 12345)),
                standby: None,
                warm: None,
                warm_ready: false,
                prev: Some(fixture::twin(Slot::B, 2, 12340)),
                retiring: Vec::new(),
                baking: false,
                degraded: None,
                waiting: None,
                swaps: 3,
                last_swap: None,
            },
            last_swap_ms_ago: Some(125_000),
            client: Some("claude-code 2.1.330".to_owned()),
            protocol: Some("2025-06-18".to_owned()),
            url: None,
            sessions: None,
            stale_lists: Vec::new(),
            in_flight: 1,
            held: 0,
            figures: Some(Figures {
                at_ms: 720_000,
                calls: 1204,
                tool_errors: 3,
                refused: 1,
                failed: 0,
                recent: 64,
                p50_us: Some(2_432),
                p99_us: Some(41_984),
            }),
            loads: vec![load(3, 1, 50_541_363, 41_250), load(2, 2, 47_185_920, 38_020)],
            watched: Some(14),
            warnings: Vec::new(),
            log: Some("/home/u/.mcp-twin/logs/inbox-collab".to_owned()),
            settings: Vec::new(),
            stderr_tail: String::new(),
        }
    }

    pub(crate) fn load(twin: u32, processes: usize, memory: u64, cpu_ms: u64) -> TwinLoad {
        TwinLoad { twin: TwinId(twin), processes, memory, cpu_ms }
    }

    fn states() -> Vec<(&'static str, FrontStatus)> {
        let with = |change: &dyn Fn(&mut FrontStatus)| {
            let mut status = serving();
            change(&mut status);
            status
        };
        vec![
            ("serving", serving()),
            (
                "baking_and_draining",
                with(&|status| {
                    status.swap.baking = true;
                    status.swap.retiring = vec![fixture::twin(Slot::Extra, 1, 12330)];
                    status.last_swap_ms_ago = Some(400);
                    status.stale_lists = vec!["tools".to_owned(), "prompts".to_owned()];
                }),
            ),
            (
                "waiting",
                with(&|status| {
                    status.swap.standby = Some((fixture::twin(Slot::B, 4, 12346), "verified".to_owned()));
                    status.swap.prev = None;
                    status.swap.waiting = Some(ProbeReport { lists_hash: 1, diff: fixture::diff(), server: None });
                }),
            ),
            (
                "degraded",
                with(&|status| {
                    status.swap.degraded = Some(fixture::syntax_error());
                    status.held = 2;
                    status.warnings =
                        vec!["`cache/seen.py` changes at every start: try --ignore 'cache/**'".to_owned()];
                }),
            ),
            (
                "down_and_unwatched",
                with(&|status| {
                    status.swap.state = "down".to_owned();
                    status.swap.active = None;
                    status.swap.prev = None;
                    status.swap.degraded = Some(fixture::syntax_error());
                    status.watched = Some(0);
                }),
            ),
            (
                "waiting_for_handoff",
                with(&|status| {
                    let standby = mcp_twin_core::swap::TwinView { pid: None, ..fixture::twin(Slot::B, 4, 0) };
                    status.swap.standby = Some((standby, "verified".to_owned()));
                }),
            ),
            (
                "starting",
                with(&|status| {
                    status.swap.state = "starting".to_owned();
                    status.swap.active = None;
                    status.swap.prev = None;
                    status.swap.standby = Some((fixture::twin(Slot::A, 1, 12345), "warming".to_owned()));
                    status.swap.swaps = 0;
                    status.last_swap_ms_ago = None;
                    status.client = None;
                    status.figures = Some(Figures { at_ms: 900, ..Figures::default() });
                    status.loads.clear();
                    status.display = None;
                    status.watched = None;
                }),
            ),
            (
                "starting_again",
                with(&|status| {
                    status.swap.state = "starting".to_owned();
                    status.swap.active = None;
                    status.swap.prev = None;
                    status.swap.standby = Some((fixture::twin(Slot::A, 1, 12345), "warming".to_owned()));
                    status.swap.degraded = Some(
                        Fault::new(Code::ProbeTimeout, "the new twin was not ready within 10 s")
                            .with_stderr("waiting for the database\n"),
                    );
                    status.held = 1;
                }),
            ),
            (
                "down",
                with(&|status| {
                    status.swap.state = "down".to_owned();
                    status.swap.active = None;
                    status.swap.prev = None;
                    status.swap.degraded = Some(
                        Fault::new(Code::NotExecutable, "cannot run `pyhton`: no such file")
                            .with_help("did you mean `python`?"),
                    );
                }),
            ),
            (
                "stopped",
                with(&|status| {
                    status.swap.state = "stopped".to_owned();
                    // A front of an older release.
                    status.figures = None;
                    status.loads.clear();
                    status.swap.active = None;
                    status.swap.prev = None;
                }),
            ),
        ]
    }

    #[test]
    fn every_state_as_text() {
        for (name, one) in states() {
            let text = heading() + &status(&one, 1_800_000_720);
            let text = anstream::adapter::strip_str(&text).to_string();
            insta::assert_snapshot!(name, format!("{text}exit {}", exit(&one).status()));
        }
    }

    #[test]
    fn every_state_as_document() {
        for (name, one) in states() {
            insta::assert_json_snapshot!(format!("{name}_json"), crate::document::Front::from(&one));
        }
    }

    #[test]
    fn fronts_of_older_and_newer_releases_are_understood() {
        let mut said = serde_json::to_value(serving()).expect("a status");
        let members = said.as_object_mut().expect("an object");
        assert!(members.remove("figures").is_some() && members.remove("loads").is_some());
        members.insert("of_the_future".to_owned(), serde_json::json!({"more": 1}));
        let heard: FrontStatus = serde_json::from_value(said).expect("it is understood");
        assert_eq!((heard.figures, heard.loads.len()), (None, 0));
        let text = status(&heard, 1_800_000_720);
        assert!(!text.contains("Calls:") && !text.contains("Memory:"), "{text}");
    }

    #[test]
    fn a_front_that_says_nothing() {
        let text = silent("web", "/home/u/web", "the front (pid 12000) does not answer", "reconnect it");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
