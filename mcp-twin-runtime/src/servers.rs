//! What is known of every server that a front ran: `servers.json`.
//!
//! It tells a second server of the same name from the first, lets `start NAME` find the command again, and holds names
//! of variables, never their values.

use crate::files::{self, FileError, Flush, lock};
use crate::home::Home;
use mcp_twin_core::spec::Transport;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

/// The schema that this release writes.
const SCHEMA: u32 = 1;

/// The identity of a server, as a file name: its name, `@`, and 8 hexadecimal digits of its project root. Two servers of
/// one name and different roots differ in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(String);

impl ServerKey {
    /// The key of the server `name` (a slug) with this project root.
    #[must_use]
    pub fn new(name: &str, root: &Path) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(root.as_os_str().as_encoded_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the low half of a hash is a hash")]
        let digits = hasher.finish() as u32;
        Self(format!("{}@{digits:08x}", harmless(name)))
    }

    /// The key whose text this is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, digits) = text.rsplit_once('@')?;
        let whole = !name.is_empty() && digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then(|| Self(text.to_owned()))
    }

    /// The key as a file name without extension.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(name, _)| name)
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerEntry {
    /// Its name, unique on this machine.
    pub name: String,
    /// Its project root.
    pub root: PathBuf,
    /// The command.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// How the client talks to it.
    pub transport: Transport,
    /// Over HTTP: whether the server itself speaks stdio.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stdio: bool,
    /// Names of the environment variables that its configuration sets. Never their values.
    #[serde(default)]
    pub env_names: Vec<String>,
    /// When a front last started for it, in seconds since 1970.
    #[serde(default)]
    pub last_used: i64,
}

impl ServerEntry {
    /// The server's identity.
    #[must_use]
    pub fn key(&self) -> ServerKey {
        ServerKey::new(&self.name, &self.root)
    }
}

/// Every known server, the last used first. Entries that this release cannot read are left out; a file that is not JSON
/// counts as empty.
///
/// # Errors
/// The file cannot be read.
pub fn load(home: &Home) -> Result<Vec<ServerEntry>, FileError> {
    let mut entries = files::read(&home.servers())?.map(|bytes| entries(&parse(&bytes))).unwrap_or_default();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.last_used));
    Ok(entries)
}

/// Adds a server or renews what is known of it. `decide` sees all known servers and says what to write: no other front
/// can take the same name meanwhile.
///
/// # Errors
/// The file is locked, cannot be written, or was written by a newer release.
pub fn register(home: &Home, decide: impl FnOnce(&[ServerEntry]) -> ServerEntry) -> Result<ServerEntry, FileError> {
    let path = home.servers();
    lock::with_lock(&lock::beside(&path), || {
        let file = match files::read(&path)? {
            Some(bytes) => match parse(&bytes) {
                Some(file) => Some(file),
                None => {
                    // Damaged: nothing in it that the next start of each server does not bring again.
                    let _ = files::set_aside(&path);
                    None
                }
            },
            None => None,
        };
        if let Some(file) = file.as_ref().filter(|file| file.schema > SCHEMA) {
            return Err(FileError::Newer { path: path.clone(), schema: file.schema });
        }
        let entry = decide(&entries(&file));
        let mut file = file.unwrap_or_default();
        let unwritable =
            |error: serde_json::Error| FileError::Unwritable { path: path.clone(), why: error.to_string() };
        // Entries of others stay as they are, with whatever another release put into them.
        file.schema = SCHEMA;
        file.servers.insert(entry.key().0, serde_json::to_value(&entry).map_err(unwritable)?);
        let bytes = serde_json::to_vec_pretty(&file).map_err(unwritable)?;
        files::write_atomic(&path, &bytes, Flush::Now)?;
        Ok(entry)
    })
}

/// Adds a server or renews what is known of it.
///
/// # Errors
/// As [`register`].
pub fn upsert(home: &Home, entry: ServerEntry) -> Result<(), FileError> {
    register(home, |_| entry).map(drop)
}

/// A name as part of a file name. One that is a slug stays as it is; any other must neither leave the folder, nor be
/// hidden, nor end the name part of a key early.
pub(crate) fn harmless(name: &str) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.chars().map(|c| if known(c) { c } else { '_' }).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    schema: u32,
    #[serde(default)]
    servers: serde_json::Map<String, serde_json::Value>,
}

