//! One reading of one command line: which family it belongs to, what the rest of the line says, and the result.

use super::root::{Ground, Language};
use super::{Flag, Kind, Launch, Look, Place, TwinHint, line, path, share};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So many wrappers deep a line is opaque.
const DEEPEST: u8 = 16;

/// The state of a reading. Wrappers change it on the way in.
pub(super) struct Reading<'a> {
    place: &'a Place<'a>,
    pub(super) cwd: Option<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) flags: BTreeSet<Flag>,
    pub(super) depth: u8,
}

/// What a family found out about its own command line.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) argv: Vec<String>,
    pub(super) script: Option<String>,
    /// A file that is watched besides: the script that starts the script.
    pub(super) also: Option<String>,
    pub(super) package: Option<String>,
    pub(super) ground: Ground,
    pub(super) language: Language,
    /// The arguments of the program itself.
    pub(super) rest: Vec<String>,
    pub(super) launcher: bool,
    pub(super) twin: Option<TwinHint>,
}

impl Found {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            argv: Vec::new(),
            script: None,
            also: None,
            package: None,
            ground: Ground::Nothing,
            language: Language::File,
            rest: Vec::new(),
            launcher: false,
            twin: None,
        }
    }

    /// A script whose project is to be found.
    pub(super) fn script(mut self, script: String, language: Language) -> Self {
        self.script = Some(script);
        self.ground = Ground::Project;
        self.language = language;
        self
    }

    pub(super) fn package(mut self, package: &str) -> Self {
        self.package = Some(package.to_owned());
        self
    }

    pub(super) fn rest(mut self, rest: &[String]) -> Self {
        self.rest = rest.to_vec();
        self
    }

    pub(super) fn slow(mut self) -> Self {
        self.launcher = true;
        self
    }

    /// A folder to watch, where it is known.
    pub(super) fn folder(mut self, folder: Option<String>, language: Language) -> Self {
        self.ground = folder.filter(|folder| path::is_absolute(folder)).map_or(Ground::Nothing, Ground::Folder);
        self.language = language;
        self
    }

    pub(super) fn only_file(mut self, script: String) -> Self {
        self.script = Some(script);
        self.ground = Ground::File;
        self
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(place: &'a Place<'a>) -> Self {
        let cwd = place.cwd.map(|cwd| cwd.to_string_lossy().into_owned());
        Self { place, cwd, env: place.env.to_vec(), flags: BTreeSet::new(), depth: 0 }
    }

    pub(super) fn read(mut self, argv: &[String]) -> Launch {
        let argv = self.split_whole_line(argv);
        let mut found = self.run(&argv);
        if found.argv.is_empty() {
            found.argv.clone_from(&argv);
        }
        if found.script.as_deref().is_some_and(is_wsl) {
            self.flags.insert(Flag::ForeignFilesystem);
        }
        let (twin, reason) = self.twin(&found);
        let ground = self.ground(&found);
        let stem = match (&found.script, &found.package) {
            (Some(script), _) => Some(script_stem(script)),
            (None, Some(package)) => Some(bare_package(package).to_owned()),
            (None, None) => found.argv.first().map(|word| path::command(word)),
        };
        Launch {
            kind: found.kind,
            command: argv,
            argv: found.argv,
            script: found.script.map(PathBuf::from),
            package: found.package,
            cwd: self.cwd.map(PathBuf::from),
            root: ground.root.map(PathBuf::from),
            watch: ground.watch,
            extensions: ground.extensions,
            launcher: found.launcher,
            twin,
            reason,
            flags: self.flags,
            stem,
            asked: ground.asked,
        }
    }

    /// Reads one command: wrappers recurse here.
    pub(super) fn run(&mut self, argv: &[String]) -> Found {
        let found = self.nested(argv, |reading, first, args| {
            Some(reading.known(first, args).unwrap_or_else(|| reading.file(first, args)))
        });
        found.unwrap_or_else(|| self.opaque())
    }

    /// The same, if it is a command that is known: what runs in a project may be a name that only the project knows.
    pub(super) fn inner(&mut self, argv: &[String]) -> Option<Found> {
        self.nested(argv, Self::known)
    }

    /// One step further in. So deep that nobody means it, a line is opaque.
    fn nested(
        &mut self,
        argv: &[String],
        read: impl FnOnce(&mut Self, &str, &[String]) -> Option<Found>,
    ) -> Option<Found> {
        let (first, args) = argv.split_first()?;
        if self.depth == DEEPEST {
            return Some(self.opaque());
        }
        self.depth += 1;
        let found = read(self, first, args);
        self.depth -= 1;
        found.map(|found| if found.argv.is_empty() { Found { argv: argv.to_vec(), ..found } } else { found })
    }

    fn known(&mut self, first: &str, args: &[String]) -> Option<Found> {
        let name = path::command(first);
        self.wrapper(&name, args)
            .or_else(|| self.python_family(first, &name, args))
            .or_else(|| self.node_family(&name, args))
            .or_else(|| self.container(&name, args))
            .or_else(|| self.foreign(&name, args))
            .or_else(|| self.native(&name, args))
    }

    /// A line that cannot be looked into.
    pub(super) fn opaque(&mut self) -> Found {
        self.flags.insert(Flag::OpaqueScript);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(Kind::Shell) }
    }

    /// A client may keep the whole line in one word. It is split only if no such file exists.
    fn split_whole_line(&mut self, argv: &[String]) -> Vec<String> {
        let Some((first, args)) = argv.split_first() else { return Vec::new() };
        // Backslashes behind a drive are folders, whatever system this is read on.
        let windows = first.contains(r":\") || first.contains(r"\\");
        let program = path::is_windows(first.trim_start_matches('"'))
            && [".exe", ".cmd", ".bat"].iter().any(|end| first.to_lowercase().ends_with(end));
        let whole = self.resolve(first);
        if !first.trim().contains(char::is_whitespace) || program || whole.is_some_and(|path| self.exists(&path)) {
            return argv.to_vec();
        }
        let words = if windows { Some(line::windows_words(first)) } else { shell_words::split(first).ok() };
        match words {
            Some(words) if words.len() > 1 => {
                self.flags.insert(Flag::SplitCommandString);
                words.into_iter().chain(args.iter().cloned()).collect()
            }
            _ => argv.to_vec(),
        }
    }

    /// Whether two copies may live side by side, from what was found and from the program's own arguments.
    fn twin(&mut self, found: &Found) -> (TwinHint, Option<String>) {
        if let Some(hint @ (TwinHint::Skip | TwinHint::Already)) = found.twin {
            return (hint, None);
        }
        let container = self.flags.contains(&Flag::Container);
        let env = if container { &[][..] } else { &self.env };
        let ports = share::ports(&found.rest, env);
        let profile = share::profile(&found.rest, env).map(str::to_owned);
        self.flags.extend(share::states(&found.rest, env).into_iter().map(Flag::StatePath));
        self.flags.extend(ports.into_iter().map(Flag::FixedPort));
        self.flags.extend(profile.clone().map(Flag::StatePath));
        let port = self.flags.iter().find_map(|flag| match flag {
            Flag::FixedPort(port) => Some(format!("two copies cannot both listen on port {port}")),
            Flag::ContainerName(name) => Some(format!("two containers cannot both be named {name}")),
            _ => None,
        });
        let state = self.flags.iter().find_map(|flag| match flag {
            Flag::StatePath(path) => Some(path.clone()),
            _ => None,
        });
        if let Some(why) = port {
            return (TwinHint::Conflict, Some(why));
        }
        if let Some(path) = profile {
            return (TwinHint::Conflict, Some(format!("{path} is a profile folder that one copy locks")));
        }
        if let Some(hint) = found.twin {
            let why = (hint == TwinHint::Conflict && self.flags.contains(&Flag::InspectorNotServer))
                .then(|| "it starts an Inspector on fixed ports, not a server".to_owned());
            return (hint, why);
        }
        if let Some(path) = state {
            return (TwinHint::SharedState, Some(format!("both copies write to {path}")));
        }
        (TwinHint::SideBySide, None)
    }

    // What is known of the place.

    pub(super) fn resolve(&self, path: &str) -> Option<String> {
        if let (Some(below), Some(home)) = (path.strip_prefix("~/"), self.home()) {
            return Some(path::join(&home, below));
        }
        path::resolve(self.cwd.as_deref(), path)
    }

    /// The absolute path of a script where the working directory is known, else the path as it stands there.
    pub(super) fn script_at(&self, path: &str) -> String {
        self.resolve(path).unwrap_or_else(|| path.to_owned())
    }

    pub(super) fn enter(&mut self, folder: &str) {
        self.cwd = self.resolve(folder);
    }

    pub(super) fn home(&self) -> Option<String> {
        self.place.home.map(|home| home.to_string_lossy().trim_end_matches(['/', '\\']).to_owned())
    }

    pub(super) fn look(&self) -> &'a dyn Look {
        self.place.look
    }

    /// The folder of the project whose configuration asked.
    pub(super) fn asking(&self) -> Option<String> {
        self.place.project.map(|project| project.to_string_lossy().trim_end_matches(['/', '\\']).to_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.place.look.exists(Path::new(path))
    }

    pub(super) fn is_dir(&self, path: &str) -> bool {
        self.place.look.is_dir(Path::new(path))
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        self.exists(path) && !self.is_dir(path)
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.place.look.read_small(Path::new(path))
    }

    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        self.place.look.names(Path::new(folder))
    }

    /// The value that may be put into a shell's words: one that the line itself has set, or a folder. Others may be secrets,
    /// and words are shown to people.
    pub(super) fn expandable(&self, name: &str) -> Option<&str> {
        let (at, (_, value)) = self.env.iter().enumerate().rev().find(|(_, (key, _))| key == name)?;
        (at >= self.place.env.len() || path::is_absolute(value)).then_some(value)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Whether a word is meant as a path, not as the name of a package or a task.
pub(super) fn looks_like_path(word: &str) -> bool {
    word.starts_with("./")
        || word.starts_with("../")
        || word.starts_with("~/")
        || word == "."
        || path::is_absolute(word)
        || word.starts_with(r".\")
}

/// The last part of a package's name, without scope, version, extras and index.
pub(super) fn bare_package(package: &str) -> &str {
    let package = package.trim_end_matches('/').trim_end_matches(".git");
    let name = package.rsplit('/').next().unwrap_or(package);
    let name = name.strip_prefix("npm:").or_else(|| name.strip_prefix("jsr:")).unwrap_or(name);
    let end = name.find(['@', '=', '<', '>', '~', '!', '[', ':', ' ']).filter(|end| *end > 0).unwrap_or(name.len());
    &name[..end]
}

/// Whether a path of Windows leads into a Linux.
fn is_wsl(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.starts_with(r"\\wsl.localhost\") || path.starts_with(r"\\wsl$\")
}

/// The stem of a script; a file that every project has is named by its folder.
fn script_stem(script: &str) -> String {
    match path::file_name(script) {
        "Cargo.toml" | "__main__.py" | "__init__.py" => path::parent(script).map_or("", path::file_name).to_owned(),
        _ => path::stem(script).to_owned(),
    }
}
