//! The command line: what can be said, its help, and the correction of what was meant.

mod call;
mod config;
mod correct;
mod detect;
mod notify;
mod options;
mod quick;
mod replay;
mod serve;
mod verify;
mod watch;
mod wire;

use crate::complete;
use crate::exit;
use crate::failure::Failure;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use mcp_twin_core::spec::{Options, Transport};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use call::CallArgs;
pub(crate) use config::{ConfigArgs, ConfigVerb};
pub(crate) use detect::{DetectArgs, DoctorArgs};
pub(crate) use notify::{NotifyArgs, NotifyVerb};
pub(crate) use replay::ReplayArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use verify::VerifyArgs;
pub(crate) use watch::{StatusArgs, TopArgs};
pub(crate) use wire::{InitArgs, UnwireArgs, WhichArgs, WireArgs};

/// Swap the code of a live MCP server without restarting its client.
#[derive(Debug, Parser)]
#[command(
    name = "mcp-twin",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = exit::HELP,
    long_about = "Swap the code of a live MCP server without restarting its client.\n\n\
        Put `mcp-twin run --` before the server's command in the client's configuration. At each save a fresh twin \
        of the server starts beside the one that serves, is proved healthy, and takes over; the old one finishes what \
        it began. No request is lost and none is run twice; `mcp-twin rollback` goes back."
)]
pub(crate) struct Cli {
    /// Answer with one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const SERVER: &str = "Its name, the client's name for it, NAME@ROOT, its project folder or a front's id [default: the \
    only one that runs]";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a server behind a front: this is what a client's configuration starts
    Run(RunArgs),
    /// Serve over HTTP: a front on a stable address, in the foreground
    Serve(ServeArgs),
    /// The same as `serve`, by itself: it goes on when the terminal is closed, until `mcp-twin stop`
    Start(ServeArgs),
    /// Show what serves, what waits and what went wrong
    ///
    /// Without SERVER: every running server. Exits with 4 if a server is down or its newest code does not serve.
    Status(StatusArgs),
    /// Watch all servers on a screen: twins, calls, memory, swaps; reload, swap and roll back by a key
    ///
    /// Needs a terminal of 80 x 24 or more; colours are used unless NO_COLOR is set. `?` shows the keys. For scripts there is
    /// `mcp-twin status --watch --json`.
    Top(TopArgs),
    /// Start a fresh standby from the files as they are and verify it; traffic stays where it is
    Reload {
        #[arg(help = SERVER, add = ArgValueCandidates::new(complete::running))]
        server: Option<String>,
    },
    /// Switch traffic to the verified standby (reloads first if there is none)
    ///
    /// A standby that waits because it breaks what the client was told (`--breaking wait`) is taken: who swaps has been
    /// told. Where there is no standby yet and the new code turns out to break something, it waits for one more `swap`.
    Swap {
        #[arg(help = SERVER, add = ArgValueCandidates::new(complete::running))]
        server: Option<String>,
        /// Also take code that lost a capability or emptied a list, which is never verified otherwise: it is started afresh
        /// for this. Breaking changes are taken at once
        #[arg(long)]
        force: bool,
    },
    /// Go back to the code that served before the last swap
    Rollback {
        #[arg(help = SERVER, add = ArgValueCandidates::new(complete::running))]
        server: Option<String>,
        /// The generation to go back to [default: the previous one]
        #[arg(long, value_name = "GENERATION")]
        to: Option<u32>,
    },
    /// End the twins of a server; the front stays for its client
    Stop {
        #[arg(help = SERVER, add = ArgValueCandidates::new(complete::running))]
        server: Option<String>,
        /// Every running server
        #[arg(long, conflicts_with = "server")]
        all: bool,
    },
    /// Call a tool of a running server, beside its clients; with --standby at the new code that waits for a `swap`
    Call(CallArgs),
    /// Show what a server wrote to its stderr, and what happened to it; also of one that does not run
    Logs(LogsArgs),
    /// Show what was tried with a server and how it ended: starts, swaps, rollbacks, failures; also of one that does not run
    History(HistoryArgs),
    /// The first run: show the MCP servers that clients have configured, and wire those that you pick
    Init(InitArgs),
    /// Make clients run their servers through mcp-twin: their configurations are changed, entry by entry
    Wire(WireArgs),
    /// Undo what `wire` changed
    Unwire(UnwireArgs),
    /// See it work: a live server edited, broken, repaired and rolled back under load (about ten seconds)
    Demo {
        /// Keep the temporary folder and say where it is
        #[arg(long)]
        keep: bool,
    },
    /// Print a completion script for a shell: it completes the names of servers too
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Show every MCP server of every client on this machine: what it runs, what would be watched, where it stands
    Detect(DetectArgs),
    /// Look for what is wrong on this machine, and say the command that mends it. Exits with 1 if anything is
    Doctor(DoctorArgs),
    /// Configuration files: look for mistakes, show what counts, write a first one
    Config(ConfigArgs),
    /// Try whether messages reach those who are told of what happens ([[notify]] in a configuration file)
    Notify(NotifyArgs),
    /// Check a server, for CI: it opens, its lists are well-formed, it survives swaps under load, it ends cleanly
    Verify(VerifyArgs),
    /// Play a recording of `run --record` to a server and compare its answers with the recorded ones
    Replay(ReplayArgs),
    /// What the plugin for Claude Code runs: answers one of its hooks
    ///
    /// Reads the hook's JSON from standard input and writes its answer, if there is one. SessionStart: the servers of the
    /// project that run through mcp-twin, and their files. PostToolUse: whether the edit is live. FileChanged: the same for
    /// edits made elsewhere. The exit status is 0 whatever happens: a hook must not fail a session.
    Hook {
        /// SessionStart, PostToolUse or FileChanged; any other is passed over
        #[arg(value_name = "EVENT")]
        event: String,
    },
}

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin run [OPTIONS] -- CMD [ARGS]…\n       mcp-twin run [OPTIONS] NAME\n       mcp-twin run --url URL [--header 'NAME: VALUE']…",
    after_help = "Standard output carries MCP and nothing else; messages of mcp-twin and of the server go to standard \
        error.\nMCP_TWIN_DISABLE=1 makes `run` become the server itself; MCP_TWIN_HOME moves ~/.mcp-twin.\n\
        Durations: 100ms, 2s, 5m, 1h. Sizes: 64KiB, 8MiB."
)]
pub(crate) struct RunArgs {
    /// A server of a configuration file, one that ran before, or one that a client has configured: its command, folder and
    /// variables; NAME@CLIENT where several have that name. With a command: the same as --name
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::startable))]
    pub(crate) server: Option<String>,
    /// The server's name [default: made of the folder and the script]
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    pub(crate) name: Option<String>,
    /// A file, a folder (its source files) or a glob that counts as the server's code; repeatable [default: found by
    /// the command line]
    #[arg(long, value_name = "PATH")]
    pub(crate) watch: Vec<String>,
    /// A glob of files that do not count; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(crate) ignore: Vec<String>,
    /// Do not react to saved files; `mcp-twin reload` and `swap` still look at them
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Do not add a text item to the first answer after a failed reload, a rollback or a crash
    #[arg(long)]
    pub(crate) no_tell: bool,
    /// Offer the client's agent tools of the front's own beside the server's: twin_status, twin_reload, twin_swap,
    /// twin_rollback, twin_logs, twin_history. A tool of the server's own wins over one of the same name
    #[arg(long)]
    pub(crate) tools: bool,
    /// Write what client and server say to each other into this file, as lines of JSON, for `mcp-twin replay`. Values whose
    /// name says that they are secrets are left out
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// The name of a field (argument, header) or of a variable whose value is left out of the recording too; repeatable
    #[arg(long, value_name = "NAME", requires = "record")]
    pub(crate) redact: Vec<String>,
    /// In place of a command: the http:// URL of a server, such as a front of `serve`, for a client that speaks stdio only;
    /// of the options below only --hold and --max-message count then
    #[arg(long, value_name = "URL", conflicts_with_all = ["server", "command", "name", "watch", "ignore", "no_watch", "no_tell", "tools", "record", "redact"])]
    pub(crate) url: Option<String>,
    /// A header that goes with every request to --url; repeatable
    #[arg(long, value_name = "NAME: VALUE", requires = "url", conflicts_with = "command")]
    pub(crate) header: Vec<String>,
    /// The server's command and its arguments, behind `--`
    #[arg(last = true, required_unless_present_any = ["url", "server"], value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
    /// The keys of the options that were given: what the command line itself suggests must not take their place.
    #[arg(skip)]
    pub(crate) chosen: Vec<&'static str>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[arg(help = SERVER, add = ArgValueCandidates::new(complete::known))]
    pub(crate) server: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C (with --json: one document a line)
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines to begin with
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 50)]
    pub(crate) lines: usize,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[arg(help = SERVER, add = ArgValueCandidates::new(complete::known))]
    pub(crate) server: Option<String>,
    /// How many lines to show, the last ones
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 20)]
    pub(crate) lines: usize,
}

