//! Containers: an image, and sometimes a folder of the host in it.

mod run;

pub use run::{ContainerRun, removal};

use super::reading::{Found, Reading};
use super::root::Language;
use super::words::Opts;
use super::{Flag, Kind, Launch, Look, Place, TwinHint, path};
use std::path::Path;

/// Options of the engines themselves, before the verb, that take a value.
const ENGINE: &[&str] = &[
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--connection",
    "--identity",
    "--url",
    "--root",
    "--runroot",
    "--runtime",
    "--storage-driver",
    "--storage-opt",
    "--cgroup-manager",
    "--tmpdir",
    "--module",
    "-n",
    "--namespace",
    "-a",
    "--address",
];

/// Options of `run` that take no value, of docker, podman and nerdctl. All others do: a new one is more likely to.
const SWITCHES: &[&str] = &[
    "-d",
    "--detach",
    "-i",
    "--interactive",
    "-t",
    "--tty",
    "-P",
    "--publish-all",
    "-q",
    "--quiet",
    "--disable-content-trust",
    "--env-host",
    "--help",
    "--http-proxy",
    "--init",
    "--no-healthcheck",
    "--no-hostname",
    "--no-hosts",
    "--oom-kill-disable",
    "--passwd",
    "--privileged",
    "--read-only",
    "--read-only-tmpfs",
    "--replace",
    "--rm",
    "--rmi",
    "--rootfs",
    "--sig-proxy",
    "--tls-verify",
    "--use-api-socket",
];

impl Reading<'_> {
    pub(super) fn container(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "docker" | "podman" | "nerdctl" => {
                let opts = Opts::read(args, ENGINE);
                match opts.rest {
                    [verb, rest @ ..] if verb == "run" => Some(self.docker_run(rest)),
                    [group, verb, rest @ ..] if group == "container" && verb == "run" => Some(self.docker_run(rest)),
                    [verb, rest @ ..] if verb == "exec" => Some(self.exec(rest)),
                    [verb, ..] if verb == "compose" => Some(self.compose()),
                    _ => Some(self.opaque_container(Kind::DockerRun)),
                }
            }
            "docker-compose" | "podman-compose" => Some(self.compose()),
            "kubectl" | "oc" => Some(self.opaque_container(Kind::DockerExec)),
            _ => None,
        }
    }

    fn docker_run(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::Container);
        let opts = Opts::read_pflags(args, SWITCHES);
        self.flags.extend(opts.value(&["--name"]).map(|name| Flag::ContainerName(name.to_owned())));
        self.flags.extend(opts.value(&["--env-file"]).map(|file| Flag::EnvFile(self.script_at(file))));
        // `HOST:INSIDE` and `IP:HOST:INSIDE` bind; `INSIDE` alone takes any free port.
        for publish in opts.all(&["-p", "--publish"]) {
            let mut parts = publish.rsplit(':').skip(1);
            let port = parts.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
            self.flags.extend(port.map(Flag::FixedPort));
        }
        let found = Found::new(Kind::DockerRun).slow();
        let found = match opts.value(&["--cidfile"]) {
            Some(_) => Found { twin: Some(TwinHint::Conflict), ..found },
            None => found,
        };
        let Some((image, inner)) = opts.rest.split_first() else {
            self.flags.insert(Flag::NoScript);
            return Found { twin: Some(TwinHint::Unknown), ..found };
        };
        let found = found.package(image);
        match self.mounted_script(&opts, inner) {
            Some((script, language)) => {
                self.flags.insert(Flag::BindMountedSource);
                found.script(script, language)
            }
            None => {
                self.flags.insert(Flag::InstalledPackage);
                found
            }
        }
    }

    /// The script on the host, if the container runs one from a folder that is mounted from there.
    fn mounted_script(&self, opts: &Opts<'_>, inner: &[String]) -> Option<(String, Language)> {
        let mut command: Vec<String> = opts.value(&["--entrypoint"]).into_iter().map(str::to_owned).collect();
        command.extend(inner.iter().cloned());
        let cwd = opts.value(&["-w", "--workdir"]).map(Path::new);
        let launch = Launch::read_in(&command, &Place { cwd, ..Place::new(&Blind) });
        let script = launch.script.filter(|script| script.is_absolute())?;
        let script = script.to_str()?;
        let volumes = opts.all(&["-v", "--volume"]).into_iter().filter_map(|volume| {
            // A drive's colon is none that separates.
            let start = if path::is_windows(volume) { 2 } else { 0 };
            let end = start + volume[start..].find(':')?;
            let inside = volume[end + 1..].split(':').next()?;
            Some((volume[..end].to_owned(), inside.to_owned()))
        });
        let mounts = opts.all(&["--mount"]).into_iter().filter_map(|mount| {
            let part = |names: [&str; 3]| {
                let pairs = mount.split(',').filter_map(|part| part.split_once('='));
                pairs.into_iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned())
            };
            Some((part(["source", "src", ""])?, part(["target", "dst", "destination"])?))
        });
        volumes.chain(mounts).find_map(|(host, inside)| {
            let inside = inside.trim_end_matches('/');
            let below = script.strip_prefix(inside)?.strip_prefix('/')?;
            let host = self.resolve(&host)?;
            let language = match path::extension(below).as_str() {
                "py" => Language::Python,
                "ts" | "mts" | "cts" => Language::TypeScript,
                "js" | "mjs" | "cjs" => Language::JavaScript,
                _ => Language::Other,
            };
            Some((path::join(&host, below), language))
        })
    }

    fn exec(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, &["-e", "--env", "--env-file", "-w", "--workdir", "-u", "--user", "--detach-keys"]);
        let container = opts.rest.first().cloned();
        Found { package: container, ..self.opaque_container(Kind::DockerExec) }
    }

    fn compose(&mut self) -> Found {
        self.opaque_container(Kind::DockerCompose).slow()
    }

    fn opaque_container(&mut self, kind: Kind) -> Found {
        self.flags.insert(Flag::Container);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(kind) }
    }
}

/// Nothing is known of the files in an image.
struct Blind;

impl Look for Blind {
    fn exists(&self, _: &Path) -> bool {
        false
    }
    fn is_dir(&self, _: &Path) -> bool {
        false
    }
    fn read_small(&self, _: &Path) -> Option<String> {
        None
    }
}
