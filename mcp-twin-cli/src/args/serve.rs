//! `mcp-twin serve` and `mcp-twin start`: what can be said.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin serve|start [NAME] [OPTIONS] [-- CMD [ARGS]…]",
    after_help = "`{port}` in the command stands for the port that the server is to listen on (on 127.0.0.1); it is in \
        the variables PORT and MCP_TWIN_PORT too.\nWithout a command: that of this NAME in a configuration file, else that of its last serve or start, else that of \
        the server which a client has configured under it, with its folder and variables (NAME@CLIENT where several have that name).\n\
        `start` without a NAME asks which one, on a terminal.\n\
        The address stays the same for a NAME: see `mcp-twin status`. TLS is the business of a reverse proxy in front.\n\
        Durations: 100ms, 2s, 5m, 1h. Sizes: 64KiB, 8MiB."
)]
pub(crate) struct ServeArgs {
    /// The server's name [default: made of the folder and the script]
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(crate::complete::startable))]
    pub(crate) server: Option<String>,
    /// The same as NAME
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    pub(crate) name: Option<String>,
    /// Where to listen: ADDRESS:PORT, or a port of 127.0.0.1 [default: a port of 127.0.0.1 made of the name, 8000 to 8099]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The path of the endpoint, here and at the server [default: /mcp]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// A file whose first line is a token that clients must send (`Authorization: Bearer`, or `Mcp-Twin-Token`)
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The server speaks stdio: each session gets a process of its own, requests of 2026-07-28 share one. Where nobody says
    /// otherwise: --standby on-demand, --hold 30s, --bake 10s, --keep-old 1m, --stop-term 2s, --stop-kill 3s
    #[arg(long)]
    pub(crate) stdio: bool,
    /// How many sessions there may be at once; one that lies idle makes room for a new one [default: 1024; with --stdio 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_sessions: Option<u32>,
    /// How long a session may lie idle before it makes room; with --stdio it ends then, and its process with it
    /// [default: 30m]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    pub(crate) session_idle: Option<std::time::Duration>,
    /// A file, a folder (its source files) or a glob: a save there reloads; repeatable [default: nothing is watched]
    #[arg(long, value_name = "PATH")]
    pub(crate) watch: Vec<String>,
    /// A glob of files that do not count; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(crate) ignore: Vec<String>,
    /// Do not add a text item to the first answer after a failed reload, a rollback or a crash
    #[arg(long)]
    pub(crate) no_tell: bool,
    /// Leave the terminal: what `start` asks of the process that it starts
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// The server's command and its arguments, behind `--`
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
    /// The keys of the options that were given.
    #[arg(skip)]
    pub(crate) chosen: Vec<&'static str>,
}

impl ServeArgs {
    /// The server's name, if it was given one.
    pub(crate) fn named(&self) -> Option<&str> {
        self.server.as_deref().or(self.name.as_deref())
    }
}
