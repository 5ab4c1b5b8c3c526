//! What valgrind's `dh_view.js` asks of a file before it shows it, and what its tree takes for
//! granted.

use std::collections::BTreeSet;

use serde_json::Value;

fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "the field {field} is missing: {object}");
    }
}

/// `buildTree`, `checkPP` and the assertions of `TreeNode`, of a file without access counts.
pub fn check(file: &Value) {
    has(file, &["dhatFileVersion", "mode", "verb", "bklt", "bkacc", "tu", "Mtu", "cmd", "pid"]);
    has(file, &["te", "pps", "ftbl"]);
    assert_eq!(file["dhatFileVersion"], 2);
    assert_eq!(file["bkacc"], false);
    let lives = file["bklt"].as_bool().unwrap();
    if lives {
        has(file, &["tg", "tuth"]);
        assert!(file["tg"].as_u64().unwrap() <= file["te"].as_u64().unwrap());
    }
    let frames = file["ftbl"].as_array().unwrap();
    assert_eq!(frames[0], "[root]");
    assert!(frames.iter().all(|frame| !frame.as_str().unwrap().contains('\n')));
    let mut stacks = BTreeSet::new();
    for point in file["pps"].as_array().unwrap() {
        has(point, &["tb", "tbk", "fs"]);
        let number = |field: &str| point[field].as_u64().unwrap();
        if lives {
            has(point, &["tl", "mb", "mbk", "gb", "gbk", "eb", "ebk"]);
            for (bytes, blocks) in [("mb", "mbk"), ("gb", "gbk"), ("eb", "ebk")] {
                assert!(number(bytes) <= number("tb") && number(blocks) <= number("tbk"));
            }
            assert!(number("gb") <= number("mb") && number("eb") <= number("mb"));
        }
        let stack: Vec<_> =
            point["fs"].as_array().unwrap().iter().map(|frame| frame.as_u64().unwrap()).collect();
        assert!(!stack.is_empty());
        assert!(stack.iter().all(|frame| (1..frames.len() as u64).contains(frame)), "{stack:?}");
        // "Leaf nodes should only be added to once."
        assert!(stacks.insert(stack), "a call stack is there twice: {point}");
    }
}
