//! What the README shows is what the commands print.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-host"))
        .arg("demo")
        .current_dir(root())
        .output()
        .expect("the binary was built for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("the table is text");
    let readme = readme();
    let shown = between(&readme, "$ cargo bench-host demo\n", "```");
    assert_eq!(
        without_times(&printed),
        without_times(shown),
        "put this into README.md:\n{printed}"
    );
}

#[test]
fn the_comparison_is_the_one_that_was_measured() {
    let measured = fs::read_to_string(root().join("results/peers.md")).expect("it is committed");
    let readme = readme();
    let shown = between(&readme, "<!-- peers -->\n", "<!-- /peers -->");
    assert_eq!(shown.trim(), measured.trim(), "put results/peers.md into README.md");
}

/// Lines without times, the machine's name, and the white space that depends on them.
fn without_times(text: &str) -> Vec<String> {
    let units = ["ns", "µs", "ms", "s", "ns,", "µs,", "ms,", "s,"];
    let lines = text.lines().filter(|line| !line.starts_with('─') && !line.is_empty());
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["host", rest @ ..] = &words[..] {
                return rest[..3].join(" ");
            }
            let is_time = |at: usize| {
                words.get(at + 1).is_some_and(|unit| units.contains(unit))
                    && words[at].parse::<f64>().is_ok()
            };
            let kept = (0..words.len())
                .filter(|&at| !is_time(at) && !(at > 0 && is_time(at - 1)))
                .map(|at| words[at]);
            kept.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).expect("the README has this block");
    rest.split_once(end).expect("the block ends").0
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the README is there")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
