//! The files of a server, for the client to watch: those that its front names, else those that its command line comes to.

use mcp_twin_core::detect::launch::Launch;
use mcp_twin_core::watch::{Asked, Filter};
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::sources::Tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many files of one server are named. Its front watches them all.
pub(crate) const MOST: usize = 100;

/// The files of a server that does not run yet; its script comes first.
pub(crate) fn of_launch(home: &Home, launch: &Launch, cwd: &Path) -> Vec<PathBuf> {
    let patterns = launch.asked().iter().filter_map(|asked| match asked {
        Asked::Glob { pattern, .. } => Some(pattern.as_str()),
        Asked::File(_) | Asked::Folder(_) => None,
    });
    let filter = Filter::new(launch.asked().to_vec(), Vec::new(), cwd).forbid([home.path().to_owned()]);
    let (tree, _) = Tree::new(filter, patterns);
    let mut files = BTreeSet::new();
    tree.walk(|path, is_dir| {
        if !is_dir && files.len() < MOST {
            files.insert(path.to_owned());
        }
    });
    let script = launch.script.clone().filter(|script| script.is_file());
    script_first(script.as_deref(), files)
}

/// The same files, the script before the others.
pub(crate) fn script_first(script: Option<&Path>, files: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let others = files.into_iter().filter(|file| Some(file.as_path()) != script);
    script.map(Path::to_owned).into_iter().chain(others).take(MOST).collect()
}
