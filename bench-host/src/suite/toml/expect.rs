//! What a case expects.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use regex::bytes::Regex;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::super::place::Place;
use super::values::Status;
use crate::host::Level;
use crate::traffic::lines_body::WrittenBody;

/// What a case expects.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Expect {
    pub upstream: Side,
    pub downstream: Side,
    /// Whether the plugin, or the proxy on its behalf, answered.
    pub local_reply: Option<bool>,
    /// Response code details.
    pub details: Option<String>,
    /// Whether the stream was cut off.
    pub reset: Option<bool>,
    pub log: Vec<Spanned<LogMatcher>>,
    pub not_logged: Vec<Spanned<LogMatcher>>,
    #[serde(skip)]
    pub places: Places,
}

/// Where expectations stand: the case, and the beginning of what has a place of its own.
#[derive(Debug, Default)]
pub(in super::super) struct Places {
    pub case: Place,
    /// Shared by all cases: a table for each would take the square of the file.
    lines: Lines,
}

/// Where the lines of a file begin.
pub(in super::super) type Lines = Arc<[usize]>;

/// What one side of the proxy should have got.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Side {
    pub status: Option<Status>,
    /// Whether anything came.
    pub reached: Option<bool>,
    pub headers: BTreeMap<Spanned<String>, Values>,
    pub body: Option<Spanned<WrittenBody>>,
    pub body_file: Option<Spanned<PathBuf>>,
    pub body_matches: Option<Spanned<Pattern>>,
    pub trailers: BTreeMap<Spanned<String>, Values>,
    /// Whether the message came to its end.
    pub ended: Option<bool>,
    /// In how many frames the body came.
    pub frames: Option<u64>,
}

/// What the values of a header should be.
#[derive(Debug)]
pub(in super::super) enum Values {
    /// There are any, or none.
    Present(bool),
    /// There are these, in order.
    Equal(Vec<String>),
    /// One of them has a match.
    Matches(Pattern),
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a header is a string, a list of strings, true (present), false (absent) \
                         or { matches = \"…\" }"
        )]
        enum Written {
            Present(bool),
            One(String),
            All(Vec<String>),
            Matches(Matches),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Matches {
            matches: String,
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Present(present) => Self::Present(present),
            Written::One(value) => Self::Equal(vec![value]),
            Written::All(values) => Self::Equal(values),
            Written::Matches(Matches { matches }) => {
                Self::Matches(Pattern::new(&matches).map_err(de::Error::custom)?)
            }
        })
    }
}

/// A regular expression that has to match somewhere.
#[derive(Clone, Debug)]
pub(in super::super) struct Pattern(pub Regex);

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        Regex::new(text).map(Self).map_err(|error| error.to_string())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A line of the log: all of its text, or something in it, and its level.
#[derive(Debug)]
pub(in super::super) struct LogMatcher {
    pub exact: Option<String>,
    pub matches: Option<Pattern>,
    pub level: Option<Level>,
}

impl fmt::Display for LogMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.map(|level| format!(" at {level}"));
        let level = level.unwrap_or_default();
        match (&self.exact, &self.matches) {
            (Some(exact), _) => write!(f, "a line {exact:?}{level}"),
            (None, Some(pattern)) => write!(f, "a line that matches /{}/{level}", pattern.0),
            (None, None) => write!(f, "any line{level}"),
        }
    }
}

impl<'de> Deserialize<'de> for LogMatcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a log line is a string, or { matches = \"…\", level = \"…\" } with one of \
                         them or both"
        )]
        enum Written {
            Exact(String),
            Table(Table),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            exact: Option<String>,
            matches: Option<String>,
            level: Option<Level>,
        }
        let Table { exact, matches, level } = match Written::deserialize(deserializer)? {
            Written::Exact(text) => Table { exact: Some(text), matches: None, level: None },
            Written::Table(table) => table,
        };
        let matches = matches.map(|text| Pattern::new(&text)).transpose();
        Ok(Self { exact, matches: matches.map_err(de::Error::custom)?, level })
    }
}

/// Where the lines of a text begin.
pub(super) fn lines(text: &str) -> Lines {
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

impl Expect {
    /// Takes down where the case stands, and where the lines of its file begin.
    pub fn locate(&mut self, lines: &Lines, case: Place) {
        self.places = Places { case, lines: Arc::clone(lines) };
    }
}

impl Places {
    /// Whether both know of the lines from one table.
    #[cfg(test)]
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lines, &other.lines)
    }

    /// The place of something that was read with its span.
    pub fn of<T>(&self, spanned: &Spanned<T>) -> Place {
        let at = spanned.span().start;
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied();
        Place { line, column: at - start.unwrap_or(0) + 1 }
    }
}
