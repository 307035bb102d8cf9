//! What the tables of a Python project say: entry points, and tasks of its runner.

use toml_edit::{DocumentMut, Item};

/// The module of an entry point of a `pyproject.toml`.
pub(super) fn entry_point(pyproject: &str, name: &str) -> Option<String> {
    let document = pyproject.parse::<DocumentMut>().ok()?;
    let places: [&[&str]; 3] = [&["project", "scripts"], &["project", "gui-scripts"], &["tool", "poetry", "scripts"]];
    let entry = places.iter().find_map(|place| at(&document, place)?.get(name))?;
    let value = entry.as_str().or_else(|| entry.get("reference").or_else(|| entry.get("callable"))?.as_str())?;
    value.split(':').next().map(|module| module.trim().to_owned())
}

/// The line of a task, from the files of a project: `text` gives the text of one of them.
pub(super) fn task(text: &dyn Fn(&str) -> String, name: &str) -> Option<String> {
    // `env:task` of hatch
    let (env, task) = name.split_once(':').unwrap_or(("default", name));
    let places: [(&str, &[&str], &str); 8] = [
        ("pixi.toml", &["tasks"], name),
        ("pyproject.toml", &["tool", "pixi", "tasks"], name),
        ("pyproject.toml", &["tool", "hatch", "envs", env, "scripts"], task),
        ("hatch.toml", &["envs", env, "scripts"], task),
        ("pyproject.toml", &["tool", "pdm", "scripts"], name),
        ("pyproject.toml", &["tool", "rye", "scripts"], name),
        ("pyproject.toml", &["tool", "poe", "tasks"], name),
        ("Pipfile", &["scripts"], name),
    ];
    places.iter().find_map(|(file, place, name)| {
        let document = text(file).parse::<DocumentMut>().ok()?;
        line(at(&document, place)?.get(name)?)
    })
}

/// A task is a text, a list of words, or a table that holds one of them.
fn line(task: &Item) -> Option<String> {
    if let Some(line) = task.as_str() {
        return Some(line.replace("{args}", ""));
    }
    if let Some(words) = task.as_array() {
        let words: Option<Vec<&str>> = words.iter().map(toml_edit::Value::as_str).collect();
        return words.map(shell_words::join);
    }
    ["cmd", "shell"].iter().find_map(|key| line(task.get(key)?))
}

fn at<'d>(document: &'d DocumentMut, place: &[&str]) -> Option<&'d Item> {
    place.iter().try_fold(document.as_item(), |item, key| item.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_in_their_three_tables() {
        let project = "[project.scripts]\na-b = \"pkg.main:run\"\n[project.gui-scripts]\ng = 'gui:run'\n\
            [tool.poetry.scripts]\np = { reference = \"p.cli:main\", type = \"console\" }\n[tool.x]\nq = \"no\"\n";
        for (name, module) in [("a-b", Some("pkg.main")), ("g", Some("gui")), ("p", Some("p.cli")), ("q", None)] {
            assert_eq!(entry_point(project, name).as_deref(), module, "{name}");
        }
        assert_eq!(entry_point("[project", "a"), None);
    }

    #[test]
    fn tasks_of_each_runner() {
        for (file, text, name, wanted) in [
            ("pixi.toml", "[tasks]\ns = \"python a.py\"", "s", Some("python a.py")),
            ("pixi.toml", "[tasks.s]\ncmd = [\"python\", \"a b.py\"]", "s", Some("python 'a b.py'")),
            (
                "pyproject.toml",
                "[tool.hatch.envs.default.scripts]\ns = \"python a.py {args}\"",
                "s",
                Some("python a.py "),
            ),
            ("pyproject.toml", "[tool.hatch.envs.x.scripts]\ns = \"python a.py\"", "x:s", Some("python a.py")),
            ("pyproject.toml", "[tool.pdm.scripts]\ns = { shell = \"python a.py\" }", "s", Some("python a.py")),
            ("pyproject.toml", "[tool.pdm.scripts]\ns = { call = \"a:b\" }", "s", None),
            ("Pipfile", "[scripts]\ns = \"python a.py\"", "s", Some("python a.py")),
            ("pixi.toml", "[tasks]\ns = [1]", "s", None),
            ("pixi.toml", "[tasks", "s", None),
        ] {
            let read = |asked: &str| if asked == file { text.to_owned() } else { String::new() };
            assert_eq!(task(&read, name).as_deref(), wanted, "{file} {text}");
        }
    }
}
