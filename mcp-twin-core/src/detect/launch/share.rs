//! What two copies of a server would both want: ports, files, folders. Read from the names of arguments and variables.

use super::path;

/// A port of something that the server connects to is not its own.
const OTHERS: &[&str] = &[
    "db",
    "database",
    "pg",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mssql",
    "sql",
    "oracle",
    "redis",
    "mongo",
    "mongodb",
    "cassandra",
    "neo4j",
    "elastic",
    "elasticsearch",
    "kafka",
    "amqp",
    "rabbitmq",
    "mqtt",
    "smtp",
    "imap",
    "pop3",
    "ldap",
    "ssh",
    "sftp",
    "ftp",
    "proxy",
    "remote",
    "chrome",
    "browser",
    "cdp",
    "debugger",
    "upstream",
    "target",
    "serial",
    "ollama",
    "qdrant",
];

/// Ports that the program itself listens on, going by its arguments and variables. 0 means any free one.
pub(super) fn ports(args: &[String], env: &[(String, String)]) -> Vec<u16> {
    let mut ports = Vec::new();
    for (name, value) in pairs(args) {
        // `-p 8080` and `-p 0.0.0.0:8080`, as much as `--port`, `-addr :8080` and `--server.port=8080`.
        let parts = parts(name);
        let port = match parts.last().map(String::as_str) {
            Some("p") if name == "-p" => number(value),
            Some("port" | "bind" | "listen") if own(&parts) => number(value),
            Some("addr" | "address") if own(&parts) => here(value),
            Some("http" | "sse") if value.contains(':') => here(value),
            Some("urls") => loopback(value),
            _ => None,
        };
        ports.extend(port);
    }
    for (name, value) in env {
        let parts = parts(name);
        let says = |words: &[&str]| parts.iter().any(|part| words.contains(&part.as_str()));
        let port = if parts.last().is_some_and(|part| part == "port") && own(&parts) {
            value.parse().ok().filter(|port| *port != 0)
        } else if says(&["listen", "bind"]) {
            number(value)
        } else if says(&["public", "callback", "redirect", "aspnetcore", "dotnet"]) {
            loopback(value)
        } else {
            None
        };
        ports.extend(port);
    }
    ports
}

fn own(parts: &[String]) -> bool {
    // A browser that is started is told where to listen for its debugger.
    parts.ends_with(&["remote".to_owned(), "debugging".to_owned(), "port".to_owned()])
        || !parts.iter().any(|part| OTHERS.contains(&part.as_str()))
}

/// `8080`, `:8080`, `127.0.0.1:8080`, `tcp://0.0.0.0:8080/`.
fn number(text: &str) -> Option<u16> {
    let text = text.trim_end_matches('/');
    text.rsplit(':').next().and_then(|port| port.parse().ok()).filter(|port| *port != 0)
}

/// The port of an address of this machine, `:8080` or `localhost:8080`.
fn here(address: &str) -> Option<u16> {
    let name = address.rsplit_once(':').map_or("", |(name, _)| name);
    number(address).filter(|_| is_here(name))
}

/// The port of a URL on this machine.
fn loopback(url: &str) -> Option<u16> {
    let host = url.split("://").nth(1)?.split(['/', ';', '?', '#']).next()?;
    here(host).filter(|_| host.contains(':'))
}

fn is_here(name: &str) -> bool {
    name.starts_with("127.") || matches!(name, "" | "localhost" | "[::1]" | "0.0.0.0" | "[::]" | "*" | "+")
}

/// The folder of a browser's profile, which one copy locks.
pub(super) fn profile<'a>(args: &'a [String], env: &'a [(String, String)]) -> Option<&'a str> {
    let is_profile = |name: &str| {
        let name = parts(name).join("-");
        name.ends_with("user-data-dir") || name.ends_with("profile-dir") || name == "userdatadir"
    };
    let is_value = |value: &str| !value.is_empty() && !value.starts_with('-');
    let arg = pairs(args).find(|(name, value)| is_profile(name) && is_value(value)).map(|(_, value)| value);
    arg.or_else(|| env.iter().find(|(name, value)| is_profile(name) && is_path_value(value)).map(|(_, value)| &**value))
}

