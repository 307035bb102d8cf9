//! References to variables in a configuration, replaced as the client that reads it would.
//!
//! What cannot be resolved stays as it is written and is noted. So does what would be a secret: words are shown to people.

use super::dialect::Form;
use super::launch::path;
use super::machine::{Machine, Os};
use std::collections::BTreeSet;

/// Replaces references for one file, and notes what it could not.
pub(super) struct Expander<'a> {
    forms: &'a [Form],
    machine: &'a Machine<'a>,
    plugin: Option<&'a str>,
    project: Option<String>,
    /// Whether values that are secrets by their name are given too.
    reveals: bool,
    /// Variables without value and default.
    pub(super) unset: BTreeSet<String>,
    /// What the user is asked for.
    pub(super) inputs: BTreeSet<String>,
}

impl<'a> Expander<'a> {
    pub(super) fn new(forms: &'a [Form], machine: &'a Machine<'a>, plugin: Option<&'a str>) -> Self {
        let project = machine.project_text();
        Self { forms, machine, plugin, project, reveals: false, unset: BTreeSet::new(), inputs: BTreeSet::new() }
    }

    /// The same for a process that is started: it gets the secrets too.
    pub(super) fn revealing(self) -> Self {
        Self { reveals: true, ..self }
    }

    fn has(&self, form: Form) -> bool {
        self.forms.contains(&form)
    }

    /// A text with its references replaced.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['$', '{']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let (taken, value) = self.reference(rest);
            match value {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[..taken]),
            }
            rest = &rest[taken..];
        }
        out.push_str(rest);
        out
    }

    /// The value of a variable, in which `%X%` counts on Windows too.
    pub(super) fn value(&mut self, text: &str) -> String {
        let text = self.text(text);
        if self.machine.os != Os::Windows || !self.has(Form::Percent) {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let known = after.split_once('%').and_then(|(name, after)| Some((self.shown(name)?, after)));
            match known {
                Some((value, after)) => {
                    out.push_str(&value);
                    rest = after;
                }
                None => {
                    out.push('%');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// How much of the text a reference at its beginning takes, and what it stands for if that is known.
    fn reference(&mut self, text: &str) -> (usize, Option<String>) {
        if let Some(inner) = text.strip_prefix("${{") {
            let Some(end) = inner.find("}}").filter(|_| self.has(Form::Secrets)) else { return (1, None) };
            let name = inner[..end].trim();
            self.inputs.insert(name.strip_prefix("secrets.").unwrap_or(name).to_owned());
            return (3 + end + 2, None);
        }
        if let Some(inner) = text.strip_prefix("${") {
            let Some(end) = inner.find('}') else { return (1, None) };
            let value = self.braced(&inner[..end]);
            // What is no reference may hold one: `${a${b}`.
            return if value.is_none() && inner[..end].contains('$') { (1, None) } else { (2 + end + 1, value) };
        }
        if let Some(inner) = text.strip_prefix("{env:").filter(|_| self.has(Form::Curly)) {
            let Some(end) = inner.find('}') else { return (1, None) };
            let value = self.variable(inner[..end].trim());
            return (5 + end + 1, value);
        }
        if let Some(inner) = text.strip_prefix('$').filter(|_| self.has(Form::Dollar)) {
            let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
            // A dollar in front of a word may be meant as one: nothing is said of it.
            let value = Some(&inner[..end]).filter(|name| is_name(name)).and_then(|name| self.shown(name));
            return (1 + end, value);
        }
        (1, None)
    }

    /// What `${inner}` stands for.
    fn braced(&mut self, inner: &str) -> Option<String> {
        if let Some(name) = inner.strip_prefix("env:").filter(|_| self.has(Form::Prefixed)) {
            return self.variable(name.trim());
        }
        if let Some(id) = inner.strip_prefix("input:").filter(|_| self.has(Form::Input)) {
            self.inputs.insert(id.trim().to_owned());
            return None;
        }
        if self.has(Form::Folders) {
            let project = self.project.as_deref();
            let known = match inner.split(':').next().unwrap_or(inner) {
                "workspaceFolder" | "workspaceRoot" => Some(project.map(str::to_owned)),
                "workspaceFolderBasename" | "workspaceRootFolderName" => {
                    Some(project.map(|project| path::file_name(project).to_owned()))
                }
                "cwd" => Some(project.map(str::to_owned)),
                "userHome" => Some(Some(self.machine.home_text())),
                "pathSeparator" | "/" => Some(Some(self.separator())),
                _ => None,
            };
            if let Some(value) = known {
                return value;
            }
        }
        if self.has(Form::Claude) {
            match inner {
                "CLAUDE_PROJECT_DIR" => return self.project.clone(),
                "CLAUDE_PLUGIN_ROOT" => return self.plugin.map(str::to_owned),
                "CLAUDE_PLUGIN_DATA" => return self.plugin_data(),
                _ => {}
            }
        }
        if self.has(Form::Extension) && self.plugin.is_some() {
            match inner {
                "extensionPath" => return self.plugin.map(str::to_owned),
                "workspacePath" => return self.project.clone(),
                "/" | "pathSeparator" => return Some(self.separator()),
                _ => {}
            }
        }
        if let Some((name, otherwise)) = inner.split_once(":-").filter(|_| self.has(Form::Default)) {
            if !is_name(name) {
                return None;
            }
            return match self.machine.variable(name) {
                Some(_) => self.shown(name),
                None => Some(otherwise.to_owned()),
            };
        }
        if self.has(Form::Braces) && is_name(inner) {
            return self.variable(inner);
        }
        None
    }

    fn separator(&self) -> String {
        if self.machine.os == Os::Windows { r"\" } else { "/" }.to_owned()
    }

    /// `~/.claude/plugins/cache/<market>/<plugin>/<version>` keeps its data in `~/.claude/plugins/data/<plugin>-<market>`.
    fn plugin_data(&self) -> Option<String> {
        let plugin = path::parent(self.plugin?)?;
        let market = path::parent(plugin)?;
        let plugins = path::parent(path::parent(market)?)?;
        let name = format!("data/{}-{}", path::file_name(plugin), path::file_name(market));
        Some(path::join(plugins, &name))
    }

    /// The value of a variable; one that has none is noted.
    fn variable(&mut self, name: &str) -> Option<String> {
        if self.machine.variable(name).is_none() {
            if is_name(name) {
                self.unset.insert(name.to_owned());
            }
            return None;
        }
        self.shown(name)
    }

    /// The value of a variable that may be shown, or of any where secrets are asked for.
    fn shown(&self, name: &str) -> Option<String> {
        self.machine.variable(name).filter(|_| self.reveals || !is_secret(name))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a variable's name says that its value is nobody's business.
pub(crate) fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASS",
        "PWD",
        "KEY",
        "APIKEY",
        "CREDENTIAL",
        "CREDENTIALS",
        "AUTH",
        "PAT",
    ];
    // `PWD` alone is the working directory.
    name != "PWD" && name != "OLDPWD" && name.to_ascii_uppercase().split(['_', '-']).any(|part| WORDS.contains(&part))
}
