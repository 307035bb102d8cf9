//! The one place that lists every option: the command builds its flags from it, the configuration its keys.

use super::value::{duration, line, names, prefix, show_duration, show_line, show_names, show_size, size, switch};
use super::{Breaking, Options, Promote, Standby, Strategy, Transport, check};
use std::time::Duration;

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionInfo {
    /// Its key in a configuration file, such as `watch_quiet`.
    pub key: &'static str,
    /// Its flag, such as `--watch-quiet`.
    pub flag: &'static str,
    /// The flag that switches it off, for an option that is on by default, such as `--no-tell`.
    pub off_flag: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// What it does, in one line.
    pub help: &'static str,
    get: fn(&Options) -> String,
    set: fn(&mut Options, &str) -> Result<(), String>,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A duration, such as `100ms`.
    Duration,
    /// A duration, or `none`.
    DurationOrNone,
    /// A whole number.
    Count,
    /// A number of bytes, such as `64MiB`.
    Size,
    /// Names with commas between them, or `none`; the flag may be repeated.
    Names,
    /// A command line for a shell, `auto`, or `none`.
    CommandOrNone,
    /// A command line for a shell, `tool:NAME` with or without `=` and its arguments as a JSON object, or `none`.
    Check,
    /// What names begin with: letters, digits, `_`, `-` and `.`.
    Prefix,
}

impl Kind {
    /// The word that stands for a value in a usage line.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Switch => "BOOL",
            Self::Choice(_) => "WORD",
            Self::Duration | Self::DurationOrNone => "DURATION",
            Self::Count => "N",
            Self::Size => "SIZE",
            Self::Names => "NAME,…",
            Self::CommandOrNone => "COMMAND",
            Self::Check => "CHECK",
            Self::Prefix => "PREFIX",
        }
    }
}

impl OptionInfo {
    /// The value in `options`, as [`Options::set`] reads it.
    #[must_use]
    pub fn value(&self, options: &Options) -> String {
        (self.get)(options)
    }

    /// The default over a transport, as text.
    #[must_use]
    pub fn default(&self, transport: Transport) -> String {
        self.value(&Options::defaults(transport))
    }
}

/// Why an option could not be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// There is no such option.
    #[error("there is no option `{key}`{}", nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// What was given.
        key: String,
        /// The option whose name is nearest, if one is near.
        nearest: Option<&'static str>,
    },
    /// The option does not take this value.
    #[error("`{value}` is not a value of `{key}`: {wanted}")]
    Invalid {
        /// The option.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wanted instead.
        wanted: String,
    },
}

impl Options {
    /// Sets one option from text: a command line or a configuration file.
    ///
    /// # Errors
    /// There is no such option, or it does not take this value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), OptionError> {
        let Some(option) = OPTIONS.iter().find(|option| option.key == key) else {
            let nearest = nearest(key, OPTIONS.iter().map(|option| option.key));
            return Err(OptionError::Unknown { key: key.to_owned(), nearest });
        };
        (option.set)(self, value).map_err(|wanted| OptionError::Invalid {
            key: option.key,
            value: value.to_owned(),
            wanted,
        })
    }
}

/// The word of `known` that `word` was probably meant to be: at most a third of it mistyped. Dashes and underscores are
/// the same.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.trim_start_matches('-').to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

macro_rules! option {
    ($field:ident, $kind:expr, $read:expr, $show:expr, $help:literal) => {
        option!($field, $kind, $read, $show, $help, None)
    };
    ($field:ident, $kind:expr, $read:expr, $show:expr, $help:literal, $off:expr) => {
        OptionInfo {
            key: stringify!($field),
            flag: flag(stringify!($field)),
            off_flag: $off,
            kind: $kind,
            help: $help,
            get: |options| $show(options.$field.clone()),
            set: |options, text| {
                options.$field = $read(text)?;
                Ok(())
            },
        }
    };
}

