//! Files that are too long, too deep, or made to keep a reader busy: each is refused, with a code and without a crash.

use super::Disk;
use crate::detect::{LARGEST, ParseError, Parsed};

fn json(text: &str) -> Parsed {
    Disk::new().read("claude-code", "@/.mcp.json", text)
}

fn jsonc(text: &str) -> Parsed {
    Disk::new().read("zed", "~/.config/zed/settings.json", text)
}

fn toml(text: &str) -> Parsed {
    Disk::new().read("codex", "~/.codex/config.toml", text)
}

fn yaml(text: &str) -> Parsed {
    Disk::new().read("goose", "~/.config/goose/config.yaml", text)
}

fn code(parsed: &Parsed) -> &str {
    assert!(parsed.servers.is_empty());
    parsed.error.as_ref().map_or("none", |error| error.code().rsplit("::").next().unwrap())
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let long = " ".repeat(LARGEST + 1);
    for read in [json, jsonc, toml, yaml] {
        let parsed = read(&long);
        assert_eq!(code(&parsed), "too_large");
        assert!(parsed.error.unwrap().to_string().contains("longer than"), "it says why");
    }
    // One that is as long as it may be is read.
    let text = format!("{{\"mcpServers\":{{\"a\":{{\"command\":\"x\"}}}}}}{}", " ".repeat(LARGEST - 41));
    assert_eq!(super::names(&json(&text)), ["a"]);
}

#[test]
fn deep_nesting_is_refused_and_overflows_nothing() {
    for depth in [99_usize, 200, 600, 100_000] {
        let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let maps = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let refused = depth > 100;
        for text in [&lists, &maps] {
            for parsed in [json(text), jsonc(text)] {
                let code = code(&parsed);
                assert_eq!(matches!(code, "too_deep" | "invalid_json"), refused, "{depth}: {code}");
            }
        }
        let text = format!("a = {lists}");
        assert_eq!(code(&toml(&text)) == "invalid_toml", refused || depth > 80, "{depth}");
        let text = format!("a: {lists}");
        assert_eq!(matches!(code(&yaml(&text)), "too_deep" | "invalid_yaml"), refused, "{depth}");
    }
}

#[test]
fn what_keeps_readers_busy_is_refused_or_read_soon() {
    // Tables within tables, by the name of a key.
    let dotted = format!("{} = 1", vec!["a"; 200_000].join("."));
    assert_eq!(code(&toml(&dotted)), "invalid_toml");
    assert_eq!(code(&toml(&format!("[{}]", vec!["a"; 200_000].join(".")))), "invalid_toml");
    // Lists by dashes, and maps by indentation.
    assert!(yaml(&format!("{}a", "- ".repeat(500_000))).error.is_some());
    assert!(yaml(&(0..1500).map(|deep| format!("{}a:\n", " ".repeat(deep))).collect::<String>()).error.is_some());
    // Brackets that a look at the quotes would miss.
    assert!(yaml(&format!("a: it's {}", "[".repeat(1_000_000))).error.is_some());
    assert!(yaml(&format!("a: b\n 'c\nd: {}", "[".repeat(1_000_000))).error.is_some());
    // References to references.
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..30 {
        laughs.push_str(&format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 9].join(", ")));
    }
    assert_eq!(code(&yaml(&laughs)), "invalid_yaml");
    // One that refers to itself.
    assert!(yaml("a: &a [*a]\n").error.is_some());
}

#[test]
fn a_broken_file_says_where() {
    let at = |parsed: Parsed| {
        assert!(parsed.servers.is_empty());
        let error = parsed.error.unwrap();
        (error.position().unwrap(), error.code())
    };
    let comment = "{\n  // not allowed here\n  \"mcpServers\": {}\n}\n";
    assert_eq!(at(json(comment)), ((2, 3), "detect::parse::invalid_json"));
    assert_eq!(jsonc(comment).error, None);
    let comma = "{\"mcpServers\": {\"ä\": {\"command\": \"x\",}}}";
    assert_eq!(at(json(comma)), ((1, 37), "detect::parse::invalid_json"));
    assert_eq!(at(json("")), ((1, 1), "detect::parse::invalid_json"));
    assert_eq!(jsonc("").error, None);
    assert_eq!(at(json("{\"a\": \"tab\there\"}")).1, "detect::parse::invalid_json");
    assert_eq!(at(json("{\"a\": 1} x")).1, "detect::parse::invalid_json");
    assert_eq!(at(toml("[a]\nb = \n")), ((2, 5), "detect::parse::invalid_toml"));
    assert_eq!(at(toml("[a]\nb = 1\nb = 2\n")).1, "detect::parse::invalid_toml");
    assert_eq!(at(yaml("a: [1\nb: 2\n")).1, "detect::parse::invalid_yaml");
    assert_eq!(at(yaml("a: 1\na: 2\n")).1, "detect::parse::invalid_yaml");
    let utf16 = Disk::new();
    let source = utf16.source("claude-code", "@/.mcp.json");
    let parsed = crate::detect::parse(&source, b"{\n\xff\xfe}", &utf16.machine());
    assert_eq!(parsed.error, Some(ParseError::NotUtf8 { line: 2, column: 1 }));
}

#[test]
fn what_is_no_map_of_servers_is_named() {
    let error = json("{\"mcpServers\": [1]}").error.unwrap();
    assert_eq!(error.code(), "detect::parse::wrong_shape");
    assert!(error.to_string().contains("`mcpServers` is a list"), "{error}");
    for text in ["[]", "1", "null", "{}", "{\"mcpServers\": null}"] {
        assert_eq!(json(text).error, None, "{text}");
    }
}
