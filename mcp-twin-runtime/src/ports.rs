//! The leased ports on disk: `ports.json`, shared by all fronts.
//!
//! What the leases are and who gets which is core's (`mcp_twin_core::port`); this reads and writes them under a lock.

use crate::files::{self, FileError, Flush, lock};
use crate::home::Home;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads the leases. A file that cannot be read as such counts as empty.
///
/// # Errors
/// The file cannot be opened.
pub fn load<L: Default + DeserializeOwned>(home: &Home) -> Result<L, FileError> {
    let bytes = files::read(&home.ports())?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Changes the leases under the lock, which is waited for 1 s; they are written only if they differ afterwards, so that
/// leases of a newer release, which core refuses to change, stay as they are. A damaged file is set aside first: the
/// same names get the same ports again.
///
/// # Errors
/// The lock cannot be had, or the file cannot be read or written.
pub fn change<L, R>(home: &Home, change: impl FnOnce(&mut L) -> R) -> Result<R, FileError>
where
    L: Default + Serialize + DeserializeOwned,
{
    let path = home.ports();
    let unwritable = |error: serde_json::Error| FileError::Unwritable { path: path.clone(), why: error.to_string() };
    lock::with_lock(&lock::beside(&path), || {
        let mut leases: L = match files::read(&path)?.map(|bytes| serde_json::from_slice(&bytes)) {
            Some(Ok(leases)) => leases,
            Some(Err(_)) => {
                let _ = files::set_aside(&path);
                L::default()
            }
            None => L::default(),
        };
        let before = serde_json::to_vec_pretty(&leases).map_err(unwritable)?;
        let result = change(&mut leases);
        let after = serde_json::to_vec_pretty(&leases).map_err(unwritable)?;
        if before != after {
            files::write_atomic(&path, &after, Flush::Now)?;
        }
        Ok(result)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::home;
    use std::collections::BTreeMap;

    type Leases = BTreeMap<String, u16>;

    fn take(home: &Home, name: &str) -> u16 {
        change(home, |leases: &mut Leases| {
            let next = 8000 + u16::try_from(leases.len()).unwrap();
            *leases.entry(name.to_owned()).or_insert(next)
        })
        .unwrap()
    }

    #[test]
    fn leases_are_kept_and_given_out_once() {
        let (_dir, home) = home();
        let mut given: Vec<_> = std::thread::scope(|scope| {
            let home = &home;
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || take(home, &format!("s{n}")))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        given.sort_unstable();
        assert_eq!(given, (8000..8008).collect::<Vec<_>>());
        assert_eq!(load::<Leases>(&home).unwrap().len(), 8);
    }

    #[test]
    fn what_does_not_change_is_not_written() {
        let (_dir, home) = home();
        change(&home, |_: &mut Leases| ()).unwrap();
        assert!(!home.ports().exists());
        std::fs::write(home.ports(), "{\"a\":8000 }").unwrap();
        assert_eq!(take(&home, "a"), 8000);
        assert_eq!(std::fs::read_to_string(home.ports()).unwrap(), "{\"a\":8000 }");
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let (_dir, home) = home();
        std::fs::write(home.ports(), "{\"a\":80").unwrap();
        assert_eq!(load::<Leases>(&home).unwrap(), Leases::new());
        assert_eq!(take(&home, "b"), 8000);
        assert!(home.path().join("ports.json.damaged").exists());
    }
}
