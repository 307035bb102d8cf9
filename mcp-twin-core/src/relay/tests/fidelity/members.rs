//! The members of an object are those that a parser finds.

use super::shape::{Shape, layout};
use super::{config, json};
use crate::relay::{Message, frame};
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

    /// A line that is known to be a message is read to the same end with and without the proof that it is JSON.
    #[test]
    fn a_line_of_a_relay_reads_as_any_message(
        layout in layout(), id in json::id(), value in json::value(), kind in 0usize..4,
    ) {
        let (id, method, value) = (("id", Shape::text(id)), ("method", Shape::text("\"a\\/b\"")), Shape::text(value));
        let known = match kind {
            0 => vec![id, method, ("params", value)],
            1 => vec![method, ("params", value)],
            2 => vec![id, ("result", value)],
            _ => vec![("error", value), id],
        };
        let line = layout.message(known).fill(&[]);
        let read = Message::read(line.as_bytes());
        prop_assert!(read.is_ok(), "{line}");
        prop_assert_eq!(format!("{:?}", read), format!("{:?}", Message::written(line.as_bytes())));
    }

    /// Whatever the bytes are.
    #[test]
    fn no_text_makes_it_fail(text in "[{}\\[\\]\",:\\\\a1 ]{0,40}") {
        let _ = frame::members(&text);
        let _ = Message::written(text.as_bytes());
    }
}
