//! `mcp-twin detect` and `mcp-twin doctor`: what can be said.

use clap::{Args, ValueEnum};
use mcp_twin_core::detect::Scope;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Of variables and headers only names are shown. A file that cannot be read is shown with its line \
    and column; the exit status is 0 all the same. `mcp-twin doctor` looks for what is wrong."
)]
pub(crate) struct DetectArgs {
    /// Only this client, such as claude-code or cursor; repeatable
    #[arg(long, value_name = "CLIENT")]
    pub(crate) client: Vec<String>,
    /// Only entries of this scope; repeatable
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<ScopeArg>,
    /// The project whose files are read too [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Print the JSON Schema of what --json prints
    #[arg(long, conflicts_with_all = ["client", "scope", "project"])]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Nothing is changed. The exit status is 0 if nothing is wrong, 1 if something is.")]
pub(crate) struct DoctorArgs {
    /// The project whose files are read too [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
}

/// A scope, as it is said on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// The administrator's
    Managed,
    /// Whoever works in the project
    Project,
    /// This user in this project
    Local,
    /// This user everywhere
    User,
    /// A profile of this user
    Profile,
    /// An agent's own file
    Agent,
    /// All users of the machine
    System,
    /// What a plugin or extension brings
    Plugin,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Managed => Self::Managed,
            ScopeArg::Project => Self::Project,
            ScopeArg::Local => Self::Local,
            ScopeArg::User => Self::User,
            ScopeArg::Profile => Self::Profile,
            ScopeArg::Agent => Self::Agent,
            ScopeArg::System => Self::System,
            ScopeArg::Plugin => Self::Plugin,
        }
    }
}
