//! Arbitrary lines on both sides of one relay, with swaps, deaths and pipes that nobody reads in between: nothing panics,
//! what the relay holds stays within its bounds, everything it writes is JSON, and an input costs no more at the end of a
//! long session than at its beginning.

mod lines;

use super::rig::Rig;
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::relay::{AGENT_CALLS, AgentAnswer, Relay, RelayEvent, STUCK_CLIENT};
use crate::spec::{Options, Transport};
use crate::testing::chance::{Chance, asked};
use crate::time::Moment;
use lines::Lines;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::time::Duration;

/// Inputs without the variable, and those of one session.
const SHORT: usize = 200_000;
const SESSION: usize = 20_000;

/// How many twins there are at a time at most.
const TWINS: usize = 5;

/// Bounds of the relays under test: small, so that they are met.
const HOLD: (usize, usize) = (16, 4096);

/// No line is longer.
const LINE: usize = 64 << 10;

struct World {
    relay: Relay,
    now: Moment,
    twins: Vec<TwinId>,
    next: u32,
    /// The client does not read, and these twins do not.
    deaf: bool,
    deaf_twin: Option<TwinId>,
    answered: usize,
    swapped: usize,
    /// Calls of the front's own tools that it has not answered, and how many it has.
    asked: Vec<u64>,
    told: usize,
}

impl World {
    fn new() -> Self {
        let mut options = Options::defaults(Transport::Stdio);
        (options.hold_requests, options.hold_bytes) = HOLD;
        options.call_timeout = Some(Duration::from_secs(30));
        Self {
            relay: Relay::new(&options),
            now: Moment::ZERO,
            twins: Vec::new(),
            next: 1,
            deaf: false,
            deaf_twin: None,
            answered: 0,
            swapped: 0,
            asked: Vec::new(),
            told: 0,
        }
    }

    fn pick(&self, chance: &mut Chance) -> Option<TwinId> {
        self.twins.get(chance.below(self.twins.len())).copied()
    }

