//! What a hook is told on its standard input, as far as it matters here.

use serde::Deserialize;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// The longest input that is read: an edit carries the file, a large one.
const LARGEST: u64 = 16 << 20;

/// How long the input may take: the client writes it at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// A hook's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A session begins, is resumed or was cleared.
    SessionStart {
        /// Where it works.
        cwd: PathBuf,
    },
    /// The model has edited a file.
    PostToolUse {
        /// The file.
        file: PathBuf,
    },
    /// A file that is watched was changed, by whomever.
    FileChanged {
        /// The file.
        file: PathBuf,
    },
}

/// The fields that are read; all others are the client's own affair.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    cwd: Option<PathBuf>,
    file_path: Option<PathBuf>,
    tool_input: Value,
}

impl Event {
    /// Reads one. `None`: the event is not known, or its input says nothing that can be used.
    pub(crate) fn read(name: &str, input: impl Read + Send + 'static) -> Option<Self> {
        let (send, read) = mpsc::sync_channel(1);
        // A thread, since nothing else puts a deadline on a pipe. It ends with the process.
        let reading = std::thread::Builder::new().name("hook".to_owned()).spawn(move || {
            let mut bytes = Vec::new();
            let whole = input.take(LARGEST + 1).read_to_end(&mut bytes).is_ok() && bytes.len() as u64 <= LARGEST;
            let _ = send.send(whole.then_some(bytes));
        });
        reading.ok()?;
        let bytes = read.recv_timeout(PATIENCE).ok()??;
        Self::of(name, &bytes)
    }

    fn of(name: &str, bytes: &[u8]) -> Option<Self> {
        let input: Input = serde_json::from_slice(bytes).ok()?;
        let cwd = input.cwd.filter(|cwd| cwd.is_absolute()).or_else(|| std::env::current_dir().ok());
        let whole = |file: PathBuf| -> Option<PathBuf> {
            if file.as_os_str().is_empty() { None } else { Some(cwd.as_ref()?.join(file)) }
        };
        match name {
            "SessionStart" => Some(Self::SessionStart { cwd: cwd? }),
            "PostToolUse" => {
                let named = |key: &str| input.tool_input.get(key).and_then(Value::as_str).map(Path::new);
                let file = named("file_path").or_else(|| named("notebook_path"))?;
                Some(Self::PostToolUse { file: whole(file.to_owned())? })
            }
            "FileChanged" => Some(Self::FileChanged { file: whole(input.file_path?)? }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, input: &Value) -> Option<Event> {
        Event::of(name, input.to_string().as_bytes())
    }

    #[test]
    fn what_the_client_sends_is_read() {
        let cwd = std::env::temp_dir();
        let edit = serde_json::json!({
            "hook_event_name": "PostToolUse", "session_id": "1", "cwd": cwd, "tool_name": "Edit",
            "tool_input": {"file_path": cwd.join("a.py"), "old_string": "a", "new_string": "b"}, "tool_response": {}
        });
        assert_eq!(of("PostToolUse", &edit), Some(Event::PostToolUse { file: cwd.join("a.py") }));
        let notebook = serde_json::json!({"cwd": cwd, "tool_input": {"notebook_path": "n.ipynb"}});
        assert_eq!(of("PostToolUse", &notebook), Some(Event::PostToolUse { file: cwd.join("n.ipynb") }));
        let changed = serde_json::json!({"cwd": cwd, "file_path": cwd.join("a.py"), "event": "change"});
        assert_eq!(of("FileChanged", &changed), Some(Event::FileChanged { file: cwd.join("a.py") }));
        let start = serde_json::json!({"cwd": cwd, "source": "startup"});
        assert_eq!(of("SessionStart", &start), Some(Event::SessionStart { cwd }));
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        for input in ["", "{", "[]", "null", "7", "{\"tool_input\":7}", "{\"tool_input\":{\"file_path\":\"\"}}"] {
            assert_eq!(Event::of("PostToolUse", input.as_bytes()), None, "{input}");
        }
        assert_eq!(of("FileChanged", &serde_json::json!({"cwd": "/"})), None);
        assert_eq!(of("Stop", &serde_json::json!({"cwd": "/"})), None);
    }

    #[test]
    fn too_much_is_not_read_to_its_end() {
        assert_eq!(Event::read("SessionStart", std::io::repeat(b' ')), None);
    }
}
