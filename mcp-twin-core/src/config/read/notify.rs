//! Tables of `[[notify]]`: who is told.

use super::{ConfigError, Entry, Reader, entries, value};
use crate::config::key::NOTIFY_KEYS;
use crate::config::place::Placed;
use crate::config::table::NotifyTable;
use crate::notify::{Address, Event, Given, Kind, Target};
use crate::spec::nearest;
use std::ops::Range;
use toml_edit::{Item, TableLike, Value};

/// More are not told.
const MOST: usize = 16;

/// What people write where a secret is not to stand.
const INLINE: [&str; 5] = ["secret", "token", "headers", "hmac", "key"];

/// Names of headers, and the variables that hold their values.
type Headers = Vec<(String, String)>;

/// What was read of one table before it is known to make sense.
#[derive(Default)]
struct Found {
    kind: Option<Placed<Kind>>,
    addresses: Vec<(&'static str, Range<usize>, Address)>,
    secrets: Vec<(&'static str, Range<usize>, Given)>,
    events: Option<(Range<usize>, Vec<Event>)>,
    headers: Option<(Range<usize>, Headers)>,
    /// Whether something of it was wrong already.
    wrong: bool,
}

impl Reader<'_> {
    pub(super) fn notify(&mut self, all: &mut Vec<NotifyTable>, entry: &Entry<'_>) {
        let tables: Option<Vec<(&dyn TableLike, Range<usize>)>> = match entry.item {
            Item::ArrayOfTables(tables) => {
                Some(tables.iter().map(|table| (table as &dyn TableLike, table.span().unwrap_or_default())).collect())
            }
            Item::Value(Value::Array(items)) => items
                .iter()
                .map(|item| Some((item.as_inline_table()? as &dyn TableLike, item.span().unwrap_or_default())))
                .collect(),
            _ => None,
        };
        let Some(tables) = tables else {
            let what = format!("`notify` is {}: tables are wanted, each below [[notify]]", value::name(entry.item));
            let error = self.error("config::shape", &entry.span, what);
            self.errors.push(error);
            return;
        };
        for (at, (table, span)) in tables.into_iter().enumerate() {
            if at == MOST {
                self.wrong_at(&span, format!("at most {MOST} targets are told"));
                return;
            }
            if let Some(table) = self.target(table, &span) {
                all.push(table);
            }
        }
    }

    fn target(&mut self, table: &dyn TableLike, span: &Range<usize>) -> Option<NotifyTable> {
        let before = self.errors.len();
        let mut found = Found::default();
        for entry in entries(table) {
            self.key(&mut found, &entry);
        }
        found.wrong = self.errors.len() > before;
        let Some(kind) = found.kind.take() else {
            if !found.wrong {
                self.wrong_at(span, format!("`kind` is missing: {}", or(&Kind::WORDS)));
            }
            return None;
        };
        self.sense(kind, found, span).filter(|_| self.errors.len() == before)
    }

    fn key(&mut self, found: &mut Found, entry: &Entry<'_>) {
        let whole = entry.item.span().unwrap_or_else(|| entry.span.clone());
        let Some(known) = NOTIFY_KEYS.iter().find(|known| known.key == entry.key) else {
            let error = self.stranger(entry);
            self.errors.push(error);
            return;
        };
        match known.key {
            "kind" => {
                found.kind = self.parsed(entry, |text| {
                    Kind::ALL
                        .into_iter()
                        .find(|kind| kind.word() == text)
                        .ok_or_else(|| format!("`kind`: {} is wanted", or(&Kind::WORDS)))
                });
            }
            "events" => {
                if let Some(words) = self.placed(entry, value::texts) {
                    found.events = self.events(&words.value, entry).map(|events| (whole, events));
                }
            }
            "headers_env" => found.headers = self.headers(entry).map(|headers| (entry.span.clone(), headers)),
            key => {
                let Some(text) = self.placed(entry, value::text).map(|text| text.value) else { return };
                let given = match (key, text.trim().is_empty()) {
                    (_, true) => {
                        self.wrong_at(&whole, format!("`{key}` is empty"));
                        return;
                    }
                    ("url", _) => {
                        found.addresses.push(("url", whole, Address::Url(text)));
                        return;
                    }
                    ("url_env" | "secret_env", _) => {
                        if !variable(&text) {
                            self.wrong_at(&whole, format!("`{key}`: the name of a variable is wanted, not its value"));
                            return;
                        }
                        Given::Variable(text)
                    }
                    _ => Given::File(text.into()),
                };
                if key.starts_with("url") {
                    found.addresses.push((known.key, entry.span.clone(), Address::Kept(given)));
                } else {
                    found.secrets.push((known.key, entry.span.clone(), given));
                }
            }
        }
    }

    fn stranger(&self, entry: &Entry<'_>) -> ConfigError {
        let key = entry.key;
        if INLINE.contains(&key) {
            let instead = if key == "headers" { "headers_env" } else { "secret_env or secret_file" };
            let what = format!("`{key}`: no secret stands in a configuration file; name where it is kept by {instead}");
            return self.error("config::value", &entry.span, what);
        }
        let error = self.error("config::unknown_key", &entry.span, format!("there is no key `{key}` in [[notify]]"));
        error.meant(nearest(key, NOTIFY_KEYS.iter().map(|known| known.key)))
    }

    fn events(&mut self, words: &[String], entry: &Entry<'_>) -> Option<Vec<Event>> {
        let whole = entry.item.span().unwrap_or_default();
        if words.is_empty() {
            self.wrong_at(&whole, "`events` is empty, so nothing would ever be told".to_owned());
            return None;
        }
        let mut events = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let Some(event) = Event::of_word(word) else {
                let span = entry.item.as_array().and_then(|list| list.get(at)).and_then(Value::span);
                let what = format!("`events`: there is no event `{word}`; there are {}", Event::WORDS.join(", "));
                let error = self.error("config::value", &span.unwrap_or(whole), what);
                self.errors.push(error.meant(nearest(word, Event::WORDS)));
                return None;
            };
            if !events.contains(&event) {
                events.push(event);
            }
        }
        Some(events)
    }

