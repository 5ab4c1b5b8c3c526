//! Just enough YAML to write files that people read: scalars, and JSON values as blocks.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::Value;

/// A text as a scalar on one line: plain where nobody could read anything else in it, and in double
/// quotes otherwise.
pub(super) fn scalar(text: &str) -> Cow<'_, str> {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-./".contains(&c))
        && !is_word(text);
    if plain || text.parse::<Ipv4Addr>().is_ok() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(quoted(text))
    }
}

/// A text that spans lines as a literal block, where that is the same text, and as [`scalar`]
/// otherwise. `indent` is that of the block's lines.
pub(super) fn text(text: &str, indent: usize) -> String {
    let (content, head) = match text.strip_suffix('\n') {
        Some(content) => (content, "|"),
        None => (text, "|-"),
    };
    let block = content.contains('\n')
        && !content.contains(|c: char| c != '\n' && needs_escape(c))
        && !content.starts_with([' ', '\n'])
        && !content.ends_with('\n')
        && content.lines().all(|line| line.is_empty() || !line.trim().is_empty());
    if !block {
        return scalar(text).into_owned();
    }
    let mut out = head.to_owned();
    for line in content.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

/// A JSON value behind a key or a dash, with what has to stand before it: ` scalar`, or a block
/// whose lines have `indent`.
pub(super) fn value(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write_value(&mut out, value, indent);
    out
}

fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                line(out, indent);
                out.push_str(&scalar(key));
                out.push(':');
                write_value(out, value, indent + 2);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                line(out, indent);
                out.push('-');
                write_item(out, value, indent + 2);
            }
        }
        Value::String(content) => {
            out.push(' ');
            out.push_str(&text(content, indent));
        }
        Value::Number(number) => {
            out.push(' ');
            out.push_str(&self::number(&number.to_string()));
        }
        // Booleans, null and what is empty are the same in YAML.
        other => {
            // Writing to a string cannot fail.
            let _ = write!(out, " {other}");
        }
    }
}

/// The first line of a block stands behind its dash.
fn write_item(out: &mut String, value: &Value, indent: usize) {
    let mut item = String::new();
    write_value(&mut item, value, indent);
    match item.strip_prefix('\n') {
        Some(block) => {
            out.push(' ');
            out.push_str(block.trim_start_matches(' '));
        }
        None => out.push_str(&item),
    }
}

/// A number in digits: with an exponent, YAML 1.1 wants a point and a sign as well.
fn number(digits: &str) -> String {
    let Some((digits, exponent)) = digits.split_once('e') else { return digits.to_owned() };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

fn line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Words that are no text in YAML 1.1 or 1.2, in any case.
fn is_word(text: &str) -> bool {
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A text in double quotes, with escapes that YAML and JSON have in common.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // None of those beyond the first plane needs to be escaped.
            c if needs_escape(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What a YAML file must not hold, and what some readers take for the end of a line.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;

    /// What a YAML parser makes of a document.
    pub(crate) fn parse(document: &str) -> Value {
        let documents = YamlLoader::load_from_str(document)
            .unwrap_or_else(|error| panic!("{error}: {document}"));
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
}
