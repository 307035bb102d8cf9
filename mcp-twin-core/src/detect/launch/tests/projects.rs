//! Runners of Python projects, and uv in all its forms.

use super::{Files, check, cwd_of, read, show};

#[test]
fn runners_of_projects() {
    check(&[
        (
            "poetry run python -m srv",
            "/p",
            "/p/pyproject.toml /p/srv/__main__.py",
            "poetry-run /p/srv/__main__.py /p side-by-side",
        ),
        ("poetry -P /q run serve", "/p", "/q/pyproject.toml", "poetry-run - /q side-by-side console-script"),
        ("poetry --directory=/q run mcp run a.py", "/p", "/q/a.py", "mcp-cli /q/a.py /q side-by-side"),
        ("pdm run -p /q python a.py", "/p", "/q/a.py", "python /q/a.py /q side-by-side"),
        ("rye run serve", "/p", "/p/pyproject.toml", "project-run - /p side-by-side console-script"),
        ("pipenv run fastmcp run a.py:m", "/p", "/p/a.py", "fastmcp-cli /p/a.py /p side-by-side object-suffix"),
        ("hatch -e dev run python a.py", "/p", "/p/a.py", "hatch-run /p/a.py /p side-by-side"),
        ("hatch env run -- python a.py", "/p", "/p/a.py", "hatch-run /p/a.py /p side-by-side"),
        ("hatch run dev:serve --port 81", "/p", "/p/pyproject.toml", "hatch-run - /p conflict fixed-port:81 task"),
        (
            "pixi run --manifest-path /q/pixi.toml python /q/src/a.py",
            "?",
            "/q/pixi.toml",
            "pixi-run /q/src/a.py /q side-by-side",
        ),
        (
            "pixi run --manifest-path /q/pixi.toml python a.py",
            "?",
            "/q/pixi.toml /q/a.py",
            "pixi-run /q/a.py /q side-by-side",
        ),
        ("pixi run --manifest-path /q -e dev serve", "?", "/q/pixi.toml", "pixi-run - /q side-by-side task"),
        ("conda run -n srv --no-capture-output python /q/a.py", "?", "/q/a.py", "conda-run /q/a.py /q side-by-side"),
        ("conda run -p /envs/x --cwd /q python a.py", "?", "/q/a.py", "conda-run /q/a.py /q side-by-side"),
        ("micromamba run -n srv serve", "/p", "/p/pyproject.toml", "conda-run - /p side-by-side console-script"),
        ("poetry run", "/p", "", "poetry-run - - unknown no-script"),
    ]);
    let files = Files::new("/q/pixi.toml");
    assert_eq!(cwd_of("poetry -C /q run python a.py", "/p", &files), "/q");
    assert_eq!(cwd_of("poetry -P /q run python a.py", "/p", &files), "/p");
    assert_eq!(cwd_of("pixi run --manifest-path /q/pixi.toml python a.py", "/p", &files), "/p");
    assert_eq!(cwd_of("pixi run --manifest-path /q/pixi.toml serve", "/p", &files), "/q");
}

#[test]
fn tasks_lead_to_what_they_run() {
    let files = Files::new("/p/srv/a.py").with("/p/pixi.toml", "[tasks]\nserve = \"python srv/a.py --port 81\"\n");
    assert_eq!(show(&read("pixi run serve", "/p", &files)), "pixi-run /p/srv/a.py /p conflict fixed-port:81 task");
    let project = "[tool.hatch.envs.dev.scripts]\nserve = \"python srv/a.py {args}\"\n[tool.pdm.scripts]\nserve.cmd = [\"python\", \"srv/b.py\"]\n";
    let files = Files::new("/p/srv/a.py").with("/p/pyproject.toml", project);
    assert_eq!(show(&read("hatch run dev:serve", "/p", &files)), "hatch-run /p/srv/a.py /p side-by-side task");
    assert_eq!(show(&read("pdm run serve", "/p", &files)), "project-run /p/srv/b.py /p side-by-side task");
}