/// Paths that the program writes to, going by the names of its arguments and variables.
pub(super) fn states(args: &[String], env: &[(String, String)]) -> Vec<String> {
    // An argument is often a file that is read; only these are written for sure.
    const WRITTEN: &[&str] =
        &["db", "database", "sqlite", "storage", "store", "state", "memory", "data", "persist", "history", "journal"];
    let mut states = Vec::new();
    for (name, value) in pairs(args) {
        let parts = parts(name);
        let long = parts.iter().any(|part| part.len() > 1);
        let written = parts.iter().any(|part| WRITTEN.contains(&part.as_str()));
        let place = parts.last().is_some_and(|part| {
            matches!(part.as_str(), "path" | "file" | "dir" | "directory" | "location" | "uri" | "url")
                || WRITTEN.contains(&part.as_str())
        });
        if long && written && place {
            states.extend(state(value));
        }
    }
    for (name, value) in env {
        let upper = name.to_ascii_uppercase();
        let ends = ["_PATH", "_FILE", "_DB", "_STORAGE"].iter().any(|end| upper.ends_with(end)) || upper == "DB_URL";
        // These are read, not written.
        let read =
            ["CONFIG", "KEY", "CERT", "CREDENTIALS", "TOKEN", "LIBRARY", "NODE_PATH", "BIN", "ENV", "EXECUTABLE"]
                .iter()
                .any(|part| upper.contains(part));
        if (ends && !read) || value.starts_with("sqlite") {
            states.extend(state(value));
        }
    }
    states
}

/// The path in a value: `./x.db`, `sqlite:///x.db`.
fn state(value: &str) -> Option<String> {
    // `sqlite+aiosqlite:///x.db` as well.
    if let Some((scheme, url)) = value.split_once(':')
        && scheme.starts_with("sqlite")
    {
        let path = url.strip_prefix("//").unwrap_or(url);
        // `sqlite:///x.db` is relative, `sqlite:////x.db` is not.
        let path = path.strip_prefix('/').unwrap_or(path).split('?').next().unwrap_or_default();
        return (!path.is_empty() && path != ":memory:").then(|| path.to_owned());
    }
    is_path_value(value).then(|| value.to_owned())
}

fn is_path_value(value: &str) -> bool {
    !value.starts_with('-')
        && (value.contains('/') || path::is_windows(value) || !path::extension(value).is_empty())
        && !value.contains("://")
}

/// Options with the value that stands behind a `=`, or else in the next word.
fn pairs(args: &[String]) -> impl Iterator<Item = (&str, &str)> {
    let own = args.iter().enumerate().filter(|(_, word)| word.starts_with('-') && word.len() > 1);
    own.map(|(at, word)| match word.split_once('=') {
        Some(pair) => pair,
        None => (word.as_str(), args.get(at + 1).map_or("", String::as_str)),
    })
}