/// A command line that is not to be carried out.
#[derive(Debug)]
pub(crate) enum Unparsed {
    /// Help or version: to be shown on standard output, with status 0.
    Shown(String),
    /// Not understood.
    Wrong {
        /// What is wrong.
        failure: Failure,
        /// Whether the answer is to be JSON.
        json: bool,
    },
}

/// A duration, as the options read it.
fn duration(text: &str) -> Result<Duration, String> {
    mcp_twin_core::spec::duration(text).map_err(|error| error.to_string())
}

/// The whole command, with a flag for every option of a server under `run`.
pub(crate) fn command() -> clap::Command {
    let http = || options::flags(Transport::Http);
    Cli::command()
        .mut_subcommand("run", |run| run.args(options::flags(Transport::Stdio)))
        .mut_subcommand("serve", |serve| serve.args(http()))
        .mut_subcommand("start", |start| start.args(http()))
}

/// Reads a command line: the command and, for `run`, the options of the server.
pub(crate) fn parse(args: &[OsString]) -> Result<(Cli, Options), Unparsed> {
    match quick::run(args) {
        Some((run, options)) => Ok((Cli { json: false, verb: Verb::Run(run) }, options)),
        None => clap_parse(&help_as_flag(args)),
    }
}

/// `mcp-twin help swap` as clap knows it: `mcp-twin swap --help`.
fn help_as_flag(args: &[OsString]) -> Vec<OsString> {
    match args {
        [program, help, about @ ..] if help == "help" => {
            std::iter::once(program).chain(about.first()).cloned().chain([OsString::from("--help")]).collect()
        }
        _ => args.to_vec(),
    }
}

