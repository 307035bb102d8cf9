//! Configuration files on the disk: where they are, how they are read, and what they make of an order.
//!
//! What they may say and what counts is the core's ([`mcp_twin_core::config`]).

use crate::home::Home;
use crate::machine::Disk;
use crate::run::{RunOrder, Variables};
use mcp_twin_core::config::{
    self, Asked, ConfigErrors, ConfigFile, LARGEST, Layer, Layers, Origin, PROJECT_FILE, Scope, USER_FILE, Wanted,
};
use mcp_twin_core::detect::launch::{Launch, Place};
use mcp_twin_core::notify::Target;
use mcp_twin_core::spec::{ServerName, Transport, default_name};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// So many folders upward are looked into.
const HIGHEST: usize = 64;

/// Where the files of a front are, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The project's, found upward from a folder; where there is none, that very folder's.
    pub project: PathBuf,
    /// The user's.
    pub user: PathBuf,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// The system does not let it be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// There are mistakes in it.
    #[error("{}", errors.text(&path.to_string_lossy()))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Each of them.
        errors: ConfigErrors,
    },
}

impl Places {
    /// The files that count for a front started in `here`. A folder above it that anybody may write to (`/tmp`) is passed over:
    /// what is in there may be a stranger's, and it would name commands.
    #[must_use]
    pub fn seen_from(here: &Path, home: &Home) -> Self {
        let mut above = here.ancestors().take(HIGHEST).enumerate();
        let found = above.find_map(|(height, folder)| {
            let file = folder.join(PROJECT_FILE);
            (file.is_file() && (height == 0 || !anybodys(folder))).then_some(file)
        });
        Self { project: found.unwrap_or_else(|| here.join(PROJECT_FILE)), user: home.path().join(USER_FILE) }
    }

    /// Both, the strongest first.
    #[must_use]
    pub fn all(&self) -> [(Scope, &Path); 2] {
        [(Scope::Project, &self.project), (Scope::User, &self.user)]
    }

    /// What they say.
    ///
    /// # Errors
    /// Every file that cannot be used.
    pub fn read(&self) -> Result<Layers, Vec<ConfigFault>> {
        let (mut layers, mut faults) = (Vec::new(), Vec::new());
        for (scope, path) in self.all() {
            match read(path) {
                Ok(Some(file)) => layers.push(Layer { scope, path: path.to_owned(), file }),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Layers::new(layers)) } else { Err(faults) }
    }
}

/// Reads one file; `None` if there is none.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn read(path: &Path) -> Result<Option<ConfigFile>, ConfigFault> {
    let unreadable = |why: String| ConfigFault::Unreadable { path: path.to_owned(), why };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
    };
    if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(unreadable("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(format!("it is longer than {LARGEST} bytes, which no configuration is")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(format!("line {line} is not UTF-8; save the file as UTF-8"))
    })?;
    config::read(&text).map(Some).map_err(|errors| ConfigFault::Wrong { path: path.to_owned(), errors })
}

