//! The command line that a client's configuration starts, read without clap: a front lives for days, and the pages that
//! clap touches would stay with it.

use super::{RunArgs, options};
use mcp_twin_core::spec::{Kind, Options};
use std::ffi::OsString;

/// `run [FLAGS] -- CMD…` or `run --url URL [FLAGS]`, if every word of it is plain. `None`: clap reads it, and explains what is wrong with it.
pub(crate) fn run(args: &[OsString]) -> Option<(RunArgs, Options)> {
    let (_, words) = args.split_first().filter(|(_, words)| words.first().is_some_and(|word| word == "run"))?;
    let dashes = words.iter().position(|word| word == "--");
    let (flags, command) = dashes.map_or((words, Vec::new()), |at| (&words[..at], words[at + 1..].to_vec()));
    let mut read = RunArgs {
        server: None,
        name: None,
        watch: Vec::new(),
        ignore: Vec::new(),
        no_watch: false,
        no_tell: false,
        tools: false,
        record: None,
        redact: Vec::new(),
        url: None,
        header: Vec::new(),
        command,
        chosen: Vec::new(),
    };
    let mut options = Options::default();
    let mut seen = Vec::new();
    // What was given to the options that may be repeated.
    let mut lists: Vec<(&'static str, Vec<String>)> = Vec::new();
    let mut flags = flags[1..].iter().map(|word| word.to_str());
    while let Some(word) = flags.next() {
        let (flag, joined) = word?.split_once('=').map_or((word?, None), |(flag, value)| (flag, Some(value)));
        let mut value = || joined.or_else(|| flags.next().flatten()).filter(|value| !value.starts_with('-'));
        let again = seen.contains(&flag);
        match flag {
            "--watch" => read.watch.push(value()?.to_owned()),
            "--ignore" => read.ignore.push(value()?.to_owned()),
            "--redact" => read.redact.push(value()?.to_owned()),
            "--header" => read.header.push(value()?.to_owned()),
            _ if let Some(option) = options::offered().find(|it| it.flag == flag && it.kind == Kind::Names) => {
                let value = value()?.to_owned();
                Options::default().set(option.key, &value).ok()?;
                match lists.iter_mut().find(|(key, _)| *key == option.key) {
                    Some((_, values)) => values.push(value),
                    None => lists.push((option.key, vec![value])),
                }
            }
            _ if again => return None,
            "--no-watch" if joined.is_none() => read.no_watch = true,
            "--no-tell" if joined.is_none() => read.no_tell = true,
            "--tools" if joined.is_none() => read.tools = true,
            "--record" => read.record = Some(value()?.into()),
            "--name" => read.name = Some(value()?.to_owned()),
            "--url" => read.url = Some(value()?.to_owned()),
            _ => {
                let option = options::offered().find(|option| option.flag == flag)?;
                options.set(option.key, value()?).ok()?;
                read.chosen.push(option.key);
            }
        }
        seen.push(flag);
    }
    for (key, values) in lists {
        options.set(key, &values.join(",")).ok()?;
        read.chosen.push(key);
    }
    options.tell = !read.no_tell;
    options.tools = read.tools;
    options.watch_files = !read.no_watch;
    // In the order of the table, as clap gives them.
    let chosen = options::offered().map(|option| option.key).filter(|key| read.chosen.contains(key));
    read.chosen =
        chosen.chain(super::switches(read.no_tell, read.tools, read.no_watch.then_some("watch_files"))).collect();
    let foreign = ["--name", "--watch", "--ignore", "--no-watch", "--no-tell", "--tools", "--record", "--redact"];
    let whole = match &read.url {
        Some(_) => dashes.is_none() && !seen.iter().any(|flag| foreign.contains(flag)),
        None => !read.command.is_empty() && read.header.is_empty(),
    };
    let whole = whole && (read.redact.is_empty() || read.record.is_some());
    whole.then_some((read, options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Verb, clap_parse};

    fn words(line: &str) -> Vec<OsString> {
        shell_words::split(line).expect("a line that splits").into_iter().map(OsString::from).collect()
    }

    /// Every line of up to three flags of these, with and without a command.
    fn lines() -> Vec<String> {
        let flags = [
            "",
            "--name web",
            "--name=web",
            "--name=",
            "--name -x",
            "--watch src",
            "--watch=*.py",
            "--ignore x=y",
            "--no-watch",
            "--no-tell",
            "--no-tell=1",
            "--tools",
            "--tools-prefix my_",
            "--bake 2s",
            "--bake=2s",
            "--bake soon",
            "--drain none",
            "--promote manual",
            "--promote x",
            "--hold-bytes 1MiB",
            "--json",
            "--help",
            "--wrong",
            "server.py",
            "-",
            "--standby warm",
            "--keep-children adb,java",
            "--keep-children=adb",
            "--keep-children none",
            "--keep-children a/b",
            "--watch-files",
            "--name ''",
            "--url http://h/mcp",
            "--url=http://h/mcp",
            "--header 'A: b'",
            "--header=-",
            "--record r.jsonl",
            "--redact city",
        ];
        let ends = ["-- python server.py --json", "-- x -- y", "--", ""];
        let mut lines = Vec::new();
        for first in flags {
            for second in flags {
                lines.extend(ends.iter().map(|end| format!("mcp-twin run {first} {second} {end}")));
            }
        }
        lines
    }

    #[test]
    fn what_it_reads_clap_reads_the_same() {
        let mut quick = 0;
        for line in lines() {
            let Some((run, options)) = run(&words(&line)) else { continue };
            let (cli, wanted) = clap_parse(&words(&line)).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            let Verb::Run(wanted_run) = cli.verb else { panic!("{line}") };
            assert_eq!((format!("{run:?}"), &options, cli.json), (format!("{wanted_run:?}"), &wanted, false), "{line}");
            quick += 1;
        }
        assert!(quick > 200, "{quick}");
    }

    #[test]
    fn what_clients_start_is_read() {
        for line in [
            "mcp-twin run -- python server.py",
            "/usr/bin/mcp-twin run --name web --watch src --watch '*.toml' --no-tell -- uv run server.py --name x",
            "mcp-twin run --promote manual --bake 30s -- node build/index.js",
            "mcp-twin run --url http://127.0.0.1:8000/mcp --header 'Authorization: Bearer x' --hold 20s",
        ] {
            assert!(run(&words(line)).is_some(), "{line}");
        }
        for line in ["mcp-twin", "mcp-twin status", "mcp-twin --json run -- x", "mcp-twin run python server.py"] {
            assert!(run(&words(line)).is_none(), "{line}");
        }
    }
}
