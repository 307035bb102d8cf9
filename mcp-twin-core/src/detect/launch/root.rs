//! Which folder belongs to a script, and what is watched in it.

use super::reading::{Found, Reading};
use super::{Flag, Kind, WatchGlob, path};
use crate::watch::{Asked, SOURCE_EXTENSIONS};
use std::path::{Path, PathBuf};

/// What a family says about the place of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// There is nothing to watch.
    Nothing,
    /// The script alone.
    File,
    /// The project that the script belongs to.
    Project,
    /// This folder.
    Folder(String),
}

/// What the code is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    JavaScript,
    TypeScript,
    Deno,
    Rust,
    Go,
    Dotnet,
    /// A project of Gradle or Maven, or a folder of classes.
    Java,
    /// Another interpreted language: files with the script's own extension.
    Other,
    /// Nothing that has sources here.
    File,
}

/// What comes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    pub(super) root: Option<String>,
    pub(super) watch: Vec<WatchGlob>,
    pub(super) extensions: &'static [&'static str],
    pub(super) asked: Vec<Asked>,
}

/// Files that mark the root of a project.
const MARKERS: &[&str] = &[
    "pyproject.toml",
    "package.json",
    "Cargo.toml",
    "go.mod",
    "deno.json",
    "deno.jsonc",
    "pixi.toml",
    "setup.py",
    "requirements.txt",
    "Gemfile",
    "composer.json",
];

/// Folders that compilers write to.
const OUTPUTS: &[&str] = &["build", "dist", "out", "target"];

/// Folders that hold everybody's files: a script in one of them is watched alone.
const TOO_WIDE: &[&str] =
    &["/tmp", "/var/tmp", "/private/tmp", "/usr", "/opt", "/home", "/Users", "/root", "/var", "/srv"];

impl Reading<'_> {
    /// The folder to watch for what was found, and what counts in it.
    pub(super) fn ground(&mut self, found: &Found) -> Watched {
        let mut watched = self.own_ground(found);
        if let Some(also) = found.also.as_deref().filter(|path| path::is_absolute(path)) {
            watched.asked.push(Asked::File(PathBuf::from(also)));
        }
        watched
    }

    fn own_ground(&mut self, found: &Found) -> Watched {
        let script = found.script.as_deref().filter(|script| path::is_absolute(script));
        match (&found.ground, script) {
            (Ground::Folder(folder), script) if self.is_too_wide(folder) => {
                // A project file in the home folder does not make all of it a project.
                if self.home().is_some_and(|home| path::is_within(&home, folder)) {
                    self.flags.insert(Flag::WatchRootIsHome);
                }
                script.filter(|script| !self.is_dir(script)).map(watch_file).unwrap_or_default()
            }
            (Ground::Folder(folder), _) => {
                if found.language == Language::Java {
                    self.mark_output(&path::join(folder, "class"));
                }
                watch_folder(folder, globs(found, script, true))
            }
            (Ground::Project, Some(script)) => self.project(found, script),
            (Ground::File, Some(script)) => {
                self.mark_output(script);
                watch_file(script)
            }
            (Ground::Nothing, _) | (_, None) => Watched::default(),
        }
    }

    fn project(&mut self, found: &Found, script: &str) -> Watched {
        if in_tool_folder(script) {
            // Somebody else's code: it changes when it is installed anew.
            self.flags.insert(Flag::InstalledPackage);
            return watch_file(script);
        }
        let Some(folder) = path::parent(script) else { return watch_file(script) };
        let mut marked = self.marked(folder);
        // A `package.json` that a build left beside its output says how to load it, not where the project is.
        while let Some(output) = marked.filter(|folder| OUTPUTS.contains(&path::file_name(folder)))
            && let Some(above) = path::parent(output).and_then(|folder| self.marked(folder))
        {
            marked = Some(above);
        }
        let marked = marked.map(str::to_owned);
        let compiled = matches!(found.language, Language::JavaScript)
            && matches!(found.kind, Kind::Node | Kind::Npx | Kind::Bun | Kind::Deno);
        if compiled && let Some(output) = output_folder(script, marked.as_deref()) {
            self.flags.insert(Flag::BuildOutput);
            return watch_folder(output, globs(found, Some(script), false));
        }
        if let Some(marked) = marked {
            return watch_folder(&marked, globs(found, Some(script), true));
        }
        if self.home().is_some_and(|home| path::is_within(&home, folder)) {
            self.flags.insert(Flag::WatchRootIsHome);
        }
        if self.is_too_wide(folder) {
            return watch_file(script);
        }
        watch_folder(folder, globs(found, Some(script), true))
    }

    /// Whether a folder is home, one above it, or everybody's.
    fn is_too_wide(&self, folder: &str) -> bool {
        self.home().is_some_and(|home| path::is_within(&home, folder))
            || path::parent(folder).is_none()
            || TOO_WIDE.contains(&folder)
            || folder.starts_with("/usr/")
    }

    /// The nearest folder at or above this one that holds a project's marker: not home and nothing above it, within one
    /// repository, and not above the project that asked.
    pub(super) fn marked<'p>(&self, folder: &'p str) -> Option<&'p str> {
        let home = self.home();
        let project = self.asking();
        for folder in path::ancestors(folder) {
            if home.as_deref().is_some_and(|home| path::is_within(home, folder)) || TOO_WIDE.contains(&folder) {
                return None;
            }
            if self.is_marked(folder) {
                return Some(folder);
            }
            if project.as_deref() == Some(folder) || self.exists(&path::join(folder, ".git")) {
                return None;
            }
        }
        None
    }

    fn is_marked(&self, folder: &str) -> bool {
        MARKERS.iter().any(|marker| self.is_file(&path::join(folder, marker)))
            || self.names(folder).iter().any(|name| is_dotnet_project(name))
    }

    /// The one project file of .NET in a folder.
    pub(super) fn dotnet_project(&self, folder: &str) -> Option<String> {
        let names = self.names(folder);
        let mut projects = names.iter().filter(|name| is_dotnet_project(name));
        let first = projects.next()?;
        projects.next().is_none().then(|| path::join(folder, first))
    }

    /// The folder of the project that a command without a script belongs to: the working directory's.
    pub(super) fn project_of_cwd(&self) -> Option<String> {
        let cwd = self.cwd.as_deref()?;
        self.marked(cwd).map(str::to_owned)
    }

    fn mark_output(&mut self, script: &str) {
        let parts: Vec<&str> = script.split(['/', '\\']).collect();
        let folders = parts.split_last().map_or(&[][..], |(_, folders)| folders);
        let bin = folders.windows(2).any(|pair| pair[0] == "bin" && matches!(pair[1], "Debug" | "Release"));
        if bin || folders.iter().rev().take(3).any(|part| OUTPUTS.contains(part)) {
            self.flags.insert(Flag::BuildOutput);
        }
    }
}

