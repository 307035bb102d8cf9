//! `mcp-twin logs`: what a server wrote to its stderr and what happened to it, from the files, also of one that ended.

mod tail;

use crate::args::LogsArgs;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::style::harmless;
use crate::screen::Screen;
use crate::target::{self, Wanted};
use mcp_twin_runtime::fronts;
use mcp_twin_runtime::home::Home;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Shows the last lines, and with `--follow` what comes.
pub(crate) fn logs(home: &Home, wanted: &LogsArgs, json: bool) -> Result<Exit, Failure> {
    let server = server(home, wanted.server.as_deref())?;
    let folder = home.0.join("logs").join(&server);
    let unreadable = |error: std::io::Error| {
        Failure::configuration("cli::logs::unreadable", format!("cannot read {}: {error}", folder.display()))
    };
    let (file, lines) = tail::last_lines(&folder, wanted.lines).map_err(unreadable)?;
    if json && !wanted.follow {
        let file = file.map(|file| file.path.to_string_lossy().into_owned());
        Screen::json(&document::Logs { command: "logs", exit: 0, server: &server, file, lines });
        return Ok(Exit::Fine);
    }
    let show = |line: &str| {
        if json {
            let line = document::LogLine { server: &server, line };
            Screen::print(&(serde_json::to_string(&line).unwrap_or_default() + "\n"));
        } else {
            Screen::print(&(harmless(line) + "\n"));
        }
    };
    if lines.is_empty() && !wanted.follow {
        Screen::error(&format!("{server} has written nothing yet ({})\n", folder.display()));
    }
    lines.iter().for_each(|line| show(line));
    if wanted.follow {
        tail::follow(&folder, file, |line| show(line)).map_err(unreadable)?;
    }
    Ok(Exit::Fine)
}

/// The name of the folder below `logs/`: of a running server, or of one that ran.
fn server(home: &Home, wanted: Option<&str>) -> Result<String, Failure> {
    let running = fronts::running(home);
    let written = folders(home);
    match wanted {
        Some(name) if written.contains(name) => Ok(name.to_owned()),
        None if running.is_empty() && written.len() == 1 => Ok(written.into_iter().next().unwrap_or_default()),
        None if running.is_empty() && !written.is_empty() => {
            let names = written.iter().map(|name| format!("\nmcp-twin logs {name}")).collect::<String>();
            Err(Failure::ambiguous_server("no server runs; whose logs?").advise("one of", names))
        }
        _ => {
            let found = target::pick(&running, &target::known(home), Wanted::one(wanted), "logs")?;
            Ok(found.into_iter().next().map(|front| front.server).unwrap_or_default())
        }
    }
}

fn folders(home: &Home) -> BTreeSet<String> {
    let entries = std::fs::read_dir(home.0.join("logs")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| PathBuf::from(entry.file_name()).to_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_with(names: &[&str]) -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            std::fs::create_dir_all(folder.path().join("logs").join(name)).expect("a folder below it");
        }
        let home = Home(folder.path().to_owned());
        (folder, home)
    }

    #[test]
    fn a_server_that_ended_can_still_be_read() {
        let (_guard, home) = home_with(&["web", "mail"]);
        assert_eq!(server(&home, Some("web")), Ok("web".to_owned()));
        let (_guard, home) = home_with(&["web"]);
        assert_eq!(server(&home, None), Ok("web".to_owned()));
    }

    #[test]
    fn whose_logs_is_asked_back() {
        let (_guard, home) = home_with(&["web", "mail"]);
        let failure = server(&home, None).expect_err("two");
        insta::assert_snapshot!("whose", anstream::adapter::strip_str(&failure.text()).to_string());
        let failure = server(&home, Some("wbe")).expect_err("unknown");
        insta::assert_snapshot!("unknown_log", anstream::adapter::strip_str(&failure.text()).to_string());
        let (_guard, home) = home_with(&[]);
        assert_eq!(server(&home, None).expect_err("none").exit_status(), 5);
    }
}
