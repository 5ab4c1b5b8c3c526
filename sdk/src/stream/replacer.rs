//! Rules, compiled once and shared by all streams.

use std::rc::Rc;

use super::pool::Pool;
use super::replace::Replace;
use super::rule::{Rule, RuleError};
use super::searcher::Searcher;

/// Find-and-replace rules, compiled.
///
/// Build one for each configuration, and take a [`stream`](Self::stream) from it for every body.
///
/// The rules are tried in order at each position of a body; the first one whose needle starts
/// there is applied, and the search goes on behind that needle. Replacements are not searched. A
/// rule that replaces a needle with itself shields it from the rules behind.
///
/// ```
/// use chunkwise::stream::{Edit, Replacer, Tail};
///
/// let replacer = Replacer::new([("http://", "https://"), ("cat", "dog")])?;
/// let mut body = replacer.stream();
/// let mut out = Vec::new();
///
/// let step = body.feed(b"a cat, and more", Tail::Last, &mut out);
/// assert_eq!(step.edit, Edit::Prefix { from: 5 }); // behind "a cat"
/// assert_eq!(out, b"a dog");
///
/// assert!(Replacer::new([("", "x")]).is_err());
/// # Ok::<(), chunkwise::stream::RuleError>(())
/// ```
///
/// # Cost
/// Building allocates: in a guest about five bytes for each byte of a single needle, and some forty
/// for each byte of several. The time grows with the needles' bytes, and with the square of their
/// number, which is felt from ten thousand on. A clone counts a reference. Streams' carry buffers
/// stay until the last clone and stream are gone: as many as streams were ever open at once, each
/// of twice the longest needle.
#[derive(Clone, Debug)]
pub struct Replacer {
    shared: Rc<Shared>,
}

/// What all streams of a replacer use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) searcher: Searcher,
    pub(super) rules: Box<[Rule]>,
    pub(super) carries: Pool,
}

impl Replacer {
    /// Compiles rules, each a needle and what to put in its place.
    ///
    /// # Errors
    /// [`RuleError`] when there is no rule, a needle is empty or comes twice, or there are more
    /// than a search can take.
    pub fn new<F: AsRef<[u8]>, W: AsRef<[u8]>>(
        rules: impl IntoIterator<Item = (F, W)>,
    ) -> Result<Self, RuleError> {
        let (needles, rules): (Vec<Box<[u8]>>, Vec<Rule>) = rules
            .into_iter()
            .map(|(needle, replacement)| {
                let needle = needle.as_ref();
                (needle.into(), Rule::new(needle, replacement.as_ref().into()))
            })
            .unzip();
        Self::compile(&needles, rules)
    }

    /// What follows with a body; see [`Replace`].
    ///
    /// # Cost
    /// One allocation, and none where an earlier stream was dropped.
    pub fn stream(&self) -> Replace {
        Replace::new(Rc::clone(&self.shared))
    }

    /// Whether every replacement is as long as its needle, so that a body keeps its length.
    pub fn keeps_length(&self) -> bool {
        self.shared.rules.iter().all(|rule| rule.keeps_length)
    }

    /// Length of the longest needle, in bytes. A stream never holds back as many.
    pub fn longest_needle(&self) -> usize {
        self.shared.searcher.longest()
    }

    // Apart from `new`, so that it is compiled once.
    fn compile(needles: &[Box<[u8]>], rules: Vec<Rule>) -> Result<Self, RuleError> {
        let order = check(needles)?;
        let searcher = Searcher::new(needles, &order)?;
        // A carry, and behind it as much of the next piece as a match that begins in it can take.
        let carries = Pool::new((searcher.longest() - 1).saturating_mul(2));
        let rules = rules.into_boxed_slice();
        Ok(Self { shared: Rc::new(Shared { searcher, rules, carries }) })
    }
}

/// Refuses what cannot be searched; returns the rules in the order of their needles.
pub(super) fn check(needles: &[Box<[u8]>]) -> Result<Vec<usize>, RuleError> {
    if needles.is_empty() {
        return Err(RuleError::NoRules);
    }
    // Inserted one by one: a general sort is kilobytes of code, for lists of a few rules.
    let mut order: Vec<usize> = Vec::with_capacity(needles.len());
    for (rule, needle) in needles.iter().enumerate() {
        if needle.is_empty() {
            return Err(RuleError::EmptyNeedle { rule });
        }
        match order.binary_search_by(|&other| needles[other].cmp(needle)) {
            Ok(place) => {
                return Err(RuleError::DuplicateNeedle { first: order[place], second: rule });
            }
            Err(place) => order.insert(place, rule),
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rules: &[(&str, &str)]) -> RuleError {
        Replacer::new(rules.iter().copied()).unwrap_err()
    }

    #[test]
    fn rules_that_cannot_apply_are_refused_by_name() {
        assert_eq!(refused(&[]), RuleError::NoRules);
        assert_eq!(refused(&[("a", ""), ("", "b")]), RuleError::EmptyNeedle { rule: 1 });
        let same = [("b", ""), ("a", "1"), ("c", ""), ("a", "2"), ("a", "3")];
        assert_eq!(refused(&same), RuleError::DuplicateNeedle { first: 1, second: 3 });
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let error = refused(&[("a", "1"), ("b", ""), ("a", "2")]).to_string();
        assert_eq!(error, "rule 2 has the same needle as rule 0: remove one of them");
        let error = refused(&[("", "1")]).to_string();
        assert_eq!(error, "rule 0 has an empty needle: give it at least one byte");
    }

    #[test]
    fn it_knows_the_lengths() {
        let replacer = Replacer::new([("abc", "xyz"), ("q", "r")]).unwrap();
        assert!(replacer.keeps_length());
        assert_eq!(replacer.longest_needle(), 3);
        assert!(!Replacer::new([("abc", "xyz"), ("q", "")]).unwrap().keeps_length());
    }
}
