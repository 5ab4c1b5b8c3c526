//! Attributes written and read back, as the access log and its readers do.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// What a reader gets: the access log's line is JSON, and a string in it is JSON again.
fn read(written: &[u8]) -> Map<String, Value> {
    let line = [b"{\"custom_log\":\"", written, b"\"}"].concat();
    let line: Value = serde_json::from_slice(&line).unwrap();
    serde_json::from_str(line["custom_log"].as_str().unwrap()).unwrap()
}

fn written(attributes: &Attributes, existing: &[u8]) -> Vec<u8> {
    let mut out = b"left over".to_vec();
    attributes.merged(existing, &mut out).unwrap();
    out
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn values_keep_their_types() {
    let mut attributes = Attributes::new();
    attributes.set("text", "12345");
    attributes.set("count", u64::MAX);
    attributes.set("less", -1);
    attributes.set("yes", true);
    attributes.set("tree", json!({"a": [1, null]}));
    attributes.set_f64("float", 0.5).unwrap();
    attributes.set_json("list", &["a", "b"]).unwrap();
    let expected = json!({
        "text": "12345", "count": u64::MAX, "less": -1, "yes": true, "tree": {"a": [1, null]},
        "float": 0.5, "list": ["a", "b"],
    });
    assert_eq!(read(&written(&attributes, b"")), map(&expected));
    assert_eq!(attributes.len(), 7);
}

#[test]
fn a_name_has_one_value() {
    let mut attributes = Attributes::new();
    attributes.set("b", 1);
    attributes.set("a", 2);
    attributes.set(String::from("b"), "3");
    let all: Vec<_> = attributes.iter().map(|(name, value)| format!("{name} {value}")).collect();
    assert_eq!(all, ["a 2", "b 3"]);
    assert_eq!(attributes.get("b"), Some(&"3".into()));
    assert_eq!(attributes.remove("b"), Some("3".into()));
    assert_eq!((attributes.remove("b"), attributes.get("b"), attributes.len()), (None, None, 1));
    attributes.clear();
    assert!(attributes.is_empty());
}

#[test]
fn what_json_cannot_say_is_refused() {
    let mut attributes = Attributes::new();
    attributes.set("a", 1);
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = attributes.set_f64("a", number).unwrap_err();
        assert!(matches!(error, AttributeError::NotFinite), "{error}");
    }
    let error = attributes.set_json("a", &HashMap::from([([1], 2)]));
    assert!(matches!(error, Err(AttributeError::NotJson(_))), "{error:?}");
    assert_eq!(attributes.get("a"), Some(&1.into()));
}

#[test]
fn every_byte_is_escaped_right() {
    for byte in 0..=255 {
        let mut attributes = Attributes::new();
        attributes.set("bytes", &[byte]);
        attributes.set("char", char::from(byte).to_string());
        attributes.set(char::from(byte).to_string(), "name");
        let out = written(&attributes, b"");
        let bytes = match byte {
            b'\\' => r"\\".to_owned(),
            0x80.. => format!(r"\x{byte:02x}"),
            _ => char::from(byte).to_string(),
        };
        let char = char::from(byte).to_string();
        assert_eq!(read(&out), map(&json!({"bytes": bytes, "char": char, char.clone(): "name"})));
        assert!(out.iter().all(|byte| *byte >= 0x20), "no control character in a line of a log");
        assert_eq!(written(&attributes, &out), out);
    }
}

#[test]
fn what_is_no_object_is_replaced() {
    let mut attributes = Attributes::new();
    attributes.set("a", 1);
    let mut out = Vec::new();
    assert_eq!(attributes.merged_or_alone(br#"{\"b\":2}"#, &mut out), Ok(()));
    assert_eq!(out, br#"{\"a\":1,\"b\":2}"#);
    assert_eq!(attributes.merged_or_alone(b"[]", &mut out), Err(MergeError::NotAnObject));
    assert_eq!(out, br#"{\"a\":1}"#);
    assert_eq!(attributes.merged_or_alone(b"\"", &mut out), Err(MergeError::NotEscaped));
    assert_eq!(out, br#"{\"a\":1}"#);
}

#[test]
fn each_attribute_is_a_tag_until_one_is_refused() {
    let mut attributes = Attributes::new();
    attributes.set("user", "12\"345");
    attributes.set("empty", "");
    attributes.set("tokens", 17);
    let mut tags = Vec::new();
    let result = attributes.tags(|property, value| {
        tags.push(format!("{property}={}", String::from_utf8_lossy(value)));
        Ok(())
    });
    assert_eq!(result, Ok(()));
    let expected =
        ["trace_span_tag.empty=", "trace_span_tag.tokens=17", "trace_span_tag.user=12\"345"];
    assert_eq!(tags, expected);

    let mut calls = 0;
    let result = attributes.tags(|_, _| {
        calls += 1;
        Err(crate::Error::BodyReleased)
    });
    assert_eq!((result, calls), (Err(crate::Error::BodyReleased), 1));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"\\\\\u{0}-\u{20}<>&/\u{7f}-\u{a0}\u{2028}\u{1f980}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec(("([a-c]|\"|\\\\|\u{0}|\u{1f980}){0,2}", value()), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plugins_after_each_other_make_one_map(plugins in prop::collection::vec(fields(), 0..4)) {
        let (mut log, mut expected) = (Vec::new(), Map::new());
        for fields in plugins {
            let mut attributes = Attributes::new();
            for (name, value) in fields {
                expected.insert(name.clone(), value.clone());
                attributes.set(name, value);
            }
            log = written(&attributes, &log);
            prop_assert_eq!(&read(&log), &expected);
        }
    }

    #[test]
    fn whatever_is_there_nothing_breaks(existing in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut attributes = Attributes::new();
        attributes.set("a", 1);
        let mut out = Vec::new();
        let _ = attributes.merged_or_alone(&existing, &mut out);
        prop_assert_eq!(&read(&out)["a"], &json!(1));
    }
}
