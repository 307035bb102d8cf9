//! Python, and what starts or fetches it.

use super::check;

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
            "uvx =./srv /p/srv side-by-side console-script local-package",
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
        ("poetry -C /q run python a.py", "/p", "/q/a.py", "poetry-run /q/a.py /q side-by-side"),
        ("poetry run serve", "/p", "/p/pyproject.toml", "poetry-run - /p side-by-side console-script"),
        ("conda run -n env python a.py", "/p", "/p/a.py", "conda-run /p/a.py /p side-by-side"),
        ("pixi run --manifest-path /q/pixi.toml start", "/p", "/q/pixi.toml", "pixi-run - /q side-by-side task"),
        ("hatch run serve", "/p", "/p/pyproject.toml", "hatch-run - /p side-by-side task"),
        ("pipenv run python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
    ]);
}
