//! The state directory: `$MCP_TWIN_HOME`, else `~/.mcp-twin`.
//!
//! Owns where everything lies and that only its user can read it; what is in the files is known to the modules that
//! write them. A home that cannot be used is said, never fatal: a front serves without it.

use crate::servers::ServerKey;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the state directory.
pub const VARIABLE: &str = "MCP_TWIN_HOME";

/// The state directory, not necessarily there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(pub PathBuf);

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Neither `$MCP_TWIN_HOME` nor a home directory is known.
    #[error("no home directory is known; set MCP_TWIN_HOME to a folder of your own")]
    Unknown,
    /// `$MCP_TWIN_HOME` is relative: the command and its fronts run in different folders.
    #[error("MCP_TWIN_HOME is not an absolute path: {}", .0.display())]
    Relative(PathBuf),
    /// A folder could not be made.
    #[error("cannot make {}: {source}; set MCP_TWIN_HOME to a folder that you can write", .path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder is there already, and others can enter it or it is not one.
    #[error("{} {what}", .path.display())]
    Unsafe {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
}

impl Home {
    /// The state directory that an environment asks for; `get` reads one variable of it.
    ///
    /// # Errors
    /// It names a relative path, or nothing names any.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        match get(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from) {
            Some(path) if path.is_absolute() => Ok(Self(path)),
            Some(path) => Err(HomeError::Relative(path)),
            None => dirs::home_dir().map(|home| Self(home.join(".mcp-twin"))).ok_or(HomeError::Unknown),
        }
    }

    /// The state directory at `path`, which should be absolute.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the folders that are missing, for this user only (0700); as many as can be made.
    ///
    /// # Errors
    /// The first that cannot be made, or that was there and is open to others.
    pub fn ensure(&self) -> Result<(), HomeError> {
        make_private(&self.0)?;
        let each = |folder: PathBuf| make_private(&folder).and_then(|()| check_private(&folder));
        // One folder that cannot be used is no reason to do without the others.
        let results = [self.state(), self.run(), self.logs(), self.history()].map(each);
        results.into_iter().collect()
    }

    /// What is wrong with the folders that are there; none is made, none is changed. The directory itself may be open to
    /// readers (what is in it is not); nobody else may write to it.
    #[must_use]
    pub fn wrong(&self) -> Vec<HomeError> {
        let own = [self.state(), self.run(), self.logs(), self.history()];
        let there = own.iter().filter(|folder| folder.symlink_metadata().is_ok());
        let shared = self.0.symlink_metadata().ok().and_then(|_| check_unshared(&self.0).err());
        shared.into_iter().chain(there.filter_map(|folder| check_private(folder).err())).collect()
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Records: one file per front, and the last good opening per server.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Locks, addresses and sockets of the fronts.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// One folder of log files per server.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// One file of history per server.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.0.join("history")
    }

    /// The log files of one server.
    #[must_use]
    pub fn logs_of(&self, server: &ServerKey) -> PathBuf {
        self.logs().join(server.as_str())
    }

    /// The history of one server.
    #[must_use]
    pub fn history_of(&self, server: &ServerKey) -> PathBuf {
        self.history().join(format!("{server}.jsonl"))
    }

    /// The record of one front.
    #[must_use]
    pub fn record_of(&self, front: &str) -> PathBuf {
        self.state().join(format!("{front}.json"))
    }

    /// The sessions of a front over HTTP.
    #[must_use]
    pub fn sessions_of(&self, front: &str) -> PathBuf {
        self.state().join(format!("{front}.sessions"))
    }

    /// What one server last answered to an opening.
    #[must_use]
    pub fn last_good_of(&self, server: &ServerKey) -> PathBuf {
        self.state().join(format!("{server}.last_good.json"))
    }

    /// What is known of the last build of one server.
    #[must_use]
    pub fn build_of(&self, server: &ServerKey) -> PathBuf {
        self.state().join(format!("{server}.build.json"))
    }

    /// The copies of the code of one server.
    #[must_use]
    pub fn copies_of(&self, server: &ServerKey) -> PathBuf {
        self.0.join("copies").join(server.to_string())
    }

    /// What is known of every server.
    #[must_use]
    pub fn servers(&self) -> PathBuf {
        self.0.join("servers.json")
    }

    /// What was wired in clients' configurations, and how to undo it.
    #[must_use]
    pub fn wired(&self) -> PathBuf {
        self.0.join("wired.json")
    }

    /// Clients' configurations as they were before they were wired.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.0.join("backups")
    }

    /// The leased ports.
    #[must_use]
    pub fn ports(&self) -> PathBuf {
        self.0.join("ports.json")
    }
}

