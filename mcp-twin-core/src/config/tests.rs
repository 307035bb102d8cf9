use super::*;
use crate::notify::{Event, Given};
use crate::spec::{OPTIONS, Options, ServerName, Strategy, Transport};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file with every kind of value.
const WHOLE: &str = r#"
[defaults]
promote = "manual"
bake = "30s"
hold_requests = 12
hold_bytes = "1MiB"
tell = false
settle = 0
keep_children = ["adb", "gradle"]
ignore = ["*.log"]

[servers.notes]
command = "python"
args = ["server.py", "--verbose"]
env = { LOG_LEVEL = "debug", API_KEY = "s3cr3t" }
cwd = "src"
watch = ["src", "*.sql"]
bake = "1m"
drain = "none"

[servers.api]
command = "node"
transport = "http"
listen = 8123
path = "/rpc"
token_file = "~/token"
max_sessions = 7
session_idle = "5m"
strategy = "handoff"
"#;

fn layer(scope: Scope, text: &str) -> Layer {
    let path = match scope {
        Scope::Project => "/srv/shop/mcp-twin.toml",
        Scope::User => "/home/dana/.mcp-twin/config.toml",
    };
    Layer { scope, path: path.into(), file: read(text).unwrap_or_else(|errors| panic!("{}", errors.text(path))) }
}

fn asked(name: Option<&str>, command: &[&str]) -> Asked {
    Asked {
        name: name.map(|name| ServerName::new(name).unwrap()),
        command: command.iter().map(|&word| word.to_owned()).collect(),
        ..Asked::named("x", Path::new("/srv/shop"), Some("/home/dana".into()), Transport::Stdio)
    }
}

fn from(wanted: &Wanted, key: &str) -> String {
    wanted
        .origins
        .iter()
        .find(|(known, _)| *known == key)
        .map_or_else(|| "default".to_owned(), |(_, from)| from.to_string())
}

#[test]
fn every_kind_of_value_is_read_with_its_place() {
    let file = read(WHOLE).unwrap();
    let (option, bake) = file.defaults.options.iter().find(|(option, _)| option.key == "bake").unwrap();
    assert_eq!((option.flag, bake.value.as_str(), bake.place), ("--bake", "30s", Place { line: 4, column: 1 }));
    let [notes, api] = &file.servers[..] else { panic!("{:?}", file.servers) };
    assert_eq!(notes.command.as_ref().unwrap().value, ["python", "server.py", "--verbose"]);
    assert_eq!(notes.env[1].1.place, Place { line: 15, column: 30 });
    assert!(!format!("{file:?}").contains("s3cr3t"));
    assert_eq!(
        (api.listen.as_ref().unwrap().value.as_str(), api.transport.as_ref().unwrap().value),
        ("8123", Transport::Http)
    );
    assert_eq!(
        (api.max_sessions.as_ref().unwrap().value, api.session_idle.as_ref().unwrap().value),
        (7, Duration::from_secs(300))
    );
}

