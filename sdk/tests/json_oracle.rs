//! `chunkwise::stream::RawJson` against a tree of the whole document.

use chunkwise::stream::RawJson;
use proptest::prelude::*;
use serde_json::Value;

/// Step by step through the tree.
fn oracle<'a>(document: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, step| match value {
        Value::Object(fields) => fields.get(*step),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .find_map(|(at, value)| (at.to_string() == *step).then_some(value)),
        _ => None,
    })
}

/// Compares a value, what it reads as included.
fn same(found: Option<RawJson<'_>>, expected: Option<&Value>) {
    let context = format!("{found:?} {expected:?}");
    let (Some(found), Some(expected)) = (found, expected) else {
        assert!(found.is_none() && expected.is_none(), "{context}");
        return;
    };
    assert_eq!(serde_json::from_str::<Value>(found.raw()).ok().as_ref(), Some(expected));
    assert_eq!(found.as_str().as_deref(), expected.as_str(), "{context}");
    assert_eq!(found.as_u64(), expected.as_u64(), "{context}");
    assert_eq!(found.as_i64(), expected.as_i64(), "{context}");
    assert_eq!(found.as_f64(), expected.as_f64(), "{context}");
    assert_eq!(found.as_bool(), expected.as_bool(), "{context}");
    assert_eq!(found.is_null(), expected.is_null(), "{context}");
}

const NAMES: [&str; 7] = ["a", "b", "0", "1", "", "\"\\\n", "\u{1f980}"];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-999..999_i32).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        any::<String>().prop_map(Value::from),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_path_in_any_document(
        document in document(),
        paths in prop::collection::vec(prop::collection::vec(prop::sample::select(&NAMES[..]), 0..5), 1..8),
        pretty in any::<bool>(),
    ) {
        let json = match pretty {
            true => serde_json::to_vec_pretty(&document),
            false => serde_json::to_vec(&document),
        };
        let json = json.unwrap();
        for path in &paths {
            same(RawJson::find(&json, path), oracle(&document, path));
        }
        let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
        let first = paths.iter().find_map(|path| oracle(&document, path));
        same(RawJson::find_first(&json, &paths), first);
    }

    #[test]
    fn what_is_almost_json_is_refused_as_the_tree_refuses_it(
        json in "([\\[\\]{},:]|\"a\"|\"b|\\\\n|\"|1|-|true|nul|e| ){0,12}",
    ) {
        let tree: Option<Value> = serde_json::from_str(&json).ok();
        same(RawJson::find(json.as_bytes(), &[]), tree.as_ref());
        for path in [["a"], ["0"], ["1"]] {
            let expected = tree.as_ref().and_then(|tree| oracle(tree, &path));
            same(RawJson::find(json.as_bytes(), &path), expected);
        }
    }

    #[test]
    fn a_document_that_was_cut_has_no_values(
        document in prop::collection::btree_map(name(), document(), 1..5),
        at in any::<prop::sample::Index>(),
    ) {
        let json = serde_json::to_vec(&document).unwrap();
        let cut = &json[..at.index(json.len())];
        for name in document.keys() {
            prop_assert_eq!(RawJson::find(cut, &[name]), None);
        }
    }
}
