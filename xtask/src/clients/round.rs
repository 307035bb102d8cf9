//! The rounds of one client: with a plain entry, with one that was written by hand, wired, unwired, and unwired after it has
//! edited the wired file itself.

use super::client::Client;
use super::says::Seen;
use super::stage::{OWN_TOOL, Stage, Start};
use crate::bounded;
use crate::exec::{Result, fail, mcp_twin};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The rounds, in the order of the table.
pub(super) const COLUMNS: &[&str] = &["plain", "by hand", "wired", "unwired", "edited"];

/// The server's name in each configuration.
const NAME: &str = "clock";

/// The name of one that is added beside it.
const SECOND: &str = "second-clock";

/// How long a client may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How much of what was said is shown of a failure.
const TAIL: usize = 3000;

/// What came of one round.
enum Cell {
    Passed(Seen),
    Failed(String),
    /// What it builds on has failed.
    Left,
}

/// What came of all rounds.
pub(super) struct Rounds {
    cells: Vec<Cell>,
    /// How long they took together.
    pub(super) took: Duration,
}

impl Rounds {
    /// Runs them all. `keep` leaves the homes, and says where.
    pub(super) fn of(client: &Client, keep: bool) -> Self {
        let begin = Instant::now();
        let (mut plain, mut by_hand) = (Round::new(client), Round::new(client));
        let first = plain.run(Round::plain);
        by_hand.tools.clone_from(&plain.tools);
        let second = by_hand.run(Round::by_hand);
        let cells = vec![first, second, plain.run(Round::wired), plain.run(Round::unwired), plain.run(Round::edited)];
        if keep {
            for round in [plain, by_hand] {
                round.keep();
            }
        }
        Self { cells, took: begin.elapsed() }
    }

    /// A few words for each column.
    pub(super) fn cells(&self) -> impl Iterator<Item = String> {
        self.cells.iter().map(|cell| match cell {
            Cell::Passed(Seen { tools: Some(tools) }) => format!("{} tools", tools.len()),
            Cell::Passed(Seen { tools: None }) => "connected".into(),
            Cell::Failed(_) => "FAILED".into(),
            Cell::Left => "-".into(),
        })
    }

    /// The columns that failed, each with the reason.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        COLUMNS.iter().zip(&self.cells).filter_map(|(column, cell)| match cell {
            Cell::Failed(why) => Some((*column, why.as_str())),
            _ => None,
        })
    }
}

/// One home, in which a round builds on the one before.
struct Round<'a> {
    client: &'a Client,
    stage: Result<Stage>,
    failed: bool,
    /// The tools that the client saw at a server of its own start.
    tools: Option<BTreeSet<String>>,
    /// The configuration before it was wired, and behind it.
    before: Vec<u8>,
    wired: Vec<u8>,
    /// The file that its project shares, as the client's own command left it.
    shared: Option<Vec<u8>>,
}

impl<'a> Round<'a> {
    fn new(client: &'a Client) -> Self {
        let (before, wired) = (Vec::new(), Vec::new());
        Self { client, stage: Stage::new(client), failed: false, tools: None, before, wired, shared: None }
    }

    fn run(&mut self, round: fn(&mut Self) -> Result<Seen>) -> Cell {
        if self.failed {
            return Cell::Left;
        }
        match round(self) {
            Ok(seen) => Cell::Passed(seen),
            Err(why) => {
                self.failed = true;
                Cell::Failed(why.to_string())
            }
        }
    }

    fn plain(&mut self) -> Result<Seen> {
        self.add(NAME, &self.server()?)?;
        let seen = self.look(Start::Bare)?;
        self.tools.clone_from(&seen.tools);
        Ok(seen)
    }

    fn by_hand(&mut self) -> Result<Seen> {
        let front = [mcp_twin(), "run".into(), "--name".into(), NAME.into(), "--".into()];
        self.add(NAME, &[front.to_vec(), self.server()?].concat())?;
        self.look(Start::Twin)
    }

    fn wired(&mut self) -> Result<Seen> {
        self.before = self.stage()?.configuration(self.client)?;
        self.shared = self.stage()?.shared(self.client)?;
        self.twin("wire")?;
        self.wired = self.stage()?.configuration(self.client)?;
        if self.wired == self.before {
            return fail("`mcp-twin wire` has changed nothing");
        }
        self.look(Start::Twin)
    }

    fn unwired(&mut self) -> Result<Seen> {
        // Some clients write into it as they run; then it is one entry of theirs, and not the text, that has to be as before.
        let touched = self.stage()?.configuration(self.client)? != self.wired;
        self.twin("unwire")?;
        if touched {
            let before = self.stage()?.configuration(self.client)?;
            self.twin("wire")?;
            self.twin("unwire")?;
            self.same(&before)?;
        } else {
            self.same(&self.before)?;
        }
        self.look(Start::Bare)
    }

