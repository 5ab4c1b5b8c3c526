use proptest::prelude::*;
use serde_json::json;
use yaml_rust2::{Yaml, YamlLoader};

use super::*;

/// What a YAML parser makes of a document.
pub(crate) fn parse(document: &str) -> Value {
    let documents =
        YamlLoader::load_from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    assert_eq!(documents.len(), 1, "{document}");
    to_json(&documents[0])
}

fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(truth) => Value::from(*truth),
        Yaml::Integer(integer) => Value::from(*integer),
        Yaml::Real(real) => Value::from(real.parse::<f64>().unwrap()),
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Array(list) => list.iter().map(to_json).collect(),
        Yaml::Hash(map) => {
            let entries = map.iter().map(|(key, value)| {
                (key.as_str().expect("keys are texts").to_owned(), to_json(value))
            });
            Value::Object(entries.collect())
        }
        other => panic!("{other:?} is not JSON"),
    }
}

/// What is read of something behind a key.
fn read(yaml: &str) -> Value {
    let document = format!("key:\n  inner:{yaml}\n  after: 1\n");
    let read = parse(&document);
    assert_eq!(read["key"]["after"], 1, "{document}");
    read["key"]["inner"].clone()
}

#[test]
fn odd_texts_are_read_as_they_were() {
    for odd in [
        "",
        " ",
        "a",
        "a b",
        "a: b",
        "a #b",
        "#",
        "- a",
        "-",
        "?",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "'a'",
        "\"a\"",
        "\\",
        "a\\n",
        "[a]",
        "{a}",
        "a,b",
        "null",
        "Null",
        "~",
        "true",
        "No",
        "y",
        "1",
        "1.0",
        "0x10",
        "1e3",
        ".inf",
        "12:30:45",
        "2026-01-01",
        "=",
        "<<",
        "...",
        "---",
        "a\tb",
        "\t",
        "ä",
        "日本",
        "😀",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{1b}[31m",
        "\r",
        "a\r\nb",
        "\n",
        "a\n",
        "a\nb",
        "a\nb\n",
        "a\n\nb\n",
        "a\n\n",
        "\na",
        " a\nb",
        "a\n  b\n c\n",
        "a\n  \nb",
        "a\n\t\nb",
        "a: |\n  b #c\n",
        "{\n}\n",
        "127.0.0.1",
        "oci://a/b:1",
        "/x/y_z.wasm",
    ] {
        assert_eq!(read(&format!(" {}", scalar(odd))), odd, "{odd:?} as a scalar");
        assert_eq!(read(&format!(" {}", text(odd, 4))), odd, "{odd:?} as a text");
    }
}

#[test]
fn what_needs_no_quotes_has_none() {
    for plain in ["a", "a-b", "examples/a_b.wasm", "/a", "127.0.0.1"] {
        assert_eq!(scalar(plain), plain);
    }
    assert_eq!(scalar("a:b"), "\"a:b\"");
    assert_eq!(scalar("yes"), "\"yes\"");
    assert_eq!(text("{\n  \"a\": 1\n}\n", 4), "|\n    {\n      \"a\": 1\n    }");
}

#[test]
fn values_are_blocks() {
    let tree = json!({
        "list": [1, "two", null, [], {}, [true, [1]], { "a": 1, "b": { "c": "d" } }],
        "text": "a\nb\n",
        "e": 1e-7,
    });
    assert_eq!(read(&value(&tree, 4)), tree);
    insta::assert_snapshot!(value(&tree, 0).trim_start(), @r"
    e: 1.0e-7
    list:
      - 1
      - two
      - null
      - []
      - {}
      - - true
        - - 1
      - a: 1
        b:
          c: d
    text: |
      a
      b
    ");
}

#[test]
fn numbers_stay_numbers_for_every_reader() {
    for (written, read) in [("1e100", "1.0e+100"), ("1.5e-7", "1.5e-7"), ("-3", "-3")] {
        assert_eq!(number(written), read);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~\n\t]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[ -~\n]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_read_as_it_was(tree in any_value()) {
        prop_assert_eq!(read(&value(&tree, 4)), tree);
    }

    #[test]
    fn any_text_is_read_as_it_was(odd in "[ -~\n\t\u{85}\u{2028}é😀]{0,24}") {
        prop_assert_eq!(read(&format!(" {}", text(&odd, 4))), odd);
    }
}
