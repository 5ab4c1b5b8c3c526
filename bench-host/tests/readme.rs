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
    assert!(exact(shown).len() > 8, "the README shows a table");
    assert_eq!(exact(&printed), exact(shown), "put this into README.md:\n{printed}");
}

#[test]
fn the_comparison_is_the_one_that_was_measured() {
    let measured = fs::read_to_string(root().join("results/peers.md")).expect("it is committed");
    let readme = readme();
    let shown = between(&readme, "<!-- peers -->\n", "<!-- /peers -->");
    assert_eq!(shown.trim(), measured.trim(), "put results/peers.md into README.md");
}

/// What is the same with every compiler on every machine: not times, instructions and sizes.
fn exact(text: &str) -> Vec<String> {
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| match &words[..] {
            ["traffic" | "request" | "response", ..] => Some(words.join(" ")),
            ["requests", ..] => Some(words[..8].join(" ")),
            // Host calls, bytes in and out with their units, allocations, pages.
            [phase, calls, .., a, b, c, d, e, f, g] if phase.contains('_') || *phase == "done" => {
                Some([*phase, *calls, a, b, c, d, e, f, g].join(" "))
            }
            _ => None,
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
