//! Results as JSON.

use std::path::Path;

use serde::Serialize;

use super::super::bench::Bench;
use super::super::case::CaseResult;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    suite: String,
    passed: usize,
    failed: usize,
    cases: Vec<Case<'a>>,
}

#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    line: usize,
    passed: bool,
    took_ns: u64,
    failures: Vec<Failure<'a>>,
    crash: Option<&'a str>,
    log: &'a [String],
    bench: Option<&'a Bench>,
}

#[derive(Serialize)]
struct Failure<'a> {
    line: usize,
    part: &'a str,
    what: &'a str,
    expected: Option<&'a str>,
    actual: Option<&'a str>,
}

/// All results, indented, with a line feed at the end.
pub fn json(suite: &Path, results: &[CaseResult]) -> String {
    let cases = results.iter().map(|result| Case {
        name: &result.name,
        line: result.at.line,
        passed: result.passed(),
        took_ns: u64::try_from(result.took.as_nanos()).unwrap_or(u64::MAX),
        failures: result
            .failures
            .iter()
            .map(|failure| Failure {
                line: failure.at.line,
                part: &failure.part,
                what: &failure.what,
                expected: failure.difference.as_ref().map(|difference| &*difference.expected),
                actual: failure.difference.as_ref().map(|difference| &*difference.actual),
            })
            .collect(),
        crash: result.crash.as_deref(),
        log: &result.log,
        bench: result.bench.as_ref(),
    });
    let passed = results.iter().filter(|result| result.passed()).count();
    let report = Report {
        schema: 1,
        suite: suite.display().to_string(),
        passed,
        failed: results.len() - passed,
        cases: cases.collect(),
    };
    let json = serde_json::to_string_pretty(&report);
    let mut json = json.expect("keys are strings, and memory takes every write");
    json.push('\n');
    json
}
