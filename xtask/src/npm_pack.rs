//! `cargo xtask npm-pack`: the packages of npm for this machine, as a release makes them, and a look at what they do once they
//! are installed.
//!
//! The others are made by the release's workflow, on their own machines, with the same command.

mod installed;

use crate::bounded;
use crate::exec::{Result, cargo, fail, option, root, run as exec, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What a platform's package may weigh, in bytes: packed, and unpacked.
const LARGEST: (u64, u64) = (8_000_000, 20_000_000);

/// How long npm may take for one package.
const PATIENCE: Duration = Duration::from_secs(300);

/// The crate of the addon.
const ADDON: &str = "mcp-twin-node";

/// Builds, packs into `--out DIR`, installs from there and tries it. `--profile NAME` in place of `dist` is quicker, and looks at
/// no sizes; `--target TRIPLE` builds for another platform, and tries nothing; `--without-addon` packs the command alone.
pub(crate) fn run(arguments: &[String]) -> Result {
    let Some(out) = option(arguments, "--out")? else { return fail("`--out DIR` says where the packages go") };
    let out = std::path::absolute(out)?;
    let profile = option(arguments, "--profile")?.unwrap_or("dist");
    let triple = option(arguments, "--target")?;
    let platform = match triple {
        Some(triple) => platform_of(triple),
        None => platform_here(),
    };
    let Some(platform) = platform else {
        return fail("there is no package for this platform; `mcp-twin-node/npm` has those that there are");
    };
    let addon = !arguments.iter().any(|argument| argument == "--without-addon");
    if addon && !has_addon() {
        return fail(format!("the crate `{ADDON}` is not there; `--without-addon` packs the command alone"));
    }
    fs::create_dir_all(&out)?;
    let command = build("mcp-twin-cli", profile, triple)?;
    // What is loaded into a test harness may be a little slower, and half of the package with it smaller.
    let addon_profile = if profile == "dist" { "addon" } else { profile };
    let library = if addon { Some(build(ADDON, addon_profile, triple)?) } else { None };
    let stage = tempfile::Builder::new().prefix("mcp-twin-npm-").tempdir()?;
    let native = native(stage.path(), platform, &command, library.as_deref())?;
    let packages = [pack(&native, &out)?, pack(&root().join(ADDON), &out)?];
    for package in &packages {
        let Packed { file, packed, unpacked } = package;
        println!("{:<44} {packed:>10} bytes packed {unpacked:>10} unpacked", file.display());
    }
    let [Packed { packed, unpacked, .. }, _] = &packages;
    if profile == "dist" && (*packed > LARGEST.0 || *unpacked > LARGEST.1) {
        return fail(format!("the package of {platform} weighs more than {} and {} bytes", LARGEST.0, LARGEST.1));
    }
    if triple.is_some() {
        return Ok(());
    }
    installed::check(&packages.map(|package| out.join(package.file)), platform, addon)
}

/// Whether the workspace has the crate of the addon.
pub(crate) fn has_addon() -> bool {
    root().join(ADDON).join("Cargo.toml").exists()
}

/// The package's name for the machine that this runs on.
fn platform_here() -> Option<&'static str> {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    platform_of(&format!("{}-{}-{libc}", std::env::consts::ARCH, std::env::consts::OS))
}

/// The package's name for a target of Rust.
fn platform_of(triple: &str) -> Option<&'static str> {
    let has = |part: &str| triple.contains(part);
    match (has("x86_64"), has("aarch64")) {
        (true, _) if has("linux") => Some(if has("musl") { "linux-x64-musl" } else { "linux-x64-gnu" }),
        (_, true) if has("linux") => Some(if has("musl") { "linux-arm64-musl" } else { "linux-arm64-gnu" }),
        (true, _) if has("macos") || has("darwin") => Some("darwin-x64"),
        (_, true) if has("macos") || has("darwin") => Some("darwin-arm64"),
        (true, _) if has("windows") => Some("win32-x64-msvc"),
        _ => None,
    }
}

/// Builds a package; the folder in which it is then.
fn build(package: &str, profile: &str, triple: Option<&str>) -> Result<PathBuf> {
    let mut folder = target();
    if profile == "dev" && triple.is_none() {
        // As for the tests, which have built it already.
        crate::exec::build()?;
        return Ok(folder.join("debug"));
    }
    let mut command = cargo(["build", "--profile", profile, "-p", package]);
    if let Some(triple) = triple {
        command.args(["--target", triple]);
        folder.push(triple);
    }
    exec(&mut command)?;
    folder.push(if profile == "dev" { "debug" } else { profile });
    Ok(folder)
}

