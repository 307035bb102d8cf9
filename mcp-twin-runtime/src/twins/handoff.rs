//! What a twin says that cannot live beside another copy of itself.

/// What to do about it.
const HELP: &str = "the server wants something that the running copy holds, so two copies cannot run side by side; try \
                    --strategy handoff, which stops the old one first";

/// Words of a port that is taken, of a lock that is held, and of a program that wants to be alone; in lower case.
const SIGNS: &[&str] = &[
    "eaddrinuse",
    "address already in use",
    "address in use",
    "only one usage of each socket address",
    "port is already in use",
    "database is locked",
    "database is already in use",
    "sqlite_busy",
    "could not set lock on file",
    "could not acquire lock",
    "failed to acquire lock",
    "unable to acquire lock",
    "unable to lock",
    "lock file exists",
    "lockfile exists",
    "resource temporarily unavailable: lock",
    "blockingioerror: [errno 11]",
    "is already locked",
    "another instance",
    "already running",
    "profile appears to be in use",
    "profile is already in use",
    "singletonlock",
];

/// What to do if the last words of a twin that failed, while another one serves, look as if the two were in each other's
/// way.
#[must_use]
pub fn suggests_handoff(tail: &str) -> Option<&'static str> {
    let tail = tail.to_lowercase();
    // LevelDB and RocksDB: `IO error: lock /x/LOCK: Resource temporarily unavailable`.
    let leveldb = || tail.lines().any(|line| line.contains("lock") && line.contains("temporarily unavailable"));
    (SIGNS.iter().any(|sign| tail.contains(sign)) || leveldb()).then_some(HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_copies_say_to_each_other_is_known() {
        for tail in [
            "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle",
            "OSError: [Errno 98] Address already in use",
            "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
            "sqlite3.OperationalError: database is locked",
            "duckdb.IOException: IO Error: Could not set lock on file \"/x/a.db\": Conflicting lock is held",
            "IO error: lock /x/LOCK: Resource temporarily unavailable",
            "BlockingIOError: [Errno 11] Resource temporarily unavailable",
            "The profile appears to be in use by another Chromium process (4711)",
        ] {
            assert!(suggests_handoff(tail).is_some_and(|help| help.contains("--strategy handoff")), "{tail}");
        }
        for tail in [
            "",
            "ModuleNotFoundError: No module named 'flask'",
            "SyntaxError: invalid syntax",
            "connect ECONNREFUSED 127.0.0.1:5432",
            "uv.lock is out of date",
            "Resource temporarily unavailable: fork",
        ] {
            assert_eq!(suggests_handoff(tail), None, "{tail}");
        }
    }
}
