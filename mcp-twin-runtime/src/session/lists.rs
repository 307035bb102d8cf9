//! The lists of a server, page by page.

use super::{RequestError, Session, Welcome};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A list of more pages does not end.
const PAGES: usize = 1000;

/// One of a server's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lists {
    /// Its tools.
    Tools,
    /// Its prompts.
    Prompts,
    /// Its resources.
    Resources,
    /// Its templates of resources.
    Templates,
}

impl Lists {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The method that gives it.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that holds it.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// What tells its entries apart.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// One entry, in words.
    #[must_use]
    pub const fn one(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Prompts => "prompt",
            Self::Resources => "resource",
            Self::Templates => "resource template",
        }
    }

    /// Whether a server that was opened says that it has this list.
    #[must_use]
    pub fn is_declared(self, welcome: &Welcome) -> bool {
        let capability = match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
        };
        welcome.capabilities.get(capability).is_some_and(|value| !value.is_null())
    }
}

/// A list that was fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Its entries, in the order of the server.
    pub entries: Vec<Value>,
    /// How many pages it took.
    pub pages: usize,
}

impl Session {
    /// Fetches a list with all of its pages; each may take as long as `limit`.
    ///
    /// # Errors
    /// A page was refused or is none, or the list does not end.
    pub async fn list(&self, list: Lists, limit: Duration) -> Result<Listed, RequestError> {
        let malformed = |why: String| RequestError::Malformed(format!("{}: {why}", list.method()));
        let mut listed = Listed::default();
        let mut seen = BTreeSet::new();
        let mut params = json!({});
        loop {
            let mut page = self.request(list.method(), params, limit).await?;
            let Value::Array(entries) = page[list.member()].take() else {
                return Err(malformed(format!("the result has no array `{}`", list.member())));
            };
            listed.entries.extend(entries);
            listed.pages += 1;
            let cursor = match &page["nextCursor"] {
                Value::Null => return Ok(listed),
                // Some servers write that for the end.
                Value::String(cursor) if cursor.is_empty() => return Ok(listed),
                Value::String(cursor) => cursor.clone(),
                other => return Err(malformed(format!("nextCursor is no string: {other}"))),
            };
            if listed.pages >= PAGES || !seen.insert(cursor.clone()) {
                return Err(malformed(format!("it does not end: cursor {cursor:?} after {} pages", listed.pages)));
            }
            params = json!({ "cursor": cursor });
        }
    }
}
