//! What came of a case.

use std::time::Duration;

use super::bench::Bench;
use super::place::Place;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Where in the suite it stands.
    pub at: Place,
    /// What was otherwise than expected; none of it: the case passed.
    pub failures: Vec<Failure>,
    /// How the plugin failed, if it did.
    pub crash: Option<String>,
    /// What the plugin logged, for a case that failed.
    pub log: Vec<String>,
    /// How long it took.
    pub took: Duration,
    /// What it cost, where that was asked for.
    pub bench: Option<Bench>,
}

impl CaseResult {
    pub(super) fn empty(name: &str, at: Place) -> Self {
        Self {
            name: name.to_owned(),
            at,
            failures: Vec::new(),
            crash: None,
            log: Vec::new(),
            took: Duration::ZERO,
            bench: None,
        }
    }

    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.crash.is_none()
    }
}

/// Something that was otherwise than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the expectation stands.
    pub at: Place,
    /// In which part of the exchange.
    pub part: String,
    /// What it is about.
    pub what: String,
    /// What was expected and what came, where that can be compared.
    pub difference: Option<Difference>,
}

/// Two texts that should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What was expected.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl Failure {
    pub(super) fn new(at: Place, part: &str, what: impl Into<String>) -> Self {
        Self { at, part: part.to_owned(), what: what.into(), difference: None }
    }

    /// Shows two texts side by side.
    #[must_use]
    pub(super) fn between(self, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        let difference = Difference { expected: expected.into(), actual: actual.into() };
        Self { difference: Some(difference), ..self }
    }
}

/// Bytes as they are shown: text as it is, with what a terminal would act on escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => {
            let mut shown = String::with_capacity(text.len());
            for letter in text.chars() {
                match letter {
                    '\n' => shown.push('\n'),
                    '\t' => shown.push('\t'),
                    letter if letter.is_control() => shown.extend(letter.escape_default()),
                    letter => shown.push(letter),
                }
            }
            shown
        }
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// A value on one line, in quotes.
pub(super) fn quoted(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}
