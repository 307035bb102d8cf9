//! The path of this program, as it is written into configurations.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// The program that entries will run, and what is doubtful about its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its absolute path.
    pub(crate) path: String,
    /// Why it may be gone some day, and what to do.
    pub(crate) warning: Option<String>,
}

impl Program {
    /// This very program.
    pub(crate) fn this() -> Result<Self, Failure> {
        let path = std::env::current_exe().map_err(|error| {
            Failure::configuration("cli::program", format!("mcp-twin cannot tell its own path: {error}"))
                .advise("try", "start it by its full path")
        })?;
        // What a symbolic link was started by is replaced at an upgrade; the link is not.
        let path = match fleeting(&path) {
            Some(_) => by_name(&path).unwrap_or(path),
            None => path,
        };
        let text = path.to_str().ok_or_else(|| {
            Failure::configuration(
                "cli::program",
                format!("the path of mcp-twin is not Unicode text: {}", path.display()),
            )
            .advise("try", "install it to another folder")
        })?;
        Ok(Self { path: text.to_owned(), warning: fleeting(&path).map(|place| warning(text, place)) })
    }
}

fn warning(path: &str, place: &str) -> String {
    format!("{path} lies in {place}, which may go away; install mcp-twin, and wire with the installed one")
}

/// Another path of the same program by which a shell finds it, if that one stays.
fn by_name(program: &Path) -> Option<PathBuf> {
    let name = program.file_name()?;
    let real = std::fs::canonicalize(program).ok()?;
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| fleeting(path).is_none() && std::fs::canonicalize(path).is_ok_and(|path| path == real))
}

/// What kind of folder that is emptied some day a program lies in.
fn fleeting(program: &Path) -> Option<&'static str> {
    let parts: Vec<String> = program.parent()?.iter().map(|part| part.to_string_lossy().to_ascii_lowercase()).collect();
    let has = |name: &str| parts.iter().any(|part| part == name);
    let pair = |one: &str, other: &str| parts.windows(2).any(|pair| pair[0] == one && pair[1] == other);
    // `target/debug`, and `target/TRIPLE/debug`.
    let built = parts.iter().rposition(|part| part == "target").is_some_and(|at| {
        parts.iter().skip(at + 1).take(2).any(|part| matches!(part.as_str(), "debug" | "release" | "dist"))
    });
    if built {
        return Some("a build folder");
    }
    if has("_npx") || has("dlx") || parts.iter().any(|part| part.starts_with("bunx-") || part.starts_with("dlx-")) {
        return Some("a cache of npx and the like");
    }
    if pair("uv", "archive-v0") || parts.iter().any(|part| part.starts_with("archive-v")) {
        return Some("a cache of uvx");
    }
    if has("fnm_multishells") {
        return Some("a folder of one shell");
    }
    if has("cellar") || pair("nix", "store") || pair("mise", "installs") {
        return Some("the folder of one release");
    }
    if pair("local", "temp") || program.starts_with("/tmp") || program.starts_with("/var/tmp") || pair("var", "folders")
    {
        return Some("a temporary folder");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_go_away() {
        for (path, place) in [
            ("/home/u/mcp-twin/target/debug/mcp-twin", Some("a build folder")),
            ("/home/u/t/target/x86_64-unknown-linux-musl/release/mcp-twin", Some("a build folder")),
            ("/home/u/target/bin/mcp-twin", None),
            ("/home/u/.npm/_npx/0a1b/node_modules/mcp-twin/bin/mcp-twin", Some("a cache of npx and the like")),
            ("/home/u/.cache/pnpm/dlx/1/node_modules/mcp-twin/mcp-twin", Some("a cache of npx and the like")),
            ("/home/u/.cache/uv/archive-v0/abc/bin/mcp-twin", Some("a cache of uvx")),
            ("/run/user/1000/fnm_multishells/1_2/bin/mcp-twin", Some("a folder of one shell")),
            ("/opt/homebrew/Cellar/mcp-twin/2.0.0/bin/mcp-twin", Some("the folder of one release")),
            ("/nix/store/abc-mcp-twin-2.0.0/bin/mcp-twin", Some("the folder of one release")),
            ("/tmp/x/mcp-twin", Some("a temporary folder")),
            ("/usr/local/bin/mcp-twin", None),
            ("/home/u/.cargo/bin/mcp-twin", None),
            ("/home/u/.local/bin/mcp-twin", None),
        ] {
            assert_eq!(fleeting(Path::new(path)), place, "{path}");
        }
    }
}
