//! What `mcp-twin config` says to people.

use super::count;
use super::style::{DIM, GOOD, NAME, paint};
use crate::config::{Row, whose};
use mcp_twin_core::config::{Origin, Scope};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// No mistakes were found in these files.
pub(crate) fn checked(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return format!("there is no configuration file here; {} writes one\n", paint(GOOD, "mcp-twin config init"));
    }
    files.iter().map(|file| format!("{} {}\n", paint(GOOD, "✓"), file.display())).collect()
}

/// Whose files there are, and whether they are there.
pub(crate) fn paths(files: &[(Scope, PathBuf, bool)]) -> String {
    let line = |(scope, path, there): &(Scope, PathBuf, bool)| {
        let note = if *there { String::new() } else { paint(DIM, "  (not there)").to_string() };
        format!("{:<8} {}{note}\n", whose(*scope), path.display())
    };
    files.iter().map(line).collect()
}

/// What counts.
pub(crate) fn shown(server: Option<&str>, rows: &[Row], servers: &[String]) -> String {
    let head = server.map_or_else(|| "every server".to_owned(), str::to_owned);
    let mut text = format!("{}\n", paint(NAME, &head));
    let keys = rows.iter().map(|row| row.key.len()).max().unwrap_or_default();
    // One long value does not push all places out of sight.
    let values = rows.iter().map(|row| row.value.chars().count()).filter(|wide| *wide <= 24).max().unwrap_or_default();
    for Row { key, value, origin } in rows {
        let origin = match origin {
            Origin::Default => paint(DIM, "default").to_string(),
            other => other.to_string(),
        };
        let _ = writeln!(text, "  {key:<keys$}  {value:<values$}  {origin}");
    }
    if server.is_none() && !servers.is_empty() {
        let _ = writeln!(text, "{}: {}", count(servers.len(), "server"), servers.join(", "));
    }
    text
}

/// A first file was written.
pub(crate) fn made(file: &Path, server: Option<&str>) -> String {
    let server = match server {
        Some(server) => format!("with the server {}", paint(NAME, server)),
        None => "without a server: no client has one whose code is in this folder".to_owned(),
    };
    format!("{} {} {server}\n", paint(GOOD, "✓"), file.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_twin_core::config::Place;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn what_counts_is_a_table() {
        let file = |line| Origin::File {
            scope: Scope::Project,
            path: "/srv/shop/mcp-twin.toml".into(),
            place: Place { line, column: 1 },
        };
        let row = |key, value: &str, origin| Row { key, value: value.to_owned(), origin };
        let rows = [
            row("command", "python server.py --with many --long arguments", file(2)),
            row("promote", "manual", file(7)),
            row("strategy", "overlap", Origin::Default),
            row("bake", "30s", Origin::CommandLine),
        ];
        let text =
            shown(Some("notes"), &rows, &[]) + &shown(None, &rows[1..3], &["notes".to_owned(), "api".to_owned()]);
        insta::assert_snapshot!(plain(&text));
    }

    #[test]
    fn files_are_named_with_what_there_is_of_them() {
        let files =
            [(Scope::Project, "/srv/mcp-twin.toml".into(), true), (Scope::User, "/home/u/config.toml".into(), false)];
        let text = paths(&files) + &checked(&["/srv/mcp-twin.toml".into()]) + &checked(&[]);
        let text =
            text + &made(Path::new("/srv/mcp-twin.toml"), Some("notes")) + &made(Path::new("/srv/mcp-twin.toml"), None);
        insta::assert_snapshot!(plain(&text));
    }
}