    /// The client adds a server to the wired file: that one stays, and the other is as it was.
    fn edited(&mut self) -> Result<Seen> {
        self.twin("wire")?;
        self.add(SECOND, &self.server()?)?;
        self.shared = self.stage()?.shared(self.client)?;
        let edited = self.configured()?;
        self.twin("unwire")?;
        let behind = self.configured()?;
        let count = |text: &str| text.matches(SECOND).count();
        if count(&edited) == 0 || count(&behind) != count(&edited) {
            return fail(format!(
                "`mcp-twin unwire` did not leave `{SECOND}` alone. Before:\n{edited}\nBehind:\n{behind}"
            ));
        }
        if behind.contains(&*mcp_twin().to_string_lossy()) {
            return fail(format!("`mcp-twin unwire` has left itself in the file:\n{behind}"));
        }
        self.look(Start::Bare)
    }

    /// All that the client reads.
    fn configured(&self) -> Result<String> {
        let (own, shared) = (self.stage()?.configuration(self.client)?, self.shared.clone().unwrap_or_default());
        Ok(String::from_utf8_lossy(&[own, shared].concat()).into_owned())
    }

    /// Whether the configuration is this one, byte for byte.
    fn same(&self, before: &[u8]) -> Result {
        let behind = self.stage()?.configuration(self.client)?;
        if behind == before {
            return Ok(());
        }
        let (before, behind) = (String::from_utf8_lossy(before), String::from_utf8_lossy(&behind));
        fail(format!("`mcp-twin unwire` did not restore the file. Before:\n{before}\nBehind:\n{behind}"))
    }

    /// Adds the server with the client's own command.
    fn add(&self, name: &str, server: &[PathBuf]) -> Result {
        let words = self.words(self.client.add, name, server)?;
        let said = bounded::run(self.stage()?.command(&words, self.client)?, PATIENCE)?;
        self.stage()?.settle()?;
        if !said.status.success() {
            return fail(format!("its own command that adds a server ended with {}:\n{}", said.status, told(&said)));
        }
        Ok(())
    }

    /// Runs `mcp-twin wire` or `unwire` in this home.
    fn twin(&self, verb: &str) -> Result {
        let mut words: Vec<PathBuf> = vec![mcp_twin(), verb.into(), NAME.into(), "--yes".into()];
        if verb == "wire" {
            words.extend(["--client".into(), self.client.id.into()]);
        }
        let said = bounded::run(self.stage()?.command(&words, self.client)?, PATIENCE)?;
        if !said.status.success() {
            return fail(format!("`mcp-twin {verb}` ended with {}:\n{}", said.status, told(&said)));
        }
        if self.stage()?.shared(self.client)? != self.shared {
            return fail(format!("`mcp-twin {verb}` has changed the shared file:\n{}", told(&said)));
        }
        Ok(())
    }

    /// Asks the client in each of its ways what it sees; the server has to be started in this way only.
    fn look(&self, wanted: Start) -> Result<Seen> {
        let stage = self.stage()?;
        let mut seen = Seen { tools: None };
        stage.starts()?;
        for (arguments, says) in self.client.listings {
            let command = stage.command(&self.words(arguments, NAME, &[])?, self.client)?;
            let said = bounded::ask(command, PATIENCE, &says.question(), |line| says.enough(line))?;
            stage.settle()?;
            // Some show their list on stderr.
            let found = says.read(&said.stdout, NAME).or_else(|| says.read(&said.stderr, NAME));
            let Some(found) = found else {
                let log = stage.log();
                return fail(format!("not connected, by {says:?} ({}):\n{}\n{}", said.status, told(&said), tail(&log)));
            };
            let starts = stage.starts()?;
            if starts.is_empty() || starts.iter().any(|start| *start != wanted) {
                return fail(format!("connected, but the server was started {starts:?} and not {wanted:?} ({says:?})"));
            }
            seen.tools = seen.tools.or(found.tools);
        }
        if let Some(tools) = seen.tools.as_ref().filter(|tools| !tools.contains(OWN_TOOL)) {
            return fail(format!("it has not the server's tool `{OWN_TOOL}`, but {tools:?}"));
        }
        match &self.tools {
            Some(tools) if seen.tools.as_ref() != Some(tools) => {
                fail(format!("its tools are {:?} and not {tools:?}", seen.tools))
            }
            _ => Ok(seen),
        }
    }

    fn server(&self) -> Result<Vec<PathBuf>> {
        Ok(vec!["python3".into(), self.stage()?.server()])
    }

    /// The client's program with these arguments, filled in.
    fn words(&self, arguments: &[&str], name: &str, server: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut words = self.client.program()?;
        for argument in arguments {
            match *argument {
                "{name}" => words.push(name.into()),
                "{program}" => words.extend(server.first().cloned()),
                "{arguments}" => words.extend(server.iter().skip(1).cloned()),
                word => words.push(word.into()),
            }
        }
        Ok(words)
    }

    fn stage(&self) -> Result<&Stage> {
        self.stage.as_ref().or_else(|why| fail(why.to_string()))
    }

    fn keep(self) {
        if let Ok(mut stage) = self.stage {
            eprintln!("clients: {} is kept in {}", self.client.name, stage.keep().display());
        }
    }
}

/// What was said, for a failure.
pub(super) fn told(said: &bounded::Said) -> String {
    format!("{}\n{}", tail(&said.stdout), tail(&said.stderr))
}

/// The end of a text.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let start = text.len().saturating_sub(TAIL);
    &text[text.ceil_char_boundary(start)..]
}