/// Every option, in the order in which help shows them.
pub const OPTIONS: &[OptionInfo] = &[
    option!(
        promote,
        Kind::Choice(&["auto", "manual"]),
        |text| choice(text, &[("auto", Promote::Auto), ("manual", Promote::Manual)]),
        word,
        "whether a change that the watcher sees takes over by itself once it is verified"
    ),
    option!(
        strategy,
        Kind::Choice(&["overlap", "handoff"]),
        |text| choice(text, &[("overlap", Strategy::Overlap), ("handoff", Strategy::Handoff)]),
        word,
        "whether the new twin starts beside the old one, or after it (fixed port, exclusive file)"
    ),
    option!(
        breaking,
        Kind::Choice(&["warn", "wait"]),
        |text| choice(text, &[("warn", Breaking::Warn), ("wait", Breaking::Wait)]),
        word,
        "what to do with a change that takes a tool away or narrows one: swap and say it, or wait for `mcp-twin swap`"
    ),
    option!(
        standby,
        Kind::Choice(&["on-demand", "warm"]),
        |text| choice(text, &[("on-demand", Standby::OnDemand), ("warm", Standby::Warm)]),
        |standby| if standby == Standby::Warm { "warm".to_owned() } else { "on-demand".to_owned() },
        "whether a second twin is kept ready all the time"
    ),
    option!(
        tell,
        Kind::Switch,
        switch,
        shown,
        "tell the client of a failed reload in the next tool answer",
        Some("--no-tell")
    ),
    option!(
        tools,
        Kind::Switch,
        switch,
        shown,
        "offer the client's agent tools of the front's own: status, reload, swap, rollback, logs, history (stdio clients only)"
    ),
    option!(
        tools_prefix,
        Kind::Prefix,
        prefix,
        |text: String| text,
        "what the names of those tools begin with; a tool of the server's own wins over one of the same name"
    ),
    option!(
        watch_files,
        Kind::Switch,
        switch,
        shown,
        "watch the files and reload when they change",
        Some("--no-watch")
    ),
    option!(watch_quiet, Kind::Duration, duration, show_duration, "how long the files must be quiet before a reload"),
    option!(
        watch_max,
        Kind::Duration,
        positive,
        show_duration,
        "a reload begins at the latest this long after the first of many changes"
    ),
    option!(
        build,
        Kind::CommandOrNone,
        line,
        show_line,
        "a command line that builds the server before each start; `auto` finds npm, tsc, cargo or go by its project"
    ),
    option!(build_timeout, Kind::Duration, positive, show_duration, "the longest that the build step may take"),
    option!(
        check,
        Kind::Check,
        check::read,
        check::show,
        "what new code must pass before it takes over: a command line (exit status 0), or `tool:NAME={…}`, a tool of the server"
    ),
    option!(check_timeout, Kind::Duration, positive, show_duration, "the longest that the check may take"),
    option!(
        start_timeout,
        Kind::Duration,
        positive,
        show_duration,
        "the longest that a twin may take to be ready (180s at least for npx, uvx, docker)"
    ),
    option!(
        probe_interval,
        Kind::Duration,
        positive,
        show_duration,
        "the time between two health checks of a starting twin over HTTP"
    ),
    option!(probe_timeout, Kind::Duration, positive, show_duration, "the longest that one health check may take"),
    option!(
        settle,
        Kind::Duration,
        duration,
        show_duration,
        "how long a ready twin must stay ready before it may take over"
    ),
    option!(hold, Kind::Duration, duration, show_duration, "how long a request may wait while no twin can take it"),
    option!(hold_requests, Kind::Count, count, |n: usize| n.to_string(), "how many requests may wait"),
    option!(hold_bytes, Kind::Size, size, show_size, "how many bytes of requests may wait"),
    option!(
        drain,
        Kind::DurationOrNone,
        duration_or_none,
        show_or_none,
        "how long an old twin may go on with its open calls after a swap"
    ),
    option!(bake, Kind::Duration, duration, show_duration, "how long a new twin is on trial after a swap"),
    option!(
        keep_old,
        Kind::Duration,
        duration,
        show_duration,
        "how long the old twin is kept for a rollback after the trial"
    ),
    option!(
        keep_copies,
        Kind::Count,
        count,
        |n: usize| n.to_string(),
        "how many generations' code is kept on the disk for `rollback --to`; 0 keeps none"
    ),
    option!(
        standby_ttl,
        Kind::Duration,
        positive,
        show_duration,
        "how long a verified twin waits for `mcp-twin swap` under promote = manual"
    ),
    option!(
        handoff_wait,
        Kind::Duration,
        duration,
        show_duration,
        "how long a handoff waits for the open calls of the old twin"
    ),
    option!(
        state_ttl,
        Kind::Duration,
        duration,
        show_duration,
        "how long an unfinished exchange with a person binds a client to its twin"
    ),
    option!(max_message, Kind::Size, at_least_a_kibibyte, show_size, "the largest message that is passed on"),
    option!(
        stop_term,
        Kind::Duration,
        duration,
        show_duration,
        "how long a twin has to end by itself before it gets TERM"
    ),
    option!(stop_kill, Kind::Duration, duration, show_duration, "how long a twin has after TERM before it gets KILL"),
    option!(backoff, Kind::Duration, positive, show_duration, "the first pause after a crash; it doubles each time"),
    option!(backoff_max, Kind::Duration, positive, show_duration, "the longest pause after a crash"),
    option!(
        call_timeout,
        Kind::DurationOrNone,
        duration_or_none,
        show_or_none,
        "how long a tool call may take without progress"
    ),
    option!(
        keep_children,
        Kind::Names,
        names,
        |kept: Vec<String>| show_names(&kept),
        "programs that the server starts and that outlive it: daemons such as adb (Linux only)"
    ),
];

