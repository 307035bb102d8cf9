//! What a front is going to run and watch, read from its order.

use super::build::BuildLine;
use super::check::Check;
use crate::copies::Shape;
use crate::machine::Disk;
use crate::process::{Containers, not_runnable};
use crate::run::RunOrder;
use crate::sources::Tree;
use mcp_twin_core::detect::launch::{ContainerRun, Flag, Launch, Place};
use mcp_twin_core::spec::{Options, ServerName, Strategy, Transport, default_name, slug};
use mcp_twin_core::watch::{Asked, Filter};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a front is going to run and watch.
pub struct Plan {
    /// The server's name, before another root's claim to it.
    pub name: ServerName,
    /// The project root.
    pub root: PathBuf,
    /// The script that is run, if it is known.
    pub script: Option<PathBuf>,
    /// Its files.
    pub tree: Arc<Tree>,
    /// The options, with what the command line suggests where nobody chose.
    pub options: Options,
    /// What builds new code before a twin is started on it.
    pub build: Option<BuildLine>,
    /// What makes its code.
    pub shape: Shape,
    /// What looks at new code before the old twin is stopped for it.
    pub check: Option<Check>,
    /// What it starts, if that is a container.
    pub container: Option<ContainerRun>,
    /// What was odd about the order.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Reads an order.
    #[must_use]
    pub fn new(order: &RunOrder, transport: Transport) -> Self {
        let mut warnings = Vec::new();
        let home = dirs::home_dir();
        // Only what says where code is found: a PORT that some shell exported says nothing about a stdio server.
        let environment: Vec<(String, String)> = ["PATH", "PYTHONPATH", "VIRTUAL_ENV", "NODE_PATH"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
            // Those of its own come last, and win.
            .chain(order.env.iter().cloned())
            .collect();
        let place = Place { cwd: Some(&order.cwd), home: home.as_deref(), env: &environment, ..Place::new(&Disk) };
        let launch = Launch::read_in(&order.command, &place);
        let root = launch.root.clone().unwrap_or_else(|| order.cwd.clone());
        let name = match &order.name {
            Some(name) => slug(name),
            None => default_name(Some(&root), launch.stem.as_deref()),
        };
        let is_dir = |path: &Path| path.is_dir();
        let hint = order.options.build.as_ref().and_then(|_| launch.build_hint(&Disk));
        let build = match (order.options.build.as_deref(), &hint) {
            (None, _) => None,
            (Some(Options::AUTO), Some(hint)) => {
                Some(BuildLine { line: hint.line.clone(), cwd: hint.cwd.clone(), makes: launch.script.clone() })
            }
            (Some(Options::AUTO), None) => {
                warnings.push(
                    "--build auto: it is not known how this command is built, so nothing is; name the command line, such as \
                     --build 'npm run build'"
                        .to_owned(),
                );
                None
            }
            (Some(line), _) => {
                Some(BuildLine { line: line.to_owned(), cwd: order.cwd.clone(), makes: launch.script.clone() })
            }
        };
        let asked: Vec<Asked> = if order.watch.is_empty() {
            match (&hint, &build) {
                // What goes into the build, rather than what comes out.
                (Some(hint), _) => hint.inputs.clone(),
                (None, Some(build)) if launch.asked().is_empty() => vec![Asked::Folder(build.cwd.clone())],
                _ => launch.asked().to_vec(),
            }
        } else {
            order.watch.iter().map(|argument| Asked::from_argument(argument, &order.cwd, is_dir)).collect()
        };
        let runs = order.command.first().is_some_and(|program| not_runnable(program, &order.cwd).is_none());
        if order.options.watch_files && asked.is_empty() && runs {
            let why = match &launch.package {
                Some(package) if launch.flags.contains(&Flag::InstalledPackage) => {
                    format!("`{package}` is installed, not made of files here")
                }
                _ => "it is not known which files this command is made of".to_owned(),
            };
            warnings.push(format!(
                "{why}, so none are watched; name the server's files with --watch, or use `mcp-twin reload`"
            ));
        }
        for asked in &asked {
            let (folder, _) = asked.folder();
            if !folder.is_dir() {
                warnings.push(format!("{} does not exist, so nothing in it is watched", folder.display()));
            } else if let Asked::File(file) = asked
                && !order.watch.is_empty()
                && !file.exists()
            {
                warnings.push(format!("--watch {}: there is no such file or folder yet", file.display()));
            }
        }
        let patterns: Vec<String> = asked
            .iter()
            .filter_map(|asked| match asked {
                Asked::Glob { pattern, .. } => Some(pattern.clone()),
                Asked::File(_) | Asked::Folder(_) => None,
            })
            .chain(order.ignore.iter().flat_map(|argument| variants(argument)))
            .collect();
        let output = hint.map(|hint| hint.output);
        let folders = asked.iter().map(|asked| asked.folder().0).chain(build.as_ref().map(|build| build.cwd.as_path()));
        let whole = folders.fold(root.clone(), |above, folder| common(&above, folder));
        // Nobody's project is the whole disk, or all that a person has.
        let whole = if whole.parent().is_none() || home.as_deref() == Some(&whole) { &root } else { &whole };
        let shape = Shape::of(&launch, whole, build.is_some(), output.as_deref());
        let forbidden = [Some(order.home.path().to_owned()), fs::canonicalize(order.home.path()).ok(), output];
        let filter = Filter::new(asked, order.ignore.clone(), &order.cwd).forbid(forbidden.into_iter().flatten());
        let (tree, wrong) = Tree::new(filter, patterns.iter().map(String::as_str));
        warnings.extend(wrong);
        if !cfg!(target_os = "linux") && !order.options.keep_children.is_empty() {
            warnings.push(
                "--keep-children is not honoured on this system; only Linux tells one child from another".to_owned(),
            );
        }
        let container = ContainerRun::read(&order.command, &launch);
        if let Some(run) = &container {
            if !run.interactive {
                warnings.push(format!(
                    "`{} run` without -i gives the container no stdin, so it cannot speak MCP: write `{0} run -i …`",
                    run.program()
                ));
            }
            warnings.extend(Containers::unfollowed(run));
        }
        let check = Check::of(&launch, &order.cwd);
        let mut options = order.options.clone();
        options.build = build.as_ref().map(|build| build.line.clone());
        let chosen = |key| order.chosen.contains(&key);
        if !chosen("start_timeout") {
            options.start_timeout = Options::defaults_for(transport, &launch).start_timeout;
        }
        // A port that each twin is given anew is none that two of them would want.
        let own_ports = transport == Transport::Http && order.command.iter().any(|word| word.contains("{port}"));
        if !chosen("strategy") && launch.strategy() == Strategy::Handoff && !own_ports {
            options.strategy = Strategy::Handoff;
            warnings.push(format!(
                "two copies cannot run side by side ({}), so the old one is stopped before the new one starts; `--strategy overlap` says otherwise",
                launch.reason.as_deref().unwrap_or("as its command line says")
            ));
        }
        Self {
            name,
            root,
            options,
            build,
            shape,
            check,
            container,
            script: launch.script,
            tree: Arc::new(tree),
            warnings,
        }
    }
}

/// The folder that holds both.
fn common(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(one, other)| one == other).map(|(part, _)| part).collect()
}

