//! JSON as careless relays spoil it: as text, since no value can hold it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// White space that may stand between two tokens of a line.
pub(super) fn gap() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(""), 1 => select(vec![" ", "\t", "   ", " \r ", "\r\t"])]
}

/// A name of a member, quotes included, that an unwary reader takes for another one.
fn name() -> impl Strategy<Value = String> {
    let odd = select(vec![
        r#""id""#,
        r#""\u0069d""#,
        r#""method""#,
        r#""params""#,
        r#""result""#,
        r#""requestId""#,
        r#""progressToken""#,
        r#""_meta""#,
        r#""jsonrpc""#,
        r#""io.modelcontextprotocol/subscriptionId""#,
        r#""""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""ключ""#,
        r#""a\"b\\""#,
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "\"[a-z]{1,6}\""]
}

/// A string, quotes included; some are large.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        select(vec![
            r"\u0000",
            r"\ud83d\ude00",
            r"\ud800",
            r"\udc00",
            r"\/",
            "/",
            r"\u00e9",
            "é",
            r"\\",
            r#"\""#,
            r"\u2028",
            "\u{2028}",
            "\u{7f}",
            "{",
            "]",
            ",",
            r"\b\f\n\r\t",
            "\u{feff}",
            "\u{1f600}",
            "id",
            r"\u005C",
        ])
        .prop_map(str::to_owned),
        "[ -!#-\\[\\]-~]{0,8}",
    ];
    let small = vec(part.clone(), 0..5).prop_map(|parts| format!("\"{}\"", parts.concat()));
    // Up to a mebibyte, made of one part over and over.
    let large = (part, 1usize..1 << 20).prop_map(|(part, size)| {
        let times = size / part.len().max(1);
        format!("\"{}\"", part.repeat(times))
    });
    prop_oneof![200 => small, 1 => large]
}

fn number() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "0",
        "-0",
        "1.0",
        "1e2",
        "1E+2",
        "1e400",
        "-1e-400",
        "0.1e1",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "3.141592653589793238462643383279",
        "0.0",
        "-0.0e-0",
    ]);
    prop_oneof![
        odd.prop_map(str::to_owned),
        "-?[1-9][0-9]{0,40}",
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Any value.
pub(super) fn value() -> impl Strategy<Value = String> {
    let plain = select(vec!["null", "true", "false", "{}", "[]", "[ ]", "{ }"]).prop_map(str::to_owned);
    let leaf = prop_oneof![plain, number(), string()];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let array = (vec(inner.clone(), 1..5), gap(), gap()).prop_map(|(items, before, after)| {
            format!("[{before}{}{after}]", items.join(&format!("{after},{before}")))
        });
        let object = (vec((name(), inner), 1..5), gap(), gap()).prop_map(|(members, before, after)| {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{before}{name}{after}:{before}{value}{after}")).collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![array, object]
    })
}

/// Members that are none of `taken`, however they are spelled.
pub(super) fn members(taken: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, String)>> {
    let free = name().prop_filter("taken", |name| {
        let plain: String = serde_json::from_str(name).unwrap_or_default();
        !taken.contains(&plain.as_str())
    });
    vec((free, value()), 0..4)
}

/// A raw id: a string or a number, in any spelling.
pub(super) fn id() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "7",
        "\"7\"",
        "0",
        "-7",
        "7.0",
        "7e0",
        "\"\"",
        r#""\u0037""#,
        r#""\ud800""#,
        "99999999999999999999999",
        r#""a\/b""#,
        "9007199254740993",
        "\"ü\"",
        "18446744073709551615",
    ]);
    odd.prop_map(str::to_owned)
}
