//! Containers: an image, and sometimes a folder of the host in it.

mod run;

pub use run::{ContainerRun, removal};

use super::reading::{Found, Reading, looks_like_path};
use super::root::{Ground, Language};
use super::words::Opts;
use super::{Flag, Kind, Look, Place, TwinHint, path};
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

/// Options of `compose` that take a value, before and behind its verb.
const COMPOSE: &[&str] = &[
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--project-directory",
    "--profile",
    "--env-file",
    "--ansi",
    "--progress",
    "--parallel",
];

const COMPOSE_RUN: &[&str] = &[
    "-e",
    "--env",
    "--env-from-file",
    "-l",
    "--label",
    "--name",
    "-p",
    "--publish",
    "--pull",
    "-u",
    "--user",
    "-v",
    "--volume",
    "-w",
    "--workdir",
    "--entrypoint",
    "--cap-add",
    "--cap-drop",
    "--index",
];

/// Where images keep the code of the program that they run. What is mounted elsewhere is its data.
const CODE: &[&str] = &["/app", "/src", "/code", "/server", "/srv/app", "/usr/src/app", "/opt/app"];

impl Reading<'_> {
    pub(super) fn container(&mut self, name: &str, args: &[String]) -> Option<Found> {
        match name {
            "docker" | "podman" | "nerdctl" => {
                let opts = Opts::read(args, ENGINE);
                let (group, rest) = match opts.rest {
                    [group, rest @ ..] if group == "container" => ("container", rest),
                    rest => ("", rest),
                };
                Some(match rest.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
                    Some(("run", rest)) => self.docker_run(rest),
                    Some(("exec", rest)) => self.exec(rest),
                    Some(("compose", rest)) if group.is_empty() => self.compose(rest),
                    Some(("start", rest)) => self.start(rest),
                    _ => self.opaque_container(Kind::DockerRun),
                })
            }
            "docker-compose" | "podman-compose" => Some(self.compose(args)),
            "kubectl" | "oc" => Some(self.kubectl(args)),
            _ => None,
        }
    }

    fn docker_run(&mut self, args: &[String]) -> Found {
        self.flags.insert(Flag::Container);
        let opts = Opts::read_pflags(args, SWITCHES);
        self.flags.extend(opts.value(&["--name"]).map(|name| Flag::ContainerName(name.to_owned())));
        self.flags.extend(opts.value(&["--env-file"]).map(|file| Flag::EnvFile(self.script_at(file))));
        self.published(&opts);
        let found = Found::new(Kind::DockerRun).slow();
        let found = match opts.value(&["--cidfile"]) {
            Some(_) => Found { twin: Some(TwinHint::Conflict), ..found },
            None => found,
        };
        let Some((image, inner)) = opts.rest.split_first() else {
            self.flags.insert(Flag::NoScript);
            return Found { twin: Some(TwinHint::Unknown), ..found };
        };
        let mut found = found.package(image);
        if opts.value(&["--network", "--net"]) == Some("host") {
            // Its ports are the host's own.
            found = found.rest(inner);
        }
        if let Some(source) = self.mounted_source(&opts, inner) {
            self.flags.insert(Flag::BindMountedSource);
            return Found { script: source.script, ground: source.ground, language: source.language, ..found };
        }
        self.flags.insert(Flag::InstalledPackage);
        let name = super::reading::bare_package(image).to_owned();
        let bridged = self.bridge(found.clone().rest(inner), &name);
        if bridged.twin == Some(TwinHint::Skip) { bridged } else { found }
    }

    /// `HOST:INSIDE` and `IP:HOST:INSIDE` bind; `INSIDE` alone takes any free port.
    fn published(&mut self, opts: &Opts<'_>) {
        for publish in opts.all(&["-p", "--publish"]) {
            let host = publish.rsplit(':').nth(1);
            let port = host.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
            self.flags.extend(port.map(Flag::FixedPort));
        }
    }

    /// What the container runs from a folder of the host, if it does.
    fn mounted_source(&mut self, opts: &Opts<'_>, inner: &[String]) -> Option<Found> {
        let mounts = self.mounts(opts);
        let mut command: Vec<String> = opts.value(&["--entrypoint"]).into_iter().map(str::to_owned).collect();
        command.extend(inner.iter().cloned());
        let cwd = opts.value(&["-w", "--workdir"]).map(Path::new);
        let look = Mounted { look: self.look(), mounts: &mounts };
        let place = Place { cwd, ..Place::new(&look) };
        let mut reading = Reading::new(&place);
        reading.depth = self.depth;
        let found = if command.is_empty() { Found::new(Kind::Binary) } else { reading.run(&command) };
        let script = found.script.as_deref().and_then(|script| look.host(script));
        // What an image's own program is told may be a folder or a file of data.
        let told =
            found.kind == Kind::Binary && !path::extension(found.script.as_deref().unwrap_or_default()).is_empty();
        let script = script.filter(|script| !told && (found.kind == Kind::GoRun || !self.is_dir(script)));
        let ground = match &found.ground {
            Ground::Folder(folder) => look.host(folder).map(Ground::Folder),
            Ground::Nothing => None,
            ground => script.is_some().then(|| ground.clone()),
        };
        let Some(ground) = ground else {
            // The image knows what to run; what is mounted over its code is what can change.
            let code = mounts.iter().filter(|(_, inside)| {
                CODE.iter().any(|code| inside == code || inside.starts_with(&format!("{code}/")))
            });
            let mut marked = code.filter_map(|(host, _)| Some((host.clone(), self.language_in(host)?)));
            let (host, language) = marked.next().filter(|_| found.script.is_none() && found.package.is_none())?;
            return Some(Found::new(Kind::DockerRun).folder(Some(host), language));
        };
        let told = [Flag::SelfReloading, Flag::CompilesOnStart, Flag::ObjectSuffix, Flag::Task, Flag::ConsoleScript];
        self.flags.extend(reading.flags.into_iter().filter(|flag| told.contains(flag)));
        Some(Found { script, ground, ..found })
    }

    /// Folders of the host, and where the container finds them.
    fn mounts(&self, opts: &Opts<'_>) -> Vec<(String, String)> {
        let volumes = opts.all(&["-v", "--volume"]).into_iter().filter_map(|volume| {
            // A drive's colon is none that separates.
            let start = if path::is_windows(volume) { 2 } else { 0 };
            let end = start + volume[start..].find(':')?;
            let inside = volume[end + 1..].split(':').next()?;
            Some((&volume[..end], inside))
        });
        let mounts = opts.all(&["--mount"]).into_iter().filter_map(|mount| {
            let part = |names: [&str; 3]| {
                let mut pairs = mount.split(',').filter_map(|part| part.split_once('='));
                pairs.find(|(name, _)| names.contains(name)).map(|(_, value)| value)
            };
            let volume = part(["type", "", ""]) == Some("volume");
            Some((part(["source", "src", ""])?, part(["target", "dst", "destination"])?)).filter(|_| !volume)
        });
        let all = volumes.chain(mounts);
        // A name without a slash is a volume of the engine's.
        let folders = all.filter(|(host, _)| (looks_like_path(host) || host.contains('/')) && !host.contains('$'));
        let inside = |inside: &str| match inside.trim_end_matches('/') {
            "" => "/".to_owned(),
            inside => inside.to_owned(),
        };
        folders.filter_map(|(host, at)| Some((self.resolve(host)?, inside(at)))).collect()
    }

    fn exec(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, &["-e", "--env", "--env-file", "-w", "--workdir", "-u", "--user", "--detach-keys"]);
        let container = opts.rest.first().cloned();
        self.in_container(Kind::DockerExec, container)
    }

    /// A container that is there already has one name and one stdin.
    fn start(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, &["--detach-keys", "--checkpoint", "--checkpoint-dir"]);
        self.flags.extend(opts.rest.first().cloned().map(Flag::ContainerName));
        self.opaque_container(Kind::DockerRun)
    }

    fn compose(&mut self, args: &[String]) -> Found {
        let opts = Opts::read(args, COMPOSE);
        match opts.rest {
            [verb, rest @ ..] if verb == "run" || verb == "exec" => {
                let opts = Opts::read(rest, COMPOSE_RUN);
                self.flags.extend(opts.value(&["--name"]).map(|name| Flag::ContainerName(name.to_owned())));
                self.published(&opts);
                let service = opts.rest.first().cloned();
                self.in_container(Kind::DockerCompose, service).slow()
            }
            _ => self.opaque_container(Kind::DockerCompose).slow(),
        }
    }

    fn kubectl(&mut self, args: &[String]) -> Found {
        const VALUED: &[&str] =
            &["-n", "--namespace", "--context", "--cluster", "--kubeconfig", "-c", "--container", "-f", "--filename"];
        let opts = Opts::read(args, VALUED);
        match opts.rest {
            [verb, rest @ ..] if verb == "exec" => {
                let pod = Opts::read(rest, VALUED).rest.first().cloned();
                self.in_container(Kind::DockerExec, pod)
            }
            _ => self.opaque_container(Kind::DockerExec),
        }
    }

    /// A further process in a container, or a further container of a service: as a rule two of them get along.
    fn in_container(&mut self, kind: Kind, package: Option<String>) -> Found {
        self.flags.insert(Flag::Container);
        let twin = package.is_none().then_some(TwinHint::Unknown);
        Found { package, twin, ..Found::new(kind) }
    }

    fn opaque_container(&mut self, kind: Kind) -> Found {
        self.flags.insert(Flag::Container);
        Found { twin: Some(TwinHint::Unknown), ..Found::new(kind) }
    }

    /// The language of a folder with code: its project's, or that of a file in it.
    fn language_in(&self, folder: &str) -> Option<Language> {
        let project = self.marked(folder).and_then(|project| self.language_of(project));
        project.or_else(|| {
            self.names(folder).iter().find_map(|name| match path::extension(name).as_str() {
                "py" => Some(Language::Python),
                "ts" | "mts" | "cts" => Some(Language::TypeScript),
                "js" | "mjs" | "cjs" => Some(Language::JavaScript),
                _ => None,
            })
        })
    }

    /// The language of a project, by its marker.
    fn language_of(&self, folder: &str) -> Option<Language> {
        let markers = [
            ("pyproject.toml", Language::Python),
            ("requirements.txt", Language::Python),
            ("setup.py", Language::Python),
            ("deno.json", Language::Deno),
            ("package.json", Language::TypeScript),
            ("Cargo.toml", Language::Rust),
            ("go.mod", Language::Go),
        ];
        let marked = markers.into_iter().find(|(marker, _)| self.is_file(&path::join(folder, marker)));
        marked.map(|(_, language)| language).or_else(|| self.dotnet_project(folder).map(|_| Language::Dotnet))
    }
}

