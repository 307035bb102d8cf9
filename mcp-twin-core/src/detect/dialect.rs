//! How a family of clients writes its servers down. A client whose entries look like no other's has a dialect of its own;
//! most have not.

use super::server::Transport;
use super::site::Syntax;

/// A form of a reference to a variable that a client replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `${X}`
    Braces,
    /// `${X:-otherwise}`
    Default,
    /// `${env:X}`
    Prefixed,
    /// `$X`
    Dollar,
    /// `{env:X}`
    Curly,
    /// `%X%` in values of variables, on Windows.
    Percent,
    /// `${workspaceFolder}`, `${userHome}` and the like.
    Folders,
    /// `${input:x}`: the user is asked. Cannot be resolved.
    Input,
    /// `${{ secrets.X }}`: kept elsewhere. Cannot be resolved.
    Secrets,
    /// `${CLAUDE_PROJECT_DIR}`, and within a plugin `${CLAUDE_PLUGIN_ROOT}` and `${CLAUDE_PLUGIN_DATA}`.
    Claude,
    /// `${extensionPath}`, `${workspacePath}` and `${/}` within an extension.
    Extension,
}

/// A path of keys from a document's root.
pub(super) type Keys = &'static [&'static str];

/// How servers are written down.
#[derive(Debug)]
pub(super) struct Dialect {
    /// How the file is written.
    pub(super) syntax: Syntax,
    /// Where the servers stand, the usual place first. Where several are there, the deepest counts.
    pub(super) keys: &'static [Keys],
    /// The file may be the map of servers itself.
    pub(super) flat: bool,
    /// The servers are a list of `{name, …}`, or may be one.
    pub(super) list: bool,
    /// The keys of a command.
    pub(super) command: &'static str,
    /// The key of its variables.
    pub(super) env: &'static str,
    /// Lists of names of variables that are passed on.
    pub(super) passed: &'static [&'static str],
    /// The keys of its working directory.
    pub(super) cwd: &'static [&'static str],
    /// The keys of an address, the strongest first, each with the transport that it implies.
    pub(super) urls: &'static [(&'static str, Transport)],
    /// Where headers stand.
    pub(super) headers: &'static [Keys],
    /// An address counts more than a command.
    pub(super) remote_first: bool,
    /// A command beside an address makes the client refuse the file.
    pub(super) refuses_both: bool,
    /// References that are replaced.
    pub(super) forms: &'static [Form],
}

/// `mcpServers: {name: {command, args, env}}` in strict JSON, as Claude Desktop began it.
pub(super) const WORDS: Dialect = Dialect {
    syntax: Syntax::Json,
    keys: &[&["mcpServers"]],
    flat: false,
    list: false,
    command: "command",
    env: "env",
    passed: &[],
    cwd: &["cwd"],
    urls: &[("url", Transport::Http), ("httpUrl", Transport::Http), ("serverUrl", Transport::Http)],
    headers: &[&["headers"]],
    remote_first: false,
    refuses_both: false,
    forms: &[],
};

/// The same with `${X}`.
pub(super) const BRACES: Dialect = Dialect { forms: &[Form::Braces], ..WORDS };

/// The same with `${env:X}`.
pub(super) const PREFIXED: Dialect = Dialect { forms: &[Form::Prefixed], ..WORDS };

/// Claude Code's.
pub(super) const CLAUDE: Dialect = Dialect { forms: &[Form::Claude, Form::Default, Form::Braces], ..WORDS };

/// Claude Code's within a plugin, where the wrapper may be missing.
pub(super) const CLAUDE_PLUGIN: Dialect = Dialect { flat: true, ..CLAUDE };

/// Cursor's.
pub(super) const CURSOR: Dialect = Dialect { forms: &[Form::Prefixed, Form::Folders], ..WORDS };

/// VS Code's.
pub(super) const VSCODE: Dialect = Dialect {
    syntax: Syntax::Jsonc,
    keys: &[&["servers"]],
    forms: &[Form::Prefixed, Form::Folders, Form::Input],
    ..WORDS
};

/// VS Code's where it stands in other clients' files.
pub(super) const VSCODE_PORTABLE: Dialect = Dialect { syntax: Syntax::Json, keys: &[&["mcpServers"]], ..VSCODE };

/// Visual Studio's, which reads both of the keys.
pub(super) const VISUAL_STUDIO: Dialect =
    Dialect { syntax: Syntax::Json, keys: &[&["servers"], &["mcpServers"]], ..VSCODE };

