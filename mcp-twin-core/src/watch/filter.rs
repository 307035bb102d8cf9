//! Which files count: what was asked for, and what a server is usually made of.

use std::path::{Component, Path, PathBuf};

/// Extensions of files that servers are made of, in groups.
///
/// A reload too many costs a second of one core; a reload too few serves stale code in silence. So everything that is
/// read at start is in: code, configuration, queries, templates, native modules. Markdown and plain text are not: notes
/// are written far more often than prompts (`--watch 'prompts/*.md'` for those).
pub const SOURCE_EXTENSIONS: &[&str] = &[
    // Python, JavaScript, TypeScript: nearly all servers.
    "py",
    "pyi",
    "pyx",
    "js",
    "mjs",
    "cjs",
    "jsx",
    "ts",
    "mts",
    "cts",
    "tsx",
    // The others that have an MCP library, and what people glue servers together with.
    "rs",
    "go",
    "rb",
    "php",
    "java",
    "kt",
    "kts",
    "scala",
    "clj",
    "cs",
    "fs",
    "vb",
    "swift",
    "dart",
    "ex",
    "exs",
    "lua",
    "pl",
    "pm",
    "r",
    "jl",
    "zig",
    "nim",
    "c",
    "cc",
    "cpp",
    "h",
    "hpp",
    "sh",
    "bash",
    "zsh",
    "ps1",
    "bat",
    "cmd",
    // Configuration, read once at start.
    "json",
    "jsonc",
    "json5",
    "toml",
    "yaml",
    "yml",
    "ini",
    "cfg",
    "conf",
    "properties",
    "xml",
    "csproj",
    "fsproj",
    // Interfaces, queries, templates and pages, read once by most servers.
    "graphql",
    "gql",
    "sql",
    "proto",
    "j2",
    "jinja",
    "jinja2",
    "hbs",
    "mustache",
    "tmpl",
    "html",
    // Rebuilt native modules are new code.
    "so",
    "dylib",
    "dll",
    "pyd",
    "node",
    "wasm",
    "jar",
    "class",
];

/// Files that count by their whole name.
const SOURCE_NAMES: &[&str] = &["go.mod", "Gemfile", "Rakefile", ".python-version", ".node-version", ".nvmrc"];

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

/// What `--watch` asks for, or what a launch asks for by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// This file, whatever its extension.
    File(PathBuf),
    /// The source files in this folder and below.
    Folder(PathBuf),
    /// What matches this pattern below `base`, whatever its extension.
    Glob {
        /// The folder that the pattern is relative to.
        base: PathBuf,
        /// The pattern, with `/` between folders.
        pattern: String,
    },
}

impl Asked {
    /// What an argument of `--watch` means. `is_dir` tells whether an absolute path is a folder; what does not exist yet
    /// is a file, unless it ends in a slash.
    #[must_use]
    pub fn from_argument(argument: &str, cwd: &Path, is_dir: impl Fn(&Path) -> bool) -> Self {
        let whole = cwd.join(argument);
        if !argument.contains(GLOB) {
            let folder = argument.ends_with(['/', '\\']) || is_dir(&whole);
            return if folder { Self::Folder(tidy(&whole)) } else { Self::File(tidy(&whole)) };
        }
        // The part before the first wildcard is an ordinary folder.
        let parts: Vec<&str> = argument.split('/').collect();
        let plain = parts.iter().take_while(|part| !part.contains(GLOB)).count();
        let base = if plain == 0 { String::new() } else { format!("{}/", parts[..plain].join("/")) };
        Self::Glob { base: tidy(&cwd.join(base)), pattern: parts[plain..].join("/") }
    }

    /// The folder that has to be watched for it, and whether what is below it matters too.
    #[must_use]
    pub fn folder(&self) -> (&Path, bool) {
        match self {
            Self::File(path) => (path.parent().unwrap_or(path), false),
            Self::Folder(path) => (path, true),
            Self::Glob { base, pattern } => (base, pattern.contains('/') || pattern.contains("**")),
        }
    }
}

const GLOB: [char; 4] = ['*', '?', '[', '{'];

/// Whether a path counts, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts(&'static str),
    /// It does not.
    Ignored(&'static str),
}

