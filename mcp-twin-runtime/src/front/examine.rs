//! The check before a swap (`--check`): a tool of the new twin, or a command line that can reach it by
//! `mcp-twin call TOOL --standby`, over HTTP also by its port.

use super::shell::{Running, ShellLine, short};
use super::tool::ToolCaller;
use crate::fronts::token_prefix;
use crate::home::Home;
use crate::run::{RunOrder, Variables};
use async_trait::async_trait;
use mcp_twin_core::host::HealthProbe;
use mcp_twin_core::relay::Called;
use mcp_twin_core::spec::{Check, Options};
use mcp_twin_core::swap::ProbeReport;
use mcp_twin_core::{Code, Fault, TwinId};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// What a tool says of its failure is cut here.
const SAID: usize = 2000;

/// What is tried, and where.
#[derive(Clone, Debug)]
pub struct Examination {
    check: Option<Check>,
    patience: Duration,
    cwd: PathBuf,
    env: Variables,
}

impl Examination {
    /// As this order has it, with the options that count.
    pub fn new(order: &RunOrder, options: &Options) -> Self {
        Self {
            check: options.check.clone(),
            patience: options.check_timeout,
            cwd: order.cwd.clone(),
            env: order.env.clone(),
        }
    }
}

/// Where a twin listens, if it does.
type PortOf = Box<dyn Fn(TwinId) -> Option<u16> + Send + Sync>;

/// The probe of a front that also tries what it found healthy.
pub struct Examiner {
    probe: Arc<dyn HealthProbe>,
    tools: Arc<dyn ToolCaller>,
    home: Home,
    front: String,
    server: String,
    port: PortOf,
    what: Mutex<Arc<Examination>>,
}

impl Examiner {
    /// Over this probe, for the front of this id, of this server.
    pub fn new(
        both: &Arc<impl HealthProbe + ToolCaller + 'static>,
        (home, front, server): (&Home, &str, &str),
        what: Examination,
        port: impl Fn(TwinId) -> Option<u16> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            probe: Arc::clone(both) as Arc<_>,
            tools: Arc::clone(both) as Arc<_>,
            home: home.clone(),
            front: front.to_owned(),
            server: server.to_owned(),
            port: Box::new(port),
            what: Mutex::new(Arc::new(what)),
        })
    }

    /// From the next twin on this is tried.
    pub fn set(&self, what: Examination) {
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(what);
    }

    async fn call(&self, twin: TwinId, name: &str, args: &str, patience: Duration) -> Result<(), Fault> {
        let failed = |how: String| Fault::new(Code::CheckFailed, format!("the check `tool:{name}` {how}"));
        match self.tools.call_tool(twin, name, args, patience).await {
            Ok(Called::Result(raw)) => match refused(&raw) {
                Some(said) => Err(failed(format!("failed: {said}"))),
                None => Ok(()),
            },
            Ok(Called::Error(raw)) => {
                let error: Value = serde_json::from_str(&raw).unwrap_or_default();
                let said = error["message"].as_str().map_or_else(|| raw.to_string(), str::to_owned);
                Err(failed(format!("was refused: {}", cut(&said))))
            }
            Err(fault) if fault.code == Code::CallTimeout => {
                Err(failed(format!("did not answer within {patience:?}")).with_help("more time: --check-timeout"))
            }
            Ok(Called::Lost(fault)) | Err(fault) => {
                Err(failed(format!("could not be made: {}", fault.message)).with_stderr(fault.stderr_tail))
            }
        }
    }

    async fn command(&self, twin: TwinId, line: &str, what: &Examination) -> Result<(), Fault> {
        let failed = |how: String| Fault::new(Code::CheckFailed, format!("the check `{}` {how}", short(line)));
        let mut env = what.env.0.clone();
        env.push(("MCP_TWIN_HOME".to_owned(), self.home.path().to_string_lossy().into_owned()));
        env.push(("MCP_TWIN_FRONT".to_owned(), self.front.clone()));
        env.push(("MCP_TWIN_SERVER".to_owned(), self.server.clone()));
        env.extend((self.port)(twin).map(|port| ("MCP_TWIN_PORT".to_owned(), port.to_string())));
        let token = format!("{}check", token_prefix(&self.front));
        let running = Running::start(&ShellLine { line, cwd: &what.cwd, env, token }, ());
        let mut running = running.map_err(|(fault, ())| failed(format!("cannot begin: {}", fault.message)))?;
        match timeout(what.patience, running.exited()).await {
            Ok(exit) if exit.code == Some(0) => Ok(()),
            Ok(exit) => Err(failed(exit.describe()).with_stderr(exit.stderr_tail)),
            Err(_) => {
                let fault = failed(format!("did not end within {:?}", what.patience));
                Err(fault.with_stderr(running.said()).with_help("more time: --check-timeout"))
            }
        }
    }
}

#[async_trait]
impl HealthProbe for Examiner {
    async fn begin(&self, twin: TwinId, force: bool) {
        self.probe.begin(twin, force).await;
    }

    async fn check(&self, twin: TwinId) -> Result<ProbeReport, Fault> {
        self.probe.check(twin).await
    }

    async fn examine(&self, twin: TwinId) -> Result<(), Fault> {
        let what = Arc::clone(&self.what.lock().unwrap_or_else(PoisonError::into_inner));
        match &what.check {
            Some(Check::Tool { tool, args }) => self.call(twin, tool, args, what.patience).await,
            Some(Check::Command(line)) => self.command(twin, line, &what).await,
            None => Ok(()),
        }
    }

    fn last_words(&self, twin: TwinId) -> String {
        self.probe.last_words(twin)
    }

    fn obstacle(&self, twin: TwinId) -> Option<String> {
        self.probe.obstacle(twin)
    }
}

/// What a result says, if it says that the tool failed.
fn refused(raw: &str) -> Option<String> {
    let result: Value = serde_json::from_str(raw).ok()?;
    if result["isError"] != Value::Bool(true) {
        return None;
    }
    let items = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = items.iter().filter_map(|item| item["text"].as_str()).collect();
    Some(if texts.is_empty() { "it says no more".to_owned() } else { cut(&texts.join("\n")) })
}

fn cut(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(SAID) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
