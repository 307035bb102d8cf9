//! What the official Inspector sees of a server bare, it must see through a front over stdio; and its load mode must lose
//! nothing while the server is swapped.

use super::fixture::{Fixture, mcp_twin};
use crate::exec::{Result, fail, number, output};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The Inspector's `--protocol-era`.
const ERAS: &[&str] = &["legacy", "auto", "modern"];

/// Runs both parts in each era: `--seconds N` sizes the load, `--swaps N` the swaps under it.
pub(super) fn run(arguments: &[String]) -> Result {
    let (seconds, swaps) = (number(arguments, "--seconds", 15)?, number(arguments, "--swaps", 3)?);
    ERAS.iter().try_for_each(|era| {
        let bench = Bench::new(era)?;
        bench.compare()?;
        bench.load(seconds, swaps)
    })
}

struct Bench {
    era: &'static str,
    fixture: Fixture,
}

impl Bench {
    fn new(era: &'static str) -> Result<Self> {
        Ok(Self { era, fixture: Fixture::new(era)? })
    }

    fn compare(&self) -> Result {
        let folder = self.fixture.folder();
        let bare = output(self.script("inspector.sh").args(self.server()))?;
        let fronted = output(self.script("inspector.sh").args(self.front()))?;
        fs::write(folder.join("bare.txt"), &bare)?;
        fs::write(folder.join("fronted.txt"), &fronted)?;
        let (ours, theirs): (Vec<_>, Vec<_>) = (fronted.lines().collect(), bare.lines().collect());
        for (at, line) in theirs.iter().enumerate().filter(|(at, line)| ours.get(*at) != Some(line)) {
            eprintln!("bare:    {line}\nthrough: {}", ours.get(at).unwrap_or(&"nothing"));
        }
        if ours != theirs {
            return fail(format!("the Inspector sees a difference; both outputs are in {}", folder.display()));
        }
        println!("inspector, {}: {} lines, the same bare and through mcp-twin run", self.era, theirs.len());
        Ok(())
    }

    fn load(&self, seconds: u32, swaps: u32) -> Result {
        let mut command = self.script("load.sh");
        command.arg("slow").args(self.front()).env("SECONDS_LONG", seconds.to_string()).stdout(Stdio::piped());
        let load = command.stdin(Stdio::null()).spawn()?;
        let swapped = (1..=swaps).try_for_each(|swap| self.fixture.swap_to(swap));
        let output = load.wait_with_output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        swapped?;
        if !output.status.success() {
            return fail("the Inspector's load lost calls under swaps");
        }
        println!("load, {}: {seconds} s with {swaps} swaps, no call lost", self.era);
        Ok(())
    }

    fn script(&self, name: &str) -> Command {
        let mut command = self.fixture.script(name);
        command.env("ERA", self.era);
        command
    }

    fn server(&self) -> Vec<PathBuf> {
        self.fixture.server(&["--stdio"])
    }

    fn front(&self) -> Vec<PathBuf> {
        // Through `env`: the Inspector gives a server next to nothing of its own environment.
        let home = format!("MCP_TWIN_HOME={}", self.fixture.home().display());
        [vec!["env".into(), home.into(), mcp_twin(), "run".into(), "--".into()], self.server()].concat()
    }
}
