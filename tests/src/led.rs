//! A client on an official SDK that a test leads a word at a time, before a server that is edited under it, swap for swap.

use crate::cable::Cable;
use crate::http::Served;
use crate::process;
use crate::project::Project;
use crate::server::Server;
use crate::talker::{Sdk, Talker};
use serde_json::{Value, json};

/// A server, a client, and the revision that they come to.
#[derive(Clone, Copy, Debug)]
pub struct Pair(pub Server, pub Sdk, pub &'static str);

/// One process of the server, and the version of its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The process.
    pub pid: u32,
    /// What its constant says.
    pub version: String,
}

/// A led client, its front, and the server's project.
#[derive(Debug)]
pub struct Led {
    /// The project; what is saved in it is swapped in.
    pub project: Project,
    /// The client.
    pub talker: Talker,
    /// The front, if it is one over HTTP.
    pub front: Option<Served>,
    /// What lies between client and front over HTTP.
    pub cable: Option<Cable>,
    /// The old code, which the last swap has left.
    pub old: Twin,
    /// The new code, which serves.
    pub new: Twin,
    swaps: u32,
}

impl Led {
    /// A client of a front over stdio with these flags.
    #[must_use]
    pub fn over_stdio(Pair(server, sdk, protocol): Pair, flags: &[&str]) -> Self {
        let project = Project::new(server);
        let talker = Talker::lead(&project, sdk, &project.front_command(flags));
        Self::begin(project, talker, None, protocol)
    }

    /// A client of a front over HTTP with these flags.
    #[must_use]
    pub fn over_http(Pair(server, sdk, protocol): Pair, flags: &[&str], constants: &[(&str, &str)]) -> Self {
        let project = Project::new(server);
        for (constant, value) in constants {
            project.set(constant, value);
        }
        let front = project.serve(flags);
        let cable = Cable::to(front.url());
        let talker = Talker::lead_over_http(&project, sdk, cable.url());
        Self::begin(project, talker, Some((front, cable)), protocol)
    }

    fn begin(project: Project, talker: Talker, over: Option<(Served, Cable)>, protocol: &str) -> Self {
        let (front, cable) = over.unzip();
        let none = Twin { pid: 0, version: String::new() };
        let mut led = Self { project, talker, front, cable, old: none.clone(), new: none, swaps: 0 };
        let _ = led.hear("ready", protocol);
        let first = led.ask("call whoami", "first");
        led.new = Twin { pid: pid(&first), version: "v1".to_owned() };
        led.old = led.new.clone();
        led.is_new(&first);
        led
    }

    /// Tells the client to do something.
    pub fn tell(&mut self, line: &str) {
        self.talker.tell(line);
    }

    /// Waits until the client says this word about this key.
    pub fn hear(&mut self, word: &str, key: &str) -> Value {
        self.talker.hear(word, key)
    }

    /// Tells the client to do something and waits until it is done.
    pub fn ask(&mut self, verb: &str, key: &str) -> Value {
        self.tell(&format!("{verb} {key}"));
        self.hear("done", key)
    }

    /// Saves the next version, waits until it serves, and sees that a fresh request is answered by it.
    pub fn swap(&mut self) {
        self.swap_by(Project::save_version);
    }

    /// The same with more tools, so that the list differs too.
    pub fn swap_with_tools(&mut self, tools: &[&str]) {
        self.swap_by(|project, version| project.save_version_with_tools(version, tools));
    }

    /// The same with whatever this saves.
    pub fn swap_by(&mut self, save: impl FnOnce(&Project, &str)) {
        self.swaps += 1;
        let version = format!("v{}", self.swaps + 1);
        save(&self.project, &version);
        let front = self.project.until_status("a swap", |front| front["swaps"] == self.swaps);
        let fresh = self.ask("call whoami", &format!("fresh-{}", self.swaps));
        self.old = std::mem::replace(&mut self.new, Twin { pid: pid(&fresh), version });
        self.is_new(&fresh);
        if front["stdio_twins"] != true {
            // Else each session has a process of its own.
            assert_eq!(front["active"]["pid"], json!(self.new.pid), "{front}");
        }
        assert_ne!(self.new.pid, self.old.pid);
    }

    /// How often it was swapped.
    #[must_use]
    pub fn swaps(&self) -> u32 {
        self.swaps
    }

    /// This answer is the old code's, and so is the only run of the call.
    pub fn is_old(&self, answer: &Value) {
        self.is_of(answer, &self.old);
    }

    /// The same of the new code.
    pub fn is_new(&self, answer: &Value) {
        self.is_of(answer, &self.new);
    }

    /// The same of this twin.
    pub fn is_of(&self, answer: &Value, twin: &Twin) {
        assert_eq!((&answer["version"], &answer["pid"]), (&json!(twin.version), &json!(twin.pid)), "{answer}");
        let run = self.project.record().of(answer["key"].as_str().expect("a key"));
        assert!(run.is_none_or(|run| run.pid == u64::from(twin.pid)), "{answer} was run elsewhere");
    }

    /// The old twin owes nothing any more, and ends.
    pub fn old_ends(&self) {
        process::gone(self.old.pid);
    }

    /// Ends the client; it was sent so many messages of these methods, nothing that it was not led to wait for, and nothing
    /// is left.
    pub fn finish(self, counts: &[(&str, usize)]) {
        let report = self.talker.stop();
        for (method, count) in counts {
            assert_eq!(report["wire"][method].as_u64().unwrap_or_default(), *count as u64, "{method}: {report}");
        }
        assert_eq!(report["unheard"], json!([]));
        match &self.front {
            Some(front) => self.project.finish_http(front),
            None => self.project.nothing_left(),
        }
    }
}

/// The process that an answer names.
#[must_use]
pub fn pid(answer: &Value) -> u32 {
    answer["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_else(|| panic!("no process in {answer}"))
}
