//! What a server last answered to an opening, for clients that connect while its code is broken.

use crate::files::{self, FileError, Flush};
use crate::home::Home;
use crate::servers::ServerKey;
use mcp_twin_core::relay::LastGood;
use serde::{Deserialize, Serialize};

/// The schema that this release writes.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    last_good: LastGood,
}

/// The last good opening of a server. A file that cannot be read counts as none: it is only a convenience.
#[must_use]
pub fn load(home: &Home, server: &ServerKey) -> Option<LastGood> {
    let bytes = files::read(&home.last_good_of(server)).ok().flatten()?;
    let file: File = serde_json::from_slice(&bytes).ok()?;
    (file.schema <= SCHEMA).then_some(file.last_good)
}

/// Keeps the last good opening of a server, if it differs from what is there.
///
/// # Errors
/// It cannot be written.
pub fn save(home: &Home, server: &ServerKey, last_good: &LastGood) -> Result<(), FileError> {
    let path = home.last_good_of(server);
    let file = File { schema: SCHEMA, last_good: last_good.clone() };
    let bytes = serde_json::to_vec(&file)
        .map_err(|error| FileError::Unwritable { path: path.clone(), why: error.to_string() })?;
    if files::read(&path).ok().flatten().is_some_and(|there| there == bytes) {
        return Ok(());
    }
    files::write_atomic(&path, &bytes, Flush::Later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fronts::seat::tests::home;
    use std::path::Path;

    #[test]
    fn it_is_kept_per_server_and_byte_for_byte() {
        let (_dir, home) = home();
        let (a, b) = (ServerKey::new("x", Path::new("/a")), ServerKey::new("x", Path::new("/b")));
        let result = "{ \"protocolVersion\" : \"2025-06-18\", \"x\": 1.0 }".to_owned();
        let good = LastGood { asked: "2025-06-18".into(), modern: false, result };
        assert_eq!(load(&home, &a), None);
        save(&home, &a, &good).unwrap();
        save(&home, &a, &good).unwrap();
        assert_eq!(load(&home, &a), Some(good));
        assert_eq!(load(&home, &b), None);
    }

    #[test]
    fn one_that_cannot_be_read_is_none_and_can_be_written_again() {
        let (_dir, home) = home();
        let key = ServerKey::new("x", Path::new("/a"));
        let good = LastGood { asked: "v".into(), modern: false, result: "{}".into() };
        for text in ["", "{", "{\"schema\":2,\"last_good\":{\"asked\":\"v\",\"result\":\"{}\"}}"] {
            std::fs::write(home.last_good_of(&key), text).unwrap();
            assert_eq!(load(&home, &key), None, "{text}");
            save(&home, &key, &good).unwrap();
            assert_eq!(load(&home, &key), Some(good.clone()));
        }
    }
}
