//! Commands that cannot run: not there, not found by a client of the desktop, or not to be started as they are.

use super::finding::{Checked, Finding, quoted};
use super::world::World;
use crate::render::count;
use mcp_twin_core::detect::launch::{Flag, Kind};
use mcp_twin_core::detect::{Os, Server, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Clients of the desktop that start a command with the desktop's own PATH. Those that ask a login shell for it (VS Code and
/// its kin, Zed) find what a terminal finds.
const DESKTOP: &[&str] =
    &["claude-desktop", "lm-studio", "5ire", "witsy", "boltai", "junie", "air", "copilot-eclipse", "copilot-jetbrains"];

/// What the folders of version managers have in them, and nothing that the system's PATH has.
const MANAGED: &[(&str, &str)] = &[
    ("/.nvm/", "nvm"),
    ("/mise/", "mise"),
    ("/.asdf/", "asdf"),
    ("/.pyenv/", "pyenv"),
    ("/.volta/", "Volta"),
    ("/fnm", "fnm"),
    ("/.rbenv/", "rbenv"),
    ("/.sdkman/", "SDKMAN"),
    ("/.nodenv/", "nodenv"),
];

/// Where programs lie that a shell's profile adds to PATH, below the home folder.
const USUAL: &[&str] = &[
    ".local/bin",
    ".local/share/mise/shims",
    ".asdf/shims",
    ".pyenv/shims",
    ".volta/bin",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
    "go/bin",
];

/// How what is missing most often is installed.
const INSTALL: &[(&[&str], &str)] = &[
    (&["uv", "uvx"], "curl -LsSf https://astral.sh/uv/install.sh | sh"),
    (&["bun", "bunx"], "curl -fsSL https://bun.sh/install | bash"),
    (&["deno"], "curl -fsSL https://deno.land/install.sh | sh"),
    (&["cargo", "rustc"], "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"),
    (&["pnpm", "pnpx", "yarn"], "corepack enable"),
];

/// What else a command may be called.
const ALSO: &[(&str, &str)] = &[("python", "python3"), ("python3", "python"), ("pip", "pip3"), ("docker", "podman")];

/// The file that a command means.
enum Program {
    Found(PathBuf),
    Missing,
    /// Relative to a folder that nobody knows.
    Unknown,
}

/// Commands, scripts and folders that are not there, and what a client of the desktop will not find.
pub(crate) fn commands(world: &World<'_>) -> Checked {
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut hidden: BTreeMap<(String, PathBuf), Vec<String>> = BTreeMap::new();
    let mut unwrapped: BTreeMap<(String, PathBuf), Vec<String>> = BTreeMap::new();
    let mut found = Vec::new();
    let mut looked = BTreeSet::new();
    for (source, server) in world.entries().filter(|(_, server)| server.is_stdio()) {
        let entry = world.entry(source, server);
        looked.insert(server.original());
        if let Some(cwd) = server.cwd.as_deref().filter(|cwd| cwd.is_absolute() && !world.machine.look.is_dir(cwd)) {
            found.push(
                Finding::new("doctor::folder::missing", format!("the folder {} does not exist", world.short(cwd)))
                    .about([entry.clone()])
                    .run(format!("mkdir -p {}", quoted(&cwd.to_string_lossy())))
                    .act("or correct the folder in the entry"),
            );
        }
        let path = folders(world, source, server);
        // What the client starts, and what mcp-twin starts for it.
        let own = server.argv.first();
        let behind = server.original().first().filter(|program| Some(*program) != own);
        for program in own.into_iter().chain(behind).filter(|program| !program.contains("${")) {
            match look(world, program, &path, server.cwd.as_deref()) {
                Program::Missing => missing.entry(program.clone()).or_default().push(entry.clone()),
                Program::Found(file) if Some(program) == own => {
                    let bare = !program.contains(['/', '\\']);
                    if bare && DESKTOP.contains(&source.client.id()) && managed(world, &file).is_some() {
                        hidden.entry((program.clone(), file.clone())).or_default().push(entry.clone());
                    }
                    let script = matches!(file.extension().and_then(|it| it.to_str()), Some("cmd" | "bat"));
                    if world.machine.os == Os::Windows && bare && script {
                        unwrapped.entry((program.clone(), file)).or_default().push(entry.clone());
                    }
                }
                Program::Found(_) | Program::Unknown => {}
            }
        }
        found.extend(script(world, server).map(|finding| finding.about([entry])));
    }
    let mut all: Vec<Finding> =
        missing.into_iter().map(|(program, about)| absent(world, &program).about(about)).collect();
    all.extend(found);
    all.extend(hidden.into_iter().map(|((program, file), about)| of_shell(world, &program, &file).about(about)));
    all.extend(unwrapped.into_iter().map(|((program, file), about)| {
        Finding::new(
            "doctor::command::cmd",
            format!("`{program}` is {}, which a client that uses no shell cannot start", file.display()),
        )
        .about(about)
        .act(format!("in the entry: \"command\": \"cmd\", and \"/c\", \"{program}\" before its arguments"))
    }));
    Checked { looked_at: count(looked.len(), "command"), found: all }
}

/// The folders in which the command of an entry is looked for.
fn folders(world: &World<'_>, source: &Source, server: &Server) -> Vec<PathBuf> {
    if !server.env_names.iter().any(|name| name == "PATH") {
        return world.path.clone();
    }
    let start = world.start(source, server);
    let own = start.and_then(|start| start.env.into_iter().find(|(name, _)| name == "PATH"));
    own.map_or_else(|| world.path.clone(), |(_, value)| std::env::split_paths(&value).collect())
}

fn look(world: &World<'_>, program: &str, path: &[PathBuf], cwd: Option<&Path>) -> Program {
    let forms = |file: PathBuf| -> Vec<PathBuf> {
        let endings: &[&str] = if world.machine.os == Os::Windows { &["", ".exe", ".cmd", ".bat"] } else { &[""] };
        endings.iter().map(|ending| PathBuf::from(format!("{}{ending}", file.display()))).collect()
    };
    let first = |files: Vec<PathBuf>| {
        let found = files.into_iter().flat_map(forms).find(|file| world.files.runs(file));
        found.map_or(Program::Missing, Program::Found)
    };
    if !program.contains(['/', '\\']) {
        return first(path.iter().map(|folder| folder.join(program)).collect());
    }
    let file = match program.strip_prefix("~/") {
        Some(below) => world.machine.home.join(below),
        None => PathBuf::from(program),
    };
    match (file.is_absolute(), cwd) {
        (true, _) => first(vec![file]),
        (false, Some(cwd)) => first(vec![cwd.join(file)]),
        (false, None) => Program::Unknown,
    }
}

/// A command that is nowhere on PATH.
fn absent(world: &World<'_>, program: &str) -> Finding {
    let name = Path::new(program).file_name().map_or(program, |name| name.to_str().unwrap_or(program));
    let finding = if program.contains(['/', '\\']) {
        Finding::new("doctor::command::missing", format!("`{program}` is not there, or may not be executed"))
    } else {
        Finding::new("doctor::command::missing", format!("`{program}` is in no folder of PATH"))
    };
    if let Some(file) = elsewhere(world, name) {
        return finding.act(format!("write {} in its place in the entry", file.display()));
    }
    let other = ALSO
        .iter()
        .find(|(from, to)| *from == name && world.path.iter().any(|folder| world.files.runs(&folder.join(to))));
    if let Some((_, to)) = other {
        return finding.act(format!("write `{to}` in its place in the entry: that is installed"));
    }
    match INSTALL.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, line)) => finding.run(*line),
        None if matches!(name, "node" | "npx" | "npm") => finding.act("install Node.js (https://nodejs.org)"),
        None if matches!(name, "python" | "python3") => finding.act("install Python (https://www.python.org)"),
        None if name == "mcp-twin" => finding.run("command -v mcp-twin").act("write what that says into the entry"),
        None => finding.act(format!("install `{name}`, or correct the command in the entry")),
    }
}

