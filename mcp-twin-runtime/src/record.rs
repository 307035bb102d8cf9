//! `mcp-twin run --record`: what client and server say to each other, as lines of JSON.
//!
//! The first line is a [`Header`], the others are [`Entry`]s. Secrets are taken out before anything is written. A thread writes;
//! the relay never waits for it: what finds no room is counted, and said.

use mcp_twin_core::redact::Redaction;
use mcp_twin_core::{Generation, TwinId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The version of the form of recordings.
pub const VERSION: u32 = 1;
/// So many messages wait to be written.
const MESSAGES: usize = 4096;
/// So many bytes do.
const BYTES: usize = 16 << 20;
/// A recording is no larger.
const LARGEST: u64 = 1 << 30;
/// What is written stands in the file a moment later, also if the front is killed.
const FLUSH: Duration = Duration::from_millis(100);
/// So long the end of a front waits for the last of it.
const LAST: Duration = Duration::from_millis(500);

/// What is to be recorded where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOrder {
    /// The file; one that is there is written anew.
    pub file: PathBuf,
    /// Names whose values are left out: of fields in messages, and of variables.
    pub redact: Vec<String>,
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub recording: u32,
    /// The release that recorded it.
    pub release: String,
    /// The server's name.
    pub server: String,
    /// Its command line, without what its words say to be a secret.
    pub command: Vec<String>,
    /// When it began (RFC 3339).
    pub time: String,
    /// The names whose values are left out beside those that look like secrets.
    #[serde(default)]
    pub redact: Vec<String>,
}

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// The client.
    Client,
    /// The server, or the front for it.
    Server,
}

/// A message, or a gap.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the beginning.
    pub t: u64,
    /// Who said it; none where messages are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// The generation of the code that served at that moment; 0 before the first twin.
    #[serde(default)]
    pub generation: u32,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<RawValue>>,
    /// The same, where it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// So many messages are missing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// A recording that goes on.
pub(crate) struct Recorder {
    queue: Mutex<Option<SyncSender<Said>>>,
    queued: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    begun: Instant,
    place: Mutex<Place>,
    done: Mutex<Receiver<()>>,
}

/// What is known of the moment.
#[derive(Default)]
struct Place {
    generations: BTreeMap<TwinId, Generation>,
    serving: u32,
    /// A line to the client that is not written in full yet.
    partial: Vec<u8>,
    /// It is too large to be kept.
    skipping: bool,
}

struct Said {
    t: u64,
    from: From,
    generation: u32,
    line: Vec<u8>,
}

