//! The server that the demo edits, in the language that is there.

use std::process::{Command, Stdio};

const PYTHON: &str = include_str!("server.py");
const NODE: &str = include_str!("server.mjs");

/// What runs the demo's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Language {
    /// The interpreter.
    pub(crate) program: &'static str,
    /// The name of the server's file.
    pub(crate) file: &'static str,
    text: &'static str,
    line_end: &'static str,
}

/// Every way to run it, best first.
pub(crate) const LANGUAGES: [Language; 3] = [
    Language { program: "python3", file: "server.py", text: PYTHON, line_end: "\n" },
    Language { program: "python", file: "server.py", text: PYTHON, line_end: "\n" },
    Language { program: "node", file: "server.mjs", text: NODE, line_end: ";\n" },
];

impl Language {
    /// The first one that this machine has.
    pub(crate) fn find() -> Option<Self> {
        LANGUAGES.into_iter().find(|language| language.works())
    }

    /// Whether the interpreter runs, and is new enough.
    pub(crate) fn works(self) -> bool {
        let check = if self.file.ends_with(".py") {
            ["-c", "import sys; assert sys.version_info >= (3, 6)"]
        } else {
            ["-e", ""]
        };
        let mut command = Command::new(self.program);
        command.args(check).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// The server's code: version `version`, with the tool `shout` or without.
    pub(crate) fn code(self, version: u32, shout: bool) -> String {
        let tools = if shout { r#"["version", "slow", "shout"]"# } else { r#"["version", "slow"]"# };
        let text = self.text.replacen("VERSION = \"v1\"", &format!("VERSION = \"v{version}\""), 1);
        text.replacen(r#"TOOLS = ["version", "slow"]"#, &format!("TOOLS = {tools}"), 1)
    }

    /// The same, but it cannot even be parsed.
    pub(crate) fn broken(self, version: u32) -> String {
        let wrong = format!("VERSION = \"v{version}{}", self.line_end);
        self.text.replacen(&format!("VERSION = \"v1\"{}", self.line_end), &wrong, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edit_is_another_text() {
        for language in LANGUAGES {
            let texts = [language.code(1, false), language.code(2, false), language.code(2, true), language.broken(3)];
            for (at, text) in texts.iter().enumerate() {
                assert!(!texts[..at].contains(text), "{} {at}", language.program);
            }
            assert_eq!(texts[0], language.text);
            assert!(!texts[3].contains("v3\""));
        }
    }
}