#[test]
fn the_stronger_place_wins_key_by_key() {
    let project = layer(Scope::Project, WHOLE);
    let user = "[defaults]\npromote = \"auto\"\nkeep_old = \"5m\"\nbake = \"9s\"\n[servers.notes]\nkeep_old = \"7m\"\nenv.API_KEY = \"mine\"\nenv.EXTRA = \"1\"\n";
    let layers = Layers::new(vec![layer(Scope::User, user), project]);
    let mut order = asked(Some("notes"), &[]);
    order.options.set("settle", "3s").unwrap();
    order.chosen = vec!["settle"];
    let wanted = layers.apply(&order);
    let value = |key: &str| OPTIONS.iter().find(|option| option.key == key).unwrap().value(&wanted.options);
    let rows: Vec<String> = ["settle", "bake", "promote", "keep_old", "drain", "hold", "keep_children", "tell"]
        .into_iter()
        .chain(["command", "cwd", "env", "watch", "ignore"])
        .map(|key| {
            let known = OPTIONS.iter().any(|option| option.key == key);
            format!("{key} {} {}", if known { value(key) } else { "-".to_owned() }, from(&wanted, key))
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
    assert_eq!(wanted.cwd, Path::new("/srv/shop/src"));
    assert_eq!(wanted.watch, ["/srv/shop/src", "/srv/shop/*.sql"]);
    let variables: Vec<_> = wanted.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(variables, ["LOG_LEVEL=debug", "API_KEY=s3cr3t", "EXTRA=1"]);
    assert!(!format!("{wanted:?}").contains("s3cr3t"));
    assert!(wanted.chosen.contains(&"bake") && !wanted.chosen.contains(&"hold"));
}

#[test]
fn a_server_is_known_by_its_name_its_command_or_the_name_that_it_would_get() {
    let layers = Layers::new(vec![layer(Scope::Project, WHOLE)]);
    let by_command = layers.apply(&asked(None, &["python", "server.py", "--verbose"]));
    assert_eq!(by_command.name.as_ref().unwrap().as_str(), "notes");
    assert_eq!(by_command.options.bake, Duration::from_secs(60));
    assert_eq!(from(&by_command, "command"), "default", "the command line gave it");
    let other = layers.apply(&asked(None, &["python", "other.py"]));
    assert_eq!((other.name, other.options.bake), (None, Duration::from_secs(30)));
    let otherwise = Asked { otherwise: Some(ServerName::new("api").unwrap()), ..asked(None, &["node", "x.js"]) };
    let otherwise = layers.apply(&otherwise);
    assert_eq!((otherwise.name, otherwise.options.strategy), (None, Strategy::Handoff));
    let given = layers.apply(&asked(Some("api"), &["bun", "x.js"]));
    assert_eq!((given.command, given.path.as_deref()), (vec!["bun".to_owned(), "x.js".to_owned()], Some("/rpc")));
    assert_eq!(given.token_file, Some(PathBuf::from("/home/dana/token")));
    // Two servers of one command: nobody knows which one is meant.
    let twice = "[servers.a]\ncommand = \"x\"\nbake = \"1s\"\n[servers.b]\ncommand = \"x\"\n";
    let twice = Layers::new(vec![layer(Scope::Project, twice)]);
    assert_eq!(twice.apply(&asked(None, &["x"])).name, None);
}

#[test]
fn whoever_names_files_wants_them_watched() {
    let over_http = |text: &str| {
        let asked = Asked { options: Options::defaults(Transport::Http), ..asked(None, &["x"]) };
        Layers::new(vec![layer(Scope::Project, text)]).apply(&asked).options.watch_files
    };
    assert!(!over_http("") && over_http("[defaults]\nwatch = [\"src\"]"));
    assert!(!over_http("[defaults]\nwatch = [\"src\"]\nwatch_files = false"));
}

#[test]
fn paths_of_a_users_file_are_seen_from_the_server() {
    let user = layer(
        Scope::User,
        "[defaults]\nwatch = [\"src\", \"~/lib\"]\n[servers.a]\ncommand = \"x\"\n[servers.b]\ncommand = \"x\"\ncwd = \"~/b\"",
    );
    let layers = Layers::new(vec![user]);
    let a = layers.apply(&asked(Some("a"), &[]));
    assert_eq!(
        (a.cwd.as_path(), &a.watch[..]),
        (Path::new("/srv/shop"), &["src".to_owned(), "/home/dana/lib".to_owned()][..])
    );
    assert_eq!(layers.apply(&asked(Some("b"), &[])).cwd, Path::new("/home/dana/b"));
}

/// Every mistake that people make, as it is shown.
#[test]
fn mistakes_as_people_see_them() {
    let shown = |text: &str| read(text).expect_err(text).text("mcp-twin.toml");
    let all = [
        "[defaults]\npromot = \"manual\"\n",
        "[defaults]\nwatch-quiet = \"1s\"\ncolour = 1\n",
        "promote = \"manual\"\n",
        "[server.api]\ncommand = \"x\"\n",
        "[defaults]\npromote = \"maybe\"\nbake = 30\ntell = \"no\"\nhold_requests = \"many\"\nhold_bytes = \"big\"\ndrain = \"soon\"\n",
        "[servers.api]\ncommand = \"python server.py\"\n",
        "[servers.api]\nargs = [\"server.py\"]\n",
        "[servers.api]\ncommand = \"x\"\nargs = [\"a\", 7]\n",
        "[servers.\"My Server\"]\ncommand = \"x\"\n",
        "[servers]\napi = \"x\"\n",
        "[[servers]]\nname = \"x\"\n",
        "[servers.a]\nname = \"b\"\n[servers.b]\ncommand = \"x\"\n",
        "[defaults]\ncommand = \"x\"\n",
        "[servers.api]\ntransport = \"sse\"\nlisten = 99999\npath = \"mcp\"\nmax_sessions = 0\nsession_idle = \"long\"\n",
        "[servers.api]\nenv = { API_KEY = 12345, \"A=B\" = \"s3cr3t\" }\n",
        "[defaults]\nbake = \"30s\n",
        "[defaults]\nbake = \"30s\"\nbake = \"1m\"\n",
        "[servers.api.env]\nAPI_KEY = \"s3cr3t\n",
        "\u{e4}\u{f6} = \"\u{fc}\"\n[defaults\n",
    ];
    let text = all.map(shown).join("\n\n");
    assert!(!text.contains("s3cr3t") && !text.contains("12345"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_nearest_key_is_told_by_itself_too() {
    let errors = read("[defaults]\npromot = \"manual\"\n").unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!(
        (error.code(), error.nearest, error.place),
        ("config::unknown_key", Some("promote"), Place { line: 2, column: 1 })
    );
}

#[test]
fn the_schema_is_that_of_the_table() {
    let schema = schema();
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema).unwrap());
    let server = &schema["$defs"]["server"]["properties"];
    for option in OPTIONS {
        for properties in [server, &schema["properties"]["defaults"]["properties"]] {
            assert!(properties[option.key]["description"].as_str().unwrap().starts_with(option.help), "{}", option.key);
        }
    }
    assert!(KEYS.iter().all(|known| server[known.key]["description"] == known.help));
}

#[test]
fn every_key_of_the_table_is_read() {
    for known in KEYS {
        let value = match known.kind {
            KeyKind::Text if known.key == "path" => "\"/x\"",
            KeyKind::Text | KeyKind::Address => "\"x\"",
            KeyKind::Texts => "[\"x\"]",
            KeyKind::Variables => "{ X = \"x\" }",
            KeyKind::Words(_) => "[]",
            KeyKind::Choice(_) => "\"http\"",
            KeyKind::Count => "7",
            KeyKind::Duration => "\"7s\"",
        };
        let command = if matches!(known.key, "command") { "" } else { "command = \"x\"\n" };
        let text = format!("[servers.a]\n{command}{} = {value}\n", known.key);
        let wanted = Layers::new(vec![layer(Scope::Project, &text)]).apply(&asked(Some("a"), &[]));
        assert!(
            wanted.origins.iter().any(|(key, _)| *key == known.key) || matches!(known.key, "name" | "args"),
            "{text}"
        );
    }
}

#[test]
fn the_sketch_is_a_file_and_each_of_its_defaults_too() {
    let name = ServerName::new("notes").unwrap();
    let command = ["python".to_owned(), "my \"server\".py".to_owned()];
    let text = sketch(Some((&name, &command)));
    insta::assert_snapshot!(text);
    let file = read(&text).unwrap();
    assert_eq!(file.servers[0].command.as_ref().unwrap().value, command);
    assert!(file.defaults.options.is_empty());
    // What stands behind a `#` is right as well.
    let whole = text.split_once("[defaults]\n").unwrap().1;
    let lines = whole
        .lines()
        .take_while(|line| !line.contains("[[notify]]"))
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = ") && !line.contains("under promote"));
    let set = format!("[defaults]\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    let defaults = read(&set).unwrap_or_else(|errors| panic!("{}", errors.text("sketch")));
    assert_eq!(defaults.defaults.options.len(), OPTIONS.len());
    assert!(read(&sketch(None)).is_ok());
}

#[test]
fn a_missing_line_end_does_not_show_the_url_of_the_next_line() {
    let text = "[[notify]]\nkind = \"web0url = \"0//hooks.example/in/s3cr3t\"\n";
    let errors = read(text).unwrap_err().text("f");
    assert!(errors.contains("f:2:") && errors.contains("kind =") && !errors.contains("s3cr3t"), "{errors}");
}

proptest! {
    #[test]
    fn nothing_panics_on_spoiled_files(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..9, any::<char>()), 0..12)) {
        let mut text: Vec<char> = WHOLE.chars().chain(TOLD.chars()).collect();
        for (at, length, put) in cuts {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, (length % 2 == 0).then_some(put));
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = read(&text) {
            let lines = text.lines().count() + 1;
            for error in errors.iter() {
                prop_assert!(error.place.line >= 1 && error.place.line <= lines && error.place.column >= 1);
                prop_assert!(!error.text("f").contains("s3cr3t"), "{}", error.text("f"));
            }
        }
    }

    #[test]
    fn nothing_panics_on_any_text(text in any::<String>()) {
        let _ = read(&text).map_err(|errors| errors.text("f"));
    }

    #[test]
    fn nothing_panics_on_any_value_of_any_key(at in any::<prop::sample::Index>(), value in "[-0-9a-z\"'\\[\\]{}.,= ]{0,12}", server in any::<bool>()) {
        let keys: Vec<&str> = OPTIONS.iter().map(|option| option.key).chain(KEYS.iter().map(|known| known.key)).collect();
        let table = if server { "servers.a" } else { "defaults" };
        let _ = read(&format!("[{table}]\n{} = {value}\n", keys[at.index(keys.len())])).map_err(|errors| errors.text("f"));
    }
}

/// Who is told, in every form that is taken.
const TOLD: &str = r#"
[[notify]]
kind = "webhook"
url = "https://hooks.example/in/s3cr3t"
events = ["failed", "down", "failed"]
secret_file = "keys/hook"
headers_env = { Authorization = "HOOK_AUTH" }

[[notify]]
kind = "slack"
url_env = "SLACK_URL"

[[notify]]
kind = "discord"
url_file = "~/discord"

[[notify]]
kind = "desktop"
"#;

#[test]
fn those_of_both_files_are_told_and_nobody_twice() {
    let user = "notify = [{ kind = \"slack\", url_env = \"SLACK_URL\", events = [\"swapped\"] }, { kind = \"slack\", url_env = \"MINE\" }]";
    let layers = Layers::new(vec![layer(Scope::User, user), layer(Scope::Project, TOLD)]);
    let wanted = layers.apply(&asked(None, &["x"]));
    let shown: Vec<String> = wanted.notify.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["webhook hooks.example", "slack $SLACK_URL", "discord /home/dana/discord", "desktop", "slack $MINE"]
    );
    let webhook = &wanted.notify[0];
    assert_eq!(webhook.events, [Event::Failed, Event::Down]);
    assert_eq!(webhook.secret, Some(Given::File("/srv/shop/keys/hook".into())));
    assert_eq!(webhook.headers, [("Authorization".to_owned(), "HOOK_AUTH".to_owned())]);
    assert_eq!(wanted.notify[1].events, Event::DEFAULT);
    assert_eq!(from(&wanted, "notify"), "/srv/shop/mcp-twin.toml:3:1");
    assert!(!format!("{wanted:?}").contains("s3cr3t"));
}

#[test]
fn mistakes_of_who_is_told_as_people_see_them() {
    let shown = |text: &str| read(text).expect_err(text).text("mcp-twin.toml");
    let all = [
        "[notify]\nkind = \"slack\"\n",
        "[[notfy]]\nkind = \"slack\"\n",
        "[[notify]]\nurl_env = \"X\"\n",
        "[[notify]]\nkind = \"slak\"\nurl = \"https://hooks.slack.com/s3cr3t\"\n",
        "[[notify]]\nkind = \"slack\"\nurl = \"http://hooks.slack.com/s3cr3t\"\n",
        "[[notify]]\nkind = \"slack\"\nurl_env = \"https://hooks.slack.com/s3cr3t\"\n",
        "[[notify]]\nkind = \"slack\"\nurls = \"https://hooks.slack.com/s3cr3t\"\n",
        "[[notify]]\nkind = \"slack\"\n",
        "[[notify]]\nkind = \"webhook\"\nurl = \"hooks.example/s3cr3t\"\nsecret = \"s3cr3t\"\n",
        "[[notify]]\nkind = \"webhook\"\nurl = \"https://u:s3cr3t@h/\"\nurl_env = \"U\"\nsecret_env = \"A\"\nsecret_file = \"b\"\n",
        "[[notify]]\nkind = \"webhook\"\nurl_env = \"U\"\nevents = [\"failed\", \"swaped\"]\n",
        "[[notify]]\nkind = \"webhook\"\nurl_env = \"U\"\nevents = []\n",
        "[[notify]]\nkind = \"webhook\"\nurl_env = \"U\"\nheaders_env = { Host = \"A\", \"A B\" = \"A\", Authorization = \"Bearer s3cr3t\" }\n",
        "[[notify]]\nkind = \"webhook\"\nurl_env = \"U\"\nheaders = { Authorization = \"Bearer s3cr3t\" }\n",
        "[[notify]]\nkind = \"discord\"\nurl_env = \"U\"\nsecret_env = \"A\"\n",
        "[[notify]]\nkind = \"desktop\"\nurl = \"https://hooks.example/s3cr3t\"\n",
        "notify = [{ kind = \"slack\", url = \"s3cr3t\" }]\n",
        "[[notify]]\nkind = \"slack\"\nurl = \"https://hooks.slack.com/s3cr3t\n",
    ];
    let text = all.map(shown).join("\n\n");
    assert!(!text.contains("s3cr3t"), "{text}");
    insta::assert_snapshot!(text);
    let many = "[[notify]]\nkind = \"desktop\"\n".repeat(17);
    assert!(shown(&many).contains("at most 16 targets"));
}

#[test]
fn the_schema_says_what_those_who_are_told_may_have() {
    let notify = &schema()["$defs"]["notify"];
    assert_eq!(notify["required"], serde_json::json!(["kind"]));
    assert!(NOTIFY_KEYS.iter().all(|known| notify["properties"][known.key]["description"] == known.help));
    assert_eq!(notify["properties"].as_object().unwrap().len(), NOTIFY_KEYS.len());
}
