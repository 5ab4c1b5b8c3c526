//! What is wrong with the description of a cluster.

use crate::call::target::UrlError;

/// What is wrong with the description of a cluster. Whoever wrote it, the plugin's author or
/// whoever configured the plugin, is to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} cluster's field `{field}` {problem}")]
pub struct ClusterError {
    kind: &'static str,
    field: &'static str,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("is missing or empty")]
    Missing,
    #[error("is not known for this type")]
    NotOfThisKind,
    #[error("is 0, and ports begin with 1")]
    NoPort,
    #[error("has a blank, a control character or `|`")]
    Character,
    #[error("is no name of kubernetes: 1 to 63 of a-z, 0-9 and `-`, no `-` at its ends")]
    NotALabel,
    #[error("is no host that a call can name: it {0}")]
    NotAHost(UrlError),
    #[error("cannot be the host that calls name, for it {0}: give `host`")]
    NeedsHost(UrlError),
}

impl ClusterError {
    pub(super) const fn new(kind: &'static str, field: &'static str, problem: Problem) -> Self {
        Self { kind, field, problem }
    }

    /// The field that is wrong, as it is written in a configuration.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}
