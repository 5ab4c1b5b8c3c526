//! What can be wrong with a script of upstreams.

use std::{io, path::PathBuf};

use serde_path_to_error::{Path, Segment};
use thiserror::Error;
use toml::de::{DeTable, DeValue};

/// Why a script of upstreams cannot be used; the fault is the script's, never the plugin's.
///
/// Lines and columns count from 1, columns in characters.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// A file with a body cannot be read.
    #[error("upstream script {script}: {at}: body_file {}: cannot be read: {cause}", file.display())]
    BodyFile {
        /// The script as the user named it.
        script: String,
        /// The rule, such as `cluster."auth".http[0]`.
        at: String,
        /// The file that the rule names, joined with the folder of the script.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The script cannot be opened or read, or is no UTF-8.
    #[error("upstream script {script}: cannot be read: {cause}")]
    Io {
        /// The script as the user named it.
        script: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The script is no TOML, has an unknown key, or a value that means nothing.
    #[error("upstream script {script}, line {line}, column {column}: {reason}")]
    Line {
        /// The script as the user named it.
        script: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong, with the key in front.
        reason: String,
    },
    /// A table that is part of another file cannot be used; that file knows the line.
    #[error("upstreams: {reason}")]
    Table {
        /// What is wrong, with the key in front.
        reason: String,
    },
}

impl UpstreamError {
    /// Says where the text is no TOML.
    pub(super) fn syntax(script: &str, text: &str, error: &toml::de::Error) -> Self {
        Self::at(script, text, error.span().map(|span| span.start), reason("", error))
    }

    /// Says where in `text` a value means nothing, and at which key.
    pub(super) fn value(
        script: &str,
        text: &str,
        error: &serde_path_to_error::Error<toml::de::Error>,
    ) -> Self {
        let start = start_of_rule(text, error.path());
        let start = start.or_else(|| error.inner().span().map(|span| span.start));
        Self::at(script, text, start, reason(&error.path().to_string(), error.inner()))
    }

    /// Says which key of a table is wrong.
    pub(super) fn table(error: &serde_path_to_error::Error<toml::de::Error>) -> Self {
        Self::Table { reason: reason(&error.path().to_string(), error.inner()) }
    }

    fn at(script: &str, text: &str, start: Option<usize>, reason: String) -> Self {
        let before = start.and_then(|start| text.get(..start)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self::Line {
            script: script.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
        }
    }
}

/// Where the keys of a list's element start, if `path` ends at one.
///
/// The parser knows no place for an element of an array of tables and names the first one's.
fn start_of_rule(text: &str, path: &Path) -> Option<usize> {
    path.iter().next_back().filter(|segment| matches!(segment, Segment::Seq { .. }))?;
    let root = DeTable::parse(text).ok()?;
    let mut value = &DeValue::Table(root.into_inner());
    for segment in path.iter() {
        value = match (segment, value) {
            (Segment::Map { key }, DeValue::Table(table)) => table.get(key.as_str())?.get_ref(),
            (Segment::Seq { index }, DeValue::Array(list)) => list.get(*index)?.get_ref(),
            _ => return None,
        };
    }
    value.as_table()?.keys().map(|key| key.span().start).min()
}

/// What the parser says, with the path of the value in front.
fn reason(key: &str, error: &toml::de::Error) -> String {
    let reason = error.message().trim_end().replace('\n', "; ");
    match key {
        "" | "." | "?" => reason,
        key => format!("{key}: {reason}"),
    }
}
