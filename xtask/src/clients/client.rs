//! The clients: where npm has them, how a server is added with their own command, and how they are asked what they see.

use super::says::Says;
use crate::exec::{Result, fail, tools};
use crate::setup;
use std::path::PathBuf;

/// One client. `{name}`, `{program}` and `{arguments}` in `add` and `listings` stand for those of the server.
pub(super) struct Client {
    /// How it is called here.
    pub(super) name: &'static str,
    /// How mcp-twin calls it.
    pub(super) id: &'static str,
    /// The package and its version.
    pub(super) pin: &'static str,
    /// Its folder among the tools.
    folder: &'static str,
    /// Its program, below `node_modules`: the first that is there. What ends in `js` is run by node.
    programs: &'static [&'static str],
    /// The file that wiring changes, below the home: the first that is there.
    pub(super) files: &'static [&'static str],
    /// A file of the project that nobody but its own command may change, wired or not.
    pub(super) shared: Option<&'static str>,
    /// What is in its home before it runs first.
    pub(super) prepared: Option<(&'static str, &'static str)>,
    /// What is set beside `HOME` and `PATH`, so that it trusts the folder and does not look for its updates.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// Its own command that adds a server.
    pub(super) add: &'static [&'static str],
    /// How it is asked: what its arguments are, and how its answer is read.
    pub(super) listings: &'static [(&'static [&'static str], Says)],
}

const CLAUDE: Client = Client {
    name: "claude",
    id: "claude-code",
    pin: "@anthropic-ai/claude-code@2.1.330",
    folder: "clients/claude",
    programs: &["@anthropic-ai/claude-code-{os}-{cpu}/claude"],
    files: &[".claude.json"],
    shared: None,
    prepared: None,
    environment: &[("DISABLE_AUTOUPDATER", "1"), ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")],
    add: &["mcp", "add", "{name}", "--", "{program}", "{arguments}"],
    listings: &[
        (&["mcp", "list"], Says::ClaudeList),
        // Without an account it ends with 1, but first it connects and says to what.
        (&["-p", "hello", "--output-format", "stream-json", "--verbose"], Says::ClaudeInit),
    ],
};

pub(super) const CLIENTS: &[Client] = &[
    CLAUDE,
    // The entry is in `.mcp.json`, which a repository shares: it is hidden by one of the person's own, and not changed.
    Client {
        name: "claude-shared",
        shared: Some(".mcp.json"),
        prepared: Some((".claude/settings.json", "{\"enableAllProjectMcpServers\": true}\n")),
        add: &["mcp", "add", "-s", "project", "{name}", "--", "{program}", "{arguments}"],
        ..CLAUDE
    },
    Client {
        name: "gemini",
        id: "gemini-cli",
        pin: "@google/gemini-cli@0.61.0",
        folder: "clients/gemini",
        programs: &["@google/gemini-cli/bundle/gemini.js"],
        files: &[".gemini/settings.json"],
        shared: None,
        prepared: None,
        environment: &[("GEMINI_CLI_TRUST_WORKSPACE", "true")],
        // It would take options behind the program for its own.
        add: &["mcp", "add", "-s", "user", "{name}", "{program}", "--", "{arguments}"],
        listings: &[(&["mcp", "list"], Says::GeminiList)],
    },
    Client {
        name: "codex",
        id: "codex",
        pin: "@openai/codex@0.169.0",
        folder: "clients/codex",
        programs: &["@openai/codex/bin/codex.js"],
        files: &[".codex/config.toml"],
        shared: None,
        prepared: None,
        environment: &[],
        add: &["mcp", "add", "{name}", "--", "{program}", "{arguments}"],
        listings: &[(&["app-server"], Says::CodexStatus)],
    },
    Client {
        name: "opencode",
        id: "opencode",
        pin: "opencode-ai@1.18.33",
        folder: "clients/opencode",
        programs: &["opencode-{os}-{cpu}-baseline/bin/opencode", "opencode-{os}-{cpu}/bin/opencode"],
        files: &[".config/opencode/opencode.jsonc", ".config/opencode/opencode.json"],
        shared: None,
        prepared: None,
        environment: &[("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")],
        add: &["mcp", "add", "{name}", "--", "{program}", "{arguments}"],
        listings: &[(&["mcp", "list"], Says::OpencodeList)],
    },
    Client {
        name: "inspector",
        id: "mcp-inspector",
        pin: setup::INSPECTOR,
        // Where `cargo xtask setup` puts it.
        folder: "inspector",
        programs: &["@modelcontextprotocol/inspector/clients/launcher/build/index.js"],
        files: &[".mcp-inspector/mcp.json"],
        shared: None,
        prepared: None,
        environment: &[("MCP_INSPECTOR_SECRET_STORE", "memory")],
        add: &["--cli", "--method", "servers/add", "--server", "{name}", "--", "{program}", "{arguments}"],
        listings: &[(
            &["--cli", "--server", "{name}", "--method", "tools/list", "--format", "json", "-q"],
            Says::InspectorTools,
        )],
    },
];

impl Client {
    /// Installs it from the registry of npm, where it is not there yet.
    pub(super) fn install(&self) -> Result {
        setup::package(&self.folder(), self.pin)?;
        self.program().map(drop)
    }

    /// The version behind its name.
    pub(super) fn version(&self) -> &'static str {
        self.pin.rsplit_once('@').map_or("", |(_, version)| version)
    }

    /// The words that start it.
    pub(super) fn program(&self) -> Result<Vec<PathBuf>> {
        // As npm names systems and processors.
        let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let modules = self.folder().join("node_modules");
        let path = |program: &&str| modules.join(program.replace("{os}", os).replace("{cpu}", cpu));
        match self.programs.iter().map(path).find(|path| path.is_file()) {
            Some(path) if path.extension().is_some_and(|extension| extension == "js") => {
                Ok(vec![tools().join("bin/node"), path])
            }
            Some(path) => Ok(vec![path]),
            None => fail(format!("{} has no program for {os} on {cpu}", self.pin)),
        }
    }

    fn folder(&self) -> PathBuf {
        tools().join(self.folder)
    }
}
