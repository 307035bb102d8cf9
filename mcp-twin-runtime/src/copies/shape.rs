//! What a copy holds, and how a command is made to run it.

use super::start::Start;
use mcp_twin_core::detect::launch::{Kind, Launch};
use std::path::{Component, Path, PathBuf};

/// What of a server's project makes its code, and how its command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The project's folder.
    pub root: PathBuf,
    /// The file that its command runs.
    script: Option<PathBuf>,
    kind: Kind,
    /// What a build makes of the watched files, and a copy holds too.
    made: Option<Made>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    File(PathBuf),
    Folder(PathBuf),
}

impl Shape {
    /// Of what this command line runs. `built`: there is a build step; `output`: the folder that it writes, where that is known.
    pub fn of(launch: &Launch, root: &Path, built: bool, output: Option<&Path>) -> Self {
        let script = launch.script.clone();
        let made = script.as_ref().filter(|_| built).and_then(|script| {
            let folder = script.parent()?;
            match extension(script) {
                "dll" => Some(Made::Folder(folder.to_owned())),
                "js" | "mjs" | "cjs" => {
                    let output = output.filter(|output| script.starts_with(output));
                    Some(Made::Folder(output.unwrap_or(folder).to_owned()))
                }
                _ if program(launch.kind, script) || launch.kind == Kind::JavaJar => Some(Made::File(script.clone())),
                _ => None,
            }
        });
        // A copy of a whole project would be no output.
        let made = made.filter(|made| !matches!(made, Made::Folder(folder) if root.starts_with(folder)));
        Self { root: root.to_owned(), script, kind: launch.kind, made }
    }

    /// The files that a build made, as they are now.
    pub fn outputs(&self) -> Vec<PathBuf> {
        match &self.made {
            None => Vec::new(),
            Some(Made::File(file)) => vec![file.clone()],
            Some(Made::Folder(folder)) => {
                let walk = ignore::WalkBuilder::new(folder).standard_filters(false).build();
                let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
                files.map(ignore::DirEntry::into_path).collect()
            }
        }
    }

    /// Whether what a build makes must not be overwritten under a running process, so that it is always started from a copy.
    pub fn sets_aside(&self) -> bool {
        let Some(script) = self.script.as_deref().filter(|_| self.made.is_some()) else { return false };
        program(self.kind, script) || matches!(self.kind, Kind::JavaJar | Kind::DotnetDll)
    }

    /// The same start with what was built set aside, where `made` finds it.
    pub fn aside(&self, mut start: Start, made: impl Fn(&Path) -> Option<PathBuf>) -> Start {
        let Some(script) = self.script.as_deref().filter(|_| self.sets_aside()) else { return start };
        let Some(copy) = made(script) else { return start };
        for word in &mut start.command {
            if plain(&start.cwd.join(&*word)) == script {
                *word = copy.to_string_lossy().into_owned();
            }
        }
        start
    }

    /// The same start in a copy of the project at `tree`.
    ///
    /// # Errors
    /// Why it would not run the copy's code.
    pub fn moved(&self, start: &Start, tree: &Path) -> Result<Start, String> {
        if let Some(why) = self.fixed() {
            return Err(why.to_owned());
        }
        let script = self.script.as_deref().ok_or("it is not known which file its command runs")?;
        let moved = Moved { root: &self.root, tree };
        let copied = moved.place(script).ok_or("the file that its command runs is not among the watched files")?;
        let cwd = moved.place(&start.cwd).unwrap_or_else(|| start.cwd.clone());
        let command: Vec<String> = start.command.iter().map(|word| moved.word(word, &start.cwd, &cwd)).collect();
        let named = command.iter().any(|word| plain(&cwd.join(word)) == copied);
        if !named && !python(self.kind) && self.kind != Kind::NpmScript {
            return Err("its command does not name the file that it runs".to_owned());
        }
        let mut env = start.env.clone();
        for (_, value) in &mut env.0 {
            *value = moved.paths(value);
        }
        if python(self.kind) {
            // A package that is installed in editable form would be loaded from the project; this comes first.
            let own = env.0.iter().rposition(|(name, _)| name == "PYTHONPATH").map(|at| env.0.remove(at).1);
            let before = own.or_else(|| std::env::var("PYTHONPATH").ok().map(|value| moved.paths(&value)));
            let first = std::iter::once(import_root(&copied));
            let all =
                first.chain(before.iter().flat_map(std::env::split_paths).filter(|path| !path.as_os_str().is_empty()));
            let all = std::env::join_paths(all).map_err(|error| error.to_string())?;
            env.0.push(("PYTHONPATH".to_owned(), all.to_string_lossy().into_owned()));
            // The environment is the project's own: it must not be made to fit the copy.
            env.0.push(("UV_NO_SYNC".to_owned(), "1".to_owned()));
        }
        Ok(Start { command, cwd, env })
    }

