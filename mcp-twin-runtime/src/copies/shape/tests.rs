use super::*;
use crate::copies::store::Store;
use crate::machine::Disk;
use crate::run::Variables;
use crate::sources::Snapshot;
use mcp_twin_core::detect::launch::Place;
use mcp_twin_core::{Generation, Source, SourceHash};
use std::fs;

/// A project in `p` and its copy in `c`, with these files in both; `node_modules` and `.venv` are links in the copy.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new(files: &[&str]) -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        for place in ["p", "c"] {
            for file in files {
                let path = ground.at(place).join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
        for beside in ["node_modules", ".venv/bin"] {
            fs::create_dir_all(ground.at("p").join(beside)).unwrap();
        }
        fs::write(ground.at("p").join(".venv/bin/python"), "").unwrap();
        for beside in ["node_modules", ".venv"] {
            std::os::unix::fs::symlink(ground.at("p").join(beside), ground.at("c").join(beside)).unwrap();
        }
        ground
    }

    fn at(&self, place: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(place)
    }

    fn start(&self, line: &str, env: &[(&str, &str)]) -> (Start, Shape) {
        let cwd = self.at("p");
        fs::create_dir_all(&cwd).unwrap();
        let fill = |text: &str| text.replace("P/", &format!("{}/", cwd.display()));
        let command: Vec<String> = line.split(' ').map(fill).collect();
        let place = Place { cwd: Some(&cwd), ..Place::new(&Disk) };
        let launch = Launch::read_in(&command, &place);
        let env = Variables(env.iter().map(|(name, value)| ((*name).to_owned(), fill(value))).collect());
        let shape = Shape::of(&launch, &cwd, true, None);
        (Start { command, cwd, env }, shape)
    }

    /// What is started in the copy, with the project written as `P` and the copy as `C`.
    fn moved(&self, line: &str, env: &[(&str, &str)]) -> Result<String, String> {
        let (start, shape) = self.start(line, env);
        let moved = shape.moved(&start, &self.at("c"))?;
        let env = moved.env.0.iter().filter(|(name, _)| name != "UV_NO_SYNC");
        let words = env.map(|(name, value)| format!("{name}={value}")).chain(moved.command);
        let text = words.chain([format!("in {}", moved.cwd.display())]).collect::<Vec<_>>().join(" ");
        let (project, copy) = (self.at("p").display().to_string(), self.at("c").display().to_string());
        Ok(text.replace(&copy, "C").replace(&project, "P"))
    }
}

#[test]
fn a_command_runs_the_code_of_the_copy_and_whatever_stands_beside_it_in_the_project() {
    let ground = Ground::new(&["server.py", "src/notes/__init__.py", "src/notes/__main__.py", "dist/index.js"]);
    for (line, env, wanted) in [
        ("node dist/index.js --flag", &[][..], "node dist/index.js --flag in C"),
        ("node P/dist/index.js", &[("DATA", "/data")], "DATA=/data node C/dist/index.js in C"),
        ("node dist/index.js --config=P/dist/index.js", &[], "node dist/index.js --config=C/dist/index.js in C"),
        ("python3 server.py", &[], "PYTHONPATH=C python3 server.py in C"),
        ("P/.venv/bin/python P/server.py", &[], "PYTHONPATH=C P/.venv/bin/python C/server.py in C"),
        (
            "python3 P/server.py P/nothing.db",
            &[("PYTHONPATH", "P/src:/usr/lib/x")],
            "PYTHONPATH=C:C/src:/usr/lib/x python3 C/server.py P/nothing.db in C",
        ),
        ("uv --directory P/ run server.py", &[], "PYTHONPATH=C uv --directory C run server.py in C"),
    ] {
        assert_eq!(ground.moved(line, env).as_deref(), Ok(wanted), "{line}");
    }
    // A package comes from the copy also where it is installed in editable form.
    let module = ground.moved("python3 -m notes", &[("PYTHONPATH", "P/src")]).unwrap();
    assert!(module.starts_with("PYTHONPATH=C/src:C/src "), "{module}");
}

#[test]
fn what_would_not_run_the_code_of_the_copy_is_refused() {
    let ground = Ground::new(&["Cargo.toml", "src/main.rs", "go.mod", "main.go", "server.py"]);
    for (line, why) in [
        ("cargo run", "compiles as it starts"),
        ("go run .", "compiles as it starts"),
        ("docker run -i image", "runs in another system"),
        ("some-installed-server", "it is not known which file"),
        ("python3 P/../elsewhere.py", "not among the watched files"),
    ] {
        let refused = ground.moved(line, &[]).unwrap_err();
        assert!(refused.contains(why), "{line}: {refused}");
    }
}

#[test]
fn a_program_a_jar_and_a_dll_are_set_aside_and_a_script_is_not() {
    let ground = Ground::new(&["bin/server", "build/server.jar", "out/server.dll", "out/other.dll", "dist/index.js"]);
    for (line, wanted) in [
        ("bin/server --port 1", Some("/aside/bin/server --port 1")),
        ("java -jar build/server.jar", Some("java -jar /aside/build/server.jar")),
        ("dotnet out/server.dll", Some("dotnet /aside/out/server.dll")),
        ("node dist/index.js", None),
    ] {
        let (start, shape) = ground.start(line, &[]);
        let made = |file: &Path| Some(Path::new("/aside").join(file.strip_prefix(ground.at("p")).unwrap()));
        let aside = shape.aside(start, made).command.join(" ");
        assert_eq!((aside.as_str(), shape.sets_aside()), (wanted.unwrap_or(line), wanted.is_some()), "{line}");
        // With a dll goes all that lies beside it, with a script all that was made with it.
        let many = line.contains("dll");
        assert_eq!(shape.outputs().len(), if many { 2 } else { 1 }, "{line}");
    }
}

#[test]
fn secrets_beside_what_was_built_are_linked_to_and_not_copied() {
    let ground = Ground::new(&["out/server.dll", "out/.env"]);
    let secrets = ground.at("p").join("out/.env");
    fs::write(&secrets, "KEY=first").unwrap();
    let (_, shape) = ground.start("dotnet out/server.dll", &[]);
    let (store, hash) = (Store::new(ground.at("s")), SourceHash(7));
    store.set_aside(hash, false, &shape, 3).unwrap();
    let source = Source { generation: Generation(1), hash: Some(hash) };
    store.keep(source, &Snapshot::default(), &shape, 3).unwrap();
    let made = ground.at("s").join("made").join(hash.to_string()).join("out");
    let kept = ground.at("s").join(hash.to_string()).join("tree/out");
    assert!(made.join("server.dll").is_file() && kept.join("server.dll").is_file());
    assert!(!kept.join(".env").exists());
    fs::write(secrets, "KEY=second").unwrap();
    assert_eq!(fs::read_to_string(made.join(".env")).unwrap(), "KEY=second");
}
