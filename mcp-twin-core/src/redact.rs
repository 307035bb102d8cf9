//! What of a message is nobody's business: values whose name says so, and values that are known.
//!
//! Names are looked at wherever they stand in a message. A name that only looks like a secret hides a value, but not what is
//! built of others, for the schema of an argument called `api_key` is no secret; a name that somebody gave hides all.

use crate::detect::is_secret;
use serde_json::Value;

/// What stands for what is hidden.
pub const HIDDEN: &str = "***";

/// A value that is shorter would be found everywhere.
const SHORTEST: usize = 6;

/// Names of fields that are too common to be secrets by their name alone.
const PLAIN: [&str; 2] = ["key", "pass"];

/// Fields of the protocol itself.
const PROTOCOL: [&str; 1] = ["progressToken"];

/// What is to be hidden.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// In small letters.
    names: Vec<String>,
    values: Vec<String>,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Redaction {
    /// Hides what these names name (in whatever case), and the values of those variables that have one of them or the name of
    /// a secret, wherever they stand.
    #[must_use]
    pub fn new<'a>(names: &[String], variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let hidden = |name: &str| is_secret(name) || names.contains(&name.to_ascii_lowercase());
        let mut values: Vec<String> = variables
            .into_iter()
            .filter(|(name, value)| value.len() >= SHORTEST && hidden(name))
            .map(|(_, value)| value.to_owned())
            .collect();
        // A value that holds another one goes first.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { names, values }
    }

    /// Hides what is to be hidden in a message; says whether there was anything.
    pub fn apply(&self, message: &mut Value) -> bool {
        match message {
            Value::Object(members) => {
                let mut found = false;
                for (name, value) in members {
                    found |= self.member(name, value);
                }
                found
            }
            Value::Array(items) => items.iter_mut().fold(false, |found, item| self.apply(item) | found),
            Value::String(text) => self.text(text),
            _ => false,
        }
    }

    fn member(&self, name: &str, value: &mut Value) -> bool {
        let given = self.names.contains(&name.to_ascii_lowercase());
        let plain = value.is_string()
            || value.is_number()
            || value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        let hidden = given || plain && looks_secret(name);
        if !hidden {
            return self.apply(value);
        }
        // What is empty hides nothing, and says whether it was set.
        if value.is_null() || value == "" {
            return false;
        }
        *value = Value::from(HIDDEN);
        true
    }

    fn text(&self, text: &mut String) -> bool {
        let mut found = false;
        for value in &self.values {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), HIDDEN);
                found = true;
            }
        }
        found
    }

    /// Hides the known values in a text that is no message.
    pub fn apply_to_text(&self, text: &mut String) {
        self.text(text);
    }
}

/// Whether the name of a field says that its value is a secret: `api_key`, `X-Api-Key`, `accessToken`.
fn looks_secret(name: &str) -> bool {
    if PROTOCOL.contains(&name) || PLAIN.contains(&name) {
        return false;
    }
    let mut words = String::with_capacity(name.len() + 4);
    let mut small = false;
    for letter in name.chars() {
        if small && letter.is_ascii_uppercase() {
            words.push('_');
        }
        small = letter.is_ascii_lowercase();
        words.push(letter);
    }
    is_secret(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redacted(redaction: &Redaction, mut message: Value) -> (bool, Value) {
        (redaction.apply(&mut message), message)
    }

    #[test]
    fn names_of_secrets_hide_values_and_leave_schemas() {
        let plain = Redaction::default();
        let message = json!({"params": {"name": "login", "arguments": {
            "api_key": "abc", "accessToken": 12, "user": "x", "key": "k", "password": "", "tokens": ["a"], "secret": ["a", "b"]
        }, "_meta": {"progressToken": 7}}});
        let (found, hidden) = redacted(&plain, message);
        assert!(found);
        assert_eq!(
            hidden["params"],
            json!({"name": "login", "arguments": {
                "api_key": "***", "accessToken": "***", "user": "x", "key": "k", "password": "", "tokens": ["a"], "secret": "***"
            }, "_meta": {"progressToken": 7}})
        );
        let schema = json!({"properties": {"api_key": {"type": "string"}, "Authorization": {"type": "string"}}});
        assert_eq!(redacted(&plain, schema.clone()), (false, schema));
    }

    #[test]
    fn names_that_were_given_hide_all() {
        let redaction = Redaction::new(&["Basket".to_owned()], []);
        let (found, hidden) = redacted(&redaction, json!([{"basket": {"id": 1}, "other": null, "BASKET": null}]));
        assert!(found);
        assert_eq!(hidden, json!([{"basket": "***", "other": null, "BASKET": null}]));
    }

    #[test]
    fn values_of_variables_are_hidden_wherever_they_stand() {
        let variables = [("DB_PASSWORD", "hunter22"), ("MODE", "development"), ("CITY", "Lisbon!"), ("X_TOKEN", "ab")];
        let redaction = Redaction::new(&["CITY".to_owned()], variables);
        let (found, hidden) = redacted(&redaction, json!({"text": "hunter22 in Lisbon!, ab, development"}));
        assert!(found);
        assert_eq!(hidden, json!({"text": "*** in ***, ab, development"}));
        assert!(!format!("{redaction:?}").contains("hunter22"));
    }
}