    /// Why such a command cannot be started in another place.
    fn fixed(&self) -> Option<&'static str> {
        Some(match self.kind {
            Kind::CargoRun | Kind::GoRun | Kind::DotnetRun | Kind::Gradle => {
                "its command compiles as it starts, into the project; start what a build step makes"
            }
            Kind::DockerRun | Kind::DockerExec | Kind::DockerCompose | Kind::Wsl => "it runs in another system",
            Kind::Shell => "its command is a line for a shell",
            _ => return None,
        })
    }
}

/// A project and its copy.
struct Moved<'a> {
    root: &'a Path,
    tree: &'a Path,
}

impl Moved<'_> {
    /// Where this is in the copy, if the copy has one of its own, rather than a link into the project.
    fn place(&self, path: &Path) -> Option<PathBuf> {
        let path = plain(path);
        let canonical = self.root.canonicalize().ok();
        let below = path.strip_prefix(self.root).ok().or_else(|| path.strip_prefix(canonical.as_deref()?).ok())?;
        let mut place = self.tree.to_owned();
        for part in below.components() {
            place.push(part);
            if place.symlink_metadata().ok()?.is_symlink() {
                return None;
            }
        }
        place.exists().then_some(place)
    }

    /// A word of the command: a path, or one behind `=`.
    fn word(&self, word: &str, cwd: &Path, moved: &Path) -> String {
        let (before, path) = match word.rsplit_once('=') {
            Some((before, path)) => (Some(before), path),
            None => (None, word),
        };
        let relative = Path::new(path).is_relative();
        // In the copy's own folder it means the copy already.
        if path.is_empty() || relative && (cwd != moved || before.is_some()) {
            return word.to_owned();
        }
        let Some(place) = self.place(&cwd.join(path)) else { return word.to_owned() };
        match before {
            Some(before) => format!("{before}={}", place.display()),
            None => place.to_string_lossy().into_owned(),
        }
    }

    /// A variable's value: a path, or several.
    fn paths(&self, value: &str) -> String {
        let of = |path: PathBuf| if path.is_absolute() { self.place(&path).unwrap_or(path) } else { path };
        let all = std::env::join_paths(std::env::split_paths(value).map(of));
        all.ok().and_then(|all| all.into_string().ok()).unwrap_or_else(|| value.to_owned())
    }
}

/// Whether this is a compiled program that is the command itself.
fn program(kind: Kind, script: &Path) -> bool {
    matches!(kind, Kind::Binary | Kind::ExecutableScript) && matches!(extension(script), "" | "exe")
}

fn python(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Python
            | Kind::PythonModule
            | Kind::UvRun
            | Kind::PoetryRun
            | Kind::HatchRun
            | Kind::PixiRun
            | Kind::CondaRun
            | Kind::ProjectRun
            | Kind::McpCli
            | Kind::FastmcpCli
            | Kind::Asgi
    )
}

/// The folder from which Python imports the package that this file is of.
fn import_root(script: &Path) -> PathBuf {
    let mut folder = script.parent().unwrap_or(script);
    while folder.join("__init__.py").exists()
        && let Some(above) = folder.parent()
    {
        folder = above;
    }
    folder.to_owned()
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// Without `.` and `..`, as far as the text tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