impl Verdict {
    /// Whether it counts.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Counts(_))
    }
}

/// The rules of one front.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    asked: Vec<Asked>,
    ignored: Vec<String>,
    cwd: PathBuf,
    forbidden: Vec<PathBuf>,
}

impl Filter {
    /// Rules from what is asked for and the arguments of `--ignore`, which are relative to `cwd`.
    #[must_use]
    pub fn new(asked: Vec<Asked>, ignored: Vec<String>, cwd: impl Into<PathBuf>) -> Self {
        Self { asked, ignored, cwd: cwd.into(), forbidden: Vec::new() }
    }

    /// Nothing below these folders ever counts: the state directory, or the front would reload for its own log.
    #[must_use]
    pub fn forbid(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.forbidden.extend(folders);
        self
    }

    /// What is asked for.
    #[must_use]
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Whether `path` (absolute) counts. `matches(pattern, path)` is the host's glob matcher; it is given paths relative
    /// to the pattern's base.
    #[must_use]
    pub fn verdict(&self, path: &Path, matches: impl Fn(&str, &Path) -> bool) -> Verdict {
        if self.forbidden.iter().any(|folder| path.starts_with(folder)) {
            return Verdict::Ignored("it belongs to mcp-twin");
        }
        if self.ignored.iter().any(|argument| self.ignores(argument, path, &matches)) {
            return Verdict::Ignored("--ignore names it");
        }
        let mut verdict = Verdict::Ignored("nobody asked for it");
        for asked in &self.asked {
            match asked {
                Asked::File(file) if file == path => return Verdict::Counts("it is watched by name"),
                Asked::Glob { base, pattern } => {
                    if path.strip_prefix(base).is_ok_and(|below| matches(pattern, below)) {
                        return Verdict::Counts("a watched pattern matches it");
                    }
                }
                Asked::Folder(folder) => {
                    if let Ok(below) = path.strip_prefix(folder) {
                        verdict = in_folder(below);
                        if verdict.counts() {
                            return verdict;
                        }
                    }
                }
                Asked::File(_) => {}
            }
        }
        verdict
    }

    /// Whether the host need not look into this folder at all, found below a watched one.
    #[must_use]
    pub fn skips_folder(&self, path: &Path, matches: impl Fn(&str, &Path) -> bool) -> bool {
        let named = |asked: &Asked| asked.folder().0.starts_with(path);
        let tool = path.file_name().and_then(|name| name.to_str()).is_some_and(is_tool_folder);
        self.forbidden.iter().any(|folder| path.starts_with(folder))
            || (tool && !self.asked.iter().any(named))
            || self.ignored.iter().any(|argument| self.ignores(argument, path, &matches))
    }

    /// `--ignore`: a name or pattern without a slash fits at any level, one with a slash is relative to `cwd`; what is
    /// below an ignored folder is ignored too.
    fn ignores(&self, argument: &str, path: &Path, matches: &impl Fn(&str, &Path) -> bool) -> bool {
        let argument = argument.strip_prefix("./").unwrap_or(argument);
        let pattern = argument.trim_end_matches('/');
        if !pattern.contains(['/', '\\']) {
            let below = self.below(path);
            return below.components().any(|part| {
                let part = Path::new(part.as_os_str());
                part == Path::new(pattern) || (pattern.contains(GLOB) && matches(pattern, part))
            });
        }
        if pattern.contains(GLOB) {
            let (candidate, pattern) = match Path::new(pattern).is_absolute() {
                true => (path.strip_prefix("/").unwrap_or(path), pattern.trim_start_matches('/')),
                false => (self.below(path), pattern),
            };
            return candidate.ancestors().any(|part| !part.as_os_str().is_empty() && matches(pattern, part));
        }
        path.starts_with(tidy(&self.cwd.join(pattern)))
    }

    /// The part of a path that the user sees: below the working directory, or below the folder that was asked for.
    fn below<'a>(&self, path: &'a Path) -> &'a Path {
        let bases = self.asked.iter().map(|asked| asked.folder().0);
        std::iter::once(self.cwd.as_path()).chain(bases).find_map(|base| path.strip_prefix(base).ok()).unwrap_or(path)
    }
}

