//! Lines that nobody means: they are opaque, or anything, but never a panic and never without end.

use super::{Files, read, show};
use crate::detect::launch::{Launch, Place};
use proptest::collection::vec;
use proptest::prop_oneof;
use std::path::Path;

#[test]
fn commands_within_commands_without_end_are_opaque() {
    let files = Files::new("/p/a.py");
    for words in [
        "nohup",
        "uv run",
        "uvx python -m uv run",
        "npx -y tsx",
        "python -m pdb",
        "python -m debugpy -m pdb",
        "python -m coverage run",
        "poetry run",
        "hatch run",
        "npx dotenvx run --",
        "docker run -v /a:/b img",
        "wsl --",
        "ssh host",
        "yarn workspace a",
        "pnpm exec",
        "env A=1",
        "cmd /c",
        "bash -c",
        "mise x a --",
        "fastmcp run -m fastmcp run",
        "dotnet exec",
    ] {
        let deep = format!("{} python a.py", [words; 5000].join(" "));
        let launch = read(&deep, "/p", &files);
        assert!(launch.asked().is_empty() || launch.watchable(), "{words}: {}", show(&launch));
    }
    assert!(show(&read(&["nohup"; 50].join(" "), "/p", &files)).contains("opaque-script"));
    assert_eq!(
        show(&read(&format!("{} python a.py", ["nohup"; 10].join(" ")), "/p", &files)),
        "python /p/a.py /p side-by-side"
    );
}

/// A world in which whatever is asked for is there, and says something odd.
struct Everything(String);

impl crate::detect::launch::Look for Everything {
    fn exists(&self, path: &Path) -> bool {
        !path.as_os_str().len().is_multiple_of(3)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().len().is_multiple_of(5)
    }
    fn read_small(&self, path: &Path) -> Option<String> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Some(match name {
            "package.json" => {
                format!(r#"{{"workspaces":["a/*"],"scripts":{{"start":{:?},"run":"npm run run"}}}}"#, self.0)
            }
            "deno.json" => format!(r#"{{"tasks":{{"start":{:?}}}}}"#, self.0),
            "pixi.toml" => format!("[tasks]\nstart = {:?}", self.0),
            "pyproject.toml" => format!("[project.scripts]\nstart = {:?}", self.0),
            "fastmcp.json" => format!(r#"{{"source":{{"path":{:?}}}}}"#, self.0),
            _ => self.0.clone(),
        })
    }
    fn names(&self, _: &Path) -> Vec<String> {
        vec![self.0.clone(), "x.csproj".to_owned()]
    }
}

fn word() -> impl proptest::strategy::Strategy<Value = String> {
    prop_oneof![
        "(python|uv|uvx|npx|node|npm|pnpm|yarn|docker|cmd|sh|env|bun|deno|cargo|go|java|dotnet|mcp|poetry|op|mise|nix)",
        "(wsl|ssh|pwsh|hatch|pixi|conda|pipx|fastmcp|gradle|jbang|kubectl|nodemon|watchexec|chamber|fastmcp.json|./a.sh)",
        "(run|-c|-m|-p|--|-S|exec|x|-v|--mount|/c|-um|--directory|tool|dlx|task|--port|-X|start|-w|--filter|workspace)",
        "(-v/a:/b|-w/a|a:/b|--name|-C|--cd|--prefix|--manifest-path|-File|-Command|--spec|--from|./a|/a/b.py|%A%|[$][{]A:-b[}])",
        "[a-zé./\\\\:= '\"$&|@{}%;-]{0,12}",
    ]
}

proptest::proptest! {
    #[test]
    fn no_line_panics(words in vec(word(), 0..10), text in "[a-z é/\\.\"'$&;{}%|=\n-]{0,24}") {
        let env = [("PATH".to_owned(), text.clone()), ("PYTHONPATH".to_owned(), text.clone()), ("A".to_owned(), "/q".to_owned())];
        for cwd in [None, Some(Path::new("/p")), Some(Path::new(r"C:\p")), Some(Path::new("rel")), Some(Path::new(""))] {
            for home in [None, Some(Path::new("/p")), Some(Path::new("/")), Some(Path::new(""))] {
                let files = Files::default();
                let place = Place { cwd, home, project: cwd, env: &env, ..Place::new(&files) };
                let _ = Launch::read_in(&words, &place);
                let everything = Everything(text.clone());
                let _ = Launch::read_in(&words, &Place { look: &everything, ..place });
            }
        }
        let whole = words.join(" ");
        let _ = Launch::read_in(&[whole], &Place::new(&Files::default()));
    }
}