    fn step(&mut self, lines: &Lines, chance: &mut Chance) {
        let fault = || Fault::new(Code::Crashed, "exited with status 1").with_stderr("boom\n".to_owned());
        let last = self.relay.last;
        match chance.below(100) {
            // What the front would not read, the relay is not given.
            0..=34 if !self.relay.client_is_stuck() => {
                let line = lines.one(true, last, chance);
                self.relay.client_line(&line[..line.len().min(LINE)], self.now);
            }
            35..=59 if !self.relay.client_is_slow() => {
                let line = lines.one(false, last, chance);
                if let Some(twin) = self.pick(chance) {
                    self.relay.twin_line(twin, &line[..line.len().min(LINE)], self.now);
                }
            }
            60..=79 => self.serve(chance),
            80 => self.deaf = chance.one_in(3),
            81 => self.deaf_twin = self.pick(chance).filter(|_| chance.one_in(3)),
            82..=86 => self.start(chance),
            87..=89 => {
                if let Some(twin) = self.pick(chance).filter(|_| !self.relay.client_is_stuck()) {
                    self.relay.prepare(twin, self.now);
                    self.serve(chance);
                    self.swapped += usize::from(self.relay.handover(twin, self.now).is_ok());
                }
            }
            90 => {
                if let Some(twin) = self.pick(chance).filter(|_| chance.one_in(4) || self.twins.len() == TWINS) {
                    self.twins.retain(|other| *other != twin);
                    self.relay.twin_gone(twin, &fault(), self.now);
                }
            }
            91 => match (chance.below(8), self.pick(chance)) {
                (0, Some(twin)) => self.relay.twin_input_closed(twin, self.now),
                (1, Some(twin)) => self.relay.cut(twin, &fault(), self.now),
                (2, Some(twin)) => self.relay.await_idle(twin, self.now),
                (3, Some(twin)) => self.relay.begin_bake(twin),
                (4, Some(twin)) => self.relay.end_bake(twin),
                (5, _) => self.relay.refuse(fault(), self.now),
                (6, _) => self.relay.tell("it failed".to_owned()),
                (_, Some(twin)) => self.relay.drain(twin, self.now),
                _ => self.relay.hold(self.now),
            },
            92 => {
                let line = lines.one(true, last, chance);
                self.relay.client_oversize(&line, self.now);
            }
            93 => {
                let line = lines.one(false, last, chance);
                if let Some(twin) = self.pick(chance) {
                    self.relay.twin_oversize(twin, &line, self.now);
                }
            }
            94..=96 => {
                self.now = self.now + Duration::from_millis(chance.next() % 3000);
                if self.relay.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.relay.handle_timeout(self.now);
                }
            }
            97 if !self.asked.is_empty() => {
                let number = self.asked.swap_remove(chance.below(self.asked.len()));
                let answer = AgentAnswer { text: "fine".to_owned(), tells: chance.one_in(2), ..AgentAnswer::default() };
                self.relay.answer_agent(number, &answer, self.now);
                self.told += 1;
            }
            97 if chance.one_in(64) => {
                let prefix = [Some("twin_"), Some("t"), None][chance.below(3)];
                self.relay.offer_tools(prefix, self.now);
            }
            _ => self.read(chance),
        }
        while let Some(event) = self.relay.poll_event() {
            if let RelayEvent::Asked(number, _) = event {
                self.asked.push(number);
            }
            let said = match &event {
                RelayEvent::Log(_, text) | RelayEvent::Junk(_, text) => text.len(),
                _ => 0,
            };
            assert!(said < 4096, "a log line of {said} bytes");
        }
    }

    fn start(&mut self, chance: &mut Chance) {
        if self.twins.len() < TWINS {
            let twin = TwinId(self.next);
            self.next += 1;
            self.twins.push(twin);
            self.relay.attach(twin);
            self.relay.probe(twin, chance.one_in(2), self.now);
        }
    }

    /// The twins read, and answer what they read: well, mostly.
    fn serve(&mut self, chance: &mut Chance) {
        for twin in self.twins.clone() {
            if self.deaf_twin == Some(twin) {
                continue;
            }
            let output = self.relay.twin_output(twin);
            let some = if chance.one_in(6) { chance.below(output.len() + 1) } else { output.len() };
            let read: Vec<Vec<u8>> = output[..some].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            self.relay.twin_written(twin, some, self.now);
            for line in read.iter().filter(|line| !line.is_empty()) {
                let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
                if !line["method"].is_string()
                    || line["id"].is_null()
                    || chance.one_in(4)
                    || self.relay.client_is_slow()
                {
                    continue;
                }
                let result = match line["method"].as_str().unwrap_or_default() {
                    "initialize" => Rig::welcome(&capabilities()),
                    "server/discover" => Rig::discovery(&capabilities()),
                    "tools/list" => serde_json::json!({"tools": Rig::tools()}),
                    "resources/list" => serde_json::json!({"resources": []}),
                    "resources/templates/list" => serde_json::json!({"resourceTemplates": []}),
                    "prompts/list" => serde_json::json!({"prompts": []}),
                    _ => serde_json::json!({"content": [], "requestState": format!("s-{}", chance.next() % 5000)}),
                };
                let answer = serde_json::json!({"jsonrpc": "2.0", "id": line["id"], "result": result});
                self.relay.twin_line(twin, answer.to_string().as_bytes(), self.now);
                self.answered += 1;
            }
        }
    }

    /// The client reads; what it reads is JSON.
    fn read(&mut self, chance: &mut Chance) {
        if self.deaf {
            return;
        }
        let output = self.relay.client_output();
        let some = if chance.one_in(4) { chance.below(output.len() + 1) } else { output.len() };
        // The first may be the rest of one that was begun before.
        let begun = some > 0 && !output.starts_with(b"{") && !output.starts_with(b"[");
        let mut whole: Vec<&[u8]> = output[..some].split(|byte| *byte == b'\n').collect();
        whole.pop();
        for line in whole.into_iter().skip(usize::from(begun)) {
            let plain = serde_json::from_slice::<IgnoredAny>(line).is_ok();
            assert!(plain || line.len() < LINE, "the client was sent {}", String::from_utf8_lossy(line));
        }
        self.relay.client_written(some);
    }

    /// What a relay may hold, whatever it was sent.
    fn check(&self) {
        let Relay { calls, held, held_bytes, names, tokens, asks, listens, streams, merges, batches, .. } = &self.relay;
        let Relay { errands, timers, events, calls_bytes, .. } = &self.relay;
        let twins = self.relay.twins.len();
        assert!(twins <= TWINS);
        assert!(self.relay.agent.open() <= AGENT_CALLS, "{} calls of our own tools", self.relay.agent.open());
        // The client's own requests are bounded by their number alone; in a session of this length they do not get there.
        let calls = calls.len();
        assert!(names.len() <= calls + listens.len() && tokens.len() <= calls, "names without a call");
        assert!(held.len() <= HOLD.0 + calls && *held_bytes <= HOLD.1 + calls * LINE);
        assert!(calls == 0 || *calls_bytes <= calls * 4 * LINE);
        assert!(calls > 0 || *calls_bytes == 0, "{calls_bytes} bytes of no call");
        assert!(asks.len() <= twins * 1024 && listens.len() <= 64 && streams.len() <= 64 * (twins + 1));
        assert!(merges.len() <= calls && batches.len() <= calls && events.is_empty());
        assert!(self.relay.remembered() <= 5 * 1024, "{} remembered", self.relay.remembered());
        assert!(errands.len() <= twins * (4 + 4096) + 2 * calls, "{} errands", errands.len());
        assert!(timers.len() <= calls + 3 * 1024 + 4 * twins + 8, "{} timers of {calls} calls", timers.len());
        let client = self.relay.client_output().len();
        assert!(client <= STUCK_CLIENT + (4 << 20), "{client} bytes for the client");
        for (twin, state) in &self.relay.twins {
            // Cancellations and answers pass beyond the bound of requests: one for each.
            let waits = state.out.waiting();
            assert!(waits <= 8 * HOLD.1 + 8 * LINE + 200 * calls, "{waits} bytes for {twin:?} of {calls} calls");
            assert!(state.parked.len() <= 64 && state.ledger_open <= 4200);
            let mine = self.relay.calls.values().filter(|call| call.owner() == Some(*twin));
            let (mut open, mut tallies) = (0, [0; 4]);
            for call in mine {
                open += 1;
                call.method.tally().into_iter().for_each(|tally| tallies[tally] += 1);
            }
            assert_eq!((state.calls, state.tallies), (open, tallies), "what is counted of {twin:?}");
        }
    }
}

