//! The words of a launch: what runs the code, and what else is worth knowing.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What runs the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $name),+ }

        impl Kind {
            /// The kind as text, such as `uv-run`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

kinds! {
    /// `python X.py`
    Python = "python",
    /// `python -m X`
    PythonModule = "python-module",
    /// `uv run X`
    UvRun = "uv-run",
    /// `uvx X`, `uv tool run X`
    Uvx = "uvx",
    /// `pipx run X`
    Pipx = "pipx",
    /// `poetry run X`
    PoetryRun = "poetry-run",
    /// `hatch run X`
    HatchRun = "hatch-run",
    /// `pixi run X`
    PixiRun = "pixi-run",
    /// `conda run X`, `mamba run X`
    CondaRun = "conda-run",
    /// `pdm run X`, `rye run X`, `pipenv run X`
    ProjectRun = "project-run",
    /// `mcp run F`
    McpCli = "mcp-cli",
    /// `fastmcp run F`
    FastmcpCli = "fastmcp-cli",
    /// `uvicorn module:app` and the like
    Asgi = "asgi",
    /// `node X.js`
    Node = "node",
    /// `npx X`, `npm exec X`
    Npx = "npx",
    /// `bun X.ts`
    Bun = "bun",
    /// `bunx X`
    Bunx = "bunx",
    /// `pnpm dlx X`, `yarn dlx X`
    PnpmDlx = "pnpm-dlx",
    /// `npm run NAME` and the like
    NpmScript = "npm-script",
    /// `tsx X.ts`
    Tsx = "tsx",
    /// `ts-node X.ts`
    TsNode = "ts-node",
    /// `deno run X.ts`
    Deno = "deno",
    /// `cargo run`
    CargoRun = "cargo-run",
    /// `go run X`
    GoRun = "go-run",
    /// `dotnet run`
    DotnetRun = "dotnet-run",
    /// `dotnet X.dll`
    DotnetDll = "dotnet-dll",
    /// `dnx X`
    Dnx = "dnx",
    /// `java -jar X.jar`
    JavaJar = "java-jar",
    /// `java -cp … Main`
    JavaCp = "java-cp",
    /// `jbang X`
    Jbang = "jbang",
    /// `gradle X`, `mvn X`
    Gradle = "gradle",
    /// `ruby X.rb`, `php X.php` and the like
    Interpreter = "interpreter",
    /// `docker run IMAGE`, `podman run IMAGE`
    DockerRun = "docker-run",
    /// `docker exec`, `kubectl exec`
    DockerExec = "docker-exec",
    /// `docker compose run`
    DockerCompose = "docker-compose",
    /// `wsl.exe …`
    Wsl = "wsl",
    /// `powershell -File X`
    PowershellScript = "powershell-script",
    /// A script file run by a shell.
    ShellScript = "shell-script",
    /// A compound line that cannot be taken apart.
    Shell = "shell",
    /// A script that is the command itself.
    ExecutableScript = "executable-script",
    /// A program.
    Binary = "binary",
    /// The server runs behind mcp-twin already.
    McpTwin = "mcp-twin",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something worth knowing about a launch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Flag {
    /// It goes through mcp-twin already.
    AlreadyTwinned,
    /// A container whose source folder is mounted from the host.
    BindMountedSource,
    /// Its start takes a build lock: start the copies one after the other.
    BuildLock,
    /// The script is an artefact in an output folder.
    BuildOutput,
    /// `cmd /c` was taken off.
    CmdWrapper,
    /// `sh -c` and the like were taken off.
    ShellWrapper,
    /// `env`, dotenv, op, doppler and the like were taken off.
    EnvWrapper,
    /// It compiles before it starts.
    CompilesOnStart,
    /// The command names a configuration file that names the script.
    ConfigFileEntry,
    /// An entry point of the project or package, no file.
    ConsoleScript,
    /// It runs in a container.
    Container,
    /// The container has a fixed name.
    ContainerName(String),
    /// Variables are read from this file.
    EnvFile(String),
    /// It binds this port.
    FixedPort(u16),
    /// The paths belong to another file system.
    ForeignFilesystem,
    /// It starts an Inspector, not a server.
    InspectorNotServer,
    /// A registry's package: nothing to reload.
    InstalledPackage,
    /// npx, uvx and the like on a path.
    LocalPackage,
    /// `-m` after the script belongs to the script.
    ModuleAfterScript,
    /// No file could be named.
    NoScript,
    /// `file.py:object`
    ObjectSuffix,
    /// A script or line that cannot be looked into.
    OpaqueScript,
    /// A bridge to a remote server, and which.
    RemoteBridge(String),
    /// It reloads itself: `tsx watch`, `nodemon`, `bun --hot`.
    SelfReloading,
    /// The whole line stood in the command.
    SplitCommandString,
    /// It writes to this path: two copies share it.
    StatePath(String),
    /// A task or script name.
    Task,
    /// The script lies in the home folder: only the file is watched.
    WatchRootIsHome,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::AlreadyTwinned => "already-twinned",
            Self::BindMountedSource => "bind-mounted-source",
            Self::BuildLock => "build-lock",
            Self::BuildOutput => "build-output",
            Self::CmdWrapper => "cmd-wrapper",
            Self::ShellWrapper => "shell-wrapper",
            Self::EnvWrapper => "env-wrapper",
            Self::CompilesOnStart => "compiles-on-start",
            Self::ConfigFileEntry => "config-file-entry",
            Self::ConsoleScript => "console-script",
            Self::Container => "container",
            Self::ContainerName(name) => return write!(f, "container-name:{name}"),
            Self::EnvFile(path) => return write!(f, "env-file:{path}"),
            Self::FixedPort(port) => return write!(f, "fixed-port:{port}"),
            Self::ForeignFilesystem => "foreign-filesystem",
            Self::InspectorNotServer => "inspector-not-server",
            Self::InstalledPackage => "installed-package",
            Self::LocalPackage => "local-package",
            Self::ModuleAfterScript => "m-after-script-is-not-module",
            Self::NoScript => "no-script",
            Self::ObjectSuffix => "object-suffix",
            Self::OpaqueScript => "opaque-script",
            Self::RemoteBridge(url) => return write!(f, "remote-bridge:{url}"),
            Self::SelfReloading => "self-reloading",
            Self::SplitCommandString => "split-command-string",
            Self::StatePath(path) => return write!(f, "state-path:{path}"),
            Self::Task => "task",
            Self::WatchRootIsHome => "watch-root-is-home",
        };
        f.write_str(word)
    }
}
