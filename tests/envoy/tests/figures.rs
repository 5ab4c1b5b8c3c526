//! That the results of the bench in Envoy are whole, and that pages quote what they say.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeSet;
use std::{env, fs};

use chunkwise_tests::root;
use envoy_tests::figures::{AGAIN, NONE, Row, page, parse, publish, quoted};

const MEASURE: &str = "measure anew: cargo bench-envoy --write";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows() -> Vec<Row> {
    parse(&read("results/envoy.csv")).unwrap()
}

/// An example that grows without end: what it costs is nobody's question.
const LEAKS: &str = "leaky";

/// Examples that a stock Envoy runs: those with a bootstrap.
fn examples() -> BTreeSet<String> {
    let folders = fs::read_dir(root().join("examples")).unwrap().map(Result::unwrap);
    let of_envoy = folders.filter(|folder| folder.path().join("envoy.yaml").is_file());
    let names = of_envoy.map(|folder| folder.file_name().into_string().unwrap());
    names.filter(|name| name != LEAKS).collect()
}

#[test]
fn every_example_was_measured_in_one_run_against_no_plugin() {
    let rows = rows();
    let measured: BTreeSet<_> = rows.iter().map(|row| row.plugin.clone()).collect();
    let missing: Vec<_> = examples().difference(&measured).cloned().collect();
    assert!(missing.is_empty(), "not measured: {missing:?}; {MEASURE}");
    assert!(measured.contains("Lua"));
    let first = &rows[0];
    for row in &rows {
        assert_eq!(row.failed, 0, "{} under {}", row.plugin, row.traffic);
        assert!(row.rounds >= 5 && row.answers > row.rounds, "{}", row.plugin);
        let run =
            |row: &Row| (row.rounds, row.envoy.clone(), row.machine.clone(), row.date.clone());
        assert_eq!(run(row), run(first));
        assert_eq!(row.bench_host.is_some(), examples().contains(&row.plugin), "{}", row.plugin);
    }
    for group in rows.chunk_by(|one, other| one.traffic == other.traffic) {
        let plugins: Vec<_> = group.iter().map(|row| row.plugin.as_str()).collect();
        assert_eq!(plugins[0], NONE, "{}", group[0].traffic);
        assert_eq!((group[0].cpu.low, group[0].cpu.high), (1.0, 1.0));
        assert!(plugins.contains(&AGAIN), "{}", group[0].traffic);
        let once: BTreeSet<_> = plugins.iter().collect();
        assert_eq!(once.len(), plugins.len(), "{plugins:?}");
    }
}

#[test]
fn the_page_is_made_of_the_file_and_documentation_quotes_it() {
    let rows = rows();
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        publish(&root(), &rows).unwrap();
    }
    let accept = "UPDATE_DOCS=1 cargo test -p chunkwise-envoy-tests --test figures";
    let page = page(&rows);
    assert!(read("results/envoy.md") == page, "results/envoy.md says otherwise; {accept}");
    let shown = read("docs/gateway.md");
    assert!(quoted(&shown).unwrap().trim() == page.trim(), "docs/gateway.md does so; {accept}");
}
