//! Which folder is watched: never home, nothing above the project, the output of a build by itself.

use super::{Files, argv, check, read, show};
use crate::detect::launch::{Launch, Place};
use std::path::Path;

fn in_project(line: &str, files: &str) -> String {
    let (cwd, home, files) = (Some(Path::new("/ws/p")), Some(Path::new("/home/me")), Files::new(files));
    show(&Launch::read_in(&argv(line), &Place { cwd, home, project: cwd, ..Place::new(&files) }))
}

#[test]
fn a_project_is_not_left() {
    let outer = "/ws/package.json /ws/pyproject.toml";
    assert_eq!(in_project("python a.py", outer), "python /ws/p/a.py /ws/p side-by-side");
    assert_eq!(in_project("python sub/a.py", outer), "python /ws/p/sub/a.py /ws/p/sub side-by-side");
    assert_eq!(in_project("tsx src/a.ts", outer), "tsx /ws/p/src/a.ts /ws/p/src side-by-side");
    let own = "/ws/package.json /ws/p/pyproject.toml";
    assert_eq!(in_project("python sub/a.py", own), "python /ws/p/sub/a.py /ws/p side-by-side");
    // What lies elsewhere has its own project.
    assert_eq!(in_project("python /ws/q/x/a.py", outer), "python /ws/q/x/a.py /ws side-by-side");
}

#[test]
fn home_is_not_watched_as_a_whole() {
    let home = "/home/me/package.json /home/me/pyproject.toml /home/me/a.py /home/me/s/a.py";
    check(&[
        ("python a.py", "/home/me", home, "python /home/me/a.py /home/me side-by-side watch-root-is-home"),
        ("python s/a.py", "/home/me", home, "python /home/me/s/a.py /home/me/s side-by-side"),
        ("./a.py", "/home/me", home, "executable-script /home/me/a.py /home/me side-by-side watch-root-is-home"),
        ("npm start", "/home/me", home, "npm-script - - side-by-side task watch-root-is-home"),
        ("uv run my-server", "/home/me", home, "uv-run - - side-by-side console-script watch-root-is-home"),
        ("uv run my-server", "/tmp", "", "uv-run - - side-by-side console-script"),
    ]);
    let launch = read("python a.py", "/home/me", &Files::new(home));
    assert_eq!(launch.watch.iter().map(|glob| glob.pattern.as_str()).collect::<Vec<_>>(), ["a.py"]);
    assert!(launch.watchable() && launch.extensions.is_empty());
    assert!(!read("npm start", "/home/me", &Files::new(home)).watchable());
}

#[test]
fn each_marker_makes_a_project() {
    for marker in [
        "pyproject.toml",
        "package.json",
        "Cargo.toml",
        "go.mod",
        "deno.json",
        "deno.jsonc",
        "pixi.toml",
        "X.csproj",
        "X.fsproj",
        "setup.py",
        "requirements.txt",
    ] {
        let found = show(&read("python src/a.py", "/p", &Files::new(&format!("/p/{marker} /p/src/a.py"))));
        assert_eq!(found, "python /p/src/a.py /p side-by-side", "{marker}");
    }
}

#[test]
fn the_output_of_a_build() {
    check(&[
        ("node out/a.js", "/p", "/p/package.json", "node /p/out/a.js /p/out side-by-side build-output"),
        ("node dist/a.js", "/p", "", "node /p/dist/a.js /p/dist side-by-side build-output"),
        // What a build left beside its output is no project of its own.
        (
            "node dist/a.js",
            "/p",
            "/p/package.json /p/dist/package.json",
            "node /p/dist/a.js /p/dist side-by-side build-output",
        ),
        ("node a.js", "/p/dist", "/p/dist/package.json", "node /p/dist/a.js /p/dist side-by-side"),
        ("bun dist/a.js", "/p", "/p/package.json", "bun /p/dist/a.js /p/dist side-by-side build-output"),
        ("tsx src/a.ts", "/p/build", "/p/build/package.json", "tsx /p/build/src/a.ts /p/build side-by-side"),
        (
            "dotnet bin/Release/net9.0/x.dll --port 80",
            "/p",
            "",
            "dotnet-dll /p/bin/Release/net9.0/x.dll /p/bin/Release/net9.0 conflict build-output fixed-port:80",
        ),
        (
            r"bin\Debug\net9.0\x.exe",
            r"C:\p",
            "",
            r"binary C:\p\bin\Debug\net9.0\x.exe C:\p\bin\Debug\net9.0 side-by-side build-output",
        ),
        (
            "java -cp target/classes:lib/x.jar com.acme.Main",
            "/p",
            "/p/target/classes/x.class",
            "java-cp =com.acme.Main /p/target/classes side-by-side build-output",
        ),
        (r"java -cp C:\srv\a.jar com.acme.Main", "?", "", r"java-cp C:\srv\a.jar=com.acme.Main C:\srv side-by-side"),
        ("java -Dserver.port=81 -jar a.jar", "/p", "", "java-jar /p/a.jar /p conflict fixed-port:81"),
    ]);
}

#[test]
fn builds_on_start() {
    check(&[
        ("dotnet run", "/p", "/p/X.csproj", "dotnet-run /p/X.csproj /p side-by-side compiles-on-start"),
        (
            "dotnet run --project src/X -- --port 81",
            "/p",
            "/p/src/X/X.csproj",
            "dotnet-run /p/src/X/X.csproj /p/src/X conflict compiles-on-start fixed-port:81",
        ),
        ("dotnet run a.cs", "/p", "/p/a.cs", "dotnet-run /p/a.cs /p side-by-side compiles-on-start"),
        (
            "dotnet watch run --project X.csproj",
            "/p",
            "/p/X.csproj",
            "dotnet-run /p/X.csproj /p side-by-side compiles-on-start self-reloading",
        ),
        ("dotnet exec x.dll", "/p", "", "dotnet-dll /p/x.dll /p side-by-side"),
        ("go run main.go", "/p", "/p/go.mod", "go-run /p/main.go /p side-by-side compiles-on-start"),
        ("go run ./x", "?", "", "go-run ./x - side-by-side compiles-on-start"),
        (
            "cargo run -p srv --bin srv -- --port 81",
            "/p",
            "/p/Cargo.toml",
            "cargo-run /p/Cargo.toml /p conflict build-lock compiles-on-start fixed-port:81",
        ),
        (
            "cargo watch -x run",
            "/p",
            "/p/Cargo.toml",
            "cargo-run /p/Cargo.toml /p side-by-side build-lock compiles-on-start self-reloading",
        ),
        ("jbang run Srv.java", "/p", "/p/Srv.java", "jbang /p/Srv.java /p side-by-side compiles-on-start"),
        ("./gradlew -q run", "/p", "", "gradle - /p side-by-side compiles-on-start"),
        ("gradle -p srv run", "/p", "", "gradle - /p/srv side-by-side compiles-on-start"),
        ("mvn -q -f srv/pom.xml exec:java", "/p", "", "gradle - /p/srv side-by-side compiles-on-start"),
        ("ts-node src/a.ts", "/p", "/p/package.json", "ts-node /p/src/a.ts /p side-by-side compiles-on-start"),
    ]);
}
