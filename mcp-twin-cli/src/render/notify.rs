//! What `mcp-twin notify test` says to people.

use super::style::{BAD, DIM, GOOD, NAME, paint};
use crate::notify::Row;
use std::fmt::Write as _;

/// What became of each test message.
pub(crate) fn tested(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { target, place, tried } in rows {
        let mark = if tried.arrived { paint(GOOD, "✓") } else { paint(BAD, "✗") };
        let events = target.events.iter().map(|event| event.word()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{mark} {}  {}", paint(NAME, &target.to_string()), tried.told);
        let _ = writeln!(text, "  {}", paint(DIM, &format!("{place}  told of: {events}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_twin_core::notify::{Address, Event, Given, Kind, Target};
    use mcp_twin_runtime::notices::Tried;

    fn row(kind: Kind, address: Option<Address>, arrived: bool, told: &str) -> Row {
        Row {
            target: Target {
                kind,
                address,
                events: vec![Event::Failed, Event::Down],
                secret: None,
                headers: Vec::new(),
            },
            place: "/srv/shop/mcp-twin.toml:3:1".to_owned(),
            tried: Tried { arrived, told: told.to_owned(), status: arrived.then_some(200) },
        }
    }

    #[test]
    fn each_target_with_what_became_of_it() {
        let rows = [
            row(
                Kind::Slack,
                Some(Address::Kept(Given::Variable("SLACK_URL".into()))),
                true,
                "it answered with status 200",
            ),
            row(
                Kind::Webhook,
                Some(Address::Url("https://hooks.example/in/s3cr3t".into())),
                false,
                "it answered with status 404",
            ),
        ];
        let text = anstream::adapter::strip_str(&tested(&rows)).to_string();
        insta::assert_snapshot!(text);
        let json = crate::document::notify::Tested::new(crate::exit::Exit::No, &rows);
        let json = serde_json::to_string_pretty(&json).unwrap_or_default();
        insta::assert_snapshot!("each_target_with_what_became_of_it_json", json);
        assert!(!text.contains("s3cr3t") && !json.contains("s3cr3t"));
    }
}
