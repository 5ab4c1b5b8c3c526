//! How long the plugins of the page are, beside those in Go.
//!
//! The lines of the samples in Go are counted from the samples themselves where they lie beside
//! the checkout; none of their text is kept here, only their numbers in `docs/patterns.csv`.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::{env, fs};

use chunkwise_tests::{markdown, root};

use crate::count::{go_lines, rust_lines};

/// A section of the page, and what its row of the table says.
struct Pattern {
    heading: &'static str,
    /// The sample's file and heading; `None` where there is none.
    sample: Option<(&'static str, &'static str)>,
    host: &'static str,
    difference: &'static str,
}

const GUIDE: &str = "advanced-patterns.txt";
const ARTICLE: &str = "response-headers-in-body-phase.txt";

const PATTERNS: [Pattern; 13] = [
    Pattern {
        heading: "Streaming body processing",
        sample: Some((GUIDE, "Streaming Body Processing")),
        host: "any",
        difference: "finds matches across chunks; writes back only what changed",
    },
    Pattern {
        heading: "Buffered body processing",
        sample: Some((GUIDE, "Buffered Body Processing")),
        host: "any",
        difference: "sees empty bodies and those with trailers; refuses what is no JSON",
    },
    Pattern {
        heading: "Paused streamed response with calls",
        sample: None,
        host: "any",
        difference: "a loop instead of a queue and two flags; loses nothing when a call fails",
    },
    Pattern {
        heading: "Route call",
        sample: Some((GUIDE, "Route Call Pattern")),
        host: "Higress, or Envoy with an option",
        difference: "holds the headers; checks before it changes; sees every kind of response",
    },
    Pattern {
        heading: "Periodic tasks",
        sample: Some((GUIDE, "Tick Functions (Periodic Tasks)")),
        host: "any",
        difference: "any period, no drift, begun anywhere",
    },
    Pattern {
        heading: "Leader election",
        sample: Some((GUIDE, "Leader Election")),
        host: "any",
        difference: "renewed by itself; never two leaders; a lease for each plugin",
    },
    Pattern {
        heading: "Plugin context storage",
        sample: Some((GUIDE, "Plugin Context Storage")),
        host: "any",
        difference: "typed fields that streams reach",
    },
    Pattern {
        heading: "Settings by rule, isolated",
        sample: Some((GUIDE, "Rule-Level Config Isolation")),
        host: "any",
        difference: "errors name rule and field; typing errors are found",
    },
    Pattern {
        heading: "Memory",
        sample: Some((GUIDE, "Memory Management")),
        host: "Higress",
        difference: "asks the host only when a limit is passed; the sample does not compile",
    },
    Pattern {
        heading: "Custom logging",
        sample: Some((GUIDE, "Custom Logging")),
        host: "Higress; any for the log alone",
        difference: "keeps what others wrote; values have types",
    },
    Pattern {
        heading: "Keeping the route",
        sample: Some((GUIDE, "Disable Re-routing")),
        host: "Higress",
        difference: "too late, and on another host, is an error",
    },
    Pattern {
        heading: "Buffer limits",
        sample: Some((GUIDE, "Buffer Limits")),
        host: "Higress",
        difference: "on another host it is an error",
    },
    Pattern {
        heading: "Header edits in the body phase",
        sample: Some((ARTICLE, "")),
        host: "Higress, or Envoy with an option",
        difference: "keeps content-length right; headers that are gone are an error",
    },
];

#[test]
fn no_pattern_is_longer_than_in_go() {
    let page = fs::read_to_string(root().join("docs/patterns.md")).unwrap();
    let plugins = markdown::plugins(&page);
    let headings: Vec<_> = PATTERNS.iter().map(|pattern| pattern.heading).collect();
    assert_eq!(plugins.iter().map(|(heading, _)| *heading).collect::<Vec<_>>(), headings);
    let known = fs::read_to_string(root().join("docs/patterns.csv")).unwrap_or_default();
    let samples = root().join("../shared/seeds");
    let counts_go = samples.is_dir();
    if !counts_go {
        // Past the test harness, which shows nothing that a passing test prints.
        let _ = writeln!(io::stderr(), "skipped: the samples in Go are not here to be counted");
    }
    let mut csv = "pattern,go_lines,our_lines\n".to_owned();
    let mut table = "| pattern | lines in Go | lines here | host | what is different |\n\
                     |---|--:|--:|---|---|\n"
        .to_owned();
    for (pattern, (_, code)) in PATTERNS.iter().zip(&plugins) {
        let ours = rust_lines(code);
        let go = match pattern.sample {
            None => None,
            Some((file, heading)) if counts_go => {
                Some(go_lines(section(&fs::read_to_string(samples.join(file)).unwrap(), heading)))
            }
            Some(_) => Some(known_lines(&known, pattern.heading)),
        };
        assert!(ours > 0, "{}", pattern.heading);
        if let Some(go) = go {
            assert!(ours <= go, "{}: {ours} lines, and {go} in Go", pattern.heading);
        }
        let Pattern { heading, host, difference, .. } = pattern;
        let go = go.map(|lines| lines.to_string());
        let anchor = heading.to_lowercase().replace(',', "").replace(' ', "-");
        csv.push_str(&format!("\"{heading}\",{},{ours}\n", go.as_deref().unwrap_or("")));
        let go = go.as_deref().unwrap_or("–");
        table.push_str(&format!(
            "| [{heading}](#{anchor}) | {go} | {ours} | {host} | {difference} |\n"
        ));
    }
    let (before, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (_, behind) = rest.split_once("<!-- /table -->").unwrap();
    let new = format!("{before}<!-- table -->\n{table}<!-- /table -->{behind}");
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(root().join("docs/patterns.md"), new).unwrap();
        fs::write(root().join("docs/patterns.csv"), csv).unwrap();
    } else {
        let how = "run `UPDATE_DOCS=1 cargo test -p chunkwise-tests --test patterns`";
        assert!(page == new, "the table of docs/patterns.md is old: {how}");
        assert!(known == csv, "docs/patterns.csv is old: {how}");
    }
}

/// Short by layout would not be short; and the lines are counted by their indentation.
#[test]
fn the_plugins_are_formatted_as_the_rest() {
    let page = fs::read_to_string(root().join("docs/patterns.md")).unwrap();
    for (heading, code) in markdown::plugins(&page) {
        let Some(formatted) = rustfmt(&code) else {
            assert!(env::var_os("CI").is_none(), "rustfmt is missing");
            let _ = writeln!(io::stderr(), "skipped: there is no rustfmt");
            return;
        };
        assert_eq!(formatted, code, "{heading}");
    }
}

fn rustfmt(code: &str) -> Option<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root().join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    rustfmt.stdin.take()?.write_all(code.as_bytes()).ok()?;
    let output = rustfmt.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The part of a document below one of the headings of the table; all of it without one.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    if heading.is_empty() {
        return document;
    }
    let (_, below) = document.split_once(&format!("\n{heading}\n")).expect("the heading is there");
    let headings = PATTERNS.iter().filter_map(|pattern| pattern.sample);
    let ends = headings.filter_map(|(_, next)| below.find(&format!("\n{next}\n")));
    &below[..ends.filter(|end| *end > 0).min().unwrap_or(below.len())]
}

/// What the table says of a sample that is not here.
fn known_lines(csv: &str, heading: &str) -> usize {
    let row = csv.lines().find_map(|row| row.strip_prefix(&format!("\"{heading}\",")));
    row.and_then(|row| row.split(',').next()?.parse().ok()).expect("docs/patterns.csv has it")
}
