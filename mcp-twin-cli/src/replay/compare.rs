//! Two answers, compared as JSON.

use mcp_twin_core::redact::HIDDEN;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// So many differences of one answer are named.
const NAMED: usize = 20;

/// One place at which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Where: a JSON pointer.
    pub(crate) pointer: String,
    /// What was recorded there; none if there was nothing.
    pub(crate) recorded: Option<Value>,
    /// What is there now; none if there is nothing.
    pub(crate) replayed: Option<Value>,
}

/// What may differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    method: Option<String>,
    parts: Vec<String>,
}

impl Ignored {
    /// Reads pointers, each behind a method or not.
    pub(crate) fn read(texts: &[String]) -> Result<Self, String> {
        let patterns = texts.iter().map(|text| {
            let (method, pointer) = match text.split_once(":/") {
                Some((method, _)) if !text.starts_with('/') => (Some(method.to_owned()), &text[method.len() + 1..]),
                _ => (None, text.as_str()),
            };
            let parts = pointer.strip_prefix('/').ok_or_else(|| format!("{text}: a pointer begins with `/`"))?;
            let parts = parts.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
            Ok(Pattern { method, parts })
        });
        patterns.collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, method: &str, path: &[String]) -> bool {
        self.0.iter().any(|pattern| {
            pattern.method.as_ref().is_none_or(|of| of == method)
                && pattern.parts.len() == path.len()
                && pattern.parts.iter().zip(path).all(|(part, at)| part == "*" || part == at)
        })
    }

    /// The differences of two answers to a request of this method, and how many there are in all.
    pub(crate) fn differences(&self, method: &str, recorded: &Value, replayed: &Value) -> (Vec<Difference>, usize) {
        let mut found = Found { ignored: self, method, path: Vec::new(), differences: Vec::new(), count: 0 };
        for part in ["result", "error"] {
            found.at(part, recorded.get(part), replayed.get(part));
        }
        (found.differences, found.count)
    }
}

struct Found<'a> {
    ignored: &'a Ignored,
    method: &'a str,
    path: Vec<String>,
    differences: Vec<Difference>,
    count: usize,
}

impl Found<'_> {
    fn at(&mut self, part: &str, recorded: Option<&Value>, replayed: Option<&Value>) {
        self.path.push(part.to_owned());
        if !self.ignored.has(self.method, &self.path) {
            self.compare(recorded, replayed);
        }
        self.path.pop();
    }

    fn compare(&mut self, recorded: Option<&Value>, replayed: Option<&Value>) {
        match (recorded, replayed) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for name in names {
                    self.at(name, old.get(name), new.get(name));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                for at in 0..old.len().max(new.len()) {
                    self.at(&at.to_string(), old.get(at), new.get(at));
                }
            }
            (Some(Value::String(old)), Some(new)) if same_text(old, new) => {}
            (old, new) if old == new => {}
            (old, new) => {
                self.count += 1;
                if self.differences.len() < NAMED {
                    let pointer =
                        self.path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")));
                    let difference =
                        Difference { pointer: pointer.collect(), recorded: old.cloned(), replayed: new.cloned() };
                    self.differences.push(difference);
                }
            }
        }
    }
}

/// Whether a recorded text can be what is there now: what was left out of it is the same as anything.
fn same_text(recorded: &str, replayed: &Value) -> bool {
    if recorded == HIDDEN {
        return true;
    }
    let Some(replayed) = replayed.as_str() else { return false };
    let mut parts = recorded.split(HIDDEN);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = replayed.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(ignored: &[&str], method: &str, recorded: &Value, replayed: &Value) -> Vec<String> {
        let ignored: Vec<String> = ignored.iter().map(|text| (*text).to_owned()).collect();
        let ignored = Ignored::read(&ignored).expect("pointers");
        let (found, count) = ignored.differences(method, recorded, replayed);
        assert_eq!(found.len(), count);
        found.into_iter().map(|difference| difference.pointer).collect()
    }

    #[test]
    fn what_differs_is_named_and_what_may_differ_is_not() {
        let old = json!({"id": 1, "result": {"content": [{"type": "text", "text": "a"}], "a/b": 1, "gone": 1}});
        let new = json!({"id": 9, "result": {"content": [{"type": "text", "text": "b"}, {}], "a/b": 2, "new": null}});
        let all = ["/result/a~1b", "/result/content/0/text", "/result/content/1", "/result/gone", "/result/new"];
        assert_eq!(pointers(&[], "tools/call", &old, &new), all);
        assert_eq!(pointers(&[], "tools/call", &old, &old), [] as [String; 0]);
        let ignored = ["/result/content/*/text", "/result/a~1b", "/result/*", "tools/list:/result"];
        assert_eq!(
            pointers(&ignored[..2], "tools/call", &old, &new),
            ["/result/content/1", "/result/gone", "/result/new"]
        );
        assert_eq!(pointers(&ignored[2..3], "tools/call", &old, &new), [] as [String; 0]);
        assert_eq!(pointers(&ignored[3..], "tools/call", &old, &new).len(), 5);
        assert_eq!(pointers(&ignored[3..], "tools/list", &old, &new).len(), 0);
        let refused = json!({"error": {"code": 1}});
        assert_eq!(pointers(&[], "ping", &json!({"result": {}}), &refused), ["/result", "/error"]);
        assert!(Ignored::read(&["result".to_owned()]).is_err());
    }

    #[test]
    fn what_was_left_out_is_the_same_as_anything() {
        for (old, new, same) in [
            ("***", json!({"a": 1}), true),
            ("key *** of ***.", json!("key abc of def."), true),
            ("key ***", json!("no abc"), false),
            ("***a", json!("b"), false),
            ("***a***b***", json!("1a2b"), true),
            ("***a***b***", json!("1b2a"), false),
            ("plain", json!("plain"), true),
            ("plain", json!("plain and more"), false),
            ("plain", json!(1), false),
        ] {
            assert_eq!(same_text(old, &new), same, "{old} {new}");
        }
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let old = json!({"result": (0..100).collect::<Vec<_>>()});
        let new = json!({"result": (1..101).collect::<Vec<_>>()});
        let (found, count) = Ignored::default().differences("x", &old, &new);
        assert_eq!((found.len(), count), (NAMED, 100));
    }
}