/// The files of the host that a container sees through its mounts; of those in the image nothing is known.
struct Mounted<'a> {
    look: &'a dyn Look,
    mounts: &'a [(String, String)],
}

impl Mounted<'_> {
    /// Where a path in the container lies on the host.
    fn host(&self, inside: &str) -> Option<String> {
        let below = |(host, at): &(String, String)| {
            let rest = if at == "/" { inside } else { inside.strip_prefix(at.as_str())? };
            (rest.is_empty() || rest.starts_with('/'))
                .then(|| (at.len(), path::join(host, rest.trim_start_matches('/'))))
        };
        // The deepest mount hides the ones above it.
        self.mounts.iter().filter_map(below).max_by_key(|(depth, _)| *depth).map(|(_, host)| host)
    }

    fn at(&self, path: &Path) -> Option<String> {
        self.host(path.to_str()?)
    }
}

impl Look for Mounted<'_> {
    fn exists(&self, path: &Path) -> bool {
        self.at(path).is_some_and(|path| self.look.exists(Path::new(&path)))
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.at(path).is_some_and(|path| self.look.is_dir(Path::new(&path)))
    }
    fn read_small(&self, path: &Path) -> Option<String> {
        self.look.read_small(Path::new(&self.at(path)?))
    }
    fn names(&self, folder: &Path) -> Vec<String> {
        self.at(folder).map(|folder| self.look.names(Path::new(&folder))).unwrap_or_default()
    }
}
