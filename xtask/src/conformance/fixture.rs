//! The fixture server in a folder of its own, edited as a developer does, and what `mcp-twin status` says of a front over it.

use crate::exec::{Result, fail, mcp_twin, program, root, target, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one swap may take, or a server until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Fixture {
    folder: PathBuf,
    code: String,
}

impl Fixture {
    /// The fixture below `target/conformance`, fresh.
    pub(super) fn new(name: &str) -> Result<Self> {
        let folder = target().join("conformance").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("server"))?;
        // Makes the folder a project: that of the repository, else, leaves `target` unwatched.
        fs::write(folder.join("server/pyproject.toml"), "[project]\nname = \"conformance\"\nversion = \"1\"\n")?;
        let code = fs::read_to_string(root().join("tests/conformance/fixture_server.py"))?;
        let fixture = Self { folder, code };
        fixture.save("1.0.0")?;
        Ok(fixture)
    }

    /// Where its results go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves the fixture server with this version in it.
    pub(super) fn save(&self, version: &str) -> Result {
        let (before, after) = ("\"FIXTURE_VERSION\", \"1.0.0\"", format!("\"FIXTURE_VERSION\", \"{version}\""));
        if !self.code.contains(before) {
            return fail("the fixture server has no version to edit");
        }
        Ok(fs::write(self.folder.join("server/server.py"), self.code.replace(before, &after))?)
    }

    /// The bare server's command, with these arguments behind it.
    pub(super) fn server(&self, arguments: &[&str]) -> Vec<PathBuf> {
        let mut words = vec![tools().join("python/bin/python"), self.folder.join("server/server.py")];
        words.extend(arguments.iter().map(PathBuf::from));
        words
    }

    /// The front's state directory.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A script of `tests/conformance`, run from the server's folder.
    pub(super) fn script(&self, name: &str) -> Command {
        self.at_home(program("bash", [root().join("tests/conformance").join(name)]))
    }

    /// A command that finds the tools, and this fixture's fronts.
    pub(super) fn at_home(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.join("server")).env("MCP_TWIN_TOOLS", tools());
        command.env("MCP_TWIN_HOME", self.home()).env_remove("MCP_TWIN_DISABLE");
        command
    }

    /// Waits until `mcp-twin status --json` says this.
    pub(super) fn wait_for(&self, wanted: &str) -> Result {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let said = self.status()?;
            if said.contains(&format!("{wanted},")) || said.contains(&format!("{wanted}}}")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        fail(format!("`mcp-twin status --json` never said {wanted}, at last {}", self.status()?))
    }

    /// Saves the code of this swap once the one before serves, and waits until it serves itself.
    pub(super) fn swap_to(&self, swap: u32) -> Result {
        // Before it serves, a save is not a swap: the first twin is then one of the newer code.
        self.wait_for("\"state\":\"serving\"")?;
        self.wait_for(&format!("\"swaps\":{}", swap - 1))?;
        self.save(&format!("{}.0.0", swap + 1))?;
        self.wait_for(&format!("\"swaps\":{swap}"))
    }

    fn status(&self) -> Result<String> {
        let mut status = self.at_home(Command::new(mcp_twin()));
        let said = status.args(["status", "--json"]).stderr(Stdio::null()).output()?.stdout;
        Ok(String::from_utf8_lossy(&said).split_whitespace().collect())
    }
}
