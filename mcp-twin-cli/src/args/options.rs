//! The flags for the options of a server: one for each row of the table in the core, which also reads their values.

use clap::{Arg, ArgAction, ArgMatches};
use mcp_twin_core::spec::{Kind, OPTIONS, OptionInfo, Options, Transport};

/// Options that decide what happens; they stand in the short help too. The others are limits.
const POLICY: [&str; 3] = ["promote", "strategy", "breaking"];

/// Options that do nothing over stdio.
const HTTP_ONLY: [&str; 3] = ["standby", "probe_interval", "probe_timeout"];

/// Options that do nothing over HTTP.
const STDIO_ONLY: [&str; 2] = ["tools", "tools_prefix"];

/// The flags as clap wants them.
pub(crate) fn flags(transport: Transport) -> Vec<Arg> {
    offered_over(transport).map(|option| flag(option, transport)).collect()
}

/// The options that a command line asks for; what it does not say is as in `options`.
///
/// # Errors
/// Never in practice: clap has asked the same table before.
pub(crate) fn read(
    mut options: Options,
    transport: Transport,
    chosen: &mut Vec<&'static str>,
    matches: &ArgMatches,
) -> Result<Options, mcp_twin_core::spec::OptionError> {
    for option in offered_over(transport) {
        if let Some(values) = matches.get_many::<String>(option.key) {
            // More than one only where the flag may be repeated.
            options.set(option.key, &values.map(String::as_str).collect::<Vec<_>>().join(","))?;
            chosen.push(option.key);
        }
    }
    Ok(options)
}

/// The rows that become flags here. Switches are flags of their own: `--no-watch`, `--no-tell`, `--tools`.
pub(crate) fn offered() -> impl Iterator<Item = &'static OptionInfo> {
    offered_over(Transport::Stdio)
}

fn offered_over(transport: Transport) -> impl Iterator<Item = &'static OptionInfo> {
    let http = transport == Transport::Http;
    let elsewhere = move |key: &str| if http { STDIO_ONLY.contains(&key) } else { HTTP_ONLY.contains(&key) };
    OPTIONS.iter().filter(move |option| option.kind != Kind::Switch && !elsewhere(option.key))
}

fn flag(option: &'static OptionInfo, transport: Transport) -> Arg {
    let policy = POLICY.contains(&option.key);
    let placeholder = match option.kind {
        Kind::Choice(words) => words.join("|"),
        Kind::DurationOrNone => "DURATION|none".to_owned(),
        kind => kind.placeholder().to_owned(),
    };
    let key = option.key;
    let check = move |text: &str| match Options::default().set(key, text) {
        Ok(()) => Ok(text.to_owned()),
        Err(mcp_twin_core::spec::OptionError::Invalid { wanted, .. }) => Err(wanted),
        Err(error) => Err(error.to_string()),
    };
    let repeated = option.kind == Kind::Names;
    Arg::new(key)
        .action(if repeated { ArgAction::Append } else { ArgAction::Set })
        .long(option.flag.trim_start_matches('-'))
        .value_name(placeholder)
        .value_parser(check)
        .help(format!("{} [default: {}]", sentence(option.help), option.default(transport)))
        .help_heading(if policy { "Policy" } else { "Limits" })
        .hide_short_help(!policy)
}

/// Help begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_of_the_table_has_a_flag_that_turns_its_default_around() {
        let whole = crate::args::command();
        let run = whole.find_subcommand("run").expect("there");
        let flags: Vec<_> = run.get_arguments().filter_map(Arg::get_long).collect();
        for option in OPTIONS.iter().filter(|option| option.kind == Kind::Switch) {
            let on = option.default(Transport::Stdio) == "true";
            let flag = if on { option.off_flag.expect("it is on by default") } else { option.flag };
            assert!(flags.contains(&flag.trim_start_matches('-')), "{flag}");
        }
        assert!(
            HTTP_ONLY
                .iter()
                .chain(&STDIO_ONLY)
                .chain(&POLICY)
                .all(|key| OPTIONS.iter().any(|option| option.key == *key))
        );
    }
}
