//! Command lines as clients hold them, one row each.

mod build;
mod containers;
mod depth;
mod fetched;
mod node;
mod packages;
mod places;
mod programs;
mod projects;
mod python;
mod wrappers;

use super::{Launch, Look, Place};
use crate::watch::Asked;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file system of names; a few files have text.
#[derive(Default)]
struct Files(BTreeMap<String, String>);

impl Files {
    /// Names separated by blanks, `,` for a blank within a name.
    fn new(names: &str) -> Self {
        Self(names.split_whitespace().map(|name| (name.replace(',', " "), String::new())).collect())
    }

    fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), text.to_owned());
        self
    }
}

impl Look for Files {
    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path.to_str().unwrap()) || self.is_dir(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        let folder = path.to_str().unwrap();
        let below = |name: &String| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '\\']));
        self.0.keys().any(below)
    }
    fn read_small(&self, path: &Path) -> Option<String> {
        self.0.get(path.to_str().unwrap()).cloned()
    }
    fn names(&self, folder: &Path) -> Vec<String> {
        let folder = folder.to_str().unwrap();
        let below = self.0.keys().filter_map(|name| name.strip_prefix(folder)?.strip_prefix(['/', '\\']));
        below.filter_map(|rest| rest.split(['/', '\\']).next()).map(str::to_owned).collect()
    }
}

