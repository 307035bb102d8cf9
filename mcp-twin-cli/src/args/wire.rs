//! `mcp-twin wire`, `unwire` and `init`: what can be said.

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use mcp_twin_core::detect::{Client, Scope};
use std::path::PathBuf;

const NOTES: &str = "A backup of each file is kept in ~/.mcp-twin/backups until the change is undone by `mcp-twin \
    unwire`.\nWithout a terminal and without --yes nothing is changed, and the exit status is 2.";

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin wire [NAME]… [OPTIONS]\n       mcp-twin wire --all [OPTIONS]",
    after_help = NOTES
)]
pub(crate) struct WireArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Also what is left alone otherwise: files whose form is only known from others' tools, and servers that have
    /// nothing to reload
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "mcp-twin unwire [NAME]… [OPTIONS]\n       mcp-twin unwire --all [OPTIONS]",
    after_help = "A file that nobody edited since becomes what it was, byte for byte; in any other only the entry is \
        restored.\nWithout a terminal and without --yes nothing is changed, and the exit status is 2."
)]
pub(crate) struct UnwireArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Forget a change that cannot be undone any more, because its entry or file is gone or was changed by hand
    #[arg(long)]
    pub(crate) force: bool,
}

/// Which entries are meant, and how the command asks.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// The server's name in the configuration; several may be given
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Every server
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
    /// Only the files of this client, such as claude-code, cursor, vscode, codex
    #[arg(long, value_name = "CLIENT", value_parser = client)]
    pub(crate) client: Option<Client>,
    /// Only entries of this scope. A file that a project shares is changed with `project` only
    #[arg(long, value_name = "SCOPE", value_parser = scopes())]
    pub(crate) scope: Option<Scope>,
    /// The project whose files are looked at [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct InitArgs {
    /// The project whose files are looked at [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask: wire all that `mcp-twin wire --all` would
    #[arg(short, long)]
    pub(crate) yes: bool,
}

impl From<InitArgs> for WireArgs {
    fn from(args: InitArgs) -> Self {
        let InitArgs { project, dry_run, yes } = args;
        let which = WhichArgs { names: Vec::new(), all: true, client: None, scope: None, project, dry_run, yes };
        Self { which, force: false }
    }
}

/// A client by its id or one of its other names.
fn client(text: &str) -> Result<Client, String> {
    Client::named(&text.to_ascii_lowercase()).ok_or_else(|| {
        match mcp_twin_core::spec::nearest(text, Client::all().map(Client::id)) {
            Some(nearest) => format!("no client of this name is known; did you mean {nearest}?"),
            None => {
                let known = Client::all().map(Client::id).collect::<Vec<_>>().join(", ");
                format!("no client of this name is known; these are: {known}")
            }
        }
    })
}

const SCOPES: [Scope; 5] = [Scope::User, Scope::Local, Scope::Project, Scope::Profile, Scope::Agent];

fn scopes() -> impl clap::builder::TypedValueParser<Value = Scope> {
    let names: Vec<&'static str> = SCOPES
        .iter()
        .map(|scope| match scope {
            Scope::Local => "local",
            Scope::Project => "project",
            Scope::Profile => "profile",
            Scope::Agent => "agent",
            _ => "user",
        })
        .collect();
    PossibleValuesParser::new(names)
        .map(|name| SCOPES.into_iter().find(|scope| scope.to_string() == name).unwrap_or(Scope::User))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_several_names_and_mistakes_are_corrected() {
        for (text, id) in [("claude", "claude-code"), ("Claude-Code", "claude-code"), ("code", "vscode")] {
            assert_eq!(client(text).map(Client::id), Ok(id));
        }
        assert_eq!(client("cursr").unwrap_err(), "no client of this name is known; did you mean cursor?");
        assert!(client("nothing-like-it").unwrap_err().contains("claude-code, claude-desktop"));
    }

    #[test]
    fn every_scope_is_read_by_its_own_word() {
        use clap::builder::TypedValueParser as _;
        let command = clap::Command::new("x");
        for scope in SCOPES {
            let read = scopes().parse_ref(&command, None, scope.to_string().as_ref());
            assert_eq!(read.ok(), Some(scope));
        }
    }
}
