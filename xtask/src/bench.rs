//! `cargo xtask bench`: speed and size beside the bare server and other tools, and what an idle front costs.

use crate::exec::{self, Result, cargo, fail, number, option, output, program, root, target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rows of `contenders.py` that `tests/bench/setup.sh` installs and that wrap a stdio server.
const PEERS: &[&str] = &["mcpmon-py", "mcpmon-gw", "nodemon", "npm-mcp-proxy", "supergateway", "pypi-mcp-proxy"];

/// Builds the command for release and runs the parts in turn, each with its table.
pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some((first, rest)) = arguments.split_first().filter(|(first, _)| *first == "relay") {
        eprintln!("bench: {first}: one message each; the column `median` counts, on a machine that does nothing else");
        return exec::run(cargo(["bench", "-p", "mcp-twin-core", "--bench", "relay", "--"]).args(rest));
    }
    if let Some((_, rest)) = arguments.split_first().filter(|(first, _)| *first == "http") {
        return http(rest);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (rounds, calls) = (number(arguments, "--rounds", 10)?, number(arguments, "--calls", 20_000)?);
    let reloads = number(arguments, "--reloads", 3)?;
    exec::run(&mut cargo(["build", "--release", "-p", "mcp-twin-cli"]))?;
    let mcp_twin = target().join("release/mcp-twin");
    let bench = root().join("tests/bench");
    let results = target().join("bench");
    std::fs::create_dir_all(&results)?;
    let peers = peers(arguments)?;
    let socat = output(&mut program("socat", ["-V"])).is_ok();
    if !socat {
        eprintln!("bench: socat is not installed, so there is no floor to compare with (apt-get install socat)");
    }
    let script = |name: &str| {
        let mut command = program("python3", [bench.join(name)]);
        command.arg("--mcp-twin").arg(&mcp_twin);
        if has("--modern") {
            command.env("BENCH_ERA", "modern");
        }
        command
    };
    steady(script("paired.py"), &results, &peers, (rounds, calls), socat, has("--peers"))?;
    for server in ["plain", "sdk"] {
        reload(&script, server, &results, &peers, reloads, has("--peers"))?;
    }
    if has("--idle") {
        exec::run(&mut script("idle.py"))?;
    }
    Ok(())
}

/// What stands between a client and a server over HTTP: `--rounds N --seconds N --swaps N --only ROW,… --peers`.
fn http(arguments: &[String]) -> Result {
    exec::run(&mut cargo(["build", "--release", "-p", "mcp-twin-cli"]))?;
    let servers = ["--bin", "tiny-http-server", "--bin", "tiny-server"];
    exec::run(cargo(["build", "--release", "-p", "mcp-twin-tests"]).args(servers))?;
    let results = target().join("bench");
    std::fs::create_dir_all(&results)?;
    let peers = peers(arguments)?;
    let mut command = program("python3", [root().join("tests/bench/http_bench.py")]);
    command.arg("--mcp-twin").arg(target().join("release/mcp-twin")).arg("--servers").arg(target().join("release"));
    command.arg("--peers-dir").arg(peers).arg("--out").arg(fresh(&results, "http.jsonl")?);
    for name in ["--rounds", "--seconds", "--swaps", "--only"] {
        if let Some(value) = option(arguments, name)? {
            command.args([name, value]);
        }
    }
    exec::run(&mut command)
}

/// Where the other tools are; with `--peers` they are installed first.
fn peers(arguments: &[String]) -> Result<PathBuf> {
    let peers = option(arguments, "--peers-dir")?.map_or_else(|| target().join("peers"), Into::into);
    if arguments.iter().any(|argument| argument == "--peers") {
        exec::run(program("bash", [root().join("tests/bench/setup.sh")]).env("BENCH_PEERS_DIR", &peers))?;
    }
    Ok(peers)
}

fn steady(
    mut command: Command,
    results: &Path,
    peers: &Path,
    (rounds, calls): (u32, u32),
    socat: bool,
    others: bool,
) -> Result {
    let out = fresh(results, "steady.jsonl")?;
    command.arg("--rounds").arg(rounds.to_string()).arg("--calls").arg(calls.to_string());
    command.arg("--peers-dir").arg(peers).arg("--out").arg(out);
    if !socat {
        command.arg("--no-socat");
    }
    if others {
        command.args(PEERS.iter().flat_map(|peer| ["--peer", peer]));
    }
    exec::run(&mut command)
}

/// What an edit costs with the server that needs nothing installed, or with that of the Python SDK.
fn reload(
    script: &dyn Fn(&str) -> Command,
    server: &str,
    results: &Path,
    peers: &Path,
    runs: u32,
    others: bool,
) -> Result {
    if runs == 0 {
        return Ok(());
    }
    println!("\nedits of the {server} server");
    let out = fresh(results, &format!("reload-{server}.jsonl"))?;
    let mut command = script("reload_bench.py");
    command.args(["--server", server, "--parts", "control,reload", "--runs"]).arg(runs.to_string());
    if server == "sdk" {
        let python = target().join("tools/python/bin/python");
        if !python.exists() {
            eprintln!("bench: no row for the SDK server: `cargo xtask setup` installs it");
            return Ok(());
        }
        command.arg("--python").arg(python);
    }
    command
        .args(["--peer", "bare", "--peer", "mcp-twin", "--peer", "mcp-twin-build"])
        .arg("--peers-dir")
        .arg(peers)
        .arg("--out")
        .arg(&out);
    if others {
        command.args(["mcpmon-py", "mcpmon-gw", "nodemon"].iter().flat_map(|peer| ["--peer", peer]));
    }
    exec::run(&mut command)?;
    exec::run(script("reload_bench.py").arg("--report").arg(&out))?;
    let rows = std::fs::read_to_string(&out)?;
    if rows.lines().any(|row| row.contains("\"peer\": \"mcp-twin") && row.contains("\"failed\"")) {
        return fail(format!("a run of mcp-twin failed, see {}", out.display()));
    }
    Ok(())
}

fn fresh(results: &Path, name: &str) -> Result<PathBuf> {
    let path = results.join(name);
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    Ok(path)
}
