//! How what a command runs is built.

use super::{Files, read};

fn line(command: &str, files: &Files) -> Option<String> {
    let hint = read(command, "/p", files).build_hint(files)?;
    Some(format!("{} in {}, to {}", hint.line, hint.cwd.display(), hint.output.display()))
}

#[test]
fn what_a_compiler_wrote_is_built_by_its_project() {
    let package = r#"{"scripts":{"build":"tsc"}}"#;
    for (command, files, wanted) in [
        (
            "node dist/a.js",
            Files::new("/p/dist/a.js").with("/p/package.json", package),
            "npm run build in /p, to /p/dist",
        ),
        (
            "node /p/build/src/a.js",
            Files::new("/p/build/src/a.js /p/pnpm-lock.yaml").with("/p/package.json", package),
            "pnpm run build in /p, to /p/build",
        ),
        (
            "node dist/a.js",
            Files::new("/p/dist/a.js /p/yarn.lock")
                .with("/p/package.json", r#"{"packageManager":"npm@11.0.0","scripts":{"build":"x"}}"#),
            "npm run build in /p, to /p/dist",
        ),
        (
            "node dist/a.js",
            Files::new("/p/dist/a.js /p/tsconfig.json").with("/p/package.json", "{}"),
            "npx --no-install tsc in /p, to /p/dist",
        ),
        (
            "./target/debug/srv",
            Files::new("/p/target/debug/srv /p/Cargo.toml"),
            "cargo build --bin srv in /p, to /p/target",
        ),
        (
            "/p/target/release/srv --flag",
            Files::new("/p/target/release/srv /p/Cargo.toml"),
            "cargo build --release --bin srv in /p, to /p/target",
        ),
        ("./bin/srv", Files::new("/p/bin/srv /p/go.mod /p/main.go"), "go build -o bin/srv . in /p, to /p/bin/srv"),
    ] {
        assert_eq!(line(command, &files).as_deref(), Some(wanted), "{command}");
    }
}

#[test]
fn what_is_no_output_is_not_built() {
    for (command, files) in [
        ("node src/a.js", Files::new("/p/src/a.js").with("/p/package.json", r#"{"scripts":{"build":"tsc"}}"#)),
        ("node dist/a.js", Files::new("/p/dist/a.js").with("/p/package.json", "{}")),
        ("python dist/a.py", Files::new("/p/dist/a.py /p/pyproject.toml")),
        ("./srv", Files::new("/p/srv")),
        ("./target/debug/srv;x", Files::new("/p/target/debug/srv;x /p/Cargo.toml")),
    ] {
        assert_eq!(line(command, &files), None, "{command}");
    }
}
