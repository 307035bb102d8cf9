//! Scripts of packages, their workspaces, and the runtimes beside node.

use super::{Files, check, cwd_of, read, show};

#[test]
fn options_of_package_managers() {
    let row = |line, found| (line, "/p", "/p/package.json /p/mcp/package.json", found);
    let mcp = "npm-script - /p/mcp side-by-side task";
    check(&[
        row("npm --prefix ./mcp run start", mcp),
        row("npm run start --prefix ./mcp", mcp),
        row("npm --prefix=mcp start", mcp),
        row("npm start -C mcp --silent", mcp),
        row("npm run -s start --prefix mcp -- --port 80", "npm-script - /p/mcp conflict fixed-port:80 task"),
        row("npm start -- --port 80", "npm-script - /p conflict fixed-port:80 task"),
        row("pnpm --dir mcp start", mcp),
        row("pnpm -C mcp run --silent start", mcp),
        row("pnpm run start --port 80", "npm-script - /p conflict fixed-port:80 task"),
        row("yarn --cwd mcp run start", mcp),
        row("yarn --silent --cwd /p/mcp serve", mcp),
        row("bun --cwd mcp run start", mcp),
        row("bun run --cwd=mcp start", mcp),
        row("npm", "npm-script - - unknown no-script"),
        row("npm install", "npm-script - - unknown no-script"),
    ]);
    let files = Files::new("/p/mcp/package.json");
    assert_eq!(cwd_of("npm --prefix ./mcp run start", "/p", &files), "/p/mcp");
    assert_eq!(cwd_of("bun --cwd /q run a.ts", "?", &files), "/q");
}

#[test]
fn members_of_a_workspace() {
    let plain = "/p/package.json /p/packages/srv/package.json /p/apps/web/package.json /p/pnpm-workspace.yaml";
    let srv = "npm-script - /p/packages/srv side-by-side task";
    check(&[
        ("npm run start -w packages/srv", "/p", plain, srv),
        ("npm -w @acme/srv run start", "/p", plain, srv),
        ("npm start --workspace=srv", "/p", plain, srv),
        ("pnpm --filter srv start", "/p", plain, srv),
        ("pnpm --filter ./packages/srv run start", "/p", plain, srv),
        ("pnpm -F @acme/srv... start", "/p", plain, srv),
        ("pnpm -w start", "/p/apps/web", plain, "npm-script - /p side-by-side task"),
        ("yarn workspace srv start", "/p", plain, srv),
        ("yarn workspace srv run start", "/p", plain, srv),
        ("bun run --filter srv start", "/p", plain, srv),
        ("pnpm --filter nobody start", "/p", plain, "npm-script - /p side-by-side task"),
    ]);
    let named = Files::default()
        .with("/p/package.json", r#"{"workspaces":["libs/*"]}"#)
        .with("/p/libs/a/package.json", r#"{"name":"@acme/b"}"#)
        .with("/p/libs/b/package.json", r#"{"name":"@acme/a","scripts":{"start":"tsx src/x.ts"}}"#);
    assert_eq!(
        show(&read("npm start -w @acme/a", "/p", &named)),
        "npm-script /p/libs/b/src/x.ts /p/libs/b side-by-side task"
    );
    let listed = Files::default()
        .with("/p/package.json", "{}")
        .with("/p/pnpm-workspace.yaml", "packages:\n  - 'tools/*'\n")
        .with("/p/tools/t/package.json", r#"{"name":"srv"}"#);
    assert_eq!(show(&read("pnpm --filter srv start", "/p", &listed)), "npm-script - /p/tools/t side-by-side task");
}

#[test]
fn scripts_lead_to_what_they_run() {
    let of = |script: &str, line: &str| {
        let package = format!(r#"{{"scripts":{{"start":{script:?},"serve":"node src/a.js --port 81"}}}}"#);
        show(&read(line, "/p", &Files::new("/p/src/a.js").with("/p/package.json", &package)))
    };
    assert_eq!(of("npm run serve", "npm start"), "npm-script /p/src/a.js /p conflict fixed-port:81 task");
    assert_eq!(of("tsc && node src/a.js", "bun run start"), "npm-script /p/src/a.js /p side-by-side task");
    assert_eq!(of("tsx watch src/a.ts", "yarn start"), "npm-script /p/src/a.ts /p side-by-side self-reloading task");
    assert_eq!(of("mcp-twin run -- node src/a.js", "npm start"), "npm-script - /p already already-twinned task");
    assert_eq!(of("next start", "npm start"), "npm-script - /p side-by-side task");
    assert_eq!(of("a | b", "npm start"), "npm-script - /p side-by-side task");
    let deno = Files::default().with(
        "/p/deno.jsonc",
        "{ // tasks\n \"tasks\": {\"s\": \"deno run -A src/m.ts\", \"o\": {\"command\": \"deno run o.ts\"},}}",
    );
    assert_eq!(show(&read("deno task s", "/p/src", &deno)), "deno /p/src/m.ts /p side-by-side task");
    assert_eq!(show(&read("deno task --cwd /p o", "?", &deno)), "deno /p/o.ts /p side-by-side task");
    assert_eq!(show(&read("deno task absent", "/p", &deno)), "deno - /p side-by-side task");
}

#[test]
fn what_else_runtimes_are_told() {
    check(&[
        ("tsx --env-file=.env src/a.ts", "/p", "/p/package.json", "tsx /p/src/a.ts /p side-by-side env-file:/p/.env"),
        ("bun --env-file .env run a.ts", "/p", "", "bun /p/a.ts /p side-by-side env-file:/p/.env"),
        ("bun --cwd /q run --env-file=.env a.ts", "?", "", "bun /q/a.ts /q side-by-side env-file:/q/.env"),
        ("deno run --env-file=.env -A a.ts", "/p", "", "deno /p/a.ts /p side-by-side env-file:/p/.env"),
        (
            "ts-node-dev --respawn src/a.ts",
            "/p",
            "/p/package.json",
            "ts-node /p/src/a.ts /p side-by-side compiles-on-start self-reloading",
        ),
        ("nodemon --exec tsx a.ts", "/p", "", "tsx /p/a.ts /p side-by-side self-reloading"),
        ("deno run --watch a.ts", "/p", "", "deno /p/a.ts /p side-by-side self-reloading"),
        ("bun --watch run a.ts", "/p", "", "bun /p/a.ts /p side-by-side self-reloading"),
        ("mcp-hmr a.py:m", "/p", "", "python /p/a.py /p side-by-side object-suffix self-reloading"),
    ]);
}
