//! What a message costs in the relay, beyond reading and writing it: `cargo xtask bench relay`.
//!
//! A session is open, its twin serves, and both pipes accept everything at once. One message is timed: given to the relay,
//! and taken out of it on the other side.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use divan::{Bencher, counter::BytesCount};
use mcp_twin_core::ids::TwinId;
use mcp_twin_core::relay::{Meter, Relay};
use mcp_twin_core::spec::{Options, Transport};
use mcp_twin_core::time::Moment;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;

const TWIN: TwinId = TwinId(1);
const META: &str =
    r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;

fn main() {
    divan::main();
}

#[derive(Clone, Copy)]
struct Case {
    modern: bool,
    size: usize,
    /// Both carry what is remembered: a state, a cursor, or a task.
    kept: Option<Kept>,
}

#[derive(Clone, Copy)]
enum Kept {
    State,
    Cursor,
    Task,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = match self.kept {
            None => "",
            Some(Kept::State) => " requestState",
            Some(Kept::Cursor) => " cursor",
            Some(Kept::Task) => " task",
        };
        write!(f, "{} {:>5} B{kept}", if self.modern { "modern" } else { "legacy" }, self.size)
    }
}

const fn case(modern: bool, size: usize, kept: Option<Kept>) -> Case {
    Case { modern, size, kept }
}

const CASES: &[Case] = &[
    case(false, 200, None),
    case(false, 200, Some(Kept::Cursor)),
    case(false, 200, Some(Kept::Task)),
    case(false, 4 << 10, None),
    case(false, 64 << 10, None),
    case(true, 300, None),
    case(true, 300, Some(Kept::State)),
    case(true, 300, Some(Kept::Cursor)),
    case(true, 4 << 10, None),
    case(true, 64 << 10, None),
];

/// An open session.
struct Session {
    relay: Relay,
    case: Case,
    id: u64,
    /// Our numbers of the open requests, oldest first.
    open: VecDeque<u64>,
}