fn clap_parse(args: &[OsString]) -> Result<(Cli, Options), Unparsed> {
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let wrong = |failure| Unparsed::Wrong { failure, json };
    let matches = command().try_get_matches_from(args).map_err(|error| match error.kind() {
        clap::error::ErrorKind::DisplayVersion if json => Unparsed::Shown(format!(
            "{{\"command\":\"version\",\"exit\":0,\"version\":\"{}\"}}\n",
            env!("CARGO_PKG_VERSION")
        )),
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => {
            Unparsed::Shown(error.render().ansi().to_string())
        }
        _ => wrong(correct::usage(args, &error)),
    })?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| wrong(correct::usage(args, &error)))?;
    let options = match (&mut cli.verb, matches.subcommand()) {
        (Verb::Run(run), Some((_, matches))) => {
            let base =
                Options { tell: !run.no_tell, tools: run.tools, watch_files: !run.no_watch, ..Options::default() };
            let read = options::read(base, Transport::Stdio, &mut run.chosen, matches);
            run.chosen.extend(switches(run.no_tell, run.tools, run.no_watch.then_some("watch_files")));
            read
        }
        (Verb::Serve(serve) | Verb::Start(serve), Some((_, matches))) => {
            let base = Options::defaults(Transport::Http);
            let base = Options { tell: !serve.no_tell, watch_files: !serve.watch.is_empty(), ..base };
            let read = options::read(base, Transport::Http, &mut serve.chosen, matches);
            serve.chosen.extend(switches(serve.no_tell, false, (!serve.watch.is_empty()).then_some("watch_files")));
            read
        }
        _ => Ok(Options::default()),
    };
    let options = options.map_err(|error| wrong(Failure::usage(error.to_string())))?;
    Ok((cli, options))
}

