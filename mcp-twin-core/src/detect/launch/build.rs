//! What makes the file that a command runs, where that is the output of a compiler.

use super::{Kind, Launch, Look, path};
use crate::watch::Asked;
use std::path::{Path, PathBuf};

/// A way to build what a command runs, found in its project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildHint {
    /// The command line, such as `npm run build`.
    pub line: String,
    /// Where it runs: the folder of the project.
    pub cwd: PathBuf,
    /// What it reads, for the watcher.
    pub inputs: Vec<Asked>,
    /// What it writes, absolute: it is not watched.
    pub output: PathBuf,
}

/// Folders that bundlers and compilers of JavaScript write to, below that of the project.
const OUTPUTS: &[&str] = &["build", "dist", "out", "lib"];

impl Launch {
    /// How what it runs is built, if that can be told: `npm run build` or `tsc` for JavaScript in an output folder, `cargo
    /// build` for a binary below `target`, `go build` for one beside a `go.mod`.
    #[must_use]
    pub fn build_hint(&self, look: &dyn Look) -> Option<BuildHint> {
        let script = self.script.as_deref()?;
        let text = script.to_str()?;
        match self.kind {
            Kind::Node | Kind::Bun | Kind::Npx => javascript(text, look),
            Kind::Binary | Kind::ExecutableScript => cargo(script, text, look).or_else(|| go(script, text, look)),
            _ => None,
        }
    }
}

fn is_file(look: &dyn Look, folder: &str, name: &str) -> bool {
    let file = PathBuf::from(path::join(folder, name));
    look.exists(&file) && !look.is_dir(&file)
}

fn javascript(text: &str, look: &dyn Look) -> Option<BuildHint> {
    if !matches!(path::extension(text).as_str(), "js" | "mjs" | "cjs") {
        return None;
    }
    // The outermost output folder, and the project right above it.
    let output = path::ancestors(text)
        .skip(1)
        .filter(|folder| OUTPUTS.contains(&path::file_name(folder)))
        .filter(|folder| path::parent(folder).is_some_and(|above| is_file(look, above, "package.json")))
        .last()?;
    let project = path::parent(output)?;
    let package = look.read_small(Path::new(&path::join(project, "package.json")))?;
    let package: serde_json::Value = serde_json::from_str(&package).ok()?;
    let line = if package["scripts"]["build"].is_string() {
        format!("{} run build", manager(project, &package, look))
    } else if is_file(look, project, "tsconfig.json") {
        "npx --no-install tsc".to_owned()
    } else {
        return None;
    };
    Some(hint(line, project, output))
}

/// Who runs the scripts of a package: whom it names, else whose lock file there is.
fn manager(project: &str, package: &serde_json::Value, look: &dyn Look) -> &'static str {
    let named = package["packageManager"].as_str().and_then(|named| named.split('@').next());
    let known = [("pnpm", "pnpm-lock.yaml"), ("yarn", "yarn.lock"), ("bun", "bun.lock"), ("bun", "bun.lockb")];
    let of = |wanted: &(&'static str, &str)| named == Some(wanted.0);
    let locked = |wanted: &(&'static str, &str)| is_file(look, project, wanted.1);
    known
        .iter()
        .find(|one| of(one))
        .or_else(|| known.iter().find(|one| named.is_none() && locked(one)))
        .map_or("npm", |one| one.0)
}

fn cargo(script: &Path, text: &str, look: &dyn Look) -> Option<BuildHint> {
    let profile = path::file_name(path::parent(text)?);
    let target = path::ancestors(text).skip(1).find(|folder| path::file_name(folder) == "target")?;
    let project = path::parent(target).filter(|project| is_file(look, project, "Cargo.toml"))?;
    let name = script.file_stem()?.to_str()?;
    let line = match profile {
        "debug" => format!("cargo build --bin {name}"),
        "release" => format!("cargo build --release --bin {name}"),
        other => format!("cargo build --profile {other} --bin {name}"),
    };
    let plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    // It is a line for a shell.
    (plain(name) && plain(profile)).then(|| hint(line, project, target))
}

fn go(script: &Path, text: &str, look: &dyn Look) -> Option<BuildHint> {
    let folder = path::parent(text)?;
    let project = path::ancestors(folder).take(3).find(|folder| is_file(look, folder, "go.mod"))?;
    let name = script.file_stem()?.to_str()?;
    let below = text.strip_prefix(project)?.trim_start_matches(['/', '\\']);
    let package = if look.is_dir(Path::new(&path::join(&path::join(project, "cmd"), name))) {
        format!("./cmd/{name}")
    } else if is_file(look, project, "main.go") {
        ".".to_owned()
    } else {
        return None;
    };
    let plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    (plain(below) && plain(&package)).then(|| hint(format!("go build -o {below} {package}"), project, text))
}

fn hint(line: String, project: &str, output: &str) -> BuildHint {
    let cwd = PathBuf::from(project);
    let inputs = vec![Asked::Folder(cwd.clone())];
    BuildHint { line, cwd, inputs, output: PathBuf::from(output) }
}
