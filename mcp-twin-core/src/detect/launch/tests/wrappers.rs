//! Commands that only start others.

use super::{Files, argv, check, cwd_of, read, show};
use crate::detect::launch::{Launch, Place};
use std::path::Path;

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
        (r"wsl.exe -d Ubuntu -- python /srv/a.py", "?", "", "wsl /srv/a.py - skip foreign-filesystem"),
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
fn shells() {
    check(&[
        (
            "bash | -euo | pipefail | -c | cd /q && node a.js",
            "/p",
            "/q/a.js",
            "node /q/a.js /q side-by-side shell-wrapper",
        ),
        ("zsh | -ic | cd /q || exit 1; node a.js; echo bye", "/p", "", "node /q/a.js /q side-by-side shell-wrapper"),
        (
            "sh | -c | exec \"$0\" \"$@\" | node | a.js | --port | 1",
            "/p",
            "",
            "node /p/a.js /p conflict shell-wrapper fixed-port:1",
        ),
        ("sh | -c | python ${DIR:-/q}/a.py", "/p", "", "python /q/a.py /q side-by-side shell-wrapper"),
        ("sh | -c | D=/q; python ${D:-/r}/a.py", "/p", "", "python /q/a.py /q side-by-side shell-wrapper"),
        ("sh | -c | cd $NOWHERE && python a.py", "/p", "/p/a.py", "python a.py - side-by-side shell-wrapper"),
        ("sh | -c | cd -- /q; python a.py", "/p", "", "python /q/a.py /q side-by-side shell-wrapper"),
        ("sh | -c | python $(which srv)", "/p", "", "shell - - unknown shell-wrapper opaque-script"),
        ("sh | -c | python a.py <<EOF\nx\nEOF", "/p", "", "shell - - unknown shell-wrapper opaque-script"),
        ("bash -c", "/p", "", "shell - - unknown shell-wrapper opaque-script"),
        ("bash", "/p", "", "shell - - unknown opaque-script"),
        ("busybox sh a.sh", "/p", "/p/a.sh", "shell-script /p/a.sh /p side-by-side opaque-script"),
        (
            "scripts/run.sh --x",
            "/p",
            "/p/scripts/run.sh",
            "executable-script /p/scripts/run.sh /p/scripts side-by-side opaque-script",
        ),
    ]);
    let files = Files::default();
    assert_eq!(cwd_of("sh | -c | cd a/b && exec node x.js", "/p", &files), "/p/a/b");
    assert_eq!(cwd_of("sh | -c | cd && exec node x.js", "/p", &files), "/home/me");
    assert_eq!(cwd_of("sh | -c | cd - && exec node x.js", "/p", &files), "-");
}

