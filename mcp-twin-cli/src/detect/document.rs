//! The document of `detect --json`. Its JSON Schema is `schema/detect.json`, which a test keeps in step with these types.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

/// What is configured on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Detected {
    /// `detect`
    pub(crate) command: &'static str,
    /// The exit status.
    pub(crate) exit: u8,
    /// The folder whose project files were read.
    pub(crate) project: Option<String>,
    /// The servers, each once.
    pub(crate) servers: Vec<DetectedServer>,
    /// The files that are there; one with several readers is there for each of them.
    pub(crate) files: Vec<DetectedFile>,
    /// The files that could not be read.
    pub(crate) problems: Vec<Problem>,
}

/// A server, wherever it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct DetectedServer {
    /// The name of its first place.
    pub(crate) name: String,
    /// Whether one of its clients starts it.
    pub(crate) enabled: bool,
    /// `stdio`, `http`, `sse` or `ws`.
    pub(crate) transport: &'static str,
    /// The command line, without mcp-twin before it and without what its words say to be a secret; empty if it is remote.
    pub(crate) argv: Vec<String>,
    /// The address, without user, password and the values of its query.
    pub(crate) url: Option<String>,
    /// Where it is started, as far as that is known.
    pub(crate) cwd: Option<String>,
    /// Names of the variables that its entry sets.
    pub(crate) env: Vec<String>,
    /// Names of the headers that its clients send.
    pub(crate) headers: Vec<String>,
    /// What runs the code, such as `python` or `npx`.
    pub(crate) launcher: Option<String>,
    /// The script that is run.
    pub(crate) script: Option<String>,
    /// The package or image.
    pub(crate) package: Option<String>,
    /// What would be watched.
    pub(crate) watch: Vec<String>,
    /// Whether two copies may live side by side: `side-by-side`, `conflict`, `shared-state`, `skip`, `unknown`, `remote`.
    pub(crate) twin: String,
    /// Why they may not, or what they would share.
    pub(crate) reason: Option<String>,
    /// Where it is configured.
    pub(crate) places: Vec<Place>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Place {
    /// The client's id, such as `claude-code`.
    pub(crate) client: String,
    /// The client's name for people.
    pub(crate) client_name: String,
    /// For whom the file counts.
    pub(crate) scope: String,
    /// The file.
    pub(crate) file: String,
    /// The name in the file.
    pub(crate) name: String,
    /// Whether the client starts it.
    pub(crate) enabled: bool,
    /// Whether another entry of this client counts in its place.
    pub(crate) hidden: bool,
    /// Whether it goes through mcp-twin.
    pub(crate) twinned: bool,
    /// What else was found, such as `unset-var:NAME`.
    pub(crate) flags: Vec<String>,
}

/// A file of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct DetectedFile {
    /// The client's id.
    pub(crate) client: String,
    /// For whom it counts.
    pub(crate) scope: String,
    /// Where it is.
    pub(crate) path: String,
    /// `json`, `jsonc`, `toml` or `yaml`.
    pub(crate) syntax: String,
    /// How many servers it has.
    pub(crate) servers: usize,
    /// Whether the client has left this place.
    pub(crate) legacy: bool,
}

/// A file that gives no servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct Problem {
    /// The file.
    pub(crate) path: String,
    /// The names of the clients that read it.
    pub(crate) clients: Vec<String>,
    /// A code that stays the same.
    pub(crate) code: String,
    /// What is wrong, in words.
    pub(crate) message: String,
    /// The line, from 1.
    pub(crate) line: Option<usize>,
    /// The column in characters, from 1.
    pub(crate) column: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_that_of_the_document() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Detected)).expect("a schema") + "\n";
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/detect.json");
        if std::env::var_os("MCP_TWIN_WRITE_SCHEMA").is_some() {
            std::fs::write(&file, &schema).expect("the schema is written");
        }
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(known, schema, "run this test with MCP_TWIN_WRITE_SCHEMA=1, and only add to it");
    }
}
