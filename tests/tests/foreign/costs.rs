//! What the same plugin costs in each language; `docs/foreign.md` shows it.
//!
//! A row is compared only where its compiler is the one that the document names: another one
//! makes another module.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};

use bench_host::measure::Phase;
use chunkwise_tests::root;

use crate::build::{Built, built};
use crate::languages::{ALL, Language};
use crate::replayed::run;
use crate::start::start;

const ACCEPT: &str = "UPDATE_BASELINES=1 cargo test -p chunkwise-tests --test foreign";

const HEAD: &str = "\
| plugin | ABI | compiler | module bytes | fuel to start | fuel a changed chunk | fuel a passed \
chunk | host calls a changed chunk | pages at first | pages at the end |
| ------ | --- | -------- | -----------: | ------------: | -------------------: | ---------------\
---: | -------------------------: | -------------: | ---------------: |
";

#[test]
fn they_cost_what_the_documentation_says() {
    let path = root().join("docs/foreign.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(HEAD).expect("the head of the table is in there");
    let (table, after) = rest.split_once("\n\n").expect("an empty line ends the table");
    let documented = |name: &str| {
        let start = format!("| {name} |");
        table.lines().find(|line| line.starts_with(&start)).map(str::to_owned)
    };

    let mut rows = String::new();
    let mut differences = String::new();
    for language in ALL {
        let old = documented(language.name);
        let Some(built) = built(language) else {
            rows.extend(old.map(|old| old + "\n"));
            continue;
        };
        let row = row(language, &built);
        writeln!(rows, "{row}").unwrap();
        let old = old.unwrap_or_default();
        if old != row && old.contains(&format!("| {} |", built.compiler)) {
            writeln!(differences, "- {old}\n+ {row}").unwrap();
        } else if old != row {
            let note = format!("not compared: {}, built by {}", language.name, built.compiler);
            writeln!(io::stderr(), "{note}; docs/foreign.md says\n{old}").unwrap();
        }
    }
    println!("{HEAD}{rows}");
    if env::var_os("UPDATE_BASELINES").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}{HEAD}{rows}\n{after}")).unwrap();
        return;
    }
    assert!(
        differences.is_empty(),
        "docs/foreign.md says something else (without RUSTFLAGS?):\n{differences}to accept it: \
         {ACCEPT}"
    );
}

/// The row of a language: sizes, and counts that are the same on every machine.
fn row(language: &Language, built: &Built) -> String {
    let facts = &built.module.facts;
    let (started, _) = start(built);
    let run = run(built, 1, None);
    let per_call = |phase, count: u64| count / run.ledger.phase(phase).calls;
    let fuel = |phase| per_call(phase, run.ledger.phase(phase).fuel.unwrap());
    let host_calls = run.ledger.host_calls(Phase::RequestBody).values().sum::<u64>() as f64
        / run.ledger.phase(Phase::RequestBody).calls as f64;
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {host_calls:.2} | {} | {} |",
        language.name,
        language.abi,
        built.compiler,
        grouped(facts.bytes),
        grouped(started.fuel.unwrap()),
        grouped(fuel(Phase::RequestBody)),
        grouped(fuel(Phase::ResponseBody)),
        grouped(run.heap.pages_initial),
        grouped(run.heap.pages_final),
    )
}

/// A number with a space before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}
