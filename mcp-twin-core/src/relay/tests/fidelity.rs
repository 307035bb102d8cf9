//! Payloads pass byte for byte. Messages of both directions and both eras, made to be spoiled by whoever reads and writes
//! them again, go through a relay: directly, out of a hold, and over a flip. What comes out must be what went in, but for
//! the holes: the fields that the relay may write.

mod json;
mod members;
mod openings;
mod shape;

use super::rig::{A, B, Rig, full, methods};
use crate::ids::TwinId;
use crate::relay::RelayEvent;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;
use shape::{Layout, Shape, layout, shown};
use std::time::Duration;

type Checked<T = ()> = Result<T, TestCaseError>;

/// Which message it is.
#[derive(Clone, Copy, Debug)]
enum What {
    Request,
    Notification,
    Cancellation,
    Answer,
    Refusal,
    Progress,
    TwinsAnswer,
    TwinsRefusal,
    TwinsNotification,
    TwinsRequest,
    TwinsCancellation,
    TwinsProgress,
    Published,
    StreamEnded,
    StreamCancelled,
}

const WHAT: &[What] = &[
    What::Request,
    What::Notification,
    What::Cancellation,
    What::Answer,
    What::Refusal,
    What::Progress,
    What::TwinsAnswer,
    What::TwinsRefusal,
    What::TwinsNotification,
    What::TwinsRequest,
    What::TwinsCancellation,
    What::TwinsProgress,
    What::Published,
    What::StreamEnded,
    What::StreamCancelled,
];

/// On which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One twin serves.
    Direct,
    /// Nothing serves when it comes.
    Hold,
    /// Another twin serves than when its request came.
    Flip,
}

/// Methods of requests, as JSON.
const METHODS: &[&str] = &[
    r#""tools/call""#,
    r#""tools\/call""#,
    r#""tools/list""#,
    r#""prompts/get""#,
    r#""resources/read""#,
    r#""resources/subscribe""#,
    r#""logging/setLevel""#,
    r#""completion/complete""#,
    r#""tasks/get""#,
    r#""x/y""#,
    r#""""#,
    r#""\ud800""#,
    r#""notifications/x""#,
];