/// Makes one folder, and those above it, for this user only.
pub(crate) fn make_private(path: &Path) -> Result<(), HomeError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| HomeError::Folder { path: path.to_owned(), source })
}

/// Refuses a folder that is not one, is another user's, or can be entered by others. It is never changed: it may be
/// somebody's on purpose (`MCP_TWIN_HOME=/var`).
pub(crate) fn check_private(path: &Path) -> Result<(), HomeError> {
    let bad = |what: String| Err(HomeError::Unsafe { path: path.to_owned(), what });
    let meta = std::fs::symlink_metadata(path).map_err(|source| HomeError::Folder { path: path.to_owned(), source })?;
    // A link is followed by us and by whoever made it: the target is judged, as far as it is this user's.
    let meta = if meta.is_symlink() { std::fs::metadata(path).unwrap_or(meta) } else { meta };
    if !meta.is_dir() {
        return bad("is not a folder; move it away".into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return bad("belongs to another user; set MCP_TWIN_HOME to a folder of your own".into());
        }
        if meta.mode() & 0o077 != 0 {
            return bad(format!("is open to other users; run: chmod 700 '{}'", path.display()));
        }
    }
    Ok(())
}

/// Refuses a folder that others may write to: they could put theirs in the place of what is ours.
fn check_unshared(path: &Path) -> Result<(), HomeError> {
    let bad = |what: String| Err(HomeError::Unsafe { path: path.to_owned(), what });
    let meta = std::fs::metadata(path).map_err(|source| HomeError::Folder { path: path.to_owned(), source })?;
    if !meta.is_dir() {
        return bad("is not a folder; move it away".into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        const STICKY: u32 = 0o1000;
        if meta.mode() & 0o022 != 0 && meta.mode() & STICKY == 0 {
            return bad(format!("can be written by other users; run: chmod go-w '{}'", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_and_an_empty_one_counts_as_absent() {
        let here = std::env::temp_dir().join("twin-home");
        let env = |name: &str| (name == VARIABLE).then(|| here.clone().into_os_string());
        assert_eq!(Home::from_env(env).unwrap(), Home::at(&here));
        let unset = Home::from_env(|_| None).map(|home| home.0);
        let empty = Home::from_env(|_| Some(OsString::new())).map(|home| home.0);
        assert_eq!(unset.ok(), empty.ok());
    }

    #[test]
    fn a_relative_home_is_refused() {
        assert!(matches!(Home::from_env(|_| Some("state".into())), Err(HomeError::Relative(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_folders_are_private_and_making_them_twice_is_fine() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("deep").join("home"));
        home.ensure().unwrap();
        home.ensure().unwrap();
        for folder in [home.0.clone(), home.state(), home.run(), home.logs(), home.history()] {
            assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_open_to_others_is_refused_and_left_as_it_is() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.ensure().unwrap();
        std::fs::set_permissions(home.run(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = home.ensure().unwrap_err();
        assert!(matches!(&error, HomeError::Unsafe { path, .. } if *path == home.run()), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
        assert_eq!(std::fs::metadata(home.run()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[cfg(unix)]
    #[test]
    fn a_look_says_what_is_wrong_and_changes_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        assert!(home.wrong().is_empty() && !home.path().exists());
        home.ensure().unwrap();
        assert!(home.wrong().is_empty());
        let set =
            |folder: &Path, mode| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        set(home.path(), 0o755);
        assert!(home.wrong().is_empty(), "others may see that it is there");
        set(home.path(), 0o777);
        set(&home.logs(), 0o750);
        let texts: Vec<String> = home.wrong().iter().map(ToString::to_string).collect();
        assert!(texts.len() == 2 && texts[0].contains("chmod go-w") && texts[1].contains("chmod 700"), "{texts:?}");
        assert_eq!(std::fs::metadata(home.logs()).unwrap().permissions().mode() & 0o777, 0o750);
    }

    #[test]
    fn a_home_below_a_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Home::at(file.join("home")).ensure().unwrap_err();
        assert!(matches!(error, HomeError::Folder { .. }), "{error}");
    }
}
