//! From a text to what it says. Every mistake is found in one go, so that a file is corrected once.

mod notify;

use super::error::{ConfigError, ConfigErrors};
use super::key::{KEYS, KeyInfo, KeyKind};
use super::place::{Place, Placed};
use super::table::{ConfigFile, ServerTable, Settings};
use super::value::{self, Wrong};
use crate::spec::{OPTIONS, OptionError, OptionInfo, Options, ServerName, Transport, duration, nearest};
use std::ops::Range;
use toml_edit::{Document, Item, TableLike};

/// A longer file is not read: no configuration is that long.
pub const LARGEST: u64 = 1 << 20;

/// The tables of a file.
const DEFAULTS: &str = "defaults";
const SERVERS: &str = "servers";
pub(super) const NOTIFY: &str = "notify";

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read(text: &str) -> Result<ConfigFile, ConfigErrors> {
    let document = Document::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        let what = error.message().lines().collect::<Vec<_>>().join("; ");
        ConfigErrors::one(ConfigError::new("config::syntax", text, &span, format!("not valid TOML: {what}")))
    })?;
    let mut reader = Reader { text, errors: Vec::new() };
    let file = reader.file(document.as_table());
    match ConfigErrors::some(reader.errors) {
        Some(errors) => Err(errors),
        None => Ok(file),
    }
}

struct Reader<'a> {
    text: &'a str,
    errors: Vec<ConfigError>,
}

/// Where a key stands, and its value.
struct Entry<'a> {
    key: &'a str,
    span: Range<usize>,
    item: &'a Item,
}

/// The keys of a table, in the order of the file.
fn entries(table: &dyn TableLike) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (key, item) in table.iter() {
        let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
        entries.push(Entry { key, span: span.unwrap_or_default(), item });
    }
    entries
}