/// A program of this name where shells find it by their profile.
fn elsewhere(world: &World<'_>, name: &str) -> Option<PathBuf> {
    let home = world.machine.home;
    let nvm = home.join(".nvm/versions/node");
    let mut versions = world.machine.look.names(&nvm);
    // The newest that there is, as far as its name tells.
    versions.sort_by_key(|version| {
        let numbers = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        std::cmp::Reverse(numbers.collect::<Vec<_>>())
    });
    let usual = USUAL.iter().map(|folder| home.join(folder));
    let brewed = ["/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from);
    let folders = usual.chain(versions.iter().map(|version| nvm.join(version).join("bin"))).chain(brewed);
    folders.map(|folder| folder.join(name)).find(|file| world.files.runs(file))
}

/// The version manager that a file belongs to.
fn managed(world: &World<'_>, file: &Path) -> Option<&'static str> {
    let below = file.strip_prefix(world.machine.home).ok()?;
    let text = format!("/{}", below.to_string_lossy().replace('\\', "/"));
    MANAGED.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name)
}

/// A command that a terminal finds, and the desktop does not.
fn of_shell(world: &World<'_>, program: &str, file: &Path) -> Finding {
    let manager = managed(world, file).unwrap_or("a version manager");
    let what = format!("`{program}` is {manager}'s, which an application of the desktop does not have on its PATH");
    let finding = Finding::new("doctor::command::desktop_path", what)
        .act(format!("in the entry: \"command\": \"{}\"", file.display()));
    // A script such as npx asks `env` for its interpreter.
    let through_env = world.machine.look.read_small(file).is_some_and(|text| text.starts_with("#!/usr/bin/env "));
    match file.parent().filter(|_| through_env) {
        Some(folder) => finding
            .act(format!("and among its variables: \"PATH\": \"{}:/usr/local/bin:/usr/bin:/bin\"", folder.display())),
        None => finding,
    }
}

/// A script that is not there.
fn script(world: &World<'_>, server: &Server) -> Option<Finding> {
    let launch = server.original_launch(&world.machine)?;
    let script = launch.script.as_deref().filter(|script| script.is_absolute())?;
    let elsewhere = [Flag::ForeignFilesystem, Flag::Container].iter().any(|flag| launch.flags.contains(flag));
    let own = launch.argv.first().is_some_and(|program| Path::new(program) == script);
    // A program that is the script itself was looked for already.
    if elsewhere || own || matches!(launch.kind, Kind::Wsl | Kind::Binary) || world.machine.look.exists(script) {
        return None;
    }
    let what = format!("{} does not exist", world.short(script));
    Some(Finding::new("doctor::script::missing", what).act("correct the path in the entry, or restore the file"))
}
