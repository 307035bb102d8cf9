//! Names and identities of servers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The longest name, in characters.
const LONGEST: usize = 40;

/// The name of a server: 1 to 40 of `a-z 0-9 . _ -`, beginning with a letter, a digit or `_`.
///
/// It becomes part of file names and stands on command lines, hence no leading dash (a flag) and no leading dot (`..`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);

/// Why a text is no server name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a server name: 1 to 40 of a-z, 0-9, `.`, `_` and `-` are wanted, beginning with a letter, a digit or `_`; `{proposal}` would do"
)]
pub struct NameError {
    text: String,
    proposal: String,
}

impl ServerName {
    /// Checks a name.
    ///
    /// # Errors
    /// It has other characters, none or too many; the error proposes a name that would do.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let well_begun = text.chars().next().is_some_and(|first| known(first) && !matches!(first, '.' | '-'));
        if well_begun && text.len() <= LONGEST && text.chars().all(known) {
            return Ok(Self(text));
        }
        let proposal = slug(&text).0;
        Err(NameError { text, proposal })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServerName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0
    }
}

impl std::str::FromStr for ServerName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// A name made of any text: lower case, everything else than the allowed characters as one dash, cut at 40; `server` if
/// nothing is left.
#[must_use]
pub fn slug(text: &str) -> ServerName {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        // Only ASCII is pushed, so bytes are characters.
        let doubled = c == '-' && name.ends_with('-');
        let badly_begun = name.is_empty() && matches!(c, '-' | '.');
        if !doubled && !badly_begun && name.len() < LONGEST {
            name.push(c);
        }
    }
    while name.ends_with(['-', '.']) {
        name.pop();
    }
    if name.is_empty() {
        name.push_str("server");
    }
    ServerName(name)
}

/// The name of a server that nobody named: `<folder of the watch root>-<script stem>`, or what there is of the two.
#[must_use]
pub fn default_name(root: Option<&Path>, stem: Option<&str>) -> ServerName {
    let folder = root.map(|root| last_part(&root.to_string_lossy()).to_owned()).filter(|folder| !folder.is_empty());
    match (folder, stem.filter(|stem| !stem.is_empty())) {
        (Some(folder), Some(stem)) => slug(&format!("{folder}-{stem}")),
        (Some(folder), None) => slug(&folder),
        (None, Some(stem)) => slug(stem),
        (None, None) => slug(""),
    }
}

/// Which server it is: its name and the root of its project. Two folders may each have a server of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerId {
    /// Its name.
    pub name: ServerName,
    /// The root of its project, absolute.
    pub root: PathBuf,
}

impl ServerId {
    /// The identity of `name` in `root`.
    #[must_use]
    pub fn new(name: ServerName, root: impl Into<PathBuf>) -> Self {
        Self { name, root: root.into() }
    }
}

/// `name`, unless a server in another root holds it: then with four hexadecimal digits of `root`'s hash added.
///
/// `taken` are all servers known so far; the server itself may be among them. The same root always gets the same name
/// as long as the others stay.
#[must_use]
pub fn disambiguate(name: &ServerName, root: &Path, taken: &[(ServerName, PathBuf)]) -> ServerName {
    let held_elsewhere = |wanted: &ServerName| taken.iter().any(|(name, other)| name == wanted && other != root);
    if !held_elsewhere(name) {
        return name.clone();
    }
    let hash = fnv(&root.to_string_lossy());
    let with = |digits: &str| {
        let mut stem: &str = &name.0[..name.0.len().min(LONGEST - 1 - digits.len())];
        stem = stem.trim_end_matches(['-', '.']);
        ServerName(format!("{stem}-{digits}"))
    };
    // Four digits collide once in 65536; then the next four, at last all sixteen.
    let digits = format!("{hash:016x}");
    [&digits[12..], &digits[8..12], &digits[4..8], &digits[..4]]
        .into_iter()
        .map(with)
        .find(|candidate| !held_elsewhere(candidate))
        .unwrap_or_else(|| with(&digits))
}

/// The last part of a path, of either family of systems.
fn last_part(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or("")
}

/// FNV-1a, 64 bits: short, fixed for ever, and nobody's security depends on it.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_checked_and_a_better_one_is_proposed() {
        for good in ["a", "my-server", "x.y_z-9", "_private", &"n".repeat(40)] {
            assert_eq!(ServerName::new(good).unwrap().as_str(), good);
        }
        for (bad, proposal) in [
            ("", "server"),
            ("My Server", "my-server"),
            ("..", "server"),
            ("-v", "v"),
            ("a/b", "a-b"),
            ("été", "t"),
            (&"n".repeat(41), &"n".repeat(40)),
        ] {
            let error = ServerName::new(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`{proposal}` would do")), "{bad}: {error}");
        }
        assert!(serde_json::from_str::<ServerName>("\"../x\"").is_err());
    }

    #[test]
    fn the_default_name_is_the_folder_and_the_script() {
        let name = |root: Option<&str>, stem| default_name(root.map(Path::new), stem).to_string();
        assert_eq!(name(Some("/home/me/Weather App"), Some("server")), "weather-app-server");
        assert_eq!(name(Some("/home/me/notes/"), Some("main")), "notes-main");
        assert_eq!(name(Some(r"C:\Users\dana\demo"), Some("server")), "demo-server");
        assert_eq!(name(None, Some("@acme/server-files")), "acme-server-files");
        assert_eq!(name(Some("/x/only"), None), "only");
        assert_eq!(name(Some("/"), Some("srv")), "srv");
        assert_eq!(name(None, None), "server");
    }

    #[test]
    fn a_name_that_another_root_holds_gets_digits() {
        let name = slug("notes");
        let here = Path::new("/here");
        let mut taken = vec![(name.clone(), PathBuf::from("/here"))];
        assert_eq!(disambiguate(&name, here, &taken), name);
        taken.push((name.clone(), PathBuf::from("/there")));
        let other = disambiguate(&name, here, &taken);
        assert_eq!(other.as_str().len(), "notes-".len() + 4);
        assert!(other.as_str()[6..].chars().all(|c| c.is_ascii_hexdigit()), "{other}");
        assert_eq!(disambiguate(&name, here, &taken), other, "the same root gets the same name");
        taken.push((other.clone(), PathBuf::from("/third")));
        let third = disambiguate(&name, here, &taken);
        assert!(third != other && third != name);
    }

    proptest! {
        #[test]
        fn every_slug_is_a_name(text in ".{0,80}") {
            let name = slug(&text);
            prop_assert!(ServerName::new(name.as_str()).is_ok(), "{}", name);
            prop_assert_eq!(slug(name.as_str()), name);
        }

        #[test]
        fn a_disambiguated_name_is_a_name_that_no_other_root_holds(
            text in "[a-z.-]{1,50}", root in "/[a-c]", others in prop::collection::vec("/[d-z]", 1..4),
        ) {
            let name = slug(&text);
            let mut taken: Vec<_> = others.iter().map(|root| (name.clone(), PathBuf::from(root))).collect();
            let first = disambiguate(&name, Path::new(&root), &taken);
            taken.push((first, PathBuf::from("/elsewhere")));
            let second = disambiguate(&name, Path::new(&root), &taken);
            prop_assert!(ServerName::new(second.as_str()).is_ok(), "{}", second);
            prop_assert!(!taken.iter().any(|(name, _)| *name == second));
        }
    }
}
