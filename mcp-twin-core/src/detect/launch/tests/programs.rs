//! Compiled languages, containers, and commands that only start others.

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
        ("", "/p", "", "shell - - side-by-side opaque-script"),
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

#[test]
fn containers() {
    check(&[
        (
            "docker run -i --rm -e VAULT_TOKEN -v /home/me/vault:/data:ro acme-demo/vault-mcp:1.2",
            "?",
            "",
            "docker-run =acme-demo/vault-mcp:1.2 - side-by-side container installed-package",
        ),
        (
            "docker run -i --rm --name vault-mcp -p 8811:8811 acme-demo/vault-mcp",
            "/p",
            "",
            "docker-run =acme-demo/vault-mcp - conflict container container-name:vault-mcp fixed-port:8811 installed-package",
        ),
        ("docker run -p 80 img", "/p", "", "docker-run =img - side-by-side container installed-package"),
        (
            "docker run -i -v /home/me/srv:/app -w /app python:3.12 python server.py",
            "/p",
            "/home/me/srv/server.py",
            "docker-run /home/me/srv/server.py=python:3.12 /home/me/srv side-by-side bind-mounted-source container",
        ),
        (
            "podman run --mount type=bind,src=./srv,dst=/app img node /app/a.js",
            "/p",
            "/p/srv/a.js",
            "docker-run /p/srv/a.js=img /p/srv side-by-side bind-mounted-source container",
        ),
        ("docker exec -i box python /x.py", "/p", "", "docker-exec =box - unknown container"),
        ("docker compose run --rm srv", "/p", "", "docker-compose - - unknown container"),
        ("kubectl exec -i pod -- srv", "/p", "", "docker-exec - - unknown container"),
    ]);
}

#[test]
fn wrappers() {
    check(&[
        (
            "bash | -c | cd server && source .venv/bin/activate && exec python main.py --stdio",
            "/p",
            "/p/server/main.py",
            "python /p/server/main.py /p/server side-by-side shell-wrapper",
        ),
        (
            "sh | -lc | A=1 node 'my srv/a.js' 2>>log",
            "/p",
            "/p/my,srv/a.js",
            "node /p/my srv/a.js /p/my srv side-by-side shell-wrapper",
        ),
        (
            "sh | -c | export PORT=9000; python a.py",
            "/p",
            "/p/a.py",
            "python /p/a.py /p conflict shell-wrapper fixed-port:9000",
        ),
        ("sh | -c | python a.py|tee log", "/p", "", "shell - - unknown shell-wrapper opaque-script"),
        (
            "zsh | -c | python \"$HOME/x/a.py\"",
            "/p",
            "/home/me/x/a.py",
            "python /home/me/x/a.py /home/me/x side-by-side shell-wrapper",
        ),
        (
            "bash scripts/start-mcp.sh --fast",
            "/p",
            "/p/scripts/start-mcp.sh",
            "shell-script /p/scripts/start-mcp.sh /p/scripts side-by-side opaque-script",
        ),
        (
            "/usr/bin/env -S PYTHONUNBUFFERED=1 python3 /home/me/bin/echo_server.py",
            "?",
            "/home/me/bin/echo_server.py",
            "python /home/me/bin/echo_server.py /home/me/bin side-by-side env-wrapper",
        ),
        (
            "env -u X -C /q A=b PORT=3000 node a.js",
            "/p",
            "/q/a.js",
            "node /q/a.js /q conflict env-wrapper fixed-port:3000",
        ),
        ("env | -S | uv run a.py", "/p", "/p/a.py", "uv-run /p/a.py /p side-by-side env-wrapper"),
        (
            "dotenvx run -f .env.mcp -- node /home/me/bin/echo.mjs",
            "?",
            "/home/me/bin/echo.mjs",
            "node /home/me/bin/echo.mjs /home/me/bin side-by-side env-wrapper",
        ),
        ("op run --env-file=.env -- python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side env-wrapper"),
        ("doppler run -p x -c dev -- node a.js", "/p", "/p/a.js", "node /p/a.js /p side-by-side env-wrapper"),
        ("nvm exec 20 node a.js", "/p", "/p/a.js", "node /p/a.js /p side-by-side"),
        ("mise x node@20 -- node a.js", "/p", "/p/a.js", "node /p/a.js /p side-by-side"),
        ("sudo -u me nice -n 5 timeout 60 python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
        ("nix develop -c python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
        (r"wsl.exe -d Ubuntu -- python /srv/a.py", "?", "", "wsl - - skip foreign-filesystem"),
        (
            "powershell -NoProfile -File run.ps1",
            "/p",
            "/p/run.ps1",
            "powershell-script /p/run.ps1 /p side-by-side opaque-script",
        ),
        (
            r#"cmd.exe | /d | /s | /c | "C:\Program Files\nodejs\node.exe" C:\srv\a.js"#,
            "?",
            r"C:\srv\a.js",
            r"node C:\srv\a.js C:\srv side-by-side cmd-wrapper",
        ),
        (
            "sh | -c | sh -c 'sh -c \"sh -c \\\"python a.py\\\"\"'",
            "/p",
            "/p/a.py",
            "python /p/a.py /p side-by-side shell-wrapper",
        ),
    ]);
}
