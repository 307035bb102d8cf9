//! The client's ids and progress tokens, told apart as JSON does: `1` is not `"1"`.

use super::frame;
use super::outbox::Digits;

/// An id or progress token by its meaning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
    /// A number that reads back as the same digits.
    Number(u64),
    /// Anything else, as JSON; a string with escapes in its plain form.
    Text(Box<str>),
}

impl Token {
    /// The meaning of a raw token.
    pub(super) fn read(raw: &str) -> Self {
        if let Some(number) = number(raw) {
            return Self::Number(number);
        }
        if raw.contains('\\')
            && let Some(text) = frame::string(raw)
            && let Ok(plain) = serde_json::to_string(&text)
        {
            return Self::Text(plain.into());
        }
        Self::Text(raw.into())
    }
}

/// An id of the client: its meaning, and its very bytes.
#[derive(Clone, Debug)]
pub(super) struct ClientId {
    /// What it is compared by.
    pub(super) token: Token,
    /// Its bytes, where the token does not give them back.
    written: Option<Box<str>>,
    /// The batch that the request came in.
    pub(super) batch: Option<u64>,
}

impl ClientId {
    /// Reads a raw id.
    pub(super) fn read(raw: &str) -> Self {
        let token = Token::read(raw);
        let same = match &token {
            Token::Number(_) => true,
            Token::Text(text) => &**text == raw,
        };
        Self { token, written: (!same).then(|| raw.into()), batch: None }
    }

    /// Calls `with` with the very bytes that the client wrote.
    pub(super) fn with_bytes<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        match (&self.written, &self.token) {
            (Some(written), _) => with(written.as_bytes()),
            (None, Token::Number(number)) => with(Digits::new(*number).bytes()),
            (None, Token::Text(text)) => with(text.as_bytes()),
        }
    }
}

/// The number that a raw token is, if it is written as plain digits.
pub(super) fn number(raw: &str) -> Option<u64> {
    let plain = match raw.as_bytes() {
        [b'0'..=b'9'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 20 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { raw.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_id_come_back() {
        for raw in
            ["0", "1", "\"1\"", "-3", "1.0", "1e2", "18446744073709551615", "99999999999999999999999", r#""a\u0062""#]
        {
            assert_eq!(ClientId::read(raw).with_bytes(<[u8]>::to_vec), raw.as_bytes());
        }
    }

    #[test]
    fn a_string_is_not_a_number_and_escapes_do_not_matter() {
        assert_ne!(Token::read("1"), Token::read("\"1\""));
        assert_eq!(Token::read(r#""a\u0062""#), Token::read("\"ab\""));
        assert_eq!(number("01"), None);
        assert_eq!(number("\"1\""), None);
    }
}
