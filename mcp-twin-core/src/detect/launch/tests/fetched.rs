//! Packages that are fetched, and bridges among them.

use super::{Files, check, read};

#[test]
fn packages_on_a_path() {
    check(&[
        (
            "uvx --from /home/me/srv[cli] srv-mcp --x",
            "?",
            "/home/me/srv/pyproject.toml",
            "uvx =/home/me/srv[cli] /home/me/srv side-by-side console-script local-package",
        ),
        (
            "uvx --from packages/srv srv-mcp",
            "/p",
            "/p/packages/srv/pyproject.toml",
            "uvx =packages/srv /p/packages/srv side-by-side console-script local-package",
        ),
        (
            "uvx --from file:///q srv-mcp",
            "/p",
            "/q/pyproject.toml",
            "uvx =file:///q /q side-by-side console-script local-package",
        ),
        ("uvx --from . srv", "/p", "/p/pyproject.toml", "uvx =. /p side-by-side console-script local-package"),
        (
            "uvx --with-editable ./srv srv",
            "/p",
            "/p/srv/pyproject.toml",
            "uvx =./srv /p/srv side-by-side console-script local-package",
        ),
        (
            "uvx ./dist/srv-0.1-py3-none-any.whl",
            "/p",
            "/p/dist/srv-0.1-py3-none-any.whl",
            "uvx /p/dist/srv-0.1-py3-none-any.whl=./dist/srv-0.1-py3-none-any.whl /p/dist side-by-side build-output console-script local-package",
        ),
        (
            "pipx run --spec ../srv srv",
            "/p/x",
            "/p/srv/pyproject.toml",
            "pipx =../srv /p/srv side-by-side console-script local-package",
        ),
        ("pipx run ./a.py", "/p", "/p/a.py", "pipx /p/a.py /p side-by-side"),
        (
            "npx -y /home/me/srv",
            "?",
            "/home/me/srv/package.json",
            "npx =/home/me/srv /home/me/srv side-by-side local-package",
        ),
        ("npx --package=./srv srv-bin", "/p", "/p/srv/package.json", "npx =./srv /p/srv side-by-side local-package"),
        ("npx file:./srv", "/p", "/p/srv/package.json", "npx =./srv /p/srv side-by-side local-package"),
        (
            "npx ./dist/cli.js",
            "/p",
            "/p/package.json /p/dist/cli.js",
            "npx /p/dist/cli.js /p/dist side-by-side build-output local-package",
        ),
    ]);
}

#[test]
fn packages_of_registries() {
    check(&[
        ("uvx srv@latest", "/p", "/p/pyproject.toml", "uvx =srv@latest - side-by-side installed-package"),
        ("uvx --from srv[cli]==2 srv-mcp", "?", "", "uvx =srv[cli]==2 - side-by-side console-script installed-package"),
        (
            "uvx -p 3.12 --with x --index-url https://i.invalid srv",
            "?",
            "",
            "uvx =srv - side-by-side installed-package",
        ),
        ("uv tool run --from a b", "?", "", "uvx =a - side-by-side console-script installed-package"),
        ("npx -y github:acme/srv", "?", "", "npx =github:acme/srv - side-by-side installed-package"),
        ("npx acme/srv", "/p", "", "npx =acme/srv - side-by-side installed-package"),
        ("npx.cmd -y -p a -p b bin", "?", "", "npx =b - side-by-side installed-package"),
        ("npm exec --yes -- @acme/srv --x", "?", "", "npx =@acme/srv - side-by-side installed-package"),
        ("pnpm --package=@acme/srv dlx bin", "?", "", "pnpm-dlx =@acme/srv - side-by-side installed-package"),
        ("yarn dlx srv", "?", "", "pnpm-dlx =srv - side-by-side installed-package"),
        ("pnpx srv", "?", "", "pnpm-dlx =srv - side-by-side installed-package"),
        ("bunx --bun srv@1", "?", "", "bunx =srv@1 - side-by-side installed-package"),
        ("bunx tsx a.ts", "/p", "/p/a.ts", "tsx /p/a.ts /p side-by-side"),
        ("pnpm dlx tsx watch a.ts", "/p", "/p/a.ts", "tsx /p/a.ts /p side-by-side self-reloading"),
        ("deno run -A npm:srv@1 --port 80", "?", "", "deno =npm:srv@1 - conflict fixed-port:80 installed-package"),
        ("deno run https://x.invalid/m.ts", "?", "", "deno =https://x.invalid/m.ts - side-by-side installed-package"),
        ("deno x jsr:@a/b", "?", "", "deno =jsr:@a/b - side-by-side installed-package"),
        ("uv run https://x.invalid/a.py", "?", "", "uv-run =https://x.invalid/a.py - side-by-side installed-package"),
        ("dotnet tool run srv", "?", "", "dnx =srv - side-by-side installed-package"),
        ("dotnet dnx Srv@1.0 --yes", "?", "", "dnx =Srv@1.0 - side-by-side installed-package"),
        ("jbang srv@acme", "?", "", "jbang =srv@acme - side-by-side compiles-on-start installed-package"),
        ("npx -y srv --user-data-dir /x", "?", "", "npx =srv - conflict installed-package state-path:/x"),
        ("npx", "?", "", "npx - - unknown no-script"),
    ]);
}