/// The folder of the platform's package, with the native parts in it: those that are in these folders.
fn native(stage: &Path, platform: &str, command: &Path, library: Option<&Path>) -> Result<PathBuf> {
    let folder = stage.join(platform);
    fs::create_dir_all(&folder)?;
    let described = root().join(ADDON).join("npm").join(platform);
    fs::copy(described.join("package.json"), folder.join("package.json"))?;
    fs::copy(root().join("LICENSE"), folder.join("LICENSE"))?;
    let name = format!("mcp-twin-{platform}");
    fs::write(
        folder.join("README.md"),
        format!(
            "# {name}\n\nThe native parts of [mcp-twin](https://www.npmjs.com/package/mcp-twin) for this platform.\n"
        ),
    )?;
    let windows = platform.starts_with("win32");
    let program = if windows { "mcp-twin.exe" } else { "mcp-twin" };
    fs::copy(command.join(program), folder.join(program))?;
    if let Some(built) = library {
        let library = match platform {
            _ if windows => "mcp_twin_node.dll",
            _ if platform.starts_with("darwin") => "libmcp_twin_node.dylib",
            _ => "libmcp_twin_node.so",
        };
        fs::copy(built.join(library), folder.join(format!("mcp-twin.{platform}.node")))?;
    }
    Ok(folder)
}

/// A package that was packed.
struct Packed {
    /// Its file, in the folder for them.
    file: PathBuf,
    packed: u64,
    unpacked: u64,
}

fn pack(folder: &Path, out: &Path) -> Result<Packed> {
    let mut command = npm();
    command.args(["pack", "--json", "--ignore-scripts", "--pack-destination"]).arg(out).current_dir(folder);
    let said = bounded::run(command, PATIENCE)?;
    let report = serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap_or_default();
    // A list, or by name: it depends on the release of npm.
    let report = report.get(0).or_else(|| report.as_object().and_then(|packages| packages.values().next()));
    let found = report.and_then(|report| {
        let size = |key: &str| report[key].as_u64();
        Some(Packed {
            file: report["filename"].as_str()?.into(),
            packed: size("size")?,
            unpacked: size("unpackedSize")?,
        })
    });
    match found {
        Some(packed) if said.status.success() => Ok(packed),
        _ => fail(format!(
            "`npm pack` in {} ended with {}:\n{}{}",
            folder.display(),
            said.status,
            said.stdout,
            said.stderr
        )),
    }
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

#[cfg(test)]
mod tests {
    use super::{native, platform_here, platform_of};
    use crate::exec::root;
    use std::fs;

    const TRIPLES: &[(&str, &str)] = &[
        ("x86_64-unknown-linux-gnu", "linux-x64-gnu"),
        ("aarch64-unknown-linux-gnu", "linux-arm64-gnu"),
        ("x86_64-unknown-linux-musl", "linux-x64-musl"),
        ("aarch64-unknown-linux-musl", "linux-arm64-musl"),
        ("x86_64-apple-darwin", "darwin-x64"),
        ("aarch64-apple-darwin", "darwin-arm64"),
        ("x86_64-pc-windows-msvc", "win32-x64-msvc"),
    ];

    /// What npm reads of a package.
    fn described(folder: &str) -> serde_json::Value {
        let text = fs::read_to_string(root().join("mcp-twin-node").join(folder).join("package.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_platform_is_a_package_and_a_dependency_of_the_same_version() {
        let main = described(".");
        let wanted = main["optionalDependencies"].as_object().unwrap();
        assert_eq!(wanted.len(), TRIPLES.len());
        assert_eq!(main["version"], env!("CARGO_PKG_VERSION"));
        for (triple, platform) in TRIPLES {
            assert_eq!(platform_of(triple), Some(*platform));
            let package = described(&format!("npm/{platform}"));
            let name = format!("mcp-twin-{platform}");
            assert_eq!(package["name"], name);
            assert_eq!((&package["version"], &wanted[&name]), (&main["version"], &main["version"]));
            let parts: Vec<&str> = platform.split('-').collect();
            assert_eq!((&package["os"][0], &package["cpu"][0]), (&parts[0].into(), &parts[1].into()));
            let libc = match parts.get(2) {
                Some(&"gnu") => "glibc",
                Some(&"musl") => "musl",
                _ => "",
            };
            assert_eq!(package["libc"][0].as_str().unwrap_or_default(), libc);
        }
    }

    #[test]
    fn a_package_holds_the_native_parts_that_it_names() {
        let (stage, built) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in ["mcp-twin", "mcp-twin.exe", "libmcp_twin_node.so", "libmcp_twin_node.dylib", "mcp_twin_node.dll"] {
            fs::write(built.path().join(file), "").unwrap();
        }
        for (_, platform) in TRIPLES {
            let folder = native(stage.path(), platform, built.path(), Some(built.path())).unwrap();
            for file in described(&format!("npm/{platform}"))["files"].as_array().unwrap() {
                assert!(folder.join(file.as_str().unwrap()).is_file(), "{platform}: {file}");
            }
        }
        assert!(platform_here().is_some());
        assert_eq!(platform_of("riscv64gc-unknown-linux-gnu"), None);
    }
}