#[test]
fn a_script_that_calls_itself_comes_to_an_end() {
    let files =
        Files::default().with("/p/a.sh", "./a.sh\n").with("/p/package.json", r#"{"scripts":{"start":"npm start"}}"#);
    assert_eq!(show(&read("./a.sh", "/p", &files)), "executable-script /p/a.sh /p side-by-side opaque-script");
    assert_eq!(show(&read("npm start", "/p", &files)), "npm-script - /p side-by-side task");
}

#[test]
fn the_shells_of_windows() {
    check(&[
        (
            r"cmd | /c | cd /d C:\srv && node src\a.js",
            "?",
            r"C:\srv\src\a.js",
            r"node C:\srv\src\a.js C:\srv\src side-by-side cmd-wrapper",
        ),
        (
            r"cmd | /C | cd | /d | C:\srv | && | set | PORT=80 | && | call | node | a.js",
            "?",
            "",
            r"node C:\srv\a.js C:\srv conflict cmd-wrapper fixed-port:80",
        ),
        (
            r#"cmd | /s | /c | ""C:\Program Files\nodejs\node.exe" "C:\my srv\a.js"""#,
            "?",
            "",
            r"node C:\my srv\a.js C:\my srv side-by-side cmd-wrapper",
        ),
        (
            r"cmd | /c | C:\my srv\run.bat",
            "?",
            r"C:\my,srv\run.bat",
            r"executable-script C:\my srv\run.bat C:\my srv side-by-side cmd-wrapper opaque-script",
        ),
        ("cmd | /c | node a.js|more", "?", "", "shell - - unknown cmd-wrapper opaque-script"),
        ("cmd /c", "?", "", "shell - - unknown cmd-wrapper opaque-script"),
        (
            r"C:\srv\run.cmd --port 80",
            "?",
            "",
            r"executable-script C:\srv\run.cmd C:\srv conflict fixed-port:80 opaque-script",
        ),
        (
            r"pwsh | -NoProfile | -ExecutionPolicy | Bypass | -File | C:\my srv\run.ps1 | -Port | 80",
            "?",
            "",
            r"powershell-script C:\my srv\run.ps1 C:\my srv conflict fixed-port:80 opaque-script",
        ),
        (
            r"powershell.exe | -nop | -c | Set-Location 'C:\my srv'; & 'C:\Program Files\nodejs\node.exe' src\a.js",
            "?",
            "",
            r"node C:\my srv\src\a.js C:\my srv\src side-by-side shell-wrapper",
        ),
        ("powershell | -Command | gci|node a.js", "?", "", "shell - - unknown shell-wrapper opaque-script"),
        ("powershell -enc aGk=", "?", "", "shell - - unknown opaque-script"),
        ("pwsh run.ps1", "/p", "", "powershell-script /p/run.ps1 /p side-by-side opaque-script"),
        ("powershell npx -y pkg", "/p", "", "npx =pkg - side-by-side shell-wrapper installed-package"),
        ("pwsh -wd /q -File run.ps1", "/p", "", "powershell-script /q/run.ps1 /q side-by-side opaque-script"),
    ]);
    let env = [("SRV".to_owned(), r"C:\srv".to_owned()), ("TOKEN".to_owned(), "s3cret".to_owned())];
    let files = Files::default();
    let place = Place { cwd: None, home: Some(Path::new(r"C:\Users\dana\")), env: &env, ..Place::new(&files) };
    let of = |line: &str| Launch::read_in(&argv(line), &place);
    assert_eq!(show(&of(r"cmd | /c | node %SRV%\a.js 100%")), r"node C:\srv\a.js C:\srv side-by-side cmd-wrapper");
    assert_eq!(of(r"cmd | /c | node %USERPROFILE%\x\a.js").root.as_deref(), Some(Path::new(r"C:\Users\dana\x")));
    assert!(!format!("{:?}", of("cmd | /c | node a.js %TOKEN%").argv).contains("s3cret"));
}

#[test]
fn what_runs_in_another_file_system() {
    check(&[
        (
            "wsl.exe -d Ubuntu --cd /home/x/srv -- python3 server.py",
            r"C:\p",
            "",
            "wsl /home/x/srv/server.py - skip foreign-filesystem",
        ),
        (
            "wsl | -e | bash | -lc | cd /srv && uv run a.py",
            r"C:\p",
            "",
            "wsl /srv/a.py - skip shell-wrapper foreign-filesystem",
        ),
        ("wsl --cd ~ npx -y pkg", r"C:\p", "", "wsl =pkg - skip foreign-filesystem installed-package"),
        ("wsl", r"C:\p", "", "wsl - - skip foreign-filesystem"),
        (
            r"node \\wsl.localhost\Ubuntu\srv\a.js",
            "?",
            "",
            r"node \\wsl.localhost\Ubuntu\srv\a.js \\wsl.localhost\Ubuntu\srv side-by-side foreign-filesystem",
        ),
        ("ssh -p 22 me@host cd /srv && python a.py", "/p", "", "binary /srv/a.py - skip foreign-filesystem"),
    ]);
    let files = Files::default();
    assert_eq!(cwd_of("wsl --cd /home/x -- python a.py", r"C:\p", &files), "/home/x");
    assert_eq!(cwd_of("wsl --cd ~ -- python a.py", r"C:\p", &files), "-");
    assert_eq!(cwd_of("wsl -- python a.py", r"C:\p", &files), r"C:\p");
    assert!(!read("wsl -- python /p/a.py", "/p", &Files::new("/p/a.py")).watchable());
}

#[test]
fn each_wrapper_is_taken_off() {
    let mut wrong = Vec::new();
    for (before, flags) in [
        ("env A=1", "env-wrapper"),
        ("env -i --chdir=/p PATH=/bin", "env-wrapper"),
        ("env --split-string=A=1", "env-wrapper"),
        ("dotenvx run --env-file=.env --", "env-wrapper"),
        ("dotenv -f .env --", "env-wrapper"),
        ("dotenv -f .env run --", "env-wrapper"),
        ("dotenv -e .env", "env-wrapper"),
        ("op run --no-masking --env-file .env --", "env-wrapper"),
        ("op --account x run --", "env-wrapper"),
        ("doppler run --project x --config dev --", "env-wrapper"),
        ("infisical run --env=dev --path /x --", "env-wrapper"),
        ("envmcp --env-file .env", "env-wrapper"),
        ("npx -y envmcp", "env-wrapper"),
        ("npx dotenv-cli -e .env --", "env-wrapper"),
        ("npx -y @dotenvx/dotenvx run -f .env --", "env-wrapper"),
        ("cross-env A=1", "env-wrapper"),
        ("env-cmd -f .env", "env-wrapper"),
        ("aws-vault exec profile --", "env-wrapper"),
        ("aws-vault exec profile", "env-wrapper"),
        ("chamber exec a b --", "env-wrapper"),
        ("bws run --", "env-wrapper"),
        ("direnv exec /p", "env-wrapper"),
        ("nvm exec 20", ""),
        ("fnm exec --using 20", ""),
        ("volta run --node 20", ""),
        ("pyenv exec", ""),
        ("asdf exec", ""),
        ("mise x node@20 python@3 --", ""),
        ("mise -C /p exec --", ""),
        ("corepack", ""),
        ("nix develop --impure -c", ""),
        ("nix shell nixpkgs#python3 --command", ""),
        ("devbox run --", ""),
        ("sudo -u me -E", ""),
        ("sudo -D /p --", ""),
        ("time -p", ""),
        ("/usr/bin/time -f %e", ""),
        ("nohup", ""),
        ("setsid", ""),
        ("exec -a srv", ""),
        ("stdbuf -oL -e 0", ""),
        ("nice -n 5", ""),
        ("ionice -c 3", ""),
        ("timeout -k 5 60", ""),
        ("taskset 0x1", ""),
        ("unbuffer", ""),
        ("tini --", ""),
        ("winpty", ""),
        ("systemd-run --user --scope -p MemoryMax=1G", ""),
        ("caffeinate -i", ""),
        ("arch -arm64", ""),
        ("xvfb-run -a", ""),
        ("strace -f -o log", ""),
        ("watchexec -r -e py --", "self-reloading"),
        ("watchmedo auto-restart -d . -p *.py -R --", "self-reloading"),
        ("mcpmon --watch src", "self-reloading"),
        ("npx reloaderoo@latest proxy --", "self-reloading"),
    ] {
        let found = show(&read(&format!("{before} python srv/a.py --x"), "/p", &Files::new("/p/srv/a.py")));
        let wanted = format!("python /p/srv/a.py /p/srv side-by-side {flags}");
        if found != wanted.trim_end() {
            wrong.push(format!("{before}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_lines_that_a_wrapper_takes() {
    check(&[
        ("doppler | run | --command | cd /q && python a.py", "/p", "", "python /q/a.py /q side-by-side env-wrapper"),
        ("sops | exec-env | s.yml | python a.py", "/p", "", "python /p/a.py /p side-by-side env-wrapper"),
        ("mise | x | python@3 | --command | python a.py", "/p", "", "python /p/a.py /p side-by-side"),
        ("nix-shell | -p | python3 | --run | python a.py", "/p", "", "python /p/a.py /p side-by-side"),
        ("watchfiles | python a.py | src", "/p", "", "python /p/a.py /p side-by-side self-reloading"),
        ("npx | -c | tsx a.ts", "/p", "", "tsx /p/a.ts /p side-by-side shell-wrapper"),
    ]);
}

#[test]
fn what_is_no_wrapper_after_all() {
    check(&[
        ("op read x", "/p", "", "binary - - unknown"),
        ("env A=1", "/p", "", "binary - - unknown env-wrapper no-script"),
        ("nohup", "/p", "", "binary - - unknown"),
        ("mise run serve", "/p", "/p/pyproject.toml", "project-run - /p side-by-side task"),
        ("nix run nixpkgs#x -- -c y", "/p", "", "binary =nixpkgs#x - side-by-side installed-package"),
        ("nix run .#x", "/p", "/p/flake.nix", "binary =.#x /p side-by-side compiles-on-start local-package"),
    ]);
}
