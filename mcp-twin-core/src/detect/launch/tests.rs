//! Command lines as clients hold them, one row each.

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
}

/// Words as a client's configuration holds them: separated by blanks, or by ` | ` if one of them has blanks.
fn argv(line: &str) -> Vec<String> {
    let separator = if line.contains(" | ") { " | " } else { " " };
    line.split(separator).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn read(line: &str, cwd: &str, files: &Files) -> Launch {
    let env = [];
    let cwd = (cwd != "?").then(|| Path::new(cwd));
    Launch::read_in(&argv(line), &Place { cwd, home: Some(Path::new("/home/me")), env: &env, look: files })
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
fn python() {
    check(&[
        ("python server.py", "/p", "/p/server.py", "python /p/server.py /p side-by-side"),
        (
            "python3 /home/me/code/ledger/src/ledger/main.py --verbose",
            "?",
            "/home/me/code/ledger/pyproject.toml /home/me/code/ledger/src/ledger/main.py",
            "python /home/me/code/ledger/src/ledger/main.py /home/me/code/ledger side-by-side",
        ),
        (
            "python -u -X dev -W ignore -B -I server.py -m x",
            "/p",
            "/p/server.py",
            "python /p/server.py /p side-by-side m-after-script-is-not-module",
        ),
        ("/usr/bin/python3.12 srv/a.py", "/p", "/p/srv/a.py", "python /p/srv/a.py /p/srv side-by-side"),
        ("py -3.11 a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
        (
            r"C:\Python312\python.exe C:\Users\dana\my,srv\server.py",
            "?",
            r"C:\Users\dana\my,srv\server.py",
            r"python C:\Users\dana\my,srv\server.py C:\Users\dana\my,srv side-by-side",
        ),
        (
            r"C:\Program Files\Python312\python.exe | my srv\server.py",
            r"C:\Users\dana",
            r"C:\Users\dana\my,srv\server.py",
            r"python C:\Users\dana\my srv\server.py C:\Users\dana\my srv side-by-side",
        ),
        ("python missing.py", "/p", "", "python /p/missing.py /p side-by-side"),
        ("python unknown.py", "?", "", "python unknown.py - side-by-side"),
        ("python ~/x/a.py", "/p", "/home/me/x/a.py", "python /home/me/x/a.py /home/me/x side-by-side"),
        ("python ../q/a.py", "/p", "/q/a.py", "python /q/a.py /q side-by-side"),
        ("python app", "/p", "/p/app/__main__.py", "python /p/app/__main__.py /p/app side-by-side"),
        ("python", "?", "", "python - - unknown no-script"),
        ("python | -c | import x; x.run()", "/p", "", "python - - unknown no-script"),
        ("python -", "/p", "", "python - - unknown no-script"),
        (
            "python -m weather --stdio",
            "/p",
            "/p/pyproject.toml /p/weather/__main__.py",
            "python-module /p/weather/__main__.py /p side-by-side",
        ),
        ("python -m pkg.mod", "/p", "/p/src/pkg/mod.py", "python-module /p/src/pkg/mod.py /p/src/pkg side-by-side"),
        ("python -um pkg", "/p", "/p/pkg.py", "python-module /p/pkg.py /p side-by-side"),
        ("python -m installed_server", "/p", "", "python-module =installed_server - side-by-side installed-package"),
        (
            "/work/app/.venv/bin/python -m app",
            "/elsewhere",
            "/work/app/pyproject.toml /work/app/src/app/__main__.py",
            "python-module /work/app/src/app/__main__.py /work/app side-by-side",
        ),
        ("python -m mcp run server.py", "/p", "/p/server.py", "mcp-cli /p/server.py /p side-by-side"),
        (
            "python -m debugpy --listen 5678 server.py",
            "/p",
            "/p/server.py",
            "python /p/server.py /p conflict fixed-port:5678",
        ),
        (
            "python -m debugpy --listen 0.0.0.0:5678 -m app",
            "/p",
            "/p/app.py",
            "python-module /p/app.py /p conflict fixed-port:5678",
        ),
        ("python server.py --port 8931", "/p", "/p/server.py", "python /p/server.py /p conflict fixed-port:8931"),
        ("python server.py --port=0", "/p", "/p/server.py", "python /p/server.py /p side-by-side"),
        ("python server.py --db-port 5432", "/p", "/p/server.py", "python /p/server.py /p side-by-side"),
        (
            "python server.py --db-path ./notes.db",
            "/p",
            "/p/server.py",
            "python /p/server.py /p shared-state state-path:./notes.db",
        ),
        (
            "python server.py --user-data-dir=/home/me/profile",
            "/p",
            "/p/server.py",
            "python /p/server.py /p conflict state-path:/home/me/profile",
        ),
        (
            "python /home/me/echo.py",
            "/p",
            "/home/me/echo.py",
            "python /home/me/echo.py /home/me side-by-side watch-root-is-home",
        ),
        ("python /tmp/echo.py", "/p", "/tmp/echo.py", "python /tmp/echo.py /tmp side-by-side"),
        (
            "python /venv/lib/python3/site-packages/srv/main.py",
            "/p",
            "",
            "python /venv/lib/python3/site-packages/srv/main.py /venv/lib/python3/site-packages/srv side-by-side installed-package",
        ),
        (
            "python sub/a.py",
            "/repo/x",
            "/repo/pyproject.toml /repo/x/.git/HEAD /repo/x/sub/a.py",
            "python /repo/x/sub/a.py /repo/x/sub side-by-side",
        ),
        (
            "uvicorn app.main:api --port 9000",
            "/p",
            "/p/app/main.py",
            "asgi /p/app/main.py /p/app conflict fixed-port:9000",
        ),
    ]);
}

#[test]
fn uv_and_its_relatives() {
    check(&[
        (
            "uv --directory /home/me/dev/tides run server.py",
            "?",
            "/home/me/dev/tides/pyproject.toml /home/me/dev/tides/server.py",
            "uv-run /home/me/dev/tides/server.py /home/me/dev/tides side-by-side",
        ),
        (
            "/home/me/.local/bin/uv run --directory /home/me/dev/gull --with mcp[cli] src/gull/server.py",
            "/p",
            "/home/me/dev/gull/pyproject.toml /home/me/dev/gull/src/gull/server.py",
            "uv-run /home/me/dev/gull/src/gull/server.py /home/me/dev/gull side-by-side",
        ),
        (
            r"uv run --with mcp[cli] mcp run C:\Users\dana\demo\server.py",
            "?",
            r"C:\Users\dana\demo\server.py",
            r"mcp-cli C:\Users\dana\demo\server.py C:\Users\dana\demo side-by-side",
        ),
        ("uv run python -m app", "/p", "/p/app.py", "python-module /p/app.py /p side-by-side"),
        ("uv run -m app", "/p", "/p/app.py", "python-module /p/app.py /p side-by-side"),
        ("uv run --script tool", "/p", "/p/tool", "uv-run /p/tool /p side-by-side"),
        ("uv run --project /q my-server", "/p", "/q/pyproject.toml", "uv-run - /q side-by-side console-script"),
        (
            "uv run --env-file .env -p 3.12 server.py",
            "/p",
            "/p/server.py",
            "uv-run /p/server.py /p side-by-side env-file:/p/.env",
        ),
        (
            "uvx --python 3.12 mcp-server-fetch-demo@1.4.0 --ignore-robots",
            "?",
            "",
            "uvx =mcp-server-fetch-demo@1.4.0 - side-by-side installed-package",
        ),
        (
            "uvx --from git+https://git.example.invalid/acme/helper.git helper-mcp --project /p",
            "?",
            "",
            "uvx =git+https://git.example.invalid/acme/helper.git - side-by-side console-script installed-package",
        ),
        ("uv tool run some-server", "/p", "", "uvx =some-server - side-by-side installed-package"),
        (
            "uvx --from ./srv srv-mcp",
            "/p",
            "/p/srv/pyproject.toml",
            "uvx - /p/srv side-by-side console-script local-package",
        ),
        (
            "uvx fastmcp run server.py:mcp",
            "/p",
            "/p/server.py",
            "fastmcp-cli /p/server.py /p side-by-side object-suffix",
        ),
        ("pipx run --spec sift-mcp==2.0 sift", "/p", "", "pipx =sift-mcp==2.0 - side-by-side installed-package"),
        (
            "fastmcp run moss/server.py:create_app --transport stdio",
            "/p",
            "/p/moss/server.py",
            "fastmcp-cli /p/moss/server.py /p/moss side-by-side object-suffix",
        ),
        ("fastmcp run a.py --port 9001", "/p", "/p/a.py", "fastmcp-cli /p/a.py /p conflict fixed-port:9001"),
        (
            "mcp run srv/app.py:server -t stdio",
            "/p",
            "/p/pyproject.toml /p/srv/app.py",
            "mcp-cli /p/srv/app.py /p side-by-side object-suffix",
        ),
        (
            "uv run mcp dev srv/app.py",
            "/p",
            "/p/pyproject.toml /p/srv/app.py",
            "mcp-cli /p/srv/app.py /p conflict inspector-not-server",
        ),
        ("poetry -C /q run python a.py", "/p", "/q/a.py", "python /q/a.py /q side-by-side"),
        ("poetry run serve", "/p", "/p/pyproject.toml", "poetry-run - /p side-by-side console-script"),
        ("conda run -n env python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
        ("pixi run --manifest-path /q/pixi.toml start", "/p", "/q/pixi.toml", "pixi-run - /q side-by-side task"),
        ("hatch run serve", "/p", "/p/pyproject.toml", "hatch-run - /p side-by-side task"),
        ("pipenv run python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
    ]);
}

#[test]
fn node_and_its_relatives() {
    check(&[
        (
            "node /home/me/dev/geo/build/index.js",
            "?",
            "/home/me/dev/geo/build/index.js /home/me/dev/geo/package.json /home/me/dev/geo/src/index.ts",
            "node /home/me/dev/geo/build/index.js /home/me/dev/geo/build side-by-side build-output",
        ),
        (
            "node dist/server/index.js",
            "/p",
            "/p/package.json /p/dist/server/index.js",
            "node /p/dist/server/index.js /p/dist side-by-side build-output",
        ),
        ("node src/server.js", "/p", "/p/package.json /p/src/server.js", "node /p/src/server.js /p side-by-side"),
        (
            "node src/server.js",
            "/home/me/build/p",
            "/home/me/build/p/package.json /home/me/build/p/src/server.js",
            "node /home/me/build/p/src/server.js /home/me/build/p side-by-side",
        ),
        (
            "node --enable-source-maps --env-file .env -r dotenv/config --import tsx src/a.ts --flag",
            "/p",
            "/p/package.json /p/src/a.ts",
            "node /p/src/a.ts /p side-by-side env-file:/p/.env",
        ),
        ("node --watch a.js", "/p", "/p/a.js", "node /p/a.js /p side-by-side self-reloading"),
        ("node --inspect=9230 a.js", "/p", "/p/a.js", "node /p/a.js /p conflict fixed-port:9230"),
        ("node -- a.js", "/p", "/p/a.js", "node /p/a.js /p side-by-side"),
        ("node server", "/p", "/p/server.js", "node /p/server.js /p side-by-side"),
        ("node srv", "/p", "/p/srv/index.js", "node /p/srv/index.js /p/srv side-by-side"),
        ("node | -e | import('x')", "/p", "", "node - - unknown no-script"),
        (
            "node node_modules/x/dist/index.js",
            "/p",
            "/p/package.json /p/node_modules/x/package.json",
            "node /p/node_modules/x/dist/index.js /p/node_modules/x/dist side-by-side installed-package",
        ),
        (
            r"C:\Program Files\nodejs\node.exe | C:\srv\build\index.js",
            "?",
            r"C:\srv\package.json C:\srv\build\index.js",
            r"node C:\srv\build\index.js C:\srv\build side-by-side build-output",
        ),
        (
            "npx -y @acme-demo/server-files@2.1.0 /p/data",
            "/p",
            "",
            "npx =@acme-demo/server-files@2.1.0 - side-by-side installed-package",
        ),
        ("npx -y -p @acme/pkg acme-bin", "/p", "", "npx =@acme/pkg - side-by-side installed-package"),
        ("npx -y tsx src/index.ts", "/p", "/p/package.json /p/src/index.ts", "tsx /p/src/index.ts /p side-by-side"),
        ("npx tsx@4 watch a.ts", "/p", "/p/a.ts", "tsx /p/a.ts /p side-by-side self-reloading"),
        ("npx ./local/bin.js", "/p", "/p/local/bin.js", "npx /p/local/bin.js /p/local side-by-side local-package"),
        ("npx.cmd -y graph-demo", "?", "", "npx =graph-demo - side-by-side installed-package"),
        ("cmd /c npx -y graph-demo-mcp", "?", "", "npx =graph-demo-mcp - side-by-side cmd-wrapper installed-package"),
        (
            "npx -y mcp-remote@latest https://mcp.example.invalid/sse --header X",
            "?",
            "",
            "npx =mcp-remote@latest - skip installed-package remote-bridge:https://mcp.example.invalid/sse",
        ),
        (
            "tsx watch --clear-screen=false src/index.ts",
            "/p",
            "/p/package.json",
            "tsx /p/src/index.ts /p side-by-side self-reloading",
        ),
        (
            "ts-node -P tsconfig.json src/a.ts",
            "/p",
            "/p/package.json",
            "ts-node /p/src/a.ts /p side-by-side compiles-on-start",
        ),
        (
            "bun run --cwd /home/me/dev/brisk src/mcp.ts",
            "?",
            "/home/me/dev/brisk/package.json /home/me/dev/brisk/src/mcp.ts",
            "bun /home/me/dev/brisk/src/mcp.ts /home/me/dev/brisk side-by-side",
        ),
        ("bun --hot a.ts", "/p", "/p/a.ts", "bun /p/a.ts /p side-by-side self-reloading"),
        ("bun x some-mcp", "/p", "", "bunx =some-mcp - side-by-side installed-package"),
        ("bunx some-mcp", "/p", "", "bunx =some-mcp - side-by-side installed-package"),
        ("bun run start", "/p", "/p/package.json", "npm-script - /p side-by-side task"),
        (
            "deno run -A --unstable-kv server/main.ts",
            "/p",
            "/p/deno.json /p/server/main.ts",
            "deno /p/server/main.ts /p side-by-side",
        ),
        ("deno run --config d.json jsr:@x/y", "/p", "", "deno =jsr:@x/y - side-by-side installed-package"),
        ("deno task start", "/p", "/p/deno.json", "deno - /p side-by-side task"),
        ("npm --silent --prefix ./mcp run start", "/p", "/p/mcp/package.json", "npm-script - /p/mcp side-by-side task"),
        ("npm exec -- some-mcp", "/p", "", "npx =some-mcp - side-by-side installed-package"),
        ("pnpm dlx some-mcp", "/p", "", "pnpm-dlx =some-mcp - side-by-side installed-package"),
        ("pnpm -C /q exec tsx a.ts", "/p", "/q/a.ts", "tsx /q/a.ts /q side-by-side"),
        ("yarn tsx a.ts", "/p", "/p/a.ts", "tsx /p/a.ts /p side-by-side"),
        ("yarn start", "/p", "/p/package.json", "npm-script - /p side-by-side task"),
        ("nodemon | --watch | src | --exec | tsx a.ts", "/p", "/p/a.ts", "tsx /p/a.ts /p side-by-side self-reloading"),
    ]);
}

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
fn variables_tell_ports_and_state() {
    let read = |env: &[(&str, &str)]| {
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files = Files::default();
        let place = Place { cwd: Some(Path::new("/p")), home: None, env: &env, look: &files };
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
fn a_program_on_the_path_is_found() {
    let env = [("PATH".to_owned(), "/bin:/home/me/.cargo/bin".to_owned())];
    let files = Files::new("/home/me/.cargo/bin/srv");
    let place = Place { cwd: Some(Path::new("/p")), home: None, env: &env, look: &files };
    let launch = Launch::read_in(&argv("srv --stdio"), &place);
    assert_eq!(show(&launch), "binary /home/me/.cargo/bin/srv /home/me/.cargo/bin side-by-side");
    assert_eq!(launch.asked(), [Asked::File("/home/me/.cargo/bin/srv".into())]);
}

#[test]
fn wrappers_without_end_are_opaque_and_nonsense_never_panics() {
    let deep = ["nohup"; 50].join(" ");
    assert!(show(&read(&deep, "/p", &Files::default())).contains("opaque-script"));
}

#[test]
fn the_convenience_says_the_script() {
    let script = |line: &str| super::script_path(&argv(line), Path::new("/p"), &Files::default());
    assert_eq!(script("python a.py"), Some(PathBuf::from("/p/a.py")));
    assert_eq!(script("npx -y x"), None);
}

proptest::proptest! {
    #[test]
    fn no_line_panics(words in proptest::collection::vec(
        proptest::prop_oneof![
            "(python|uv|uvx|npx|node|npm|docker|cmd|sh|env|bun|deno|cargo|go|java|dotnet|mcp|poetry|op|mise|nix)",
            "(run|-c|-m|-p|--|-S|exec|x|-v|--mount|/c|-um|--directory|tool|dlx|task|--port|-X)",
            "[a-zé./\\\\:= '\"$&|@-]{0,12}",
        ], 0..8)) {
        for cwd in [None, Some(Path::new("/p")), Some(Path::new(r"C:\p"))] {
            let files = Files::default();
            let _ = Launch::read_in(&words, &Place { cwd, home: None, env: &[], look: &files });
        }
    }
}