    fn headers(&mut self, entry: &Entry<'_>) -> Option<Headers> {
        let table = self.table(entry, "such as headers_env = { Authorization = \"HOOK_AUTH\" }")?;
        let mut headers = Vec::new();
        for entry in entries(table) {
            let whole = entry.item.span().unwrap_or_else(|| entry.span.clone());
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            let own = ["host", "content-length", "content-type", "connection", "transfer-encoding"];
            let name = entry.key.to_ascii_lowercase();
            if name.is_empty() || !name.chars().all(token) {
                self.wrong_at(&entry.span, "this is no name of a header".to_owned());
            } else if own.contains(&name.as_str()) || name.starts_with("mcp-twin-") {
                self.wrong_at(&entry.span, format!("the header `{}` is mcp-twin's own", entry.key));
            } else if let Some(text) = self.placed(&entry, value::text) {
                if variable(&text.value) {
                    headers.push((entry.key.to_owned(), text.value));
                } else {
                    let what = format!("`{}`: the name of a variable is wanted, not its value", entry.key);
                    self.wrong_at(&whole, what);
                }
            }
        }
        Some(headers)
    }

    /// Whether the keys of one table make sense together.
    fn sense(&mut self, kind: Placed<Kind>, found: Found, span: &Range<usize>) -> Option<NotifyTable> {
        let Placed { value: kind, place } = kind;
        let word = kind.word();
        if let [.., (first, ..), (key, at, _)] = &found.addresses[..] {
            self.wrong_at(at, format!("`{key}` beside `{first}`: one of url, url_env and url_file is wanted"));
        }
        if let [.., (first, ..), (key, at, _)] = &found.secrets[..] {
            self.wrong_at(at, format!("`{key}` beside `{first}`: one of the two is wanted"));
        }
        let webhook = kind == Kind::Webhook;
        let foreign = found.secrets.iter().map(|(key, at, _)| (*key, at));
        let foreign = foreign.chain(found.headers.iter().map(|(at, _)| ("headers_env", at))).filter(|_| !webhook);
        for (key, at) in foreign.map(|(key, at)| (key, at.clone())).collect::<Vec<_>>() {
            self.wrong_at(&at, format!("`{key}` means nothing with kind = \"{word}\": only a webhook takes it"));
        }
        let address = found.addresses.into_iter().next();
        match (&address, kind) {
            (Some((key, at, _)), Kind::Desktop) => {
                self.wrong_at(at, format!("`{key}` means nothing with kind = \"desktop\""));
            }
            (None, Kind::Desktop) => {}
            (None, _) => {
                let at = if found.wrong { None } else { Some(span.clone()) };
                let what =
                    "where do messages go? `url_env` names the variable that holds the URL, `url_file` a file with it";
                at.into_iter().for_each(|at| self.wrong_at(&at, what.to_owned()));
            }
            (Some((_, at, Address::Url(url))), _) => {
                if let Err(why) = kind.accepts(url) {
                    self.wrong_at(at, format!("`url`: {why}"));
                }
            }
            (Some(_), _) => {}
        }
        Some(NotifyTable {
            place,
            target: Target {
                kind,
                address: address.map(|(_, _, address)| address),
                events: found.events.map_or_else(|| Event::DEFAULT.to_vec(), |(_, events)| events),
                secret: found.secrets.into_iter().next().map(|(_, _, given)| given),
                headers: found.headers.map(|(_, headers)| headers).unwrap_or_default(),
            },
        })
    }
}

/// Whether a text may be the name of a variable; a URL or a secret hardly is one.
fn variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn or(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}
