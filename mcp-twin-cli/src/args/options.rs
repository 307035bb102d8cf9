//! The flags for the options of a server: one row each, read from a table.

use super::RunArgs;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};
use mcp_twin_core::spec::{Breaking, Options, Promote, Strategy};
use std::time::Duration;

/// Where a value goes, and so how it is read.
enum Field {
    Choice(&'static [&'static str], fn(&mut Options, &str)),
    Time(fn(&mut Options) -> &mut Duration),
    Limit(fn(&mut Options) -> &mut Option<Duration>),
    Bytes(fn(&mut Options) -> &mut usize),
    Count(fn(&mut Options) -> &mut usize),
}

/// Key (the flag has dashes in place of underscores), meaning, field.
const ROWS: &[(&str, &str, Field)] = &[
    (
        "promote",
        "Whether new code takes over by itself at a save, or waits for `mcp-twin swap`",
        Field::Choice(&["auto", "manual"], |options, value| {
            options.promote = if value == "manual" { Promote::Manual } else { Promote::Auto };
        }),
    ),
    (
        "strategy",
        "Whether two copies may live side by side; handoff for a fixed port, an exclusive file, a profile lock",
        Field::Choice(&["overlap", "handoff"], |options, value| {
            options.strategy = if value == "handoff" { Strategy::Handoff } else { Strategy::Overlap };
        }),
    ),
    (
        "breaking",
        "What to do with a change that takes a tool or an argument away from the client: swap and say it, or wait for \
         `mcp-twin swap`",
        Field::Choice(&["warn", "wait"], |options, value| {
            options.breaking = if value == "wait" { Breaking::Wait } else { Breaking::Warn };
        }),
    ),
    ("watch_quiet", "Quiet time after the last change before a reload", Field::Time(|o| &mut o.watch_quiet)),
    ("watch_max", "A reload begins at the latest this long after the first change", Field::Time(|o| &mut o.watch_max)),
    ("build_timeout", "Deadline of a build step", Field::Time(|o| &mut o.build_timeout)),
    ("start_timeout", "Deadline from the start of a twin to ready", Field::Time(|o| &mut o.start_timeout)),
    ("settle", "How long a ready twin must stay ready before it counts", Field::Time(|o| &mut o.settle)),
    ("hold", "How long a request may wait while nothing can take it", Field::Time(|o| &mut o.hold)),
    ("hold_requests", "How many requests may wait", Field::Count(|o| &mut o.hold_requests)),
    ("hold_bytes", "How many bytes may wait", Field::Bytes(|o| &mut o.hold_bytes)),
    ("drain", "How long an old twin may go on with what it began", Field::Limit(|o| &mut o.drain)),
    ("bake", "How long new code is on trial after a swap; a crash in it rolls back", Field::Time(|o| &mut o.bake)),
    ("keep_old", "How long the previous twin is kept warm after the trial", Field::Time(|o| &mut o.keep_old)),
    ("standby_ttl", "How long a verified standby waits for `swap`", Field::Time(|o| &mut o.standby_ttl)),
    ("handoff_wait", "How long a handoff waits for open calls", Field::Time(|o| &mut o.handoff_wait)),
    ("state_ttl", "How long an open question to the client keeps its twin", Field::Time(|o| &mut o.state_ttl)),
    ("max_message", "The largest message", Field::Bytes(|o| &mut o.max_message)),
    ("stop_term", "From the end of a twin's stdin to TERM", Field::Time(|o| &mut o.stop_term)),
    ("stop_kill", "From TERM to KILL", Field::Time(|o| &mut o.stop_kill)),
    ("call_timeout", "Time-out of a tool call, begun again by progress", Field::Limit(|o| &mut o.call_timeout)),
];

/// The flags as clap wants them. Only the first three stand in the short help.
pub(crate) fn flags() -> Vec<Arg> {
    let mut defaults = Options::default();
    let mut flag = |(at, (key, help, field)): (usize, &'static (&'static str, &'static str, Field))| {
        let mut arg = Arg::new(*key).long(key.replace('_', "-")).hide_short_help(at > 2);
        let default = match field {
            Field::Choice(values, _) => {
                arg = arg.value_parser(PossibleValuesParser::new(*values)).hide_possible_values(true);
                arg = arg.value_name(values.join("|"));
                values[0].to_owned()
            }
            Field::Time(of) => {
                arg = arg.value_parser(time).value_name("DURATION");
                show_time(*of(&mut defaults))
            }
            Field::Limit(of) => {
                arg = arg.value_parser(limit).value_name("DURATION|none");
                of(&mut defaults).map_or_else(|| "none".to_owned(), show_time)
            }
            Field::Bytes(of) => {
                arg = arg.value_parser(bytes).value_name("BYTES");
                show_bytes(*of(&mut defaults))
            }
            Field::Count(of) => {
                arg = arg.value_parser(clap::value_parser!(usize)).value_name("NUMBER");
                of(&mut defaults).to_string()
            }
        };
        let heading = if at > 2 { "Limits" } else { "Policy" };
        arg.help(format!("{help} [default: {default}]")).help_heading(heading)
    };
    ROWS.iter().enumerate().map(&mut flag).collect()
}

/// The options that a command line asks for; what it does not say has its default.
pub(crate) fn read(run: &RunArgs, matches: &ArgMatches) -> Options {
    let mut options = Options { tell: !run.no_tell, watch_files: !run.no_watch, ..Options::default() };
    for (key, _, field) in ROWS {
        match field {
            Field::Choice(_, put) => {
                if let Some(value) = matches.get_one::<String>(key) {
                    put(&mut options, value);
                }
            }
            Field::Time(of) => assign(of(&mut options), matches, key),
            Field::Limit(of) => assign(of(&mut options), matches, key),
            Field::Bytes(of) | Field::Count(of) => assign(of(&mut options), matches, key),
        }
    }
    options
}

fn assign<T: Clone + Send + Sync + 'static>(field: &mut T, matches: &ArgMatches, key: &str) {
    if let Some(value) = matches.get_one::<T>(key) {
        field.clone_from(value);
    }
}

/// `100ms`, `2s`, `1.5s`, `5min`, `1h`; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a duration is written 100ms, 2s, 5min or 1h".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "a duration is written 100ms, 2s, 5min or 1h".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "no such duration".to_owned())
}

fn limit(text: &str) -> Result<Option<Duration>, String> {
    if text == "none" { Ok(None) } else { time(text).map(Some) }
}

/// `8MiB`, `64KiB`, `1GiB` (MB and M mean the same); a bare number is bytes.
fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split_unit(text);
    let shift = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err("a size is written 65536, 64KiB, 8MiB or 1GiB".to_owned()),
    };
    let number: usize = number.parse().map_err(|_| "a size is written 65536, 64KiB, 8MiB or 1GiB".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "no such size".to_owned())
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..at], text[at..].trim())
}

fn show_time(time: Duration) -> String {
    match time.as_secs() {
        0 if !time.is_zero() => format!("{}ms", time.as_millis()),
        seconds if seconds >= 300 && seconds % 60 == 0 => format!("{}min", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn show_bytes(bytes: usize) -> String {
    format!("{}MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in
            [("100ms", 100), ("2s", 2000), ("1.5s", 1500), ("5min", 300_000), ("1 h", 3_600_000), ("7", 7000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "soon", "-1s", "5 days", "1e400"] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!(limit("none"), Ok(None));
    }

    #[test]
    fn sizes_are_read() {
        for (text, size) in [("65536", 65536), ("64KiB", 65536), ("8MB", 8 << 20), ("1g", 1 << 30)] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "big", "-1", "99999999999999999999", "8 XB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
