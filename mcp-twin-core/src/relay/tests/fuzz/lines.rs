//! Lines for both sides: real ones with the numbers of this session, real ones spoiled, and no lines at all.

use crate::testing::chance::Chance;

const CLIENT: &str = include_str!("corpus/client.jsonl");
const TWIN: &str = include_str!("corpus/twin.jsonl");

/// Names behind which a number stands that the relay looks up.
const NUMBERED: &[&str] = &["\"id\":", "\"requestId\":", "\"progressToken\":", "subscriptionId\":", "\"taskId\":\"t-"];

/// Both corpora.
pub(super) struct Lines {
    client: Vec<&'static str>,
    twin: Vec<&'static str>,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { client: CLIENT.lines().collect(), twin: TWIN.lines().collect() }
    }

    /// A line of a client or a twin; `last` is the last number that the relay gave out.
    pub(super) fn one(&self, of_client: bool, last: u64, chance: &mut Chance) -> Vec<u8> {
        // Now and then one that belongs to the other side.
        let own = of_client != chance.one_in(40);
        let corpus: &[&str] = if own { &self.client } else { &self.twin };
        let real = *chance.pick(corpus);
        let mut line = numbered(real, last, chance).into_bytes();
        match chance.below(10) {
            0 => spoil(&mut line, chance),
            1 => {
                let corpus = if chance.one_in(2) { &self.client } else { &self.twin };
                let other = *chance.pick(corpus);
                let (from, to) = (chance.below(line.len()), chance.below(other.len()));
                line.truncate(from);
                line.extend_from_slice(&other.as_bytes()[to..]);
            }
            2 if chance.one_in(10) => line = (0..chance.below(64)).map(|_| chance.next() as u8).collect(),
            _ => {}
        }
        line.retain(|byte| *byte != b'\n');
        line
    }
}

/// The line with other numbers where the relay looks numbers up: such as are, were, or never were in use.
fn numbered(line: &str, last: u64, chance: &mut Chance) -> String {
    let mut line = line.to_owned();
    for name in NUMBERED {
        let Some(at) = line.find(name).map(|at| at + name.len()) else { continue };
        let end = line[at..].find(|digit: char| !digit.is_ascii_digit()).map_or(line.len(), |end| at + end);
        if end > at {
            let number = match chance.below(8) {
                0 => chance.next() >> chance.below(64),
                1 => chance.next() % 4,
                _ => last.saturating_sub(chance.next() % 24),
            };
            line.replace_range(at..end, &number.to_string());
        }
    }
    line
}

/// Changes some bytes: others, none, twice, or much more.
fn spoil(line: &mut Vec<u8>, chance: &mut Chance) {
    const TOKENS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "null",
        "1e400",
        "-0",
        "\"id\":1,",
        "\"method\":\"x\",",
        "\u{feff}",
        "\r",
        "\t",
        "\"params\":{},",
        "\"_meta\":{\"progressToken\":1},",
        "\"cursor\":\"c\",",
        "99999999999999999999",
    ];
    for _ in 0..=chance.below(3) {
        let at = chance.below(line.len() + 1);
        match chance.below(6) {
            0 if at < line.len() => line[at] = chance.next() as u8,
            1 if at < line.len() => drop(line.remove(at)),
            2 => line.truncate(at),
            3 => {
                let end = at + chance.below(line.len() - at + 1);
                let part = line[at..end].to_vec();
                drop(line.splice(at..at, part));
            }
            4 => {
                let token = *chance.pick(TOKENS);
                let part = token.repeat(1 + chance.below(600));
                drop(line.splice(at..at, part.into_bytes()));
            }
            _ => drop(line.splice(at..at, chance.pick(TOKENS).bytes())),
        }
    }
}
