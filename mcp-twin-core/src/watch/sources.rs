//! What a server is usually made of, and what editors and tools leave beside it.

use std::path::Path;

/// Extensions of files that servers are made of, in groups.
///
/// A reload too many costs a second of one core; a reload too few serves stale code in silence. So everything that is
/// read at start is in: code, configuration, queries, templates, native modules. Markdown and plain text are not: notes
/// are written far more often than prompts (`--watch 'prompts/*.md'` for those).
pub const SOURCE_EXTENSIONS: &[&str] = &[
    // Python, JavaScript, TypeScript: nearly all servers.
    "py", "pyi", "pyx", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx",
    // The others that have an MCP library, and what people glue servers together with.
    "rs", "go", "rb", "php", "java", "kt", "kts", "scala", "clj", "cs", "fs", "vb", "swift", "dart", "ex", "exs", "lua",
    "pl", "pm", "r", "jl", "zig", "nim", "c", "cc", "cpp", "h", "hpp", "sh", "bash", "zsh", "ps1", "bat", "cmd",
    // Configuration, read once at start. Not JSON, XML and HTML: servers keep their data and output in these, and would
    // be reloaded for their own writing; the manifests among them count by name.
    "toml", "yaml", "yml", "ini", "cfg", "conf", "csproj", "fsproj",
    // Interfaces, queries and templates, read once by most servers.
    "graphql", "gql", "sql", "proto", "j2", "jinja", "jinja2", "hbs", "mustache", "tmpl",
    // Rebuilt native modules are new code.
    "so", "dylib", "dll", "pyd", "node", "wasm", "jar", "class",
];

/// Whether a file is one that servers are made of, by its name.
#[must_use]
pub fn is_source(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    if never(path).is_some() {
        return false;
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    // Read once at start by every dotenv library.
    is_env(path)
        || SOURCE_NAMES.contains(&name)
        || extension.is_some_and(|extension| SOURCE_EXTENSIONS.contains(&extension.as_str()))
}

/// Whether a file holds variables for a dotenv library, by its name (`.env`, `.env.local`): secrets, as a rule.
#[must_use]
pub fn is_env(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let example = [".example", ".sample", ".template"].iter().any(|end| name.ends_with(end));
    (name == ".env" || name.starts_with(".env.")) && !example
}

/// Why a file never counts unless it is named, if so: editors and tools write these beside the sources.
#[must_use]
pub fn never(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    // Vim writes `4913` to see whether it may; Emacs locks with `.#x` and saves `#x#`; JetBrains and GNOME rename.
    if name == "4913" || name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#')) {
        return Some("it is an editor's temporary file");
    }
    if ends(&["~", ".swp", ".swo", ".swx", ".tmp", ".temp", ".bak", ".part", "___jb_tmp___", "___jb_old___"])
        || lower.contains(".tmp.")
        || lower.starts_with(".goutputstream-")
        || lower.starts_with("flycheck_")
        || (lower.contains("_flymake.") || lower.contains(".timestamp-"))
    {
        return Some("it is an editor's or a tool's temporary file");
    }
    if name == crate::config::PROJECT_FILE {
        return Some("it is mcp-twin's own configuration");
    }
    if LOCK_FILES.contains(&name) || ends(&[".lock", ".pid", ".sock"]) {
        return Some("it is a lock file");
    }
    if ends(&[".log", ".out"]) || lower.contains(".log.") {
        return Some("it is a log");
    }
    let databases = [".db", ".sqlite", ".sqlite3", ".duckdb", ".db-wal", ".db-shm", ".db-journal", "-wal", "-shm"];
    ends(&databases).then_some("it is a database")
}

/// Whether a folder of this name holds what tools made.
#[must_use]
pub fn is_tool_folder(name: &str) -> bool {
    TOOL_FOLDERS.contains(&name) || name.ends_with(".egg-info")
}

/// Files that count by their whole name.
const SOURCE_NAMES: &[&str] = &[
    "package.json",
    "tsconfig.json",
    "jsconfig.json",
    "deno.json",
    "deno.jsonc",
    "fastmcp.json",
    "composer.json",
    "appsettings.json",
    "requirements.txt",
    "pom.xml",
    "go.mod",
    "Gemfile",
    "Rakefile",
    ".python-version",
    ".node-version",
    ".nvmrc",
];

/// Folders that hold what tools made or fetched. Watching them costs thousands of watches and shows nothing of the server.
const TOOL_FOLDERS: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    "__pycache__",
    ".venv",
    "venv",
    "site-packages",
    "target",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    ".eggs",
    ".cache",
    ".gradle",
    ".idea",
    ".vscode",
    ".next",
    ".turbo",
    ".direnv",
    ".mcp-twin",
];

/// Lock files: `uv run`, npm and the like rewrite them at every start. Their manifests count.
const LOCK_FILES: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "Cargo.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "packages.lock.json",
    "flake.lock",
];
