//! `cargo xtask`: the one script runner of this repository.

mod bench;
mod bounded;
mod ci;
mod clients;
mod conformance;
mod exec;
mod fuzz;
mod node;
mod npm_pack;
mod python;
mod setup;
mod soak;
mod systems;

use std::process::ExitCode;

/// A command: its name, what it does, and the function that does it with the arguments behind the name.
type Task = (&'static str, &'static str, fn(&[String]) -> exec::Result);

const TASKS: &[Task] = &[
    ("setup", "install what the tests need into target/tools (or $MCP_TWIN_TOOLS)", setup::run),
    ("test", "set up, build, and run every test", ci::test),
    (
        "ci",
        "format, lints, documentation, purity of the core, real clients, the packages of npm, then every test",
        ci::ci,
    ),
    ("node", "the npm package: builds its addon, checks its types, runs its tests", node::test),
    (
        "dts",
        "write the types of the addon (mcp-twin-node/native.d.ts) anew; --check: say whether they are up to date",
        node::dts,
    ),
    ("python", "the Python package: builds its module, checks its types, runs its tests", python::test),
    (
        "wheel",
        "build the wheel of the Python package, with the command in it: --out DIR (target/wheels) --profile NAME (dist)",
        python::wheel,
    ),
    ("check-systems", "types and lints of what is built for macOS and Windows only", systems::check),
    (
        "soak",
        "calls under swaps, in the full size: --fronts --calls --swaps --in-flight --cycles, or --interop",
        soak::run,
    ),
    (
        "bench",
        "speed and size beside the bare server: --peers --rounds N --calls N --reloads N --idle --modern; `bench relay`: one message; `bench http`",
        bench::run,
    ),
    (
        "fuzz",
        "arbitrary lines on both sides of relays, configurations that are read or edited: [relay|detect|wire] --inputs N (a million) --seed N",
        fuzz::run,
    ),
    (
        "conformance",
        "bare and through a front: `inspector` over stdio (--seconds N --swaps N), the suite over `http` (--mode NAME --bare)",
        conformance::run,
    ),
    (
        "clients",
        "real clients in throwaway homes, before `mcp-twin wire`, wired and unwired: --only CLIENT,… --allow-missing --keep",
        clients::run,
    ),
    (
        "npm-pack",
        "the packages of npm for this machine, built, packed, installed and tried: --out DIR (--profile NAME --target TRIPLE --without-addon)",
        npm_pack::run,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        usage();
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "-h" | "--help" | "help") {
        usage();
        return ExitCode::SUCCESS;
    }
    let Some((_, _, task)) = TASKS.iter().find(|(task, _, _)| task == name) else {
        eprintln!("xtask: no command is called `{name}`");
        usage();
        return ExitCode::from(2);
    };
    match task(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    eprintln!("usage: cargo xtask COMMAND [ARGUMENTS]");
    for (name, what, _) in TASKS {
        eprintln!("  {name:<14} {what}");
    }
}
