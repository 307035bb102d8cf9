//! A command line as it may be shown to people: what its words say to be a secret is left out.

use super::expand::is_secret;
use super::url;
use crate::redact::HIDDEN;

/// The words, with the values of headers, of options and variables that are secrets by their name, and of what is secret in
/// an address, replaced. A reference such as `${TOKEN}` is no value and stays.
#[must_use]
pub fn words(argv: &[String]) -> Vec<String> {
    let mut shown = Vec::with_capacity(argv.len());
    let mut next: Option<fn(&str) -> String> = None;
    for (at, word) in argv.iter().enumerate() {
        if let Some(mask) = next.take() {
            shown.push(mask(word));
            continue;
        }
        if at > 0 {
            next = match word.as_str() {
                "--header" | "-H" => Some(header),
                option if option.starts_with('-') && is_secret(option.trim_start_matches('-')) => Some(value),
                _ => None,
            };
        }
        shown.push(match word.split_once('=') {
            Some(("--header", text)) => format!("--header={}", header(text)),
            Some((name, text)) if is_secret(name.trim_start_matches('-')) => format!("{name}={}", value(text)),
            _ if word.contains("://") && !word.contains(char::is_whitespace) => url::shown(word),
            _ => word.clone(),
        });
    }
    shown
}

fn header(text: &str) -> String {
    match text.split_once(':') {
        Some((name, rest)) if !refers(rest) => format!("{name}: {HIDDEN}"),
        Some(_) => text.to_owned(),
        None => value(text),
    }
}

fn value(text: &str) -> String {
    // The next option, not the value of this one.
    if refers(text) || text.starts_with("--") { text.to_owned() } else { HIDDEN.to_owned() }
}

fn refers(text: &str) -> bool {
    text.contains("${") || text.contains("{env:") || text.trim_start().starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_words_say_to_be_a_secret_is_left_out() {
        for (line, expected) in [
            ("node|a.js|--port|1", "node|a.js|--port|1"),
            (
                "npx|mcp-remote|https://u:p@x/?k=1|--header|Authorization: Bearer abc",
                "npx|mcp-remote|https://x/?k=***|--header|Authorization: ***",
            ),
            ("npx|r|--header|Authorization: Bearer ${T}", "npx|r|--header|Authorization: Bearer ${T}"),
            ("x|--header=X: y", "x|--header=X: ***"),
            ("x|--api-key|abc|--verbose", "x|--api-key|***|--verbose"),
            ("x|--api-key=abc|--token=${T}", "x|--api-key=***|--token=${T}"),
            ("x|--token|--next", "x|--token|--next"),
            ("docker|run|-e|API_KEY=abc|-e|MODE=dev|img", "docker|run|-e|API_KEY=***|-e|MODE=dev|img"),
            ("env|DB_PASSWORD=abc|node", "env|DB_PASSWORD=***|node"),
            ("x|--keyboard|de|--profile=work", "x|--keyboard|de|--profile=work"),
        ] {
            let argv: Vec<String> = line.split('|').map(str::to_owned).collect();
            assert_eq!(words(&argv).join("|"), expected);
        }
    }
}