/// The forms in which the filter asks for an `--ignore` pattern.
fn variants(argument: &str) -> [String; 2] {
    let pattern = argument.strip_prefix("./").unwrap_or(argument).trim_end_matches('/');
    [pattern.to_owned(), pattern.trim_start_matches('/').to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::run::Variables;

    #[test]
    fn an_installed_command_is_named_by_the_working_directory_and_has_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path().join("notes");
        fs::create_dir(&cwd).unwrap();
        fs::write(cwd.join("own"), "").unwrap();
        let plan = |command: &[&str]| {
            Plan::new(
                &RunOrder {
                    home: Home::at(dir.path().join("home")),
                    name: None,
                    command: command.iter().map(|&word| word.to_owned()).collect(),
                    recorded: None,
                    watch: Vec::new(),
                    ignore: Vec::new(),
                    options: Options::default(),
                    chosen: Vec::new(),
                    cwd: cwd.clone(),
                    env: Variables::default(),
                    config: None,
                    record: None,
                },
                Transport::Stdio,
            )
        };
        let installed = plan(&["sleep", "100"]);
        assert_eq!((installed.name.as_str(), &installed.root), ("notes-sleep", &cwd));
        assert!(installed.tree.is_empty());
        assert!(
            matches!(&installed.warnings[..], [why] if why.contains("`sleep` is installed") && why.contains("--watch"))
        );
        // A command that cannot run has worse trouble; that is said when it is tried.
        assert_eq!(plan(&["twin-of-nobody"]).warnings, [] as [&str; 0]);
        let own = plan(&["./own"]);
        assert_eq!((own.name.as_str(), own.tree.is_empty()), ("notes-own", false));
    }
}
