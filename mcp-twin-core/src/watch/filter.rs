//! Which files count: what was asked for, and what was not.

use super::sources::{is_source, is_tool_folder, never};
use std::path::{Component, Path, PathBuf};

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
        assert!(counts(&["../beside.txt"], &[], "/beside.txt"));
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
            ("cache.toml", "/p/deep/cache.toml", true),
            ("cache.toml", "/p/deep/my-cache.toml", false),
            ("*.toml", "/p/deep/x.toml", true),
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
