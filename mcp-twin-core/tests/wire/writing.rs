//! Generated configurations: what they say, and the many ways to write that.

use mcp_twin_core::detect::{Shape, Site, Step, Syntax};
use proptest::prelude::*;

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub command: String,
    pub args: Option<Vec<String>>,
    pub env: Vec<(String, String)>,
}

/// How a text is written; `seed` decides what is decided often.
#[derive(Clone, Debug)]
pub struct Style {
    pub syntax: Syntax,
    pub indent: &'static str,
    pub crlf: bool,
    pub bom: bool,
    pub ends: bool,
    pub comments: bool,
    pub seed: u64,
}

pub fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let word = prop_oneof![
        "[a-z]{1,8}",
        "[a-z]{1,4}\\.(js|py)",
        "-{1,2}[a-z]{1,6}",
        "/[a-z]{1,5}/[a-z ]{1,5}",
        "C:\\\\[a-z]{1,5}\\\\[a-z']{1,4}",
        "[ -~]{1,10}",
        "[\\PC]{1,6}",
        Just("--".to_owned()),
        Just("1.0".to_owned()),
        Just("true".to_owned()),
        Just("# no".to_owned()),
        Just("// no, {\"a\": [".to_owned()),
        Just("*x".to_owned()),
        Just("\"'\\".to_owned()),
        Just("a\tb\nc".to_owned()),
    ];
    let name = prop_oneof![
        "[a-z]{1,6}",
        "[a-z.-]{1,8}",
        "[\\PC]{1,4}",
        "[a-z]{1,3} [\"'\\\\a-z]{1,3}",
        Just("é日本🦀".to_owned())
    ];
    let command = prop_oneof!["[a-z]{1,8}", "/[a-z]{1,5}/[a-z]{1,5}", "[!-~]{1,8}", "C:\\\\[a-zé ]{1,6}\\.exe"];
    let command = command.prop_filter("a command says something", |command| !command.trim().is_empty());
    let args = proptest::option::of(proptest::collection::vec(word.clone(), 0..4));
    let env = proptest::collection::vec(("[A-Z]{1,4}", word), 0..3);
    let entry = (name, command, args, env).prop_map(|(name, command, args, env)| {
        let mut env: Vec<(String, String)> = env;
        env.dedup_by(|one, other| one.0 == other.0);
        env.sort();
        env.dedup_by(|one, other| one.0 == other.0);
        Entry { name, command, args, env }
    });
    proptest::collection::vec(entry, 1..4)
        .prop_map(|entries| {
            let mut seen = std::collections::HashSet::new();
            // `<<` and `=` are no names to YAML.
            entries
                .into_iter()
                .filter(|entry| entry.name != "<<" && seen.insert(entry.name.clone()))
                .collect::<Vec<_>>()
        })
        .prop_filter("there is an entry", |entries| !entries.is_empty())
}

pub fn style() -> impl Strategy<Value = Style> {
    let syntax = prop_oneof![Just(Syntax::Json), Just(Syntax::Jsonc), Just(Syntax::Toml), Just(Syntax::Yaml)];
    let indent = prop_oneof![Just("  "), Just("    "), Just("\t"), Just("        ")];
    (syntax, indent, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
        |(syntax, indent, crlf, bom, ends, comments, seed)| {
            let indent = if syntax == Syntax::Yaml && indent == "\t" { "  " } else { indent };
            Style { syntax, indent, crlf, bom, ends, comments: comments && syntax != Syntax::Json, seed }
        },
    )
}

/// The text, and the sites of its entries.
pub fn write(entries: &[Entry], style: &Style) -> (String, Vec<Site>) {
    let mut pen = Pen { style, state: style.seed | 1, out: String::new() };
    let key = match style.syntax {
        Syntax::Toml => pen.toml(entries),
        Syntax::Yaml => pen.yaml(entries),
        _ => pen.json(entries),
    };
    let mut text = pen.out;
    if style.ends {
        text.push('\n');
    }
    if style.crlf {
        text = text.replace('\n', "\r\n");
    }
    if style.bom {
        text.insert(0, '\u{feff}');
    }
    let site = |entry: &Entry| Site {
        syntax: style.syntax,
        path: vec![Step::Key(key.to_owned()), Step::Key(entry.name.clone())],
        shape: Shape::Words { command: "command" },
    };
    (text, entries.iter().map(site).collect())
}