#[test]
fn uv_in_all_its_forms() {
    check(&[
        ("uv --project /q run my-server", "/p", "/q/pyproject.toml", "uv-run - /q side-by-side console-script"),
        ("uv run --project /q a.py", "/p", "/p/a.py", "uv-run /p/a.py /p side-by-side"),
        ("uv run --directory=/q --frozen --no-sync -q a.py", "/p", "/q/a.py", "uv-run /q/a.py /q side-by-side"),
        ("uv run --with-editable /q my-server", "/p", "/q/pyproject.toml", "uv-run - /q side-by-side console-script"),
        (
            "uv run --extra dev --group x --python 3.12 --with-requirements r.txt a.py",
            "/p",
            "",
            "uv-run /p/a.py /p side-by-side",
        ),
        (
            "uv run --isolated --index-url https://i.invalid --exclude-newer 2026-01-01 a.py",
            "/p",
            "",
            "uv-run /p/a.py /p side-by-side",
        ),
        ("uv run -- python -m app", "/p", "/p/app.py", "python-module /p/app.py /p side-by-side"),
        ("uv run python a.py -m x", "/p", "", "python /p/a.py /p side-by-side m-after-script-is-not-module"),
        ("uv run --with fastmcp fastmcp run a.py:m", "/p", "", "fastmcp-cli /p/a.py /p side-by-side object-suffix"),
        ("uv run --with mcp mcp run a.py", "/p", "", "mcp-cli /p/a.py /p side-by-side"),
        ("uv run uvicorn app:api --port 81", "/p", "/p/app.py", "asgi /p/app.py /p conflict fixed-port:81"),
        (
            "uv run ./scripts/run.sh",
            "/p",
            "/p/scripts/run.sh",
            "executable-script /p/scripts/run.sh /p/scripts side-by-side opaque-script",
        ),
        ("uv run -s tool --port 81", "/p", "", "uv-run /p/tool /p conflict fixed-port:81"),
        ("uv run my-server", "?", "", "uv-run - - side-by-side console-script"),
        ("uv run", "/p", "", "uv-run - - unknown no-script"),
        ("uv run a.py -m x", "/p", "", "uv-run /p/a.py /p side-by-side m-after-script-is-not-module"),
        // Where it starts is not known, but the project has such a file.
        ("uv run --project /q a.py", "?", "/q/a.py", "uv-run /q/a.py /q side-by-side"),
        ("uv run --project /q a.py", "?", "", "uv-run a.py - side-by-side"),
        ("uv sync", "/p", "", "uv-run - - unknown no-script"),
        (
            r"uv --directory C:\srv run src\a.py",
            "?",
            r"C:\srv\pyproject.toml C:\srv\src\a.py",
            r"uv-run C:\srv\src\a.py C:\srv side-by-side",
        ),
        (
            r"C:\Users\dana\.local\bin\uv.exe --directory C:/srv run a.py",
            "?",
            r"C:\srv\a.py",
            r"uv-run C:\srv\a.py C:\srv side-by-side",
        ),
    ]);
    assert_eq!(cwd_of("uv --project /q run a.py", "/p", &Files::default()), "/p");
    assert_eq!(cwd_of("uv --directory q run a.py", "/p", &Files::default()), "/p/q");
}

#[test]
fn configurations_that_name_the_script() {
    let empty = Files::new("/p/fastmcp.json");
    assert_eq!(
        show(&read("fastmcp run fastmcp.json", "/p", &empty)),
        "fastmcp-cli /p/fastmcp.json /p side-by-side config-file-entry"
    );
    let files = Files::new("/p/srv/a.py /p/pyproject.toml")
        .with("/p/dev.fastmcp.json", r#"{"source":{"path":"srv/a.py","entrypoint":"m"}}"#);
    let launch = read("uv run fastmcp run dev.fastmcp.json --port 81", "/p", &files);
    assert_eq!(show(&launch), "fastmcp-cli /p/srv/a.py /p conflict config-file-entry fixed-port:81");
    assert!(launch.asked().iter().any(|asked| format!("{asked:?}").contains("dev.fastmcp.json")), "{launch:?}");
}

#[test]
fn virtual_environments() {
    check(&[
        ("/q/.venv/bin/python a.py", "/p", "/p/a.py", "python /p/a.py /p side-by-side"),
        (
            "/q/.venv/bin/python -m srv.app",
            "?",
            "/q/pyproject.toml /q/src/srv/app.py",
            "python-module /q/src/srv/app.py /q side-by-side",
        ),
        (
            r".venv\Scripts\python.exe -m srv",
            r"C:\q",
            r"C:\q\pyproject.toml C:\q\srv\__main__.py",
            r"python-module C:\q\srv\__main__.py C:\q side-by-side",
        ),
    ]);
}
