//! `mcp-twin logs`: what a server wrote to its stderr and what happened to it, from the files, also of one that ended.

use crate::args::LogsArgs;
use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::style::harmless;
use crate::screen::Screen;
use crate::target::{self, Wanted};
use mcp_twin_runtime::fronts;
use mcp_twin_runtime::home::Home;
use mcp_twin_runtime::logs as kept;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Shows the last lines, and with `--follow` what comes.
pub(crate) fn logs(home: &Home, wanted: &LogsArgs, json: bool) -> Result<Exit, Failure> {
    let Kept { server, folder } = find(home, wanted.server.as_deref())?;
    if wanted.follow {
        kept::follow(&folder, wanted.lines, |line| {
            if json {
                let line = document::LogLine { server: &server, line };
                Screen::print(&(serde_json::to_string(&line).unwrap_or_default() + "\n"));
            } else {
                Screen::print(&(harmless(line) + "\n"));
            }
            ControlFlow::Continue(())
        });
        return Ok(Exit::Fine);
    }
    let lines = kept::tail(&folder, wanted.lines);
    if json {
        let folder = folder.to_string_lossy();
        Screen::json(&document::Logs { command: "logs", exit: 0, server: &server, folder, lines });
    } else if lines.is_empty() {
        Screen::error(&format!("{server} has written nothing yet ({})\n", folder.display()));
    } else {
        lines.iter().for_each(|line| Screen::print(&(harmless(line) + "\n")));
    }
    Ok(Exit::Fine)
}

/// A server of which log files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) server: String,
    pub(crate) folder: PathBuf,
}

/// The folder of the log files: of a running server, or of one that ran.
pub(crate) fn find(home: &Home, wanted: Option<&str>) -> Result<Kept, Failure> {
    let running = fronts::running(home);
    let kept = kept(home);
    let named = |name: &str| {
        let keys = kept.iter().filter(|(key, kept)| kept.server == name || *key == name);
        keys.map(|(_, kept)| kept.clone()).collect::<Vec<_>>()
    };
    let found = match wanted {
        Some(name) if !named(name).is_empty() => named(name),
        None if running.is_empty() && !kept.is_empty() => kept.values().cloned().collect(),
        _ => {
            let front = target::pick(&running, &target::known(home), Wanted::one(wanted), "logs")?.into_iter().next();
            let server = front.map(|front| front.server).unwrap_or_default();
            match named(&server) {
                none if none.is_empty() => vec![Kept { folder: home.0.join("logs").join(&server), server }],
                found => found,
            }
        }
    };
    match <[Kept; 1]>::try_from(found) {
        Ok([one]) => Ok(one),
        Err(several) => {
            let key = |kept: &Kept| {
                let unique = several.iter().filter(|other| other.server == kept.server).count() == 1;
                let folder = kept.folder.file_name().unwrap_or_default().to_string_lossy();
                if unique { kept.server.clone() } else { folder.into_owned() }
            };
            let lines = several.iter().map(|kept| format!("\nmcp-twin logs {}", key(kept))).collect::<String>();
            Err(Failure::ambiguous_server(format!("{} servers have logs; whose?", several.len()))
                .advise("one of", lines))
        }
    }
}

/// Every folder of log files, by its own name.
fn kept(home: &Home) -> BTreeMap<String, Kept> {
    let entries = std::fs::read_dir(home.0.join("logs")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let named = folders.filter_map(|entry| {
        let key = entry.file_name().into_string().ok()?;
        Some((key.clone(), Kept { server: target::name_of(&key).to_owned(), folder: entry.path() }))
    });
    named.collect()
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

    fn folder(home: &Home, wanted: Option<&str>) -> Option<String> {
        let found = find(home, wanted).ok()?;
        Some(found.folder.file_name()?.to_string_lossy().into_owned())
    }

    #[test]
    fn a_server_that_ended_can_still_be_read() {
        let (_guard, home) = home_with(&["web@00000001", "mail@00000002", "mail@00000003"]);
        assert_eq!(folder(&home, Some("web")).as_deref(), Some("web@00000001"));
        assert_eq!(folder(&home, Some("mail@00000003")).as_deref(), Some("mail@00000003"));
        assert_eq!(folder(&home, Some("mail")), None);
        let (_guard, home) = home_with(&["web"]);
        assert_eq!(folder(&home, None).as_deref(), Some("web"));
    }

    #[test]
    fn whose_logs_is_asked_back() {
        let text = |home: &Home, wanted| {
            let failure = find(home, wanted).expect_err("not one");
            format!("{}exit {}", anstream::adapter::strip_str(&failure.text()), failure.exit_status())
        };
        let (_guard, home) = home_with(&["web@00000001", "mail@00000002", "mail@00000003"]);
        insta::assert_snapshot!("whose", text(&home, None));
        insta::assert_snapshot!("whose_of_one_name", text(&home, Some("mail")));
        insta::assert_snapshot!("unknown_log", text(&home, Some("wbe")));
        let (_guard, home) = home_with(&[]);
        assert_eq!(find(&home, None).expect_err("none").exit_status(), 5);
    }
}
