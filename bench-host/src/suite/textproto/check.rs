//! Comparing what came of a phase with what is expected of it.

use std::path::Path;

use super::super::case::{Failure, quoted, shown};
use super::super::place::Place;
use super::super::re2;
use super::model::{Expectation, Immediate, Pattern, StringMatcher};
use crate::host::{HeaderMap, Reply};

/// What came of a phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Came {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub reply: Option<Reply>,
    /// Whether the message goes on.
    pub continues: bool,
    pub log: Vec<String>,
    /// Where in the log the last chunk of a body begins.
    pub last_log_from: usize,
}

/// Compares; `folder` is where the files of the suite are.
pub(super) struct Check<'a> {
    pub phase: &'static str,
    pub folder: &'a Path,
    pub failures: &'a mut Vec<Failure>,
}

impl Check<'_> {
    /// What is expected of a phase with headers.
    pub fn headers(&mut self, expected: &Expectation, came: &Came) {
        self.message(expected, came);
        let what = match (&expected.immediate, came.continues, &came.reply) {
            (None, true, None) | (Some(_), false, Some(_)) => None,
            (None, _, Some(reply)) => Some(format!(
                "expected the message to go on, and the plugin answered with status {}",
                reply.status
            )),
            (None, false, None) => {
                Some("expected the message to go on, and the plugin paused it".to_owned())
            }
            (Some(_), _, None) => {
                let way = if came.continues { "let the message go on" } else { "only paused it" };
                Some(format!("expected an immediate response, and the plugin {way}"))
            }
            // Cannot be: a reply stops whatever the callback answers.
            (Some(_), true, Some(_)) => None,
        };
        if let Some(what) = what {
            let at = expected.immediate.as_ref().map_or(expected.at, |immediate| immediate.at);
            self.fail(at, what);
        }
        if let (Some(expected), Some(reply)) = (&expected.immediate, &came.reply) {
            self.immediate(expected, reply);
        }
        self.log(expected, &came.log, &came.log);
    }

    /// What is expected of a body. A pause is no failure: bodies go on all the same.
    pub fn body(&mut self, expected: &Expectation, came: &Came) {
        self.message(expected, came);
        match (&expected.immediate, &came.reply) {
            (Some(expected), Some(reply)) => self.immediate(expected, reply),
            (Some(expected), None) => {
                self.fail(expected.at, "expected an immediate response, and the plugin sent none");
            }
            (None, _) => {}
        }
        self.log(expected, &came.log, came.log.get(came.last_log_from..).unwrap_or_default());
    }

    /// What is expected to be logged, and not to be logged by the last chunk: their runner forgets
    /// the lines of the chunks before, and a suite that passes there should pass here.
    pub fn log(&mut self, expected: &Expectation, log: &[String], last: &[String]) {
        for matcher in &expected.log {
            let lines = if matcher.invert { last } else { log };
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            self.matcher("log line", matcher, &lines);
        }
    }

    fn message(&mut self, expected: &Expectation, came: &Came) {
        for header in &expected.has_header {
            let (key, value) = (&header.key, &header.value);
            match came.headers.get(key.as_bytes()) {
                _ if key.is_empty() => self.fail(header.at, "has_header without a key"),
                None => self.fail(header.at, format!("header {key:?} is missing")),
                Some(actual) if actual != value => {
                    let (expected, actual) = (quoted(value), quoted(actual));
                    let failure = Failure::new(header.at, self.phase, format!("header {key:?}"));
                    self.failures.push(failure.between(expected, actual));
                }
                Some(_) => {}
            }
        }
        for header in &expected.no_header {
            let key = &header.key;
            match came.headers.get(key.as_bytes()) {
                _ if key.is_empty() => self.fail(header.at, "no_header without a key"),
                Some(value) => {
                    let value = quoted(value);
                    self.fail(header.at, format!("header {key:?} is there, with value {value}"));
                }
                None => {}
            }
        }
        if !expected.headers.is_empty() {
            let lines: Vec<Vec<u8>> = came
                .headers
                .iter()
                .map(|(name, value)| [&name[..], b": ", &value[..]].concat())
                .collect();
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            for matcher in &expected.headers {
                self.matcher("header", matcher, &lines);
            }
        }
        for matcher in &expected.body {
            self.matcher("body", matcher, &[&came.body]);
        }
    }

    fn immediate(&mut self, expected: &Immediate, reply: &Reply) {
        let numbers = [
            ("http_status", expected.http_status, reply.status),
            ("grpc_status", expected.grpc_status, reply.grpc_status),
        ];
        for (name, expected_, actual) in numbers {
            if let Some(number) = expected_.filter(|number| *number != actual) {
                let failure = Failure::new(expected.at, self.phase, name);
                // An unsigned -1 says that there is none.
                let actual = format!("{}", actual.cast_signed());
                self.failures.push(failure.between(number.cast_signed().to_string(), actual));
            }
        }
        if let Some(details) = &expected.details
            && details.as_bytes() != reply.details
        {
            let failure = Failure::new(expected.at, self.phase, "details");
            self.failures.push(failure.between(details, shown(&reply.details)));
        }
    }

    /// One of the texts has to match, or none of them if the matcher is inverted.
    fn matcher(&mut self, what: &str, matcher: &StringMatcher, texts: &[&[u8]]) {
        let file;
        let (exact, kind) = match &matcher.pattern {
            None => return self.fail(matcher.at, "a matcher needs `exact`, `regex` or `file`"),
            Some(Pattern::Regex(pattern)) => return self.regex(what, matcher, pattern, texts),
            Some(Pattern::Exact(exact)) => (exact.as_slice(), String::new()),
            Some(Pattern::File(name)) => match std::fs::read(self.folder.join(name)) {
                Ok(content) => {
                    file = content;
                    (file.as_slice(), format!(" as in {name}"))
                }
                Err(error) => {
                    return self.fail(matcher.at, format!("cannot read {name}: {error}"));
                }
            },
        };
        let found = texts.contains(&exact);
        if found == matcher.invert {
            let name = format!("{what}{kind}");
            self.mismatch(&name, matcher, shown(exact), texts);
        }
    }

    fn regex(&mut self, what: &str, matcher: &StringMatcher, pattern: &str, texts: &[&[u8]]) {
        let regex = match re2::full_match(pattern) {
            Ok(regex) => regex,
            Err(error) => {
                return self.fail(matcher.at, format!("bad regular expression: {error}"));
            }
        };
        if texts.iter().any(|text| regex.is_match(text)) == matcher.invert {
            let name = format!("{what} that matches all of /{pattern}/");
            self.mismatch(&name, matcher, String::new(), texts);
        }
    }

    fn mismatch(&mut self, what: &str, matcher: &StringMatcher, exact: String, texts: &[&[u8]]) {
        let regex = exact.is_empty() && matches!(matcher.pattern, Some(Pattern::Regex(_)));
        let actual = texts.iter().map(|text| shown(text)).collect::<Vec<_>>().join("\n");
        if matcher.invert {
            let text = if regex { String::new() } else { format!(": {exact}") };
            return self.fail(matcher.at, format!("expected no {what}{text}\n{}", listed(&actual)));
        }
        if regex || texts.len() != 1 {
            let text = if regex { String::new() } else { format!(": {exact}") };
            return self.fail(matcher.at, format!("expected a {what}{text}\n{}", listed(&actual)));
        }
        let failure = Failure::new(matcher.at, self.phase, what);
        self.failures.push(failure.between(exact, actual));
    }

    fn fail(&mut self, at: Place, what: impl Into<String>) {
        self.failures.push(Failure::new(at, self.phase, what));
    }
}

/// What came instead, below a message.
fn listed(actual: &str) -> String {
    if actual.is_empty() {
        return "there is none".to_owned();
    }
    let lines: Vec<String> = actual.lines().map(|line| format!("  {line}")).collect();
    format!("there is\n{}", lines.join("\n"))
}