/// The words of a name in lower case: `--http-port`, `HTTP_PORT`, `--server.port` and `--httpPort` end in `port`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower = false;
    for c in name.trim_start_matches('-').chars() {
        if matches!(c, '-' | '_' | '.') || (c.is_ascii_uppercase() && lower) {
            parts.push(String::new());
        }
        lower = c.is_ascii_lowercase();
        if let Some(part) = parts.last_mut().filter(|_| !matches!(c, '-' | '_' | '.')) {
            part.push(c.to_ascii_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn env(line: &str) -> Vec<(String, String)> {
        line.split_whitespace().filter_map(|word| word.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn ports_of_the_program_itself() {
        for (line, wanted) in [
            ("--port 8080", Some(8080)),
            ("--port=8080", Some(8080)),
            ("-p 8080", Some(8080)),
            ("--http-port 8080", Some(8080)),
            ("--httpPort=8080", Some(8080)),
            ("--server.port=8080", Some(8080)),
            ("-port 8080", Some(8080)),
            ("-Port 8080", Some(8080)),
            ("--bind 0.0.0.0:8080", Some(8080)),
            ("--listen [::1]:8080", Some(8080)),
            ("-addr :8080", Some(8080)),
            ("-http :8080", Some(8080)),
            ("--urls http://localhost:8080", Some(8080)),
            ("--port 0", None),
            ("--port auto", None),
            ("--server-address http://localhost:8080", None),
            ("--address upstream.invalid:8080", None),
            ("--port", None),
            ("-p project", None),
            ("port 8080", None),
            ("--transport 8080", None),
            ("--db-port 5432", None),
            ("--remote-debugging-port=8080", Some(8080)),
            ("--remote-port=9222", None),
            ("--http http://api.invalid:8080", None),
            ("--urls http://api.invalid:8080", None),
        ] {
            assert_eq!(ports(&words(line), &[]).first().copied(), wanted, "{line}");
        }
        for (line, wanted) in [
            ("PORT=3000", Some(3000)),
            ("MCP_HTTP_PORT=3000", Some(3000)),
            ("PORT=0", None),
            ("DB_PORT=5432", None),
            ("REDIS_PORT=6379", None),
            ("LISTEN_ADDR=:3000", Some(3000)),
            ("BIND=127.0.0.1:3000", Some(3000)),
            ("ASPNETCORE_URLS=http://localhost:3000;https://localhost:3001", Some(3000)),
            ("OAUTH_CALLBACK_URL=http://127.0.0.1:3000/back", Some(3000)),
            ("PUBLIC_URL=https://srv.invalid:3000", None),
            ("API_URL=http://localhost:3000", None),
            ("SUPPORT=3000", None),
        ] {
            assert_eq!(ports(&[], &env(line)).first().copied(), wanted, "{line}");
        }
    }

    #[test]
    fn paths_that_are_written() {
        for (line, wanted) in [
            ("--db-path ./notes.db", Some("./notes.db")),
            ("--db=/x/notes.db", Some("/x/notes.db")),
            ("--storage /x", Some("/x")),
            ("--memory-file m.json", Some("m.json")),
            ("--data-dir=/x", Some("/x")),
            ("--database-url sqlite+aiosqlite:///notes.db", Some("notes.db")),
            ("--database-url postgres://h/x", None),
            ("--db notes", None),
            ("--db --other/x", None),
            ("--config-file /x/c.json", None),
            ("--memory 512", None),
            ("db /x/notes.db", None),
        ] {
            assert_eq!(states(&words(line), &[]).first().map(String::as_str), wanted, "{line}");
        }
        for (line, wanted) in [
            ("MEMORY_FILE_PATH=/x/m.json", Some("/x/m.json")),
            ("NOTES_DB=notes.db", Some("notes.db")),
            ("DATABASE_URL=sqlite:////x/n.db?mode=rw", Some("/x/n.db")),
            ("DATABASE_URL=sqlite://:memory:", None),
            ("NOTES_DB=demo", None),
            ("API_CONFIG_FILE=/x/c.json", None),
            ("SSL_CERT_FILE=/x/c.pem", None),
        ] {
            assert_eq!(states(&[], &env(line)).first().map(String::as_str), wanted, "{line}");
        }
        assert_eq!(profile(&words("--user-data-dir=/x"), &[]), Some("/x"));
        assert_eq!(profile(&words("--userDataDir /x"), &[]), Some("/x"));
        assert_eq!(profile(&[], &env("CHROME_USER_DATA_DIR=/x")), Some("/x"));
        assert_eq!(profile(&words("--data-dir /x"), &[]), None);
    }
}