fn capabilities() -> Value {
    serde_json::json!({"tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true}, "logging": {},
        "tasks": {"list": {}}})
}

#[test]
fn whatever_comes_is_survived_within_bounds() {
    let inputs = asked("MCP_TWIN_FUZZ_INPUTS", SHORT);
    let seed = asked("MCP_TWIN_FUZZ_SEED", 1) as u64;
    let lines = Lines::new();
    let (mut answered, mut swapped, mut told) = (0, 0, 0);
    for session in 0..inputs.div_ceil(SESSION) as u64 {
        let mut chance = Chance(seed ^ (session << 32));
        let mut world = World::new();
        for input in 0..SESSION.min(inputs) {
            // The number of the input is what a failure is found again by.
            let before = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                world.step(&lines, &mut chance);
                if input % 64 == 0 {
                    world.check();
                }
            }));
            if let Err(panic) = before {
                eprintln!("at input {input} of session {session}, seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
        (answered, swapped, told) = (answered + world.answered, swapped + world.swapped, told + world.told);
    }
    eprintln!("{inputs} inputs, {answered} requests answered by twins and {told} by the front, {swapped} swaps");
    // A search that stays at the gate proves nothing.
    assert!(
        answered > inputs / 100 && swapped > inputs / 1000 && told > inputs / 10_000,
        "{answered} and {told} answers, {swapped} swaps"
    );
}
