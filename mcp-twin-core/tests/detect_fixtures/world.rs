//! The little world around one configuration.

use mcp_twin_core::detect::launch::Look;
use mcp_twin_core::detect::{Browse, Machine, Os};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One fixture, as its file has it.
#[derive(Deserialize)]
pub struct Fixture {
    pub id: String,
    pub client: String,
    pub scope: String,
    pub os: String,
    pub path: String,
    pub format: String,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub files: Vec<String>,
    pub content: String,
}

/// What the environment says.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Its world, placeholders filled in.
pub struct World {
    os: Os,
    home: String,
    project: String,
    pub path: String,
    pub content: String,
    files: BTreeSet<PathBuf>,
    lookup: Lookup,
}

impl World {
    pub fn of(fixture: &Fixture) -> Self {
        let os = Os::named(&fixture.os);
        let windows = os == Os::Windows;
        let home = match fixture.env.get("USERPROFILE") {
            Some(home) => home.clone(),
            None if windows => r"C:\Users\dana".to_owned(),
            None if os == Os::Macos => "/Users/dana".to_owned(),
            None => "/home/dana".to_owned(),
        };
        let project = if windows { r"C:\work\demo" } else { "/srv/demo" }.to_owned();
        let filled = |text: &str| fill(text, &home, &project);
        let env: BTreeMap<String, String> =
            fixture.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
        let content = match fixture.format.as_str() {
            // A backslash means something in a string.
            "json" | "jsonc" => fill(&fixture.content, &home.replace('\\', r"\\"), &project.replace('\\', r"\\")),
            _ => filled(&fixture.content),
        };
        let mut path = filled(&fixture.path);
        for (name, value) in &env {
            path = path.replace(&format!("%{name}%"), value);
        }
        let files =
            fixture.files.iter().map(|file| PathBuf::from(filled(file))).chain([PathBuf::from(&path)]).collect();
        let lookup = Box::new(move |name: &str| env.get(name).cloned());
        Self { os, home, project, path, content, files, lookup }
    }

    pub fn machine(&self) -> Machine<'_> {
        Machine {
            os: self.os,
            home: Path::new(&self.home),
            project: Some(Path::new(&self.project)),
            env: &*self.lookup,
            look: self,
        }
    }

    /// An expectation with its placeholders filled in.
    pub fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(fill(text, &self.home, &self.project)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.filled(item)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, item)| (key.clone(), self.filled(item))).collect())
            }
            other => other.clone(),
        }
    }

    /// A value as it is compared: Windows knows two separators.
    pub fn plain(&self, value: &Value) -> String {
        let text = value.to_string();
        if self.os == Os::Windows { text.replace(r"\\", "/") } else { text }
    }

    pub fn is_its_path(&self, path: &Path) -> bool {
        let plain =
            |text: &str| if self.os == Os::Windows { text.replace('\\', "/").to_lowercase() } else { text.to_owned() };
        plain(&path.to_string_lossy()) == plain(&self.path)
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().flat_map(|file| file.ancestors().skip(1))
    }
}

fn fill(text: &str, home: &str, project: &str) -> String {
    text.replace("{HOME}", home).replace("{PROJECT}", project)
}

impl Look for World {
    fn exists(&self, path: &Path) -> bool {
        self.files.contains(path) || self.is_dir(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.folders().any(|folder| folder == path)
    }

    fn read_small(&self, path: &Path) -> Option<String> {
        self.files.contains(path).then(String::new)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let names: BTreeSet<String> = self
            .files
            .iter()
            .filter_map(|file| Some(file.strip_prefix(folder).ok()?.iter().next()?.to_string_lossy().into_owned()))
            .collect();
        names.into_iter().collect()
    }
}

impl Browse for World {
    fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
        Ok((path == Path::new(&self.path)).then(|| self.content.clone().into_bytes()))
    }
}
