//! Comparison of the lists of two twins: what a client must be told, and what breaks it.

use serde::{Deserialize, Serialize};

/// A list that an MCP server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl ListKind {
    /// The list in one word, as `status` names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resource templates",
        }
    }
}

/// What differs in one list, by name (tools, prompts) or URI (resources, templates).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KindDiff {
    /// Only in the new list.
    pub added: Vec<String>,
    /// Only in the old list.
    pub removed: Vec<String>,
    /// In both, but not the same.
    pub changed: Vec<String>,
}

impl KindDiff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What differs between the lists of two twins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListDiff {
    /// Each list that differs.
    pub lists: Vec<(ListKind, KindDiff)>,
    /// Each breaking change with its exact reason, such as ``tool `add`: new required argument `c` ``.
    pub breaking: Vec<String>,
    /// What the lists cost a model that reads them; only where something differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

/// What the lists of a server cost a model that reads them, in tokens. An estimate: a token for each four bytes of their
/// JSON, as a rule of thumb for English has it. Each model counts in its own way; the difference is what says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tokens {
    /// The lists that the client was told of.
    pub before: u64,
    /// The lists of the new twin.
    pub after: u64,
}

impl Tokens {
    /// From the bytes of the lists.
    pub(super) fn of_bytes(before: usize, after: usize) -> Self {
        let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        Self { before: tokens(before), after: tokens(after) }
    }

    /// In words: `about 2300 tokens, 2100 before`.
    #[must_use]
    pub fn describe(self) -> String {
        let Self { before, after } = self;
        if before == after {
            format!("about {after} tokens, as before")
        } else {
            format!("about {after} tokens, {before} before")
        }
    }
}

impl ListDiff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.breaking.is_empty()
    }

    /// In words: `tools: added a, b; removed c`, the lists separated by `, and `; empty if nothing differs.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |(kind, diff): &(ListKind, KindDiff)| {
            let part =
                |word: &str, names: &[String]| (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")));
            let parts = [part("added", &diff.added), part("removed", &diff.removed), part("changed", &diff.changed)];
            format!("{}: {}", kind.word(), parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
        };
        self.lists.iter().map(list).collect::<Vec<_>>().join(", and ")
    }
}
