//! Results as JUnit XML, which every CI system reads.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::case::CaseResult;
use super::terminal::{Paint, name, one};

/// The report: a case that was otherwise than expected is a failure, one in which the plugin failed
/// an error.
///
/// # Errors
/// What the XML writer says; memory takes every write, so there should be none.
pub fn junit(suite: &Path, results: &[CaseResult]) -> Result<String, String> {
    let mut report = Report::new("bench-host");
    let title = suite.display().to_string();
    let mut cases = TestSuite::new(title.clone());
    for result in results {
        let mut case = TestCase::new(name(result), status(suite, result));
        case.set_classname(title.clone());
        case.set_time(result.took);
        if !result.log.is_empty() {
            case.set_system_out(result.log.join("\n"));
        }
        cases.add_test_case(case);
    }
    cases.set_time(results.iter().map(|result| result.took).sum());
    report.add_test_suite(cases);
    report.to_string().map_err(|error| error.to_string())
}

fn status(suite: &Path, result: &CaseResult) -> TestCaseStatus {
    if result.passed() {
        return TestCaseStatus::success();
    }
    let details: String =
        result.failures.iter().map(|failure| one(suite, failure, Paint(false))).collect();
    let (kind, message, details) = match &result.crash {
        Some(crash) => {
            let first = crash.lines().next().unwrap_or_default().to_owned();
            (NonSuccessKind::Error, first, format!("{details}{crash}"))
        }
        None => {
            let first = result.failures.first();
            let message = first.map(|failure| format!("{}: {}", failure.part, failure.what));
            (NonSuccessKind::Failure, message.unwrap_or_default(), details)
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message).set_description(details);
    status
}
