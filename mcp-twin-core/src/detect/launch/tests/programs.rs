//! Compiled languages, and programs that are files.

use super::{Files, argv, check};
use crate::detect::launch::{Flag, Launch, Place};
use crate::spec::Strategy;
use crate::watch::Asked;
use std::path::Path;

#[test]
fn compiled_and_other_programs() {
    check(&[
        (
            "cargo run -q --release --manifest-path crates/rusty/Cargo.toml -- --stdio",
            "/p",
            "/p/Cargo.toml /p/crates/rusty/Cargo.toml",
            "cargo-run /p/crates/rusty/Cargo.toml /p/crates/rusty side-by-side build-lock compiles-on-start",
        ),
        (
            "cargo +nightly run",
            "/p/src",
            "/p/Cargo.toml",
            "cargo-run /p/Cargo.toml /p side-by-side build-lock compiles-on-start",
        ),
        (
            "go run ./cmd/gopher stdio",
            "/p",
            "/p/go.mod /p/cmd/gopher/main.go",
            "go-run /p/cmd/gopher /p side-by-side compiles-on-start",
        ),
        ("go -C /q run -tags x .", "/p", "/q/go.mod", "go-run /q /q side-by-side compiles-on-start"),
        (
            "go run example.com/x@v1.2.0",
            "/p",
            "",
            "go-run =example.com/x@v1.2.0 - side-by-side compiles-on-start installed-package",
        ),
        (
            "dotnet run --no-build --project src/Calc.Mcp/Calc.Mcp.csproj",
            "/p",
            "/p/src/Calc.Mcp/Calc.Mcp.csproj",
            "dotnet-run /p/src/Calc.Mcp/Calc.Mcp.csproj /p/src/Calc.Mcp side-by-side compiles-on-start",
        ),
        (
            "dotnet bin/Debug/net9.0/x.dll",
            "/p",
            "",
            "dotnet-dll /p/bin/Debug/net9.0/x.dll /p/bin/Debug/net9.0 side-by-side build-output",
        ),
        ("dnx Some.Mcp --yes", "/p", "", "dnx =Some.Mcp - side-by-side installed-package"),
        (
            "java -Dspring.ai.mcp.server.stdio=true -Xmx256m -jar /home/me/dev/bean/target/bean-0.1.jar",
            "?",
            "/home/me/dev/bean/target/bean-0.1.jar",
            "java-jar /home/me/dev/bean/target/bean-0.1.jar /home/me/dev/bean/target side-by-side build-output",
        ),
        ("ruby -w srv/a.rb", "/p", "/p/Gemfile /p/srv/a.rb", "interpreter /p/srv/a.rb /p side-by-side"),
        (
            "target/release/srv --stdio",
            "/p",
            "/p/target/release/srv",
            "binary /p/target/release/srv /p/target/release side-by-side build-output",
        ),
        ("/opt/srv/bin/srv", "/p", "/opt/srv/bin/srv", "binary /opt/srv/bin/srv /opt/srv/bin side-by-side"),
        ("some-server", "/p", "", "binary - - unknown"),
        ("/usr/bin/sleep 100", "/p", "/usr/bin/sleep", "binary =sleep - side-by-side installed-package"),
        ("/bin/srv.py", "/p", "/bin/srv.py", "binary =srv.py - side-by-side installed-package"),
        ("~/.cargo/bin/srv", "/p", "/home/me/.cargo/bin/srv", "binary =srv - side-by-side installed-package"),
        (
            "/home/me/.local/bin/mine.sh",
            "/p",
            "/home/me/.local/bin/mine.sh",
            "executable-script /home/me/.local/bin/mine.sh /home/me/.local/bin side-by-side opaque-script",
        ),
        ("bin/srv", "/p", "/p/bin/srv", "binary /p/bin/srv /p/bin side-by-side"),
        ("./srv", "/usr/lib/p", "/usr/lib/p/srv", "binary /usr/lib/p/srv /usr/lib/p side-by-side"),
        ("./tools/solo.py", "/p", "/p/tools/solo.py", "executable-script /p/tools/solo.py /p/tools side-by-side"),
        (
            "/p/.venv/bin/my-server",
            "/",
            "/p/pyproject.toml /p/.venv/bin/my-server",
            "executable-script /p/.venv/bin/my-server /p side-by-side console-script",
        ),
        (
            "./node_modules/.bin/srv",
            "/p",
            "/p/node_modules/.bin/srv",
            "executable-script =srv - side-by-side installed-package",
        ),
        ("", "/p", "", "shell - - unknown opaque-script"),
        ("mcp-twin run --name a -- python a.py", "/p", "/p/a.py", "mcp-twin - - already already-twinned"),
    ]);
}

#[test]
fn a_command_found_on_path_in_a_folder_of_commands_has_no_sources() {
    let read = |line: &str, path: &str, files: &Files| {
        let env = [("PATH".to_owned(), path.to_owned())];
        let (cwd, home) = (Some(Path::new("/work/notes")), Some(Path::new("/home/me")));
        Launch::read_in(&argv(line), &Place { cwd, home, env: &env, ..Place::new(files) })
    };
    for folder in [
        "/usr/bin",
        "/bin",
        "/usr/local/bin",
        "/opt/tool/bin",
        "/snap/bin",
        "/home/me/.cargo/bin",
        "/home/me/.local/bin",
        "/home/me/.nvm/versions/node/v22/bin",
        "/work/notes/node_modules/.bin",
        "/work/notes/.venv/bin",
    ] {
        let launch = read("srv --stdio", &format!("/nowhere:{folder}"), &Files::new(&format!("{folder}/srv")));
        assert_eq!((launch.root.as_deref(), launch.watchable()), (None, false), "{folder}");
        assert_eq!((launch.stem.as_deref(), launch.strategy()), (Some("srv"), Strategy::Overlap), "{folder}");
        assert!(launch.flags.contains(&Flag::InstalledPackage), "{folder}: {launch:?}");
    }
    // What is the project's own is watched all the same.
    let own = read("srv", "/work/notes/target/debug", &Files::new("/work/notes/target/debug/srv"));
    assert_eq!(own.asked(), [Asked::File("/work/notes/target/debug/srv".into())]);
    let entry = Files::new("/work/notes/.venv/bin/srv /work/notes/notes/app.py")
        .with("/work/notes/pyproject.toml", "[project.scripts]\nsrv = \"notes.app:main\"\n");
    let entry = read("srv", "/work/notes/.venv/bin", &entry);
    assert_eq!(entry.asked(), [Asked::Folder("/work/notes".into())]);
}