/// The flag of a key; a table because constants cannot replace characters.
const fn flag(key: &'static str) -> &'static str {
    macro_rules! flags {
        ($($key:literal => $flag:literal),+ $(,)?) => {
            $(if same(key, $key) { return $flag; })+
        };
    }
    flags! {
        "promote" => "--promote", "strategy" => "--strategy", "breaking" => "--breaking", "standby" => "--standby",
        "tell" => "--tell", "watch_files" => "--watch-files", "watch_quiet" => "--watch-quiet",
        "watch_max" => "--watch-max", "build_timeout" => "--build-timeout", "start_timeout" => "--start-timeout",
        "probe_interval" => "--probe-interval", "probe_timeout" => "--probe-timeout", "settle" => "--settle",
        "hold" => "--hold", "hold_requests" => "--hold-requests", "hold_bytes" => "--hold-bytes",
        "drain" => "--drain", "bake" => "--bake", "keep_old" => "--keep-old", "keep_copies" => "--keep-copies", "standby_ttl" => "--standby-ttl",
        "handoff_wait" => "--handoff-wait", "state_ttl" => "--state-ttl", "max_message" => "--max-message",
        "stop_term" => "--stop-term", "stop_kill" => "--stop-kill", "backoff" => "--backoff",
        "backoff_max" => "--backoff-max", "call_timeout" => "--call-timeout", "keep_children" => "--keep-children", "build" => "--build",
        "check" => "--check", "check_timeout" => "--check-timeout",
        "tools" => "--tools", "tools_prefix" => "--tools-prefix",
    }
    ""
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

fn choice<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("{} is wanted", words.join(" or "))
    })
}

fn word(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_ascii_lowercase()
}

fn shown(on: bool) -> String {
    on.to_string()
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a duration above zero is wanted".to_owned()),
        duration => Ok(duration),
    }
}

fn duration_or_none(text: &str) -> Result<Option<Duration>, String> {
    if text == "none" {
        return Ok(None);
    }
    positive(text).map(Some).map_err(|wanted| format!("{wanted}, or `none`"))
}

fn show_or_none(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "none".to_owned(), show_duration)
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a whole number is wanted".to_owned())
}

