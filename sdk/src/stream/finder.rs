//! Search for texts in a body that comes in pieces, without changing it.

use std::mem;
use std::rc::Rc;

use super::pool::Pool;
use super::replacer::check;
use super::rule::RuleError;
use super::searcher::Searcher;

/// Needles to look for, compiled.
///
/// Build one for each configuration, and take a [`stream`](Self::stream) from it for every body.
/// For bodies that are only to be looked at: scanned, classified, refused. To change what is found
/// there is [`Replacer`](super::Replacer).
///
/// ```
/// use chunkwise::stream::Finder;
///
/// let finder = Finder::new(["virus", "worm"])?;
/// let mut body = finder.stream();
/// assert_eq!(body.feed(b"an earthwo"), None);
/// assert_eq!(body.feed(b"rm"), Some(1));
///
/// assert!(Finder::new([""]).is_err());
/// # Ok::<(), chunkwise::stream::RuleError>(())
/// ```
///
/// # Cost
/// As for a [`Replacer`](super::Replacer).
#[derive(Clone, Debug)]
pub struct Finder {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    searcher: Searcher,
    carries: Pool,
}

/// Search in one body; from [`Finder::stream`].
#[derive(Debug)]
pub struct Find {
    shared: Rc<Shared>,
    /// The end of what came before that may begin a needle, shorter than the longest one. Its
    /// capacity also takes the head of a piece.
    carry: Vec<u8>,
}

impl Finder {
    /// Compiles needles.
    ///
    /// # Errors
    /// [`RuleError`] when there is no needle, one is empty or comes twice, or there are more than a
    /// search can take.
    pub fn new<N: AsRef<[u8]>>(needles: impl IntoIterator<Item = N>) -> Result<Self, RuleError> {
        let needles: Vec<Box<[u8]>> =
            needles.into_iter().map(|needle| needle.as_ref().into()).collect();
        let order = check(&needles)?;
        let searcher = Searcher::new(&needles, &order)?;
        let carries = Pool::new((searcher.longest() - 1).saturating_mul(2));
        Ok(Self { shared: Rc::new(Shared { searcher, carries }) })
    }

    /// What follows with a body.
    ///
    /// # Cost
    /// One allocation, and none where an earlier stream was dropped.
    pub fn stream(&self) -> Find {
        Find { shared: Rc::clone(&self.shared), carry: self.shared.carries.lend() }
    }
}

impl Find {
    /// Takes the next bytes of the body, and tells which needle they complete, counted from zero:
    /// of several the one that begins first, of those that begin there the first in the list.
    ///
    /// Whether anything is found does not depend on how the body was cut. A body in which something
    /// was found is not to be fed any further.
    ///
    /// # Cost
    /// One search through `input`. Fewer bytes than twice the longest needle are copied and
    /// searched besides, where a needle may have begun before. No allocation.
    pub fn feed(&mut self, input: &[u8]) -> Option<usize> {
        let searcher = &self.shared.searcher;
        if !self.carry.is_empty() {
            let head = input.get(..searcher.longest() - 1).unwrap_or(input);
            self.carry.extend_from_slice(head);
            if let Some(found) = searcher.find(&self.carry, 0) {
                return Some(found.rule);
            }
            if head.len() == input.len() {
                let open = searcher.tail(&self.carry, 0);
                self.carry.drain(..open);
                return None;
            }
            self.carry.clear();
        }
        if let Some(found) = searcher.find(input, 0) {
            return Some(found.rule);
        }
        let undecided = input.get(searcher.tail(input, 0)..).unwrap_or_default();
        self.carry.extend_from_slice(undecided);
        None
    }
}

impl Drop for Find {
    fn drop(&mut self) {
        self.shared.carries.take_back(mem::take(&mut self.carry));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(needles: &[&str], pieces: &[&str]) -> Option<usize> {
        let mut body = Finder::new(needles).unwrap().stream();
        pieces.iter().find_map(|piece| body.feed(piece.as_bytes()))
    }

    #[test]
    fn a_needle_is_found_across_any_number_of_pieces() {
        assert_eq!(found(&["needle"], &["n", "e", "", "ed", "l", "e"]), Some(0));
        assert_eq!(found(&["needle"], &["nene", "edle"]), Some(0));
        assert_eq!(found(&["needle"], &["need", "le", "needl"]), Some(0));
        assert_eq!(found(&["needle"], &["needl", "-e"]), None);
        assert_eq!(found(&["xy", "b"], &["x", "b"]), Some(1));
        assert_eq!(found(&["ab", "abc"], &["zab"]), Some(0));
    }

    #[test]
    fn a_dropped_stream_leaves_nothing_to_the_next() {
        let finder = Finder::new(["ab"]).unwrap();
        assert_eq!(finder.stream().feed(b"a"), None);
        assert_eq!(finder.stream().feed(b"b"), None);
    }

    proptest! {
        #[test]
        fn pieces_find_what_the_whole_has(
            needles in proptest::collection::hash_set("[ab]{1,5}", 1..4),
            pieces in proptest::collection::vec("[abc]{0,6}", 0..8),
        ) {
            let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            let is_there = needles.iter().any(|needle| whole.contains(needle));
            prop_assert_eq!(found(&needles, &pieces).is_some(), is_there);
        }
    }
}
