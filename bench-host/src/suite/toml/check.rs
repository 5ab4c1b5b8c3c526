//! Comparing what came of an exchange with what is expected.

use std::num::NonZeroUsize;
use std::path::Path;

use super::super::case::{Failure, quoted, shown};
use super::super::place::Place;
use super::expect::{Expect, LogMatcher, Side, Values};
use crate::host::{HeaderMap, LogLine};
use crate::testing::{Outcome, Seen};
use crate::traffic::Body;

/// Compares; `folder` is where the files of the suite are.
pub(super) struct Check<'a> {
    pub expected: &'a Expect,
    pub folder: &'a Path,
    pub failures: &'a mut Vec<Failure>,
}

impl Check<'_> {
    /// Both sides, and how the exchange went.
    pub fn outcome(&mut self, outcome: &Outcome) {
        let expected = self.expected;
        self.side("upstream", &expected.upstream, &outcome.upstream);
        self.side("downstream", &expected.downstream, &outcome.downstream);
        let case = expected.places.case;
        if let Some(details) = &expected.details
            && *details != outcome.details
        {
            let failure = Failure::new(case, "exchange", "details");
            let (details, actual) = (details.as_str(), shown(outcome.details.as_bytes()));
            self.failures.push(failure.between(details, actual));
        }
        self.flag(case, "exchange", "local_reply", expected.local_reply, outcome.replied_locally);
        self.flag(case, "exchange", "reset", expected.reset, outcome.reset);
        // A stream may be meant to stand still; where something else was, this is why.
        if let Some(why) = outcome.stalled.as_ref().filter(|_| !self.failures.is_empty()) {
            self.fail(case, "exchange", format!("the stream stood still: {why}"));
        }
    }

    /// What was logged, and what was not.
    pub fn log(&mut self, log: &[LogLine]) {
        let expected = self.expected;
        let all = || {
            let lines = log.iter().map(|line| format!("  [{}] {}", line.level, line.message));
            let lines: Vec<_> = lines.collect();
            if lines.is_empty() { "  nothing".to_owned() } else { lines.join("\n") }
        };
        for matcher in &expected.log {
            if !log.iter().any(|line| matches(matcher.as_ref(), line)) {
                let at = expected.places.of(matcher);
                let wanted = matcher.as_ref();
                let what = format!("{wanted} is missing; logged was\n{}", all());
                self.fail(at, "log", what);
            }
        }
        for matcher in &expected.not_logged {
            if let Some(line) = log.iter().find(|line| matches(matcher.as_ref(), line)) {
                let at = expected.places.of(matcher);
                let line = quoted(line.message.as_bytes());
                self.fail(at, "log", format!("{line} was logged"));
            }
        }
    }

    fn side(&mut self, part: &str, expected: &Side, seen: &Seen) {
        let case = self.expected.places.case;
        self.flag(case, part, "reached", expected.reached, !seen.headers.is_empty());
        if let Some(status) = expected.status {
            let actual = seen.header(":status").unwrap_or_default().into_owned();
            if actual != status.0.to_string() {
                let failure = Failure::new(case, part, "status");
                self.failures.push(failure.between(status.0.to_string(), actual));
            }
        }
        for (name, values) in &expected.headers {
            let at = self.expected.places.of(name);
            self.values(at, part, "header", name.as_ref(), values, &seen.headers);
        }
        for (name, values) in &expected.trailers {
            let at = self.expected.places.of(name);
            self.values(at, part, "trailer", name.as_ref(), values, &seen.trailers);
        }
        self.body(part, expected, seen);
        self.flag(case, part, "ended", expected.ended, seen.ended);
        if let Some(frames) = expected.frames.filter(|frames| *frames != seen.frames) {
            let failure = Failure::new(case, part, "number of frames");
            self.failures.push(failure.between(frames.to_string(), seen.frames.to_string()));
        }
    }

    fn body(&mut self, part: &str, expected: &Side, seen: &Seen) {
        let places = &self.expected.places;
        let mut wanted = Vec::new();
        if let Some(body) = &expected.body {
            let bytes = match &body.as_ref().0 {
                Body::Whole(bytes) => bytes.to_vec(),
                Body::None => Vec::new(),
                body => body.chunks(NonZeroUsize::MAX).collect::<Vec<_>>().concat(),
            };
            wanted.push((places.of(body), bytes));
        }
        if let Some(file) = &expected.body_file {
            let path = self.folder.join(file.as_ref());
            match std::fs::read(&path) {
                Ok(bytes) => wanted.push((places.of(file), bytes)),
                Err(error) => {
                    let what = format!("cannot read {}: {error}", file.as_ref().display());
                    self.failures.push(Failure::new(places.of(file), part, what));
                }
            }
        }
        for (at, bytes) in wanted {
            if bytes != seen.body {
                let failure = Failure::new(at, part, "body");
                self.failures.push(failure.between(shown(&bytes), shown(&seen.body)));
            }
        }
        if let Some(pattern) = &expected.body_matches
            && !pattern.as_ref().0.is_match(&seen.body)
        {
            let at = places.of(pattern);
            let body = shown(&seen.body);
            let what = format!("nothing in the body matches /{}/:\n{body}", pattern.as_ref().0);
            self.fail(at, part, what);
        }
    }

    fn values(
        &mut self,
        at: Place,
        part: &str,
        kind: &str,
        name: &str,
        expected: &Values,
        map: &HeaderMap,
    ) {
        let named = |(known, _): &(&_, &_)| bytes_of(known).eq_ignore_ascii_case(name.as_bytes());
        let actual: Vec<&[u8]> = map.iter().filter(named).map(|(_, value)| &value[..]).collect();
        let shown = || actual.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ");
        let what = format!("{kind} {name:?}");
        match expected {
            Values::Present(true) if actual.is_empty() => {
                self.fail(at, part, format!("{what} is missing"));
            }
            Values::Present(false) if !actual.is_empty() => {
                self.fail(at, part, format!("{what} is there, with value {}", shown()));
            }
            Values::Equal(values) if actual.is_empty() && !values.is_empty() => {
                self.fail(at, part, format!("{what} is missing"));
            }
            Values::Equal(values)
                if !values.iter().map(|value| value.as_bytes()).eq(actual.iter().copied()) =>
            {
                let wanted = values.iter().map(|value| quoted(value.as_bytes()));
                let wanted = wanted.collect::<Vec<_>>().join(", ");
                self.failures.push(Failure::new(at, part, what).between(wanted, shown()));
            }
            Values::Matches(pattern) if !actual.iter().any(|value| pattern.0.is_match(value)) => {
                let pattern = &pattern.0;
                let values = if actual.is_empty() { "there is none".to_owned() } else { shown() };
                self.fail(at, part, format!("{what} does not match /{pattern}/: {values}"));
            }
            _ => {}
        }
    }

    fn flag(&mut self, at: Place, part: &str, what: &str, expected: Option<bool>, actual: bool) {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            let failure = Failure::new(at, part, what);
            self.failures.push(failure.between(expected.to_string(), actual.to_string()));
        }
    }

    fn fail(&mut self, at: Place, part: &str, what: impl Into<String>) {
        self.failures.push(Failure::new(at, part, what));
    }
}

fn bytes_of(bytes: &bytes::Bytes) -> &[u8] {
    bytes
}

fn matches(matcher: &LogMatcher, line: &LogLine) -> bool {
    matcher.exact.as_ref().is_none_or(|text| *text == line.message)
        && matcher.matches.as_ref().is_none_or(|regex| regex.0.is_match(line.message.as_bytes()))
        && matcher.level.is_none_or(|level| level == line.level)
}
