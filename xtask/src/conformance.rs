//! `cargo xtask conformance`: what the official Inspector sees of a server bare, it must see through a front; and its load
//! mode must lose nothing while the server is swapped.

use crate::exec::{Result, cargo, fail, number, output, program, root, run as exec, target, tools};
use crate::setup;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one swap may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The Inspector's `--protocol-era`.
const ERAS: &[&str] = &["legacy", "auto", "modern"];

/// Runs both parts in each era: `--seconds N` sizes the load, `--swaps N` the swaps under it.
pub(crate) fn run(arguments: &[String]) -> Result {
    setup::run(&[])?;
    exec(&mut cargo(["build", "-p", "mcp-twin-cli"]))?;
    let (seconds, swaps) = (number(arguments, "--seconds", 15)?, number(arguments, "--swaps", 3)?);
    ERAS.iter().try_for_each(|era| {
        let bench = Bench::new(era)?;
        bench.compare()?;
        bench.load(seconds, swaps)
    })
}

struct Bench {
    era: &'static str,
    folder: PathBuf,
    fixture: String,
}

impl Bench {
    fn new(era: &'static str) -> Result<Self> {
        let folder = target().join("conformance").join(era);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("server"))?;
        let fixture = fs::read_to_string(root().join("tests/conformance/fixture_server.py"))?;
        let bench = Self { era, folder, fixture };
        bench.save("1.0.0")?;
        Ok(bench)
    }

    /// Saves the fixture server with this version in it.
    fn save(&self, version: &str) -> Result {
        let (before, after) = ("\"FIXTURE_VERSION\", \"1.0.0\"", format!("\"FIXTURE_VERSION\", \"{version}\""));
        if !self.fixture.contains(before) {
            return fail("the fixture server has no version to edit");
        }
        Ok(fs::write(self.folder.join("server/server.py"), self.fixture.replace(before, &after))?)
    }

    fn compare(&self) -> Result {
        let script = root().join("tests/conformance/inspector.sh");
        let bare = output(self.program(&script).args(self.server()))?;
        let fronted = output(self.program(&script).args(self.front()))?;
        fs::write(self.folder.join("bare.txt"), &bare)?;
        fs::write(self.folder.join("fronted.txt"), &fronted)?;
        let (ours, theirs): (Vec<_>, Vec<_>) = (fronted.lines().collect(), bare.lines().collect());
        for (at, line) in theirs.iter().enumerate().filter(|(at, line)| ours.get(*at) != Some(line)) {
            eprintln!("bare:    {line}\nthrough: {}", ours.get(at).unwrap_or(&"nothing"));
        }
        if ours != theirs {
            return fail(format!("the Inspector sees a difference; both outputs are in {}", self.folder.display()));
        }
        println!("inspector, {}: {} lines, the same bare and through mcp-twin run", self.era, theirs.len());
        Ok(())
    }

    fn load(&self, seconds: u32, swaps: u32) -> Result {
        let script = root().join("tests/conformance/load.sh");
        let mut command = self.program(&script);
        command.arg("slow").args(self.front()).env("SECONDS_LONG", seconds.to_string()).stdout(Stdio::piped());
        let load = command.stdin(Stdio::null()).spawn()?;
        let swapped = (1..=swaps).try_for_each(|swap| {
            // Before it serves, a save is not a swap: the first twin is then one of the newer code.
            self.wait_for("\"state\":\"serving\"")?;
            self.wait_for(&format!("\"swaps\":{}", swap - 1))?;
            self.save(&format!("{}.0.0", swap + 1))
        });
        let swapped = swapped.and_then(|()| self.wait_for(&format!("\"swaps\":{swaps}")));
        let output = load.wait_with_output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        swapped?;
        if !output.status.success() {
            return fail("the Inspector's load lost calls under swaps");
        }
        println!("load, {}: {seconds} s with {swaps} swaps, no call lost", self.era);
        Ok(())
    }

    /// Waits until `mcp-twin status --json` says this.
    fn wait_for(&self, wanted: &str) -> Result {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let mut status = self.in_home(Command::new(mcp_twin()));
            let said = status.args(["status", "--json"]).stderr(Stdio::null()).output()?.stdout;
            let said: String = String::from_utf8_lossy(&said).split_whitespace().collect();
            if said.contains(&format!("{wanted},")) || said.contains(&format!("{wanted}}}")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        fail(format!("`mcp-twin status --json` never said {wanted}"))
    }

    fn program(&self, script: &Path) -> Command {
        let mut command = self.in_home(program("bash", [script]));
        command.current_dir(self.folder.join("server")).env("MCP_TWIN_TOOLS", tools()).env("ERA", self.era);
        command
    }

    fn in_home(&self, mut command: Command) -> Command {
        command.env("MCP_TWIN_HOME", self.folder.join("home")).env_remove("MCP_TWIN_DISABLE");
        command
    }

    fn server(&self) -> Vec<PathBuf> {
        vec![tools().join("python/bin/python"), self.folder.join("server/server.py"), "--stdio".into()]
    }

    fn front(&self) -> Vec<PathBuf> {
        // Through `env`: the Inspector gives a server next to nothing of its own environment.
        let home = format!("MCP_TWIN_HOME={}", self.folder.join("home").display());
        [vec!["env".into(), home.into(), mcp_twin(), "run".into(), "--".into()], self.server()].concat()
    }
}

fn mcp_twin() -> PathBuf {
    std::env::var_os("MCP_TWIN_BIN").map_or_else(|| target().join("debug/mcp-twin"), PathBuf::from)
}
