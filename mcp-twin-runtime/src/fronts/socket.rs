//! Where a front's socket is: below `run/`, or where that path is too long for a socket, in a private folder with a
//! short name; on Windows a named pipe.

use crate::home::Home;
use std::io;
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket, in bytes: 104 with the final zero on macOS and the BSDs, 108 on Linux.
#[cfg(unix)]
const LONGEST: usize = 103;

/// A place for the socket of a front; the folder is there. `nonce` is the last part of the front's id.
///
/// # Errors
/// No place is short enough, or the folder is another user's.
#[cfg(unix)]
pub(super) fn place(home: &Home, front: &str, nonce: &str, temporary: &[&Path]) -> io::Result<PathBuf> {
    let fits = |path: &PathBuf| path.as_os_str().len() <= LONGEST;
    let run = home.run();
    if let Some(path) = [run.join(format!("{front}.sock")), run.join(format!("{nonce}.sock"))].into_iter().find(fits) {
        return Ok(path);
    }
    let folder = format!("mcp-twin-{:08x}", short_hash(&run));
    let mut failure = io::Error::other(format!("{} is too long for a socket; set MCP_TWIN_HOME", run.display()));
    for base in temporary {
        let folder = base.join(&folder);
        let path = folder.join(format!("{nonce}.sock"));
        if !fits(&path) {
            continue;
        }
        // Anybody can make folders here: only one that is ours and closed to others will do.
        match crate::home::make_private(&folder).and_then(|()| own(&folder)) {
            Ok(()) => return Ok(path),
            Err(error) => failure = io::Error::other(error),
        }
    }
    Err(failure)
}

#[cfg(windows)]
pub(super) fn place(_home: &Home, front: &str, _nonce: &str, _temporary: &[&Path]) -> io::Result<PathBuf> {
    Ok(PathBuf::from(format!(r"\\.\pipe\mcp-twin-{front}")))
}

/// Removes the file of a socket; a pipe has none.
pub(super) fn remove(socket: &Path) {
    if cfg!(unix) {
        let _ = std::fs::remove_file(socket);
    }
}

/// A folder with a known name in a place that is open to all must not be a link.
#[cfg(unix)]
fn own(folder: &Path) -> Result<(), crate::home::HomeError> {
    if folder.is_symlink() {
        let what = "is a link that somebody made; remove it".to_owned();
        return Err(crate::home::HomeError::Unsafe { path: folder.to_owned(), what });
    }
    crate::home::check_private(folder)
}

#[cfg(unix)]
fn short_hash(path: &Path) -> u32 {
    use std::hash::Hasher;
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(path.as_os_str().as_encoded_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the low half of a hash is a hash")]
    let short = hasher.finish() as u32;
    short
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn below(base: &Path, length: usize) -> Home {
        let missing = length.saturating_sub(base.as_os_str().len() + 1);
        Home::at(base.join("h".repeat(missing)))
    }

    #[test]
    fn the_shortest_change_that_fits_is_made() {
        let short = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        let front = format!("{}-01234567", "s".repeat(40));
        let of = |length| {
            let home = below(short.path(), length);
            place(&home, &front, "01234567", &[short.path()]).unwrap()
        };
        // run/ + front + .sock are 60 bytes more than the home; with the nonce alone 19.
        assert!(of(40).ends_with(format!("run/{front}.sock")));
        assert!(of(60).ends_with("run/01234567.sock"));
        let far = of(90);
        assert_eq!(far.parent().unwrap().parent().unwrap(), short.path());
        assert_eq!(far, of(90), "the folder must be the same for the same home");
        assert_ne!(far.parent(), of(91).parent());
        for length in [40, 60, 90, 200] {
            assert!(of(length).as_os_str().len() <= LONGEST);
        }
    }

    #[test]
    fn a_folder_that_somebody_else_prepared_is_not_used() {
        let tmp = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        let home = below(tmp.path(), 120);
        let folder = place(&home, "f-0", "0", &[tmp.path()]).unwrap().parent().unwrap().to_owned();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(place(&home, "f-0", "0", &[tmp.path()]).unwrap_err().to_string().contains("open to other users"));
        std::fs::remove_dir(&folder).unwrap();
        let elsewhere = tmp.path().join("e");
        std::fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
        assert!(place(&home, "f-0", "0", &[tmp.path()]).unwrap_err().to_string().contains("link"));
    }

    #[test]
    fn without_a_short_place_the_error_says_what_to_do() {
        let tmp = tempfile::tempdir().unwrap();
        let long = tmp.path().join("t".repeat(100));
        let error = place(&below(tmp.path(), 120), "f-0", "0", &[&long]).unwrap_err();
        assert!(error.to_string().contains("set MCP_TWIN_HOME"), "{error}");
    }
}
