//! Thousands of generated configurations in all syntaxes and layouts.

use super::reading::read;
use super::writing::{entries, style, write};
use super::{change, check, check_after, check_cut};
use mcp_twin_core::detect::Syntax;
use mcp_twin_core::wire::wire;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_entry_there_and_back(entries in entries(), style in style(), cut in any::<usize>()) {
        let (text, sites) = write(&entries, &style);
        let whole = read(&text, style.syntax);
        prop_assert!(whole.is_some(), "the text is not valid:\n{text}");
        for site in &sites {
            let wired = check(&text, site);
            let after = String::from_utf8(wired.text).expect("it is text");
            // Somebody changed another value, which stands before all entries.
            let edit = |text: &str| text.replacen("before", "edited since", 1);
            let want = read(&edit(&text), style.syntax).expect("it is valid");
            let back = check_after(&edit(&after), &wired.undo, &want, site);
            if !style.comments {
                prop_assert_eq!(back, edit(&text), "more than the entry changed its bytes");
            }
            check_cut(&text, site, cut);
        }
    }

    #[test]
    fn a_client_that_writes_all_anew(entries in entries(), mut style in style()) {
        style.syntax = Syntax::Json;
        style.comments = false;
        let (text, sites) = write(&entries, &style);
        for site in &sites {
            let wired = check(&text, site);
            let after = std::str::from_utf8(&wired.text).expect("it is text");
            let anew = serde_json::to_string_pretty(&read(after, Syntax::Json)).expect("it is JSON");
            let want = read(&text, Syntax::Json).expect("it is valid");
            check_after(&anew, &wired.undo, &want, site);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused(entries in entries(), style in style(), which in any::<prop::sample::Index>()) {
        let mut twice = entries.clone();
        let again = which.get(&entries).clone();
        twice.push(again);
        let (text, sites) = write(&twice, &style);
        for site in &sites {
            let error = wire(text.as_bytes(), site, &change(site.shape)).expect_err(&text);
            prop_assert_eq!(error.code(), "wire::duplicate_key", "{}\n{}", error, text);
        }
    }
}