impl Session {
    fn new(case: Case) -> RefCell<Self> {
        let mut session =
            Self { relay: Relay::new(&Options::defaults(Transport::Stdio)), case, id: 0, open: VecDeque::new() };
        let now = Moment::ZERO;
        // As every front has it.
        session.relay.set_meter(Meter::default());
        session.relay.attach(TWIN);
        session.relay.probe(TWIN, false, now);
        let (method, params) = match case.modern {
            true => ("server/discover", format!(r#"{{"_meta":{{{META}}}}}"#)),
            false => (
                "initialize",
                r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}"#
                    .to_owned(),
            ),
        };
        session.client(&format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{method}","params":{params}}}"#));
        let number = session.number();
        let result = match case.modern {
            true => r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#,
            false => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{}},"serverInfo":{"name":"s","version":"1"}}"#
            }
        };
        session.twin(&format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{result}}}"#));
        session.relay.prepare(TWIN, now);
        session.relay.handover(TWIN, now).unwrap();
        if !case.modern {
            session.client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        }
        session.write();
        while session.relay.poll_event().is_some() {}
        RefCell::new(session)
    }

    fn client(&mut self, line: &str) {
        self.relay.client_line(line.as_bytes(), Moment::ZERO);
    }

    fn twin(&mut self, line: &str) {
        self.relay.twin_line(TWIN, line.as_bytes(), Moment::ZERO);
    }

    /// The number of the request that waits for the twin.
    fn number(&mut self) -> u64 {
        let line = String::from_utf8(self.relay.twin_output(TWIN).to_vec()).unwrap();
        self.write();
        let behind = line.split("\"id\":").nth(1).unwrap();
        behind.split(|digit: char| !digit.is_ascii_digit()).next().unwrap().parse().unwrap()
    }

    /// Both sides read everything; says how much.
    fn write(&mut self) -> usize {
        let (client, twin) = (self.relay.client_output().len(), self.relay.twin_output(TWIN).len());
        self.relay.client_written(client);
        self.relay.twin_written(TWIN, twin, Moment::ZERO);
        client + twin
    }

    fn request(&mut self) -> String {
        self.id += 1;
        let id = self.id;
        let meta = if self.case.modern { META } else { r#""claudecode/toolUseId":"toolu_01""# };
        let (method, kept) = match self.case.kept {
            None => ("tools/call", String::new()),
            Some(Kept::State) => ("tools/call", format!(r#""requestState":"s-{}","#, id.saturating_sub(300))),
            Some(Kept::Cursor) => ("tools/list", format!(r#""cursor":"c-{}","#, id.saturating_sub(300))),
            Some(Kept::Task) => ("tools/call", r#""task":{"ttl":60000},"#.to_owned()),
        };
        let head = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{kept}"name":"echo","_meta":{{"progressToken":{id},{meta}}},"arguments":{{"text":""#
        );
        let fill = "x".repeat(self.case.size.saturating_sub(head.len() + 5));
        format!("{head}{fill}\"}}}}}}")
    }

    fn answer(&mut self, number: u64) -> String {
        let kept = match self.case.kept {
            None => String::new(),
            Some(Kept::State) => format!(r#""resultType":"input_required","requestState":"s-{number}","#),
            Some(Kept::Cursor) => format!(r#""nextCursor":"c-{number}","#),
            Some(Kept::Task) => format!(r#""task":{{"taskId":"t-{number}","status":"working","ttl":60000}},"#),
        };
        let head = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{{kept}"content":[{{"type":"text","text":""#);
        let fill = "y".repeat(self.case.size.saturating_sub(head.len() + 6));
        format!("{head}{fill}\"}}]}}}}")
    }

    /// A request that is open at the twin.
    fn ask(&mut self) -> u64 {
        let request = self.request();
        self.client(&request);
        self.number()
    }
}

/// A request of the client, until the twin has it.
#[divan::bench(args = CASES)]
fn request(bencher: Bencher<'_, '_>, case: &Case) {
    let session = Session::new(*case);
    bencher
        .with_inputs(|| {
            let mut session = session.borrow_mut();
            // Not timed: an earlier one is answered.
            if let Some(number) = session.open.pop_front() {
                let answer = session.answer(number);
                session.twin(&answer);
            }
            session.write();
            session.request()
        })
        .input_counter(|line: &String| BytesCount::of_str(line.as_str()))
        .bench_local_refs(|line| {
            let mut session = session.borrow_mut();
            session.relay.client_line(line.as_bytes(), Moment::ZERO);
            let waiting = session.relay.twin_output(TWIN).len();
            session.relay.twin_written(TWIN, waiting, Moment::ZERO);
            let id = session.id;
            session.open.push_back(id);
            waiting
        });
}

/// An answer of the twin, until the client has it.
#[divan::bench(args = CASES)]
fn answer(bencher: Bencher<'_, '_>, case: &Case) {
    let session = Session::new(*case);
    bencher
        .with_inputs(|| {
            let mut session = session.borrow_mut();
            let number = session.ask();
            session.answer(number)
        })
        .input_counter(|line: &String| BytesCount::of_str(line.as_str()))
        .bench_local_refs(|line| {
            let mut session = session.borrow_mut();
            session.relay.twin_line(TWIN, line.as_bytes(), Moment::ZERO);
            let waiting = session.relay.client_output().len();
            session.relay.client_written(waiting);
            waiting
        });
}

/// A notification of progress, until the client has it.
#[divan::bench(args = CASES)]
fn progress(bencher: Bencher<'_, '_>, case: &Case) {
    let session = Session::new(*case);
    session.borrow_mut().ask();
    let head =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":""#;
    let line = format!("{head}{}\"}}}}", "z".repeat(case.size.saturating_sub(head.len() + 3)));
    bencher.counter(BytesCount::of_str(line.as_str())).bench_local(|| {
        let mut session = session.borrow_mut();
        session.relay.twin_line(TWIN, line.as_bytes(), Moment::ZERO);
        let waiting = session.relay.client_output().len();
        assert!(waiting >= line.len(), "it was not passed on");
        session.relay.client_written(waiting);
        waiting
    });
}