struct Pen<'a> {
    style: &'a Style,
    state: u64,
    out: String,
}

impl Pen<'_> {
    fn one_in(&mut self, most: u64) -> bool {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33).is_multiple_of(most)
    }

    /// What may stand between two parts, on the way to a line of this depth or in the same one.
    fn gap(&mut self, depth: Option<usize>) {
        let (block, line) = match self.style.syntax {
            Syntax::Jsonc => (Some("/* , ] } \" */"), "// , ] } \" é"),
            _ => (None, "# , ] } \" é"),
        };
        if self.style.comments && self.one_in(6) {
            if let Some(block) = block.filter(|_| depth.is_none()) {
                self.out.push_str(block);
            }
            if depth.is_some() {
                self.out.push(' ');
                self.out.push_str(line);
            }
        }
        if let Some(depth) = depth {
            self.out.push('\n');
            if self.one_in(12) {
                self.out.push('\n');
            }
            self.out.push_str(&self.style.indent.repeat(depth));
        }
    }

    fn string(&mut self, text: &str) -> String {
        let escape = self.one_in(4);
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_control()
                    || c > '\u{ffff}'
                        && escape
                        && self.style.syntax != Syntax::Toml
                        && self.style.syntax != Syntax::Yaml =>
                {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c if escape && c < '\u{ffff}' && self.one_in(3) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                // What YAML does not print, and what it takes for a line's end.
                '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{fffe}' | '\u{ffff}' => {
                    out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                c => out.push(c),
            }
        }
        out.push('"');
        out
    }

    fn json(&mut self, entries: &[Entry]) -> &'static str {
        let key = if self.one_in(2) { "mcpServers" } else { "amp.mcpServers" };
        let wide = !self.one_in(3);
        let map = entries.iter().map(|entry| (entry.name.clone(), Some(entry))).collect::<Vec<_>>();
        self.out.push('{');
        self.gap(wide.then_some(1));
        let marks = if self.one_in(2) { "\"mark\": \"before\"," } else { "\"mark\":\"before\"," };
        self.out.push_str(marks);
        self.gap(wide.then_some(1));
        let name = self.string(key);
        self.out.push_str(&name);
        self.out.push(':');
        self.out.push('{');
        for (index, (name, entry)) in map.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.gap(wide.then_some(2));
            let name = self.string(name);
            self.out.push_str(&name);
            self.out.push_str(if wide { ": " } else { ":" });
            if let Some(entry) = entry {
                self.json_entry(entry, wide);
            }
        }
        self.close('}', wide.then_some(1));
        self.close('}', wide.then_some(0));
        key
    }

    /// A closing bracket, after a comma where that is allowed.
    fn close(&mut self, bracket: char, depth: Option<usize>) {
        if self.style.syntax == Syntax::Jsonc && self.style.comments && self.one_in(3) {
            self.out.push(',');
        }
        self.gap(depth);
        self.out.push(bracket);
    }

    fn json_entry(&mut self, entry: &Entry, wide: bool) {
        let lines = wide && !self.one_in(3);
        let mut parts: Vec<u8> = vec![0, 1, 2];
        if self.one_in(3) {
            parts.swap(0, 1);
        }
        if entry.args.is_none() {
            parts.retain(|part| *part != 1);
        }
        self.out.push('{');
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.gap(lines.then_some(3));
            match part {
                0 => {
                    let command = self.string(&entry.command);
                    self.out.push_str(if wide { "\"command\": " } else { "\"command\":" });
                    self.out.push_str(&command);
                }
                1 => {
                    self.out.push_str(if wide { "\"args\": [" } else { "\"args\":[" });
                    let args = entry.args.as_deref().unwrap_or_default();
                    let lines = lines && self.one_in(2);
                    self.list(args, lines.then_some(4));
                    let empty = args.is_empty();
                    if empty { self.out.push(']') } else { self.close(']', lines.then_some(3)) }
                }
                _ => {
                    self.out.push_str("\"env\": {");
                    for (index, (name, value)) in entry.env.iter().enumerate() {
                        let value = self.string(value);
                        self.out.push_str(&format!("{}\"{name}\": {value}", if index > 0 { ", " } else { "" }));
                    }
                    self.out.push('}');
                }
            }
        }
        self.close('}', lines.then_some(2));
    }

    fn list(&mut self, words: &[String], depth: Option<usize>) {
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.gap(depth);
            let word = self.string(word);
            self.out.push_str(&word);
        }
    }

    fn toml(&mut self, entries: &[Entry]) -> &'static str {
        self.out.push_str("mark = \"before\"\n");
        let inline = self.one_in(3);
        if inline {
            self.out.push_str("mcp_servers = { ");
        }
        for (index, entry) in entries.iter().enumerate() {
            let name = self.string(&entry.name);
            let command = if entry.command.contains('\'') || self.one_in(2) {
                self.string(&entry.command)
            } else {
                format!("'{}'", entry.command)
            };
            if inline {
                self.out.push_str(&format!("{}{name} = {{ command = {command}", if index > 0 { ", " } else { "" }));
                if let Some(args) = &entry.args {
                    self.out.push_str(", args = [");
                    self.list(args, None);
                    self.out.push(']');
                }
                self.out.push_str(" }");
                continue;
            }
            let header = !self.one_in(4) || index > 0;
            let before = if header { String::new() } else { format!("mcp_servers . {name}.") };
            if header {
                self.out.push_str(&format!("[ mcp_servers.{name} ]"));
                self.gap(Some(0));
            }
            self.out.push_str(&format!("{before}command = {command}"));
            self.gap(Some(0));
            if let Some(args) = &entry.args {
                self.out.push_str(&format!("{before}args = ["));
                let lines = self.one_in(2).then_some(1);
                self.list(args, lines);
                self.gap(lines.map(|_| 0));
                self.out.push(']');
                self.gap(Some(0));
            }
            if header && !entry.env.is_empty() {
                self.out.push_str(&format!("[mcp_servers.{name}.env]\n"));
                for (name, value) in &entry.env {
                    let value = self.string(value);
                    self.out.push_str(&format!("{name} = {value}\n"));
                }
            }
        }
        if inline {
            self.out.push_str(" }");
        }
        "mcp_servers"
    }

    fn yaml(&mut self, entries: &[Entry]) -> &'static str {
        self.out.push_str("mark: before\nmcpServers:");
        let unit = self.style.indent;
        for entry in entries {
            self.gap(Some(0));
            let name = self.string(&entry.name);
            let command = self.string(&entry.command);
            if self.one_in(4) {
                self.out.push_str(&format!("{unit}{name}: {{command: {command}"));
                if let Some(args) = &entry.args {
                    self.out.push_str(", args: [");
                    self.list(args, None);
                    self.out.push(']');
                }
                self.out.push('}');
                continue;
            }
            self.out.push_str(&format!("{unit}{name}:"));
            self.gap(Some(2));
            self.out.push_str(&format!("command: {command}"));
            if let Some(args) = &entry.args {
                self.gap(Some(2));
                self.out.push_str("args:");
                if args.is_empty() || self.one_in(3) {
                    self.out.push_str(" [");
                    self.list(args, None);
                    self.out.push(']');
                } else {
                    let depth = if self.one_in(2) { 2 } else { 3 };
                    for word in args {
                        self.gap(Some(depth));
                        let word = self.string(word);
                        self.out.push_str(&format!("- {word}"));
                    }
                }
            }
            if !entry.env.is_empty() {
                self.gap(Some(2));
                self.out.push_str("env:");
                for (name, value) in &entry.env {
                    let value = self.string(value);
                    self.gap(Some(3));
                    self.out.push_str(&format!("\"{name}\": {value}"));
                }
            }
        }
        "mcpServers"
    }
}
