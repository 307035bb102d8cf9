//! Configuration files: `mcp-twin.toml` of a project and `config.toml` of a user.
//!
//! Pure: a text comes in, values with their places come out ([`read`]), or every mistake with its place ([`ConfigErrors`]).
//! [`Layers`] says what counts where several files and the command line speak of one key, and [`schema`] what may be written.
//! The options are those of [`crate::spec::OPTIONS`]; what else a server's table holds is [`KEYS`]. Knows no file system:
//! where files are and how they are watched is the host's.

mod error;
mod key;
mod layers;
mod place;
mod read;
mod schema;
mod sketch;
mod table;
mod value;

pub use error::{ConfigError, ConfigErrors};
pub use key::{KEYS, KeyInfo, KeyKind, NOTIFY_KEYS};
pub use layers::{Asked, Layer, Layers, Origin, Scope, Wanted};
pub use place::{Place, Placed};
pub use read::{LARGEST, read};
pub use schema::{SCHEMA_ID, schema};
pub use sketch::sketch;
pub use table::{ConfigFile, NotifyTable, ServerTable, Settings};

/// The file of a project.
pub const PROJECT_FILE: &str = "mcp-twin.toml";
/// The file of a user, in the state directory.
pub const USER_FILE: &str = "config.toml";

#[cfg(test)]
mod tests;