fn is_dotnet_project(name: &str) -> bool {
    matches!(path::extension(name).as_str(), "csproj" | "fsproj" | "vbproj")
}

/// The patterns of a language, as they are shown.
fn globs(found: &Found, script: Option<&str>, source: bool) -> Vec<String> {
    let own = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>();
    match found.language {
        Language::Python => own(&["**/*.py", "pyproject.toml"]),
        Language::JavaScript if source => own(&["**/*.{js,mjs,cjs}", "package.json"]),
        Language::JavaScript => own(&["**/*.{js,mjs,cjs}"]),
        Language::TypeScript => own(&["**/*.{ts,tsx,mts,cts,js,mjs,cjs}", "package.json"]),
        Language::Deno => own(&["**/*.{ts,tsx,js,mjs}", "deno.json", "deno.jsonc"]),
        Language::Rust => own(&["**/*.rs", "**/Cargo.toml", "Cargo.lock"]),
        Language::Go => own(&["**/*.go", "go.mod", "go.sum"]),
        Language::Dotnet => own(&["**/*.{cs,csproj}"]),
        Language::Java => own(&["**/*.{java,kt,class}"]),
        Language::Other | Language::File => {
            script.map(|script| format!("**/*.{}", path::extension(script))).into_iter().collect()
        }
    }
}

fn watch_folder(folder: &str, patterns: Vec<String>) -> Watched {
    let root = PathBuf::from(folder);
    let mut asked = vec![Asked::Folder(root.clone())];
    // A lock file counts only where the tool does not rewrite it at each start.
    let locks = patterns.iter().filter(|pattern| matches!(pattern.as_str(), "Cargo.lock" | "go.sum"));
    asked.extend(locks.map(|name| Asked::File(root.join(name))));
    let watch = patterns.into_iter().map(|pattern| WatchGlob { root: root.clone(), pattern }).collect();
    Watched { root: Some(folder.to_owned()), watch, extensions: SOURCE_EXTENSIONS, asked }
}

fn watch_file(script: &str) -> Watched {
    let folder = path::parent(script).unwrap_or("/");
    let pattern = path::file_name(script).to_owned();
    Watched {
        root: Some(folder.to_owned()),
        watch: vec![WatchGlob { root: PathBuf::from(folder), pattern }],
        extensions: &[],
        asked: vec![Asked::File(PathBuf::from(script))],
    }
}

/// Whether a script lies where packages are installed.
pub(super) fn in_tool_folder(script: &str) -> bool {
    Path::new(script)
        .components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("node_modules" | "site-packages" | "dist-packages")))
        || script.contains(r"\node_modules\")
}

/// Folders of the system: what lies in or below them was installed there.
const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/games",
    "/usr/lib",
    "/usr/libexec",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/snap",
    "/nix",
    "/run/current-system",
    "/opt/homebrew",
    "/home/linuxbrew",
];

/// Folders below home that package managers install commands into.
const INSTALLED: &[&str] = &[
    ".cargo/bin",
    ".local/bin",
    ".local/share",
    ".local/pipx",
    ".npm-global",
    ".nvm",
    ".volta",
    ".fnm",
    ".bun/bin",
    ".deno/bin",
    ".dotnet/tools",
    ".pyenv",
    ".asdf",
    ".rbenv",
    ".sdkman",
    "go/bin",
    ".nix-profile",
];

impl Reading<'_> {
    /// Whether a command lies where commands are installed, so that there are no sources of it to watch. `found`: it was
    /// looked up, so nobody named this very file.
    pub(super) fn is_installed(&self, script: &str, found: bool) -> bool {
        let home = self.home();
        let below =
            |folder: &&str| home.as_deref().is_some_and(|home| path::is_within(script, &path::join(home, folder)));
        let bin = path::parent(script).unwrap_or("/");
        SYSTEM.iter().any(|folder| path::is_within(script, folder))
            || INSTALLED.iter().any(below)
            || in_tool_folder(script)
            || (found && path::is_within(script, "/opt") && path::file_name(bin) == "bin")
    }
}

/// The output folder that a script lies in, below the folder of its project.
fn output_folder<'s>(script: &'s str, project: Option<&str>) -> Option<&'s str> {
    let below = |folder: &&str| match project {
        Some(project) => *folder != project && path::is_within(folder, project),
        // Without a project only the script's own folder can be told.
        None => path::parent(script) == Some(*folder),
    };
    path::ancestors(script).skip(1).filter(below).filter(|folder| OUTPUTS.contains(&path::file_name(folder))).last()
}