fn at_least_a_kibibyte(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes if bytes < 1024 => Err("at least 1KiB is wanted, or not even an opening fits".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Edit distance: insertions, deletions, replacements and swaps of two neighbours count one each.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_an_option_and_its_flag_is_its_key_with_dashes() {
        let fields: Vec<String> =
            serde_json::to_value(Options::default()).unwrap().as_object().unwrap().keys().cloned().collect();
        let mut keys: Vec<&str> = OPTIONS.iter().map(|option| option.key).collect();
        for option in OPTIONS {
            assert_eq!(option.flag, format!("--{}", option.key.replace('_', "-")));
            assert!(!option.help.is_empty() && !option.help.ends_with('.'), "{}", option.key);
        }
        keys.sort_unstable();
        let mut fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(keys, fields);
    }

    #[test]
    fn every_default_can_be_written_and_read_again() {
        for transport in [Transport::Stdio, Transport::Http] {
            let wanted = Options::defaults(transport);
            let mut options = Options::defaults(match transport {
                Transport::Stdio => Transport::Http,
                Transport::Http => Transport::Stdio,
            });
            for option in OPTIONS {
                options.set(option.key, &option.default(transport)).unwrap();
            }
            assert_eq!(options, wanted);
        }
    }

    #[test]
    fn the_defaults_as_people_read_them() {
        let rows: Vec<String> = OPTIONS
            .iter()
            .map(|option| {
                format!("{} {} {}", option.key, option.default(Transport::Stdio), option.default(Transport::Http))
            })
            .collect();
        let wanted = "promote auto auto|strategy overlap overlap|breaking warn wait|standby on-demand warm|\
            tell true true|tools false false|tools_prefix twin_ twin_|watch_files true false|watch_quiet 100ms 100ms|\
            watch_max 2s 2s|build none none|build_timeout 2m 10m|\
            check none none|check_timeout 30s 30s|start_timeout 1m 2m|probe_interval 50ms 50ms|probe_timeout 5s 5s|settle 0 5s|hold 5s 2s|\
            hold_requests 256 256|hold_bytes 8MiB 8MiB|drain none 30s|bake 10s 5m|keep_old 1m 10m|keep_copies 10 10|\
            standby_ttl 30m 30m|handoff_wait 30s 30s|state_ttl 10m 10m|max_message 64MiB 64MiB|stop_term 2s 10s|\
            stop_kill 3s 10s|backoff 200ms 200ms|backoff_max 30s 30s|call_timeout none none|\
            keep_children none none";
        assert_eq!(rows.join("|"), wanted);
    }

    #[test]
    fn values_are_set_and_nonsense_is_refused_with_what_is_wanted() {
        let mut options = Options::default();
        options.set("promote", "manual").unwrap();
        options.set("drain", "45s").unwrap();
        options.set("call_timeout", "2m").unwrap();
        options.set("hold_requests", "7").unwrap();
        options.set("max_message", "1MB").unwrap();
        options.set("tell", "off").unwrap();
        options.set("keep_children", "adb, gradle").unwrap();
        options.set("build", " npm run build ").unwrap();
        assert_eq!(options.build.as_deref(), Some("npm run build"));
        options.set("build", "none").unwrap();
        assert_eq!(options.build, None);
        assert_eq!(options.promote, Promote::Manual);
        assert_eq!(options.drain, Some(Duration::from_secs(45)));
        assert_eq!(options.call_timeout, Some(Duration::from_secs(120)));
        assert_eq!((options.hold_requests, options.max_message, options.tell), (7, 1_000_000, false));
        assert_eq!(options.keep_children, ["adb", "gradle"]);
        for (key, value, message) in [
            ("promote", "maybe", "`maybe` is not a value of `promote`: `auto` or `manual` is wanted"),
            ("start_timeout", "0", "`0` is not a value of `start_timeout`: a duration above zero is wanted"),
            ("hold_requests", "-1", "`-1` is not a value of `hold_requests`: a whole number is wanted"),
            ("watch_quiet", "none", "`none` is not a value of `watch_quiet`: a duration such as `100ms`"),
            ("drain", "never", "`2s`, `5m` or `1h` is wanted, or `none`"),
            ("max_message", "10", "at least 1KiB is wanted"),
            ("build", " ", "a command line such as `npm run build`"),
            (
                "keep_children",
                "/usr/bin/adb",
                "names of programs such as `adb` or `adb,gradle` are wanted, without folders",
            ),
        ] {
            let error = options.clone().set(key, value).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let unknown = |key: &str| Options::default().set(key, "1").unwrap_err().to_string();
        assert_eq!(unknown("watch_quite"), "there is no option `watch_quite`; did you mean `watch_quiet`?");
        assert_eq!(unknown("watch-quiet"), "there is no option `watch-quiet`; did you mean `watch_quiet`?");
        assert_eq!(unknown("Promote"), "there is no option `Promote`; did you mean `promote`?");
        assert_eq!(unknown("drian"), "there is no option `drian`; did you mean `drain`?");
        assert_eq!(unknown("colour"), "there is no option `colour`");
    }
}
