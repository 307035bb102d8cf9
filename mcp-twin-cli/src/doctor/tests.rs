//! Each check against a machine that is a list of files.

use super::finding::{Checked, Fix};
use super::world::{Files, World};
use super::{all, clients, commands, files, leftovers};
use crate::render::doctor as render;
use mcp_twin_core::detect::launch::Look;
use mcp_twin_core::detect::{Browse, Inventory, Machine, Os, detect};
use mcp_twin_core::port::Lease;
use mcp_twin_runtime::fronts::LeftFront;
use mcp_twin_runtime::process::Seen;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOME: &str = "/home/dana";

/// Files with their texts; what lies in a folder called `bin` or `shims` may be executed.
#[derive(Default)]
struct Disk {
    files: BTreeMap<PathBuf, String>,
    os: Option<Os>,
}

impl Disk {
    fn with(mut self, at: &str, text: &str) -> Self {
        self.files.insert(PathBuf::from(at.replacen('~', HOME, 1)), text.to_owned());
        self
    }

    /// A configuration of Claude Desktop with these entries.
    fn desktop(self, entries: &str) -> Self {
        self.with("~/.config/Claude/claude_desktop_config.json", &format!(r#"{{"mcpServers": {{{entries}}}}}"#))
    }

    fn machine(&self) -> Machine<'_> {
        let os = self.os.unwrap_or(Os::Linux);
        Machine { os, home: Path::new(HOME), project: None, env: &|_| None, look: self }
    }

    /// What a check finds here.
    fn check(&self, check: fn(&World<'_>) -> Checked, change: impl FnOnce(&mut World<'_>)) -> Checked {
        let inventory = detect(&self.machine());
        let mut world = self.world(&inventory);
        change(&mut world);
        check(&world)
    }

    fn world<'a>(&'a self, inventory: &'a Inventory) -> World<'a> {
        World {
            inventory,
            machine: self.machine(),
            files: self,
            path: ["/usr/bin", "/home/dana/.nvm/versions/node/v22.1.0/bin"].map(PathBuf::from).to_vec(),
            state: "/home/dana/.mcp-twin".into(),
            state_wrong: Vec::new(),
            running: Vec::new(),
            living: Vec::new(),
            left: Vec::new(),
            processes: Some(Vec::new()),
            leases: Vec::new(),
            listens: &|_| false,
        }
    }
}

impl Look for Disk {
    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.is_dir(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.files.keys().any(|file| file != path && file.starts_with(path))
    }
    fn read_small(&self, path: &Path) -> Option<String> {
        self.files.get(path).cloned()
    }
    fn names(&self, folder: &Path) -> Vec<String> {
        let below = self.files.keys().filter_map(|file| file.strip_prefix(folder).ok()?.iter().next()?.to_str());
        below.map(str::to_owned).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}

impl Browse for Disk {
    fn read(&self, path: &Path, _limit: usize) -> Result<Option<Vec<u8>>, String> {
        match self.files.get(path).map(String::as_str) {
            Some("(no permission)") => Err("permission denied".to_owned()),
            text => Ok(text.map(|text| text.as_bytes().to_vec())),
        }
    }
}

impl Files for Disk {
    fn runs(&self, path: &Path) -> bool {
        let folder = path.parent().and_then(Path::file_name);
        self.files.contains_key(path) && folder.is_some_and(|folder| folder == "bin" || folder == "shims")
    }
    fn changed(&self, path: &Path) -> Option<SystemTime> {
        self.files.contains_key(path).then(|| at(100))
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn process(pid: u32, command: &[&str]) -> Seen {
    Seen {
        pid,
        parent: 1,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        token: None,
        home: Some("/home/dana/.mcp-twin".into()),
        kept: false,
        started: Some(at(50)),
    }
}

fn codes(checked: &Checked) -> Vec<&str> {
    checked.found.iter().map(|finding| finding.code).collect()
}

/// What mends the only finding.
fn fix(checked: &Checked) -> Vec<&str> {
    assert_eq!(checked.found.len(), 1, "{checked:?}");
    checked.found[0].fix.iter().map(|(Fix::Run(text) | Fix::Do(text))| text.as_str()).collect()
}

#[test]
fn a_machine_on_which_nothing_is_wrong() {
    let disk = Disk::default()
        .with("/usr/bin/node", "")
        .with("~/a.js", "")
        .desktop(r#""a": {"command": "node", "args": ["/home/dana/a.js"]}"#);
    let inventory = detect(&disk.machine());
    let checked = all(&disk.world(&inventory));
    assert!(checked.iter().all(|checked| checked.found.is_empty()), "{checked:?}");
    insta::assert_snapshot!(anstream::adapter::strip_str(&render::doctor(&checked)).to_string());
}

#[test]
fn a_machine_on_which_much_is_wrong() {
    let disk = Disk::default()
        .with("/usr/bin/python3", "")
        .with("~/.nvm/versions/node/v22.1.0/bin/npx", "#!/usr/bin/env node\n")
        .with("~/.cursor/mcp.json", "{\n  \"mcpServers\": {,}\n}")
        .with("~/.codex/config.toml", "(no permission)")
        .desktop(
            r#""a": {"command": "npx", "args": ["-y", "mcp-remote"]}, "b": {"command": "python", "args": ["x.py"]},
               "c": {"command": "python3", "args": ["/home/dana/gone.py"]}, "d": {"command": "/opt/d"},
               "off": {"command": "nowhere", "disabled": true}"#,
        )
        .with("~/.claude.json", r#"{"mcpServers": {"e": {"command": "python3", "args": ["${E_TOKEN}"]}}}"#);
    let inventory = detect(&disk.machine());
    let mut world = disk.world(&inventory);
    world.state_wrong =
        vec!["/home/dana/.mcp-twin is open to other users; run: chmod 700 '/home/dana/.mcp-twin'".to_owned()];
    let text = render::doctor(&all(&world));
    insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn files_say_where_they_are_wrong() {
    let disk = Disk::default().with("~/.cursor/mcp.json", "{\n  \"mcpServers\": {,}\n}");
    let checked = disk.check(files::files, |_| ());
    assert_eq!(fix(&checked), ["${EDITOR:-vi} +2 /home/dana/.cursor/mcp.json"]);
    assert!(checked.found[0].what.contains("line 2, column 18"), "{checked:?}");
    let disk = Disk::default().with("~/.cursor/mcp.json", "(no permission)");
    assert_eq!(fix(&disk.check(files::files, |_| ())), ["chmod u+r /home/dana/.cursor/mcp.json"]);
}

#[test]
fn a_command_is_looked_for_as_its_client_would() {
    let absent = Disk::default().desktop(r#""a": {"command": "node", "args": ["a.js"]}"#);
    let checked = absent.check(commands::commands, |_| ());
    assert_eq!(codes(&checked), ["doctor::command::missing"]);
    // Where a shell's profile would add it.
    let volta = Disk::default().with("~/.volta/bin/node", "").desktop(r#""a": {"command": "node", "args": ["a.js"]}"#);
    assert_eq!(
        fix(&volta.check(commands::commands, |_| ())),
        ["write /home/dana/.volta/bin/node in its place in the entry"]
    );
    // An entry may bring its own PATH.
    let own = Disk::default()
        .with("/opt/bin/node", "")
        .desktop(r#""a": {"command": "node", "args": ["a.js"], "env": {"PATH": "/opt/bin"}}"#);
    assert_eq!(codes(&own.check(commands::commands, |_| ())), [] as [&str; 0]);
    // What is behind mcp-twin counts as well as mcp-twin.
    let behind = Disk::default()
        .with("/opt/bin/mcp-twin", "")
        .desktop(r#""a": {"command": "/opt/bin/mcp-twin", "args": ["run", "--", "uvx", "x"]}"#);
    assert_eq!(fix(&behind.check(commands::commands, |_| ())), ["curl -LsSf https://astral.sh/uv/install.sh | sh"]);
}

#[test]
fn a_version_managers_command_is_hidden_from_the_desktop_only() {
    let entry = r#"{"mcpServers": {"a": {"command": "node", "args": ["a.js"]}}}"#;
    let nvm = || Disk::default().with("~/.nvm/versions/node/v22.1.0/bin/node", "");
    let desktop = nvm().with("~/.config/Claude/claude_desktop_config.json", entry);
    let checked = desktop.check(commands::commands, |_| ());
    assert_eq!(codes(&checked), ["doctor::command::desktop_path"]);
    assert_eq!(fix(&checked), [r#"in the entry: "command": "/home/dana/.nvm/versions/node/v22.1.0/bin/node""#]);
    let terminal = nvm().with("~/.claude.json", entry);
    assert_eq!(codes(&terminal.check(commands::commands, |_| ())), [] as [&str; 0]);
}

#[test]
fn a_batch_file_needs_a_shell_on_windows() {
    let disk = Disk { os: Some(Os::Windows), ..Disk::default() };
    let disk = disk
        .with("/usr/bin/npx.cmd", "")
        .with("~/.claude.json", r#"{"mcpServers": {"a": {"command": "npx", "args": ["x"]}}}"#);
    // The folders of this test's files; only what a program may be called is Windows's.
    let checked = disk.check(commands::commands, |world| {
        world.path = vec!["/usr/bin".into()];
    });
    assert!(disk.machine().os == Os::Windows);
    assert_eq!(codes(&checked), ["doctor::command::cmd"], "{checked:?}");
}

#[test]
fn a_port_is_taken_if_its_server_does_not_have_it() {
    let lease = Lease { front: 8094, a: 8288, b: 8289 };
    let taken = |world: &mut World<'_>| {
        world.leases = vec![("api".to_owned(), lease)];
        world.listens = &|port| port == 8094;
    };
    let disk = Disk::default();
    let checked = disk.check(leftovers::ports, taken);
    assert_eq!((codes(&checked), fix(&checked)[0]), (vec!["doctor::port::taken"], "ss -ltnp 'sport = :8094'"));
    let served = disk.check(leftovers::ports, |world| {
        taken(world);
        world.living = vec!["api@1a2b3c4d".to_owned()];
    });
    assert_eq!(codes(&served), [] as [&str; 0]);
    let free = disk.check(leftovers::ports, |world| world.leases = vec![("api".to_owned(), lease)]);
    assert_eq!((codes(&free).len(), free.looked_at.as_str()), (0, "1 leased address"));
}

#[test]
fn what_dead_fronts_left() {
    let left = |waiting: &[u32]| LeftFront {
        front: "api@1a2b3c4d".to_owned(),
        server: Some("api".to_owned()),
        waiting: waiting.to_vec(),
        files: vec!["/home/dana/.mcp-twin/run/api@1a2b3c4d.served".into()],
    };
    let disk = Disk::default();
    let stale = disk.check(leftovers::fronts, |world| world.left = vec![left(&[])]);
    assert_eq!(fix(&stale)[0], "rm /home/dana/.mcp-twin/run/api@1a2b3c4d.served");
    let token = |of: &str| Some(format!("{of}:nonce.1"));
    let twin = || Seen { token: token("api@1a2b3c4d"), ..process(7, &["python", "server.py"]) };
    let waiting = disk.check(leftovers::fronts, |world| {
        world.left = vec![left(&[7])];
        world.processes = Some(vec![twin()]);
    });
    assert_eq!((codes(&waiting), fix(&waiting)[0]), (vec!["doctor::front::waiting"], "mcp-twin start api"));
    let orphan = disk.check(leftovers::fronts, |world| {
        world.processes = Some(vec![
            twin(),
            Seen { token: token("b-1"), ..process(8, &["b"]) },
            Seen { token: token("b-1"), kept: true, ..process(9, &["adb"]) },
            Seen { token: token("c-1"), home: Some("/other".into()), ..process(10, &["c"]) },
            process(11, &["d"]),
        ]);
        world.living = vec!["b-1".to_owned()];
    });
    assert_eq!((codes(&orphan), fix(&orphan)[0]), (vec!["doctor::process::orphan"], "kill 7"));
}

#[test]
fn a_client_that_holds_an_old_configuration() {
    let disk = Disk::default().desktop(
        r#""a": {"command": "/opt/bin/mcp-twin", "args": ["run", "--name", "a", "--", "python", "server.py", "--token", "s3cr3t"]}"#,
    );
    let words = ["/usr/bin/python", "server.py", "--token", "s3cr3t"];
    let with = |process: Seen| disk.check(clients::clients, move |world| world.processes = Some(vec![process]));
    let old = with(process(7, &words));
    assert_eq!(codes(&old), ["doctor::client::old_configuration"]);
    assert!(!format!("{old:?}").contains("s3cr3t"), "{old:?}");
    for fine in [
        Seen { token: Some("a-1:1".to_owned()), ..process(7, &words) },
        Seen { started: Some(at(101)), ..process(7, &words) },
        process(7, &words[..3]),
        process(7, &["/usr/bin/python", "other.py", "--token", "s3cr3t"]),
    ] {
        assert_eq!(codes(&with(fine.clone())), [] as [&str; 0], "{fine:?}");
    }
    // A script whose interpreter is the kernel's to find.
    assert_eq!(codes(&with(process(7, &["/bin/sh", "/usr/bin/python", "server.py", "--token", "s3cr3t"]))).len(), 1);
}