fn parse(bytes: &[u8]) -> Option<File> {
    serde_json::from_slice(bytes).ok()
}

fn entries(file: &Option<File>) -> Vec<ServerEntry> {
    let values = file.iter().flat_map(|file| file.servers.values());
    values.filter_map(|value| ServerEntry::deserialize(value).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, root: &str, last_used: i64) -> ServerEntry {
        ServerEntry {
            name: name.into(),
            root: root.into(),
            command: "python".into(),
            args: vec!["server.py".into()],
            cwd: root.into(),
            transport: Transport::Stdio,
            stdio: false,
            env_names: vec!["API_KEY".into()],
            last_used,
        }
    }

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.ensure().unwrap();
        (dir, home)
    }

    #[test]
    fn the_key_tells_roots_apart_and_stays_in_its_folder() {
        let (a, b) = (ServerKey::new("x", Path::new("/a")), ServerKey::new("x", Path::new("/b")));
        assert_ne!(a, b);
        assert_eq!(a, ServerKey::new("x", Path::new("/a")));
        assert_eq!(a.name(), "x");
        // Written into file names, so it must be the same in every release and on every machine.
        assert_eq!(a.as_str(), "x@311ed0f9");
        let odd = ServerKey::new("../x@y", Path::new("/a"));
        assert_eq!(odd.name(), "_.._x_y");
        assert_eq!(ServerKey::parse(a.as_str()), Some(a));
        for text in ["x", "@311ed0f9", "x@311ed0f", "x@311ed0fg"] {
            assert_eq!(ServerKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn servers_are_kept_and_renewed() {
        let (_dir, home) = home();
        assert_eq!(load(&home).unwrap(), []);
        upsert(&home, entry("a", "/a", 1)).unwrap();
        upsert(&home, entry("b", "/b", 2)).unwrap();
        upsert(&home, entry("a", "/a", 3)).unwrap();
        assert_eq!(load(&home).unwrap(), [entry("a", "/a", 3), entry("b", "/b", 2)]);
    }

    #[test]
    fn fronts_that_register_at_once_see_each_other() {
        let (_dir, home) = home();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let home = &home;
                scope.spawn(move || {
                    register(home, |known| entry(&format!("n{}", known.len()), &format!("/{n}"), n)).unwrap();
                });
            }
        });
        let mut names: Vec<_> = load(&home).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert_eq!(names, ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"]);
    }

    #[test]
    fn what_another_release_wrote_stays() {
        let (_dir, home) = home();
        let text = r#"{"schema":1,"servers":{"z@0":{"shape":"of another release"}}}"#;
        std::fs::write(home.servers(), text).unwrap();
        upsert(&home, entry("a", "/a", 1)).unwrap();
        assert_eq!(load(&home).unwrap(), [entry("a", "/a", 1)]);
        assert!(std::fs::read_to_string(home.servers()).unwrap().contains("of another release"));
    }

    #[test]
    fn a_newer_file_is_read_but_not_written() {
        let (_dir, home) = home();
        let known = serde_json::to_string(&entry("a", "/a", 1)).unwrap();
        let text = format!(r#"{{"schema":2,"servers":{{"a":{known}}},"more":1}}"#);
        std::fs::write(home.servers(), &text).unwrap();
        assert!(matches!(upsert(&home, entry("b", "/b", 1)), Err(FileError::Newer { schema: 2, .. })));
        assert_eq!(std::fs::read_to_string(home.servers()).unwrap(), text);
        assert_eq!(load(&home).unwrap().len(), 1);
    }

    #[test]
    fn a_file_cut_at_any_byte_is_no_obstacle() {
        let (_dir, home) = home();
        upsert(&home, entry("a", "/a", 1)).unwrap();
        let whole = std::fs::read(home.servers()).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(home.servers(), &whole[..cut]).unwrap();
            assert_eq!(load(&home).unwrap(), [], "cut at {cut}");
            upsert(&home, entry("b", "/b", 2)).unwrap();
            assert_eq!(load(&home).unwrap(), [entry("b", "/b", 2)], "cut at {cut}");
        }
    }
}
