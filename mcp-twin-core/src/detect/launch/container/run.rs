//! `docker run` as a command that can be changed: where its options begin, and which of them matter to a front.
//!
//! The process that a front starts is only the engine's client. A container outlives a client that was killed, so a front
//! lets the engine write the container's id into a file, and removes the container by that id. Words only: nothing is
//! started here.

use super::super::words::Opts;
use super::super::{Kind, Launch};
use super::{ENGINE, SWITCHES};

/// What `docker run`, `podman run` or `nerdctl run` was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRun {
    /// The engine's program, without its wrappers.
    program: String,
    /// The engine and its own options, wrappers in front of it included where they are words of their own.
    engine: Vec<String>,
    /// Where the options of `run` begin in the whole command; `None` if it stands inside of another word (`sh -c`).
    options_at: Option<usize>,
    /// `--name`: two of them cannot live side by side, and the engine itself knows it by that.
    pub name: Option<String>,
    /// `--cidfile`.
    pub cidfile: Option<String>,
    /// `-i`: without it the container has no stdin.
    pub interactive: bool,
    /// `-d`: the client ends at once, the container goes on.
    pub detached: bool,
}

impl ContainerRun {
    /// Reads `command`, of which `launch` was read; `None` if it does not come to a `run` of a container engine.
    #[must_use]
    pub fn read(command: &[String], launch: &Launch) -> Option<Self> {
        if launch.kind != Kind::DockerRun {
            return None;
        }
        let inner = &launch.argv;
        let behind_engine = Opts::read(inner.get(1..)?, ENGINE).rest;
        let behind_run = match behind_engine {
            [verb, rest @ ..] if verb == "run" => rest,
            [group, verb, rest @ ..] if group == "container" && verb == "run" => rest,
            _ => return None,
        };
        let engine_ends = inner.len() - behind_engine.len();
        let options_at = inner.len() - behind_run.len();
        // Wrappers whose words stand in front (`sudo`, `env A=1`) are kept: the engine may need them again.
        let before = command.len().checked_sub(inner.len()).filter(|before| command[*before..] == inner[..]);
        let engine = match before {
            Some(before) => &command[..before + engine_ends],
            None => &inner[..engine_ends],
        };
        let opts = Opts::read_pflags(behind_run, SWITCHES);
        Some(Self {
            program: inner.first()?.clone(),
            engine: engine.to_vec(),
            options_at: before.map(|before| before + options_at),
            name: opts.value(&["--name"]).map(str::to_owned),
            cidfile: opts.value(&["--cidfile"]).map(str::to_owned),
            interactive: opts.is_on(&["-i", "--interactive"]),
            detached: opts.is_on(&["-d", "--detach"]),
        })
    }

    /// `command`, of which this was read, with `--cidfile FILE` right behind `run`. `None`: the user named the container or
    /// a file for its id, or the place cannot be reached.
    #[must_use]
    pub fn with_cidfile(&self, command: &[String], file: &str) -> Option<Vec<String>> {
        let at = self.options_at.filter(|at| *at <= command.len())?;
        if self.name.is_some() || self.cidfile.is_some() {
            return None;
        }
        let mut changed = command.to_vec();
        changed.splice(at..at, ["--cidfile".to_owned(), file.to_owned()]);
        Some(changed)
    }

    /// Whether the options of `run` are words of the command itself.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.options_at.is_some()
    }

    /// The engine's program, such as `docker`, without what stands before it.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The engine and its own options: what removes the container begins with them.
    #[must_use]
    pub fn engine(&self) -> &[String] {
        &self.engine
    }
}