/// Methods of notifications, as JSON.
const NOTES: &[&str] = &[r#""notifications/message""#, r#""notifications\/x""#, r#""x""#, r#""""#, r#""\udfff\u0000""#];

const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// One message on its way.
struct Case {
    rig: Rig,
    way: Way,
    modern: bool,
    layout: Layout,
    id: String,
}

impl Case {
    fn new(modern: bool, way: Way, layout: Layout, id: String) -> Self {
        let mut rig = if modern { Rig::modern() } else { Rig::open(&full(), &Rig::tools()) };
        if way != Way::Direct {
            rig.ready(B, &full(), &Rig::tools());
        }
        Self { rig, way, modern, layout, id }
    }

    /// The only line that the client reads now.
    fn client_reads(&mut self) -> Checked<String> {
        one(self.rig.client_reads_raw())
    }

    fn twin_reads(&mut self, twin: TwinId) -> Checked<String> {
        one(self.rig.twin_reads_raw(twin))
    }

    /// The line that carries `shape` with the id of this case in hole 0 goes to A as a request; gives its number there.
    fn ask(&mut self, shape: &Shape) -> Checked<String> {
        self.rig.client_raw(&shape.fill(&[&self.id]));
        let line = self.twin_reads(A)?;
        shape.digits(&line).map(|digits| digits[0].clone())
    }

    /// A call that is open at A.
    fn call(&mut self) -> Checked<String> {
        let mut shape = Shape::text("{\"id\":");
        shape.push(Shape::hole(0));
        shape.push(Shape::text(",\"method\":\"tools/call\",\"params\":{}}"));
        self.ask(&shape)
    }

    /// A request of A that is open at the client, with `token` as its progress token; gives its number there.
    fn asked(&mut self, token: &str) -> Checked<String> {
        let mut shape = Shape::text("{\"id\":");
        shape.push(Shape::hole(0));
        shape.push(Shape::text(",\"method\":\"sampling/createMessage\",\"params\":{\"_meta\":{\"progressToken\":"));
        shape.push(Shape::hole(1));
        shape.push(Shape::text("}}}"));
        self.rig.twin_raw(A, &shape.fill(&[&self.id, token]));
        let line = self.client_reads()?;
        let digits = shape.digits(&line)?;
        if digits[0] != digits[1] {
            return Err(TestCaseError::fail("the number is not the token"));
        }
        Ok(digits[0].clone())
    }

    /// The way turns.
    fn turn(&mut self) {
        match self.way {
            Way::Direct => {}
            Way::Hold => self.rig.relay.hold(self.rig.now),
            Way::Flip => self.flip(),
        }
    }

    fn flip(&mut self) {
        self.rig.relay.prepare(B, self.rig.now);
        self.rig.serve(B, &full(), &Rig::tools());
        self.rig.relay.handover(B, self.rig.now).unwrap();
    }

    /// Who takes what the client sends now.
    fn server(&mut self) -> TwinId {
        match self.way {
            Way::Direct => A,
            Way::Hold => {
                self.flip();
                B
            }
            Way::Flip => B,
        }
    }

    fn check(mut self, what: What) -> Checked {
        let layout = self.layout.clone();
        let text = |text: &str| Shape::text(text);
        let methods = |names: &[&str]| Shape::text(names[layout.choice(names.len())]);
        match what {
            What::Request => {
                let params = layout.params(vec![]);
                let members = vec![("id", Shape::hole(0)), ("method", methods(METHODS)), ("params", params)];
                let shape = layout.message(members);
                self.turn();
                self.rig.client_raw(&shape.fill(&[&self.id]));
                let server = self.server();
                shape.digits(&self.twin_reads(server)?).map(drop)
            }
            What::Notification => {
                let line = layout.message(vec![("method", methods(NOTES)), ("params", text(&layout.value))]).fill(&[]);
                self.turn();
                self.rig.client_raw(&line);
                let server = self.server();
                same(&self.twin_reads(server)?, &line)
            }
            What::Cancellation => {
                let number = self.call()?;
                let params = layout.params(vec![("requestId", Shape::hole(0))]);
                let shape = layout.message(vec![("method", text("\"notifications\\/cancelled\"")), ("params", params)]);
                self.turn();
                self.rig.client_raw(&shape.fill(&[&self.id]));
                same(&self.twin_reads(A)?, &shape.fill(&[&number]))
            }
            What::Answer | What::Refusal => {
                let number = self.asked("1")?;
                let member = if let What::Answer = what { "result" } else { "error" };
                let shape = layout.message(vec![("id", Shape::hole(0)), (member, text(&layout.value))]);
                self.turn();
                self.rig.client_raw(&shape.fill(&[&number]));
                same(&self.twin_reads(A)?, &shape.fill(&[&self.id]))
            }
            What::Progress => {
                let token = self.id.clone();
                let number = self.asked(&token)?;
                let params = layout.params(vec![("progressToken", Shape::hole(0)), ("x", text(&layout.value))]);
                let shape = layout.message(vec![("method", text("\"notifications/progress\"")), ("params", params)]);
                self.turn();
                self.rig.client_raw(&shape.fill(&[&number]));
                same(&self.twin_reads(A)?, &shape.fill(&[&token]))
            }
            What::TwinsAnswer | What::TwinsRefusal => {
                let members = vec![("id", Shape::hole(0)), ("method", methods(METHODS)), ("params", text("{}"))];
                let request = layout.message(members);
                let number = self.ask(&request)?;
                let member = if let What::TwinsAnswer = what { "result" } else { "error" };
                let value = if layout.choice(2) == 0 { text(&layout.value) } else { layout.params(vec![]) };
                let shape = layout.message(vec![("id", Shape::hole(0)), (member, value)]);
                self.turn();
                self.rig.twin_raw(A, &shape.fill(&[&number]));
                same(&self.client_reads()?, &shape.fill(&[&self.id]))
            }
            What::TwinsNotification => {
                self.call()?;
                let line =
                    layout.message(vec![("method", methods(NOTES)), ("params", layout.params(vec![]))]).fill(&[]);
                self.turn();
                self.rig.twin_raw(A, &line);
                same(&self.client_reads()?, &line)
            }
            What::TwinsRequest => {
                self.call()?;
                let meta = layout.object(vec![("progressToken", Shape::hole(1))], &layout.inner);
                let params = layout.params(vec![("_meta", meta)]);
                let method =
                    methods(&["\"sampling/createMessage\"", "\"elicitation\\/create\"", "\"roots/list\"", "\"x\""]);
                let shape = layout.message(vec![("id", Shape::hole(0)), ("method", method), ("params", params)]);
                self.turn();
                self.rig.twin_raw(A, &shape.fill(&[&self.id, "\"to\\u006ben\""]));
                shape.digits(&self.client_reads()?).map(drop)
            }
            What::TwinsCancellation => {
                let number = self.asked("1")?;
                let params = layout.params(vec![("requestId", Shape::hole(0))]);
                let shape = layout.message(vec![("method", text("\"notifications/cancelled\"")), ("params", params)]);
                self.turn();
                self.rig.twin_raw(A, &shape.fill(&[&self.id]));
                same(&self.client_reads()?, &shape.fill(&[&number]))
            }
            What::TwinsProgress => {
                let meta = layout.object(vec![("progressToken", text(&self.id))], &layout.inner);
                let params = layout.params(vec![("_meta", meta)]);
                let method = ("method", text("\"tools/call\""));
                let request = layout.message(vec![("id", Shape::hole(0)), method, ("params", params)]);
                self.ask(&request)?;
                let params = layout.params(vec![("progressToken", text(&self.id)), ("x", text(&layout.value))]);
                let method = ("method", text("\"notifications\\u002fprogress\""));
                let line = layout.message(vec![method, ("params", params)]).fill(&[]);
                self.turn();
                self.rig.twin_raw(A, &line);
                same(&self.client_reads()?, &line)
            }
            What::Published | What::StreamEnded | What::StreamCancelled => self.check_stream(what),
        }
    }

    /// What a twin says on a subscription of the modern era.
    fn check_stream(mut self, what: What) -> Checked {
        if !self.modern {
            return Ok(());
        }
        let layout = self.layout.clone();
        let text = |text: &str| Shape::text(text);
        let params = layout.params(vec![("notifications", text("{\"toolsListChanged\":true}"))]);
        let method = ("method", text("\"subscriptions/listen\""));
        let listen = layout.message(vec![("id", Shape::hole(0)), method, ("params", params)]);
        let mut number = self.ask(&listen)?;
        let tag = |key: &str| layout.params(vec![("_meta", layout.object(vec![(key, Shape::hole(0))], &layout.inner))]);
        let spelled = [TAG, "io.modelcontextprotocol\\/subscriptionId"][layout.choice(2)];
        let published = |name: &str| layout.message(vec![("method", text(name)), ("params", tag(spelled))]);
        let acknowledged = published("\"notifications/subscriptions/acknowledged\"");
        self.rig.twin_raw(A, &acknowledged.fill(&[&number]));
        same(&self.client_reads()?, &acknowledged.fill(&[&self.id]))?;
        let mut from = A;
        if self.way != Way::Direct {
            // The new twin has the same request before it serves, and its acknowledgement goes no further.
            self.rig.relay.prepare(B, self.rig.now);
            number = listen.digits(&self.twin_reads(B)?)?[0].clone();
            self.rig.twin_raw(B, &acknowledged.fill(&[&number]));
            self.rig.relay.handover(B, self.rig.now).unwrap();
            from = B;
        }
        let shape = match what {
            What::Published => published("\"notifications/tools\\/list_changed\""),
            What::StreamEnded => {
                let mut shape = layout.message(vec![("id", Shape::hole(0)), ("result", tag(spelled))]);
                shape.push(text(""));
                shape
            }
            _ => {
                let params = layout.params(vec![("requestId", Shape::hole(0))]);
                layout.message(vec![("method", text("\"notifications/cancelled\"")), ("params", params)])
            }
        };
        self.rig.twin_raw(from, &shape.fill(&[&number]));
        same(&self.client_reads()?, &shape.fill(&[&self.id]))
    }
}

fn one(lines: Vec<String>) -> Checked<String> {
    match <[String; 1]>::try_from(lines) {
        Ok([line]) => Ok(line),
        Err(lines) => Err(TestCaseError::fail(format!("{} lines: {}", lines.len(), shown(&lines.join("\n"))))),
    }
}

fn same(got: &str, wanted: &str) -> Checked {
    let differ = || TestCaseError::fail(format!("got:    {}\nwanted: {}", shown(got), shown(wanted)));
    if got == wanted { Ok(()) } else { Err(differ()) }
}

fn config(cases: u32) -> Config {
    // PROPTEST_CASES asks for more.
    Config { failure_persistence: None, cases: Config::default().cases.max(cases), ..Config::default() }
}

fn ways() -> impl Strategy<Value = Way> {
    select(vec![Way::Direct, Way::Hold, Way::Flip])
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn nothing_but_the_fields_of_the_relay_differs(
        what in select(WHAT), modern in any::<bool>(), way in ways(), layout in layout(), id in json::id(),
    ) {
        Case::new(modern, way, layout, id).check(what)?;
    }

}

proptest! {
    #![proptest_config(config(300))]

    /// A field of the envelope that stands in a message twice has two readers with two opinions.
    #[test]
    fn a_field_that_stands_twice_is_passed_to_nobody(
        layout in layout(), twice in select(vec!["id", "method", "params", "jsonrpc", "result", "error"]), id in json::id(),
        of_client in any::<bool>(),
    ) {
        let mut rig = Rig::open(&full(), &Rig::tools());
        let text = |text: &str| Shape::text(text);
        let mut members = vec![("id", text(&id)), ("method", text("\"x\"")), ("params", layout.params(vec![]))];
        if twice == "result" || twice == "error" {
            members.extend([(twice, text("{}")), (twice, text("{}"))]);
        } else if twice == "jsonrpc" {
            members.push((twice, text("\"2.0\"")));
        } else {
            members.push((twice, text("\"y\"")));
        }
        let line = layout.message(members).fill(&[]);
        if of_client {
            rig.client_raw(&line);
            prop_assert!(rig.twin_reads_raw(A).is_empty(), "{}", shown(&line));
            let got = rig.client_reads();
            prop_assert_eq!((got.len(), &got[0]["error"]["code"]), (1, &serde_json::json!(-32600)));
        } else {
            rig.twin_raw(A, &line);
            prop_assert!(rig.client_reads_raw().is_empty() && rig.twin_reads_raw(A).is_empty(), "{}", shown(&line));
            let junk = |event: &RelayEvent| matches!(event, RelayEvent::Junk(..));
            prop_assert!(std::iter::from_fn(|| rig.relay.poll_event()).any(|event| junk(&event)));
        }
    }

    /// The text item of a failure notice stands behind the last item of `content`; nothing else moves.
    #[test]
    fn a_notice_is_one_item_more(layout in layout(), items in proptest::collection::vec(json::value(), 0..3), id in json::id()) {
        let mut case = Case::new(false, Way::Direct, layout.clone(), id);
        case.rig.relay.tell("it \"failed\"".to_owned());
        let number = case.call()?;
        let mut content = Shape::text(format!("[{}", items.join(" ,")));
        content.push(Shape::hole(1));
        content.push(Shape::text("]"));
        let result = layout.params(vec![("content", content)]);
        let shape = layout.message(vec![("id", Shape::hole(0)), ("result", result)]);
        case.rig.twin_raw(A, &shape.fill(&[&number, ""]));
        let comma = if items.is_empty() { "" } else { "," };
        let item = format!(r#"{comma}{{"type":"text","text":"it \"failed\""}}"#);
        same(&case.client_reads()?, &shape.fill(&[&case.id, &item]))?;
    }

    /// The tasks of several twins come in one list, each as its twin wrote it.
    #[test]
    fn merged_tasks_are_those_of_the_twins(layout in layout(), id in json::id(), more in json::value()) {
        let tasks = serde_json::json!({"tasks": {"list": {}, "requests": {"tools": {"call": {}}}}, "tools": {}});
        let mut rig = Rig::open(&tasks, &Rig::tools());
        rig.call(1);
        let number = rig.twin_reads(A)[0]["id"].clone();
        rig.answer(A, &number, serde_json::json!({"task": {"taskId": "t", "status": "working", "ttl": null}}));
        rig.client_reads();
        rig.swap(B, &tasks, &Rig::tools());
        rig.pass(Duration::from_secs(1));
        rig.serve(B, &tasks, &Rig::tools());
        rig.client_raw(&format!(r#"{{"id":{id},"method":"tasks/list"}}"#));
        let mine = layout.object(vec![("taskId", Shape::text("\"t\""))], &layout.inner).fill(&[]);
        for (twin, task) in [(A, &mine), (B, &more)] {
            let asked = rig.twin_reads(twin);
            prop_assert_eq!(methods(&asked), ["tasks/list"]);
            rig.twin_raw(twin, &format!(r#"{{"result":{{"tasks":[ {task} ]}},"id":{}}}"#, asked[0]["id"]));
        }
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tasks":[{mine},{more}]}}}}"#);
        same(&one(rig.client_reads_raw())?, &wanted)?;
    }
}
