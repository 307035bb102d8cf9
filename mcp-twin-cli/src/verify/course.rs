//! The checks of one era, in order. Where one fails that the next ones stand on, they are not begun.

use super::Order;
use super::front::{cannot_start, order_of, stderr_of, swap, troubles};
use super::load::{Load, Request, good};
use super::report::{Check, EraReport, Verdict};
use super::shape::{Problems, problems};
use super::stage::Stage;
use crate::render::ago::measured;
use mcp_twin_core::{Code, Fault};
use mcp_twin_runtime::bare::{Bare, BareOrder};
use mcp_twin_runtime::embedded::{self, Embedding, Front};
use mcp_twin_runtime::process::StopOrder;
use mcp_twin_runtime::session::{Era, Listed, Lists, RequestError, Session, Welcome};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Under which name the server hears of us.
const CLIENT: &str = "mcp-twin-verify";
/// So many requests are answered before the first swap, and after each.
const BETWEEN: u64 = 20;
/// How long they may take, if the server is slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that is asked to go by the end of its input goes within this time: later a front would send TERM.
const BY_ITSELF: Duration = Duration::from_secs(2);
/// What a front would do then.
const THEN: StopOrder = StopOrder { term: Duration::ZERO, kill: Duration::from_secs(3) };

/// JSON-RPC: there is no such method.
const METHOD_NOT_FOUND: i64 = -32601;

/// Goes through the checks of one era; `told` hears each as soon as it is over. `must` says that it is the last one that it
/// can open in.
pub(crate) async fn run(order: &Order, era: Era, must: bool, stage: &Stage, told: &mut dyn FnMut(&Check)) -> EraReport {
    let mut course = Course { order, era, must, report: EraReport::new(era), told };
    course.behind_a_front(stage).await;
    stage.clear().await;
    if course.report.is_open() {
        course.bare(stage).await;
        stage.clear().await;
    }
    course.report
}

struct Course<'a> {
    order: &'a Order,
    era: Era,
    must: bool,
    report: EraReport,
    told: &'a mut dyn FnMut(&Check),
}

