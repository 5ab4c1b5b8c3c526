//! Search for a single needle.

use memchr::memmem::Finder;

use super::searcher::Found;

/// Needles up to this length are compared beginning by beginning: the square of so little is less
/// than what the linear way takes to set out.
const SHORT: usize = 16;

/// One needle, with what is known about how it overlaps itself.
///
/// # Cost
/// The needle, and one word for each byte of it. Searching is linear in the text, at the speed of
/// the machine's vectors; [`beginning`](Self::beginning) is linear in a window that is shorter than
/// the needle.
#[derive(Debug)]
pub(super) struct One {
    finder: Finder<'static>,
    /// For each beginning of the needle the length of its longest border: a shorter beginning that
    /// is also its end (the failure function of Knuth, Morris and Pratt).
    borders: Box<[usize]>,
}

impl One {
    pub(super) fn new(needle: &[u8]) -> Self {
        Self { finder: Finder::new(needle).into_owned(), borders: borders(needle) }
    }

    #[inline]
    pub(super) fn find(&self, text: &[u8]) -> Option<Found> {
        let start = self.finder.find(text)?;
        Some(Found { rule: 0, start, end: start + self.needle().len() })
    }

    /// Length of the longest end of `window` that is a beginning of the needle. The window is
    /// shorter than the needle.
    #[inline]
    pub(super) fn beginning(&self, window: &[u8]) -> usize {
        if self.needle().len() <= SHORT { self.compared(window) } else { self.counted(window) }
    }

    /// By comparing every beginning, the longest first.
    fn compared(&self, window: &[u8]) -> usize {
        let Some(last) = window.last() else { return 0 };
        let needle = self.needle();
        let mut ends = (1..needle.len()).rev();
        ends.find(|&end| needle[end - 1] == *last && window.ends_with(&needle[..end])).unwrap_or(0)
    }

    /// By going through the window once, whatever is in it.
    fn counted(&self, window: &[u8]) -> usize {
        let needle = self.needle();
        match memchr::memchr(needle[0], window) {
            Some(start) => extend(needle, &self.borders, 0, &window[start..]),
            None => 0,
        }
    }

    pub(super) fn needle(&self) -> &[u8] {
        self.finder.needle()
    }
}

fn borders(needle: &[u8]) -> Box<[usize]> {
    let mut borders = vec![0; needle.len()];
    for end in 1..needle.len() {
        borders[end] = extend(needle, &borders, borders[end - 1], &needle[end..=end]);
    }
    borders.into_boxed_slice()
}

/// How much of the needle's beginning ends the text, when `matched` bytes of it did before `more`.
fn extend(needle: &[u8], borders: &[usize], mut matched: usize, more: &[u8]) -> usize {
    for &byte in more {
        while matched > 0 && needle[matched] != byte {
            matched = borders[matched - 1];
        }
        if needle[matched] == byte {
            matched += 1;
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(needle: &str, window: &str) -> usize {
        let one = One::new(needle.as_bytes());
        let counted = one.counted(window.as_bytes());
        assert_eq!(one.compared(window.as_bytes()), counted, "{needle} {window}");
        counted
    }

    #[test]
    fn both_ways_say_the_same() {
        let texts = |len: u32| (0..1_u32 << len).map(move |bits| text(len, bits));
        for needle in (1..=5).flat_map(texts) {
            for window in (0..needle.len() as u32).flat_map(texts) {
                beginning(&needle, &window);
            }
        }
    }

    fn text(len: u32, bits: u32) -> String {
        (0..len).map(|bit| if bits >> bit & 1 == 0 { 'a' } else { 'b' }).collect()
    }

    #[test]
    fn borders_are_those_of_the_textbook() {
        assert_eq!(*borders(b"abababca"), [0, 0, 1, 2, 3, 4, 0, 1]);
        assert_eq!(*borders(b"aaaab"), [0, 1, 2, 3, 0]);
        assert_eq!(*borders(b"a"), [0]);
    }

    #[test]
    fn the_longest_beginning_counts() {
        assert_eq!(beginning("abababca", "xababab"), 6);
        assert_eq!(beginning("abababca", "ababaca"), 1);
        assert_eq!(beginning("aaaab", "aaaa"), 4);
        assert_eq!(beginning("needle", "nene"), 2);
        assert_eq!(beginning("needle", "edle"), 0);
    }

    #[test]
    fn a_needle_of_one_byte_has_no_beginning() {
        assert_eq!(beginning("a", ""), 0);
    }
}
