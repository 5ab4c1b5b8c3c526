//! Search for the rules' needles: the next match, and where an undecided tail begins.

use super::byte_set::ByteSet;
use super::many::Many;
use super::one::One;
use super::rule::RuleError;

/// A needle's place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) rule: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The compiled needles.
#[derive(Debug)]
pub(super) struct Searcher {
    kind: Kind,
    longest: usize,
    /// Bytes of needles that another byte follows. A text that ends in none of them, as most do,
    /// has no undecided tail.
    inner: ByteSet,
}

#[derive(Debug)]
enum Kind {
    Many(Box<Many>),
    One(Box<One>),
}

impl Searcher {
    /// Compiles `needles`, which are neither empty nor the same; `order` sorts them.
    pub(super) fn new(needles: &[Box<[u8]>], order: &[usize]) -> Result<Self, RuleError> {
        let kind = match needles {
            [needle] => Kind::One(Box::new(One::new(needle))),
            _ => Kind::Many(Box::new(Many::new(needles, order)?)),
        };
        let longest = needles.iter().map(|needle| needle.len()).max().unwrap_or(1);
        let mut inner = ByteSet::default();
        for needle in needles {
            let (_, beginning) = needle.split_last().unwrap_or((&0, &[]));
            beginning.iter().for_each(|byte| inner.insert(*byte));
        }
        Ok(Self { kind, longest, inner })
    }

    /// The match that begins first in `text[from..]`, by the first rule of those that begin there.
    #[inline]
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Found> {
        let rest = text.get(from..)?;
        let found = match &self.kind {
            Kind::Many(many) => many.find(rest)?,
            Kind::One(one) => one.find(rest)?,
        };
        Some(Found { rule: found.rule, start: from + found.start, end: from + found.end })
    }

    /// The first position, not in front of `from`, from where `text` to its end is the beginning
    /// of a needle but not all of it; the length of `text` if there is none.
    #[inline]
    pub(super) fn tail(&self, text: &[u8], from: usize) -> usize {
        match text.last() {
            Some(last) if self.inner.contains(*last) => self.beginning(text, from),
            _ => text.len(),
        }
    }

    fn beginning(&self, text: &[u8], from: usize) -> usize {
        // A beginning of a needle is shorter than the needle.
        let from = from.max(text.len().saturating_sub(self.longest - 1));
        let window = text.get(from..).unwrap_or_default();
        text.len()
            - match &self.kind {
                Kind::Many(many) => many.beginning(window),
                Kind::One(one) => one.beginning(window),
            }
    }

    /// Length of the longest needle, at least one.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searcher(needles: &[&str]) -> Searcher {
        let needles: Vec<Box<[u8]>> =
            needles.iter().map(|needle| needle.as_bytes().into()).collect();
        // Those used here are in their order.
        Searcher::new(&needles, &[0, 1][..needles.len()]).unwrap()
    }

    #[test]
    fn a_tail_begins_at_or_behind_the_given_place() {
        for needles in [&["aab"][..], &["aab", "x"]] {
            let searcher = searcher(needles);
            assert_eq!(searcher.tail(b"aaaa", 0), 2);
            assert_eq!(searcher.tail(b"aaaa", 3), 3);
            assert_eq!(searcher.tail(b"aaaa", 4), 4);
            assert_eq!(searcher.tail(b"aaab", 0), 4);
            assert_eq!(searcher.tail(b"", 0), 0);
        }
    }

    #[test]
    fn places_are_those_of_the_whole_text() {
        for needles in [&["ab"][..], &["ab", "x"]] {
            let found = searcher(needles).find(b"ab ab", 1);
            assert_eq!(found, Some(Found { rule: 0, start: 3, end: 5 }));
            assert_eq!(searcher(needles).find(b"ab ab", 4), None);
        }
    }
}
