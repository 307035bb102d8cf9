//! What the official Inspector sees of a server bare, it must see through a front, over stdio and over HTTP; and its load mode
//! must lose nothing while the server is swapped.

use super::fixture::Fixture;
use super::served::Served;
use crate::exec::{Result, fail, mcp_twin, number, option, output};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The Inspector's `--protocol-era`.
const ERAS: &[&str] = &["legacy", "auto", "modern"];
/// How it reaches the server.
const WAYS: &[&str] = &["stdio", "http"];

/// Runs both parts in each era and each way, or in the way behind `--over`: `--seconds N` sizes the load, `--swaps N` the
/// swaps under it.
pub(super) fn run(arguments: &[String]) -> Result {
    let (seconds, swaps) = (number(arguments, "--seconds", 15)?, number(arguments, "--swaps", 3)?);
    let over = option(arguments, "--over")?;
    if let Some(way) = over.filter(|way| !WAYS.contains(way)) {
        return fail(format!("`--over {way}`: there are {}", WAYS.join(" and ")));
    }
    for way in WAYS.iter().filter(|way| over.is_none_or(|only| only == **way)) {
        for era in ERAS {
            let bench = Bench { era, way, fixture: Fixture::new(&format!("{way}-{era}"))? };
            if *way == "http" {
                bench.over_http(seconds, swaps)?;
            } else {
                bench.compare(&bench.server(), &bench.front())?;
                bench.load(&bench.front(), seconds, swaps)?;
            }
        }
    }
    Ok(())
}

struct Bench {
    era: &'static str,
    way: &'static str,
    fixture: Fixture,
}

impl Bench {
    fn over_http(&self, seconds: u32, swaps: u32) -> Result {
        let (bare, front) = (Served::bare(&self.fixture, "bare")?, Served::front(&self.fixture, true)?);
        let at = |served: &Served| [PathBuf::from(&served.url)];
        self.compare(&at(&bare), &at(&front))?;
        self.load(&at(&front), seconds, swaps)?;
        front.end()
    }

    fn compare(&self, bare: &[PathBuf], fronted: &[PathBuf]) -> Result {
        let folder = self.fixture.folder();
        let bare = output(self.script("inspector.sh").args(bare))?;
        let fronted = output(self.script("inspector.sh").args(fronted))?;
        fs::write(folder.join("bare.txt"), &bare)?;
        fs::write(folder.join("fronted.txt"), &fronted)?;
        let (ours, theirs): (Vec<_>, Vec<_>) = (fronted.lines().collect(), bare.lines().collect());
        for (at, line) in theirs.iter().enumerate().filter(|(at, line)| ours.get(*at) != Some(line)) {
            eprintln!("bare:    {line}\nthrough: {}", ours.get(at).unwrap_or(&"nothing"));
        }
        if ours != theirs {
            return fail(format!("the Inspector sees a difference; both outputs are in {}", folder.display()));
        }
        println!("inspector, {}, {}: {} lines, the same bare and through mcp-twin", self.way, self.era, theirs.len());
        Ok(())
    }

    fn load(&self, fronted: &[PathBuf], seconds: u32, swaps: u32) -> Result {
        let mut command = self.script("load.sh");
        command.arg("slow").args(fronted).env("SECONDS_LONG", seconds.to_string()).stdout(Stdio::piped());
        let load = command.stdin(Stdio::null()).spawn()?;
        let swapped = (1..=swaps).try_for_each(|swap| self.fixture.swap_to(swap));
        let output = load.wait_with_output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        swapped?;
        if !output.status.success() {
            return fail("the Inspector's load lost calls under swaps");
        }
        println!("load, {}, {}: {seconds} s with {swaps} swaps, no call lost", self.way, self.era);
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
