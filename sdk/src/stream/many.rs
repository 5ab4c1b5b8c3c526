//! Search for several needles at once.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Input, MatchKind};

use super::byte_set::ByteSet;
use super::rule::RuleError;
use super::searcher::Found;

/// Several needles, in the order of their rules.
///
/// The automaton is always the contiguous NFA. In a guest, memory is paid for by every worker of
/// the proxy and never given back, and this kind is the smallest: its size grows with the needles,
/// where a DFA's grows with the needles times the different bytes in them. The DFA is faster only
/// where no bytes can be skipped. Naming the kind keeps the others' code out of the module.
///
/// # Cost
/// The automaton, and the needles. Searching is linear in the text, and skips at the speed of the
/// machine's vectors where the needles share few first or few rare bytes.
/// [`beginning`](Self::beginning) looks at each byte of a window that is shorter than the longest
/// needle, and compares only from bytes that begin a needle.
#[derive(Debug)]
pub(super) struct Many {
    automaton: NFA,
    /// The needles that have a beginning, hence all longer than one byte, in their own order.
    sorted: Box<[Box<[u8]>]>,
    /// The first bytes of these.
    firsts: ByteSet,
}

impl Many {
    /// Compiles needles that are neither empty nor the same; `order` sorts them.
    pub(super) fn new(needles: &[Box<[u8]>], order: &[usize]) -> Result<Self, RuleError> {
        let automaton = NFA::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(needles)
            .map_err(|_| RuleError::TooLarge {
                rules: needles.len(),
                bytes: needles.iter().map(|needle| needle.len()).sum(),
            })?;
        let mut firsts = ByteSet::default();
        let mut sorted = Vec::with_capacity(order.len());
        for needle in order.iter().map(|&rule| &needles[rule]).filter(|needle| needle.len() > 1) {
            firsts.insert(needle[0]);
            sorted.push(needle.clone());
        }
        Ok(Self { automaton, sorted: sorted.into_boxed_slice(), firsts })
    }

    #[inline]
    pub(super) fn find(&self, text: &[u8]) -> Option<Found> {
        // What an automaton can refuse is an anchored search, and this one is not.
        let found = self.automaton.try_find(&Input::new(text)).unwrap_or(None)?;
        Some(Found { rule: found.pattern().as_usize(), start: found.start(), end: found.end() })
    }

    /// Length of the longest end of `window` that is a beginning of a needle but not all of it.
    pub(super) fn beginning(&self, window: &[u8]) -> usize {
        let mut end = window;
        while let [first, rest @ ..] = end {
            if self.firsts.contains(*first) && self.begins_needle(end) {
                break;
            }
            end = rest;
        }
        end.len()
    }

    fn begins_needle(&self, text: &[u8]) -> bool {
        // Needles that go on where `text` ends follow it directly in their order.
        let next = self.sorted.partition_point(|needle| **needle <= *text);
        self.sorted.get(next).is_some_and(|needle| needle.starts_with(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(needles: &[&str]) -> Many {
        let needles: Vec<Box<[u8]>> =
            needles.iter().map(|needle| needle.as_bytes().into()).collect();
        let mut order: Vec<usize> = (0..needles.len()).collect();
        order.sort_by_key(|&rule| &needles[rule]);
        Many::new(&needles, &order).unwrap()
    }

    fn found(needles: &[&str], text: &str) -> Option<(usize, usize, usize)> {
        let found = many(needles).find(text.as_bytes())?;
        Some((found.rule, found.start, found.end))
    }

    #[test]
    fn the_leftmost_wins_then_the_first_rule() {
        assert_eq!(found(&["cd", "abcde"], "xabcde"), Some((1, 1, 6)));
        assert_eq!(found(&["abc", "abcd"], "abcd"), Some((0, 0, 3)));
        assert_eq!(found(&["abcd", "abc"], "abcd"), Some((0, 0, 4)));
        assert_eq!(found(&["abcd", "abc"], "abcx"), Some((1, 0, 3)));
        assert_eq!(found(&["abcd", "abc"], "ab"), None);
    }

    #[test]
    fn a_beginning_is_not_the_whole_needle() {
        let many = many(&["abc", "bcd", "b", "bc"]);
        assert_eq!(many.beginning(b"xxab"), 2);
        assert_eq!(many.beginning(b"xabc"), 2, "bc, which bcd goes on from");
        assert_eq!(many.beginning(b"xbcd"), 0);
        assert_eq!(many.beginning(b"ab"), 2);
        assert_eq!(many.beginning(b"xb"), 1);
        assert_eq!(many.beginning(b""), 0);
    }
}
