//! JavaScript and TypeScript.

use super::check;

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
