//! The text of a first `mcp-twin.toml`: one server, and every option with its default behind a `#`.

use crate::spec::{Kind, OPTIONS, OptionInfo, ServerName, Transport};
use std::fmt::Write as _;

/// A file for this server; without one its table is an example behind a `#`.
#[must_use]
pub fn sketch(server: Option<(&ServerName, &[String])>) -> String {
    let mut text = String::from(
        "# Configuration of mcp-twin for this project. `mcp-twin config check` reads it, `mcp-twin config show` says what\n\
         # counts. The command line comes before this file, this file before ~/.mcp-twin/config.toml. Running fronts take\n\
         # changes over by themselves.\n\n",
    );
    match server {
        Some((name, [program, arguments @ ..])) => {
            let _ = writeln!(text, "[servers.{}]\ncommand = {}", key(name.as_str()), quoted(program));
            if !arguments.is_empty() || program.contains(char::is_whitespace) {
                let arguments: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
                let _ = writeln!(text, "args = [{}]", arguments.join(", "));
            }
        }
        _ => text += "# [servers.api]\n# command = \"python\"\n# args = [\"server.py\"]\n",
    }
    text += "# watch = [\"src\"]        # default: found by the command\n\
             # ignore = [\"*.log\"]\n\
             # env = { LOG_LEVEL = \"debug\" }\n\n\
             # Below [defaults] an option counts for every server, below [servers.NAME] for one. A value behind a # is the default.\n\
             [defaults]\n";
    for option in OPTIONS {
        let (run, serve) = (value(option, Transport::Stdio), value(option, Transport::Http));
        let _ = writeln!(text, "\n# {}", option.help);
        let over_http = if run == serve { String::new() } else { format!("  # over HTTP {serve}") };
        let _ = writeln!(text, "# {} = {run}{over_http}", option.key);
    }
    text += "\n# Who is told of what happens; `mcp-twin notify test` tries it. Of a URL that is a secret only the variable is named.\n\
             # [[notify]]\n\
             # kind = \"slack\"         # or \"discord\", \"webhook\", \"desktop\"\n\
             # url_env = \"SLACK_WEBHOOK_URL\"\n\
             # events = [\"failed\", \"rolled_back\", \"crashed\", \"down\", \"waiting\"]\n";
    text
}

/// The default as a file has it.
fn value(option: &OptionInfo, transport: Transport) -> String {
    let text = option.default(transport);
    match option.kind {
        Kind::Switch | Kind::Count => text,
        Kind::Names => "[]".to_owned(),
        _ => quoted(&text),
    }
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// A key, in quotes where it needs them.
fn key(text: &str) -> String {
    toml_edit::Key::new(text).to_string()
}