/// The keys of switches that a command line sets by flags of their own.
fn switches(no_tell: bool, tools: bool, watch_files: Option<&'static str>) -> impl Iterator<Item = &'static str> {
    no_tell.then_some("tell").into_iter().chain(tools.then_some("tools")).chain(watch_files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_twin_core::spec::{Breaking, Promote, Strategy};

    fn parsed(line: &str) -> (Cli, Options) {
        parse(&words(line)).unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    fn wrong(line: &str) -> String {
        match parse(&words(line)) {
            Err(Unparsed::Wrong { failure, .. }) => anstream::adapter::strip_str(&failure.text()).to_string(),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        shell_words::split(line).expect("a line that splits").into_iter().map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_of_every_command() {
        let mut whole = command().term_width(100);
        whole.build();
        insta::assert_snapshot!("help", whole.render_help().to_string());
        insta::assert_snapshot!("help_long", whole.render_long_help().to_string());
        for sub in whole.get_subcommands().map(clap::Command::get_name).map(str::to_owned).collect::<Vec<_>>() {
            let found = whole.find_subcommand_mut(&sub).expect("it was listed");
            insta::assert_snapshot!(format!("help_{sub}"), found.render_long_help().to_string());
        }
    }

    #[test]
    fn help_can_be_asked_for_as_a_command() {
        let shown = |line: &str| match parse(&words(line)) {
            Err(Unparsed::Shown(text)) => text,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(shown("mcp-twin help"), shown("mcp-twin --help"));
        assert_eq!(shown("mcp-twin help run"), shown("mcp-twin run --help"));
        assert!(wrong("mcp-twin help nothing").contains("unrecognized"));
    }

    #[test]
    fn everything_behind_the_dashes_is_the_server() {
        let (cli, _) =
            parsed("mcp-twin run --name web --watch src --watch '*.toml' -- python server.py --json --name x");
        let Verb::Run(run) = cli.verb else { panic!("not run") };
        assert_eq!(run.command, ["python", "server.py", "--json", "--name", "x"]);
        assert_eq!((run.name.as_deref(), run.watch), (Some("web"), vec!["src".to_owned(), "*.toml".to_owned()]));
        assert!(!cli.json);
    }

    #[test]
    fn a_url_takes_the_place_of_the_command() {
        let (cli, options) =
            parsed("mcp-twin run --url http://h/mcp --header 'A: b' --header='C: d' --hold 20s --max-message 1MiB");
        let Verb::Run(run) = cli.verb else { panic!("not run") };
        assert_eq!((run.url.as_deref(), run.command.len()), (Some("http://h/mcp"), 0));
        assert_eq!((run.header, options.hold), (vec!["A: b".to_owned(), "C: d".to_owned()], Duration::from_secs(20)));
        insta::assert_snapshot!("url_and_command", wrong("mcp-twin run --url http://h/mcp -- python server.py"));
        insta::assert_snapshot!("url_and_watch", wrong("mcp-twin run --url http://h/mcp --watch src"));
        insta::assert_snapshot!("header_without_url", wrong("mcp-twin run --header 'A: b' -- python server.py"));
    }

    #[test]
    fn options_of_the_server_are_read() {
        let (_, options) = parsed(
            "mcp-twin run --promote manual --strategy handoff --breaking wait --no-tell --no-watch --watch-quiet 250ms \
             --bake 2m --hold-bytes 1MiB --drain none --call-timeout 90s -- x",
        );
        assert_eq!(options.promote, Promote::Manual);
        assert_eq!(options.strategy, Strategy::Handoff);
        assert_eq!(options.breaking, Breaking::Wait);
        assert!(!options.tell && !options.watch_files);
        assert_eq!(options.watch_quiet, Duration::from_millis(250));
        assert_eq!(options.bake, Duration::from_secs(120));
        assert_eq!(options.hold_bytes, 1 << 20);
        assert_eq!((options.drain, options.call_timeout), (None, Some(Duration::from_secs(90))));
        assert_eq!(parsed("mcp-twin run -- x").1, Options::default());
    }

    #[test]
    fn what_was_meant_is_named() {
        insta::assert_snapshot!(
            "missing_dashes",
            wrong("mcp-twin run --name web python 'my server.py' --port 3 -- -x")
        );
        insta::assert_snapshot!("missing_command", wrong("mcp-twin run --no-watch"));
        insta::assert_snapshot!("missing_run", wrong("mcp-twin python server.py"));
        insta::assert_snapshot!("missing_run_of_a_script", wrong("mcp-twin ./server.py"));
        insta::assert_snapshot!("misspelt_command", wrong("mcp-twin stauts"));
        insta::assert_snapshot!("misspelt_flag", wrong("mcp-twin run --wach src -- python server.py"));
        insta::assert_snapshot!("bad_duration", wrong("mcp-twin run --bake soon -- python server.py"));
    }
}
