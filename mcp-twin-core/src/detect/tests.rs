//! Detection on machines that are a list of files.

mod bounds;
mod expansion;
mod fuzz;
mod inventory;
mod secrets;
mod shapes;
mod sources;
mod start;

use super::launch::Look;
use super::{Browse, Client, Machine, Os, Parsed, Source, parse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(super) const HOME: &str = "/home/dana";
pub(super) const PROJECT: &str = "/home/dana/code/demo";

/// What the environment says.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// A machine of names and texts.
pub(super) struct Disk {
    os: Os,
    home: PathBuf,
    project: Option<PathBuf>,
    files: BTreeMap<String, String>,
    env: Lookup,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self {
            os: Os::Linux,
            home: HOME.into(),
            project: Some(PROJECT.into()),
            files: BTreeMap::new(),
            env: Box::new(|_| None),
        }
    }

    /// Dana's Windows.
    pub(super) fn windows() -> Self {
        Self { os: Os::Windows, home: r"C:\Users\dana".into(), project: Some(r"C:\code\demo".into()), ..Self::new() }
    }

    pub(super) fn os(self, os: Os) -> Self {
        Self { os, ..self }
    }

    pub(super) fn without_project(self) -> Self {
        Self { project: None, ..self }
    }

    /// A file; `~` is the home, `@` the project.
    pub(super) fn with(mut self, at: &str, text: &str) -> Self {
        let at = at.replacen('~', HOME, 1).replacen('@', PROJECT, 1);
        self.files.insert(at, text.to_owned());
        self
    }

    pub(super) fn env(self, variables: &[(&'static str, &'static str)]) -> Self {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Self { env: Box::new(move |name| variables.get(name).map(|value| (*value).to_owned())), ..self }
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine { os: self.os, home: &self.home, project: self.project.as_deref(), env: &*self.env, look: self }
    }

    /// The source of a client that lies at this place.
    pub(super) fn source(&self, client: &str, at: &str) -> Source {
        let at = at.replacen('~', HOME, 1).replacen('@', PROJECT, 1);
        let sources = Client::named(client).unwrap().sources(&self.machine());
        let paths: Vec<_> = sources.iter().map(|source| source.path.clone()).collect();
        sources
            .into_iter()
            .find(|source| source.path == Path::new(&at))
            .unwrap_or_else(|| panic!("{client} has no {at}, but {paths:?}"))
    }

    /// What a client reads there.
    pub(super) fn read(&self, client: &str, at: &str, text: &str) -> Parsed {
        parse(&self.source(client, at), text.as_bytes(), &self.machine())
    }
}

impl Look for Disk {
    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(&*path.to_string_lossy()) || self.is_dir(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        !self.names(path).is_empty()
    }

    fn read_small(&self, path: &Path) -> Option<String> {
        self.files.get(&*path.to_string_lossy()).cloned()
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let folder = folder.to_string_lossy().into_owned();
        let below = |name: &String| {
            let rest = name.strip_prefix(&folder)?.strip_prefix(['/', '\\'])?;
            rest.split(['/', '\\']).next().map(str::to_owned)
        };
        self.files.keys().filter_map(below).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Browse for Disk {
    fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
        match self.files.get(&*path.to_string_lossy()).map(String::as_str) {
            Some("(no permission)") => Err("permission denied".to_owned()),
            text => Ok(text.map(|text| text.as_bytes().to_vec())),
        }
    }
}

/// Names of the servers, in order.
pub(super) fn names(parsed: &Parsed) -> Vec<&str> {
    parsed.servers.iter().map(|server| server.name.as_str()).collect()
}
