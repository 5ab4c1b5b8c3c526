//! What a rule does once its needle was found, and which rules are refused.

/// What to put in a needle's place.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) replacement: Box<[u8]>,
    /// False for a rule that only shields its needle from the rules behind it.
    pub(super) changes: bool,
    pub(super) keeps_length: bool,
}

impl Rule {
    pub(super) fn new(needle: &[u8], replacement: Box<[u8]>) -> Self {
        let changes = *needle != *replacement;
        let keeps_length = needle.len() == replacement.len();
        Self { replacement, changes, keeps_length }
    }
}

/// Why rules cannot be compiled. Whoever wrote the rules is to mend them.
///
/// Rules are counted from zero, as in the list that was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Two rules look for the same bytes; the second could never apply.
    #[error("rule {second} has the same needle as rule {first}: remove one of them")]
    DuplicateNeedle {
        /// The rule that would always win.
        first: usize,
        /// The rule that would never apply.
        second: usize,
    },
    /// A rule looks for nothing.
    #[error("rule {rule} has an empty needle: give it at least one byte")]
    EmptyNeedle {
        /// The rule without a needle.
        rule: usize,
    },
    /// There is nothing to look for.
    #[error("there are no rules: give at least one")]
    NoRules,
    /// There are more rules, or longer needles, than one automaton can number.
    #[error(
        "{rules} rules with {bytes} bytes of needles are too large for one automaton: split them"
    )]
    TooLarge {
        /// How many rules there are.
        rules: usize,
        /// The length of all needles together.
        bytes: usize,
    },
}
