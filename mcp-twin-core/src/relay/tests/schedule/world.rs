//! A client, twins and their pipes as a schedule moves them, and what must hold at each step.

use super::super::Mutant;
use super::super::rig::{Rig, full};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::relay::{AgentAnswer, Relay, RelayEvent};
use crate::spec::{Options, Transport};
use crate::time::Moment;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) type Step = (u8, u16, u16);
pub(super) type Checked = Result<(), String>;

/// A request of the client.
#[derive(Debug)]
struct Request {
    id: String,
    shape: u16,
    method: &'static str,
    params: String,
    safe: bool,
    /// It calls one of the front's own tools.
    own: bool,
    answers: usize,
    cancelled: bool,
    /// Twins that may still receive it after the cancellation: it was on its way to them.
    allowed: Vec<TwinId>,
    deliveries: Vec<TwinId>,
}

impl Request {
    /// Its line, with the client's id or with ours.
    fn line(&self, id: &str) -> String {
        let Self { method, params, .. } = self;
        match self.shape % 3 {
            0 => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#),
            1 => format!(r#"{{"method":"{method}", "params":{params},"x":"id", "id":  {id} ,"jsonrpc":"2.0"}}"#),
            _ => format!(r#"{{"\u0069d":{id},"jsonrpc":"2.0","params":{params},"method":"{method}"}}"#),
        }
    }
}

#[derive(Debug, Default)]
struct SimTwin {
    /// What its pipe holds of a line that is not complete.
    partial: Vec<u8>,
    /// Requests of the client that it has: our number and the tag.
    has: Vec<(u64, usize)>,
    /// Its own requests to the client: the next id and those not answered.
    asked: u64,
    open: Vec<u64>,
    tools: u16,
    /// The client's subscriptions that it has: our numbers.
    streams: Vec<u64>,
}

pub(super) struct World {
    modern: bool,
    /// Subscriptions of the client by id: whether they were acknowledged.
    listens: BTreeMap<String, bool>,
    subscribed: usize,
    relay: Relay,
    now: Moment,
    twins: BTreeMap<TwinId, SimTwin>,
    next_twin: u32,
    requests: Vec<Request>,
    /// Lines that twins sent as answers, by tag, with our number replaced.
    sent: BTreeMap<usize, Vec<String>>,
    /// Requests of twins that the client has not answered: our number, twin, the twin's id.
    asks: BTreeMap<u64, (TwinId, u64)>,
    seen_asks: Vec<u64>,
    opened: usize,
    flips: usize,
    changes: usize,
    /// There are tools of the front's own; calls of them that it has not answered.
    agent: bool,
    asked: Vec<u64>,
}

/// Client ids in every spelling.
fn id_of(tag: usize, style: u16) -> String {
    match style % 6 {
        0 => format!("{}", tag + 1),
        1 => format!("\"{}\"", tag + 1),
        2 => format!("\"k\\u0065y-{tag}\""),
        3 => format!("9007199254740993{tag:04}"),
        4 => format!("99999999999999999999999{tag}"),
        _ => format!("-{}", tag + 1),
    }
}

/// Payloads that careless relays change.
fn payload(tag: usize, style: u16, modern: bool) -> String {
    if modern {
        // Some bring a state back, some hand one out.
        let state =
            if style.is_multiple_of(4) { format!(r#""requestState":"s{}","#, style % 5) } else { String::new() };
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":1e2}"#;
        return format!(r#"{{"tag":{tag}, {state}"big":12345678901234567890123,{meta}}}"#);
    }
    let extra = match style % 5 {
        0 => r#""big":12345678901234567890123,"e":1e2,"f":1.0"#.to_owned(),
        1 => r#""esc":"\u00e9\/\ud83d\ude00\u0000","new\u0020key":[ 1 ,2 ]"#.to_owned(),
        2 => r#""z":1,"a":{"id":7,"method":"x","requestId":3}"#.to_owned(),
        3 => format!(r#""s":"{}""#, "ä\\n".repeat(200)),
        _ => r#""future":null,"_meta":{"x":[]}"#.to_owned(),
    };
    format!(r#"{{"tag":{tag}, "level":"info",{extra}}}"#)
}

impl World {
    pub(super) fn new(mutant: Option<Mutant>, modern: bool, agent: bool) -> Self {
        let mut relay = Relay::new(&Options::defaults(Transport::Stdio));
        relay.mutant = mutant;
        relay.offer_tools(agent.then_some("twin_"), Moment::ZERO);
        let requests = Vec::new();
        let (twins, sent, asks) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut world = Self {
            modern,
            listens: BTreeMap::new(),
            subscribed: 0,
            relay,
            now: Moment::ZERO,
            twins,
            next_twin: 1,
            requests,
            sent,
            asks,
            seen_asks: Vec::new(),
            opened: 0,
            flips: 0,
            changes: 0,
            agent,
            asked: Vec::new(),
        };
        let open = if modern {
            json!({"jsonrpc": "2.0", "id": "open", "method": "server/discover", "params": {"_meta": Rig::meta()}})
        } else {
            json!({"jsonrpc": "2.0", "id": "open", "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "c", "version": "1"}}})
        };
        world.relay.client_line(open.to_string().as_bytes(), world.now);
        world
    }

    fn pick(&self, a: u16) -> Option<TwinId> {
        let count = self.twins.len();
        let at = if a == u16::MAX { count.saturating_sub(1) } else { usize::from(a) % count.max(1) };
        self.twins.keys().nth(at).copied()
    }

    pub(super) fn step(&mut self, (kind, a, b): Step) -> Checked {
        match kind {
            0..=24 => self.ask(a, b),
            25..=32 => self.cancel(a),
            33..=50 => self.write(a, usize::from(b)),
            51..=56 => {
                for twin in self.twins.keys().copied().collect::<Vec<_>>() {
                    self.write_to(twin, usize::MAX)?;
                }
                Ok(())
            }
            57..=68 => self.answer(a, b),
            69..=72 => {
                self.start(b)?;
                self.write_to(TwinId(self.next_twin - 1), usize::MAX)?;
                self.hand_over(u16::MAX)
            }
            73..=75 => self.start(b),
            76..=78 => self.hand_over(a),
            79..=83 => self.die(a),
            84 => self.close(a),
            85 => {
                self.relay.hold(self.now);
                self.read()
            }
            86 => {
                self.relay.refuse(Fault::new(Code::Down, "broken"), self.now);
                self.read()
            }
            87 => {
                if let Some(twin) = self.pick(a) {
                    self.relay.cut(twin, &Fault::new(Code::Cut, "cut"), self.now);
                }
                self.read()
            }
            88..=90 => self.pass(Duration::from_millis(u64::from(b) / 16)),
            91..=93 => self.ask_client(a),
            94..=96 => self.client_answers(a),
            97 => {
                if let Some(twin) = self.pick(a) {
                    let junk =
                        ["{\"half\":", "hello", "[]", "{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}", "null"];
                    self.relay.twin_line(twin, junk[usize::from(b) % junk.len()].as_bytes(), self.now);
                }
                self.read()
            }
            98 => {
                if let Some(twin) = self.pick(a) {
                    self.relay.await_idle(twin, self.now);
                    self.relay.drain(twin, self.now);
                }
                self.read()
            }
            99 if self.modern => self.listen(a, b),
            _ => {
                if let Some(twin) = self.pick(a) {
                    let line = br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#;
                    self.relay.twin_line(twin, line, self.now);
                }
                self.read()
            }
        }
    }

    /// The client subscribes, or a twin says something on a subscription, or ends it.
    fn listen(&mut self, a: u16, b: u16) -> Checked {
        let stream = self.pick(a).and_then(|twin| Some((twin, *self.twins[&twin].streams.last()?)));
        match stream {
            Some((twin, number)) if !b.is_multiple_of(3) => {
                let tag = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{number}}}"#);
                let line = match b % 6 {
                    5 => format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{{tag}}}}}"#),
                    _ => {
                        format!(r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{{tag}}}}}"#)
                    }
                };
                self.relay.twin_line(twin, line.as_bytes(), self.now);
            }
            _ => {
                self.subscribed += 1;
                let id = format!("listen-{}", self.subscribed);
                self.listens.insert(id.clone(), false);
                let line = json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": {
                    "notifications": {"toolsListChanged": true}, "_meta": Rig::meta()}});
                self.relay.client_line(line.to_string().as_bytes(), self.now);
            }
        }
        self.read()
    }

    fn ask(&mut self, a: u16, b: u16) -> Checked {
        let tag = self.requests.len();
        let id = id_of(tag, a);
        let (method, safe) = match b % 6 {
            0 | 1 => ("tools/call", false),
            2 => ("tools/list", true),
            3 => ("custom/thing", false),
            4 => ("logging/setLevel", false),
            _ => ("resources\\/read", false),
        };
        let own = self.agent && b.is_multiple_of(12);
        let mut params = payload(tag, b / 6, self.modern);
        if own {
            params.replace_range(..1, r#"{"name":"twin_status","#);
        }
        let request = Request {
            id,
            shape: a,
            method,
            params,
            safe,
            own,
            answers: 0,
            cancelled: false,
            allowed: Vec::new(),
            deliveries: Vec::new(),
        };
        let line = request.line(&request.id);
        self.requests.push(request);
        self.relay.client_line(line.as_bytes(), self.now);
        self.read()
    }

    fn cancel(&mut self, a: u16) -> Checked {
        let open: Vec<usize> = (0..self.requests.len())
            .filter(|tag| self.requests[*tag].answers == 0 && !self.requests[*tag].cancelled)
            .collect();
        let Some(tag) = open.get(usize::from(a) % open.len().max(1)).copied() else { return Ok(()) };
        let mark = format!("\"tag\":{tag},");
        let on_the_way = |twin: &TwinId, state: &SimTwin| {
            let mut pending = state.partial.clone();
            pending.extend_from_slice(self.relay.twin_output(*twin));
            String::from_utf8_lossy(&pending).contains(&mark)
        };
        let allowed =
            self.twins.iter().filter(|(twin, state)| on_the_way(twin, state)).map(|(twin, _)| *twin).collect();
        let request = &mut self.requests[tag];
        request.allowed = allowed;
        request.cancelled = true;
        let id = &request.id;
        let line = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
        self.relay.client_line(line.as_bytes(), self.now);
        self.read()
    }

    fn write(&mut self, a: u16, bytes: usize) -> Checked {
        match self.pick(a) {
            Some(twin) => self.write_to(twin, bytes % 300 + 1),
            None => Ok(()),
        }
    }

    /// The twin's pipe accepts so many bytes; the twin reads them and answers what is not the client's own.
    fn write_to(&mut self, twin: TwinId, bytes: usize) -> Checked {
        let output = self.relay.twin_output(twin);
        let accepted = output.get(..bytes.min(output.len())).unwrap_or_default().to_vec();
        let Some(state) = self.twins.get_mut(&twin) else { return Ok(()) };
        state.partial.extend_from_slice(&accepted);
        self.relay.twin_written(twin, accepted.len(), self.now);
        while let Some(end) = self.twins[&twin].partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> =
                self.twins.get_mut(&twin).map(|twin| twin.partial.drain(..=end).collect()).unwrap_or_default();
            let line = String::from_utf8(line).map_err(|_| "not UTF-8")?;
            self.received(twin, line.trim_end_matches('\n'))?;
        }
        self.read()
    }

    fn received(&mut self, twin: TwinId, line: &str) -> Checked {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("a twin got {line}: {error}"))?;
        let id = &value["id"];
        let Some(method) = value["method"].as_str() else {
            // An answer to one of its own requests.
            let raw = id.as_u64().ok_or("an answer without the twin's id")?;
            let state = self.twins.get_mut(&twin).ok_or("gone")?;
            let at = state.open.iter().position(|open| *open == raw).ok_or(format!("{twin} got an answer to {raw}"))?;
            state.open.remove(at);
            if let Some(of) = value["result"]["twin"].as_u64()
                && of != u64::from(twin.0)
            {
                return Err(format!("{twin} got the answer to a request of {of}"));
            }
            return Ok(());
        };
        let Some(tag) = value["params"]["tag"].as_u64() else {
            return self.errand(twin, id, method);
        };
        let tag = usize::try_from(tag).map_err(|_| "tag")?;
        let request = &mut self.requests[tag];
        if request.own {
            return Err(format!("{tag} is the front's own, and reached {twin}"));
        }
        request.deliveries.push(twin);
        let number = id.as_u64().ok_or("not our number")?;
        let sent = request.line(&number.to_string());
        if line != sent {
            return Err(format!("changed on the way: {sent} became {line}"));
        }
        if request.cancelled && !request.allowed.contains(&twin) {
            return Err(format!("{tag} was cancelled and then delivered to {twin}"));
        }
        self.twins.get_mut(&twin).ok_or("gone")?.has.push((number, tag));
        Ok(())
    }

    fn errand(&mut self, twin: TwinId, id: &Value, method: &str) -> Checked {
        let tools = self.twins[&twin].tools;
        let result = match method {
            "subscriptions/listen" => {
                let number = id.as_u64().ok_or("no number of ours")?;
                self.twins.get_mut(&twin).ok_or("gone")?.streams.push(number);
                let line = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
                    "notifications": {"toolsListChanged": true},
                    "_meta": {"io.modelcontextprotocol/subscriptionId": number}}});
                self.relay.twin_line(twin, line.to_string().as_bytes(), self.now);
                return self.read();
            }
            "server/discover" => Rig::discovery(&full()),
            "initialize" => Rig::welcome(&full()),
            "tools/list" => json!({"tools": [{"name": format!("t{}", tools % 3)}]}),
            "resources/list" => json!({"resources": []}),
            "resources/templates/list" => json!({"resourceTemplates": []}),
            "logging/setLevel" => json!({}),
            _ => return Ok(()),
        };
        let line = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        self.relay.twin_line(twin, line.as_bytes(), self.now);
        self.read()
    }

    /// A twin answers something that it has, maybe for the second time.
    fn answer(&mut self, a: u16, b: u16) -> Checked {
        let with: Vec<TwinId> =
            self.twins.iter().filter(|(_, twin)| !twin.has.is_empty()).map(|(twin, _)| *twin).collect();
        let Some(twin) = with.get(usize::from(a) % with.len().max(1)).copied() else { return Ok(()) };
        let state = self.twins.get_mut(&twin).ok_or("gone")?;
        let at = usize::from(b) % state.has.len();
        let (number, tag) = if b.is_multiple_of(7) { state.has[at] } else { state.has.remove(at) };
        let body = payload(tag, b, self.modern);
        let line = |id: &str| match b % 3 {
            0 => format!(r#"{{"result":{body},"jsonrpc":"2.0","id":{id}}}"#),
            1 => {
                format!(r#"{{"jsonrpc":"2.0", "id" : {id} ,"error":{{"code":-1,"message":"m","data":{body}}},"x":1}}"#)
            }
            _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{body}}}"#),
        };
        let id = self.requests[tag].id.clone();
        self.sent.entry(tag).or_default().push(line(&id));
        self.relay.twin_line(twin, line(&number.to_string()).as_bytes(), self.now);
        self.read()
    }

    fn start(&mut self, tools: u16) -> Checked {
        if self.twins.len() >= 4 {
            return Ok(());
        }
        let twin = TwinId(self.next_twin);
        self.next_twin += 1;
        self.twins.insert(twin, SimTwin { tools, ..SimTwin::default() });
        self.relay.attach(twin);
        self.relay.probe(twin, tools.is_multiple_of(2), self.now);
        self.read()
    }

    fn hand_over(&mut self, a: u16) -> Checked {
        if let Some(twin) = self.pick(a) {
            let before = self.relay.active();
            self.relay.prepare(twin, self.now);
            if self.relay.handover(twin, self.now).is_ok() && before != Some(twin) {
                self.flips += 1;
            }
        }
        self.read()
    }

    fn die(&mut self, a: u16) -> Checked {
        if let Some(twin) = self.pick(a) {
            self.twins.remove(&twin);
            self.relay.twin_gone(twin, &Fault::new(Code::Crashed, "exited"), self.now);
        }
        self.read()
    }

    fn close(&mut self, a: u16) -> Checked {
        if let Some(twin) = self.pick(a) {
            self.relay.twin_input_closed(twin, self.now);
        }
        self.read()
    }

    fn pass(&mut self, time: Duration) -> Checked {
        let until = self.now + time;
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.relay.handle_timeout(self.now);
            self.read()?;
        }
        self.now = until;
        Ok(())
    }

    fn ask_client(&mut self, a: u16) -> Checked {
        if let Some(twin) = self.pick(a) {
            let state = self.twins.get_mut(&twin).ok_or("gone")?;
            let id = state.asked;
            state.asked += 1;
            state.open.push(id);
            let line = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list","params":{{"twin":{twin},"raw":{id},"_meta":{{"progressToken":{id}}}}}}}"#
            );
            self.relay.twin_line(twin, line.as_bytes(), self.now);
        }
        self.read()
    }

    fn client_answers(&mut self, a: u16) -> Checked {
        let Some(number) = self.asks.keys().nth(usize::from(a) % self.asks.len().max(1)).copied() else {
            return Ok(());
        };
        let (twin, _) = self.asks.remove(&number).ok_or("no ask")?;
        let line = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{"twin":{twin}}}}}"#);
        self.relay.client_line(line.as_bytes(), self.now);
        self.read()
    }

    /// The client reads all there is.
    fn read(&mut self) -> Checked {
        loop {
            let text = String::from_utf8(self.relay.client_output().to_vec()).map_err(|_| "not UTF-8")?;
            if text.is_empty() {
                break;
            }
            self.relay.client_written(text.len());
            for line in text.lines() {
                self.client_reads(line)?;
            }
        }
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Finished => return Err("finished before the end".to_owned()),
                RelayEvent::Asked(number, _) => self.asked.push(number),
                _ => {}
            }
        }
        // Some are answered late, and some after their client has cancelled them.
        if self.asked.len() > 2 {
            let number = self.asked.remove(0);
            return self.answer_own(number);
        }
        Ok(())
    }

    fn answer_own(&mut self, number: u64) -> Checked {
        self.relay.answer_agent(number, &AgentAnswer { text: "fine".to_owned(), ..AgentAnswer::default() }, self.now);
        self.read()
    }

    fn client_reads(&mut self, line: &str) -> Checked {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("the client got {line}: {error}"))?;
        match (value.get("id"), value["method"].as_str()) {
            (Some(id), Some(_)) => {
                let number = id.as_u64().ok_or("no number of ours")?;
                if self.seen_asks.contains(&number) {
                    return Err(format!("the client was asked {number} twice"));
                }
                self.seen_asks.push(number);
                let twin =
                    TwinId(value["params"]["twin"].as_u64().and_then(|twin| twin.try_into().ok()).ok_or("twin")?);
                let raw = value["params"]["raw"].as_u64().ok_or("raw")?;
                if value["params"]["_meta"]["progressToken"] != *id {
                    return Err("the progress token was not replaced".to_owned());
                }
                self.asks.insert(number, (twin, raw));
                Ok(())
            }
            (None, Some("notifications/cancelled")) => {
                let number = value["params"]["requestId"].as_u64().ok_or("no number of ours")?;
                // The client may have answered at the same moment.
                self.asks.remove(&number);
                Ok(())
            }
            (None, Some(method))
                if value["params"]["_meta"].get("io.modelcontextprotocol/subscriptionId").is_some() =>
            {
                let id = value["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].as_str().ok_or("tag")?;
                let acknowledged = self.listens.get_mut(id).ok_or(format!("published to {id}, which is over"))?;
                let first = method == "notifications/subscriptions/acknowledged";
                if first == *acknowledged {
                    return Err(format!("{id}: {method} when acknowledged is {acknowledged}"));
                }
                *acknowledged = true;
                Ok(())
            }
            // Those with params are the twins' own.
            (None, Some("notifications/tools/list_changed")) if value.get("params").is_none() => {
                self.changes += 1;
                if self.changes > self.flips {
                    return Err("more list_changed than flips".to_owned());
                }
                Ok(())
            }
            (None, Some(_)) => Ok(()),
            (Some(id), None) if id == "open" => {
                self.opened += 1;
                if self.opened > 1 {
                    return Err("the opening was answered twice".to_owned());
                }
                if value.get("result").is_some() && !self.modern {
                    let line = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
                    self.relay.client_line(line, self.now);
                }
                Ok(())
            }
            (Some(id), None) if id.as_str().is_some_and(|id| id.starts_with("listen-")) => {
                let id = id.as_str().unwrap_or_default();
                self.listens.remove(id).map(|_| ()).ok_or(format!("{id} was ended twice"))
            }
            (_, None) => self.client_answered(line, &value),
        }
    }

    fn client_answered(&mut self, line: &str, value: &Value) -> Checked {
        let same =
            |request: &&mut Request| serde_json::from_str::<Value>(&request.id).is_ok_and(|id| id == value["id"]);
        // Ids beyond the precision of a float are told apart as written.
        let written = |request: &&mut Request| same(request) && line.contains(&request.id);
        let (tag, request) = self
            .requests
            .iter_mut()
            .enumerate()
            .find(|(_, request)| written(request))
            .ok_or(format!("unknown id: {line}"))?;
        request.answers += 1;
        if request.answers > 1 {
            return Err(format!("{tag} was answered twice"));
        }
        if request.cancelled {
            return Err(format!("{tag} was cancelled and then answered"));
        }
        let alone = self.agent && request.safe && value["result"]["tools"][0]["name"] == "twin_status";
        if alone || request.own && value["result"]["content"].is_array() {
            return Ok(());
        }
        let ours = value["error"]["data"]["code"].as_str().is_some_and(|code| code.starts_with("twin::"));
        if !ours && !self.sent.get(&tag).is_some_and(|sent| sent.iter().any(|sent| sent == line)) {
            return Err(format!("changed on the way back: {line} is none of {:?}", self.sent.get(&tag)));
        }
        Ok(())
    }

    /// The end: every twin dies, and nothing comes after.
    pub(super) fn end(mut self) -> Checked {
        for id in std::mem::take(&mut self.listens).into_keys() {
            let line = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
            self.relay.client_line(line.to_string().as_bytes(), self.now);
            self.read()?;
        }
        for twin in self.twins.keys().copied().collect::<Vec<_>>() {
            self.write_to(twin, usize::MAX)?;
            self.twins.remove(&twin);
            self.relay.twin_gone(twin, &Fault::new(Code::Crashed, "exited"), self.now);
            self.read()?;
        }
        self.relay.refuse(Fault::new(Code::Down, "broken"), self.now);
        self.read()?;
        self.pass(Duration::from_secs(60))?;
        for number in std::mem::take(&mut self.asked) {
            self.answer_own(number)?;
        }
        for (tag, request) in self.requests.iter().enumerate() {
            if request.answers == 0 && !request.cancelled {
                return Err(format!("{tag} was never answered"));
            }
            let most = if request.safe { 2 } else { 1 };
            if request.deliveries.len() > most {
                return Err(format!("{tag} was delivered to {:?}", request.deliveries));
            }
        }
        if self.opened != 1 {
            return Err(format!("the opening was answered {} times", self.opened));
        }
        if self.relay.unanswered() != 0 || !self.relay.held.is_empty() || self.relay.held_bytes != 0 {
            return Err(format!("left over: {} open, {} held", self.relay.unanswered(), self.relay.held.len()));
        }
        if !self.relay.listens.is_empty() || !self.relay.streams.is_empty() {
            return Err("subscriptions are left over".to_owned());
        }
        if !self.relay.tokens.is_empty() || !self.relay.names.is_empty() || !self.relay.timers.is_empty() {
            return Err(format!("left over: {:?} {:?}", self.relay.names, self.relay.timers));
        }
        Ok(())
    }
}