/// Who tells people about a recording.
pub(crate) type Tell = Arc<dyn Fn(&str) + Send + Sync>;

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    /// The file cannot be written, or another front records into it.
    pub(crate) fn begin(file: &Path, header: &Header, redaction: Redaction, tell: Tell) -> io::Result<Arc<Self>> {
        let mut writer = Writer::open(file, redaction, tell)?;
        writer.line(header)?;
        writer.out.flush()?;
        let (queue, said) = sync_channel(MESSAGES);
        let (done_by, done) = sync_channel(1);
        let (queued, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&queued), Arc::clone(&lost));
        std::thread::Builder::new().name("mcp-twin-record".to_owned()).spawn(move || {
            writer.write_all_of(&said, &counters.0, &counters.1);
            let _ = done_by.send(());
        })?;
        Ok(Arc::new(Self {
            queue: Mutex::new(Some(queue)),
            queued,
            lost,
            begun: Instant::now(),
            place: Mutex::default(),
            done: Mutex::new(done),
        }))
    }

    /// A twin of this generation starts.
    pub(crate) fn starts(&self, twin: TwinId, generation: Generation) {
        let mut place = lock(&self.place);
        place.generations.insert(twin, generation);
        if place.serving == 0 {
            place.serving = generation.0;
        }
    }

    /// Requests go to this twin from now on.
    pub(crate) fn serves(&self, twin: TwinId) {
        let mut place = lock(&self.place);
        if let Some(generation) = place.generations.get(&twin) {
            place.serving = generation.0;
        }
        // Twins have growing numbers; a rollback goes to one of the last few.
        while place.generations.len() > 64 {
            place.generations.pop_first();
        }
    }

    /// A line of the client.
    pub(crate) fn client(&self, line: &[u8]) {
        let generation = lock(&self.place).serving;
        self.push(From::Client, generation, line.to_vec());
    }

    /// Bytes that the client was sent.
    pub(crate) fn server(&self, bytes: &[u8]) {
        let mut place = lock(&self.place);
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = [std::mem::take(&mut place.partial).as_slice(), &rest[..end]].concat();
            rest = &rest[end + 1..];
            if std::mem::take(&mut place.skipping) {
                self.lose();
            } else {
                self.push(From::Server, place.serving, line);
            }
        }
        if place.partial.len() + rest.len() > BYTES {
            (place.partial, place.skipping) = (Vec::new(), true);
        } else if !place.skipping {
            place.partial.extend_from_slice(rest);
        }
    }

    /// Ends it; waits a moment for what is still to be written.
    pub(crate) fn finish(&self) {
        drop(lock(&self.queue).take());
        let _ = lock(&self.done).recv_timeout(LAST);
    }

    fn push(&self, from: From, generation: u32, line: Vec<u8>) {
        let size = line.len();
        let t = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let room = self.queued.fetch_add(size, Ordering::Relaxed) + size <= BYTES;
        let queue = lock(&self.queue);
        let taken =
            room && queue.as_ref().is_some_and(|queue| queue.try_send(Said { t, from, generation, line }).is_ok());
        if !taken {
            self.queued.fetch_sub(size, Ordering::Relaxed);
            self.lose();
        }
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// The thread that writes.
struct Writer {
    out: BufWriter<File>,
    file: PathBuf,
    redaction: Redaction,
    written: u64,
    tell: Tell,
}

impl Writer {
    fn open(file: &Path, redaction: Redaction, tell: Tell) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(file)?;
        if opened.try_lock().is_err() {
            return Err(io::Error::other("another front records into it"));
        }
        // One that was there may be open to others.
        #[cfg(unix)]
        opened.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        opened.set_len(0)?;
        Ok(Self { out: BufWriter::new(opened), file: file.to_owned(), redaction, written: 0, tell })
    }

    fn write_all_of(&mut self, said: &Receiver<Said>, queued: &AtomicUsize, lost: &AtomicU64) {
        // Gaps that stand in the file, and what was not written since it cannot be.
        let (mut gaps, mut unwritten, mut off) = (0, 0, None);
        loop {
            let next = match said.recv_timeout(FLUSH) {
                Ok(next) => next,
                Err(RecvTimeoutError::Timeout) => {
                    off = off.or_else(|| self.out.flush().err());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            queued.fetch_sub(next.line.len(), Ordering::Relaxed);
            let gap = lost.swap(0, Ordering::Relaxed);
            if gaps == 0 && gap > 0 {
                (self.tell)(&format!(
                    "messages come faster than {} is written: the recording has gaps",
                    self.file.display()
                ));
            }
            gaps += gap;
            if off.is_some() || self.written > LARGEST {
                unwritten += 1;
                continue;
            }
            let gap = (gap > 0).then(|| self.line(&Entry { lost: Some(gap), ..empty(next.t) }));
            let written = gap.unwrap_or(Ok(())).and_then(|()| self.message(next));
            if let Err(error) = written {
                (self.tell)(&format!(
                    "{} cannot be written, so nothing more is recorded: {error}",
                    self.file.display()
                ));
                (off, unwritten) = (Some(error), unwritten + 1);
            } else if self.written > LARGEST {
                (self.tell)(&format!(
                    "{} has {} bytes, so nothing more is recorded",
                    self.file.display(),
                    self.written
                ));
            }
        }
        unwritten += lost.swap(0, Ordering::Relaxed);
        if unwritten > 0 && off.is_none() {
            let _ = self.line(&Entry { lost: Some(unwritten), ..empty(0) });
        }
        if gaps + unwritten > 0 {
            (self.tell)(&format!("the recording {} lacks {} messages", self.file.display(), gaps + unwritten));
        }
        let _ = self.out.flush();
    }

    fn message(&mut self, said: Said) -> io::Result<()> {
        let Said { t, from, generation, line } = said;
        let mut entry = Entry { from: Some(from), generation, ..empty(t) };
        match serde_json::from_slice::<Value>(&line) {
            Ok(mut value) => {
                // What holds no secret stands there byte for byte.
                let text = if self.redaction.apply(&mut value) {
                    value.to_string()
                } else {
                    String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?
                };
                entry.message = RawValue::from_string(text).ok();
            }
            Err(_) => {
                let mut text = String::from_utf8_lossy(&line).into_owned();
                self.redaction.apply_to_text(&mut text);
                entry.text = Some(text);
            }
        }
        self.line(&entry)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.written += text.len() as u64;
        self.out.write_all(&text)
    }
}

fn empty(t: u64) -> Entry {
    Entry { t, from: None, generation: 0, message: None, text: None, lost: None }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            recording: VERSION,
            release: "2.0.0".to_owned(),
            server: "web".to_owned(),
            command: vec!["python".to_owned()],
            time: "2026-11-26T00:00:00Z".to_owned(),
            redact: Vec::new(),
        }
    }

    fn lines(file: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn both_directions_stand_in_the_file_with_their_generations() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.jsonl");
        std::fs::write(&file, "an older recording, which is longer than the new one is\n".repeat(100)).unwrap();
        let redaction = Redaction::new(&[], [("MY_TOKEN", "abcdefgh")]);
        let recorder = Recorder::begin(&file, &header(), redaction, Arc::new(|said| panic!("{said}"))).unwrap();
        recorder.starts(TwinId(1), Generation(3));
        recorder.client(br#"{"id":1e2,"x":12345678901234567890123}"#);
        recorder.server(b"{\"id\":1}\n{\"te");
        recorder.starts(TwinId(2), Generation(4));
        recorder.serves(TwinId(2));
        recorder.server(b"xt\":\"abcdefgh\"}\nno json\n");
        recorder.finish();
        let lines = lines(&file);
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert_eq!((&lines[0]["recording"], &lines[0]["server"]), (&Value::from(1), &Value::from("web")));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(r#""message":{"id":1e2,"x":12345678901234567890123}"#), "byte for byte: {text}");
        assert_eq!((&lines[1]["from"], &lines[1]["generation"]), (&Value::from("client"), &Value::from(3)));
        assert_eq!((&lines[3]["message"]["text"], &lines[3]["generation"]), (&Value::from("***"), &Value::from(4)));
        assert_eq!(lines[4]["text"], "no json");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.jsonl");
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let tell: Tell = Arc::new(move |said| lock(&heard).push(said.to_owned()));
        let recorder = Recorder::begin(&file, &header(), Redaction::default(), tell).unwrap();
        // More than all the room there is, in one message and then in one line of the server.
        recorder.client(&vec![b'x'; BYTES + 1]);
        recorder.server(&vec![b'y'; BYTES + 1]);
        recorder.server(b"y\n{}\n");
        recorder.finish();
        let lines = lines(&file);
        let gaps: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
        assert_eq!(gaps, 2, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line["message"].is_object()).count(), 1);
        let told = lock(&told);
        assert!(told.iter().any(|said| said.ends_with("lacks 2 messages")), "{told:?}");
    }

    #[test]
    fn two_fronts_do_not_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.jsonl");
        let quiet: Tell = Arc::new(|_| ());
        let first = Recorder::begin(&file, &header(), Redaction::default(), Arc::clone(&quiet)).unwrap();
        let second = Recorder::begin(&file, &header(), Redaction::default(), quiet);
        assert!(second.is_err_and(|error| error.to_string().contains("another front")));
        first.finish();
    }
}
