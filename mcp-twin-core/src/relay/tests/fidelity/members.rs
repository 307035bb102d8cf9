//! The members of an object are those that a parser finds.

use super::{config, json};
use crate::relay::frame;
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::HashMap;

proptest! {
    #![proptest_config(config(500))]

    /// A parser finds the same.
    #[test]
    fn they_are_those_that_a_parser_finds(
        members in json::members(&[]), gaps in proptest::collection::vec(json::gap(), 8), wanted in 0usize..8,
    ) {
        let gap = |at: usize| gaps[at % gaps.len()];
        let parts: Vec<String> = members.iter().enumerate().map(|(at, (name, value))| {
            format!("{}{name}{}:{}{value}{}", gap(at), gap(at + 1), gap(at + 2), gap(at + 3))
        }).collect();
        let object = format!("{{{}}}", parts.join(","));
        prop_assert_eq!(frame::members(&object), members.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
        // Names that are no text are nobody's, so a map of them cannot be made.
        if let (Ok(map), Some((name, _))) =
            (serde_json::from_str::<HashMap<String, &RawValue>>(&object), members.get(wanted % members.len().max(1)))
        {
            let name: String = serde_json::from_str(name).unwrap();
            prop_assert_eq!(frame::member(&object, &name), map.get(&name).map(|value| value.get()));
        }
    }

    /// Whatever the bytes are.
    #[test]
    fn no_text_makes_it_fail(text in "[{}\\[\\]\",:\\\\a1 ]{0,40}") {
        let _ = frame::members(&text);
    }
}
