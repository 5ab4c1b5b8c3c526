//! Results as users of `cargo test` know them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::super::case::{CaseResult, Failure, shown};
use super::diff::diff;
use crate::report::numbers::counted;

/// Whether results are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// Green.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Red.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `running 3 tests`
pub fn headline(cases: usize) -> String {
    format!("running {}\n", counted(cases as u64, "test", "tests"))
}

/// `test name ... ok`
pub fn line(result: &CaseResult, paint: Paint) -> String {
    let verdict = if result.passed() { paint.good("ok") } else { paint.bad("FAILED") };
    format!("test {} ... {verdict}\n", name(result))
}

/// The name of a case, safe to print.
pub(super) fn name(result: &CaseResult) -> String {
    if result.name.is_empty() {
        format!("(line {})", result.at.line)
    } else {
        shown(result.name.as_bytes()).replace('\n', "\\n")
    }
}

/// What was otherwise than expected, by case; nothing if all was well.
pub fn failures(suite: &Path, results: &[CaseResult], paint: Paint) -> String {
    let mut out = String::new();
    let failed: Vec<&CaseResult> = results.iter().filter(|result| !result.passed()).collect();
    if failed.is_empty() {
        return out;
    }
    out.push_str("\nfailures:\n");
    for result in &failed {
        let _ = writeln!(out, "\n---- {} ----", name(result));
        for failure in &result.failures {
            out.push_str(&one(suite, failure, paint));
        }
        if let Some(crash) = &result.crash {
            let _ = writeln!(out, "{}:{}: {}", suite.display(), result.at, printable(crash));
        }
        if !result.log.is_empty() {
            out.push_str("the plugin logged\n");
            for line in &result.log {
                let _ = writeln!(out, "  {}", printable(line));
            }
        }
    }
    out.push_str("\nfailures:\n");
    for result in &failed {
        let _ = writeln!(out, "    {}", name(result));
    }
    out
}

/// One failure: place, part, what, and the difference.
pub(super) fn one(suite: &Path, failure: &Failure, paint: Paint) -> String {
    let mut out = String::new();
    let (at, part, what) = (failure.at, &failure.part, printable(&failure.what));
    let _ = write!(out, "{}:{at}: {part}: {what}", suite.display());
    if let Some(difference) = &failure.difference {
        out.push_str(" differs\n");
        out.push_str(&diff(&difference.expected, &difference.actual, paint));
    } else {
        out.push('\n');
    }
    out
}

/// Text of a plugin, without what a terminal would act on.
fn printable(text: &str) -> String {
    shown(text.as_bytes())
}

/// `test result: ok. 3 passed; 0 failed; 1 filtered out; finished in 0.02s`
pub fn verdict(
    results: &[CaseResult],
    filtered_out: usize,
    took: Duration,
    paint: Paint,
) -> String {
    let passed = results.iter().filter(|result| result.passed()).count();
    let failed = results.len() - passed;
    let verdict = if failed == 0 { paint.good("ok") } else { paint.bad("FAILED") };
    format!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {filtered_out} filtered out; \
         finished in {:.2}s\n",
        took.as_secs_f64()
    )
}