impl Course<'_> {
    fn tell(&mut self, check: Check) {
        (self.told)(&check);
        self.report.checks.push(check);
    }

    async fn behind_a_front(&mut self, stage: &Stage) {
        let begun = Instant::now();
        let started = embedded::stdio(order_of(self.order), Embedding { private: true }).await;
        let (front, pipe) = match started {
            Ok(started) => started,
            Err(error) => {
                return self.tell(Check::failed("open", "does not open", begun.elapsed(), error.to_string()));
            }
        };
        let events = tokio::spawn(troubles(front.events()));
        let front = stage.enter(front);
        let session = Session::new(pipe, self.era, CLIENT);
        let Some(welcome) = self.open(&front, &session, begun).await else { return events.abort() };
        let requests = self.requests(&front, &session, &welcome).await;
        if self.order.swaps > 0 {
            self.swaps(&front, session, &requests, events).await;
        }
    }

    /// Opens the session, or says why it does not open.
    async fn open(&mut self, front: &Front, session: &Session, begun: Instant) -> Option<Welcome> {
        let opened = tokio::select! {
            opened = session.open(self.order.timeout) => opened.map_err(Unopened::Answer),
            fault = cannot_start(front) => Err(Unopened::Start(fault)),
        };
        match opened {
            Ok(welcome) => {
                let server = welcome.server.clone().unwrap_or_else(|| "a server without a name".to_owned());
                let title = format!("opens: {server}, {}", welcome.version);
                self.report.version = Some(welcome.version.clone());
                self.report.server.clone_from(&welcome.server);
                self.tell(Check::passed("open", title, begun.elapsed()));
                Some(welcome)
            }
            Err(why) => {
                let stderr = match &why {
                    Unopened::Start(fault) => fault.stderr_tail.clone(),
                    Unopened::Answer(error) if !error.stderr().is_empty() => error.stderr().to_owned(),
                    Unopened::Answer(_) => stderr_of(front).await,
                };
                let check = Check::passed("open", "does not open", begun.elapsed())
                    .but(why.verdict(self.era, self.must), vec![why.words(self.era)])
                    .with_stderr(stderr);
                self.tell(check);
                None
            }
        }
    }

    /// Lists what there is and calls what is to be called; gives what was answered well.
    async fn requests(&mut self, front: &Front, session: &Session, welcome: &Welcome) -> Vec<Request> {
        let mut requests = vec![Request::Alive];
        let mut tools = None;
        for list in Lists::ALL.into_iter().filter(|list| list.is_declared(welcome)) {
            let begun = Instant::now();
            match session.list(list, self.order.timeout).await {
                Ok(listed) => {
                    let check = listed_check(list, &listed, begun.elapsed());
                    self.tell(check);
                    requests.push(Request::List(list));
                    if list == Lists::Tools {
                        tools = Some(listed);
                    }
                }
                // A server may declare a capability without every list of it.
                Err(RequestError::Refused { code: METHOD_NOT_FOUND, .. }) if list == Lists::Templates => {}
                Err(error) => {
                    let title = format!("does not list its {}s", list.one());
                    let stderr = said(&error, front).await;
                    let check = Check::failed(id_of(list), title, begun.elapsed(), error.to_string());
                    self.tell(check.with_stderr(stderr));
                }
            }
        }
        for (tool, arguments) in &self.order.calls {
            let begun = Instant::now();
            let answer = session.call(tool, arguments, self.order.timeout).await;
            let id = format!("call:{tool}");
            let failed = match &answer {
                Ok(result) => good(result).err().map(|why| (why, String::new())),
                Err(error) => Some((error.to_string(), said(error, front).await)),
            };
            match failed {
                None => {
                    self.tell(Check::passed(id, format!("calls {tool}"), begun.elapsed()));
                    requests.push(Request::Call(tool.clone(), arguments.clone()));
                }
                Some((why, stderr)) => {
                    let check = Check::failed(id, format!("cannot call {tool}"), begun.elapsed(), why);
                    let listed = |listed: &Listed| listed.entries.iter().any(|entry| entry["name"] == tool.as_str());
                    let check = match &tools {
                        Some(tools) if !listed(tools) => Check { problems: with_names(check.problems, tools), ..check },
                        _ => check,
                    };
                    let stderr = if stderr.is_empty() { stderr_of(front).await } else { stderr };
                    self.tell(check.with_stderr(stderr));
                }
            }
        }
        requests
    }

    /// Swaps the server for a fresh twin of the same code while requests flow.
    async fn swaps(&mut self, front: &Front, session: Session, requests: &[Request], events: JoinHandle<Vec<Fault>>) {
        let begun = Instant::now();
        let mut load = Load::begin(&session, requests, self.order.timeout);
        load.goes_on(BETWEEN, PATIENCE).await;
        let (mut swaps, mut troubles, first) = (0, Vec::new(), Instant::now());
        let mut examined = None;
        while swaps < self.order.swaps {
            match swap(front).await {
                Ok(()) => swaps += 1,
                Err(fault) => {
                    troubles.push(fault);
                    break;
                }
            }
            examined.get_or_insert(first.elapsed());
            load.goes_on(BETWEEN, PATIENCE).await;
        }
        let ended = load.end(swaps).await;
        let (strays, stray_count) = session.strays();
        let said = stderr_of(front).await;
        // Nothing is to come any more once it is closed.
        drop(session);
        front.close().await;
        troubles.extend(events.await.unwrap_or_default());
        // The swap and the front's own word of it are one failure.
        let failed: Vec<Fault> = troubles.extract_if(.., |fault| fault.code == Code::CheckFailed).collect();
        self.examined(failed.first(), examined, first);
        let counted = ended.counted;
        let mut problems: Vec<String> =
            troubles.iter().map(|fault| format!("{} [{}]", fault.message, fault.code)).collect();
        problems.dedup();
        problems.extend(ended.problems);
        if stray_count > 0 {
            problems.push(format!("{stray_count} answers to nothing, such as {}", strays.join(", ")));
        }
        let stderr = troubles.iter().map(|fault| fault.stderr_tail.as_str()).chain([ended.stderr.as_str()]);
        let stderr = stderr.into_iter().find(|text| !text.is_empty()).map_or(said, str::to_owned);
        if !failed.is_empty() && problems.is_empty() {
            // What its own check keeps from serving is not swapped for.
            return;
        }
        let title = format!(
            "{} {} swap{}: {} requests, {} lost, {} failed, longest wait {}",
            if problems.is_empty() { "survives" } else { "does not survive" },
            self.order.swaps,
            if self.order.swaps == 1 { "" } else { "s" },
            counted.requests,
            counted.lost,
            counted.failed,
            measured(Duration::from_millis(counted.longest_ms)),
        );
        let check = Check { load: Some(counted), ..Check::passed("swaps", title, begun.elapsed()) };
        let wrong = !problems.is_empty();
        let check = check.but(Verdict::Failed, problems);
        self.tell(if wrong { check.with_stderr(stderr) } else { check });
    }

    /// What its own check said of a twin that was to take over, and how long the first took until it did.
    fn examined(&mut self, failed: Option<&Fault>, passed: Option<Duration>, begun: Instant) {
        if let Some(fault) = failed {
            let why = format!("{} [{}]", fault.message, fault.code);
            let check = Check::failed("check", "fails its check", begun.elapsed(), why);
            self.tell(check.with_stderr(fault.stderr_tail.as_str()));
        } else if let Some(took) = passed.filter(|_| self.order.options.check.is_some()) {
            self.tell(Check::passed("check", "passes its check", took));
        }
    }

    /// What is seen of the server only without a front: what it writes beside MCP, and how it ends.
    async fn bare(&mut self, stage: &Stage) {
        let begun = Instant::now();
        let order =
            BareOrder { command: self.order.command.clone(), cwd: self.order.cwd.clone(), env: self.order.env.clone() };
        let (bare, pipe) = match Bare::start(&order) {
            Ok(started) => started,
            Err(fault) => {
                return self.tell(Check::failed("stop", "does not start again", begun.elapsed(), fault.message));
            }
        };
        let bare = stage.enter_bare(bare);
        let mut bare = bare.lock().await;
        let session = Session::new(pipe, self.era, CLIENT);
        let opened = session.open(self.order.timeout).await;
        if let Ok(welcome) = &opened {
            for list in Lists::ALL.into_iter().filter(|list| list.is_declared(welcome)) {
                // What comes of it was looked at before.
                let _ = session.list(list, self.order.timeout).await;
            }
        }
        let (strays, count) = session.strays();
        if count > 0 {
            let lines = strays.iter().map(|line| format!("{line:?}"));
            let first = format!(
                "{count} lines that are no MCP, for a client to stumble over; what is for people belongs to stderr:"
            );
            let check = Check::passed("stdout", "writes more than MCP to its standard output", begun.elapsed());
            self.tell(check.but(Verdict::Warned, std::iter::once(first).chain(lines).collect()));
        } else {
            self.tell(Check::passed("stdout", "writes only MCP to its standard output", begun.elapsed()));
        }
        if let Err(error) = opened {
            let check = Check::failed("stop", "does not open without a front", begun.elapsed(), error.to_string());
            return self.tell(check.with_stderr(bare.stderr()));
        }
        drop(session);
        let closed = Instant::now();
        let (title, problem, exit) = match timeout(BY_ITSELF, bare.ended()).await {
            Ok(exit) => {
                let title = "ends by itself when its input ends";
                (title, (exit.code != Some(0)).then(|| format!("it {} then", exit.describe())), exit)
            }
            Err(_) => {
                let exit = bare.stop(THEN).await;
                let how =
                    if exit.signal == Some(9) { "it had to be killed" } else { "it ended only when it was told to" };
                let why = format!(
                    "still there {} after its input had ended; {how} (it {})",
                    measured(BY_ITSELF),
                    exit.describe()
                );
                ("does not end by itself", Some(why), exit)
            }
        };
        let check = Check::passed("stop", title, closed.elapsed());
        let stderr = if problem.is_some() { exit.stderr_tail } else { String::new() };
        self.tell(check.but(Verdict::Warned, problem.into_iter().collect()).with_stderr(stderr));
    }
}

