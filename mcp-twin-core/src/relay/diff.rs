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
