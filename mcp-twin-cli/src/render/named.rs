//! Servers that could be started, to choose from.

use super::style::harmless;
use crate::named::Offer;

/// So much of a command is shown.
const WIDEST: usize = 48;

/// One line for each: its name, and what it runs.
pub(crate) fn offers(offers: &[Offer]) -> Vec<String> {
    let width = offers.iter().map(|offer| offer.name.chars().count()).max().unwrap_or_default().min(24);
    offers
        .iter()
        .map(|offer| {
            let line = format!("{:<width$}  {}", harmless(&offer.name), short(&harmless(&offer.what), WIDEST));
            line.trim_end().to_owned()
        })
        .collect()
}

/// The beginning of a text that is too long.
pub(crate) fn short(text: &str, widest: usize) -> String {
    match text.char_indices().nth(widest) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}
