//! How many pairs were compared: the table in `results/parity.csv` and in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chunkwise_tests::root;
use envoy_tests::view;

/// What each example has to have at least, and all of them.
const FLOORS: (usize, usize) = (50, 300);

const HEAD: &str = "example,pairs";

/// Tests of one process write one after the other.
static FILE: Mutex<()> = Mutex::new(());

/// Compares a count with the table, or with `UPDATE_BASELINES=1` writes it down.
#[track_caller]
pub fn check(example: &str, pairs: usize) {
    let _file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rows = rows();
    if std::env::var_os("UPDATE_BASELINES").is_some_and(|value| value == "1") {
        rows.insert(example.to_owned(), pairs);
        fs::write(csv(), text(&rows)).expect("a folder of the checkout");
        return;
    }
    assert_eq!(
        Some(&pairs),
        rows.get(example),
        "pairs of {example}, against results/parity.csv; to accept it: \
         UPDATE_BASELINES=1 cargo test -p chunkwise-envoy-tests --test parity"
    );
}

fn csv() -> PathBuf {
    root().join("results/parity.csv")
}

fn rows() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(csv()).unwrap_or_default();
    let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
    rows.filter_map(|(name, pairs)| Some((name.to_owned(), pairs.parse().ok()?))).collect()
}

fn text(rows: &BTreeMap<String, usize>) -> String {
    let mut text = format!("{HEAD}\n");
    for (name, pairs) in rows {
        let _ = writeln!(text, "{name},{pairs}");
    }
    text
}

fn page() -> String {
    fs::read_to_string(root().join("docs/gateway-parity.md")).expect("a page of the documentation")
}

#[test]
fn enough_is_compared() {
    let rows = rows();
    for (name, pairs) in &rows {
        assert!(*pairs >= FLOORS.0, "{name}: {pairs}");
    }
    assert!(rows.values().sum::<usize>() >= FLOORS.1);
    // Each example for a stock Envoy has its bootstrap.
    let examples = fs::read_dir(root().join("examples")).expect("examples");
    for example in examples.flatten().filter(|example| example.path().join("envoy.yaml").is_file())
    {
        let name = example.file_name().to_string_lossy().into_owned();
        assert!(rows.contains_key(&name), "{name} is not compared");
    }
}

#[test]
fn the_page_has_the_table() {
    let mut table = "| example | pairs |\n|---|---|\n".to_owned();
    let rows = rows();
    for (name, pairs) in &rows {
        let _ = writeln!(table, "| {name} | {pairs} |");
    }
    let _ = writeln!(table, "| all | {} |", rows.values().sum::<usize>());
    assert!(page().contains(&table), "docs/gateway-parity.md should have:\n\n{table}");
}

#[test]
fn the_page_names_the_headers_that_are_not_compared() {
    let list = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    for (what, names) in [
        ("requests", &view::OF_ENVOY_UPSTREAM[..]),
        ("responses", &view::OF_ENVOY_DOWNSTREAM[..]),
        ("the plugin's own calls", &view::OF_ENVOY_CALLS[..]),
        ("any message", &view::FRAMING[..]),
    ] {
        let row = format!("| {what} | {} |", list(names));
        assert!(page().contains(&row), "docs/gateway-parity.md should have:\n{row}");
    }
}