impl Reader<'_> {
    fn file(&mut self, root: &dyn TableLike) -> ConfigFile {
        let mut file = ConfigFile::default();
        for entry in entries(root) {
            match entry.key {
                DEFAULTS => {
                    let Some(table) = self.table(&entry, "such as [defaults]") else { continue };
                    for entry in entries(table) {
                        self.default(&mut file.defaults, &entry);
                    }
                }
                SERVERS => {
                    let Some(table) = self.table(&entry, "with one table for each server, such as [servers.api]")
                    else {
                        continue;
                    };
                    for entry in entries(table) {
                        if let Some(server) = self.server(&entry) {
                            file.servers.push(server);
                        }
                    }
                }
                NOTIFY => self.notify(&mut file.notify, &entry),
                key => self.stray(key, &entry.span),
            }
        }
        self.told_apart(&file);
        file
    }

    /// A key at the top of the file, where there are only tables.
    fn stray(&mut self, key: &str, span: &Range<usize>) {
        let known = OPTIONS.iter().map(|option| option.key).chain(KEYS.iter().map(|known| known.key));
        let meant = nearest(key, [DEFAULTS, SERVERS, NOTIFY].into_iter().chain(known));
        let error = match meant {
            Some(DEFAULTS | SERVERS | NOTIFY) | None => {
                self.error("config::unknown_key", span, format!("there is no table `{key}`")).meant(meant)
            }
            Some(option) => {
                let what = format!("`{key}` belongs below [defaults] or [servers.NAME]");
                let error = self.error("config::unknown_key", span, what);
                if option == key { error } else { error.meant(Some(option)) }
            }
        };
        self.errors.push(error);
    }

    fn default(&mut self, settings: &mut Settings, entry: &Entry<'_>) {
        match KEYS.iter().find(|known| known.key == entry.key) {
            Some(known) if !known.in_defaults => self
                .wrong_at(&entry.span, format!("`{}` is one server's own: it belongs below [servers.NAME]", known.key)),
            _ => self.setting(settings, entry),
        }
    }

    /// What may stand in every table.
    fn setting(&mut self, settings: &mut Settings, entry: &Entry<'_>) {
        match entry.key {
            "watch" => settings.watch = self.placed(entry, value::texts),
            "ignore" => settings.ignore = self.placed(entry, value::texts),
            key => match OPTIONS.iter().find(|option| option.key == key) {
                Some(option) => {
                    if let Some(text) = self.option(option, entry) {
                        settings.options.push((option, text));
                    }
                }
                None => {
                    let known = KEYS.iter().map(|known| known.key).chain(OPTIONS.iter().map(|option| option.key));
                    let error = self.error("config::unknown_key", &entry.span, format!("there is no option `{key}`"));
                    self.errors.push(error.meant(nearest(key, known)));
                }
            },
        }
    }

    fn option(&mut self, option: &'static OptionInfo, entry: &Entry<'_>) -> Option<Placed<String>> {
        let text = self.placed(entry, |item| value::option(item, option.kind))?;
        match Options::default().set(option.key, &text.value) {
            Ok(()) => Some(text),
            Err(error) => {
                let what = match error {
                    OptionError::Invalid { wanted, .. } => format!("`{}`: {wanted}", option.key),
                    other => other.to_string(),
                };
                self.wrong_at(&entry.item.span().unwrap_or_else(|| entry.span.clone()), what);
                None
            }
        }
    }

    fn server(&mut self, entry: &Entry<'_>) -> Option<ServerTable> {
        let name = match ServerName::new(entry.key) {
            Ok(name) => name,
            Err(error) => {
                self.wrong_at(&entry.span, error.to_string());
                return None;
            }
        };
        let table = self.table(entry, "such as [servers.api]")?;
        let mut server = ServerTable::empty(name, Place::of(self.text, entry.span.start));
        let (mut command, mut args) = (None, None);
        for entry in entries(table) {
            match entry.key {
                "command" => command = self.placed(&entry, value::text).map(|text| (text, entry.item.span())),
                "args" => args = self.placed(&entry, value::texts).map(|args| (args, entry.span)),
                key => match KEYS.iter().find(|known| known.key == key && !known.in_defaults) {
                    Some(known) => self.own(&mut server, known, &entry),
                    None => self.setting(&mut server.settings, &entry),
                },
            }
        }
        server.command = self.command(command, args);
        Some(server)
    }

    /// A program alone, or with its arguments.
    fn command(
        &mut self,
        command: Option<(Placed<String>, Option<Range<usize>>)>,
        args: Option<(Placed<Vec<String>>, Range<usize>)>,
    ) -> Option<Placed<Vec<String>>> {
        let Some((Placed { value: program, place }, span)) = command else {
            if let Some((_, span)) = args {
                self.wrong_at(&span, "`args` without `command`: the two belong together".to_owned());
            }
            return None;
        };
        let span = span.unwrap_or_default();
        if program.trim().is_empty() {
            self.wrong_at(&span, "`command` is empty: the program that runs the server is wanted".to_owned());
            return None;
        }
        let words = program.split_whitespace().count();
        let Some((args, _)) = args else {
            // A path may hold a blank: then `args = []` says that it is one.
            if words > 1 {
                let what = "`command` is the program alone: its arguments belong into args = [\"…\", \"…\"]".to_owned();
                self.wrong_at(&span, what);
                return None;
            }
            return Some(Placed { value: vec![program], place });
        };
        Some(Placed { value: std::iter::once(program).chain(args.value).collect(), place })
    }

    /// A key of a server's own that needs no look at another one.
    fn own(&mut self, server: &mut ServerTable, known: &KeyInfo, entry: &Entry<'_>) {
        match known.key {
            "name" => server.name = self.parsed(entry, |text| ServerName::new(text).map_err(|error| error.to_string())),
            "env" => self.variables(&mut server.env, entry),
            "cwd" => server.cwd = self.placed(entry, value::text),
            "transport" => {
                server.transport = self.parsed(entry, |text| match text {
                    "stdio" => Ok(Transport::Stdio),
                    "http" => Ok(Transport::Http),
                    _ => Err("`transport`: \"stdio\" or \"http\" is wanted".to_owned()),
                });
            }
            "listen" => server.listen = self.listen(entry),
            "path" => {
                server.path = self.parsed(entry, |text| {
                    let plain = text.starts_with('/') && !text.contains(['?', '#', '{', '}', ' ']);
                    plain
                        .then(|| text.to_owned())
                        .ok_or_else(|| "`path`: it begins with `/`, such as \"/mcp\"".to_owned())
                });
            }
            "token_file" => server.token_file = self.placed(entry, value::text),
            "max_sessions" => server.max_sessions = self.count(entry),
            "session_idle" => {
                server.session_idle =
                    self.parsed(entry, |text| duration(text).map_err(|wanted| format!("`session_idle`: {wanted}")));
            }
            // Those of `KEYS` are all here, or read together with others.
            _ => {}
        }
        debug_assert!(!matches!(known.kind, KeyKind::Texts), "lists are read elsewhere");
    }

    fn variables(&mut self, env: &mut Vec<(String, Placed<String>)>, entry: &Entry<'_>) {
        let Some(table) = self.table(entry, "such as env = { LOG_LEVEL = \"debug\" }") else { return };
        for entry in entries(table) {
            if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
                self.wrong_at(&entry.span, "this is no name of a variable".to_owned());
            } else if let Some(value) = self.placed(&entry, value::text) {
                env.push((entry.key.to_owned(), value));
            }
        }
    }

    /// An address, or a port as a number or a text.
    fn listen(&mut self, entry: &Entry<'_>) -> Option<Placed<String>> {
        match entry.item.as_integer() {
            Some(port) => match u16::try_from(port) {
                Ok(port) => Some(self.at(entry, port.to_string())),
                Err(_) => {
                    self.wrong_at(
                        &entry.item.span().unwrap_or_default(),
                        "`listen`: a port is at most 65535".to_owned(),
                    );
                    None
                }
            },
            None => self.placed(entry, value::text),
        }
    }

    fn count(&mut self, entry: &Entry<'_>) -> Option<Placed<u32>> {
        match entry
            .item
            .as_integer()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|n| (1..=100_000).contains(n))
        {
            Some(number) => Some(self.at(entry, number)),
            None => {
                let what = format!("`{}`: a whole number from 1 to 100000 is wanted", entry.key);
                self.wrong_at(&entry.item.span().unwrap_or_default(), what);
                None
            }
        }
    }

    /// A text that means something.
    fn parsed<T>(&mut self, entry: &Entry<'_>, read: impl Fn(&str) -> Result<T, String>) -> Option<Placed<T>> {
        let text = self.placed(entry, value::text)?;
        match read(&text.value) {
            Ok(value) => Some(Placed { value, place: text.place }),
            Err(what) => {
                self.wrong_at(&entry.item.span().unwrap_or_default(), what);
                None
            }
        }
    }

    fn placed<T>(&mut self, entry: &Entry<'_>, read: impl Fn(&Item) -> Result<T, Wrong>) -> Option<Placed<T>> {
        match read(entry.item) {
            Ok(value) => Some(self.at(entry, value)),
            Err(Wrong { span, what }) => {
                self.wrong_at(&span.unwrap_or_else(|| entry.span.clone()), format!("`{}`: {what}", entry.key));
                None
            }
        }
    }

    fn at<T>(&self, entry: &Entry<'_>, value: T) -> Placed<T> {
        Placed { value, place: Place::of(self.text, entry.span.start) }
    }

    fn table<'t>(&mut self, entry: &Entry<'t>, such_as: &str) -> Option<&'t dyn TableLike> {
        let table = entry.item.as_table_like();
        if table.is_none() {
            let what = format!("`{}` is {}: a table is wanted, {such_as}", entry.key, value::name(entry.item));
            let error = self.error("config::shape", &entry.span, what);
            self.errors.push(error);
        }
        table
    }

    /// Two tables for one server would each be right.
    fn told_apart(&mut self, file: &ConfigFile) {
        for (at, server) in file.servers.iter().enumerate() {
            if let Some(other) = file.servers[..at].iter().find(|other| other.server() == server.server()) {
                let place = server.name.as_ref().map_or(server.key.place, |name| name.place);
                let what = format!("`{}` is the name of [servers.{}] already", server.server(), other.key.value);
                let span = self.byte(place);
                self.wrong_at(&(span..span + 1), what);
            }
        }
    }

    fn byte(&self, place: Place) -> usize {
        let line: usize = self.text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
        let within = self.text[line..].char_indices().nth(place.column - 1);
        within.map_or(self.text.len(), |(at, _)| line + at)
    }

    fn wrong_at(&mut self, span: &Range<usize>, what: String) {
        let error = self.error("config::value", span, what);
        self.errors.push(error);
    }

    fn error(&self, code: &'static str, span: &Range<usize>, what: String) -> ConfigError {
        ConfigError::new(code, self.text, span, what)
    }
}
