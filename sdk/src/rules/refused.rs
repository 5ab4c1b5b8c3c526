//! What became of a rule that could not be read.

use std::fmt;

use crate::config::ConfigError;

/// A rule that was wrong, in a configuration whose rules are isolated.
///
/// Its [`Display`](fmt::Display) is the line that is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) rule: usize,
    pub(crate) error: ConfigError,
    pub(crate) restored: bool,
}

impl Refused {
    /// The index of the rule in `_rules_`.
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// Why it is wrong; the field's path begins with the rule's place: `_rules_[2].limit`.
    pub fn error(&self) -> &ConfigError {
        &self.error
    }

    /// Whether its last good version applies instead. Otherwise the rule does not exist, and what
    /// it was for falls to the rules behind it and the global part.
    pub fn is_restored(&self) -> bool {
        self.restored
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instead = match self.restored {
            true => "its last good version stays",
            false => "the rule is left out",
        };
        write!(f, "{}; {instead}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_wrong_and_what_applies_instead() {
        let error = ConfigError::invalid("_rules_[2].limit", "too large");
        let refused = Refused { rule: 2, error: error.clone(), restored: true };
        let line = "_rules_[2].limit: too large; its last good version stays";
        assert_eq!(refused.to_string(), line);
        let refused = Refused { rule: 2, error, restored: false };
        assert_eq!(refused.to_string(), "_rules_[2].limit: too large; the rule is left out");
    }
}