/// Words as a client's configuration holds them: separated by blanks, or by ` | ` if one of them has blanks.
fn argv(line: &str) -> Vec<String> {
    let separator = if line.contains(" | ") { " | " } else { " " };
    line.split(separator).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn read(line: &str, cwd: &str, files: &Files) -> Launch {
    let cwd = (cwd != "?").then(|| Path::new(cwd));
    Launch::read_in(&argv(line), &Place { cwd, home: Some(Path::new("/home/me")), ..Place::new(files) })
}

/// `kind what root twin flags`, where `what` is the script or the package and `-` is nothing.
fn show(launch: &Launch) -> String {
    let text = |path: &Option<PathBuf>| path.as_ref().map_or("-".to_owned(), |path| path.display().to_string());
    let what = match (&launch.script, &launch.package) {
        (Some(script), None) => script.display().to_string(),
        (None, Some(package)) => format!("={package}"),
        (Some(script), Some(package)) => format!("{}={package}", script.display()),
        (None, None) => "-".to_owned(),
    };
    let flags: Vec<String> = launch.flags.iter().map(ToString::to_string).collect();
    let line = format!("{} {what} {} {} {}", launch.kind, text(&launch.root), launch.twin, flags.join(" "));
    line.trim_end().to_owned()
}

fn cwd_of(line: &str, cwd: &str, files: &Files) -> String {
    read(line, cwd, files).cwd.map_or("-".to_owned(), |cwd| cwd.display().to_string())
}

fn check(rows: &[(&str, &str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (line, cwd, files, wanted) in rows {
        let found = show(&read(line, cwd, &Files::new(files)));
        if found != *wanted {
            wrong.push(format!("{line}\n   found {found}\n  wanted {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn a_whole_line_in_one_word_is_split_unless_it_is_a_file() {
    let read = |words: &[&str], files: &str| {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        show(&Launch::read(&words, Path::new("/p"), &Files::new(files)))
    };
    assert_eq!(read(&["npx -y pkg"], ""), "npx =pkg - side-by-side installed-package split-command-string");
    assert_eq!(read(&["python 'my srv.py'", "--x"], ""), "python /p/my srv.py /p side-by-side split-command-string");
    assert_eq!(read(&["/p/my server"], "/p/my,server"), "binary /p/my server /p side-by-side");
    assert_eq!(
        read(&[r#""C:\Program Files\nodejs\node.exe" C:\srv\a.js"#], ""),
        r"node C:\srv\a.js C:\srv side-by-side split-command-string"
    );
    assert_eq!(
        read(&[r"C:\Program Files\srv\srv.exe"], ""),
        r"binary C:\Program Files\srv\srv.exe C:\Program Files\srv side-by-side"
    );
}

#[test]
fn a_relative_path_with_blanks_and_a_drive_in_one_line() {
    let launch = read(r"python | C:\my code\srv.py", "?", &Files::default());
    assert_eq!(launch.script, Some(PathBuf::from(r"C:\my code\srv.py")));
    assert_eq!(launch.root, Some(PathBuf::from(r"C:\my code")));
}

#[test]
fn the_patterns_of_each_language() {
    let globs = |line: &str, files: &str| {
        let launch = read(line, "/p", &Files::new(files));
        launch.watch.iter().map(|glob| glob.pattern.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(globs("python a.py", ""), "**/*.py pyproject.toml");
    assert_eq!(globs("node a.js", ""), "**/*.{js,mjs,cjs} package.json");
    assert_eq!(globs("node build/a.js", "/p/package.json"), "**/*.{js,mjs,cjs}");
    assert_eq!(globs("tsx a.ts", ""), "**/*.{ts,tsx,mts,cts,js,mjs,cjs} package.json");
    assert_eq!(globs("deno run a.ts", ""), "**/*.{ts,tsx,js,mjs} deno.json deno.jsonc");
    assert_eq!(globs("cargo run", "/p/Cargo.toml"), "**/*.rs **/Cargo.toml Cargo.lock");
    assert_eq!(globs("go run .", ""), "**/*.go go.mod go.sum");
    assert_eq!(globs("dotnet run --project a/a.csproj", ""), "**/*.{cs,csproj}");
    assert_eq!(globs("java -jar t/a.jar", ""), "a.jar");
    assert_eq!(globs("./srv", ""), "srv");
    assert_eq!(globs("bash run.sh", ""), "run.sh");
    assert_eq!(globs("npx -y pkg", ""), "");
}

#[test]
fn what_the_watcher_is_asked_to_watch() {
    let asked = |line: &str, files: &str| read(line, "/p", &Files::new(files)).asked().to_vec();
    let (folder, file) = (|path: &str| Asked::Folder(path.into()), |path: &str| Asked::File(path.into()));
    assert_eq!(asked("python srv/a.py", "/p/srv/pyproject.toml"), [folder("/p/srv")]);
    assert_eq!(asked("/p/target/release/srv", ""), [file("/p/target/release/srv")]);
    assert_eq!(asked("cargo run", "/p/Cargo.toml"), [folder("/p"), file("/p/Cargo.lock")]);
    assert_eq!(asked("npx -y pkg", ""), []);
    let launch = read("npx -y pkg", "/p", &Files::default());
    assert!(!launch.watchable() && launch.extensions.is_empty());
    assert!(read("python a.py", "/p", &Files::default()).extensions.contains(&"yaml"));
}

#[test]
fn what_starts_slowly_is_told() {
    for (line, slow) in [
        ("npx -y pkg", true),
        ("npx tsx a.ts", true),
        ("uvx pkg", true),
        ("uv run a.py", true),
        ("docker run img", true),
        ("sh -c uvx", true),
        ("cargo run", true),
        ("go run .", true),
        ("python a.py", false),
        ("node a.js", false),
        ("./srv", false),
    ] {
        assert_eq!(read(line, "/p", &Files::default()).launcher, slow, "{line}");
    }
    use crate::spec::{Options, Transport};
    let timeout = |line: &str, transport| {
        let launch = read(line, "/p", &Files::default());
        Options::defaults_for(transport, &launch).start_timeout.as_secs()
    };
    assert_eq!(timeout("npx -y pkg", Transport::Stdio), 180);
    assert_eq!(timeout("python a.py", Transport::Stdio), 60);
    assert_eq!(timeout("python a.py", Transport::Http), 120);
}

#[test]
fn the_stem_names_a_server_that_nobody_named() {
    for (line, stem) in [
        ("python src/weather.py", "weather"),
        ("node build/index.js", "index"),
        ("npx -y @acme/server-files@2.1.0", "server-files"),
        ("uvx --from git+https://x.invalid/acme/helper.git h", "helper"),
        ("uvx mcp-fetch[all]==1.0", "mcp-fetch"),
        ("docker run ghcr.io/acme/vault:1.2", "vault"),
        ("cargo run --manifest-path crates/rusty/Cargo.toml", "rusty"),
        ("some-server.exe", "some-server"),
        (r"python C:\srv\my.server.py", "my.server"),
    ] {
        assert_eq!(read(line, "/p", &Files::default()).stem.as_deref(), Some(stem), "{line}");
    }
}

#[test]
fn scripts_of_a_package_are_looked_up() {
    let files =
        Files::new("/p/src/a.ts").with("/p/package.json", r#"{"scripts":{"start":"tsx src/a.ts --port 7000"}}"#);
    assert_eq!(
        show(&read("npm run start", "/p/src", &files)),
        "npm-script /p/src/a.ts /p conflict fixed-port:7000 task"
    );
    assert_eq!(show(&read("pnpm start", "/p", &files)), "npm-script /p/src/a.ts /p conflict fixed-port:7000 task");
    assert_eq!(
        show(&read("node --run start", "/p", &files)),
        "npm-script /p/src/a.ts /p conflict fixed-port:7000 task"
    );
    assert_eq!(show(&read("npm run absent", "/p", &files)), "npm-script - /p side-by-side task");
}

#[test]
fn entry_points_and_configurations_are_looked_up() {
    let project =
        "[project]\nname = \"x\"\n[project.scripts]\nmy-server = \"pkg.main:run\"\n[tool.x]\nmy-server = \"no\"\n";
    let files = Files::new("/p/src/pkg/main.py").with("/p/pyproject.toml", project);
    assert_eq!(
        show(&read("uv run my-server", "/p", &files)),
        "uv-run /p/src/pkg/main.py /p side-by-side console-script"
    );
    let files = Files::new("/p/srv/a.py").with("/p/fastmcp.json", r#"{"source":{"path":"srv/a.py"}}"#);
    let found = "fastmcp-cli /p/srv/a.py /p/srv side-by-side config-file-entry";
    assert_eq!(show(&read("fastmcp run fastmcp.json", "/p", &files)), found);
    assert_eq!(show(&read("fastmcp run", "/p", &files)), found);
    let files = Files::default().with("/p/tool", "#!/usr/bin/env -S uv run --script\nprint()");
    assert_eq!(show(&read("./tool", "/p", &files)), "executable-script /p/tool /p side-by-side");
}

#[test]
fn a_start_script_that_comes_to_one_command_is_looked_through() {
    let script = "#!/usr/bin/env bash\nset -euo pipefail\ncd \"$(dirname \"$0\")/..\"\nexport A=1\nexec python srv/a.py \"$@\"\n";
    let files = Files::new("/p/srv/a.py /p/pyproject.toml").with("/p/bin/start.sh", script);
    for line in ["bash bin/start.sh --port 7001", "./bin/start.sh --port 7001"] {
        let launch = read(line, "/p", &files);
        assert_eq!(show(&launch), "python /p/srv/a.py /p conflict fixed-port:7001");
        assert_eq!(launch.asked(), [Asked::Folder("/p".into()), Asked::File("/p/bin/start.sh".into())]);
    }
    let script = "DIR=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\"\ncd $DIR && node \"$DIR/my srv/a.js\"";
    let files = Files::new("/p/bin/my,srv/a.js").with("/p/bin/start.sh", script);
    assert_eq!(show(&read("sh bin/start.sh", "/p", &files)), "node /p/bin/my srv/a.js /p/bin/my srv side-by-side");
    let files = Files::default().with("/p/start.sh", "for x in a b; do python $x; done");
    let launch = read("bash start.sh", "/p", &files);
    assert_eq!(show(&launch), "shell-script /p/start.sh /p side-by-side opaque-script");
}

#[test]
fn variables_tell_ports_and_state() {
    let read = |env: &[(&str, &str)]| {
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files = Files::default();
        let place = Place { cwd: Some(Path::new("/p")), env: &env, ..Place::new(&files) };
        let launch = Launch::read_in(&argv("python a.py"), &place);
        format!("{} {}", launch.twin, launch.reason.unwrap_or_default())
    };
    assert_eq!(read(&[("PORT", "3939")]), "conflict two copies cannot both listen on port 3939");
    assert_eq!(read(&[("MCP_HTTP_PORT", "0")]), "side-by-side ");
    assert_eq!(
        read(&[("DB_PORT", "5432"), ("LEDGER_DB", "demo"), ("API_CONFIG_FILE", "/etc/x.json")]),
        "side-by-side "
    );
    assert_eq!(read(&[("MEMORY_FILE_PATH", "/data/m.json")]), "shared-state both copies write to /data/m.json");
}

#[test]
fn values_of_variables_are_not_kept() {
    let env = [("TOKEN", "s3cret"), ("DIR", "/q")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let files = Files::default();
    let place = Place { cwd: Some(Path::new("/p")), env: &env, ..Place::new(&files) };
    let launch = Launch::read_in(&argv("sh | -c | python $DIR/a.py --token=$TOKEN"), &place);
    assert_eq!(launch.script, Some(PathBuf::from("/q/a.py")));
    assert!(!format!("{launch:?}").contains("s3cret"));
}

#[test]
fn a_program_on_the_path_is_found() {
    let env = [("PATH".to_owned(), "/bin:/home/me/.cargo/bin".to_owned())];
    let files = Files::new("/home/me/.cargo/bin/srv");
    let place = Place { cwd: Some(Path::new("/p")), env: &env, ..Place::new(&files) };
    let launch = Launch::read_in(&argv("srv --stdio"), &place);
    assert_eq!(show(&launch), "binary /home/me/.cargo/bin/srv /home/me/.cargo/bin side-by-side");
    assert_eq!(launch.asked(), [Asked::File("/home/me/.cargo/bin/srv".into())]);
}

#[test]
fn the_convenience_says_the_script() {
    let script = |line: &str| super::script_path(&argv(line), Path::new("/p"), &Files::default());
    assert_eq!(script("python a.py"), Some(PathBuf::from("/p/a.py")));
    assert_eq!(script("npx -y x"), None);
}