/// Cline's: a nested `transport`, and SSE unless something else is said.
pub(super) const CLINE: Dialect = Dialect { urls: &[("url", Transport::Sse)], ..WORDS };

/// Roo Code's and Kilo Code's older one.
pub(super) const ROO: Dialect = CURSOR;

/// Gemini CLI's and Qwen Code's.
pub(super) const GEMINI: Dialect = Dialect {
    syntax: Syntax::Jsonc,
    urls: &[("httpUrl", Transport::Http), ("url", Transport::Sse)],
    forms: &[Form::Extension, Form::Default, Form::Braces, Form::Dollar, Form::Percent],
    ..WORDS
};

/// Antigravity's: an address wins.
pub(super) const ANTIGRAVITY: Dialect = Dialect {
    urls: &[("serverUrl", Transport::Http), ("url", Transport::Http), ("httpUrl", Transport::Http)],
    remote_first: true,
    ..WORDS
};

/// Windsurf's.
pub(super) const WINDSURF: Dialect = Dialect {
    urls: &[("serverUrl", Transport::Http), ("url", Transport::Http), ("httpUrl", Transport::Http)],
    ..PREFIXED
};

/// Codex's, in TOML.
pub(super) const CODEX: Dialect = Dialect {
    syntax: Syntax::Toml,
    keys: &[&["mcp_servers"]],
    passed: &["env_vars"],
    urls: &[("url", Transport::Http)],
    headers: &[&["http_headers"], &["env_http_headers"]],
    refuses_both: true,
    ..WORDS
};

/// Grok Build's: Codex's with headers by another name.
pub(super) const GROK: Dialect = Dialect { headers: &[&["headers"], &["http_headers"]], refuses_both: false, ..CODEX };

/// opencode's and Kilo Code's: the command is an array.
pub(super) const OPENCODE: Dialect = Dialect {
    syntax: Syntax::Jsonc,
    keys: &[&["mcp"], &["mcp", "servers"]],
    env: "environment",
    forms: &[Form::Curly],
    ..WORDS
};

/// The same in strict JSON, as fx has it.
pub(super) const ARRAYS: Dialect = Dialect { syntax: Syntax::Json, keys: &[&["mcp"]], forms: &[], ..OPENCODE };

/// Crush's.
pub(super) const CRUSH: Dialect =
    Dialect { keys: &[&["mcp"]], forms: &[Form::Default, Form::Braces, Form::Dollar], ..WORDS };

/// Continue's: a list in YAML.
pub(super) const CONTINUE: Dialect = Dialect {
    syntax: Syntax::Yaml,
    list: true,
    headers: &[&["requestOptions", "headers"], &["headers"]],
    forms: &[Form::Secrets],
    ..WORDS
};

/// What Continue takes over from other clients: their JSON.
pub(super) const CONTINUE_JSON: Dialect = Dialect { syntax: Syntax::Jsonc, flat: true, ..CONTINUE };

/// Goose's.
pub(super) const GOOSE: Dialect = Dialect {
    syntax: Syntax::Yaml,
    keys: &[&["extensions"]],
    command: "cmd",
    env: "envs",
    passed: &["env_keys"],
    urls: &[("uri", Transport::Http), ("url", Transport::Http)],
    forms: &[Form::Braces, Form::Dollar],
    ..WORDS
};

/// LibreChat's.
pub(super) const LIBRECHAT: Dialect = Dialect { syntax: Syntax::Yaml, ..BRACES };

/// Zed's, with the older form in which the command is an object.
pub(super) const ZED: Dialect = Dialect { syntax: Syntax::Jsonc, keys: &[&["context_servers"]], ..WORDS };

/// Amp's: one key with a dot in it.
pub(super) const AMP: Dialect = Dialect { syntax: Syntax::Jsonc, keys: &[&["amp.mcpServers"]], ..BRACES };

/// Warp's.
pub(super) const WARP: Dialect = Dialect { flat: true, cwd: &["working_directory", "cwd"], ..WORDS };

/// Copilot CLI's; in a project the wrapper may be missing.
pub(super) const COPILOT: Dialect = BRACES;

/// The same without a wrapper.
pub(super) const COPILOT_PROJECT: Dialect = Dialect { flat: true, ..BRACES };

/// `servers` or `mcpServers`, in strict JSON.
pub(super) const EITHER: Dialect = Dialect { keys: &[&["mcpServers"], &["servers"]], ..WORDS };

/// `mcpServers` in JSONC.
pub(super) const COMMENTED: Dialect = Dialect { syntax: Syntax::Jsonc, ..BRACES };
