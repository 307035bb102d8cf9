//! Everything a person reads, made of plain data: no terminal, clock, home or front in here.

pub(crate) mod ago;
pub(crate) mod amount;
pub(crate) mod config;
pub(crate) mod content;
pub(crate) mod detect;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod fault;
pub(crate) mod history;
pub(crate) mod named;
pub(crate) mod notify;
pub(crate) mod outcome;
pub(crate) mod replay;
pub(crate) mod served;
pub(crate) mod status;
pub(crate) mod style;
pub(crate) mod unwire;
pub(crate) mod verify;
pub(crate) mod wire;

use mcp_twin_core::swap::TwinView;

/// A twin in one phrase: `A generation 3 (PID 12345)`.
pub(crate) fn twin(view: &TwinView) -> String {
    let port = view.port.map(|port| format!("port {port}"));
    let pid = view.pid.map(|pid| format!("PID {pid}"));
    let place = [port, pid].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
    format!("{} generation {}{place}", view.slot, view.source.generation)
}

/// Whether a twin has a process: under `--strategy handoff` a verified one has none before the swap.
pub(crate) fn started(view: &TwinView) -> bool {
    view.pid.is_some() || view.port.is_some()
}

/// `1 call`, `2 calls`, `2 entries`, `2 processes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        _ if number == 1 => format!("1 {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None if noun.ends_with('s') => format!("{number} {noun}es"),
        None => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Fixed data for the snapshots.

    use mcp_twin_core::error::{Code, Fault};
    use mcp_twin_core::ids::{Generation, Slot, Source, SourceHash, TwinId};
    use mcp_twin_core::relay::diff::{KindDiff, ListDiff, ListKind, Tokens};
    use mcp_twin_core::swap::TwinView;
    use mcp_twin_runtime::fronts::FrontAddress;

    pub(crate) fn twin(slot: Slot, generation: u32, pid: u32) -> TwinView {
        let hash = Some(SourceHash(u128::from(generation) << 100));
        let source = Source { hash, generation: Generation(generation) };
        TwinView { twin: TwinId(generation), slot, source, pid: Some(pid), port: None }
    }

    pub(crate) fn front() -> FrontAddress {
        FrontAddress {
            front: "inbox-collab-7f3a".to_owned(),
            server: "inbox-collab".to_owned(),
            display: Some("Inbox".to_owned()),
            root: "/home/u/mail".into(),
            pid: 12000,
            socket: "/home/u/.mcp-twin/run/inbox-collab-7f3a".into(),
        }
    }

    pub(crate) fn diff() -> ListDiff {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ListDiff {
            lists: vec![
                (
                    ListKind::Tools,
                    KindDiff {
                        added: names(&["shout"]),
                        removed: names(&["whisper"]),
                        changed: names(&["add", "echo"]),
                    },
                ),
                (ListKind::Templates, KindDiff { added: names(&["mail://{id}"]), ..KindDiff::default() }),
            ],
            breaking: names(&["tool `add`: new required argument `c`", "tool `whisper` is gone"]),
            tokens: Some(Tokens { before: 2100, after: 2340 }),
        }
    }

    pub(crate) fn syntax_error() -> Fault {
        Fault::new(Code::ExitedEarly, "the twin exited with status 1 before it was ready").with_stderr(
            "starting inbox 4.2\n  File \"/home/u/mail/server.py\", line 12\n    def add(a, b:\n           ^\n\
             SyntaxError: '(' was never closed\n",
        )
    }
}
