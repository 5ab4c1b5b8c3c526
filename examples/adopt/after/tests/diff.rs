//! How much adopting changes: the README shows it, and this counts it.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::path::Path;

use similar::{ChangeTag, TextDiff};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn ten_lines_are_written_and_the_readme_shows_them() {
    let (before, after) = (read("before/src/lib.rs"), read("after/src/lib.rs"));
    let diff = TextDiff::from_lines(&before, &after);
    let written = diff
        .iter_all_changes()
        .filter(|change| change.tag() == ChangeTag::Insert && !change.value().trim().is_empty());
    assert_eq!(written.count(), 10);
    let shown = diff.unified_diff().context_radius(1).to_string();
    assert!(read("README.md").contains(&shown), "the README should show:\n{shown}");
}

#[test]
fn one_dependency_takes_the_place_of_another() {
    let (before, after) = (read("before/Cargo.toml"), read("after/Cargo.toml"));
    let of = |text: &str| {
        let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
        let (dependencies, _) = rest.split_once("\n\n").unwrap();
        dependencies.to_owned()
    };
    let (before, after) = (of(&before), of(&after));
    let diff = TextDiff::from_lines(&before, &after);
    let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let changed: Vec<_> = changed.map(|change| change.value().trim().to_owned()).collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
}