/// What a front was asked for by its command line, and how its files are read again.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the files are.
    pub places: Places,
    /// What the command line says.
    pub asked: Asked,
    /// Variables of the server that no file of ours gives it: those of its entry in a client's configuration.
    pub env: Variables,
    /// Where each value comes from that is no default.
    pub origins: Vec<(&'static str, Origin)>,
    /// What files say of keys that no front changes while it lives, in words.
    pub fixed: Vec<(&'static str, String)>,
    /// Of those, the keys that the command line gives: what files say of them does not count.
    pub given: Vec<&'static str>,
    /// Who is told of what happens.
    pub notify: Vec<Target>,
}

impl Config {
    /// What the command line asks for, with these files.
    #[must_use]
    pub fn new(places: Places, asked: Asked, env: Variables) -> Self {
        Self { places, asked, env, origins: Vec::new(), fixed: Vec::new(), given: Vec::new(), notify: Vec::new() }
    }

    /// What is wanted now that the files say this.
    #[must_use]
    pub fn wanted(&self, layers: &Layers) -> Wanted {
        let mut asked = self.asked.clone();
        if !layers.is_empty() && asked.name.is_none() && !asked.command.is_empty() {
            asked.otherwise = Some(own_name(&asked.command, &asked.cwd, &self.env));
        }
        layers.apply(&asked)
    }

    /// The order with what is wanted. It remembers where it comes from.
    #[must_use]
    pub fn order(mut self, order: RunOrder, wanted: &Wanted) -> RunOrder {
        self.origins.clone_from(&wanted.origins);
        self.notify.clone_from(&wanted.notify);
        for (key, origin) in &mut self.origins {
            if self.given.contains(key) {
                *origin = Origin::CommandLine;
            }
        }
        self.fixed = fixed(wanted).into_iter().filter(|(key, _)| !self.given.contains(key)).collect();
        let mut env: Vec<(String, String)> =
            self.env.iter().filter(|(name, _)| !wanted.env.iter().any(|(own, _)| own == name)).cloned().collect();
        env.extend(wanted.env.iter().cloned());
        RunOrder {
            name: order.name.or_else(|| wanted.name.as_ref().map(ServerName::to_string)),
            command: wanted.command.clone(),
            watch: wanted.watch.clone(),
            ignore: wanted.ignore.clone(),
            options: wanted.options.clone(),
            chosen: wanted.chosen.clone(),
            cwd: wanted.cwd.clone(),
            env: Variables(env),
            config: Some(Box::new(self)),
            ..order
        }
    }
}

/// What clients and the system hold on to while a front lives.
fn fixed(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let transport = wanted.transport.map(|transport| match transport {
        Transport::Stdio => "stdio",
        Transport::Http => "http",
    });
    let all = [
        ("name", wanted.name.as_ref().map(ServerName::to_string)),
        ("transport", transport.map(str::to_owned)),
        ("listen", wanted.listen.clone()),
        ("path", wanted.path.clone()),
        ("token_file", wanted.token_file.as_ref().map(|file| file.display().to_string())),
        ("max_sessions", wanted.max_sessions.map(|most| most.to_string())),
        ("session_idle", wanted.session_idle.map(|idle| format!("{}s", idle.as_secs_f64()))),
    ];
    all.into_iter().map(|(key, value)| (key, value.unwrap_or_else(|| "default".to_owned()))).collect()
}

/// The name that a server gets which nobody named.
fn own_name(command: &[String], cwd: &Path, env: &Variables) -> ServerName {
    let home = dirs::home_dir();
    let place = Place { cwd: Some(cwd), home: home.as_deref(), env: &env.0, ..Place::new(&Disk) };
    let launch = Launch::read_in(command, &place);
    let root = launch.root.clone().unwrap_or_else(|| cwd.to_owned());
    default_name(Some(&root), launch.stem.as_deref())
}

/// Whether anybody may make files in this folder.
#[cfg(unix)]
fn anybodys(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o002 != 0)
}

/// Permissions are no bits of the folder here.
#[cfg(not(unix))]
fn anybodys(_folder: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_file_above_counts_but_not_a_strangers() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let open = dir.path().join("open");
        let (project, deep) = (open.join("shop"), open.join("shop/src/deep"));
        fs::create_dir_all(&deep).unwrap();
        let places = || Places::seen_from(&deep, &home);
        assert_eq!(places().project, deep.join(PROJECT_FILE), "where one would be seen");
        assert!(places().read().unwrap().is_empty());
        fs::write(open.join(PROJECT_FILE), "").unwrap();
        assert_eq!(places().project, open.join(PROJECT_FILE));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
            assert_eq!(places().project, deep.join(PROJECT_FILE));
            assert_eq!(Places::seen_from(&open, &home).project, open.join(PROJECT_FILE), "it was asked for by name");
        }
        fs::write(project.join(PROJECT_FILE), "[defaults]\nbake = \"1s\"\n").unwrap();
        assert_eq!(places().project, project.join(PROJECT_FILE));
        assert_eq!(places().read().unwrap().iter().count(), 1);
    }

    #[test]
    fn what_is_no_text_is_a_fault_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(PROJECT_FILE);
        let told = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path).unwrap_err().to_string().replace(&*path.to_string_lossy(), "FILE")
        };
        assert_eq!(told(b"# \n\xff"), "FILE cannot be read: line 2 is not UTF-8; save the file as UTF-8");
        assert!(told(&vec![b'#'; 2 << 20]).contains("longer than"));
        assert!(told(b"[defaults]\nbake = 3\n").starts_with("FILE:2:8: `bake`: "));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no file"));
    }
}