/// Whether a file is one that servers are made of, by its name.
#[must_use]
pub fn is_source(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    if never(path).is_some() {
        return false;
    }
    let example = [".example", ".sample", ".template"].iter().any(|end| name.ends_with(end));
    // `.env` is read once at start by every dotenv library.
    let env = (name == ".env" || name.starts_with(".env.")) && !example;
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    env || SOURCE_NAMES.contains(&name)
        || extension.is_some_and(|extension| SOURCE_EXTENSIONS.contains(&extension.as_str()))
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

fn in_folder(below: &Path) -> Verdict {
    let mut folders = below.parent().into_iter().flat_map(Path::components);
    if folders.any(|part| part.as_os_str().to_str().is_some_and(is_tool_folder)) {
        return Verdict::Ignored("it lies in a folder that tools fill");
    }
    match never(below) {
        Some(why) => Verdict::Ignored(why),
        None if is_source(below) => Verdict::Counts("it is a source file in a watched folder"),
        None => Verdict::Ignored("its extension is not one of source files"),
    }
}

/// A path without `.` and without `..` where it can be resolved by name.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*` within one part and `**` over many: enough of a matcher to see which paths it is given.
    fn matches(pattern: &str, path: &Path) -> bool {
        fn part(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|skip| part(rest, &text[skip..])),
                Some((c, rest)) => text.split_first().is_some_and(|(first, text)| first == c && part(rest, text)),
            }
        }
        fn parts(pattern: &[&str], path: &[&str]) -> bool {
            match (pattern, path) {
                ([], []) => true,
                (["**", rest @ ..], path) => (0..=path.len()).any(|skip| parts(rest, &path[skip..])),
                ([first, rest @ ..], [name, path @ ..]) => part(first.as_bytes(), name.as_bytes()) && parts(rest, path),
                _ => false,
            }
        }
        let pattern: Vec<_> = pattern.split('/').collect();
        let path: Vec<_> = path.components().map(|part| part.as_os_str().to_str().unwrap()).collect();
        parts(&pattern, &path)
    }

    fn counts(asked: &[&str], ignored: &[&str], path: &str) -> bool {
        let cwd = Path::new("/p");
        let is_dir = |path: &Path| path.extension().is_none() || path == Path::new("/p");
        let asked = asked.iter().map(|argument| Asked::from_argument(argument, cwd, is_dir)).collect();
        let ignored = ignored.iter().map(|&argument| argument.to_owned()).collect();
        let filter = Filter::new(asked, ignored, cwd).forbid([PathBuf::from("/home/me/.mcp-twin")]);
        filter.verdict(Path::new(path), matches).counts()
    }

    #[test]
    fn source_files_of_a_folder_count() {
        for path in [
            "/p/server.py",
            "/p/src/deep/tool.TS",
            "/p/config.yaml",
            "/p/.env",
            "/p/.env.local",
            "/p/go.mod",
            "/p/native.cpython-312-x86_64-linux-gnu.so",
            "/p/build/index.js",
            "/p/prompts/hello.j2",
        ] {
            assert!(counts(&["."], &[], path), "{path}");
        }
    }

    #[test]
    fn what_tools_and_editors_write_does_not() {
        for path in [
            "/p/README.md",
            "/p/server",
            "/p/server.log",
            "/p/server.log.1.json",
            "/p/data.db",
            "/p/data.sqlite3-wal",
            "/p/package-lock.json",
            "/p/uv.lock",
            "/p/Cargo.lock",
            "/p/pnpm-lock.yaml",
            "/p/__pycache__/server.cpython-312.pyc",
            "/p/node_modules/x/index.js",
            "/p/.venv/lib/python3/site.py",
            "/p/target/debug/build/x.rs",
            "/p/.git/config.toml",
            "/p/x.egg-info/a.json",
            "/p/4913",
            "/p/server.py~",
            "/p/.#server.py",
            "/p/#server.py#",
            "/p/.server.py.swp",
            "/p/server.py.tmp.3771.json",
            "/p/flycheck_server.py",
            "/p/vite.config.ts.timestamp-17.mjs",
            "/p/.env.example",
            "/elsewhere/server.py",
        ] {
            assert!(!counts(&["."], &[], path), "{path}");
        }
    }

    #[test]
    fn a_named_file_counts_whatever_it_is_and_a_pattern_by_itself() {
        assert!(counts(&["notes.md"], &[], "/p/notes.md"));
        assert!(counts(&["server.log"], &[], "/p/server.log"));
        assert!(counts(&["../shared.txt"], &[], "/shared.txt"));
        assert!(!counts(&["notes.md"], &[], "/p/other.md"));
        assert!(!counts(&["notes.md"], &[], "/p/server.py"));
        assert!(counts(&["prompts/*.md"], &[], "/p/prompts/a.md"));
        assert!(!counts(&["prompts/*.md"], &[], "/p/prompts/deep/a.md"));
        assert!(counts(&["prompts/**/*.md"], &[], "/p/prompts/deep/a.md"));
        assert!(counts(&["/q/*.txt"], &[], "/q/a.txt"));
        assert!(counts(&["node_modules/x/**"], &[], "/p/node_modules/x/index.js"));
    }

    #[test]
    fn a_tool_folder_counts_when_it_is_asked_for() {
        assert!(counts(&["target"], &[], "/p/target/index.js"));
        assert!(!counts(&["target"], &[], "/p/target/node_modules/index.js"));
    }

    #[test]
    fn ignore_wins() {
        for (ignored, path, gone) in [
            ("cache.json", "/p/deep/cache.json", true),
            ("cache.json", "/p/deep/my-cache.json", false),
            ("*.json", "/p/deep/x.json", true),
            ("gen/", "/p/a/gen/x.py", true),
            ("a/gen", "/p/a/gen/x.py", true),
            ("./a/gen", "/p/a/gen/x.py", true),
            ("a/gen", "/p/b/a/gen/x.py", false),
            ("a/*.py", "/p/a/x.py", true),
            ("a/*", "/p/a/deep/x.py", true),
            ("/p/a", "/p/a/x.py", true),
            ("/p/*/x.py", "/p/a/x.py", true),
            ("p", "/p/x.py", false),
        ] {
            assert_eq!(!counts(&["."], &[ignored], path), gone, "{ignored} {path}");
        }
        assert!(!counts(&["notes.md"], &["*.md"], "/p/notes.md"));
    }

    #[test]
    fn nothing_of_mcp_twin_counts_even_when_asked_for() {
        assert!(!counts(&["/home/me/.mcp-twin/x.json", "/home/me"], &[], "/home/me/.mcp-twin/x.json"));
    }

    #[test]
    fn folders_that_need_no_look_are_skipped() {
        let filter = Filter::new(
            vec![Asked::Folder("/p".into()), Asked::File("/p/.venv/extra.pth".into())],
            vec!["gen".into()],
            "/p",
        )
        .forbid([PathBuf::from("/p/state")]);
        let skips = |path: &str| filter.skips_folder(Path::new(path), matches);
        assert!(skips("/p/node_modules") && skips("/p/a/gen") && skips("/p/state/run"));
        assert!(!skips("/p/src") && !skips("/p/.venv"));
    }

    #[test]
    fn an_argument_is_a_file_a_folder_or_a_pattern() {
        let asked = |argument| Asked::from_argument(argument, Path::new("/p"), |path| path == Path::new("/p/src"));
        assert_eq!(asked("src"), Asked::Folder("/p/src".into()));
        assert_eq!(asked("new/"), Asked::Folder("/p/new".into()));
        assert_eq!(asked("new"), Asked::File("/p/new".into()));
        assert_eq!(asked("./a/../b.py"), Asked::File("/p/b.py".into()));
        let glob = |base: &str, pattern: &str| Asked::Glob { base: base.into(), pattern: pattern.into() };
        assert_eq!(asked("*.py"), glob("/p", "*.py"));
        assert_eq!(asked("src/**/*.{a,b}"), glob("/p/src", "**/*.{a,b}"));
        assert_eq!(asked("/q/x?.py"), glob("/q", "x?.py"));
        assert_eq!(glob("/q", "x?.py").folder(), (Path::new("/q"), false));
        assert_eq!(glob("/q", "**/x").folder(), (Path::new("/q"), true));
    }
}