/// Why a server does not open in an era.
enum Unopened {
    /// It cannot be started.
    Start(Fault),
    /// What came in place of a welcome.
    Answer(RequestError),
}

impl Unopened {
    /// A server that knows only what came before 2026-07-28 may do anything when it meets `server/discover`; a newer one has
    /// to answer `initialize`, if only with an error.
    fn verdict(&self, era: Era, must: bool) -> Verdict {
        match (era, self) {
            (Era::Modern, _) if must => Verdict::Failed,
            (Era::Modern, _) => Verdict::Skipped,
            (Era::Legacy, Self::Answer(error)) if error.is_servers_own() => Verdict::Skipped,
            (Era::Legacy, _) => Verdict::Failed,
        }
    }

    fn words(&self, era: Era) -> String {
        match self {
            Self::Start(fault) => format!("{} [{}]", fault.message, fault.code),
            Self::Answer(error) if error.is_servers_own() => format!("it refuses {}: {error}", era.opening()),
            Self::Answer(error) => format!("{}: {error}", era.opening()),
        }
    }
}

/// What the server said to an error.
async fn said(error: &RequestError, front: &Front) -> String {
    if error.stderr().is_empty() { stderr_of(front).await } else { error.stderr().to_owned() }
}

fn id_of(list: Lists) -> &'static str {
    match list {
        Lists::Tools => "tools",
        Lists::Prompts => "prompts",
        Lists::Resources => "resources",
        Lists::Templates => "templates",
    }
}

fn listed_check(list: Lists, listed: &Listed, took: Duration) -> Check {
    let count = listed.entries.len();
    let pages = if listed.pages > 1 { format!(" in {} pages", listed.pages) } else { String::new() };
    let title = format!("lists {count} {}{}{pages}", list.one(), if count == 1 { "" } else { "s" });
    let Problems { errors, warnings } = problems(list, &listed.entries);
    let check = Check::passed(id_of(list), title, took);
    if errors.is_empty() {
        check.but(Verdict::Warned, warnings)
    } else {
        check.but(Verdict::Failed, errors.into_iter().chain(warnings).collect())
    }
}

fn with_names(mut problems: Vec<String>, tools: &Listed) -> Vec<String> {
    let names: Vec<&str> = tools.entries.iter().filter_map(|tool| tool["name"].as_str()).collect();
    problems.push(format!("its tools are {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") }));
    problems
}