#[test]
fn bridges_to_remote_servers_are_left_alone() {
    let url = "https://x.invalid/mcp";
    for (line, what) in [
        ("npx -y mcp-remote URL --header A:b", "npx =mcp-remote"),
        ("npx -y supergateway --streamableHttp URL", "npx =supergateway"),
        ("npx -y supergateway --sse=URL", "npx =supergateway"),
        ("uvx mcp-proxy --transport streamablehttp URL", "uvx =mcp-proxy"),
        ("pipx run mcp-proxy URL", "pipx =mcp-proxy"),
        ("bunx mcp-remote@0.1 URL", "bunx =mcp-remote@0.1"),
        ("deno run -A npm:mcp-remote URL", "deno =npm:mcp-remote"),
        ("cmd /c npx mcp-remote URL", "npx =mcp-remote"),
        ("fastmcp run URL", "fastmcp-cli -"),
        ("mcp-remote URL", "binary -"),
    ] {
        let launch = read(&line.replace("URL", url), "/p", &Files::default());
        let shown = super::show(&launch);
        assert!(shown.starts_with(&format!("{what} - skip ")), "{line}: {shown}");
        assert!(shown.contains(&format!("remote-bridge:{url}")), "{line}: {shown}");
        assert!(!launch.watchable());
    }
    check(&[
        // It serves a command of ours, rather.
        (
            "npx -y mcp-proxy --port 8080 -- node a.js",
            "/p",
            "",
            "npx =mcp-proxy - conflict fixed-port:8080 installed-package",
        ),
        ("npx -y other https://x.invalid", "/p", "", "npx =other - side-by-side installed-package"),
    ]);
}

#[test]
fn what_is_twinned_already_or_no_server() {
    for line in [
        "mcp-twin run -- python a.py",
        "/home/me/.cargo/bin/mcp-twin run b",
        r"C:\bin\mcp-twin.exe run b",
        "npx -y mcp-twin@2 run -- node a.js",
        "uvx mcp-twin run -- python a.py",
        "pipx run mcp-twin run -- python a.py",
        "uv run mcp-twin run -- python a.py",
        "python -m mcp_twin run -- python a.py",
        "cmd /c npx mcp-twin run -- node a.js",
    ] {
        let shown = super::show(&read(line, "/p", &Files::new("/p/a.py /p/a.js")));
        assert!(
            shown.starts_with("mcp-twin - - already already-twinned") || line.starts_with("cmd"),
            "{line}: {shown}"
        );
        assert!(shown.contains("already-twinned"), "{line}: {shown}");
    }
    check(&[
        (
            "npx @modelcontextprotocol/inspector node a.js",
            "/p",
            "",
            "npx =@modelcontextprotocol/inspector - conflict inspector-not-server installed-package",
        ),
        ("mcp dev a.py:srv", "/p", "/p/a.py", "mcp-cli /p/a.py /p conflict inspector-not-server object-suffix"),
        ("fastmcp dev inspector a.py", "/p", "/p/a.py", "fastmcp-cli /p/a.py /p conflict inspector-not-server"),
        ("fastmcp dev a.py", "/p", "/p/a.py", "fastmcp-cli /p/a.py /p conflict inspector-not-server"),
    ]);
}