/// The command that removes a container, running or not, by what its id file holds. `None` if that is no id: then nothing
/// must be removed.
#[must_use]
pub fn removal(engine: &[String], cidfile: &str) -> Option<Vec<String>> {
    let id = cidfile.trim();
    // Ids are 64 hexadecimal digits; nobody may slip an option or another container's name in here.
    let is_id = (12..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = ["rm".to_owned(), "-f".to_owned(), id.to_owned()];
    is_id.then(|| engine.iter().cloned().chain(words).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::Blind;
    use super::*;
    use std::path::Path;

    fn words(line: &str) -> Vec<String> {
        shell_words::split(line).unwrap()
    }

    fn read(line: &str) -> Option<ContainerRun> {
        let command = words(line);
        ContainerRun::read(&command, &Launch::read(&command, Path::new("/p"), &Blind))
    }

    #[test]
    fn the_file_for_the_id_comes_right_behind_run() {
        for (line, wanted) in [
            ("docker run -i --rm mcp/time", "docker run --cidfile F -i --rm mcp/time"),
            ("docker run img", "docker run --cidfile F img"),
            (
                "docker run -i --rm -e GITHUB_PERSONAL_ACCESS_TOKEN ghcr.io/github/github-mcp-server",
                "docker run --cidfile F -i --rm -e GITHUB_PERSONAL_ACCESS_TOKEN ghcr.io/github/github-mcp-server",
            ),
            (
                "docker run -i --rm --mount type=bind,src=/home/me/work,dst=/projects/work mcp/filesystem /projects",
                "docker run --cidfile F -i --rm --mount type=bind,src=/home/me/work,dst=/projects/work mcp/filesystem /projects",
            ),
            ("/usr/bin/podman container run -i img", "/usr/bin/podman container run --cidfile F -i img"),
            ("docker --context desktop-linux run -i img", "docker --context desktop-linux run --cidfile F -i img"),
            ("podman --remote --url unix:///x run -i img", "podman --remote --url unix:///x run --cidfile F -i img"),
            ("sudo -u me docker run -i img", "sudo -u me docker run --cidfile F -i img"),
            ("env DOCKER_HOST=ssh://h docker run -i img", "env DOCKER_HOST=ssh://h docker run --cidfile F -i img"),
            // What the program in the image is told is no option of ours.
            ("docker run -i img --name x --cidfile y", "docker run --cidfile F -i img --name x --cidfile y"),
            (
                "docker run -i -v /a:/b --entrypoint /run img",
                "docker run --cidfile F -i -v /a:/b --entrypoint /run img",
            ),
            // An option that this list does not know takes a value, as nearly all do.
            ("docker run -i --some-new --name img srv", "docker run --cidfile F -i --some-new --name img srv"),
        ] {
            let run = read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(run.with_cidfile(&words(line), "F"), Some(words(wanted)), "{line}");
        }
    }

    #[test]
    fn a_name_or_a_file_of_the_users_own_is_left_alone() {
        for (line, name, cidfile) in [
            ("docker run -i --name web img", Some("web"), None),
            ("docker run -i --name=web img", Some("web"), None),
            ("docker run -i --cidfile /tmp/x.cid img", None, Some("/tmp/x.cid")),
            ("docker run --privileged --init -itv /a:/b --cidfile=/tmp/x img", None, Some("/tmp/x")),
            ("docker run -eA=1 -p8080:80 -l a=b --name web img --cidfile no", Some("web"), None),
        ] {
            let run = read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((run.name.as_deref(), run.cidfile.as_deref()), (name, cidfile), "{line}");
            assert_eq!(run.with_cidfile(&words(line), "F"), None, "{line}");
        }
    }

    #[test]
    fn in_a_shell_line_it_is_seen_but_not_reached() {
        let run = read("sh -c 'cd /x && exec docker run -i --cidfile /x/id img'").unwrap();
        assert_eq!((run.cidfile.as_deref(), run.is_reachable()), (Some("/x/id"), false));
        assert_eq!((run.engine(), run.program()), (&words("docker")[..], "docker"));
        let line = "bash -lc 'docker run -i img'";
        assert_eq!(read(line).unwrap().with_cidfile(&words(line), "F"), None);
    }

    #[test]
    fn whether_it_has_a_stdin_and_goes_on_alone() {
        for (line, interactive, detached) in [
            ("docker run img", false, false),
            ("docker run --rm -e A=1 img -i", false, false),
            ("docker run -i img", true, false),
            ("docker run --interactive=true img", true, false),
            ("docker run -i=false img", false, false),
            ("docker run -it img", true, false),
            ("docker run -ti --rm img", true, false),
            ("docker run -dit img", true, true),
            ("docker run --detach img", false, true),
            ("docker run -e -i img", false, false),
            ("docker run -ei img", false, false),
            ("docker run --rm -itu 1000 img", true, false),
        ] {
            let run = read(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((run.interactive, run.detached), (interactive, detached), "{line}");
        }
    }

    #[test]
    fn what_is_no_run_is_none() {
        for line in [
            "docker exec -i box srv",
            "docker compose run --rm srv",
            "docker mcp gateway run",
            "docker start -ai box",
            "docker",
            "docker --context x",
            "python server.py run",
            "npx docker run img",
            "",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn only_an_id_is_removed() {
        let engine = words("sudo docker --context x");
        let id = "0123456789ab".repeat(5) + "cdef";
        assert_eq!(removal(&engine, &format!("{id}\n")), Some(words(&format!("sudo docker --context x rm -f {id}"))));
        for bad in ["", "\n", "web", "--all", "0123456789a", "0123456789ab --all", &"a".repeat(65)] {
            assert_eq!(removal(&engine, bad), None, "{bad}");
        }
    }
}
